// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/records"
)

// Claim implements records.Lanes. Of the lanes that are due, one that somebody else is just claiming is passed over; a
// lane that was asked for is waited for. A lease of a sidecar that died is over when its time is.
func (s *Store) Claim(ctx context.Context, claim records.Claim) (records.LaneEntry, records.Lease, error) {
	if err := claim.Check(); err != nil {
		return records.LaneEntry{}, records.Lease{}, err
	}
	statement := `SELECT name FROM SCHEMA.lane WHERE kind = $1 AND head_due <> 0 AND head_due <= SCHEMA.now_ms()
		AND lease_expires * (lease_token <> '')::int <= SCHEMA.now_ms() AND NOT head_group = ANY ($2) AND ($3 = '' OR name = $3)
		ORDER BY head_due LIMIT 1 FOR UPDATE`
	if claim.Lane == "" {
		statement += " SKIP LOCKED"
	}
	skip := append([]string{}, claim.Skip...)
	var head entry
	lease := records.Lease{Kind: claim.Kind, Token: rand.Text()}
	err := s.do(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.sql(statement), claim.Kind, skip, claim.Lane).Scan(&lease.Lane)
		if errors.Is(err, pgx.ErrNoRows) {
			return records.ErrNoneDue
		}
		if err != nil {
			return err
		}
		found, err := s.entries(ctx, tx, "kind = $1 AND lane = $2 AND due <> 0 ORDER BY sequence LIMIT 1", claim.Kind, lease.Lane)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errNoHead
		}
		head, lease.ID = found[0], found[0].ID
		var expires int64
		err = tx.QueryRow(ctx, s.sql(`UPDATE SCHEMA.lane SET lease_token = $3, lease_id = $4, lease_expires = SCHEMA.now_ms() + $5
			WHERE kind = $1 AND name = $2 RETURNING lease_expires`), claim.Kind, lease.Lane, lease.Token, lease.ID, claim.Lease.Milliseconds()).Scan(&expires)
		lease.Expires = moment(expires)
		return err
	})
	if err != nil {
		return records.LaneEntry{}, records.Lease{}, err
	}
	return head.LaneEntry, lease, nil
}

// Start implements records.Lanes. The lane is locked, so that whoever claims it next sees the attempt.
func (s *Store) Start(ctx context.Context, lease records.Lease) error {
	return s.write(ctx, func(tx pgx.Tx) error {
		changed, err := tx.Exec(ctx, s.sql(`WITH held AS (SELECT lease_id FROM SCHEMA.lane WHERE kind = $1 AND name = $2 AND lease_token = $3
				AND lease_token <> '' AND lease_expires > SCHEMA.now_ms() FOR UPDATE)
			UPDATE SCHEMA.entry SET started = SCHEMA.now_ms(), attempts = attempts + 1 FROM held WHERE id = held.lease_id AND due <> 0`),
			lease.Kind, lease.Lane, lease.Token)
		if err == nil && changed.RowsAffected() == 0 {
			return records.ErrLeaseLost
		}
		return err
	})
}

// Finish implements records.Lanes.
func (s *Store) Finish(ctx context.Context, lease records.Lease, outcome records.Outcome) (records.LaneEntry, error) {
	if err := outcome.Check(); err != nil {
		return records.LaneEntry{}, err
	}
	outcome.Result = append([]byte{}, outcome.Result...)
	var finished *entry
	err := s.change(ctx, lease.Kind, func(k *kind) error {
		l, err := k.lane(ctx, lease.Lane)
		if err != nil {
			return err
		}
		if l.token == "" || l.token != lease.Token {
			return records.ErrLeaseLost
		}
		if finished, err = s.find(ctx, k.tx, lease.Kind, l.id); err != nil {
			return err
		}
		if finished == nil || !finished.Open() {
			return records.ErrLeaseLost
		}
		l.token = ""
		return k.finish(ctx, l, finished, outcome)
	})
	if err != nil {
		return records.LaneEntry{}, err
	}
	return finished.LaneEntry, nil
}

func (k *kind) finish(ctx context.Context, l *lane, e *entry, outcome records.Outcome) error {
	if outcome.State.Stands() && e.ordered {
		l.standing = max(l.standing, milliseconds(e.Event))
		l.standingSent = max(l.standingSent, milliseconds(e.Sent))
		waiting, err := k.waiting(ctx, l.name)
		if err != nil {
			return err
		}
		for i := range waiting { // driven again while this one was on its way
			if other := &waiting[i]; other.ordered && other.Sent.Before(e.Sent) {
				if err := k.supersede(ctx, other); err != nil {
					return err
				}
			}
		}
	}
	e.State, e.Due, e.Started = outcome.State, records.Milliseconds(outcome.Due), moment(0)
	e.Ambiguous, e.Result = outcome.Ambiguous, outcome.Result
	if err := k.put(ctx, e, true); err != nil {
		return err
	}
	return k.keep(ctx, l)
}

// Release implements records.Lanes.
func (s *Store) Release(ctx context.Context, lease records.Lease) error {
	return s.do(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		changed, err := tx.Exec(ctx, s.sql("UPDATE SCHEMA.lane SET lease_token = '' WHERE kind = $1 AND name = $2 AND lease_token = $3 AND lease_token <> ''"),
			lease.Kind, lease.Lane, lease.Token)
		if err == nil && changed.RowsAffected() == 0 {
			return records.ErrLeaseLost
		}
		return err
	})
}

// Redrive implements records.Lanes.
func (s *Store) Redrive(ctx context.Context, kindName, id string) (records.LaneEntry, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneEntry{}, err
	}
	var driven *entry
	err := s.change(ctx, kindName, func(k *kind) (err error) {
		if driven, err = s.find(ctx, k.tx, kindName, id); err != nil {
			return err
		}
		switch {
		case driven == nil:
			return records.ErrNotFound
		case driven.Open() || driven.State != records.StateRefused && driven.State != records.StateUnconfirmed:
			return records.ErrNotEnded
		}
		l, err := k.lane(ctx, driven.Lane)
		if err != nil {
			return err
		}
		if driven.ordered && milliseconds(driven.Sent) < l.standingSent {
			driven.State = records.StateSuperseded
		} else {
			driven.Ambiguous = driven.Ambiguous || driven.State == records.StateUnconfirmed
			driven.State, driven.Due = records.StateQueued, moment(k.now)
		}
		if err := k.put(ctx, driven, false); err != nil {
			return err
		}
		return k.keep(ctx, l)
	})
	if err != nil {
		return records.LaneEntry{}, err
	}
	return driven.LaneEntry, nil
}
