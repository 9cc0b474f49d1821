// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
)

// maxLooked is how many entries one call of Entries looks at.
const maxLooked = 10_000

// Entry implements records.Lanes.
func (l *Lanes) Entry(ctx context.Context, kindName, id string) (records.LaneEntry, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneEntry{}, err
	}
	return do(ctx, l.store, func() (found records.LaneEntry, err error) {
		missing := true
		err = l.view(kindName, func(k *kind) error {
			e, err := k.find(id)
			if err == nil && e != nil {
				found, missing = e.export(kindName), false
			}
			return err
		})
		if err == nil && missing {
			err = records.ErrNotFound
		}
		return found, err
	})
}

// Entries implements records.Lanes.
func (l *Lanes) Entries(ctx context.Context, filter records.EntryFilter, after string, limit int) (records.EntryPage, error) {
	if err := filter.Check(limit); err != nil {
		return records.EntryPage{}, err
	}
	from, err := parseCursor(after)
	if err != nil {
		return records.EntryPage{}, err
	}
	return do(ctx, l.store, func() (page records.EntryPage, err error) {
		page.Next = cursorOf(from)
		err = l.view(filter.Kind, func(k *kind) error {
			if err := k.checkCursor(from); err != nil {
				return err
			}
			cursor := k.changes.Cursor()
			looked := 0
			for key, sequence := cursor.Seek(sequenceKey(from + 1)); key != nil; key, sequence = cursor.Next() {
				if looked == maxLooked || len(page.Entries) == limit {
					page.More = true
					return nil
				}
				e, err := k.must(sequence)
				if err != nil {
					return err
				}
				looked++
				page.Next = cursorOf(e.Change)
				if (filter.Owner == "" || e.Owner == filter.Owner) && (filter.Lane == "" || e.Lane == filter.Lane) &&
					(len(filter.States) == 0 || slices.Contains(filter.States, e.State)) {
					page.Entries = append(page.Entries, e.export(filter.Kind))
				}
			}
			return nil
		})
		return page, err
	})
}

// AwaitChange implements records.Lanes.
func (l *Lanes) AwaitChange(ctx context.Context, kindName, after string) error {
	if err := records.CheckKind(kindName); err != nil {
		return err
	}
	from, err := parseCursor(after)
	if err != nil {
		return err
	}
	for {
		l.mutex.Lock()
		changed := l.changed
		l.mutex.Unlock()
		behind, err := do(ctx, l.store, func() (behind bool, err error) {
			err = l.view(kindName, func(k *kind) error {
				if err := k.checkCursor(from); err != nil {
					return err
				}
				last, _ := k.changes.Cursor().Last()
				behind = last != nil && binary.BigEndian.Uint64(last) > from
				return nil
			})
			return behind, err
		})
		if err != nil || behind {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-l.store.closing:
			return unavailable(errClosed)
		}
	}
}

// checkCursor refuses a cursor of changes that have not been: it is of another file, or of this one before it was
// restored from an older copy.
func (k *kind) checkCursor(from uint64) error {
	if from > k.changes.Sequence() {
		return fmt.Errorf("%w: the cursor is not of this store; begin anew", records.ErrInvalid)
	}
	return nil
}

func parseCursor(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return 0, fmt.Errorf("%w: the cursor is none", records.ErrInvalid)
	}
	return binary.BigEndian.Uint64(raw), nil
}

// LaneCounts implements records.Lanes.
func (l *Lanes) LaneCounts(ctx context.Context, kindName string) (records.LaneCounts, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneCounts{}, err
	}
	return do(ctx, l.store, func() (counts records.LaneCounts, err error) {
		counts.States = make(map[records.EntryState]int)
		err = l.view(kindName, func(k *kind) error {
			err := k.countBucket.ForEach(func(name, _ []byte) error {
				count, err := k.count(string(name))
				if string(name) == openCount {
					counts.Open = count
				} else if count > 0 {
					counts.States[records.EntryState(name)] = count
				}
				return err
			})
			if err != nil {
				return err
			}
			if last := k.changes.Sequence(); last > 0 {
				counts.Cursor = cursorOf(last)
			}
			return k.queue.ForEach(func(_, appended []byte) error {
				if len(appended) != 8 {
					return fmt.Errorf("the queue of kind %s has a value of %d bytes, not 8", kindName, len(appended))
				}
				at := moment(int64(binary.BigEndian.Uint64(appended)))
				if counts.OldestOpen.IsZero() || at.Before(counts.OldestOpen) {
					counts.OldestOpen = at
				}
				return nil
			})
		})
		return counts, err
	})
}

