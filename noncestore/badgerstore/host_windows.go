// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

func readBootID() (string, error) { return "", errors.ErrUnsupported }

func readBootTime() (time.Duration, error) { return 0, errors.ErrUnsupported }

func readFree(directory string) (room, error) {
	path, err := windows.UTF16PtrFromString(directory)
	if err != nil {
		return room{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return room{}, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: directory, Err: err}
	}
	return room{bytes: free, files: math.MaxUint64}, nil
}

func isTmpfs(string) bool { return false }

func defaultSealDirectories() []string { return nil }
