// SPDX-License-Identifier: Apache-2.0

// Mutants shows that the tests bite: it removes or inverts one check at a time and runs the tests of its package. A
// mutant that no test notices has survived. The tree is not touched: the compiler gets the changed file as an overlay.
//
//	go run ./scripts/mutants [-only EXPRESSION] [-markdown FILE]
//
// -only runs the mutants whose name matches a regular expression.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A mutant is one defect: in file, the one occurrence of old becomes new.
type mutant struct {
	name, file, old, new string
	first                string // regular expression of the tests that run first; empty: all at once
}

// testTimeout ends tests that a mutant keeps from ending, which counts as noticed.
const testTimeout = 2 * time.Minute

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

func main() {
	only := flag.String("only", "", "run the mutants whose name matches this regular expression")
	markdown := flag.String("markdown", "", "write the outcome to this file as well")
	flag.Parse()
	if err := run(*only, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only, markdown string) error {
	selected, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return errors.New("run it in the root of the repository")
	}
	directory, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)

	// All replacements are checked before the first test runs: a list that no longer fits is a defect of the list.
	var chosen []mutant
	var changed []string
	var misfits []error
	for _, m := range mutants {
		if !selected.MatchString(m.name) {
			continue
		}
		text, err := m.apply(root)
		if err != nil {
			misfits = append(misfits, err)
			continue
		}
		chosen, changed = append(chosen, m), append(changed, text)
	}
	if err := errors.Join(misfits...); err != nil {
		return err
	}
	outcomes := map[string]string{} // by the mutant's name
	killed := 0
	for i, m := range chosen {
		started := time.Now()
		by, err := m.test(root, directory, changed[i])
		outcome := "SURVIVED"
		if err != nil {
			outcome, by = "UNUSABLE", err.Error()
		} else if by != "" {
			outcome, outcomes[m.name] = "killed", by
			killed++
		}
		fmt.Printf("%-8s  %-68s %4.1fs  %s\n", outcome, m.name, time.Since(started).Seconds(), by)
	}
	if markdown != "" {
		if err := writeMarkdown(markdown, chosen, outcomes); err != nil {
			return err
		}
	}
	fmt.Printf("mutants: %d of %d killed\n", killed, len(chosen))
	if killed != len(chosen) || killed == 0 {
		return errors.New("a mutant survived: add the test that it calls for")
	}
	return nil
}

var markdownRow = regexp.MustCompile("(?m)^\\| (.+) \\| `.+` \\| (.+) \\|$")

// writeMarkdown writes the table of all mutants. Rows of mutants that did not run now stay as they are in the file.
func writeMarkdown(file string, chosen []mutant, outcomes map[string]string) error {
	earlier := map[string]string{}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, row := range markdownRow.FindAllStringSubmatch(string(text), -1) {
		earlier[row[1]] = row[2]
	}
	for _, m := range chosen {
		delete(earlier, m.name)
	}
	var table strings.Builder
	killed := 0
	for _, m := range mutants {
		by := outcomes[m.name]
		if by == "" {
			by = earlier[m.name]
		}
		if by == "" || by == "nothing" {
			by = "nothing"
		} else {
			killed++
		}
		fmt.Fprintf(&table, "| %s | `%s` | %s |\n", m.name, m.file, by)
	}
	page := fmt.Sprintf("# Mutants\n\nEach row is one check that was removed or inverted, alone, and the test that failed then. `make mutants` writes this\n"+
		"page; the list is in `scripts/mutants/list.go`.\n\n`mutants: %d of %d killed`\n\n| Mutant | File | Killed by |\n|---|---|---|\n%s",
		killed, len(mutants), table.String())
	return os.WriteFile(file, []byte(page), 0o644)
}

// apply returns the text of the file with the defect.
func (m *mutant) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if count := strings.Count(string(text), m.old); count != 1 {
		return "", fmt.Errorf("%s: %s has this text %d times, not once: %q", m.name, m.file, count, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// test builds the package's tests with the defect and runs them. It returns the name of the test that failed, or "".
func (m *mutant) test(root, directory, text string) (string, error) {
	file, overlay, binary := filepath.Join(directory, "mutant.go"), filepath.Join(directory, "overlay.json"), filepath.Join(directory, "mutant.test")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): file}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./"+filepath.Dir(m.file))
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile, so it proves nothing: %s", output)
	}
	patterns := []string{m.first, "."}
	if m.first == "" {
		patterns = patterns[1:]
	}
	for _, pattern := range patterns {
		if by, err := runTests(binary, filepath.Join(root, filepath.Dir(m.file)), pattern); by != "" || err != nil {
			return by, err
		}
	}
	return "", nil
}

func runTests(binary, directory, pattern string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	tests := exec.CommandContext(ctx, binary, "-test.run", pattern, "-test.short", "-test.failfast")
	tests.Dir = directory
	output, err := tests.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "tests that no longer end", nil
	case !errors.As(err, &exit):
		return "", err
	}
	// The innermost test is printed last among those of one failure, and says most.
	if names := failedTest.FindAllStringSubmatch(string(output), -1); names != nil {
		longest := names[0][1]
		for _, name := range names {
			if strings.HasPrefix(name[1], longest) {
				longest = name[1]
			}
		}
		return longest, nil
	}
	if strings.Contains(string(output), "panic:") {
		return "a panic", nil
	}
	return "", fmt.Errorf("the tests ended with %v and named no test:\n%s", err, output)
}
