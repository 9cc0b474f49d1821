// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/noncestoretest"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv(fullOrders); directory != "" {
		fullMain(directory)
		return
	}
	if text := os.Getenv(childOrders); text != "" {
		childMain(text)
		return
	}
	goleak.VerifyTestMain(m)
}

// machine is a host whose clocks, boot id, free space and tmpfs are what the test says.
type machine struct {
	mu        sync.Mutex
	wall      time.Time
	monotonic time.Duration
	boot      time.Duration
	id        string
	room      room
	roomErr   error
	memory    bool // whether directories lie on tmpfs
}

func newMachine() *machine {
	return &machine{wall: time.Unix(1_800_000_000, 0), monotonic: time.Hour, boot: 2 * time.Hour, id: "boot-1",
		room: room{math.MaxUint64, math.MaxUint64}, memory: true}
}

func (m *machine) host() host {
	return host{
		monotonic: func() time.Duration { m.mu.Lock(); defer m.mu.Unlock(); return m.monotonic },
		bootID: func() (string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.id == "" {
				return "", errors.ErrUnsupported
			}
			return m.id, nil
		},
		bootTime: func() (time.Duration, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.boot, nil },
		free:     func(string) (room, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.room, m.roomErr },
		tmpfs:    func(string) bool { m.mu.Lock(); defer m.mu.Unlock(); return m.memory },
	}
}

func (m *machine) now() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.wall }

// pass lets time pass on all clocks.
func (m *machine) pass(d time.Duration) {
	m.set(func() { m.wall, m.monotonic, m.boot = m.wall.Add(d), m.monotonic+d, m.boot+d })
}

func (m *machine) set(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

// bench is a store's surroundings: a machine, a data directory, a directory for seals, and what was logged.
type bench struct {
	*testing.T
	*machine
	config Config
	log    *logBuffer
}

// logBuffer is a bytes.Buffer for many goroutines.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.buffer.String() }

func newBench(t *testing.T) *bench {
	m, log := newMachine(), &logBuffer{}
	return &bench{T: t, machine: m, log: log, config: Config{
		Directory:       filepath.Join(t.TempDir(), "nonces"),
		Instance:        [4]byte{1, 2, 3, 4},
		SealDirectories: []string{t.TempDir()},
		Now:             m.now,
		Logger:          slog.New(slog.NewTextHandler(log, nil)),
	}}
}

// open opens the store, to be closed at the end of the test at the latest.
func (b *bench) open() *Store {
	b.Helper()
	s, err := open(b.config, b.host())
	if err != nil {
		b.Fatalf("Open: %v", err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// cycle opens the store, redeems a nonce, and stops cleanly.
func (b *bench) cycle() (noncestore.Seal, noncestore.Nonce) {
	b.Helper()
	s := b.open()
	seal, nonce := b.seal(s), newNonce()
	b.accepted(s.Redeem(b.Context(), seal.Generation, nonce))
	b.close(s)
	return seal, nonce
}

func (b *bench) close(s *Store) {
	b.Helper()
	if err := s.Close(); err != nil {
		b.Fatalf("Close: %v", err)
	}
}

func (b *bench) seal(s *Store) noncestore.Seal {
	b.Helper()
	seal, err := s.Seal(b.Context())
	if err != nil {
		b.Fatalf("Seal: %v", err)
	}
	return seal
}

func (b *bench) accepted(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("got %v, want the nonce to be accepted", err)
	}
}

func (b *bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("got %v, want %v", err, want)
	}
}

func (b *bench) replayed(err error) {
	b.Helper()
	var replay *noncestore.ReplayError
	if !errors.As(err, &replay) {
		b.Fatalf("got %v, want a *ReplayError", err)
	}
}

// kept checks that the store has the seal, and remembers the nonce.
func (b *bench) kept(s *Store, seal noncestore.Seal, nonce noncestore.Nonce) {
	b.Helper()
	if got := b.seal(s); got != seal {
		b.Fatalf("generation %x, want the former seal %x kept; log:\n%s", got.Generation, seal.Generation, b.log)
	}
	b.replayed(s.Redeem(b.Context(), seal.Generation, nonce))
}

// renewed checks that the store has another seal than the former one and refuses that, for a stated reason.
func (b *bench) renewed(s *Store, former noncestore.Seal, nonce noncestore.Nonce, reason string) {
	b.Helper()
	got := b.seal(s)
	if got.Generation == former.Generation || got.Key == former.Key {
		b.Fatalf("the former seal was kept, want a new one; log:\n%s", b.log)
	}
	if !got.Generation.SameInstance(former.Generation) {
		b.Fatalf("generation %x is of another instance than %x", got.Generation, former.Generation)
	}
	b.is(s.Redeem(b.Context(), former.Generation, nonce), noncestore.ErrStale)
	b.is(s.Redeem(b.Context(), former.Generation, newNonce()), noncestore.ErrStale)
	b.accepted(s.Redeem(b.Context(), got.Generation, newNonce()))
	b.logged(reason)
}

func (b *bench) logged(text string) {
	b.Helper()
	if !bytes.Contains([]byte(b.log.String()), []byte(text)) {
		b.Fatalf("%q was not logged, but:\n%s", text, b.log)
	}
}

func (b *bench) badgerDirectory() string { return filepath.Join(b.config.Directory, badgerName) }

// copyDirectory copies the data directory to a place of its own.
func (b *bench) copyDirectory(from string) string {
	b.Helper()
	to := filepath.Join(b.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		b.Fatal(err)
	}
	return to
}

func newNonce() (nonce noncestore.Nonce) {
	rand.Read(nonce[:])
	return nonce
}

// REQ-035 REQ-084
func TestConformance(t *testing.T) {
	memory := func(b *bench, forgets bool) noncestoretest.Memory {
		return noncestoretest.Memory{
			Open:      func() (noncestore.Store, error) { return open(b.config, b.host()) },
			Exclusive: !b.config.InMemory,
			Forgets:   forgets,
			Now:       b.now,
			Advance:   b.pass,
		}
	}
	t.Run("on disk", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory { return memory(newBench(t), false) })
	})
	t.Run("on disk, every redemption synced", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
			b := newBench(t)
			b.config.SyncAlways = true
			return memory(b, false)
		})
	})
	t.Run("on disk without tmpfs", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
			b := newBench(t)
			b.set(func() { b.memory = false })
			return memory(b, true)
		})
	})
	t.Run("in memory", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
			b := newBench(t)
			b.config.InMemory, b.config.Directory = true, ""
			return memory(b, true)
		})
	})
	t.Run("on this host", func(t *testing.T) {
		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
			config := Config{Directory: t.TempDir(), Instance: [4]byte{9}, SealDirectories: []string{tmpfsDirectory(t)}}
			return noncestoretest.Memory{Exclusive: true,
				Forgets: len(config.SealDirectories[0]) == 0,
				Open:    func() (noncestore.Store, error) { return Open(config) }}
		})
	})
}

// tmpfsDirectory returns a directory that really lies on tmpfs, or "" where this host has none.
func tmpfsDirectory(t *testing.T) string {
	if !isTmpfs("/dev/shm") {
		return ""
	}
	directory, err := os.MkdirTemp("/dev/shm", "badgerstore-test-")
	if err != nil {
		return ""
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	return directory
}
