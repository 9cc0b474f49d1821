// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/jose"
)

// FuzzSplit compares what splits raw JSON with the standard library, for every text that passes the gate, and holds it
// to ending, without a panic, for every other.
func FuzzSplit(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { "a" : 1 , "b" : [ ] , "c" : { } } `, `{"a":"\"}{","b\\":[1,"]",{"x":[]}],"\u0063":null,"d":-1.5e3,"e":true}`,
		`{"":"\\","a":"\\\\\"","b":[[],[[]],"",{}]}`, `{"a":[1,2`, `{"a"`, `{"a":`, `{"a":}`, `{"a" 1}`, `{`, `[`, `"`, `"\`, `{"a":1]`, `{"a":[1}`, `{"\`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if jose.CheckObject(data) != nil {
			_, _ = readClaims(data)
			_ = eachMember(data, func(_ []byte, value jsontext.Value) { list(value); object(value); text(value) })
			list(data)
			return
		}
		checkSplit(t, data)
	})
}

// checkSplit compares the value and all within it.
func checkSplit(t *testing.T, value jsontext.Value) {
	t.Helper()
	trimmed := jsontext.Value(value[afterBlanks(value, 0):])
	switch trimmed.Kind() {
	case '{':
		var want map[string]json.RawMessage
		if err := json.Unmarshal(value, &want); err != nil {
			t.Fatal(err)
		}
		count := 0
		err := eachMember(value, func(name []byte, member jsontext.Value) {
			count++
			if string(want[string(name)]) != string(member) {
				t.Fatalf("the member %q of %s is %s, want %s", name, value, member, want[string(name)])
			}
			checkSplit(t, member)
		})
		if err != nil || count != len(want) {
			t.Fatalf("%s has %d members, %v, want %d", value, count, err, len(want))
		}
	case '[':
		var want []json.RawMessage
		if err := json.Unmarshal(value, &want); err != nil {
			t.Fatal(err)
		}
		elements, ok := list(value)
		if !ok || !slices.EqualFunc(elements, want, func(a jsontext.Value, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Fatalf("%s has the elements %s, want %s", value, elements, want)
		}
		for _, element := range elements {
			checkSplit(t, element)
		}
	case '"':
		var want string
		if err := json.Unmarshal(value, &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := text(value); !ok || got != want {
			t.Fatalf("the text of %s is %q, want %q", value, got, want)
		}
	}
}

// TestClaimFields holds every field of claims to a claim of its own.
func TestClaimFields(t *testing.T) {
	payload := map[string]int{}
	for name := range claimFields {
		payload[name] = len(payload) + 1
	}
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	c, err := readClaims(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(payload) < 30 || fmt.Sprint(payload["nonce"]) != string(c.Nonce) || fmt.Sprint(payload["https://purl.imsglobal.org/spec/lti-ap/claim/errorlog"]) != string(c.ErrorLog) {
		t.Errorf("%d claims; the nonce is %s, the last one %s", len(payload), c.Nonce, c.ErrorLog)
	}
}
