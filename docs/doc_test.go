// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/docs"
	"github.com/ltisidecar/ltisidecar/lti"
)

// TestSections puts the page together again from its sections.
func TestSections(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("errors.md")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(page), "\n## ")
	var again strings.Builder
	again.WriteString(head)
	for _, info := range lti.Reasons() {
		section, ok := docs.ErrorSection(string(info.Reason))
		if !ok {
			t.Errorf("no section %s", info.Reason)
		}
		again.WriteString("\n## " + string(info.Reason) + "\n\n" + section + "\n")
	}
	if again.String() != string(page) {
		t.Error("the sections do not make the page")
	}
	for _, name := range []string{"", "KID", "kid_unknown", "KID_UNKNOWN\n", "Errors"} {
		if section, ok := docs.ErrorSection(name); ok {
			t.Errorf("%q: %.40q", name, section)
		}
	}
}
