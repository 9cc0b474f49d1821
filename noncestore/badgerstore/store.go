// SPDX-License-Identifier: Apache-2.0

// Package badgerstore remembers redeemed nonces in Badger, on disk or in memory, for one sidecar alone.
//
// # Why no redemption waits for the disk
//
// The seal never lies beside the redemptions it guards. It lives in memory, and a start takes a new one unless it can
// prove that not a byte was lost since the last clean stop. So a crash, a wiped or restored directory, a copy of it, or
// a damaged file may lose redemptions, but never open a replay: every state made before is refused with ErrStale, and
// the user clicks once more.
//
// # The proof
//
// A clean Close writes a random stop mark as Badger's last synced entry, closes Badger, and only then leaves the seal in
// a file on tmpfs, named by the instance id, with the mark, the boot id, the clocks and a hash over all of Badger's
// files. The next Open takes that file away before it does anything else, so at most one store has it, and keeps the
// seal only where everything agrees and the file is younger than a state lives. It erases the mark, synced, before it
// answers anybody. Where there is no tmpfs or no boot id (macOS, Windows), every Open takes a new seal.
//
// Badger opens a directory only after that proof, and an empty one otherwise: redemptions under a seal that is gone
// answer no question any more, and Badger neither notices every damage nor survives all of it. A directory that
// disagrees with its seal file is set aside as badger.corrupt-<time>, the newest three are kept.
//
// # Clocks
//
// Expiry lies in the value and is judged by Config.Now; Badger's own expiry only tidies up. Where the wall clock moves
// by more than five seconds against the monotonic one (suspend, resume of a virtual machine, a clock set by hand), the
// seal is replaced. A live clone of the running process (CRIU) is outside the promise.
//
// # Full disks
//
// Badger writes through memory maps, and a full disk ends the process with SIGBUS. The store watches the free space
// before it opens Badger, each second, and before it redeems; below a reserve it answers ErrFull, and it recovers by
// itself. What remains: a disk of which others take all of the reserve, more than 128 MiB, while Badger writes out tables
// that it has begun. The process then ends, and the next start takes a new seal.
package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// maxRunning is how many calls besides redemptions may work on Badger at once.
const maxRunning = 256

var (
	errClosed      = errors.New("the store is closed")
	errNotOpen     = errors.New("the database is not open yet")
	errShort       = fmt.Errorf("%w: too little free disk space", noncestore.ErrFull)
	errClockJumped = errors.New("the wall clock moved against the monotonic clock")
)

// Store implements noncestore.Store. Its methods may be called from many goroutines.
type Store struct {
	config Config
	host   host
	log    *slog.Logger
	lock   *directoryLock // nil in memory

	tidyAfter time.Duration // of redemptions; a test has it shorter

	running     chan struct{} // one element for each call at work
	redemptions chan *redemption
	committed   chan struct{} // closed when the committing goroutine has ended
	closing     chan struct{} // closed when Close begins
	watched     chan struct{} // closed when the watching goroutine has ended
	sweeping    sync.WaitGroup
	closeOnce   sync.Once
	closeErr    error

	recent *recentNonces

	short        atomic.Bool  // too little free space
	spaceChecked atomic.Int64 // when, in nanoseconds of the monotonic clock
	tableBytes   atomic.Int64 // size of Badger's tables, as of the last check

	// mu keeps rolls and redemptions apart: a redemption holds it for reading from the comparison of the generation
	// until the write is done, a roll holds it for writing. current may be read without it.
	mu      sync.RWMutex
	current atomic.Pointer[heldSeal] // nil: none
	db      *badger.DB               // nil: not open yet
}

// heldSeal is the present seal, and wall minus monotonic clock at its birth.
type heldSeal struct {
	noncestore.Seal
	birth time.Duration
}

