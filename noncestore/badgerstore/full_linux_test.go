// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A runaway writer fills the disk at 100 MB a second, again and again, while redemptions go on at full speed. Badger's
// memory maps must not end the process.
func TestDiskFilledByOthers(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=384m"); err != nil {
		t.Skipf("SKIPPED: no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), fullOrders+"="+filepath.Join(disk, "store"))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill() }() // it has ended, if all is well
	lines := json.NewDecoder(output)
	await := func(want string) {
		t.Helper()
		for got := ""; got != want; {
			if err := lines.Decode(&got); err != nil {
				t.Fatalf("the process ended (%v): %v", err, command.Wait())
			}
		}
	}
	filler := filepath.Join(disk, "filler")
	for range 3 {
		await("accepted")
		fill(t, filler)
		await("full")
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	await("accepted")
	if err := errors.Join(input.Close(), command.Wait()); err != nil {
		t.Error(err)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	chunk := make([]byte, 1<<20)
	for range time.Tick(10 * time.Millisecond) {
		if _, err := file.Write(chunk); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
