// SPDX-License-Identifier: Apache-2.0

package fence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// Times of a Store.
const (
	pollInterval = time.Second
	pollTime     = 5 * time.Second       // of one poll
	pollPause    = 50 * time.Millisecond // between two polls, however many calls ask for one
	viewLife     = 3 * time.Second       // a view that is older says nothing of the store now
	attemptTime  = 2 * time.Second       // of one attempt to redeem
	attempts     = 3
)

// MinSecret is how long the shared secret must be, in bytes. Who reads the database can try short ones.
const MinSecret = 32

var errClosed = errors.New("the store is closed")

// Config configures a Store.
type Config struct {
	// Engine is the database. Required; the Store closes it, also where Open fails.
	Engine Engine

	// Secret is shared by all sidecars of one database, MinSecret bytes at least. Required.
	Secret []byte

	// Now is our wall clock. Nil: time.Now.
	Now func() time.Time

	// Monotonic is the time since some moment of this process. Nil: the system's.
	Monotonic func() time.Duration

	// Rand is where generations and owners come from. Nil: crypto/rand.Reader.
	Rand io.Reader

	// Logger is told of new seals and their reason. It never sees a seal, a secret or a nonce. Nil: nothing is logged.
	Logger *slog.Logger
}

// Store implements noncestore.Store. Its methods may be called from many goroutines.
type Store struct {
	config    Config
	check     [16]byte
	instance  [4]byte
	closing   chan struct{}
	stop      context.CancelFunc // ends the polls
	polls     sync.WaitGroup
	closeOnce sync.Once
	closeErr  error

	view atomic.Pointer[view] // the newest; never nil after Open

	mu      sync.Mutex
	running *poll // nil: none
	context context.Context
}

// Open polls the fence once and starts to watch it. It fails where the first poll does.
func Open(ctx context.Context, config Config) (*Store, error) {
	s, err := open(ctx, config)
	if err != nil && config.Engine != nil {
		err = errors.Join(err, config.Engine.Close())
	}
	return s, err
}

func open(ctx context.Context, config Config) (*Store, error) {
	if config.Engine == nil {
		return nil, errors.New("fence: Config.Engine is nil")
	}
	if len(config.Secret) < MinSecret {
		return nil, fmt.Errorf("fence: the shared secret has %d bytes; it needs %d", len(config.Secret), MinSecret)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Monotonic == nil {
		begun := time.Now()
		config.Monotonic = func() time.Duration { return time.Since(begun) }
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{config: config, closing: make(chan struct{})}
	s.context, s.stop = context.WithCancel(context.Background())
	var err error
	if s.check, err = checkOf(config.Secret); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(config.Rand, s.instance[:]); err != nil {
		return nil, fmt.Errorf("fence: no randomness: %w", err)
	}
	if _, err := s.refresh(ctx, 0); err != nil {
		s.stop()
		s.polls.Wait()
		return nil, err
	}
	s.polls.Go(s.watch)
	return s, nil
}

// Seal implements noncestore.Store. It may be a poll behind the store: see Refresh.
func (s *Store) Seal(ctx context.Context) (noncestore.Seal, error) {
	if err := s.usable(ctx); err != nil {
		return noncestore.Seal{}, err
	}
	v, err := s.recent(ctx)
	if err != nil {
		return noncestore.Seal{}, err
	}
	return v.seal, nil
}

// Refresh returns the seal as the store has it now. Another sidecar may have replaced it since our last poll.
func (s *Store) Refresh(ctx context.Context) (noncestore.Seal, error) {
	if err := s.usable(ctx); err != nil {
		return noncestore.Seal{}, err
	}
	v, err := s.refresh(ctx, s.config.Monotonic())
	if err != nil {
		return noncestore.Seal{}, err
	}
	return v.seal, nil
}

// Redeemed implements noncestore.Store. It never knows: asking the database costs as much as Redeem.
func (s *Store) Redeemed(ctx context.Context, _ noncestore.Nonce) error { return s.usable(ctx) }

// Redeem implements noncestore.Store: one round trip, unless an answer is lost. Where the context ends first, the
// redemption may still be written.
func (s *Store) Redeem(ctx context.Context, generation noncestore.Generation, nonce noncestore.Nonce) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	v, err := s.recent(ctx)
	if err != nil {
		return err
	}
	redemption := Redemption{Generation: generation, Nonce: nonce, Incarnation: v.fence.Incarnation, Seen: v.fence.Seen}
	if _, err := io.ReadFull(s.config.Rand, redemption.Owner[:]); err != nil {
		return unavailable(err)
	}
	answer, err := s.decide(ctx, redemption)
	if err != nil {
		return err
	}
	switch answer.Verdict {
	case Accepted:
		return nil
	case Used:
		return &noncestore.ReplayError{FirstUsed: answer.FirstUsed}
	case Stale:
		s.begin() // so that the next login has the new seal
		return noncestore.ErrStale
	}
	return unavailable(errors.New("the database gave no verdict"))
}

// decide asks the engine until it answers. A lost answer is asked for again by the same owner, so that our own write is
// not taken for somebody else's.
func (s *Store) decide(ctx context.Context, redemption Redemption) (Answer, error) {
	var err error
	for range attempts {
		var answer Answer
		sent := s.config.Now()
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		answer, err = s.config.Engine.Redeem(attempt, redemption)
		cancel()
		if err == nil {
			return answer, s.checkSkew(answer.Now, sent)
		}
		if !errors.Is(err, ErrUnknown) || ctx.Err() != nil || s.closed() {
			break
		}
	}
	return Answer{}, unavailable(err)
}

func (s *Store) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// usable says whether a call may begin at all.
func (s *Store) usable(ctx context.Context) error {
	if s.closed() {
		return unavailable(errClosed)
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// Close ends the polls and the connections. Every call of Close returns the result of the first.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock() // no poll begins from here on
		close(s.closing)
		s.mu.Unlock()
		s.stop()
		s.polls.Wait()
		s.closeErr = s.config.Engine.Close()
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
