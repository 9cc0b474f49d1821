// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/records"
)

// kind is a kind of entries, its row locked. Rows are locked in the order kind, lane, entry.
type kind struct {
	s      *Store
	tx     pgx.Tx
	name   string
	change int64 // the last one
	open   int   // open entries
	now    int64
}

// lane is a lane, its row locked.
type lane struct {
	name                         string
	standing, standingSent, sent int64
	token, id                    string // of the lease
	expires                      int64
}

// change runs f with the row of a kind locked, and writes that row.
func (s *Store) change(ctx context.Context, name string, f func(k *kind) error) error {
	return s.write(ctx, func(tx pgx.Tx) error {
		k := &kind{s: s, tx: tx, name: name}
		// The clock is read once the row is locked, so that times and changes have one order.
		err := tx.QueryRow(ctx, s.sql(`INSERT INTO SCHEMA.kind AS k VALUES ($1, 0, 0) ON CONFLICT (name) DO UPDATE SET change = k.change
			RETURNING change, open, SCHEMA.now_ms()`), name).Scan(&k.change, &k.open, &k.now)
		if err != nil {
			return err
		}
		if err := f(k); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.sql("UPDATE SCHEMA.kind SET change = $2, open = $3 WHERE name = $1"), name, k.change, k.open)
		return err
	})
}

// lane locks a lane, and makes it where it is absent.
func (k *kind) lane(ctx context.Context, name string) (*lane, error) {
	l := &lane{name: name}
	err := k.tx.QueryRow(ctx, k.s.sql(`INSERT INTO SCHEMA.lane AS l (kind, name, changed) VALUES ($1, $2, $3)
		ON CONFLICT (kind, name) DO UPDATE SET changed = $3
		RETURNING standing, standing_sent, sent, lease_token, lease_id, lease_expires`), k.name, name, k.now).
		Scan(&l.standing, &l.standingSent, &l.sent, &l.token, &l.id, &l.expires)
	return l, err
}

// keep writes what a change made of a lane, after it wrote the lane's entries.
func (k *kind) keep(ctx context.Context, l *lane) error {
	_, err := k.tx.Exec(ctx, k.s.sql(`UPDATE SCHEMA.lane SET standing = $3, standing_sent = $4, sent = $5, lease_token = $6,
		head_due = coalesce(h.due, 0), head_group = coalesce(h.grp, '')
		FROM (SELECT) AS one LEFT JOIN (SELECT due, grp FROM SCHEMA.entry WHERE kind = $1 AND lane = $2 AND due <> 0
			ORDER BY sequence LIMIT 1) AS h ON true
		WHERE lane.kind = $1 AND lane.name = $2`), k.name, l.name, l.standing, l.standingSent, l.sent, l.token)
	return err
}

// entry is a LaneEntry with what only the store knows of it.
type entry struct {
	records.LaneEntry
	sequence, change     int64
	asked                bool
	ordered, replaceable bool
}

const entryColumns = `id, kind, lane, sequence, change, grp, owner, request, asked, ordered, replaceable, event, sent, payload,
	state, due, started, attempts, ambiguous, result, appended, changed`

func scanEntry(row pgx.CollectableRow) (e entry, err error) {
	var event, sent, due, started, appended, changed int64
	err = row.Scan(&e.ID, &e.Kind, &e.Lane, &e.sequence, &e.change, &e.Group, &e.Owner, &e.Request, &e.asked, &e.ordered, &e.replaceable, &event, &sent,
		&e.Payload, &e.State, &due, &started, &e.Attempts, &e.Ambiguous, &e.Result, &appended, &changed)
	e.Event, e.Sent, e.Due, e.Started = moment(event), moment(sent), moment(due), moment(started)
	e.AppendTime, e.ChangeTime, e.Cursor = moment(appended), moment(changed), cursorOf(e.change)
	return e, err
}

// entries reads entries. condition goes on after WHERE.
func (s *Store) entries(ctx context.Context, tx pgx.Tx, condition string, arguments ...any) ([]entry, error) {
	rows, err := tx.Query(ctx, s.sql("SELECT "+entryColumns+" FROM SCHEMA.entry WHERE "+condition), arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEntry)
}

