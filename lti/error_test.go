// SPDX-License-Identifier: Apache-2.0

package lti_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ltisidecar/ltisidecar/lti"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	for _, test := range []struct {
		err  *lti.Error
		want string
	}{
		{&lti.Error{Reason: lti.ReasonInternal}, "INTERNAL: A defect of the sidecar."},
		{lti.Errorf(lti.ReasonStateForged, "It is %s.", "odd"), "STATE_FORGED: It is odd."},
		{&lti.Error{Reason: lti.ReasonStoreUnavailable, Message: "No store.", Cause: cause}, "STORE_UNAVAILABLE: No store. (disk full)"},
		{lti.FieldError("scopes[1]", "it has %d blanks", 2), "REQUEST_INVALID: scopes[1]: it has 2 blanks"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("Error() = %q, want %q", got, test.want)
		}
	}
	wrapped := fmt.Errorf("outer: %w", &lti.Error{Reason: lti.ReasonCanceled, Cause: cause})
	if lti.ReasonOf(wrapped) != lti.ReasonCanceled || !errors.Is(wrapped, cause) {
		t.Error("the chain is broken")
	}
	if lti.ReasonOf(cause) != "" || lti.ReasonOf(nil) != "" {
		t.Error("a reason where there is none")
	}
	if field := lti.FieldError("launch_uri", "x").Metadata["field"]; field != "launch_uri" {
		t.Errorf("field = %q", field)
	}
}

func TestWithCopies(t *testing.T) {
	t.Parallel()
	base := lti.Errorf(lti.ReasonCanceled, "m").With("a", "1")
	left, right := base.With("b", "2"), base.With("b", "3")
	if len(base.Metadata) != 1 || left.Metadata["b"] != "2" || right.Metadata["b"] != "3" || left.Metadata["a"] != "1" {
		t.Errorf("base %v, left %v, right %v", base.Metadata, left.Metadata, right.Metadata)
	}
	if again := base.With("a", "9"); base.Metadata["a"] != "1" || again.Metadata["a"] != "9" {
		t.Error("the pair of another error was changed")
	}
	if empty := base.With("c", ""); len(empty.Metadata) != 1 {
		t.Errorf("an empty value was added: %v", empty.Metadata)
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{`say "hi"`, `say "hi"`},
		{`back\slash`, `back\\slash`},
		{`\"`, `\\"`},
		{"a\nb\tc\r\x00\x7f", `a\nb\tc\r\x00\x7f`},
		{"Å und 日本", "Å und 日本"},
		{"bad \xff\xfe", `bad \xff\xfe`},
		{"a\u202eb\u2028c\u200bd", `a\u202eb\u2028c\u200bd`},
		{"\x1b[31mred", `\x1b[31mred`},
		{strings.Repeat("x", 200), strings.Repeat("x", 200)},
		{strings.Repeat("x", 201), strings.Repeat("x", 200) + "..."},
		{strings.Repeat("x", 199) + "é", strings.Repeat("x", 199) + `\xc3...`},
	} {
		if got := lti.Excerpt(test.text); got != test.want {
			t.Errorf("Excerpt(%q) = %q, want %q", test.text, got, test.want)
		}
	}
	if got := lti.Excerpt(strings.Repeat("\xff", 1<<20)); len(got) > 4*200+3 || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestReasonRows(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	seen := map[lti.Reason]bool{}
	for _, row := range lti.Reasons() {
		if seen[row.Reason] || !name.MatchString(string(row.Reason)) || len(row.Reason) > 63 {
			t.Errorf("%q: twice, or no name", row.Reason)
		}
		seen[row.Reason] = true
		if !strings.HasSuffix(row.Summary, ".") || !strings.HasSuffix(row.Fix, ".") {
			t.Errorf("%s: summary and fix are sentences", row.Reason)
		}
		if got := row.Reason.Info(); got.Summary != row.Summary || got.Code != row.Code {
			t.Errorf("%s: Info answers another row", row.Reason)
		}
	}
	if got := lti.Reason("NONE_SUCH").Info().Reason; got != lti.ReasonInternal {
		t.Errorf("an unknown reason is %s", got)
	}
}
