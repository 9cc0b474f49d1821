// SPDX-License-Identifier: Apache-2.0

//go:build unix

package boltstore

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes of the file system that a directory is on may still be written.
func freeSpace(directory string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(directory, &stat); err != nil {
		return 0, err
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), nil
}
