// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"errors"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// What splits raw JSON here trusts that the gate has read it: it finds the ends of values, and checks no more than it
// needs to stay inside the text. Read again by a decoder, a payload would cost as much as its signature.

var errNotJSON = errors.New("it is not JSON")

// alias returns bytes as a string without copying them. They must never be changed: those of a payload, and what
// jsontext has just made for us, are not. A launch has some hundred texts, each of which would be a copy; whoever keeps
// one for longer than the launch must strings.Clone it, or keeps the payload with it.
func alias(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// text returns the text of a raw value that is a JSON string.
func text(value jsontext.Value) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return alias(value[1 : len(value)-1]), true
	}
	s, err := jsontext.AppendUnquote(nil, value)
	return alias(s), err == nil
}

// textOr returns the text of a raw value, and "" for anything else: in the field, descriptive members are null, empty
// or numbers as often as not, and none of that is worth a refusal.
func textOr(value jsontext.Value) string {
	s, _ := text(value)
	return s
}

// object splits a raw value that is a JSON object; nil for anything else.
func object(value jsontext.Value) map[string]jsontext.Value {
	if value.Kind() != '{' {
		return nil
	}
	members := make(map[string]jsontext.Value, 8)
	if eachMember(value, func(name []byte, value jsontext.Value) { members[alias(name)] = value }) != nil {
		return nil
	}
	return members
}

// list splits a raw value that is a JSON array.
func list(value jsontext.Value) ([]jsontext.Value, bool) {
	if value.Kind() != '[' {
		return nil, false
	}
	elements := make([]jsontext.Value, 0, 8)
	for i := afterBlanks(value, 1); ; {
		if i == len(value)-1 && value[i] == ']' {
			return elements, true
		}
		end := endOfValue(value, i)
		if end <= i || end >= len(value) {
			return nil, false
		}
		elements = append(elements, value[i:end:end])
		if i = afterBlanks(value, end); i < len(value) && value[i] == ',' {
			i = afterBlanks(value, i+1)
		}
	}
}

// eachMember calls f for each member of an object.
func eachMember(object []byte, f func(name []byte, value jsontext.Value)) error {
	i := afterBlanks(object, 0)
	if i == len(object) || object[i] != '{' {
		return errNotJSON
	}
	i = afterBlanks(object, i+1)
	for i < len(object) && object[i] == '"' {
		end := endOfValue(object, i)
		name := object[i+1 : max(i+1, end-1)]
		if bytes.IndexByte(name, '\\') >= 0 {
			var err error
			if name, err = jsontext.AppendUnquote(nil, object[i:end]); err != nil {
				return errNotJSON
			}
		}
		if i = afterBlanks(object, end); i == len(object) || object[i] != ':' {
			return errNotJSON
		}
		i = afterBlanks(object, i+1)
		if end = endOfValue(object, i); end <= i {
			return errNotJSON
		}
		f(name, object[i:end:end])
		if i = afterBlanks(object, end); i < len(object) && object[i] == ',' {
			i = afterBlanks(object, i+1)
		}
	}
	if i == len(object) || object[i] != '}' {
		return errNotJSON
	}
	return nil
}

// afterBlanks returns where the next character that is no blank stands, or the end of the text.
func afterBlanks(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// endOfValue returns where the value ends that begins at i, or the end of the text.
func endOfValue(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			i = endOfString(data, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return i // of what a number or a literal before it lies in
			}
			depth--
			i++
		case ',', ' ', '\n', '\t', '\r', ':':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// endOfString returns where the string ends that begins at a quotation mark: after its other one, or at the end of the
// text.
func endOfString(data []byte, start int) int {
	for i := start + 1; ; i++ {
		next := bytes.IndexByte(data[i:], '"')
		if next < 0 {
			return len(data)
		}
		i += next
		escapes := i
		for data[escapes-1] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			return i + 1
		}
	}
}
