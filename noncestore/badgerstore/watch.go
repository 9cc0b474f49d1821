// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"time"
)

// clockTolerance is how far the wall clock may move against the monotonic clock in the life of a seal.
const clockTolerance = 5 * time.Second

// Free space on the disk of Config.Directory.
const (
	// spaceReserve must be free beside the size of the tables, which a compaction writes anew before it removes the
	// old ones. It is what Badger can map and not yet have written, two logs of 16 MiB for its memory tables and two
	// tables of 8 MiB made from them, and 80 MiB for what others write until the last of that is written.
	spaceReserve = 128 << 20
	// closeReserve must be free to close Badger: the last memory table, and as much again.
	closeReserve = 2*memTableSize + 16<<20
	// fileReserve is how many files must be free.
	fileReserve = 64
	// spaceInterval is how often redemptions look at the free space. A look costs two microseconds.
	spaceInterval = time.Millisecond
)

// watchInterval is how often the store looks at the clock and the free space by itself.
const watchInterval = time.Second

// watch looks after the store until Close.
func (s *Store) watch() {
	defer close(s.watched)
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			s.look()
		}
	}
}

// look rolls the seal where the clock jumped, measures the free space, and opens Badger where that had to wait for it.
func (s *Store) look() {
	s.mu.RLock()
	opened := s.db != nil
	s.mu.RUnlock()
	s.checkSpace()
	if !opened {
		if s.short.Load() {
			return
		}
		if err := s.start(); err != nil {
			s.log.Error("the nonce store does not open; trying again", "error", err)
		}
		return
	}
	if err := s.rollAfterJump(); err != nil {
		s.log.Error("the seal cannot be replaced; trying again", "error", err)
	}
}

// Two clocks cannot be read at once. A reading in which this process was held up for longer than readingTime is taken
// again, so that a busy host is not mistaken for a clock that was set; the last of readings counts as it is.
const (
	readingTime = time.Second
	readings    = 5
)

// wallMinusMonotonic changes where the wall clock is set, or where the host slept.
func (s *Store) wallMinusMonotonic() time.Duration {
	for reading := 1; ; reading++ {
		before := s.host.monotonic()
		wall := time.Duration(s.config.Now().UnixNano())
		if after := s.host.monotonic(); after-before <= readingTime || reading == readings {
			return wall - before
		}
	}
}

func (s *Store) jumped(held *heldSeal) bool {
	return (s.wallMinusMonotonic() - held.birth).Abs() > clockTolerance
}

// rollAfterJump replaces the seal where the clock jumped since its birth, once no redemption is under way.
func (s *Store) rollAfterJump() error {
	if held := s.current.Load(); held == nil || !s.jumped(held) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.current.Load()
	if held == nil || !s.jumped(held) {
		return nil
	}
	fresh, err := s.newSeal(errClockJumped.Error())
	if err != nil {
		return unavailable(err)
	}
	s.current.Store(fresh)
	return nil
}

// checkSpaceOften is checkSpace, if the last look was a while ago.
func (s *Store) checkSpaceOften() {
	last := s.spaceChecked.Load()
	now := int64(s.host.monotonic())
	if now-last >= int64(spaceInterval) && s.spaceChecked.CompareAndSwap(last, now) {
		s.measureSpace()
	}
}

// checkSpace measures Badger's tables and the free space.
func (s *Store) checkSpace() {
	s.mu.RLock()
	if s.db != nil {
		var size int64
		for _, table := range s.db.Tables() {
			size += int64(table.OnDiskSize)
		}
		s.tableBytes.Store(size)
	}
	s.mu.RUnlock()
	s.spaceChecked.Store(int64(s.host.monotonic()))
	s.measureSpace()
}

// measureSpace notes whether there is too little free space, and logs where that changes. Space that cannot be measured
// counts as too little.
func (s *Store) measureSpace() {
	if s.config.InMemory {
		return
	}
	needed := uint64(spaceReserve + s.tableBytes.Load())
	room, err := s.host.free(s.config.Directory)
	short := err != nil || room.bytes < needed || room.files < fileReserve
	if s.short.Swap(short) == short {
		return
	}
	if short {
		s.log.Error("too little free disk space: launches are refused until there is more", "directory",
			s.config.Directory, "free_bytes", room.bytes, "needed_bytes", needed, "free_files", room.files, "error", err)
		return
	}
	s.log.Info("enough free disk space again", "directory", s.config.Directory, "free_bytes", room.bytes)
}
