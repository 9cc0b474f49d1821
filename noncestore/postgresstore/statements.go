// SPDX-License-Identifier: Apache-2.0

package postgresstore

import "strings"

// statements are the SQL of one schema.
type statements struct {
	migrations []string // one for each version of the tables

	look   string // the fence, its row locked, with the server as it is
	begin  string // makes the row of a fence that is yet to be written
	write  string // writes the fence
	redeem string // $1 nonce, $2 owner, $3 generation, $4 known incarnation, $5 known seen, $6 retention
	tidy   string // $1 retention, $2 rows at most
}

// The redemption's table is filled to three quarters only: a replay changes a row where it lies.
const migration1 = `
CREATE TABLE SCHEMA.redemption (
	nonce bytea PRIMARY KEY,
	owner bytea NOT NULL,
	used_time timestamptz NOT NULL
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX redemption_used_time ON SCHEMA.redemption (used_time);
CREATE TABLE SCHEMA.fence (
	id int PRIMARY KEY CHECK (id = 1),
	generation bytea NOT NULL,
	random bytea NOT NULL,
	incarnation text NOT NULL,
	seen timestamptz NOT NULL,
	secret_check bytea NOT NULL
) WITH (fillfactor = 20);
`

// incarnation says which data on which history which process serves.
const incarnation = `(SELECT system_identifier FROM pg_control_system())
	|| ':' || pg_relation_filenode('SCHEMA.redemption')
	|| ':' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
	|| ':' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint`

// redeem always returns one row; used_time is null where the fence is not current. A row that is there and not yet
// forgotten stays as it is, but is written again: only so does this statement see a row of a transaction that was not
// committed when it began.
const redeem = `
WITH current AS MATERIALIZED (
	SELECT set_config('synchronous_commit', 'on', true) FROM SCHEMA.fence
	WHERE generation = $3 AND incarnation = INCARNATION AND (incarnation <> $4 OR seen >= $5)
), redeemed AS (
	INSERT INTO SCHEMA.redemption AS r (nonce, owner, used_time) SELECT $1, $2, clock_timestamp() FROM current
	ON CONFLICT (nonce) DO UPDATE SET
		owner = CASE WHEN r.used_time + $6 < excluded.used_time THEN excluded.owner ELSE r.owner END,
		used_time = CASE WHEN r.used_time + $6 < excluded.used_time THEN excluded.used_time ELSE r.used_time END
	RETURNING owner, used_time
)
SELECT owner, used_time, clock_timestamp() FROM (SELECT) AS one LEFT JOIN redeemed ON true`

func statementsIn(schema string) statements {
	in := strings.NewReplacer("INCARNATION", strings.ReplaceAll(incarnation, "SCHEMA", schema), "SCHEMA", schema).Replace
	return statements{
		migrations: []string{in(migration1)},
		look: in(`SELECT generation, random, incarnation, seen, secret_check, INCARNATION, clock_timestamp()
			FROM SCHEMA.fence WHERE id = 1 FOR UPDATE`),
		begin:  in(`INSERT INTO SCHEMA.fence VALUES (1, '', '', '', 'epoch', '') ON CONFLICT DO NOTHING`),
		write:  in(`UPDATE SCHEMA.fence SET generation = $1, random = $2, incarnation = $3, seen = $4, secret_check = $5 WHERE id = 1`),
		redeem: in(redeem),
		tidy: in(`DELETE FROM SCHEMA.redemption WHERE nonce IN (SELECT nonce FROM SCHEMA.redemption
			WHERE used_time + $1 < clock_timestamp() ORDER BY used_time LIMIT $2 FOR UPDATE SKIP LOCKED)`),
	}
}
