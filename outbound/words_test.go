// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for _, test := range []struct {
		body    string
		secrets []string
		want    string
	}{
		{"", nil, ""},
		{" <!doctype html><p>secret", nil, ""},
		{"plain\r\ntext\x00", nil, `plain\r\ntext\x00`},
		{`{"error":"e","error_description":"d"}`, nil, "e: d"},
		{`{"errors":{"type":"unauthorized","message":"Insufficient permissions"}}`, nil, "Insufficient permissions"},
		{`{"detail":"Invalid token signature."}`, nil, "Invalid token signature."},
		{`{"status":401,"reason":"Unauthorized","request":{"x":1}}`, nil, "Unauthorized"},
		{`{"timestamp":["older"]}`, nil, `{"timestamp":["older"]}`},
		{`{"message":7}`, nil, `{"message":7}`},
		{`[]`, nil, `[]`},
		{"user 11 of course 411", []string{"11"}, "user [hidden] of course 411"},
		{"user 1 got 412", []string{"1", ""}, "user [hidden] got 412"},
		{"user 7::ab9 unknown", []string{"7::ab9"}, "user [hidden] unknown"},
		{"no account ann@school.example here", nil, "no account [address] here"},
		{"token eyJhbGciOiJub25lIn0.e30.x bad", nil, "token [token] bad"},
		{strings.Repeat("a", 300), nil, strings.Repeat("a", 200) + "..."},
		{strings.Repeat("a ", 98) + "secretsecret", []string{"secretsecret"}, strings.Repeat("a ", 98) + "[hid..."},
	} {
		if got := Words([]byte(test.body), test.secrets...); got != test.want {
			t.Errorf("Words(%q) = %q, want %q", test.body, got, test.want)
		}
	}
}
