// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/ltisidecar/ltisidecar/lti"
)

// FuzzReadLineItem checks that whatever a platform writes gives texts and numbers that can be answered, and that what is
// written back loses no member.
func FuzzReadLineItem(f *testing.F) {
	for _, seed := range []string{
		`{"id":"https://h/1","label":"Q","scoreMaximum":10,"tag":null,"startDateTime":"2026-01-02T03:04:05+0200","gradesReleased":"1","https://v.example/x":{"a":[1.50]}}`,
		`{"scoreMaximum":"1e400","submissionReview":{"reviewableStatus":"x","custom":{"a":1}}}`, `{"a":1,"a":2}`, "{\"label\":\"\xff\"}", `{"endDateTime":"2026-01-02"}`, `[]`, `{`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, item := readLineItem(text)
		if m == nil {
			return
		}
		for _, s := range []string{item.URI, item.Label, item.ResourceLinkID, item.ResourceID, item.Tag, item.ExtensionsJSON} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is no UTF-8", s)
			}
		}
		if item.ScoreMaximum != nil && (math.IsNaN(*item.ScoreMaximum) || math.IsInf(*item.ScoreMaximum, 0)) {
			t.Errorf("maximum %v", *item.ScoreMaximum)
		}
		if item.ExtensionsJSON != "" && !json.Valid([]byte(item.ExtensionsJSON)) {
			t.Errorf("extensions %q", item.ExtensionsJSON)
		}
		change, err := newChange(&lti.LineItem{URI: "https://h/1", Label: "New"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range change {
			if err := field.write(&lti.LineItem{Label: "New"}, m); err != nil {
				t.Fatal(err)
			}
		}
		back, err := m.encode()
		if err != nil {
			t.Fatalf("%q cannot be written back: %v", text, err)
		}
		if again, changed := readLineItem(back); len(again) != len(m) || changed.Label != "New" || changed.Tag != item.Tag || changed.ExtensionsJSON != item.ExtensionsJSON {
			t.Errorf("%q became %q", text, back)
		}
	})
}
