// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
const reopened = 1_000_000

// childVariable names the directory of the store in a child process that redeems and waits to be killed.
const childVariable = "BENCHSTORES_CHILD"

func reopenConfig(directory string) badgerstore.Config {
	return badgerstore.Config{Directory: filepath.Join(directory, "store"), Instance: [4]byte{1}}
}

// child fills a store, says so, and goes on when its input ends: it then stops cleanly.
func child(directory string) error {
	store, err := badgerstore.Open(reopenConfig(directory))
	if err != nil {
		return err
	}
	ctx := context.Background()
	seal, err := store.Seal(ctx)
	if err != nil {
		return err
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
		return err
	}
	fmt.Println("filled")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return store.Close()
}

// reopen measures how long the embedded store takes to open, after a clean stop and after a kill.
func reopen(ctx context.Context, out io.Writer, directory string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var took [2]time.Duration
	for i, kill := range []bool{false, true} {
		home := filepath.Join(directory, fmt.Sprint("reopened-", kill))
		command := exec.CommandContext(ctx, self)
		command.Env = append(os.Environ(), childVariable+"="+home)
		command.Stderr = os.Stderr
		input, err := command.StdinPipe()
		if err != nil {
			return err
		}
		output, err := command.StdoutPipe()
		if err != nil {
			return err
		}
		if err := command.Start(); err != nil {
			return err
		}
		line, err := bufio.NewReader(output).ReadString('\n')
		if err != nil {
			return errors.Join(fmt.Errorf("the child said %q: %w", line, err), command.Process.Kill(), command.Wait())
		}
		if kill {
			err = command.Process.Kill()
			_ = command.Wait() // it says that it was killed
		} else {
			err = errors.Join(input.Close(), command.Wait())
		}
		if err != nil {
			return err
		}
		begun := time.Now()
		store, err := badgerstore.Open(reopenConfig(home))
		if err != nil {
			return err
		}
		took[i] = time.Since(begun)
		if err := store.Close(); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nThe embedded store with %d redemptions opens in %d ms after a clean stop and in %d ms after a kill -9.\n",
		reopened, took[0].Milliseconds(), took[1].Milliseconds())
	return nil
}
