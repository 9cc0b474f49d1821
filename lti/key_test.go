// SPDX-License-Identifier: Apache-2.0

package lti_test

import (
	"regexp"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
)

// No two different lists of parts, nor two kinds, give one key.
func TestKeyIsUnambiguous(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{"user"}, {"user", ""}, {"user", "", ""}, {"user", "a"}, {"usera"}, {"", "user", "a"}, {"user", "a", ""}, {"user", "", "a"},
		{"user", "ab"}, {"user", "a", "b"}, {"user", "b", "a"}, {"user", "\x00"}, {"user", "a\x00b"}, {"user", "a", "\x00", "b"},
		{"user", "\x00\x00\x00\x00\x00\x00\x00\x01a"}, {"context", "a"}, {"context", "a", "b"}, {"user", "https://lms.example", "7"},
		{"user", "https://lms.example7", ""}, {"user", "https://lms.example", "7", ""}, {"user", "A"}, {"user", "a "},
	} {
		key := lti.Key(parts[0], parts[1:]...)
		if !form.MatchString(key) {
			t.Errorf("Key(%q) = %q", parts, key)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", parts, other)
		}
		seen[key] = parts
		if again := lti.Key(parts[0], parts[1:]...); again != key {
			t.Errorf("Key(%q) is not stable", parts)
		}
	}
}

// A tool stores these keys for years: they must never change.
func TestKeysAreForever(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"dbe74064959eb56fbcfbc2acb93f2e56": lti.UserKey("", "https://lms.example", "7"),
		"9f2c08c0a78238d14f93df47b67939c9": lti.UserKey("other", "https://lms.example", "7"),
		"6636b31a66f28a53741e92cc299164d1": lti.Key("context", "https://lms.example", "1", "42"),
	} {
		if got != want {
			t.Errorf("%s, was %s", got, want)
		}
	}
}

func TestCanPostScore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		endpoint lti.GradeEndpoint
		want     bool
	}{
		{lti.GradeEndpoint{}, false},
		{lti.GradeEndpoint{LineItemURI: "https://lms.example/1"}, false},
		{lti.GradeEndpoint{Scopes: []string{lti.ScopeScore}}, false},
		{lti.GradeEndpoint{LineItemsURI: "https://lms.example/", Scopes: []string{lti.ScopeScore}}, false},
		{lti.GradeEndpoint{LineItemURI: "https://lms.example/1", Scopes: []string{lti.ScopeMemberships}}, false},
		{lti.GradeEndpoint{LineItemURI: "https://lms.example/1", Scopes: []string{lti.ScopeMemberships, lti.ScopeScore}}, true},
	} {
		if got := test.endpoint.CanPostScore(); got != test.want {
			t.Errorf("%+v: %t", test.endpoint, got)
		}
	}
}
