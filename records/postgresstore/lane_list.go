// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/records"
)

// awaitInterval is how often AwaitChange looks. LISTEN would need a connection that is not pooled.
const awaitInterval = 250 * time.Millisecond

// cursorOf returns the number of a change as 16 hex digits.
func cursorOf(change int64) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(change)))
}

func parseCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return 0, fmt.Errorf("%w: the cursor is none", records.ErrInvalid)
	}
	return int64(binary.BigEndian.Uint64(raw)), nil
}

// Entry implements records.Lanes.
func (s *Store) Entry(ctx context.Context, kindName, id string) (records.LaneEntry, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneEntry{}, err
	}
	var found *entry
	err := s.read(ctx, func(tx pgx.Tx) (err error) {
		if found, err = s.find(ctx, tx, kindName, id); err == nil && found == nil {
			err = records.ErrNotFound
		}
		return err
	})
	if err != nil {
		return records.LaneEntry{}, err
	}
	return found.LaneEntry, nil
}

// Entries implements records.Lanes.
func (s *Store) Entries(ctx context.Context, filter records.EntryFilter, after string, limit int) (page records.EntryPage, err error) {
	if err := filter.Check(limit); err != nil {
		return page, err
	}
	from, err := parseCursor(after)
	if err != nil {
		return page, err
	}
	states := []string{}
	for _, state := range filter.States {
		states = append(states, string(state))
	}
	err = s.read(ctx, func(tx pgx.Tx) error {
		last, err := s.lastChange(ctx, tx, filter.Kind, from)
		if err != nil {
			return err
		}
		found, err := s.entries(ctx, tx, `kind = $1 AND change > $2 AND ($3 = '' OR owner = $3) AND ($4 = '' OR lane = $4)
			AND (cardinality($5::text[]) = 0 OR state = ANY ($5)) ORDER BY change LIMIT $6`, filter.Kind, from, filter.Owner, filter.Lane, states, limit+1)
		if err != nil {
			return err
		}
		page.Next = cursorOf(last)
		if page.More = len(found) > limit; page.More {
			found = found[:limit]
			page.Next = found[limit-1].Cursor
		}
		for _, e := range found {
			page.Entries = append(page.Entries, e.LaneEntry)
		}
		return nil
	})
	return page, err
}

// lastChange returns the number of a kind's last change. A cursor of changes that have not been is of another database,
// or of this one before it was restored.
func (s *Store) lastChange(ctx context.Context, tx pgx.Tx, kindName string, from int64) (last int64, err error) {
	err = tx.QueryRow(ctx, s.sql("SELECT change FROM SCHEMA.kind WHERE name = $1"), kindName).Scan(&last)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	if err == nil && (from > last || from < 0) {
		err = fmt.Errorf("%w: the cursor is not of this store; begin anew", records.ErrInvalid)
	}
	return last, err
}

// AwaitChange implements records.Lanes.
func (s *Store) AwaitChange(ctx context.Context, kindName, after string) error {
	if err := records.CheckKind(kindName); err != nil {
		return err
	}
	from, err := parseCursor(after)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for {
		var last int64
		err := s.read(ctx, func(tx pgx.Tx) (err error) {
			last, err = s.lastChange(ctx, tx, kindName, from)
			return err
		})
		if err != nil || last > from {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-s.closing:
			return unavailable(errClosed)
		}
	}
}

// LaneCounts implements records.Lanes.
func (s *Store) LaneCounts(ctx context.Context, kindName string) (records.LaneCounts, error) {
	if err := records.CheckKind(kindName); err != nil {
		return records.LaneCounts{}, err
	}
	counts := records.LaneCounts{States: make(map[records.EntryState]int)}
	err := s.read(ctx, func(tx pgx.Tx) error {
		last, err := s.lastChange(ctx, tx, kindName, 0)
		if err != nil {
			return err
		}
		if last > 0 {
			counts.Cursor = cursorOf(last)
		}
		var oldest int64
		err = tx.QueryRow(ctx, s.sql("SELECT count(*), coalesce(min(appended), 0) FROM SCHEMA.entry WHERE kind = $1 AND due <> 0"), kindName).
			Scan(&counts.Open, &oldest)
		if err != nil {
			return err
		}
		counts.OldestOpen = moment(oldest)
		rows, err := tx.Query(ctx, s.sql("SELECT state, count(*) FROM SCHEMA.entry WHERE kind = $1 GROUP BY state"), kindName)
		if err != nil {
			return err
		}
		var state records.EntryState
		var count int
		_, err = pgx.ForEachRow(rows, []any{&state, &count}, func() error {
			counts.States[state] = count
			return nil
		})
		return err
	})
	if err != nil {
		return records.LaneCounts{}, err
	}
	return counts, nil
}

// Prune implements records.Lanes.
func (s *Store) Prune(ctx context.Context, prune records.Prune) (removed int, more bool, err error) {
	if err := prune.Check(); err != nil {
		return 0, false, err
	}
	err = s.change(ctx, prune.Kind, func(k *kind) error {
		removed = 0
		for _, step := range []struct {
			before    time.Time
			statement string
		}{
			{prune.Requests, `UPDATE SCHEMA.entry SET asked = false WHERE id IN (SELECT id FROM SCHEMA.entry
				WHERE kind = $1 AND asked AND appended < $2 ORDER BY appended LIMIT $3)`},
			{prune.Entries, `DELETE FROM SCHEMA.entry WHERE id IN (SELECT id FROM SCHEMA.entry
				WHERE kind = $1 AND due = 0 AND changed < $2 ORDER BY change LIMIT $3)`},
			{prune.Lanes, `DELETE FROM SCHEMA.lane WHERE kind = $1 AND name IN (SELECT name FROM SCHEMA.lane AS l WHERE kind = $1 AND changed < $2
				AND NOT EXISTS (SELECT FROM SCHEMA.entry AS e WHERE e.kind = l.kind AND e.lane = l.name) ORDER BY changed LIMIT $3)`},
		} {
			if step.before.IsZero() || removed == prune.Limit {
				continue
			}
			// Times are whole milliseconds: what is before a time in between is before the next whole one, too.
			before := step.before.Add(time.Millisecond - time.Nanosecond).UnixMilli()
			changed, err := k.tx.Exec(ctx, s.sql(step.statement), prune.Kind, before, prune.Limit-removed)
			if err != nil {
				return err
			}
			removed += int(changed.RowsAffected())
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return removed, removed == prune.Limit, nil
}
