// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
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

func laneEntryFor(lane int) records.Append {
	return records.Append{Kind: "work", Lane: fmt.Sprint("lane-", lane), Group: "host", Payload: []byte(strings.Repeat("payload ", 20)), Ordered: true}
}

// Before the disk is full, nothing new is taken, and what was taken is still ended.
func TestNoSpace(t *testing.T) {
	store := openAt(t, filepath.Join(t.TempDir(), "records.db"))
	roomy, err := store.Lanes(LanesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	entry := laneEntryFor(1)
	entry.Request = "request"
	first, _, err := roomy.Append(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	full, err := store.Lanes(LanesConfig{MinFree: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := full.Append(t.Context(), laneEntryFor(2)); !errors.Is(err, records.ErrNoSpace) {
		t.Errorf("on a full disk: %v", err)
	}
	if again, repeated, err := full.Append(t.Context(), entry); err != nil || !repeated || again.ID != first.ID {
		t.Errorf("a repeat on a full disk: %v", err)
	}
	_, lease, err := full.Claim(t.Context(), records.Claim{Kind: "work", Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := full.Start(t.Context(), lease); err != nil {
		t.Error(err)
	}
	if _, err := full.Finish(t.Context(), lease, records.Outcome{State: records.StateDelivered}); err != nil {
		t.Error(err)
	}
}

// laneChild appends and finishes entries without end, from several goroutines, and prints what was answered.
func laneChild(path string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	store, err := Open(Config{Path: path})
	fail(err)
	lanes, err := store.Lanes(LanesConfig{})
	fail(err)
	fmt.Println("open")
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				entry, _, err := lanes.Append(context.Background(), laneEntryFor(worker))
				fail(err)
				fmt.Println("queued", entry.ID)
				if i%2 == 0 {
					continue
				}
				first, lease, err := lanes.Claim(context.Background(), records.Claim{Kind: "work", Lane: entry.Lane, Lease: time.Minute})
				fail(err)
				fail(lanes.Start(context.Background(), lease))
				_, err = lanes.Finish(context.Background(), lease, records.Outcome{State: records.StateDelivered})
				fail(err)
				fmt.Println("delivered", first.ID)
			}
		}()
	}
	select {}
}

func TestKilledProcessLosesNoEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	t.Setenv(childLanes, "yes")
	command, lines := startChild(t, path)
	answered := map[string]string{}
	for count := 0; lines.Scan(); count++ {
		state, id, ok := strings.Cut(lines.Text(), " ")
		if !ok || state != "queued" && state != "delivered" {
			t.Fatalf("the child said %q", lines.Text())
		}
		answered[id] = state
		if count == 300 {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(answered) < 100 {
		t.Fatalf("only %d entries", len(answered))
	}
	store := openAt(t, path)
	lanes, err := store.Lanes(LanesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for id, state := range answered {
		entry, err := lanes.Entry(t.Context(), "work", id)
		if err != nil || state == "delivered" && string(entry.State) != state {
			t.Errorf("an entry that was %s: %s, %v", state, entry.State, err)
		}
	}
	isWhole(t, lanes)
}

// isWhole checks that the indexes and the counts of a kind say what its entries say.
func isWhole(t *testing.T, lanes *Lanes) {
	t.Helper()
	open, states, last := map[string]bool{}, map[records.EntryState]int{}, map[string]time.Time{}
	after := ""
	for more := true; more; {
		page, err := lanes.Entries(t.Context(), records.EntryFilter{Kind: "work"}, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.Entries {
			states[entry.State]++
			if entry.Open() {
				open[entry.ID] = true
			}
		}
		after, more = page.Next, page.More
	}
	counts, err := lanes.LaneCounts(t.Context(), "work")
	if err != nil || counts.Open != len(open) || fmt.Sprint(counts.States) != fmt.Sprint(states) {
		t.Errorf("%+v, want %d open of %v; %v", counts, len(open), states, err)
	}
	for {
		entry, lease, err := lanes.Claim(t.Context(), records.Claim{Kind: "work", Lease: time.Minute})
		if errors.Is(err, records.ErrNoneDue) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !open[entry.ID] || !entry.Sent.After(last[entry.Lane]) {
			t.Fatalf("claimed %+v", entry)
		}
		delete(open, entry.ID)
		last[entry.Lane] = entry.Sent
		if _, err := lanes.Finish(t.Context(), lease, records.Outcome{State: records.StateRefused}); err != nil {
			t.Fatal(err)
		}
	}
	if len(open) > 0 {
		t.Errorf("%d open entries were never due", len(open))
	}
}

// A change that fails takes none of those with it that share its transaction.
func TestFailingChangeFailsAlone(t *testing.T) {
	store := openAt(t, filepath.Join(t.TempDir(), "records.db"))
	broken := errors.New("broken")
	var done sync.WaitGroup
	for i := range 64 {
		done.Go(func() {
			key := []byte(fmt.Sprint("key ", i))
			err := store.update(func(tx *bolt.Tx) error {
				bucket, err := tx.CreateBucketIfNotExists([]byte("kind"))
				if err != nil {
					return err
				}
				if err := bucket.Put(key, make([]byte, versionSize)); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return broken
				case 2:
					panic("a damaged page")
				}
				return nil
			})
			if failed := i%4 == 1 || i%4 == 2; failed != (err != nil) || i%4 == 1 && !errors.Is(err, broken) {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	done.Wait()
	list, err := store.List(t.Context(), "kind", "", 100)
	if err != nil || len(list) != 32 {
		t.Errorf("%d documents, %v", len(list), err)
	}
}

// A page of the file that was overwritten is refused at the start, or was not in use.
func TestDamagedLanes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	store := openAt(t, path)
	lanes, err := store.Lanes(LanesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if _, _, err := lanes.Append(t.Context(), laneEntryFor(i%20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for page := 2; page < len(whole)/os.Getpagesize(); page++ { // the two first are copies of each other
		damaged := append([]byte(nil), whole...)
		for i := page * os.Getpagesize(); i < (page+1)*os.Getpagesize(); i++ {
			damaged[i] = 0xff
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := Open(Config{Path: path})
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("page %d: %v", page, err)
			}
			refused++
			continue
		}
		lanes, err := store.Lanes(LanesConfig{})
		if err != nil {
			t.Fatal(err)
		}
		counts, err := lanes.LaneCounts(t.Context(), "work")
		list, listErr := lanes.Entries(t.Context(), records.EntryFilter{Kind: "work"}, "", 100)
		if err != nil || listErr != nil || counts.Open != 60 || len(list.Entries) != 60 {
			t.Errorf("page %d: %+v, %d entries, %v, %v", page, counts, len(list.Entries), err, listErr)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}