// Prune implements records.Lanes. Lanes are looked through from beginning to end, a part at each call.
func (l *Lanes) Prune(ctx context.Context, prune records.Prune) (removed int, more bool, err error) {
	if err := prune.Check(); err != nil {
		return 0, false, err
	}
	type pruned struct {
		removed int
		more    bool
	}
	result, err := do(ctx, l.store, func() (result pruned, err error) {
		err = l.store.update(func(tx *bolt.Tx) error {
			result = pruned{}
			k, err := openKind(tx, prune.Kind)
			if err != nil {
				return err
			}
			for _, step := range []func(records.Prune, int) (int, error){k.pruneRequests, k.pruneEntries, k.pruneLanes} {
				if result.removed == prune.Limit {
					break
				}
				removed, err := step(prune, prune.Limit-result.removed)
				if err != nil {
					return err
				}
				result.removed += removed
			}
			result.more = result.removed == prune.Limit
			return nil
		})
		return result, err
	})
	return result.removed, result.more, err
}

func (k *kind) pruneRequests(prune records.Prune, limit int) (removed int, err error) {
	var old [][]byte
	cursor := k.asked.Cursor()
	for key, value := cursor.First(); key != nil && len(old) < limit; key, value = cursor.Next() {
		if len(value) <= 8 {
			return 0, fmt.Errorf("a request of kind %s has %d bytes, too few", k.name, len(value))
		}
		if !before(int64(binary.BigEndian.Uint64(value)), prune.Requests) {
			break
		}
		old = append(old, bytes.Clone(key))
	}
	for _, key := range old {
		if err := k.forget(key); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// forget removes the memory of an entry's request, where there is one.
func (k *kind) forget(sequence []byte) error {
	value := k.asked.Get(sequence)
	if value == nil {
		return nil
	}
	if err := k.requests.Delete(value[8:]); err != nil {
		return err
	}
	return k.asked.Delete(sequence)
}

func (k *kind) pruneEntries(prune records.Prune, limit int) (removed int, err error) {
	var old []*entry
	cursor := k.changes.Cursor()
	for key, sequence := cursor.First(); key != nil && len(old) < limit; key, sequence = cursor.Next() {
		e, err := k.must(sequence)
		if err != nil {
			return 0, err
		}
		if !before(e.Changed, prune.Entries) {
			break
		}
		if e.Due == 0 {
			old = append(old, e)
		}
	}
	for _, e := range old {
		sequence := sequenceKey(e.sequence)
		if err := k.forget(sequence); err != nil {
			return 0, err
		}
		if err := k.recount(e, [2]string{}); err != nil {
			return 0, err
		}
		if err := k.changes.Delete(sequenceKey(e.Change)); err != nil {
			return 0, err
		}
		if err := k.entries.Delete(sequence); err != nil {
			return 0, err
		}
		lane, err := k.lane(e.Lane)
		if err != nil {
			return 0, err
		}
		lane.Entries--
		if err := k.writeLane(e.Lane, lane); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

func (k *kind) pruneLanes(prune records.Prune, limit int) (removed int, err error) {
	if prune.Lanes.IsZero() {
		return 0, nil
	}
	var old [][]byte
	cursor := k.idle.Cursor()
	for key, _ := cursor.First(); key != nil && len(old) < limit; key, _ = cursor.Next() {
		if len(key) <= 8 || !before(int64(binary.BigEndian.Uint64(key)), prune.Lanes) {
			break
		}
		old = append(old, bytes.Clone(key))
	}
	for _, key := range old {
		if err := k.lanes.Delete(key[8:]); err != nil {
			return 0, err
		}
		if err := k.idle.Delete(key); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

func before(ms int64, limit time.Time) bool { return !limit.IsZero() && moment(ms).Before(limit) }
