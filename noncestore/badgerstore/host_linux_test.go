// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

func TestDefaultSealDirectories(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	got := defaultSealDirectories()
	want := []string{"/run/a", "/run/user/7/ltisidecar", "/run/ltisidecar", fmt.Sprintf("/dev/shm/ltisidecar-%d", os.Geteuid())}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv("RUNTIME_DIRECTORY", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	if got := defaultSealDirectories(); !slices.Equal(got, want[2:]) {
		t.Errorf("%q, want %q", got, want[2:])
	}
}
