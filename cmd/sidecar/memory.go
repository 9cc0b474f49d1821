// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// What the garbage collector is told. A launch leaves some 30 KB behind and the rest of the heap is small: with the
// default of 100 it would run a hundred times a second under load. The limit is for what the Go runtime holds; Badger's
// files, which are mapped, and the stacks of the kernel come on top.
const (
	collectAt   = 400 // percent of what was in use after the last collection
	limitShare  = 0.75
	limitNoLess = 32 << 20 // bytes
)

// tuneMemory sets up the garbage collector, unless the environment does (GOGC, GOMEMLIMIT).
func tuneMemory(logger *slog.Logger, root fs.FS) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if allowed, ok := memoryLimit(root); ok && os.Getenv("GOMEMLIMIT") == "" {
		limit := max(int64(float64(allowed)*limitShare), limitNoLess)
		debug.SetMemoryLimit(limit)
		logger.Info("memory limit of the control group", "group_bytes", allowed, "limit_bytes", limit)
	}
}

// memoryLimit returns the least memory limit of the control group of this process and those above it, in bytes, and
// false where there is none. root is the root of the file system.
func memoryLimit(root fs.FS) (int64, bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false // no Linux, or none of its groups
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		// hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		switch {
		case controllers == "":
			least = min(least, leastOf(root, "sys/fs/cgroup", group, "memory.max"))
		case strings.Contains(","+controllers+",", ",memory,"):
			least = min(least, leastOf(root, "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
	}
	// Version 1 writes "none" as the largest number of pages.
	return least, least < 1<<60
}

// leastOf returns the least limit from a group up to the root of its hierarchy. In a container the path can be the
// host's, of which only the root is seen; then that counts.
func leastOf(root fs.FS, mount, group, file string) int64 {
	least := int64(math.MaxInt64)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		text, err := fs.ReadFile(root, path.Join(mount, group, file))
		if err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
				least = min(least, limit)
			}
		}
		if group == "/" {
			return least
		}
	}
}
