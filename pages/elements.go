// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxElementBytes is how long one element of a list may be.
const maxElementBytes = 256 << 10

// Elements reads a page that is a JSON array and hands each element to each, as it arrives; memory holds one of them. An
// element is valid only during the call. The error is what each returned, a Defect, or an *outbound.Error.
func Elements(page io.Reader, each func(element jsontext.Value) error) error {
	limited := &elementLimit{reader: page}
	decoder := jsontext.NewDecoder(limited, Lenient)
	switch first, err := decoder.ReadToken(); {
	case err != nil:
		return defectOf(err)
	case first.Kind() != '[':
		return Defect("it is not a list")
	}
	for decoder.PeekKind() != ']' {
		limited.used = 0
		element, err := decoder.ReadValue()
		if err != nil {
			return defectOf(err)
		}
		if err := each(element); err != nil {
			return err
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return defectOf(err)
	}
	switch _, err := decoder.ReadToken(); {
	case err == nil:
		return Defect("something follows the list")
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return defectOf(err)
	}
	return nil
}

// defectOf makes a Defect of an error of the decoder, unless it is one of what was read from.
func defectOf(err error) error {
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, errElementTooLong):
		return Defect(fmt.Sprintf("one of its elements is longer than %d bytes", maxElementBytes))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Defect("it ends too early")
	case errors.As(err, &syntactic):
		return Defect("it is not JSON")
	}
	return err
}

var errElementTooLong = errors.New("element too long")

// elementLimit bounds what the decoder reads for one element, as it keeps the whole of it. used is set to 0 at each.
type elementLimit struct {
	reader io.Reader
	used   int
}

func (l *elementLimit) Read(p []byte) (int, error) {
	if l.used > maxElementBytes {
		return 0, errElementTooLong
	}
	// Small steps, so that what is read ahead of an element counts little.
	n, err := l.reader.Read(p[:min(len(p), 64<<10)])
	l.used += n
	return n, err
}
