// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/recordstest"
	"github.com/ltisidecar/ltisidecar/testservers"
)

// schemas numbers the schemas of the tests, which share a server.
var schemas atomic.Int32

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, config postgres.Config) *Store {
	t.Helper()
	store, err := Open(t.Context(), config)
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return store
}

func newConfig(url string) postgres.Config {
	return postgres.Config{URL: url, Schema: fmt.Sprint("records_", schemas.Add(1))}
}

// opened keeps a nil *Store from becoming an interface that is not nil.
func opened[T any](store *Store, err error) (none T, _ error) {
	if err != nil {
		return none, err
	}
	return any(store).(T), nil
}

// TestConformance runs the suites of documents and of lanes, directly and through a pooler that gives each transaction
// another connection.
func TestConformance(t *testing.T) {
	server := testservers.StartPostgres(t)
	for name, url := range map[string]string{"direct": server.URL(), "behind a pooler": server.StartPooler()} {
		t.Run(name, func(t *testing.T) {
			t.Run("documents", func(t *testing.T) {
				recordstest.Run(t, func(t *testing.T) recordstest.Shelf {
					config := newConfig(url)
					return recordstest.Shelf{Open: func() (records.Store, error) {
						return opened[records.Store](Open(t.Context(), config))
					}}
				})
			})
			t.Run("lanes", func(t *testing.T) {
				recordstest.RunLanes(t, func(t *testing.T) recordstest.LaneShelf { return laneShelf(t, server, url) })
			})
		})
	}
}

// laneShelf makes lanes whose clock can be moved.
func laneShelf(t *testing.T, server *testservers.Postgres, url string) recordstest.LaneShelf {
	t.Helper()
	config := newConfig(url)
	check(t, mustOpen(t, config).Close())
	var ahead time.Duration
	return recordstest.LaneShelf{
		Open: func() (recordstest.LaneHandle, error) {
			return opened[recordstest.LaneHandle](Open(t.Context(), config))
		},
		Advance: func(d time.Duration) {
			ahead += d
			server.Do(fmt.Sprintf("CREATE OR REPLACE FUNCTION %s.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT floor(extract(epoch from clock_timestamp()) * 1000)::bigint + %d'",
				config.Schema, ahead.Milliseconds()))
		},
		Now: func() time.Time {
			ms, err := strconv.ParseInt(server.Do("SELECT "+config.Schema+".now_ms()"), 10, 64)
			check(t, err)
			return time.UnixMilli(ms)
		},
	}
}

// TestAcknowledgedSurvives kills the server, and one of its processes, right after writes that were acknowledged,
// although the server's default is not to wait for the disk.
func TestAcknowledgedSurvives(t *testing.T) {
	server := testservers.StartPostgres(t, "-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s")
	store := mustOpen(t, newConfig(server.URL()))
	for name, end := range map[string]func(){"a process": server.Crash, "the server": func() { server.Kill(); server.Restart() }} {
		var ids []string
		for i := range 20 {
			_, err := store.Put(t.Context(), records.Document{Kind: "kind", Key: fmt.Sprint(name, i), Value: []byte(name)})
			check(t, err)
			entry, _, err := store.Append(t.Context(), records.Append{Kind: "work", Lane: "a", Group: "g", Payload: []byte(name)})
			check(t, err)
			ids = append(ids, entry.ID)
		}
		end()
		_, err := store.Get(t.Context(), "kind", "none")
		for errors.Is(err, records.ErrUnavailable) && t.Context().Err() == nil { // the connections of before break first
			_, err = store.Get(t.Context(), "kind", "none")
		}
		for i, id := range ids {
			_, err := store.Get(t.Context(), "kind", fmt.Sprint(name, i))
			check(t, err)
			_, err = store.Entry(t.Context(), "work", id)
			check(t, err)
		}
	}
}

// TestNewerTables opens tables that a newer version of the sidecar has made.
func TestNewerTables(t *testing.T) {
	server := testservers.StartPostgres(t)
	config := newConfig(server.URL())
	check(t, mustOpen(t, config).Close())
	server.Do("UPDATE " + config.Schema + ".version SET version = 99")
	if _, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "newer version of the sidecar") {
		t.Fatalf("newer tables: %v", err)
	}
}
