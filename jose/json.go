// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of JSON inside a JWS. The largest real launch known has depth 5 and under 500 tokens.
const (
	maxJSONDepth  = 32
	maxJSONTokens = 20000
)

// CheckObject reports whether data is one JSON object in strict form (RFC 8259, RFC 7493): valid UTF-8, no lone
// surrogates, no repeated member names at any depth, nothing after it, at most 32 deep and 20,000 tokens long.
func CheckObject(data []byte) error {
	if len(data) > maxJSONTokens || !isShallow(data) {
		if err := checkBounds(data); err != nil {
			return err
		}
	}
	reader := strictReaders.Get().(*strictReader)
	defer reader.release()
	decoder := reader.read(data)
	if kind := decoder.PeekKind(); kind != '{' {
		return errors.New("it is no object")
	}
	if _, err := decoder.ReadValue(); err != nil {
		return describe(err)
	}
	return checkEnd(decoder)
}

// strictReader is a decoder that is used again: it remembers the names of each object, and making room for them anew
// would be the most part of a launch's allocations.
type strictReader struct {
	buffer  *bytes.Buffer // unlike another Reader, it is read in place
	decoder *jsontext.Decoder
}

var strictReaders = sync.Pool{New: func() any {
	buffer := new(bytes.Buffer)
	return &strictReader{buffer, jsontext.NewDecoder(buffer)}
}}

// read returns the decoder, at the start of a text. It refuses repeated names and invalid UTF-8.
func (r *strictReader) read(data []byte) *jsontext.Decoder {
	*r.buffer = *bytes.NewBuffer(data)
	r.decoder.Reset(r.buffer)
	return r.decoder
}

// release lets the next one have the reader, and lets go of the text.
func (r *strictReader) release() {
	r.read(nil)
	strictReaders.Put(r)
}

// checkBounds stops at every token, which takes twice the time of a plain read. It is for texts that could be too deep
// or have too many.
func checkBounds(data []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for count := 0; ; count++ {
		if _, err := decoder.ReadToken(); err == io.EOF {
			return nil
		} else if err != nil {
			return describe(err)
		}
		if decoder.StackDepth() > maxJSONDepth {
			return errors.New("it is nested too deeply")
		}
		if count > maxJSONTokens {
			return errors.New("it has too many members")
		}
	}
}

// isShallow reports whether JSON text is at most 32 deep. Of text that is no JSON it says nothing of use.
func isShallow(data []byte) bool {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = endOfString(data, i)
		case '{', '[':
			if depth++; depth > maxJSONDepth {
				return false
			}
		case '}', ']':
			depth--
		}
	}
	return true
}

// endOfString returns where the string ends that begins at a quotation mark: its other one, or the end of the text.
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
			return i
		}
	}
}

// checkEnd reports an error where anything but white space follows the value that was read.
func checkEnd(decoder *jsontext.Decoder) error {
	switch _, err := decoder.ReadToken(); err {
	case io.EOF:
		return nil
	default:
		return errors.New("something follows it")
	}
}

// describe names the defect without repeating any of the text.
func describe(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Errorf("a member name is repeated at byte %d", syntactic.ByteOffset)
		}
		return fmt.Errorf("syntax error at byte %d", syntactic.ByteOffset)
	}
	return errors.New("syntax error")
}

// headerMember is a member of a JWS header: its kind, and its text where it is a string.
type headerMember struct {
	Kind jsontext.Kind
	Text string
}

// readHeaderMembers reads the members of a header object. A name may not repeat, but for an equal typ: a reference
// platform writes that one twice.
func readHeaderMembers(data []byte) (map[string]headerMember, error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	if decoder.PeekKind() != '{' {
		return nil, errors.New("it is no object")
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, describe(err)
	}
	members := make(map[string]headerMember, 4)
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, describe(err)
		}
		key := name.String()
		member, err := readHeaderMember(decoder)
		if err != nil {
			return nil, err
		}
		if earlier, ok := members[key]; ok && !(key == "typ" && earlier == member) {
			return nil, fmt.Errorf("a member name is repeated at byte %d", decoder.InputOffset())
		}
		members[key] = member
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, describe(err)
	}
	return members, checkEnd(decoder)
}

func readHeaderMember(decoder *jsontext.Decoder) (headerMember, error) {
	kind := decoder.PeekKind()
	if kind != '"' {
		value, err := decoder.ReadValue()
		if err != nil {
			return headerMember{}, describe(err)
		}
		if kind == '{' || kind == '[' {
			if err := checkNested(value); err != nil {
				return headerMember{}, err
			}
		}
		return headerMember{Kind: kind}, nil
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return headerMember{}, describe(err)
	}
	return headerMember{Kind: '"', Text: token.String()}, nil
}

// checkNested holds an object or array inside a header to the rules of CheckObject.
func checkNested(value jsontext.Value) error {
	return CheckObject(append(append([]byte(`{"":`), value...), '}'))
}
