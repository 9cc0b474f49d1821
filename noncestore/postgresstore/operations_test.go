// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"os"
	"strings"
	"testing"
)

// What the page tells operators to grant is what is tested.
func TestOperationsPageHasTheRights(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), grants) {
		t.Errorf("docs/operations.md does not have the GRANTs:\n%s", grants)
	}
}
