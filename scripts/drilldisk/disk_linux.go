// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mount mounts a small tmpfs.
func mount(directory string) error {
	err := unix.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d,mode=0700", diskSize, diskFiles))
	if errors.Is(err, unix.EPERM) {
		return errSkipped
	}
	return err
}

func unmount(directory string) error { return unix.Unmount(directory, 0) }

// allocateAll gives all free blocks to a file, in one system call where nobody else wants any meanwhile.
func allocateAll(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	size := int64(0)
	for {
		var stat unix.Statfs_t
		if err := unix.Fstatfs(int(file.Fd()), &stat); err != nil {
			return err
		}
		free := int64(stat.Bavail) * stat.Bsize
		if free == 0 {
			return nil
		}
		err := unix.Fallocate(int(file.Fd()), 0, size, free)
		if err != nil && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err == nil {
			size += free
		}
	}
}
