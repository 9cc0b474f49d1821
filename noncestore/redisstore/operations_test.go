// SPDX-License-Identifier: Apache-2.0

package redisstore

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
	if !strings.Contains(string(page), aclRule) {
		t.Errorf("docs/operations.md does not have the ACL rule:\n%s", aclRule)
	}
}