// find returns an entry, or nil.
func (s *Store) find(ctx context.Context, tx pgx.Tx, kind, id string) (*entry, error) {
	found, err := s.entries(ctx, tx, "kind = $1 AND id = $2", kind, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// waiting returns the open entries of a lane, in their order.
func (k *kind) waiting(ctx context.Context, lane string) ([]entry, error) {
	return k.s.entries(ctx, k.tx, "kind = $1 AND lane = $2 AND due <> 0 ORDER BY sequence", k.name, lane)
}

// put writes what became of an entry, as one more change.
func (k *kind) put(ctx context.Context, e *entry, wasOpen bool) error {
	if e.Open() != wasOpen {
		k.open += map[bool]int{true: 1, false: -1}[e.Open()]
	}
	k.change++
	e.change, e.Cursor, e.ChangeTime = k.change, cursorOf(k.change), moment(k.now)
	if e.Result == nil {
		e.Result = []byte{}
	}
	_, err := k.tx.Exec(ctx, k.s.sql(`UPDATE SCHEMA.entry SET change = $2, state = $3, due = $4, started = $5, ambiguous = $6, result = $7,
		changed = $8 WHERE id = $1`), e.ID, e.change, string(e.State), milliseconds(e.Due), milliseconds(e.Started), e.Ambiguous, e.Result, k.now)
	return err
}

func (k *kind) supersede(ctx context.Context, e *entry) error {
	e.State, e.Due, e.Started = records.StateSuperseded, time.Time{}, time.Time{}
	return k.put(ctx, e, true)
}

// Append implements records.Lanes.
func (s *Store) Append(ctx context.Context, a records.Append) (records.LaneEntry, bool, error) {
	if err := a.Check(); err != nil {
		return records.LaneEntry{}, false, err
	}
	a.Payload = append([]byte{}, a.Payload...) // once the context has ended, it is the caller's again
	var appended entry
	repeated := false
	err := s.change(ctx, a.Kind, func(k *kind) error {
		if a.Request != "" {
			found, err := s.entries(ctx, k.tx, "kind = $1 AND request = $2 AND asked", a.Kind, a.Request)
			if err != nil {
				return err
			}
			if len(found) > 0 {
				appended, repeated = found[0], true
				return nil
			}
		}
		var err error
		appended, err = k.append(ctx, &a)
		return err
	})
	if err != nil {
		return records.LaneEntry{}, false, err
	}
	return appended.LaneEntry, repeated, nil
}

// append writes a new entry, and what it changes in its lane.
func (k *kind) append(ctx context.Context, a *records.Append) (entry, error) {
	l, err := k.lane(ctx, a.Lane)
	if err != nil {
		return entry{}, err
	}
	waiting, err := k.waiting(ctx, a.Lane)
	if err != nil {
		return entry{}, err
	}
	e := entry{LaneEntry: records.LaneEntry{Kind: a.Kind, Lane: a.Lane, Group: a.Group, Owner: a.Owner, Request: a.Request, Payload: a.Payload,
		State: records.StateQueued, Due: moment(k.now), Result: []byte{}, AppendTime: moment(k.now), ChangeTime: moment(k.now)},
		asked: a.Request != "", ordered: a.Ordered, replaceable: a.Replaceable}
	superseded := false
	if a.Ordered {
		tail := records.Tail{Newest: moment(l.standing), Sent: moment(l.sent)}
		for _, other := range waiting {
			if other.Event.After(tail.Newest) {
				tail.Newest = other.Event
			}
		}
		var sent time.Time
		if e.Event, sent, superseded, err = a.Place(tail, moment(k.now)); err != nil {
			return e, err
		}
		if superseded {
			e.State, e.Due = records.StateSuperseded, time.Time{}
		} else {
			e.Sent, l.sent = records.Milliseconds(sent), milliseconds(sent)
		}
	}
	if !superseded {
		if err := k.makeRoom(ctx, a, l, waiting); err != nil {
			return e, err
		}
		k.open++
	}
	k.change++
	e.sequence, e.change, e.Cursor = k.change, k.change, cursorOf(k.change)
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: the runtime ends the process where the system has no randomness
	e.ID = cursorOf(e.sequence) + hex.EncodeToString(random[:])
	_, err = k.tx.Exec(ctx, k.s.sql("INSERT INTO SCHEMA.entry ("+entryColumns+") VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, false, '', $16, $16)"),
		e.ID, e.Kind, e.Lane, e.sequence, e.Group, e.Owner, e.Request, e.asked, e.ordered, e.replaceable, milliseconds(e.Event), milliseconds(e.Sent),
		e.Payload, string(e.State), milliseconds(e.Due), k.now)
	if err != nil {
		return e, err
	}
	return e, k.keep(ctx, l)
}

// makeRoom supersedes what a new entry replaces, and holds it to its limits.
func (k *kind) makeRoom(ctx context.Context, a *records.Append, l *lane, waiting []entry) error {
	var replaced []*entry
	for i := range waiting {
		claimed := l.token != "" && l.expires > k.now && l.id == waiting[i].ID
		if a.Replaces && waiting[i].replaceable && !claimed {
			replaced = append(replaced, &waiting[i])
		}
	}
	switch {
	case a.MaxLaneOpen > 0 && len(waiting)-len(replaced) >= a.MaxLaneOpen:
		return fmt.Errorf("%w: %d wait", records.ErrLaneFull, len(waiting))
	case a.MaxOpen > 0 && k.open-len(replaced) >= a.MaxOpen:
		return fmt.Errorf("%w: %d wait", records.ErrFull, k.open)
	}
	for _, other := range replaced {
		if err := k.supersede(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

var errNoHead = errors.New("a lane is due and has no open entry")

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
