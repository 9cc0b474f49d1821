// SPDX-License-Identifier: Apache-2.0

// Package postgresstore remembers redeemed nonces in PostgreSQL, for several sidecars.
//
// A redemption is one INSERT, one round trip, in whose WHERE the fence is compared with the server as it is at that
// moment: the identity of its data (system identifier and the file of the table), the timeline that it writes, the start
// of its first process, and the generation. A promoted standby writes another timeline; a server that crashed, was
// restored or was cloned has started again; a truncated table has another file. The timeline is that of the position
// where WAL is inserted: the one in the control file lags a promotion.
//
// The transaction waits for the disk (synchronous_commit = on) whatever the server's default is: a crash of one server
// process makes PostgreSQL start over without its first process starting again, and must not lose anything.
//
// # What is excluded
//
// Multi-master replication, which has several primaries. Redemptions that are deleted by hand, also where the fence is
// changed in the same transaction: a redemption that has begun by then waits for it, and does not look at the fence again.
package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	"github.com/ltisidecar/ltisidecar/postgres"
)

// maxConnections is how many redemptions are at the server at once. More wait here.
const maxConnections = 16

// Redemptions that are forgotten are deleted now and then, in batches that lock nobody out.
const (
	tidyInterval = 10 * time.Second
	tidyBatch    = 10_000 // rows
)

// Config says where the store is.
type Config struct {
	// Database says where the tables are. MaxConnections zero: 16.
	Database postgres.Config

	// Secret, Now, Monotonic, Rand and Logger are those of fence.Config.
	Secret    []byte
	Now       func() time.Time
	Monotonic func() time.Duration
	Rand      io.Reader
	Logger    *slog.Logger
}

// Open connects, makes the tables where they are absent, and takes the fence. It fails where the server cannot be
// reached, is a standby, or has tables of a newer version, and says what to change.
func Open(ctx context.Context, config Config) (*fence.Store, error) {
	if config.Database.MaxConnections == 0 {
		config.Database.MaxConnections = maxConnections
	}
	database, err := postgres.Connect(ctx, config.Database)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", err)
	}
	e := newEngine(database)
	if err := e.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("postgresstore: %w", err), e.Close())
	}
	store, err := fence.Open(ctx, fence.Config{Engine: e, Secret: config.Secret, Now: config.Now,
		Monotonic: config.Monotonic, Rand: config.Rand, Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", err)
	}
	return store, nil
}

// engine implements fence.Engine.
type engine struct {
	*postgres.Database
	statements statements
	migrated   atomic.Bool
	tidied     atomic.Int64 // when rows were deleted last, by the server's clock, in nanoseconds
}

func newEngine(database *postgres.Database) *engine {
	return &engine{Database: database, statements: statementsIn(database.Schema)}
}

// migrate makes the tables where they are not known to be there.
func (e *engine) migrate(ctx context.Context) error {
	if e.migrated.Load() {
		return nil
	}
	if err := e.Migrate(ctx, "nonces", e.statements.migrations); err != nil {
		return err
	}
	e.migrated.Store(true)
	return nil
}

// Poll implements fence.Engine. Tables that were dropped are made again.
func (e *engine) Poll(ctx context.Context, p fence.Proposal) (fence.Fence, error) {
	if err := e.migrate(ctx); err != nil {
		return fence.Fence{}, err
	}
	var f fence.Fence
	err := pgx.BeginTxFunc(ctx, e, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) (err error) {
		if _, err = tx.Exec(ctx, "SET LOCAL synchronous_commit = on"); err != nil {
			return err
		}
		f, err = e.look(ctx, tx, p)
		return err
	})
	if postgres.TablesGone(err) {
		e.migrated.Store(false)
	}
	if err != nil {
		return fence.Fence{}, postgres.Explain(err)
	}
	return f, e.tidy(ctx, f.Now)
}

