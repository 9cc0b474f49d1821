// SPDX-License-Identifier: Apache-2.0

package ltisidecar_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAttacksAreWhereTheyAreSaidToBe holds docs/attacks.md to the tests: each function that it names is there.
func TestAttacksAreWhereTheyAreSaidToBe(t *testing.T) {
	names := regexp.MustCompile(`\b(?:Test[A-Z]\w*|\w+Vectors)\b`).FindAllString(readFile(t, "docs/attacks.md"), -1)
	if len(names) < 30 {
		t.Fatalf("only %d names: %q", len(names), names)
	}
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		tests.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^func (?:\(.*\) )?` + name + `\(`).MatchString(tests.String()) {
			t.Errorf("there is no function %s", name)
		}
	}
}
