// SPDX-License-Identifier: Apache-2.0

package keystore_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/keystore"
)

func TestReadSecretFile(t *testing.T) {
	directory := t.TempDir()
	for content, want := range map[string]string{"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret", " s3 \n\n": " s3 \n", "\n": "", "": ""} {
		path := filepath.Join(directory, "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := keystore.ReadSecretFile(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v; want %q", content, got, err, want)
		}
	}
	path := filepath.Join(directory, "open")
	if err := os.WriteFile(path, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(directory, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.ReadSecretFile(link); err == nil {
		t.Error("a symbolic link is accepted")
	}
	if _, err := keystore.ReadSecretFile(filepath.Join(directory, "missing")); err == nil {
		t.Error("a missing file is accepted")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.ReadSecretFile(path); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a file that others can read: %v", err)
	}
}
