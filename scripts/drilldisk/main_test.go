// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A short drill holds; one that must recover in no time fails, so that the drill can fail at all.
func TestDrill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sidecar")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/sidecar").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	var report strings.Builder
	err := run(t.Context(), &report, binary, 1, time.Nanosecond)
	if errors.Is(err, errSkipped) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "launches taken") {
		t.Errorf("without time to recover: %v", err)
	}
	report.Reset()
	if err := run(t.Context(), &report, binary, len(fillers), recoveryTime); err != nil {
		t.Error(err)
	}
	t.Log("\n" + report.String())
}
