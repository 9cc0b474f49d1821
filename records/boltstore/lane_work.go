// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
)

// Claim implements records.Lanes.
func (l *Lanes) Claim(ctx context.Context, claim records.Claim) (records.LaneEntry, records.Lease, error) {
	if err := claim.Check(); err != nil {
		return records.LaneEntry{}, records.Lease{}, err
	}
	type claimed struct {
		entry records.LaneEntry
		lease records.Lease
	}
	result, err := do(ctx, l.store, func() (result claimed, err error) {
		// The lock is taken before the picture: a lease that is gone by now ended after what it wrote was committed.
		l.mutex.Lock()
		defer l.mutex.Unlock()
		now := l.now()
		var head *entry
		err = l.view(claim.Kind, func(k *kind) error {
			free := func(lane string) bool {
				lease, held := l.leases[laneName{claim.Kind, lane}]
				return !held || !now.Before(lease.Expires)
			}
			head, err = k.dueHead(claim, milliseconds(now), free)
			return err
		})
		if err != nil {
			return result, err
		}
		if head == nil {
			return result, records.ErrNoneDue
		}
		result.entry = head.export(claim.Kind)
		result.lease = records.Lease{Kind: claim.Kind, Lane: head.Lane, ID: head.ID, Token: rand.Text(), Expires: now.Add(claim.Lease)}
		l.leases[laneName{claim.Kind, head.Lane}] = result.lease
		return result, nil
	})
	return result.entry, result.lease, err
}

// dueHead finds the first open entry of the lane that a claim is for, or nil.
func (k *kind) dueHead(claim records.Claim, now int64, free func(lane string) bool) (*entry, error) {
	var found dueEntry
	if claim.Lane != "" {
		lane, err := k.lane(claim.Lane)
		if err != nil || lane.Indexed == nil {
			return nil, err
		}
		if due, ok := parseDue(lane.Indexed); ok && due.at <= now && free(due.lane) && !slices.Contains(claim.Skip, due.group) {
			found = due
		}
	} else {
		cursor := k.due.Cursor()
		key, _ := cursor.First()
		for key != nil {
			due, ok := parseDue(key)
			if !ok {
				return nil, errors.New("an entry of the index of due lanes is too short")
			}
			switch {
			case due.at > now || slices.Contains(claim.Skip, due.group) || found.lane != "" && found.at <= due.at:
				key, _ = cursor.Seek(append([]byte(due.group), '/'+1)) // the rest of the group is no better
			case free(due.lane):
				found = due
				key, _ = cursor.Seek(append([]byte(due.group), '/'+1))
			default:
				key, _ = cursor.Next()
			}
		}
	}
	if found.lane == "" {
		return nil, nil
	}
	waiting, err := k.waiting(found.lane)
	if err != nil {
		return nil, err
	}
	if len(waiting) == 0 {
		return nil, errors.New("a lane is due and has no open entry")
	}
	return waiting[0], nil
}

// held returns nil where a lease is still the one of its lane. strict: it must not be over either.
func (l *Lanes) held(lease records.Lease, strict bool) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	present, ok := l.leases[laneName{lease.Kind, lease.Lane}]
	if !ok || present.Token != lease.Token || strict && !l.now().Before(present.Expires) {
		return records.ErrLeaseLost
	}
	return nil
}

func (l *Lanes) giveBack(lease records.Lease) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	name := laneName{lease.Kind, lease.Lane}
	if l.leases[name].Token == lease.Token {
		delete(l.leases, name)
	}
}

// leased returns the entry of a lease, to be changed. A lease whose entry was replaced before the lease began to count
// is lost, too.
func (l *Lanes) leased(tx *bolt.Tx, lease records.Lease, strict bool) (*kind, *entry, error) {
	if err := l.held(lease, strict); err != nil {
		return nil, nil, refusal{err}
	}
	k, err := openKind(tx, lease.Kind)
	if err != nil {
		return nil, nil, err
	}
	e, err := k.find(lease.ID)
	if err != nil {
		return nil, nil, err
	}
	if e == nil || e.Due == 0 {
		return nil, nil, refusal{records.ErrLeaseLost}
	}
	return k, e, nil
}

