// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDialectTable(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "canvas": "canvas", "moodle": "moodle", "brightspace": "brightspace", "blackboard": "blackboard", "sakai": "sakai",
		"sakailms.org": "sakai", "openedx": "openedx", "schoology": "schoology", "acme": "",
	} {
		if got := DialectNamed(name).Name; got != want {
			t.Errorf("DialectNamed(%q) = %q, want %q", name, got, want)
		}
	}
	if got, want := DialectNames(), []string{"canvas", "moodle", "brightspace", "blackboard", "sakai", "openedx", "schoology"}; !slices.Equal(got, want) {
		t.Errorf("DialectNames() = %q, want %q", got, want)
	}
	for _, dialect := range dialects {
		// One client id for all customers: the first foreign origin must not be trusted.
		if want := dialect.Name == "blackboard" || dialect.Name == "schoology"; dialect.SharedClientID != want {
			t.Errorf("%q: shared client id %t", dialect.Name, dialect.SharedClientID)
		}
		if want := dialect.Name == "schoology"; dialect.CommentRequired != want {
			t.Errorf("%q: comment required %t", dialect.Name, dialect.CommentRequired)
		}
		// Whoever meets a service that is not offered learns what to switch on, in the platform's own words.
		for service, setting := range map[string]string{"line items": dialect.LineItemSetting, "scores": dialect.GradesSetting, "rosters": dialect.RosterSetting} {
			if name := dialect.Name; (name != "") != (setting != "") || setting != "" && (!strings.HasPrefix(setting, "In ") || !strings.HasSuffix(setting, ".")) {
				t.Errorf("%q says of %s %q", name, service, setting)
			}
		}
		if dialect.ScoreGrain < time.Millisecond {
			t.Errorf("%q has no score grain", dialect.Name)
		}
	}
}

func TestDialectAnswers(t *testing.T) {
	generic, canvas, moodle := DialectNamed(""), DialectNamed("canvas"), DialectNamed("moodle")
	sakai, openedx := DialectNamed("sakai"), DialectNamed("openedx")
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
		{"sakai and openedx expire with 403", sakai.TokenExpired(403) && openedx.TokenExpired(403) && sakai.TokenExpired(401), true},
		{"sakai's 400 for a scope is no expiry", sakai.TokenExpired(400), false},
		{"openedx 400 is outdated", openedx.OutdatedScore(400, []byte(`{"timestamp":["Score already exists for the provided timestamp"]}`)), true},
		{"openedx 400 otherwise", openedx.OutdatedScore(400, []byte(`{"scoreMaximum":["This field is required."]}`)), false},
		{"brightspace throttles", DialectNamed("brightspace").Throttled(429, nil), true},
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
