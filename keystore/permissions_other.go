// SPDX-License-Identifier: Apache-2.0

//go:build !unix || solaris || aix

package keystore

import "os"

const openFlags = 0

// checkPrivate has nothing to look at: access is not a matter of mode bits here.
func checkPrivate(string, os.FileInfo, string) error { return nil }

// lockFile does nothing: two first starts at once are not told apart here.
func lockFile(*os.File) error { return nil }

// syncDirectory does nothing: directories cannot be synced here.
func syncDirectory(*os.File) error { return nil }
