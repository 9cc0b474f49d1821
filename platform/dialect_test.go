// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"
	"time"
)

func TestDialectTable(t *testing.T) {
	for name, want := range map[string]string{"": "", "canvas": "canvas", "moodle": "moodle", "acme": ""} {
		if got := DialectNamed(name).Name; got != want {
			t.Errorf("DialectNamed(%q) = %q, want %q", name, got, want)
		}
	}
	for _, dialect := range dialects {
		if dialect.ScoreGrain < time.Millisecond {
			t.Errorf("%q has no score grain", dialect.Name)
		}
	}
}

func TestDialectAnswers(t *testing.T) {
	generic, canvas, moodle := DialectNamed(""), DialectNamed("canvas"), DialectNamed("moodle")
	for _, test := range []struct {
		what string
		got  bool
		want bool
	}{
		{"401 expires everywhere", generic.TokenExpired(401) && canvas.TokenExpired(401) && moodle.TokenExpired(401), true},
		{"403 expires generic", generic.TokenExpired(403), true},
		{"403 does not expire canvas", canvas.TokenExpired(403), false},
		{"403 does not expire moodle", moodle.TokenExpired(403), false},
		{"400 never expires", generic.TokenExpired(400), false},
		{"429 throttles", generic.Throttled(429, nil) && moodle.Throttled(429, nil), true},
		{"canvas 403 throttles", canvas.Throttled(403, []byte("403 Forbidden (Rate Limit Exceeded)\n")), true},
		{"canvas 403 otherwise", canvas.Throttled(403, []byte("{}")), false},
		{"generic 403 with the words", generic.Throttled(403, []byte("Rate Limit Exceeded")), false},
		{"409 is outdated", moodle.OutdatedScore(409, []byte("[]")), true},
		{"canvas 400 is outdated", canvas.OutdatedScore(400, []byte("Provided timestamp of x before last updated timestamp of y")), true},
		{"canvas 400 otherwise", canvas.OutdatedScore(400, []byte("bad")), false},
		{"generic 400", generic.OutdatedScore(400, []byte("before last updated")), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: %t", test.what, test.got)
		}
	}
	if generic.ScoreGrain != time.Millisecond || canvas.ScoreGrain != time.Millisecond || moodle.ScoreGrain != time.Second {
		t.Error("a grain is wrong")
	}
}
