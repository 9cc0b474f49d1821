// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Lenient is how platforms write: what they repeat or encode badly does not cost the container.
var Lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// Text is a JSON string, a number as it is written, and "" for anything else.
type Text string

// UnmarshalJSONFrom reads any JSON value.
func (t *Text) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, value)
		*t = Text(strings.ToValidUTF8(string(unquoted), "\ufffd"))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
	case '0':
		*t = Text(value)
	}
	return nil
}

// ID returns a value that names something: a text that is not empty, or a whole number as it is written; "" for anything
// else.
func ID(value jsontext.Value) string {
	var id Text
	if len(value) == 0 || json.Unmarshal(value, &id, Lenient) != nil || value.Kind() == '0' && strings.ContainsAny(string(id), ".eE") {
		return ""
	}
	return string(id)
}
