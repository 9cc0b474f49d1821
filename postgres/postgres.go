// SPDX-License-Identifier: Apache-2.0

// Package postgres has what the stores in PostgreSQL share: connections and the versions of their tables.
//
// Connections hold no state between transactions and no prepared statements, so that a pooler in transaction mode may
// stand before the server.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DefaultSchema is the schema of the tables where the configuration gives none.
const DefaultSchema = "ltisidecar"

// oldestServer is the oldest version of PostgreSQL that has what the stores ask of it.
const oldestServer = 130000

const (
	connectTime = 2 * time.Second
	migrateTime = time.Minute
	idleTime    = 5 * time.Minute
)

// Config says where the database is.
type Config struct {
	// URL is postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE. Several hosts, with
	// commas between them, are tried in turn; add target_session_attrs=read-write. Required.
	URL string

	// Password takes the place of the password in URL. Empty: the one in URL.
	Password string

	// Schema is where the tables are; stores of several tools in one database need different ones. Empty:
	// DefaultSchema. At most 40 of a-z, 0-9 and '_', beginning with a letter.
	Schema string

	// MaxConnections is how many connections there are at most. Required.
	MaxConnections int32
}

var schemaPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Database is a pool of connections and the schema of the tables.
type Database struct {
	*pgxpool.Pool
	Schema string // needs no quotes
}

// Connect connects. Its errors do not contain the password.
func Connect(ctx context.Context, config Config) (*Database, error) {
	if config.Schema == "" {
		config.Schema = DefaultSchema
	}
	if !schemaPattern.MatchString(config.Schema) {
		return nil, fmt.Errorf("the name %.50q is not 1 to 40 of a-z, 0-9 and _, beginning with a letter", config.Schema)
	}
	parsed, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, errors.New("the URL is not postgres://USER@HOST:PORT/DATABASE, or a parameter after its ? is wrong; characters such as @ and / in a password must be percent-encoded")
	}
	if config.Password != "" {
		parsed.ConnConfig.Password = config.Password
	}
	parsed.MaxConns = config.MaxConnections
	parsed.MinConns = 0
	parsed.MaxConnIdleTime = idleTime
	parsed.ConnConfig.ConnectTimeout = connectTime
	parsed.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	parsed.ConnConfig.StatementCacheCapacity = 0
	parsed.ConnConfig.DescriptionCacheCapacity = 0
	pool, err := pgxpool.NewWithConfig(ctx, parsed)
	if err != nil {
		return nil, Explain(err)
	}
	var version int
	err = pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version)
	if err == nil && version < oldestServer {
		err = fmt.Errorf("this is PostgreSQL %d; the oldest that is supported is %d", version/10000, oldestServer/10000)
	}
	if err != nil {
		pool.Close()
		return nil, Explain(err)
	}
	return &Database{Pool: pool, Schema: config.Schema}, nil
}

// Migrate brings the tables of a component to the version that this program knows: one step for each version. Several
// sidecars may do so at once. Tables of a newer version are refused.
func (d *Database) Migrate(ctx context.Context, component string, steps []string) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTime)
	defer cancel()
	// Without a need for a change none of the rights to make one is needed.
	if version, err := d.version(ctx, d, component); err == nil && version == len(steps) {
		return nil
	}
	err := pgx.BeginFunc(ctx, d, func(tx pgx.Tx) error {
		lock := fnv.New64a()
		_, _ = lock.Write([]byte("ltisidecar migration " + d.Schema)) // never fails
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lock.Sum64())); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", d.Schema).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			if _, err := tx.Exec(ctx, "CREATE SCHEMA "+d.Schema); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+d.Schema+".version (component text PRIMARY KEY, version int NOT NULL)"); err != nil {
			return err
		}
		version, err := d.version(ctx, tx, component)
		if err != nil {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("the tables in schema %s have version %d of %s and this sidecar knows %d: use the newer version of the sidecar", d.Schema, version, component, len(steps))
		}
		for _, step := range steps[version:] {
			if _, err := tx.Exec(ctx, step); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "INSERT INTO "+d.Schema+".version VALUES ($1, $2) ON CONFLICT (component) DO UPDATE SET version = excluded.version", component, len(steps))
		return err
	})
	return Explain(err)
}

// version returns the version of a component's tables; 0: there are none.
func (d *Database) version(ctx context.Context, from interface {
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
}, component string) (version int, err error) {
	err = from.QueryRow(ctx, "SELECT version FROM "+d.Schema+".version WHERE component = $1", component).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

// The SQLSTATEs that are told apart.
const (
	undefinedSchema    = "3F000"
	undefinedTable     = "42P01"
	forbidden          = "42501"
	readOnly           = "25006"
	notInState         = "55000" // a standby, asked for the position of its WAL
	serialization      = "40001"
	deadlock           = "40P01"
	wrongPassword      = "28P01"
	unauthorized       = "28000"
	tooManyConnections = "53300"
	diskFull           = "53100"
)

func codeOf(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// TablesGone reports whether the tables are not there.
func TablesGone(err error) bool {
	return codeOf(err) == undefinedTable || codeOf(err) == undefinedSchema
}

// Full reports whether the server's disk is full.
func Full(err error) bool { return codeOf(err) == diskFull }

// Undecided reports whether a transaction that failed so may have been committed nevertheless, or may succeed when it is
// tried again at once. An error that ends only the statement is neither.
func Undecided(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return err != nil
	}
	return answer.Severity == "FATAL" || answer.Severity == "PANIC" || answer.Code == serialization || answer.Code == deadlock
}

// Explain adds to an error what to do about it.
func Explain(err error) error {
	var answer *pgconn.PgError
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case !errors.As(err, &answer):
		var connecting *pgconn.ConnectError
		if errors.As(err, &connecting) {
			return fmt.Errorf("the PostgreSQL server cannot be reached: %w", err)
		}
		return err
	case code == readOnly || code == notInState:
		return fmt.Errorf("this PostgreSQL server is a standby or read-only: put the address of the primary into the URL, or several hosts and target_session_attrs=read-write: %w", err)
	case code == forbidden:
		return fmt.Errorf("the PostgreSQL user may not do what is needed; docs/operations.md has the GRANTs: %w", err)
	case code == wrongPassword || code == unauthorized:
		return fmt.Errorf("the PostgreSQL server refuses the user or its password: %w", err)
	case code == tooManyConnections:
		return fmt.Errorf("the PostgreSQL server has no connection free: raise max_connections, or put a pooler before it: %w", err)
	case code == diskFull:
		return fmt.Errorf("the disk of the PostgreSQL server is full: %w", err)
	}
	return fmt.Errorf("the PostgreSQL server refuses: %w", err)
}
