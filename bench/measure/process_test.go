// SPDX-License-Identifier: Apache-2.0

//go:build linux

package measure

import (
	"os"
	"testing"
)

func TestMemory(t *testing.T) {
	m, err := parseMemory([]byte("Name:\tsidecar\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nRssAnon:\t    4096 kB\nThreads:\t9\n"))
	if err != nil || m != (Memory{Resident: 10 << 20, Anonymous: 4 << 20, Peak: 20 << 20}) {
		t.Errorf("%+v, %v", m, err)
	}
	for _, text := range []string{"", "VmRSS:\t1 kB\n", "VmRSS:\tmany kB\nVmHWM:\t1 kB\n"} {
		if m, err := parseMemory([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, m)
		}
	}
	if m, err := MemoryOf(os.Getpid()); err != nil || m.Resident <= 0 || m.Peak < m.Resident {
		t.Errorf("our own: %+v, %v", m, err)
	}
}

// TestCPU holds the clock of a process to what the process says of itself, between two readings of that.
func TestCPU(t *testing.T) {
	verification, err := NewVerification()
	if err != nil {
		t.Fatal(err)
	}
	if cost, err := verification.Cost(100); err != nil || cost <= 0 {
		t.Fatalf("a verification takes %s, %v", cost, err)
	}
	before, err := OwnCPU()
	if err != nil {
		t.Fatal(err)
	}
	during, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// getrusage may lag behind the clock by what the running threads have not been charged with yet.
	if during < before {
		t.Errorf("the clock says %s, and getrusage before said %s", during, before)
	}
	if _, err := CPU(1 << 22); err == nil {
		t.Error("a process that cannot be has a CPU clock")
	}
}