// Open opens the store. It fails where the configuration is wrong, where the directory may not be used, and within two
// seconds where another store holds it, naming that holder. Lost, damaged or unproven redemptions never make it fail.
// Where the disk is too full to open Badger safely, it returns a store that answers ErrFull until there is room.
func Open(config Config) (*Store, error) { return open(config, thisHost()) }

func open(config Config, h host) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if config.Monotonic != nil {
		h.monotonic = config.Monotonic
	}
	s := &Store{
		config:      config,
		host:        h,
		tidyAfter:   defaultTidyAfter,
		log:         config.Logger,
		running:     make(chan struct{}, maxRunning),
		recent:      &recentNonces{},
		redemptions: make(chan *redemption, maxBatch),
		committed:   make(chan struct{}),
		closing:     make(chan struct{}),
		watched:     make(chan struct{}),
	}
	if !config.InMemory {
		if s.lock, err = lockDirectory(config.Directory); err != nil {
			return nil, err
		}
	}
	s.checkSpace()
	if !s.short.Load() {
		if err := s.start(); err != nil {
			if s.lock != nil {
				err = errors.Join(err, s.lock.release())
			}
			return nil, err
		}
	}
	go s.watch()
	go s.commitAll()
	return s, nil
}

// Seal implements noncestore.Store. It touches no disk unless the clock jumped.
func (s *Store) Seal(ctx context.Context) (noncestore.Seal, error) {
	if err := s.usable(ctx); err != nil {
		return noncestore.Seal{}, err
	}
	if held := s.current.Load(); held != nil && !s.jumped(held) {
		return held.Seal, nil
	}
	if err := s.do(ctx, s.rollAfterJump); err != nil {
		return noncestore.Seal{}, err
	}
	held := s.current.Load()
	if held == nil {
		return noncestore.Seal{}, unavailable(errNotOpen)
	}
	return held.Seal, nil
}

// Redeemed implements noncestore.Store. It knows the newest redemptions of this run, and never waits for the disk.
func (s *Store) Redeemed(ctx context.Context, nonce noncestore.Nonce) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return s.recent.find(nonce, s.config.Now())
}

// usable says whether a call may begin at all.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closing:
		return unavailable(errClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	if s.short.Load() {
		return unavailable(errShort)
	}
	return nil
}

// do runs f on a goroutine of its own, at most maxRunning at once, and waits for it no longer than the context lasts.
// What was said of a panic at commitAll holds here too.
func (s *Store) do(ctx context.Context, f func() error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	select {
	case s.running <- struct{}{}:
	case <-s.closing:
		return unavailable(errClosed)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.running }()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// newSeal makes a seal of this instance that is born now, and logs why.
func (s *Store) newSeal(reason string) (*heldSeal, error) {
	held := &heldSeal{birth: s.wallMinusMonotonic()}
	copy(held.Generation[:], s.config.Instance[:])
	if _, err := io.ReadFull(s.config.Rand, held.Generation[4:]); err != nil {
		return nil, fmt.Errorf("badgerstore: no randomness for a seal: %w", err)
	}
	if _, err := io.ReadFull(s.config.Rand, held.Key[:]); err != nil {
		return nil, fmt.Errorf("badgerstore: no randomness for a seal: %w", err)
	}
	s.log.Info("new seal: logins under way must be started again", "reason", reason)
	return held, nil
}

// Close waits for the calls at work, leaves the seal for the next Open where that can be proven whole, and closes
// Badger. Where the disk is too full for Badger's last write, Badger is left as it is, and the directory stays locked
// until the process ends. Every call of Close returns the result of the first.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.watched
		<-s.committed
		s.sweeping.Wait()
		for range maxRunning {
			s.running <- struct{}{}
		}
		s.closeErr = s.stop()
	})
	return s.closeErr
}

// unavailable wraps a cause in noncestore.ErrUnavailable, once.
func unavailable(cause error) error {
	if errors.Is(cause, noncestore.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", noncestore.ErrUnavailable, cause)
}
