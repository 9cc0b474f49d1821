// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/redis/rueidis"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/noncestore/postgresstore"
	"github.com/ltisidecar/ltisidecar/noncestore/redisstore"
	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/testservers"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// maker makes a contender. directory is for its files.
type maker struct {
	name string
	make func(ctx context.Context, tb testing.TB, directory string) (*contender, error)
}

var contenders = []maker{
	{"memory (`nonce.store: memory`)", func(context.Context, testing.TB, string) (*contender, error) {
		return embedded(badgerstore.Config{InMemory: true})
	}},
	{"embedded", func(_ context.Context, _ testing.TB, directory string) (*contender, error) {
		return embedded(badgerstore.Config{Directory: filepath.Join(directory, "embedded")})
	}},
	{"embedded, `nonce.sync: always`", func(_ context.Context, _ testing.TB, directory string) (*contender, error) {
		return embedded(badgerstore.Config{Directory: filepath.Join(directory, "synced"), SyncAlways: true})
	}},
	{"Redis", func(ctx context.Context, tb testing.TB, _ string) (*contender, error) {
		server := testservers.StartRedis(tb)
		store, err := redisstore.Open(ctx, redisstore.Config{URL: server.URL(), Secret: secret})
		if err != nil {
			return nil, err
		}
		return overStore(store, server.Info("process_id"))
	}},
	{"PostgreSQL, fsync on", func(ctx context.Context, tb testing.TB, _ string) (*contender, error) {
		server := testservers.StartPostgres(tb, "-c", "fsync=on")
		store, err := postgresstore.Open(ctx, postgresstore.Config{Database: postgres.Config{URL: server.URL()}, Secret: secret})
		if err != nil {
			return nil, err
		}
		return overStore(store, server.Do("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)"))
	}},
	{"for comparison: plain Badger with SyncWrites", plainBadger},
	{"for comparison: bare `SET NX PX`, Redis with `appendfsync always`", bareRedis},
}

func embedded(config badgerstore.Config) (*contender, error) {
	config.Instance, config.SealDirectories = [4]byte{1}, []string{}
	store, err := badgerstore.Open(config)
	if err != nil {
		return nil, err
	}
	return overStore(store, "0")
}

// overStore redeems as a launch does: under the present seal.
func overStore(store noncestore.Store, server string) (*contender, error) {
	pid, err := strconv.Atoi(server)
	return &contender{server: pid, close: store.Close, redeem: func(ctx context.Context) error {
		seal, err := store.Seal(ctx)
		if err != nil {
			return err
		}
		return store.Redeem(ctx, seal.Generation, newNonce())
	}}, err
}

func newNonce() (nonce noncestore.Nonce) {
	_, _ = rand.Read(nonce[:]) // never fails
	return nonce
}

func plainBadger(_ context.Context, _ testing.TB, directory string) (*contender, error) {
	db, err := badger.Open(badger.DefaultOptions(filepath.Join(directory, "plain")).WithSyncWrites(true).WithLogger(nil))
	if err != nil {
		return nil, err
	}
	return &contender{close: db.Close, redeem: func(context.Context) error {
		nonce := newNonce()
		return db.Update(func(txn *badger.Txn) error {
			if _, err := txn.Get(nonce[:]); !errors.Is(err, badger.ErrKeyNotFound) {
				return errors.Join(errors.New("the nonce is there"), err)
			}
			return txn.SetEntry(badger.NewEntry(nonce[:], nil).WithTTL(noncestore.Retention))
		})
	}}, nil
}

func bareRedis(_ context.Context, tb testing.TB, _ string) (*contender, error) {
	server := testservers.StartRedis(tb, "--appendonly", "yes", "--appendfsync", "always")
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}, DisableCache: true})
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(server.Info("process_id"))
	return &contender{server: pid, close: func() error { client.Close(); return nil }, redeem: func(ctx context.Context) error {
		nonce := newNonce()
		return client.Do(ctx, client.B().Set().Key("nonce:"+string(nonce[:])).Value("1").Nx().PxMilliseconds(noncestore.Retention.Milliseconds()).Build()).Error()
	}}, err
}

// reopened is how many redemptions the store holds that is opened again.
const reopened = 200_000

// reopen measures how long the embedded store takes to open, after a kill and after a clean stop.
func reopen(ctx context.Context, out io.Writer, directory string) error {
	seals, err := os.MkdirTemp("/dev/shm", "bench-stores")
	if err != nil {
		seals = filepath.Join(directory, "seals") // no tmpfs: no seal is kept, and both times are of a new one
	} else {
		defer os.RemoveAll(seals)
	}
	config := badgerstore.Config{Directory: filepath.Join(directory, "reopened"), Instance: [4]byte{1}, SealDirectories: []string{seals}}
	store, err := badgerstore.Open(config)
	if err != nil {
		return err
	}
	seal, err := store.Seal(ctx)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	failures := make(chan error, 64)
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() {
			for range reopened / 64 {
				if err := store.Redeem(ctx, seal.Generation, newNonce()); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	running.Wait()
	close(failures)
	if err := <-failures; err != nil {
		return errors.Join(err, store.Close())
	}
	// A copy of an open store is what a kill leaves.
	killed := config
	killed.Directory = filepath.Join(directory, "killed")
	if err := errors.Join(os.CopyFS(killed.Directory, os.DirFS(config.Directory)), store.Close()); err != nil {
		return err
	}
	afterStop, kept, err := timeOpen(ctx, config, seal)
	if err != nil {
		return err
	}
	afterKill, _, err := timeOpen(ctx, killed, seal)
	if err != nil {
		return err
	}
	word := "its seal kept"
	if !kept {
		word = "with a new seal, as no tmpfs is there to keep it"
	}
	fmt.Fprintf(out, "\nThe embedded store with %d redemptions opens in %d ms after a clean stop, %s, and in %d ms after a kill -9, with a new\nseal.\n",
		reopened, afterStop.Milliseconds(), word, afterKill.Milliseconds())
	return nil
}

// timeOpen opens a store, measures that, and says whether the seal was kept.
func timeOpen(ctx context.Context, config badgerstore.Config, before noncestore.Seal) (time.Duration, bool, error) {
	begun := time.Now()
	store, err := badgerstore.Open(config)
	if err != nil {
		return 0, false, err
	}
	took := time.Since(begun)
	seal, err := store.Seal(ctx)
	return took, seal == before, errors.Join(err, store.Close())
}
