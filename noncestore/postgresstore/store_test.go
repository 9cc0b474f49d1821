// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	"github.com/ltisidecar/ltisidecar/noncestore/noncestoretest"
	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/testservers"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// schemas numbers the schemas of the tests, which share a server.
var schemas atomic.Int32

// place is a schema of a server.
type place struct {
	server *testservers.Postgres
	schema string
	config Config
}

func newPlace(server *testservers.Postgres, url string) *place {
	schema := fmt.Sprint("store_", schemas.Add(1))
	return &place{server, schema, Config{Secret: secret, Database: postgres.Config{URL: url, Schema: schema}}}
}

// do runs SQL in which S is the schema.
func (p *place) do(sql string) string {
	return p.server.Do(strings.ReplaceAll(sql, "S.", p.schema+"."))
}

// lose runs SQL while no redemption is under way, as none survives a restart. Rows that are deleted under one are among
// what is excluded.
func (p *place) lose(sql string) {
	p.do("BEGIN; LOCK TABLE S.fence, S.redemption IN ACCESS EXCLUSIVE MODE; " + sql + "; COMMIT")
}

func (p *place) memory(t *testing.T) noncestoretest.Memory {
	return noncestoretest.Memory{
		Open: func() (noncestore.Store, error) { return opened(Open(t.Context(), p.config)) },
		OpenSkewed: func(ahead time.Duration) (noncestore.Store, error) {
			skewed := p.config
			skewed.Now = func() time.Time { return time.Now().Add(ahead) }
			return opened(Open(t.Context(), skewed))
		},
		// Time passes for the redemptions: each becomes that much older. But for what is forgotten by it, the time of
		// first use must stay.
		Advance: func(d time.Duration) {
			if d >= noncestore.Retention-time.Minute || d < time.Minute {
				p.do(fmt.Sprintf("UPDATE S.redemption SET used_time = used_time - interval '%d seconds'", d/time.Second))
			}
		},
		Losses: map[string]func(){
			"emptied":         func() { p.lose("TRUNCATE S.fence, S.redemption") },
			"half emptied":    func() { p.lose("TRUNCATE S.redemption") },
			"dropped":         func() { p.lose("DROP SCHEMA " + p.schema + " CASCADE") },
			"no fence":        func() { p.lose("DELETE FROM S.fence") },
			"written anew":    func() { p.do("VACUUM FULL S.redemption") },
			"an older copy":   func() { p.lose("UPDATE S.fence SET seen = seen - interval '4 seconds'; DELETE FROM S.redemption") },
			"another process": func() { p.lose("UPDATE S.fence SET incarnation = incarnation || '0'; DELETE FROM S.redemption") },
			"an older copy after the seal was replaced": func() {
				p.do("CREATE TABLE S.copied AS SELECT * FROM S.fence; DELETE FROM S.fence")
				for begun := time.Now(); p.do("SELECT count(*) FROM S.fence f, S.copied c WHERE f.generation <> c.generation AND f.generation <> ''") == "0"; {
					if time.Since(begun) > 30*time.Second {
						t.Fatal("nobody replaces the fence")
					}
				}
				p.lose("DELETE FROM S.redemption; UPDATE S.fence f SET generation = c.generation, random = c.random, incarnation = c.incarnation, seen = c.seen - interval '4 seconds' FROM S.copied c")
			},
		},
	}
}

// opened keeps a nil *fence.Store from becoming a Store that is not nil.
func opened(store *fence.Store, err error) (noncestore.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

func TestConformance(t *testing.T) {
	server := testservers.StartPostgres(t)
	t.Run("direct", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory { return newPlace(server, server.URL()).memory(t) })
	})
	// A pooler in transaction mode gives each transaction another connection.
	t.Run("behind a pooler", func(t *testing.T) {
		url := server.StartPooler()
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
			memory := newPlace(server, url).memory(t)
			memory.Losses = map[string]func(){"emptied": memory.Losses["emptied"]}
			return memory
		})
	})
	t.Run("whole server", func(t *testing.T) {
		noncestoretest.RunLosses(t, func(t *testing.T) noncestoretest.Memory {
			memory := newPlace(server, server.URL()).memory(t)
			memory.Losses = map[string]func(){
				"killed": func() {
					server.Kill()
					server.Restart()
				},
				"restored from a snapshot": func() {
					server.Stop()
					backup := server.Backup()
					server.Restart()
					server.Stop()
					server.Restore(backup)
					server.Restart()
				},
			}
			return memory
		})
	})
}

func mustOpen(t *testing.T, config Config) *fence.Store {
	t.Helper()
	store, err := Open(t.Context(), config)
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return store
}

