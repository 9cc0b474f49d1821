// SPDX-License-Identifier: Apache-2.0

package platform

import "testing"

func TestOrigin(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://lms.example":                    "https://lms.example",
		"https://lms.example/":                   "https://lms.example",
		"https://lms.example/a/b?c=d#e":          "https://lms.example",
		"https://lms.example?c=https://x@y":      "https://lms.example",
		"https://lms.example#@evil.example":      "https://lms.example",
		"https://lms.example/@evil.example":      "https://lms.example",
		"https://lms.example//evil.example":      "https://lms.example",
		"https://lms.example/%5c@evil.example":   "https://lms.example",
		"HTTPS://LMS.Example/Path":               "https://lms.example",
		"https://lms.example:443":                "https://lms.example",
		"https://lms.example:443/x":              "https://lms.example",
		"http://lms.example:80":                  "http://lms.example",
		"http://lms.example:443":                 "http://lms.example:443",
		"https://lms.example:80":                 "https://lms.example:80",
		"https://lms.example:8443/x":             "https://lms.example:8443",
		"https://lms.example:1":                  "https://lms.example:1",
		"https://lms.example:65535":              "https://lms.example:65535",
		"https://127.0.0.1:9443":                 "https://127.0.0.1:9443",
		"https://[::1]":                          "https://[::1]",
		"https://[::1]:443":                      "https://[::1]",
		"https://[::1]:8443":                     "https://[::1]:8443",
		"https://[2001:DB8::1]":                  "https://[2001:db8::1]",
		"https://xn--mnchen-3ya.example":         "https://xn--mnchen-3ya.example",
		"https://a_b.example":                    "https://a_b.example",
		"https://a-b.example":                    "https://a-b.example",
		"https://1.example":                      "https://1.example",
		"https://0x7f.example":                   "https://0x7f.example",
		"https://lms.example/\u00e9":             "https://lms.example",
		"https://localhost:3000/lti":             "https://localhost:3000",
		"https://lms.example.":                   "https://lms.example.",
		"https://instructure.com.evil.example/x": "https://instructure.com.evil.example",
	} {
		if got, err := Origin(uri); err != nil || got != want {
			t.Errorf("Origin(%q) = %q, %v, want %q", uri, got, err, want)
		}
		if again, err := Origin(want); err != nil || again != want {
			t.Errorf("Origin(%q) = %q, %v: an origin is not its own", want, again, err)
		}
	}
}

// What browsers, proxies and this host could read in two ways is no origin.
func TestOriginRefuses(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"", " ", "/", "//", "lms.example", "lms.example/x", "//lms.example", "/lms.example", "https", "https:", "https:/", "https://", "https:///",
		"https:lms.example", "https:/lms.example", "https:///lms.example", "https://?x", "https://#x", "https:?x", "https://:443", "https://:443/",
		"ftp://lms.example", "ws://lms.example", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "about:blank", "null", "mailto:a@b",
		"httpss://lms.example", "https ://lms.example", " https://lms.example", "https://lms.example ", "https://lms.example/a b", "https://lms .example",
		"https://lms.example\t", "https://lms.example\n", "https://lms.example\r\nX: y", "ht\ntps://lms.example", "https://lms.example/\x00", "https://lms.example/\x7f",
		`https:\\lms.example`, `https://lms.example\@evil.example`, `https://evil.example\.lms.example`, `https:/\lms.example`, `https://lms.example/\x`,
		"https://user@lms.example", "https://user:pass@lms.example", "https://@lms.example", "https://:@lms.example", "https://lms.example@evil.example",
		"https://lms.example:443@evil.example", "https://lms.example%40evil.example", "https://lms.example%2f.evil.example", "https://%6cms.example",
		"https://lms%00.example", "https://lms.example%", "https://l\u00e4ms.example", "https://lms\u3002example", "https://\uff4cms.example", "https://lms%C3%A4.example",
		"https://lms.example:", "https://lms.example:/x", "https://lms.example:x", "https://lms.example:-1", "https://lms.example:+1", "https://lms.example:443:443", "https://a:b:443",
		"https://lms.example:0", "https://lms.example:65536", "https://lms.example:99999999999999999999", "https://lms.example:0443", "https://lms.example:00443/x",
		"https://.", "https://..", "https://.lms.example", "https://lms..example", "https://lms.example..", "https://.instructure.com",
		"https://[::1", "https://::1", "https://[::1]x", "https://[::1]:x", "https://[lms.example]", "https://[]", "https://[fe80::1%25eth0]", "https://[::1]evil.example",
		"https://[::0001]", "https://[0:0:0:0:0:0:0:1]", "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1%25x]",
		"https://2130706433", "https://0x7f000001", "https://127.1", "https://0177.0.0.1", "https://127.0.0.01", "https://127.0.0.0x1", "https://1.2.3.4.5", "https://256.1.1.1", "https://a.1", "https://127.0.0.1.",
		"https://lms.example;x", "https://lms,example", "https://lms$.example", "https://lms*.example", "https://*.example", "https://lms'.example", "https://lms!x.example", "https://lms(x).example",
		"https://<lms>.example", "https://\"lms\".example", "https://lms|x.example", "https://lms^x.example", "https://lms`x.example", "https://{lms}.example",
	} {
		if got, err := Origin(uri); err == nil {
			t.Errorf("Origin(%q) = %q", uri, got)
		}
	}
}
