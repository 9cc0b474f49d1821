// SPDX-License-Identifier: Apache-2.0

//go:build unix

package boltstore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// abandon closes a file that bbolt left locked and mapped. The mapping would keep the lock beyond the closing.
func abandon(file *os.File) error {
	return errors.Join(unix.Flock(int(file.Fd()), unix.LOCK_UN), file.Close())
}

// syncDirectory waits until the names in a directory are on disk.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
