// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A drill with a small course holds; one whose limit is nothing fails, so that the drill can fail at all.
func TestDrill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sidecar")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/sidecar").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	var report strings.Builder
	if err := run(t.Context(), &report, binary, 3000, maxGrowth); err != nil {
		t.Error(err)
	}
	t.Log("\n" + report.String())
	if lines := strings.Count(report.String(), "\n"); lines != 1+len(drills) {
		t.Errorf("%d lines", lines)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if err := run(t.Context(), &report, binary, 3000, 0); err == nil || !strings.Contains(err.Error(), "the sidecar grew by") {
		t.Errorf("without room to grow: %v", err)
	}
}
