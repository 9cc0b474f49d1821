// SPDX-License-Identifier: Apache-2.0

//go:build linux

package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the CPU time, user and system, that a process has used: from the process's own clock, which counts
// nanoseconds where /proc/PID/stat counts hundredths of a second.
func CPU(pid int) (time.Duration, error) {
	var at unix.Timespec
	// The clock's id is made as clock_getcpuclockid(3) makes it: of all threads, by the scheduler's count.
	if err := unix.ClockGettime(int32(^pid)<<3|2, &at); err != nil {
		return 0, fmt.Errorf("measure: CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// Memory is what a process has in memory, in bytes.
type Memory struct {
	Resident  int64 // now
	Anonymous int64 // the part of it that is not pages of files, which the system takes back when it needs them
	Peak      int64 // resident at most, since the start
}

// MemoryOf returns the memory of a process, by /proc/PID/status.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("measure: %w", err)
	}
	return parseMemory(text)
}

func parseMemory(status []byte) (Memory, error) {
	var m Memory
	for line := range bytes.Lines(status) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		var target *int64
		switch string(name) {
		case "VmRSS":
			target = &m.Resident
		case "RssAnon":
			target = &m.Anonymous
		case "VmHWM":
			target = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("measure: %s of /proc/PID/status: %w", name, err)
		}
		*target = kib << 10
	}
	if m.Resident == 0 || m.Peak == 0 {
		return Memory{}, fmt.Errorf("measure: /proc/PID/status has no VmRSS or no VmHWM")
	}
	return m, nil
}