// look reads the fence with its row locked, and writes it anew where it cannot stay.
func (e *engine) look(ctx context.Context, tx pgx.Tx, p fence.Proposal) (fence.Fence, error) {
	for range 2 {
		var stored fence.Fence
		var generation, random, check []byte
		var live string
		err := tx.QueryRow(ctx, e.statements.look).Scan(&generation, &random, &stored.Incarnation, &stored.Seen, &check, &live, &stored.Now)
		if errors.Is(err, pgx.ErrNoRows) {
			// Where another sidecar makes the row first, it is looked at after all.
			if _, err = tx.Exec(ctx, e.statements.begin); err != nil {
				return stored, err
			}
			continue
		}
		if err != nil {
			return stored, err
		}
		copy(stored.Generation[:], generation)
		copy(stored.Random[:], random)
		reason, err := judge(stored, check, live, p)
		if err != nil {
			return stored, err
		}
		if reason == "" {
			if stored.Now.After(stored.Seen) {
				stored.Seen = stored.Now
			}
		} else {
			instance := p.Instance
			if stored.Generation != (noncestore.Generation{}) {
				copy(instance[:], stored.Generation[:])
			}
			copy(stored.Generation[:], instance[:])
			copy(stored.Generation[4:], p.Suffix[:])
			stored.Random, stored.Incarnation, stored.Seen, stored.Replaced = p.Random, live, stored.Now, reason
		}
		_, err = tx.Exec(ctx, e.statements.write, stored.Generation[:], stored.Random[:], stored.Incarnation, stored.Seen, p.Check[:])
		return stored, err
	}
	return fence.Fence{}, errors.New("the row of the fence does not stay")
}

// judge says why a fence cannot stay; empty: it can.
func judge(stored fence.Fence, check []byte, live string, p fence.Proposal) (string, error) {
	age := stored.Now.Sub(stored.Seen)
	otherSecret := string(check) != string(p.Check[:])
	switch {
	case stored.Generation == noncestore.Generation{}:
		return "there was no fence: this is the first start, or the memory was wiped", nil
	case otherSecret && age >= 0 && age < fence.OtherSecretAfter:
		return "", errors.New("another sidecar uses this store with another shared secret: give all of them the same one; to change it, stop all sidecars first")
	case stored.Incarnation != live:
		return "the server restarted, or another one took over", nil
	case otherSecret:
		return "the shared secret is another one", nil
	case p.Known.Incarnation == live && stored.Seen.Before(p.Known.Seen):
		return "an older copy of the memory was brought back", nil
	case age < -maxSetBack:
		return "the clock of the server was set back", nil
	case stored.Generation == p.Replace:
		return "a sidecar asked for it", nil
	}
	return "", nil
}

// maxSetBack is how far the server's clock may be behind what a poll saw before.
const maxSetBack = 5 * time.Second

// Redeem implements fence.Engine.
func (e *engine) Redeem(ctx context.Context, r fence.Redemption) (fence.Answer, error) {
	var owner []byte
	var first *time.Time
	var answer fence.Answer
	err := e.QueryRow(ctx, e.statements.redeem, r.Nonce[:], r.Owner[:], r.Generation[:], r.Incarnation, r.Seen, noncestore.Retention).
		Scan(&owner, &first, &answer.Now)
	switch {
	case postgres.Undecided(err):
		return fence.Answer{}, fmt.Errorf("%w: %w", fence.ErrUnknown, postgres.Explain(err))
	case postgres.Full(err):
		return fence.Answer{}, fmt.Errorf("%w: %w", noncestore.ErrFull, postgres.Explain(err))
	case err != nil:
		return fence.Answer{}, postgres.Explain(err)
	case first == nil:
		answer.Verdict = fence.Stale
		return answer, nil
	}
	answer.Verdict, answer.FirstUsed = fence.Used, *first
	if string(owner) == string(r.Owner[:]) {
		answer.Verdict = fence.Accepted
	}
	return answer, nil
}

// tidy deletes what is forgotten, if the last time is a while ago.
func (e *engine) tidy(ctx context.Context, now time.Time) error {
	last := e.tidied.Load()
	if since := now.UnixNano() - last; since >= 0 && since < int64(tidyInterval) || !e.tidied.CompareAndSwap(last, now.UnixNano()) {
		return nil
	}
	_, err := e.Exec(ctx, e.statements.tidy, noncestore.Retention, tidyBatch)
	return postgres.Explain(err)
}

// Close implements fence.Engine.
func (e *engine) Close() error {
	e.Pool.Close()
	return nil
}
