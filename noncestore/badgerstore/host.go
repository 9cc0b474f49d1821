// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"time"
)

// host is what the store asks of the machine it runs on.
type host struct {
	// monotonic returns the time since some moment of this process. It stands still where the host sleeps, on the
	// systems where that can be had.
	monotonic func() time.Duration
	// bootID returns what names this run of the host.
	bootID func() (string, error)
	// bootTime returns the time since the host started, with the time it slept.
	bootTime func() (time.Duration, error)
	// free returns the room that this user has on the file system of a directory.
	free func(directory string) (room, error)
	// tmpfs reports that a directory lies in memory and is gone when the host stops.
	tmpfs func(directory string) bool
}

// room is what is free on a file system.
type room struct {
	bytes uint64
	files uint64 // the largest value where the file system has no such limit
}

// thisHost returns the machine itself.
func thisHost() host {
	began := time.Now()
	return host{
		monotonic: func() time.Duration { return time.Since(began) },
		bootID:    readBootID,
		bootTime:  readBootTime,
		free:      readFree,
		tmpfs:     isTmpfs,
	}
}
