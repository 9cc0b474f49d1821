// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
)

// DefaultMinFree is how much of the disk is left free.
const DefaultMinFree = 64 << 20

// LanesConfig configures Lanes.
type LanesConfig struct {
	// MinFree is how many bytes of the disk Append leaves to what must still be written: the outcomes of entries that
	// are there. Zero: DefaultMinFree.
	MinFree uint64

	Now func() time.Time // nil: time.Now
}

// Lanes implements records.Lanes in the file of a Store. Its methods may be called from many goroutines. A lease lives in
// memory: nobody else can open the file.
type Lanes struct {
	store  *Store
	config LanesConfig

	mutex   sync.Mutex
	leases  map[laneName]records.Lease
	changed chan struct{} // closed, and replaced, at each change of an entry
}

type laneName struct{ kind, lane string }

var _ records.Lanes = (*Lanes)(nil)

// Lanes returns the lanes of the store. It is to be called once.
func (s *Store) Lanes(config LanesConfig) (*Lanes, error) {
	if config.MinFree == 0 {
		config.MinFree = DefaultMinFree
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	err := s.update(func(tx *bolt.Tx) error {
		if tx.Bucket(lanesBucket) != nil {
			return refusal{}
		}
		if _, err := tx.CreateBucket(lanesBucket); err != nil {
			return err
		}
		return tx.Bucket(formatBucket).Put(formatKey, lanesFormatValue)
	})
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	return &Lanes{store: s, config: config, leases: make(map[laneName]records.Lease), changed: make(chan struct{})}, nil
}

func (l *Lanes) now() time.Time { return records.Milliseconds(l.config.Now()) }

// Append implements records.Lanes.
func (l *Lanes) Append(ctx context.Context, entry records.Append) (records.LaneEntry, bool, error) {
	if err := entry.Check(); err != nil {
		return records.LaneEntry{}, false, err
	}
	entry.Payload = append([]byte(nil), entry.Payload...) // once the context has ended, it is the caller's again
	type appended struct {
		records.LaneEntry
		repeated bool
	}
	result, err := do(ctx, l.store, func() (result appended, err error) {
		free, err := freeSpace(filepath.Dir(l.store.path))
		if err != nil {
			return result, err
		}
		err = l.store.update(func(tx *bolt.Tx) error {
			k, err := openKind(tx, entry.Kind)
			if err != nil {
				return err
			}
			if result.LaneEntry, result.repeated, err = k.requested(entry.Request); err != nil {
				return err
			}
			if result.repeated {
				return refusal{}
			}
			if free < l.config.MinFree {
				return refusal{fmt.Errorf("%w: %d MiB are free, %d MiB are kept free", records.ErrNoSpace, free>>20, l.config.MinFree>>20)}
			}
			result.LaneEntry, err = l.append(k, &entry)
			return err
		})
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w: %w", records.ErrNoSpace, err)
		}
		return result, err
	})
	if err == nil && !result.repeated {
		l.announce()
	}
	return result.LaneEntry, result.repeated, err
}

// append writes a new entry, and what it changes in its lane.
func (l *Lanes) append(k *kind, a *records.Append) (records.LaneEntry, error) {
	lane, err := k.lane(a.Lane)
	if err != nil {
		return records.LaneEntry{}, err
	}
	now := l.now()
	e := &entry{
		Lane: a.Lane, Group: a.Group, Owner: a.Owner, Request: a.Request, Payload: a.Payload, Ordered: a.Ordered,
		Replaceable: a.Replaceable, State: records.StateQueued, Due: milliseconds(now), Appended: milliseconds(now),
	}
	waiting, err := k.waiting(a.Lane)
	if err != nil {
		return records.LaneEntry{}, err
	}
	superseded := false
	if a.Ordered {
		tail := records.Tail{Newest: moment(lane.Standing), Sent: moment(lane.Sent)}
		for _, other := range waiting {
			if event := moment(other.Event); event.After(tail.Newest) {
				tail.Newest = event
			}
		}
		event, sent, old, err := a.Place(tail, now)
		if err != nil {
			return records.LaneEntry{}, refusal{err}
		}
		e.Event, superseded = milliseconds(event), old
		if superseded {
			e.State, e.Due = records.StateSuperseded, 0
		} else {
			e.Sent = milliseconds(sent)
			lane.Sent = e.Sent
		}
	}
	if !superseded {
		claimed := l.claimed(a.Kind, a.Lane)
		var replaced []*entry
		for _, other := range waiting {
			if a.Replaces && other.Replaceable && other.ID != claimed {
				replaced = append(replaced, other)
			}
		}
		open, err := k.count(openCount)
		if err != nil {
			return records.LaneEntry{}, err
		}
		switch {
		case a.MaxLaneOpen > 0 && len(waiting)-len(replaced) >= a.MaxLaneOpen:
			return records.LaneEntry{}, refusal{fmt.Errorf("%w: %d wait", records.ErrLaneFull, len(waiting))}
		case a.MaxOpen > 0 && open-len(replaced) >= a.MaxOpen:
			return records.LaneEntry{}, refusal{fmt.Errorf("%w: %d wait", records.ErrFull, open)}
		}
		for _, other := range replaced {
			if err := k.supersede(other, now); err != nil {
				return records.LaneEntry{}, err
			}
		}
	}
	if e.sequence, err = k.entries.NextSequence(); err != nil {
		return records.LaneEntry{}, err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: the runtime ends the process where the system has no randomness
	e.ID = hex.EncodeToString(append(sequenceKey(e.sequence), random[:]...))
	if err := k.remember(e); err != nil {
		return records.LaneEntry{}, err
	}
	if err := k.write(e, now); err != nil {
		return records.LaneEntry{}, err
	}
	lane.Changed = milliseconds(now)
	lane.Entries++
	return e.export(k.name), k.writeLane(a.Lane, lane)
}

// claimed returns the ID of the entry that a lane is leased for, or "".
func (l *Lanes) claimed(kind, lane string) string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if lease, ok := l.leases[laneName{kind, lane}]; ok && l.now().Before(lease.Expires) {
		return lease.ID
	}
	return ""
}

// announce wakes those who wait for a change.
func (l *Lanes) announce() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}
