// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/outbound"
)

func elementsOf(body io.Reader) (elements []string, err error) {
	err = Elements(body, func(element jsontext.Value) error {
		elements = append(elements, string(element))
		return nil
	})
	return elements, err
}

func TestElements(t *testing.T) {
	got, err := elementsOf(strings.NewReader(" [ {\"a\" : 1,\"a\":2} ,\n 7, \"x\", null, [] ] \n"))
	if want := `{"a" : 1,"a":2}|7|"x"|null|[]`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	mine, broken := errors.New("mine"), &outbound.Error{Kind: outbound.Timeout}
	if err := Elements(strings.NewReader("[1,2]"), func(jsontext.Value) error { return mine }); err != mine {
		t.Errorf("the caller's error came as %v", err)
	}
	var failure *outbound.Error
	if _, err := elementsOf(io.MultiReader(strings.NewReader("[1,"), failing{broken})); !errors.As(err, &failure) || failure != broken {
		t.Errorf("the connection's error came as %v", err)
	}
	var defect Defect
	if _, err := elementsOf(strings.NewReader(`[1,"` + strings.Repeat("x", 2*maxElementBytes) + `"]`)); !errors.As(err, &defect) || !strings.Contains(string(defect), "longer") {
		t.Errorf("a long element came as %v", err)
	}
	// What counts is the length of one element, not that of the list.
	if got, err := elementsOf(strings.NewReader("[" + strings.Repeat(`"`+strings.Repeat("x", 1000)+`",`, 2000) + "0]")); err != nil || len(got) != 2001 {
		t.Errorf("%d elements, %v", len(got), err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzElements compares with the decoder of the standard library: the same lists are taken, with the same elements.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{"[]", "[1]", `[{"a":1},2]`, "[", "[1,]", "[] x", "{}", "null", "", "[\"\\u12\"]", "[[[]]]", "\ufeff[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<10 || strings.Count(text, "[")+strings.Count(text, "{") > 100 {
			t.Skip("what is deep or long is limited in other ways")
		}
		var want []json.RawMessage
		valid := json.Unmarshal([]byte(text), &want) == nil && want != nil
		got, err := elementsOf(strings.NewReader(text))
		if (err == nil) != valid {
			t.Fatalf("%q: %v, while the standard library says %t", text, err, valid)
		}
		var defect Defect
		if err != nil && !errors.As(err, &defect) {
			t.Fatalf("%q: %v is no Defect", text, err)
		}
		if err == nil && len(got) != len(want) {
			t.Fatalf("%q: %d elements, want %d", text, len(got), len(want))
		}
	})
}