// Start implements records.Lanes.
func (l *Lanes) Start(ctx context.Context, lease records.Lease) error {
	_, err := do(ctx, l.store, func() (struct{}, error) {
		return struct{}{}, l.store.update(func(tx *bolt.Tx) error {
			k, e, err := l.leased(tx, lease, true)
			if err != nil {
				return err
			}
			e.Started, e.Attempts = milliseconds(l.now()), e.Attempts+1
			return k.put(e)
		})
	})
	return err
}

// Finish implements records.Lanes.
func (l *Lanes) Finish(ctx context.Context, lease records.Lease, outcome records.Outcome) (records.LaneEntry, error) {
	if err := outcome.Check(); err != nil {
		return records.LaneEntry{}, err
	}
	outcome.Result = bytes.Clone(outcome.Result)
	finished, err := do(ctx, l.store, func() (finished records.LaneEntry, err error) {
		err = l.store.update(func(tx *bolt.Tx) error {
			k, e, err := l.leased(tx, lease, false)
			if err != nil {
				return err
			}
			finished, err = l.finish(k, e, outcome)
			return err
		})
		if err == nil {
			l.giveBack(lease)
		}
		return finished, err
	})
	if err == nil {
		l.announce()
	}
	return finished, err
}

func (l *Lanes) finish(k *kind, e *entry, outcome records.Outcome) (records.LaneEntry, error) {
	now := l.now()
	lane, err := k.lane(e.Lane)
	if err != nil {
		return records.LaneEntry{}, err
	}
	if outcome.State.Stands() && e.Ordered {
		lane.Standing = max(lane.Standing, e.Event)
		lane.StandingSent = max(lane.StandingSent, e.Sent)
		waiting, err := k.waiting(e.Lane)
		if err != nil {
			return records.LaneEntry{}, err
		}
		for _, other := range waiting { // driven again while this one was on its way
			if other.Ordered && other.Sent < e.Sent {
				if err := k.supersede(other, now); err != nil {
					return records.LaneEntry{}, err
				}
			}
		}
	}
	e.State, e.Due, e.Started = outcome.State, milliseconds(outcome.Due), 0
	e.Ambiguous, e.Result = outcome.Ambiguous, outcome.Result
	if err := k.write(e, now); err != nil {
		return records.LaneEntry{}, err
	}
	lane.Changed = milliseconds(now)
	return e.export(k.name), k.writeLane(e.Lane, lane)
}

// Release implements records.Lanes.
func (l *Lanes) Release(ctx context.Context, lease records.Lease) error {
	_, err := do(ctx, l.store, func() (struct{}, error) {
		err := l.held(lease, false)
		l.giveBack(lease)
		return struct{}{}, err
	})
	return err
}

// Redrive implements records.Lanes.
func (l *Lanes) Redrive(ctx context.Context, kindName, id string) (records.LaneEntry, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneEntry{}, err
	}
	driven, err := do(ctx, l.store, func() (driven records.LaneEntry, err error) {
		err = l.store.update(func(tx *bolt.Tx) error {
			k, err := openKind(tx, kindName)
			if err != nil {
				return err
			}
			e, err := k.find(id)
			if err != nil {
				return err
			}
			if e == nil {
				return refusal{records.ErrNotFound}
			}
			if e.Due != 0 || e.State != records.StateRefused && e.State != records.StateUnconfirmed {
				return refusal{records.ErrNotEnded}
			}
			driven, err = l.redrive(k, e)
			return err
		})
		return driven, err
	})
	if err == nil {
		l.announce()
	}
	return driven, err
}

func (l *Lanes) redrive(k *kind, e *entry) (records.LaneEntry, error) {
	now := l.now()
	lane, err := k.lane(e.Lane)
	if err != nil {
		return records.LaneEntry{}, err
	}
	if e.Ordered && e.Sent < lane.StandingSent {
		e.State = records.StateSuperseded
	} else {
		e.Ambiguous = e.Ambiguous || e.State == records.StateUnconfirmed
		e.State, e.Due = records.StateQueued, milliseconds(now)
	}
	if err := k.write(e, now); err != nil {
		return records.LaneEntry{}, err
	}
	lane.Changed = milliseconds(now)
	return e.export(k.name), k.writeLane(e.Lane, lane)
}
