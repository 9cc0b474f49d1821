// SPDX-License-Identifier: Apache-2.0

// Package docs holds the pages that the sidecar can print: they are part of the binary, so that they fit its version.
package docs

import (
	_ "embed"
	"strings"
)

//go:embed errors.md
var errorsPage string

// ErrorSection returns the section of docs/errors.md about a reason, in Markdown and without its heading, and false
// where there is none.
func ErrorSection(reason string) (string, bool) {
	_, rest, found := strings.Cut(errorsPage, "\n## "+reason+"\n")
	if !found || reason == "" || strings.Contains(reason, "\n") {
		return "", false
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return strings.TrimSpace(section), true
}
