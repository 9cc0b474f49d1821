// SPDX-License-Identifier: Apache-2.0

package postgresstore

// Times are in milliseconds since 1970; 0: none. They are those of SCHEMA.now_ms(), and no others.
const migration1 = `
CREATE FUNCTION SCHEMA.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
	'SELECT floor(extract(epoch from clock_timestamp()) * 1000)::bigint';

CREATE TABLE SCHEMA.document (
	kind text NOT NULL COLLATE "C",
	key bytea NOT NULL,
	version bigint NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (kind, key)
);

-- A kind of entries. Its row is locked by whoever changes an entry, until that is committed: so changes are committed in
-- the order of their numbers, and whoever has read up to one has missed none.
CREATE TABLE SCHEMA.kind (
	name text PRIMARY KEY COLLATE "C",
	change bigint NOT NULL,
	open bigint NOT NULL
) WITH (fillfactor = 20);

-- A lane. It outlives its entries. Its row is locked by whoever works on it.
CREATE TABLE SCHEMA.lane (
	kind text NOT NULL COLLATE "C",
	name text NOT NULL COLLATE "C",
	standing bigint NOT NULL DEFAULT 0,      -- newest event that was delivered or is unconfirmed
	standing_sent bigint NOT NULL DEFAULT 0, -- and the newest sent of those
	sent bigint NOT NULL DEFAULT 0,          -- last sent
	changed bigint NOT NULL,
	head_due bigint NOT NULL DEFAULT 0,      -- of the first open entry; 0: there is none
	head_group text NOT NULL DEFAULT '',
	lease_token text NOT NULL DEFAULT '',
	lease_id text NOT NULL DEFAULT '',
	lease_expires bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (kind, name)
) WITH (fillfactor = 70);
CREATE INDEX lane_due ON SCHEMA.lane (kind, head_due) WHERE head_due <> 0;
CREATE INDEX lane_changed ON SCHEMA.lane (kind, changed);

CREATE TABLE SCHEMA.entry (
	id text PRIMARY KEY COLLATE "C",
	kind text NOT NULL COLLATE "C",
	lane text NOT NULL COLLATE "C",
	sequence bigint NOT NULL, -- the change that appended it
	change bigint NOT NULL,   -- the last one
	grp text NOT NULL,
	owner text NOT NULL,
	request text NOT NULL,
	asked boolean NOT NULL,   -- the request is still remembered
	ordered boolean NOT NULL,
	replaceable boolean NOT NULL,
	event bigint NOT NULL,
	sent bigint NOT NULL,
	payload bytea NOT NULL,
	state text NOT NULL,
	due bigint NOT NULL,
	started bigint NOT NULL DEFAULT 0,
	attempts int NOT NULL DEFAULT 0,
	ambiguous boolean NOT NULL DEFAULT false,
	result bytea NOT NULL DEFAULT '',
	appended bigint NOT NULL,
	changed bigint NOT NULL
);
CREATE UNIQUE INDEX entry_change ON SCHEMA.entry (kind, change);
CREATE UNIQUE INDEX entry_request ON SCHEMA.entry (kind, request) WHERE asked;
CREATE INDEX entry_open ON SCHEMA.entry (kind, lane, sequence) WHERE due <> 0;
CREATE INDEX entry_lane ON SCHEMA.entry (kind, lane);
CREATE INDEX entry_asked ON SCHEMA.entry (kind, appended) WHERE asked;
`

// migrations are the steps to the present version, one for each.
func (s *Store) migrations() []string { return []string{s.sql(migration1)} }
