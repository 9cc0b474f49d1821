// SPDX-License-Identifier: Apache-2.0

//go:build unix && !solaris && !aix

package keystore

import (
	"fmt"
	"os"
	"syscall"
)

// openFlags keep a link or a pipe that was put in place of a checked file from being followed or waited for.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// checkPrivate refuses what another user owns or can read.
func checkPrivate(path string, info os.FileInfo, mode string) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %04o): run `chmod %s %s`", path, info.Mode().Perm(), mode, path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() && stat.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d, not to the sidecar's user %d: run `chown %d %s`", path, stat.Uid, os.Geteuid(), os.Geteuid(), path)
	}
	return nil
}

// lockFile waits for an exclusive lock, which ends when the file is closed.
func lockFile(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }

// syncDirectory makes the names in a directory durable.
func syncDirectory(directory *os.File) error { return directory.Sync() }
