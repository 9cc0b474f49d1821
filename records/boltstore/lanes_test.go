// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/records/recordstest"
)

// testClock stands still but for what a test moves it by.
type testClock struct {
	mutex sync.Mutex
	at    time.Time
}

func newTestClock() *testClock {
	return &testClock{at: time.Date(2026, 5, 6, 7, 8, 9, 987_654_321, time.UTC)}
}

func (c *testClock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.at = c.at.Add(d)
}

// laneHandle is the lanes of a store of their own.
type laneHandle struct {
	*Lanes
	*Store
}

func (h laneHandle) Close() error { return h.Store.Close() }

func TestLaneConformance(t *testing.T) {
	recordstest.RunLanes(t, func(t *testing.T) recordstest.LaneShelf {
		path, clock := filepath.Join(t.TempDir(), "records.db"), newTestClock()
		return recordstest.LaneShelf{Exclusive: true, Advance: clock.advance, Now: clock.now, Open: func() (recordstest.LaneHandle, error) {
			store, err := Open(Config{Path: path, LockPatience: 100 * time.Millisecond})
			if err != nil {
				return nil, err
			}
			lanes, err := store.Lanes(LanesConfig{Now: clock.now})
			return laneHandle{lanes, store}, err
		}}
	})
}
