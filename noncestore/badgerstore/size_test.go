// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// What the files of a store hold must follow from the redemptions that it remembers, not from all that there ever were.
// Badger forgets by the system's clock, so that the weeks pass by making it forget after a second instead of minutes, and
// by redeeming some 800 times as fast as a school does: 600,000 redemptions are a month of one in four seconds.
func TestFilesStayBoundedOverWeeks(t *testing.T) {
	const (
		redemptions = 600_000 // 22 MiB of tables, if all were kept
		rounds      = 20
		maxTables   = 16 << 20
		maxFiles    = 80 << 20 // with Badger's two logs of 16 MiB and its value log of 32 MiB, which are sparse
	)
	b := newBench(t)
	s := b.open()
	s.tidyAfter = time.Second
	generation := b.seal(s).Generation
	var largest, files int64
	for range rounds {
		var group sync.WaitGroup
		for range 128 {
			group.Go(func() {
				for range redemptions / rounds / 128 {
					if err := s.Redeem(t.Context(), generation, newNonce()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		s.look()
		largest = max(largest, s.tableBytes.Load())
		files = max(files, size(t, b.config.Directory))
	}
	t.Logf("at most %.1f MiB of tables, %.1f MiB of files", float64(largest)/(1<<20), float64(files)/(1<<20))
	if largest > maxTables || files > maxFiles {
		t.Errorf("the tables grew to %d bytes and the files to %d, more than %d and %d", largest, files, maxTables, maxFiles)
	}
}

// size returns the bytes of all files below a directory, those of sparse files counted whole.
func size(t *testing.T, directory string) int64 {
	t.Helper()
	var sum int64
	err := filepath.WalkDir(directory, func(path string, _ fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a table that was compacted away meanwhile
		}
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
