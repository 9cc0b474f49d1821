// SPDX-License-Identifier: Apache-2.0

package boltstore

import "golang.org/x/sys/windows"

// freeSpace returns how many bytes of the disk that a directory is on may still be written.
func freeSpace(directory string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(directory)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
