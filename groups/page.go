// SPDX-License-Identifier: Apache-2.0

package groups

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/pages"
)

// element is one group or set. Optional members that are null or of another type are as if they were missing.
type element struct {
	RawID  jsontext.Value `json:"id"`
	Name   pages.Text     `json:"name"`
	Tag    pages.Text     `json:"tag"`
	Hidden flag           `json:"hidden"`
	SetIDs jsontext.Value `json:"set_ids"`
	SetID  jsontext.Value `json:"set_id"` // its name in older versions
	id     string
}

// setIDs returns the ids of the sets under either name, each once. Either may be a list or one id.
func (e *element) setIDs() []string {
	var found []string
	for _, value := range []jsontext.Value{e.SetIDs, e.SetID} {
		ids := []jsontext.Value{value}
		if value.Kind() == '[' && json.Unmarshal(value, &ids, pages.Lenient) != nil {
			continue
		}
		for _, raw := range ids {
			if id := pages.ID(raw); id != "" && !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	return found
}

// size returns how many bytes an element takes in a message, about.
func (e *element) size() int {
	return 32 + len(e.id) + len(e.Name) + len(e.Tag) + len(e.SetIDs) + len(e.SetID)
}

// decode reads one page. An empty body is an empty page, as Sakai writes one.
func decode(page io.Reader, kind kind) ([]element, error) {
	body, err := io.ReadAll(page)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var members map[string]jsontext.Value
	switch err := json.Unmarshal(body, &members, pages.Lenient); {
	case !jsontext.Value(body).IsValid(pages.Lenient):
		return nil, pages.Defect("it is not JSON")
	case err != nil || members == nil:
		return nil, pages.Defect("it is not a JSON object")
	}
	list, ok := members[kind.member]
	if !ok {
		return nil, pages.Defect("it has no list of " + kind.member)
	}
	var raw []jsontext.Value
	if list.Kind() != 'n' && (list.Kind() != '[' || json.Unmarshal(list, &raw, pages.Lenient) != nil) {
		return nil, pages.Defect("its " + kind.member + " are not a list")
	}
	elements := make([]element, len(raw))
	for i, value := range raw {
		if value.Kind() != '{' || json.Unmarshal(value, &elements[i], pages.Lenient) != nil {
			return nil, pages.Defect(fmt.Sprintf("%s %d is not an object", kind.element, i+1))
		}
		if elements[i].id = pages.ID(elements[i].RawID); elements[i].id == "" {
			return nil, pages.Defect(fmt.Sprintf("%s %d has no id", kind.element, i+1))
		}
	}
	return elements, nil
}

// flag is true for the JSON true and the texts "true" and "1", and false for anything else.
type flag bool

// UnmarshalJSONFrom reads any JSON value.
func (f *flag) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	text := pages.ID(value)
	*f = flag(err == nil && (value.Kind() == 't' || text == "true" || text == "1"))
	return err
}
