// SPDX-License-Identifier: Apache-2.0

// Package postgresstore keeps documents and lanes in PostgreSQL, for several sidecars.
//
// Every write waits for the disk (synchronous_commit = on), whatever the server's default is. It survives the loss of
// the primary only where replication is synchronous: then it also waits for a standby.
package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/records"
)

// maxConnections is how many calls are at the server at once. More wait here.
const maxConnections = 8

var errClosed = errors.New("the store is closed")

// Store implements records.Store and records.Lanes. Its methods may be called from many goroutines.
type Store struct {
	database  *postgres.Database
	closing   chan struct{}
	closeOnce sync.Once
}

var (
	_ records.Store = (*Store)(nil)
	_ records.Lanes = (*Store)(nil)
)

// Open connects, and makes the tables where they are absent. It fails where the server cannot be reached, is a standby,
// or has tables of a newer version, and says what to change. MaxConnections zero: 8.
func Open(ctx context.Context, config postgres.Config) (*Store, error) {
	if config.MaxConnections == 0 {
		config.MaxConnections = maxConnections
	}
	database, err := postgres.Connect(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", err)
	}
	s := &Store{database: database, closing: make(chan struct{})}
	if err := database.Migrate(ctx, "records", s.migrations()); err != nil {
		return nil, errors.Join(fmt.Errorf("postgresstore: %w", err), s.Close())
	}
	return s, nil
}

// sql names the schema in a statement.
func (s *Store) sql(statement string) string {
	return strings.ReplaceAll(statement, "SCHEMA.", s.database.Schema+".")
}

// Close waits for the calls at work and ends the connections.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.database.Close()
	})
	return nil
}

// write runs f in a transaction that is durable when it has returned nil.
func (s *Store) write(ctx context.Context, f func(tx pgx.Tx) error) error {
	return s.do(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = on"); err != nil {
			return err
		}
		return f(tx)
	})
}

// read runs f on a picture of one moment.
func (s *Store) read(ctx context.Context, f func(tx pgx.Tx) error) error {
	return s.do(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

// do runs f in a transaction. What is not an error of the contract becomes ErrUnavailable.
func (s *Store) do(ctx context.Context, options pgx.TxOptions, f func(tx pgx.Tx) error) error {
	select {
	case <-s.closing:
		return unavailable(errClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	return outcome(pgx.BeginTxFunc(ctx, s.database, options, f))
}

// contractErrors are those of the contract, which stay as they are.
var contractErrors = []error{
	records.ErrNotFound, records.ErrConflict, records.ErrInvalid, records.ErrUnavailable, records.ErrNoneDue,
	records.ErrLeaseLost, records.ErrNotEnded, records.ErrFull, records.ErrLaneFull, records.ErrNoSpace,
}

func outcome(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range contractErrors {
		if errors.Is(err, known) {
			return err
		}
	}
	if postgres.Full(err) {
		return fmt.Errorf("%w: %w", records.ErrNoSpace, postgres.Explain(err))
	}
	return unavailable(postgres.Explain(err))
}

func unavailable(cause error) error { return fmt.Errorf("%w: %w", records.ErrUnavailable, cause) }

// Get implements records.Store.
func (s *Store) Get(ctx context.Context, kind, key string) (records.Document, error) {
	document := records.Document{Kind: kind, Key: key}
	if err := records.CheckKey(kind, key); err != nil {
		return records.Document{}, err
	}
	err := s.read(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.sql("SELECT version, value FROM SCHEMA.document WHERE kind = $1 AND key = $2"), kind, []byte(key)).
			Scan(&document.Version, &document.Value)
		if errors.Is(err, pgx.ErrNoRows) {
			return records.ErrNotFound
		}
		return err
	})
	if err != nil {
		return records.Document{}, err
	}
	return document, nil
}

// Put implements records.Store. Where the context ends first, the document may still be written.
func (s *Store) Put(ctx context.Context, document records.Document) (uint64, error) {
	if err := records.CheckKey(document.Kind, document.Key); err != nil {
		return 0, err
	}
	if len(document.Value) > records.MaxValueSize {
		return 0, fmt.Errorf("%w: the value has %d bytes, at most %d", records.ErrInvalid, len(document.Value), records.MaxValueSize)
	}
	if document.Version >= math.MaxInt64 {
		return 0, fmt.Errorf("%w: no document has version %d", records.ErrConflict, document.Version)
	}
	statement := "UPDATE SCHEMA.document SET version = $4 + 1, value = $3 WHERE kind = $1 AND key = $2 AND version = $4"
	if document.Version == 0 {
		statement = "INSERT INTO SCHEMA.document (kind, key, version, value) VALUES ($1, $2, $4 + 1, $3) ON CONFLICT DO NOTHING"
	}
	value := append([]byte{}, document.Value...) // not nil, which would be NULL
	err := s.write(ctx, func(tx pgx.Tx) error {
		changed, err := tx.Exec(ctx, s.sql(statement), document.Kind, []byte(document.Key), value, int64(document.Version))
		if err == nil && changed.RowsAffected() == 0 {
			return fmt.Errorf("%w: a %s document has not version %d", records.ErrConflict, document.Kind, document.Version)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return document.Version + 1, nil
}

// Delete implements records.Store. Where the context ends first, the document may still be removed.
func (s *Store) Delete(ctx context.Context, kind, key string, version uint64) error {
	if err := records.CheckKey(kind, key); err != nil {
		return err
	}
	return s.write(ctx, func(tx pgx.Tx) error {
		var present uint64
		err := tx.QueryRow(ctx, s.sql("SELECT version FROM SCHEMA.document WHERE kind = $1 AND key = $2 FOR UPDATE"), kind, []byte(key)).Scan(&present)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return records.ErrNotFound
		case err != nil:
			return err
		case present != version:
			return fmt.Errorf("%w: a %s document has version %d, not %d", records.ErrConflict, kind, present, version)
		}
		_, err = tx.Exec(ctx, s.sql("DELETE FROM SCHEMA.document WHERE kind = $1 AND key = $2"), kind, []byte(key))
		return err
	})
}

// List implements records.Store. Each call is a picture of one moment; two calls are not.
func (s *Store) List(ctx context.Context, kind, after string, limit int) (list []records.Document, err error) {
	if err := records.CheckList(kind, after, limit); err != nil {
		return nil, err
	}
	err = s.read(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.sql("SELECT key, version, value FROM SCHEMA.document WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3"),
			kind, []byte(after), limit)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (records.Document, error) {
			document := records.Document{Kind: kind}
			var key []byte
			err := row.Scan(&key, &document.Version, &document.Value)
			document.Key = string(key)
			return document, err
		})
		return err
	})
	return list, err
}
