// SPDX-License-Identifier: Apache-2.0

package boltstore

import "os"

// abandon closes a file that bbolt left locked and mapped.
func abandon(file *os.File) error { return file.Close() }

// syncDirectory does nothing: Windows keeps the names by itself and cannot sync a directory.
func syncDirectory(string) error { return nil }
