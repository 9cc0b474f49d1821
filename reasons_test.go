// SPDX-License-Identifier: Apache-2.0

package ltisidecar_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// A documentedReason is one reason as a text describes it.
type documentedReason struct {
	name, code, summary, fix string
	metadata                 []string
}

// TestReasonsAgree holds the three places that list the reasons to each other: lti.Reasons, the ErrorReason enum with
// its comments, and docs/errors.md. All have the same reasons in the same order, with the same words.
//
// REQ-249
func TestReasonsAgree(t *testing.T) {
	var want []documentedReason
	for _, info := range lti.Reasons() {
		want = append(want, documentedReason{
			name: string(info.Reason), code: code.Code(info.Code).String(),
			summary: info.Summary, fix: info.Fix, metadata: info.Metadata,
		})
	}
	if len(want) == 0 {
		t.Fatal("lti.Reasons is empty")
	}

	t.Run("names", func(t *testing.T) {
		seen := map[string]bool{}
		for _, r := range want {
			if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*[A-Z0-9]$`).MatchString(r.name) || len(r.name) > 63 {
				t.Errorf("%s is not a reason's name (AIP-193)", r.name)
			}
			if seen[r.name] {
				t.Errorf("%s is listed twice", r.name)
			}
			seen[r.name] = true
			if r.summary == "" || r.fix == "" {
				t.Errorf("%s lacks a summary or a fix", r.name)
			}
		}
	})
	t.Run("generated enum", func(t *testing.T) {
		if got := ltisidecarv1.ErrorReason_name[0]; got != "ERROR_REASON_UNSPECIFIED" {
			t.Errorf("value 0 is %q", got)
		}
		if got := len(ltisidecarv1.ErrorReason_name) - 1; got != len(want) {
			t.Errorf("%d values besides the unspecified one, want %d", got, len(want))
		}
		for _, r := range want {
			if _, ok := ltisidecarv1.ErrorReason_value["ERROR_REASON_"+r.name]; !ok {
				t.Errorf("%s is missing", r.name)
			}
		}
	})
	t.Run("error_reason.proto", func(t *testing.T) {
		got := reasonsOfProto(t, readFile(t, "proto/ltisidecar/v1/error_reason.proto"))
		for i := range got {
			got[i].fix = fixOf(want, got[i].name) // the proto leaves it to the documentation
		}
		compareReasons(t, got, want)
	})
	t.Run("docs/errors.md", func(t *testing.T) {
		text := readFile(t, "docs/errors.md")
		compareReasons(t, reasonsOfDocs(t, text), want)
		for _, r := range want {
			if !strings.Contains(text, "\n| "+r.code+" | ") {
				t.Errorf("the table of codes lacks %s", r.code)
			}
		}
		for name, parts := range partsOfDocs(t, text) {
			checkSentence(t, name, parts["The user sees"])
		}
	})
}

// checkSentence holds what the page says that the user sees to the page that the user gets. A refused launch always has
// such a page.
func checkSentence(t *testing.T, name, text string) {
	t.Helper()
	refusal := &lti.Error{Reason: lti.Reason(name)}
	sentence, quoted := strings.CutPrefix(text, `"`)
	sentence, ended := strings.CutSuffix(sentence, `"`)
	if !quoted || !ended {
		if refusal.Reason.Info().Code == lti.CodePermissionDenied {
			t.Errorf("%s: what the user sees is not quoted", name)
		}
		return
	}
	if page := launch.RefusalReply(refusal, "id", "", "").Body; !strings.Contains(page, "<p>"+sentence+"</p>") {
		t.Errorf("%s: the user does not see %q:\n%s", name, sentence, page)
	}
}

// reasonsOfProto reads the values of the enum with their comments: "Summary Code CODE. Metadata: a, b."
func reasonsOfProto(t *testing.T, text string) []documentedReason {
	t.Helper()
	var found []documentedReason
	value := regexp.MustCompile(`(?m)^  // (.+)\n  ERROR_REASON_([A-Z0-9_]+) = [1-9][0-9]*;$`)
	comment := regexp.MustCompile(`^(.+) Code ([A-Z_]+)\.(?: Metadata: ([a-z_, ]+)\.)?$`)
	for _, m := range value.FindAllStringSubmatch(text, -1) {
		c := comment.FindStringSubmatch(m[1])
		if c == nil {
			t.Errorf("%s: comment %q is not of the form `Summary Code CODE. Metadata: a, b.`", m[2], m[1])
			continue
		}
		found = append(found, documentedReason{name: m[2], summary: c[1], code: c[2], metadata: list(c[3])})
	}
	return found
}

// docsBegin is how a section begins: code and metadata, summary, fix.
var docsBegin = regexp.MustCompile(`^Code ([A-Z_]+)\.(?: Metadata: ([a-z_, ]+)\.)?\n\n(.+)\n\n\*\*Fix:\*\* (.+)\n\n`)

// reasonsOfDocs reads the sections of the page.
func reasonsOfDocs(t *testing.T, text string) []documentedReason {
	t.Helper()
	var found []documentedReason
	for _, section := range strings.Split(text, "\n## ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		m := docsBegin.FindStringSubmatch(strings.TrimSpace(rest))
		if m == nil {
			t.Errorf("%s: its section does not begin with code and metadata, summary, fix", name)
			continue
		}
		found = append(found, documentedReason{name: name, code: m[1], metadata: list(m[2]), summary: m[3], fix: m[4]})
	}
	return found
}

// partsOfDocs reads the labelled parts that follow the fix, by reason and label. Each section has all of them, in this
// order, none empty; only what to do at the platform may be missing, because it is written where it is known.
func partsOfDocs(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	const optional = "At the platform"
	labels := []string{"What happened", "Confirm", optional, "Operator", "Developer", "The user sees"}
	label := regexp.MustCompile(`(?m)^\*\*([^*]+):\*\*\s+`)
	found := map[string]map[string]string{}
	for _, section := range strings.Split(text, "\n## ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		begin := docsBegin.FindString(strings.TrimSpace(rest))
		body := strings.TrimPrefix(strings.TrimSpace(rest), begin)
		parts := map[string]string{}
		var order []string
		places := label.FindAllStringSubmatchIndex(body, -1)
		for i, place := range places {
			end := len(body)
			if i+1 < len(places) {
				end = places[i+1][0]
			}
			part := body[place[2]:place[3]]
			parts[part] = strings.Join(strings.Fields(body[place[1]:end]), " ")
			order = append(order, part)
			if len(parts[part]) < len("Nothing.") {
				t.Errorf("%s: %s says nothing", name, part)
			}
		}
		want := labels
		if _, ok := parts[optional]; !ok {
			want = slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == optional })
		}
		if !slices.Equal(order, want) {
			t.Errorf("%s: its parts are %q, want %q", name, order, want)
		}
		found[name] = parts
	}
	return found
}

func compareReasons(t *testing.T, got, want []documentedReason) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w documentedReason
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if a, b := fmt.Sprintf("%q", g), fmt.Sprintf("%q", w); a != b {
			t.Errorf("reason %d:\n got %s\nwant %s", i+1, a, b)
		}
	}
}

func fixOf(reasons []documentedReason, name string) string {
	if i := slices.IndexFunc(reasons, func(r documentedReason) bool { return r.name == name }); i >= 0 {
		return reasons[i].fix
	}
	return ""
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ", ")
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
