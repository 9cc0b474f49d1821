// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/platform"
)

// FuzzOrigin holds origins to net/url: what has an origin is a web address of that host, without user information, and
// the origin is its own origin.
func FuzzOrigin(f *testing.F) {
	for _, uri := range []string{
		"https://lms.example/a?b#c", "HTTPS://LMS.example:443", "http://[::1]:8080/", "https://tool.example@evil.example/", `https://evil.example\@tool.example`,
		"https:///x", "https:tool.example", "//tool.example", "javascript://tool.example/%0aalert(1)", "https://0x7f.1/", "https://a..b/", "https://[::ffff:1.2.3.4]/", "https://x:080/",
	} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		origin, err := platform.Origin(uri)
		if err != nil {
			if origin != "" {
				t.Fatalf("%q beside %v", origin, err)
			}
			return
		}
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%q has the origin %q, but %v", uri, origin, err)
		}
		own, err := url.Parse(origin)
		if err != nil {
			t.Fatalf("the origin %q of %q: %v", origin, uri, err)
		}
		port := parsed.Port()
		if parsed.Scheme == "https" && port == "443" || parsed.Scheme == "http" && port == "80" {
			port = ""
		}
		switch {
		case own.Scheme != parsed.Scheme || own.Scheme != "https" && own.Scheme != "http":
			t.Fatalf("%q: scheme of %q", uri, origin)
		case own.Hostname() != strings.ToLower(parsed.Hostname()) || own.Hostname() == "" || own.Port() != port:
			t.Fatalf("%q: host of %q", uri, origin)
		case parsed.User != nil || own.User != nil || own.Path != "" || own.RawQuery != "" || own.Fragment != "":
			t.Fatalf("%q: %q is more than an origin", uri, origin)
		case strings.ContainsAny(uri, "\\ \t\r\n\x00") || strings.ToLower(origin) != origin:
			t.Fatalf("%q has the origin %q", uri, origin)
		}
		if again, err := platform.Origin(origin); err != nil || again != origin {
			t.Fatalf("the origin of %q is %q, %v", origin, again, err)
		}
	})
}
