// SPDX-License-Identifier: Apache-2.0

package lti_test

import (
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	const uri = "https://tool.example/lti/launch"
	for _, test := range []struct{ expected, actual, want string }{
		{uri, uri, ""},
		{uri, uri + "/", `it goes on with "/" at character 32, where it should end (a trailing slash)`},
		{uri + "/", uri, `it ends before character 32, where "/" is expected (a trailing slash)`},
		{uri, "http://tool.example/lti/launch", `character 5 is ":", not "s" (http instead of https)`},
		{"http://tool.example/a", "https://tool.example/a", `character 5 is "s", not ":" (https instead of http)`},
		{uri, "https://tool.example/LTI/launch", `character 22 is "L", not "l" (upper and lower case)`},
		{uri, "HTTPS://tool.example/lti/launch", `character 1 is "H", not "h" (upper and lower case)`},
		{uri, "https://tool.example:443/lti/launch", `character 21 is ":", not "/" (the port)`},
		{uri, uri + "?x=1", `it goes on with "?" at character 32, where it should end (the query)`},
		{uri + "?x=1", uri + "?x=2", `character 35 is "2", not "1" (the query)`},
		{uri, uri + " ", `it goes on with " " at character 32, where it should end (blanks at the beginning or the end)`},
		{uri, "http://tool.example/lti/launch/", `character 5 is ":", not "s" (http instead of https, a trailing slash)`},
		{uri, "https://tool.example/lti/login", `character 27 is "o", not "a"`},
		{uri, "", `it ends before character 1, where "h" is expected`},
		{"client-1", "Client-1", `character 1 is "C", not "c" (upper and lower case)`},
		{"client-1", "client-2", `character 8 is "2", not "1"`},
		{"käse", "käsé", `character 4 is "é", not "e"`},
		{"a\xff", "a\xfe", `character 2 is "\xfe", not "\xff"`},
	} {
		if got := lti.Difference(test.expected, test.actual); got != test.want {
			t.Errorf("Difference(%q, %q) =\n%s, want\n%s", test.expected, test.actual, got, test.want)
		}
	}
}

func TestSlipIsNoEquality(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"https://a.example", "https://b.example"},
		{"https://a.example/x", "https://a.example/y"},
		{"https://a.example/x", "https://a.example/x/y"},
		{"https://a.example", "a.example"},
		{"https://a.example:1", "https://b.example:2"},
		{"1", "11"},
		{"", "1"},
	} {
		if slip := lti.Slip(pair[0], pair[1]); slip != "" {
			t.Errorf("Slip(%q, %q) = %q, want none", pair[0], pair[1], slip)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	list := []string{"https://a.example/launch", "https://tool.example/lti/launch", "https://staging.tool.example/lti/launch"}
	for actual, want := range map[string]int{
		"https://tool.example/lti/launch/":        1,
		"http://staging.tool.example/lti/launch":  2,
		"https://A.example/launch":                0,
		"https://staging.tool.example/lti/launsh": 2,
		"": 0,
	} {
		if got := lti.Nearest(list, actual); got != want {
			t.Errorf("Nearest(%q) = %d, want %d", actual, got, want)
		}
	}
	if got := lti.Nearest(nil, "x"); got != -1 {
		t.Errorf("Nearest of nothing = %d", got)
	}
}

// FuzzDifference holds the explanation to the comparison: there is one exactly where two texts differ.
func FuzzDifference(f *testing.F) {
	for _, seed := range []string{"", "a", "https://a.example/", "https://a.example:443?x", "http://[::1]/", "\xff\xfe", strings.Repeat("a", 300)} {
		f.Add("https://a.example", seed)
	}
	f.Fuzz(func(t *testing.T, expected, actual string) {
		if got := lti.Difference(expected, actual); (got == "") != (expected == actual) {
			t.Errorf("Difference(%q, %q) = %q", expected, actual, got)
		}
		if expected == actual && lti.Slip(expected, actual) != "" {
			t.Errorf("equal texts have a slip")
		}
	})
}
