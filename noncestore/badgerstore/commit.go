// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// maxBatch is how many redemptions share one write at most.
const maxBatch = 256

// redemption is one nonce on its way to the disk.
type redemption struct {
	generation noncestore.Generation
	nonce      noncestore.Nonce
	err        error
	result     chan error // holds one
}

// Redeem implements noncestore.Store. Where the context ends first, the redemption may still be written. Redemptions that
// arrive while others are being written share the next write, and with Config.SyncAlways its wait for the disk.
func (s *Store) Redeem(ctx context.Context, generation noncestore.Generation, nonce noncestore.Nonce) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	asked := &redemption{generation: generation, nonce: nonce, result: make(chan error, 1)}
	select {
	case s.redemptions <- asked:
	case <-s.closing:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	select {
	case err := <-asked.result:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-s.committed:
	}
	select {
	case err := <-asked.result:
		return err
	default: // it came too late to be looked at
		return unavailable(errClosed)
	}
}

// commitAll writes redemptions until Close. It is the only writer of nonces, which is why Badger need not detect
// conflicts. A panic inside Badger ends the process on purpose: the next start takes a new seal, whereas a Badger with a
// lock held for ever would refuse every launch.
func (s *Store) commitAll() {
	defer close(s.committed)
	batch := make([]*redemption, 0, maxBatch)
	for {
		select {
		case first := <-s.redemptions:
			batch = append(batch[:0], first)
		case <-s.closing:
			return
		}
	gather:
		for len(batch) < maxBatch {
			select {
			case next := <-s.redemptions:
				batch = append(batch, next)
			default:
				break gather
			}
		}
		s.commit(batch)
		now := s.config.Now()
		for i, asked := range batch {
			if asked.err == nil {
				s.recent.add(asked.nonce, now)
			}
			asked.result <- asked.err
			batch[i] = nil
		}
	}
}

// commit decides a batch and fills in its errors.
func (s *Store) commit(batch []*redemption) {
	s.checkSpaceOften()
	err := s.redeemAll(batch)
	if errors.Is(err, errClockJumped) {
		if rollErr := s.rollAfterJump(); rollErr != nil {
			err = rollErr
		} else {
			err = fmt.Errorf("%w: %w", noncestore.ErrStale, err)
		}
	}
	if err == nil {
		return
	}
	for _, asked := range batch {
		asked.err = err
	}
}

// redeemAll compares each redemption with the seal and with what was redeemed before, and writes the good ones at once.
// The clock is looked at on both sides of the write: a clock set forward in between could have made Badger forget a
// nonce, and then no redemption may count. An error is one of them all.
func (s *Store) redeemAll(batch []*redemption) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	held := s.current.Load()
	switch {
	case s.short.Load():
		return unavailable(errShort)
	case s.db == nil || held == nil:
		return unavailable(errNotOpen)
	case s.jumped(held):
		return errClockJumped
	}
	if err := write(s.db, held.Generation, batch, s.config.Now(), s.tidyAfter); err != nil {
		for _, asked := range batch {
			if asked.err == nil {
				asked.err = unavailable(err)
			}
		}
	}
	if s.jumped(held) {
		return errClockJumped
	}
	return nil
}

// write fills in the error of each redemption that is refused, and writes the others in one transaction. Where that
// fails, none of them is written.
func write(db *badger.DB, generation noncestore.Generation, batch []*redemption, now time.Time, tidyAfter time.Duration) error {
	value := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	return db.Update(func(txn *badger.Txn) error {
		for _, asked := range batch {
			if asked.generation != generation {
				asked.err = noncestore.ErrStale
				continue
			}
			// The transaction sees its own writes, so of two copies in one batch the second is a replay.
			if asked.err = outcome(find(txn, asked.nonce, now)); asked.err != nil {
				continue
			}
			if err := txn.SetEntry(badger.NewEntry(keyOf(asked.nonce), value).WithTTL(tidyAfter)); err != nil {
				return err
			}
		}
		return nil
	})
}
