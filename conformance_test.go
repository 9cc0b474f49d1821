// SPDX-License-Identifier: Apache-2.0

package ltisidecar_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

var update = flag.Bool("update", false, "write docs/conformance.md again")

// requirements is docs/requirements.yaml.
type requirements struct {
	Sections []struct {
		Title        string `yaml:"title"`
		Requirements []struct {
			ID     string `yaml:"id"`
			Level  string `yaml:"level"`
			Source string `yaml:"source"`
			Text   string `yaml:"text"`
			Reason string `yaml:"reason"` // why no test proves it
		} `yaml:"requirements"`
	} `yaml:"sections"`
}

var (
	requirementID = regexp.MustCompile(`^REQ-[0-9]{3}$`)
	testMarker    = regexp.MustCompile(`^(\t*)// (REQ-[0-9]{3}(?: REQ-[0-9]{3})*)$`)
	testFunction  = regexp.MustCompile(`^func ((?:Test|Fuzz)\w+)\(`)
)

// proofs finds the tests of each requirement: golden launches and Go tests.
func proofs(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	add := func(ids, test string) {
		for _, id := range strings.Fields(ids) {
			if !requirementID.MatchString(id) {
				t.Errorf("%s: %q is not a requirement's number", test, id)
			}
			found[id] = append(found[id], test)
		}
	}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case strings.HasPrefix(path, "testdata/launches/") && strings.HasSuffix(path, ".txt"):
			facts, _, _ := strings.Cut(readFile(t, path), "\n\n")
			for line := range strings.SplitSeq(facts, "\n") {
				if ids, ok := strings.CutPrefix(line, "requirements: "); ok {
					add(ids, "`"+strings.TrimSuffix(entry.Name(), ".txt")+"`")
				}
			}
		case strings.HasSuffix(path, "_test.go"):
			markersOf(t, path, add)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// markersOf reads the markers of a Go file: one inside a function belongs to it, one outside to the next.
func markersOf(t *testing.T, path string, add func(ids, test string)) {
	t.Helper()
	function, waiting := "", ""
	lines := bufio.NewScanner(strings.NewReader(readFile(t, path)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := testFunction.FindStringSubmatch(lines.Text()); m != nil {
			function = strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path))+"."+m[1], "..")
			add(waiting, function)
			waiting = ""
		} else if m := testMarker.FindStringSubmatch(lines.Text()); m != nil && m[1] != "" {
			add(m[2], function)
		} else if m != nil {
			waiting += " " + m[2]
		}
	}
	if err := lines.Err(); err != nil || waiting != "" {
		t.Errorf("%s: markers of no test: %q (%v)", path, waiting, err)
	}
}

// TestConformance holds docs/requirements.yaml, the tests and docs/conformance.md to each other.
func TestConformance(t *testing.T) {
	var list requirements
	if err := yaml.UnmarshalWithOptions([]byte(readFile(t, "docs/requirements.yaml")), &list, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	found := proofs(t)
	const file = "docs/conformance.md"
	var page bytes.Buffer
	page.WriteString("# Conformance\n\nWhat the sidecar is held to on the launch side, and what proves it: golden launches of testdata/launches, and Go\ntests. " +
		"docs/requirements.yaml explains the sources. Written by `go test . -run TestConformance -update`.\n")
	last, total, proved := "", 0, 0
	known := map[string]bool{}
	for _, section := range list.Sections {
		fmt.Fprintf(&page, "\n## %s\n\n| Number | Level | Source | Requirement | Proved by |\n|---|---|---|---|---|\n", section.Title)
		for _, r := range section.Requirements {
			switch {
			case !requirementID.MatchString(r.ID) || r.ID <= last:
				t.Errorf("%s: the numbers do not rise", r.ID)
			case !slices.Contains([]string{"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "project"}, r.Level) || r.Text == "" || r.Level != "project" && r.Source == "":
				t.Errorf("%s: level, source or text is missing", r.ID)
			case len(found[r.ID]) == 0 && r.Reason == "":
				t.Errorf("%s has neither a test nor a reason why not", r.ID)
			}
			last, known[r.ID] = r.ID, true
			total++
			by := r.Reason
			if tests := found[r.ID]; len(tests) > 0 {
				proved++
				by = strings.Join(tests[:min(3, len(tests))], ", ")
				if len(tests) > 3 {
					by += fmt.Sprintf(" and %d more", len(tests)-3)
				}
			} else {
				by = "No test. " + by
			}
			fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", r.ID, r.Level, r.Source, r.Text, by)
		}
	}
	for id := range found {
		if !known[id] {
			t.Errorf("%s is proved by %s, but is not in docs/requirements.yaml", id, found[id][0])
		}
	}
	fmt.Fprintf(&page, "\n%d requirements, %d proved by tests, %d with a reason why not.\n", total, proved, total-proved)
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readFile(t, file); got != page.String() {
		t.Errorf("%s is stale: go test . -run TestConformance -update", file)
	}
}
