// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock of a file, or returns errHeld. It locks one byte far behind the process id, which others may
// then still read.
func tryLock(file *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errHeld
	}
	return err
}

// ours is never asked on Windows, which has no tmpfs.
func ours(fs.FileInfo) error { return errors.ErrUnsupported }
