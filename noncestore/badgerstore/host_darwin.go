// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func readBootID() (string, error) { return "", errors.ErrUnsupported }

func readBootTime() (time.Duration, error) { return 0, errors.ErrUnsupported }

func readFree(directory string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(directory, &s); err != nil {
		return room{}, &os.PathError{Op: "statfs", Path: directory, Err: err}
	}
	files := uint64(math.MaxUint64)
	if s.Files > 0 {
		files = s.Ffree
	}
	return room{bytes: s.Bavail * uint64(s.Bsize), files: files}, nil
}

func isTmpfs(string) bool { return false }

func defaultSealDirectories() []string { return nil }
