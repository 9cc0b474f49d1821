// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"strings"
	"testing"
)

// REQ-176
func TestParseLinks(t *testing.T) {
	for _, test := range []struct {
		headers []string
		next    string
		ok      bool
	}{
		{nil, "", true},
		{[]string{`<https://h/a?page=2>; rel="next"`}, "https://h/a?page=2", true},
		{[]string{`<https://h/A?Page=2>;REL=NEXT`}, "https://h/A?Page=2", true},
		{[]string{`<https://h/1>; rel="first", <https://h/2>; rel="next", <https://h/3>; rel="last"`}, "https://h/2", true},
		{[]string{`<https://h/1>; rel="first"`, `<https://h/2>; rel="next"`}, "https://h/2", true},
		{[]string{`<https://h/2>; title="a, b; rel=\"prev\""; rel="prev next"`}, "https://h/2", true},
		{[]string{`<https://h/x?ids=1,2;3>; rel=next`}, "https://h/x?ids=1,2;3", true},
		{[]string{"<https://h/l?limit=2&amp;from=2>; rel=\u201cnext\u201d, <https://h/l?limit=2&amp;from=0>; rel=\u201cfirst\u201d"}, "https://h/l?limit=2&from=2", true},
		{[]string{"<https://h/l>; rel=\u201dnext\u201d"}, "https://h/l", true},
		{[]string{`<?page=2>;rel="next"`}, "?page=2", true},
		{[]string{`<https://h/2>;rel="prev";rel="next"`}, "", true},
		{[]string{`<https://h/2>; rel="next-archive"`}, "", true},
		{[]string{`<https://h/2>; rel="next"; anchor="https://h/other"`}, "", true},
		{[]string{`<https://h/9>; anchor="#x"; rel="next", <https://h/2>; rel="next"`}, "https://h/2", true},
		{[]string{`<https://h/2>; x; rel=next;`}, "https://h/2", true},
		{[]string{`,, <https://h/2> ; rel = next ,,`}, "https://h/2", true},
		{[]string{`https://h/2; rel="next"`}, "", false},
		{[]string{`<https://h/2; rel="next"`}, "", false},
		{[]string{`<https://h/2>; rel="next`}, "", false},
		{[]string{`<https://h/2> rel="next"`}, "", false},
		{[]string{`<https://h/2>; rel="next`, `<https://h/3>; rel="next"`}, "https://h/3", false},
	} {
		links, ok := parseLinks(http.Header{"Link": test.headers})
		next, count := targetOf(links, "next")
		if next != test.next || ok != test.ok || count > 1 || (count == 1) != (test.next != "") {
			t.Errorf("%q: %d next pages, %q (whole %t), want %q (whole %t)", test.headers, count, next, ok, test.next, test.ok)
		}
	}
	links, _ := parseLinks(http.Header{"Link": {`<https://h/2>; rel=next, <https://h/3>; rel=next`}})
	if _, count := targetOf(links, "next"); count != 2 {
		t.Errorf("%d next pages, want 2", count)
	}
	links, _ = parseLinks(http.Header{"Link": {`<https://h/2>; rel=next, <https://h/2>; rel="next"`}})
	if next, count := targetOf(links, "next"); count != 1 || next != "https://h/2" {
		t.Errorf("the same next page twice: %q, %d", next, count)
	}
	links, _ = parseLinks(http.Header{"Link": {`<>; rel=next`}})
	if next, count := targetOf(links, "next"); count != 1 || next != "" {
		t.Errorf("an empty target: %q, %d", next, count)
	}
}

// FuzzParseLinks checks that the parser ends, invents nothing, and finds a well-formed link after anything well-formed.
func FuzzParseLinks(f *testing.F) {
	for _, seed := range []string{`<a>; rel="next"`, "<a>; rel=\u201cnext\u201d", `<a>;x="\"`, `<`, `<>,`, `<a>;;;=`, `<a>; rel=`, "\u201c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		links, ok := parseLinks(http.Header{"Link": {text}})
		for _, l := range links {
			if !strings.Contains(strings.ReplaceAll(text, "&amp;", "&"), l.target) {
				t.Errorf("%q: target %q is not in it", text, l.target)
			}
		}
		if ok {
			more, stillOK := parseLinks(http.Header{"Link": {text + `, <fuzz:next>; rel="fuzz"`}})
			if target, _ := targetOf(more, "fuzz"); !stillOK || len(more) != len(links)+1 || target != "fuzz:next" {
				t.Errorf("%q: a link after it was not found", text)
			}
		}
	})
}