func sealOf(t *testing.T, store noncestore.Store) noncestore.Seal {
	t.Helper()
	seal, err := store.Seal(t.Context())
	check(t, err)
	return seal
}

func newNonce() (nonce noncestore.Nonce) {
	rand.Read(nonce[:]) // never fails
	return nonce
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// TestFailover promotes a standby that missed a redemption.
func TestFailover(t *testing.T) {
	primary := testservers.StartPostgres(t)
	before := newPlace(primary, primary.URL())
	store := mustOpen(t, before.config)
	seal := sealOf(t, store)
	standby := primary.StartStandby()
	primary.CatchUp(standby)

	after := before.config
	after.Database.URL = standby.URL()
	if opened, err := Open(t.Context(), after); err == nil || !strings.Contains(err.Error(), "address of the primary") {
		t.Fatalf("a standby: %v, %v", opened, err)
	}
	standby.Do("SELECT pg_wal_replay_pause()")
	nonce := newNonce()
	check(t, store.Redeem(t.Context(), seal.Generation, nonce))
	primary.Kill()
	standby.Do("SELECT pg_wal_replay_resume()")
	standby.Promote()
	standby.Do("DELETE FROM " + before.schema + ".redemption") // what asynchronous replication may have lost
	other := mustOpen(t, after)
	if fresh := sealOf(t, other); fresh.Key == seal.Key || !fresh.Generation.SameInstance(seal.Generation) {
		t.Fatalf("generation %x after %x", fresh.Generation, seal.Generation)
	}
	wantError(t, other.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrStale)
	wantError(t, store.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrUnavailable)
}

// TestPromotionSeenAtOnce promotes a standby under an open connection: the timeline is another one before the control
// file says so.
func TestPromotionSeenAtOnce(t *testing.T) {
	primary := testservers.StartPostgres(t)
	at := newPlace(primary, primary.URL())
	seal := sealOf(t, mustOpen(t, at.config))
	standby := primary.StartStandby()
	primary.CatchUp(standby)
	config := at.config
	config.Database.URL = standby.URL()
	database, err := postgres.Connect(t.Context(), postgres.Config{URL: standby.URL(), Schema: at.schema, MaxConnections: 2})
	check(t, err)
	e := newEngine(database)
	t.Cleanup(func() { check(t, e.Close()) })
	standby.Promote()
	answer, err := e.Redeem(t.Context(), fence.Redemption{Generation: seal.Generation, Nonce: newNonce()})
	check(t, err)
	if answer.Verdict != fence.Stale {
		t.Fatalf("verdict %d under the seal of the former primary", answer.Verdict)
	}
	mustOpen(t, config)
	if incarnation := standby.Do("SELECT incarnation FROM " + at.schema + ".fence"); !strings.Contains(incarnation, ":00000002:") {
		t.Fatalf("the incarnation %s does not name the timeline after a promotion", incarnation)
	}
}

// TestLostCommit asks again for a redemption whose answer was lost.
func TestLostCommit(t *testing.T) {
	server := testservers.StartPostgres(t)
	at := newPlace(server, server.URL())
	generation := sealOf(t, mustOpen(t, at.config)).Generation
	database, err := postgres.Connect(t.Context(), postgres.Config{URL: server.URL(), Schema: at.schema, MaxConnections: 2})
	check(t, err)
	e := newEngine(database)
	t.Cleanup(func() { check(t, e.Close()) })
	ours := fence.Redemption{Generation: generation, Nonce: newNonce()}
	rand.Read(ours.Owner[:]) // never fails
	theirs := ours
	theirs.Owner[0] ^= 1
	for _, step := range []struct {
		attempt fence.Redemption
		want    fence.Verdict
	}{{ours, fence.Accepted}, {ours, fence.Accepted}, {theirs, fence.Used}, {ours, fence.Accepted}} {
		answer, err := e.Redeem(t.Context(), step.attempt)
		check(t, err)
		if answer.Verdict != step.want {
			t.Fatalf("verdict %d, want %d", answer.Verdict, step.want)
		}
	}
	at.do("TRUNCATE S.redemption")
	answer, err := e.Redeem(t.Context(), ours)
	check(t, err)
	if answer.Verdict != fence.Stale {
		t.Fatalf("verdict %d after the memory was lost", answer.Verdict)
	}
}

// TestKilledBackend ends the connections of the store at the server, again and again, while it redeems.
func TestKilledBackend(t *testing.T) {
	server := testservers.StartPostgres(t)
	at := newPlace(server, server.URL())
	store := mustOpen(t, at.config)
	seal := sealOf(t, store)
	for range 30 {
		nonce := newNonce()
		done := make(chan error, 1)
		go func() { done <- store.Redeem(t.Context(), seal.Generation, nonce) }()
		server.Do("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
		first := <-done
		second := store.Redeem(t.Context(), seal.Generation, nonce)
		if first == nil && second == nil {
			t.Fatal("accepted twice")
		}
		var replay *noncestore.ReplayError
		if first == nil && !errors.As(second, &replay) && !errors.Is(second, noncestore.ErrUnavailable) {
			t.Fatalf("got %v, want a *ReplayError", second)
		}
	}
}

// TestWaitsForTheDisk kills one process of a server whose default is not to wait for the disk. PostgreSQL then starts
// over without its first process starting again: the fence stays, and so must every redemption.
func TestWaitsForTheDisk(t *testing.T) {
	server := testservers.StartPostgres(t, "-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s")
	at := newPlace(server, server.URL())
	store := mustOpen(t, at.config)
	seal, nonces := sealOf(t, store), []noncestore.Nonce{}
	for range 50 {
		nonces = append(nonces, newNonce())
		check(t, store.Redeem(t.Context(), seal.Generation, nonces[len(nonces)-1]))
	}
	server.Crash()
	after, err := store.Refresh(t.Context())
	for err != nil && t.Context().Err() == nil {
		after, err = store.Refresh(t.Context())
	}
	if after != seal {
		t.Fatal("the seal changed: the test shows nothing")
	}
	for _, nonce := range nonces {
		var replay *noncestore.ReplayError
		if err := store.Redeem(t.Context(), seal.Generation, nonce); !errors.As(err, &replay) {
			t.Fatalf("got %v, want a *ReplayError", err)
		}
	}
}

// TestTidied looks at what is left of forgotten redemptions.
func TestTidied(t *testing.T) {
	server := testservers.StartPostgres(t)
	at := newPlace(server, server.URL())
	database, err := postgres.Connect(t.Context(), postgres.Config{URL: server.URL(), Schema: at.schema, MaxConnections: 2})
	check(t, err)
	e := newEngine(database)
	t.Cleanup(func() { check(t, e.Close()) })
	_, err = e.Poll(t.Context(), fence.Proposal{})
	check(t, err)
	at.do("INSERT INTO S.redemption SELECT int4send(i), '', clock_timestamp() - (i % 2) * interval '12 minutes 1 second' FROM generate_series(1, 1000) AS i")
	e.tidied.Store(0)
	_, err = e.Poll(t.Context(), fence.Proposal{})
	check(t, err)
	if left := at.do("SELECT count(*) FROM S.redemption"); left != "500" {
		t.Fatalf("%s rows are left, want 500", left)
	}
}

// TestNewerTables opens tables that a newer version of the sidecar has made.
func TestNewerTables(t *testing.T) {
	server := testservers.StartPostgres(t)
	at := newPlace(server, server.URL())
	check(t, mustOpen(t, at.config).Close())
	at.do("UPDATE S.version SET version = 99")
	if _, err := Open(t.Context(), at.config); err == nil || !strings.Contains(err.Error(), "newer version of the sidecar") {
		t.Fatalf("newer tables: %v", err)
	}
}

// grants are the rights of docs/operations.md, for a user who does not own the tables.
const grants = `GRANT USAGE ON SCHEMA ltisidecar TO tool;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ltisidecar TO tool;`

// TestRights has a user who may do no more than the documentation says.
func TestRights(t *testing.T) {
	server := testservers.StartPostgres(t)
	server.Do("CREATE USER tool")
	config := Config{Secret: secret, Database: postgres.Config{URL: strings.Replace(server.URL(), "postgres@", "tool@", 1)}}
	if _, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "GRANT") {
		t.Fatalf("without rights: %v", err)
	}
	owner := config
	owner.Database.URL = server.URL()
	check(t, mustOpen(t, owner).Close())
	server.Do(grants)
	store := mustOpen(t, config)
	check(t, store.Redeem(t.Context(), sealOf(t, store).Generation, newNonce()))
}

// TestManyOpen has many sidecars make the tables at once.
func TestManyOpen(t *testing.T) {
	server := testservers.StartPostgres(t)
	at := newPlace(server, server.URL())
	at.config.Database.MaxConnections = 2
	const sidecars = 12
	results := make(chan error, sidecars)
	seals := make(chan noncestore.Seal, sidecars)
	for range sidecars {
		go func() {
			store, err := Open(context.WithoutCancel(t.Context()), at.config)
			if err == nil {
				var seal noncestore.Seal
				seal, err = store.Seal(t.Context())
				seals <- seal
				err = errors.Join(err, store.Close())
			}
			results <- err
		}()
	}
	for range sidecars {
		check(t, <-results)
	}
	first := <-seals
	for range sidecars - 1 {
		if seal := <-seals; seal != first {
			t.Fatal("sidecars that started at once have different seals")
		}
	}
}
