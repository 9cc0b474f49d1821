// SPDX-License-Identifier: Apache-2.0

package fence

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/noncestoretest"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// memory is an engine in this process. What the real ones do in one atomic operation it does under a lock. Its clock and
// ours are moved by tests.
type memory struct {
	mu       sync.Mutex
	fence    Fence
	check    [16]byte
	redeemed map[noncestore.Nonce]Answer
	owners   map[noncestore.Nonce][16]byte
	ahead    time.Duration // of the server's clock
	polls    int
	answer   func(Answer) (Answer, error) // what becomes of an answer to Redeem; nil: it arrives
	failure  error                        // of Poll
}

func newMemory() *memory {
	return &memory{redeemed: map[noncestore.Nonce]Answer{}, owners: map[noncestore.Nonce][16]byte{}}
}

func (m *memory) now() time.Time { return time.Now().Add(m.ahead).Truncate(time.Millisecond) }

func (m *memory) Poll(ctx context.Context, p Proposal) (Fence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.polls++
	if err := errors.Join(ctx.Err(), m.failure); err != nil {
		return Fence{}, err
	}
	f := m.fence
	f.Now, f.Replaced = m.now(), ""
	if f.Seen.IsZero() || p.Known.Incarnation != "" && f.Seen.Before(p.Known.Seen) || f.Generation == p.Replace {
		copy(f.Generation[:], p.Instance[:])
		if !f.Seen.IsZero() {
			copy(f.Generation[:], m.fence.Generation[:4])
		}
		copy(f.Generation[4:], p.Suffix[:])
		f.Random, f.Incarnation, f.Seen, f.Replaced = p.Random, "memory", f.Now, "it could not stay"
		m.check = p.Check
	} else if f.Now.After(f.Seen) {
		f.Seen = f.Now
	}
	m.fence = f
	return f, nil
}

func (m *memory) Redeem(ctx context.Context, r Redemption) (Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	answer := Answer{Verdict: Stale, Now: m.now()}
	if r.Generation == m.fence.Generation && (r.Incarnation != m.fence.Incarnation || !m.fence.Seen.Before(r.Seen)) && !m.fence.Seen.IsZero() {
		first, used := m.redeemed[r.Nonce]
		if used && m.now().Sub(first.FirstUsed) <= noncestore.Retention {
			answer.Verdict, answer.FirstUsed = Used, first.FirstUsed
			if m.owners[r.Nonce] == r.Owner {
				answer.Verdict = Accepted
			}
		} else {
			answer.Verdict, answer.FirstUsed = Accepted, m.now()
			m.redeemed[r.Nonce], m.owners[r.Nonce] = answer, r.Owner
		}
	}
	if m.answer != nil {
		return m.answer(answer)
	}
	return answer, nil
}

func (m *memory) Close() error { return nil }

// set changes the memory while nobody uses it.
func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func mustOpen(t *testing.T, config Config) *Store {
	t.Helper()
	config.Secret = secret
	store, err := Open(t.Context(), config)
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return store
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refresh(t *testing.T, store *Store) noncestore.Seal {
	t.Helper()
	seal, err := store.Refresh(t.Context())
	check(t, err)
	return seal
}

func TestConformance(t *testing.T) {
	noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
		m := newMemory()
		open := func(config Config) (noncestore.Store, error) {
			config.Engine, config.Secret = m, secret
			store, err := Open(t.Context(), config)
			if err != nil {
				return nil, err
			}
			return store, nil
		}
		return noncestoretest.Memory{
			Open: func() (noncestore.Store, error) { return open(Config{}) },
			OpenSkewed: func(ahead time.Duration) (noncestore.Store, error) {
				return open(Config{Now: func() time.Time { return time.Now().Add(ahead) }})
			},
			Losses: map[string]func(){
				"flushed": func() { m.set(func() { m.fence = Fence{}; clear(m.redeemed) }) },
				"older":   func() { m.set(func() { m.fence.Seen = m.fence.Seen.Add(-4 * time.Second); clear(m.redeemed) }) },
			},
		}
	})
}

// TestClockJump moves the server's clock, by less than refuses and by more than clocks drift: what it has forgotten
// meanwhile is not known.
func TestClockJump(t *testing.T) {
	for _, jump := range []time.Duration{30 * time.Second, -30 * time.Second} {
		m := newMemory()
		store := mustOpen(t, Config{Engine: m})
		before := refresh(t, store)
		m.set(func() { m.ahead += 2 * time.Second })
		if refresh(t, store) != before {
			t.Fatal("two seconds replaced the seal")
		}
		m.set(func() { m.ahead += jump })
		after := refresh(t, store)
		if after.Generation == before.Generation || after.Key == before.Key {
			t.Fatalf("a jump of %s kept the seal", jump)
		}
		if refresh(t, store) != after {
			t.Fatal("the new seal did not stay")
		}
		if err := store.Redeem(t.Context(), before.Generation, noncestore.Nonce{1}); !errors.Is(err, noncestore.ErrStale) {
			t.Fatalf("got %v", err)
		}
	}
}

// TestSkewWhileRedeeming moves the server's clock between a poll and a redemption. The server may have forgotten the
// first use by then.
func TestSkewWhileRedeeming(t *testing.T) {
	m := newMemory()
	store := mustOpen(t, Config{Engine: m})
	generation := refresh(t, store).Generation
	check(t, store.Redeem(t.Context(), generation, noncestore.Nonce{1}))
	m.set(func() { m.ahead = noncestore.Retention + time.Second })
	var skew *noncestore.ClockSkewError
	if err := store.Redeem(t.Context(), generation, noncestore.Nonce{1}); !errors.As(err, &skew) || skew.Ahead < noncestore.Retention {
		t.Fatalf("got %v, want a *ClockSkewError", err)
	}
	m.set(func() { m.ahead = 0 })
	refresh(t, store)
	if err := store.Redeem(t.Context(), generation, noncestore.Nonce{1}); err == nil {
		t.Fatal("accepted twice")
	}
}

// TestLostAnswers loses answers: the attempts of one redemption are of one owner, and end.
func TestLostAnswers(t *testing.T) {
	m := newMemory()
	store := mustOpen(t, Config{Engine: m})
	generation := refresh(t, store).Generation
	lost := 0
	lose := func(times int) {
		m.set(func() {
			lost = 0
			m.answer = func(answer Answer) (Answer, error) {
				if lost++; lost <= times {
					return Answer{}, ErrUnknown
				}
				return answer, nil
			}
		})
	}
	for times := range attempts {
		lose(times)
		nonce := noncestore.Nonce{2, byte(times)}
		check(t, store.Redeem(t.Context(), generation, nonce))
		var replay *noncestore.ReplayError
		if err := store.Redeem(t.Context(), generation, nonce); !errors.As(err, &replay) {
			t.Fatalf("got %v, want a *ReplayError", err)
		}
	}
	lose(attempts)
	if err := store.Redeem(t.Context(), generation, noncestore.Nonce{3}); !errors.Is(err, noncestore.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if lost != attempts {
		t.Fatalf("%d attempts, want %d", lost, attempts)
	}
	// An error that is an answer is not asked about again.
	refused := errors.New("READONLY")
	m.set(func() {
		lost = 0
		m.answer = func(Answer) (Answer, error) { lost++; return Answer{}, refused }
	})
	if err := store.Redeem(t.Context(), generation, noncestore.Nonce{4}); !errors.Is(err, refused) || !errors.Is(err, noncestore.ErrUnavailable) || lost != 1 {
		t.Fatalf("got %v after %d attempts", err, lost)
	}
}

// TestRefreshSeesOthers has one sidecar replace the seal, and the other asked for it at once.
func TestRefreshSeesOthers(t *testing.T) {
	m := newMemory()
	one, two := mustOpen(t, Config{Engine: m}), mustOpen(t, Config{Engine: m})
	for range 5 {
		m.set(func() { m.fence = Fence{} })
		seal := refresh(t, one)
		if refresh(t, two) != seal {
			t.Fatal("Refresh was behind")
		}
	}
	// However many ask, the server is asked now and then.
	m.set(func() { m.polls = 0 })
	begun := time.Now()
	var done sync.WaitGroup
	for range 200 {
		done.Go(func() { refresh(t, two) })
	}
	done.Wait()
	most := 4 + int(time.Since(begun)/pollPause) + 2*int(time.Since(begun)/pollInterval)
	m.set(func() {
		if m.polls > most {
			t.Errorf("%d polls for 200 calls in %s, want at most %d", m.polls, time.Since(begun), most)
		}
	})
}

// TestUnavailableWhilePollsFail: a store that could not redeem gives no seal for new logins either.
func TestUnavailableWhilePollsFail(t *testing.T) {
	m := newMemory()
	store := mustOpen(t, Config{Engine: m})
	seal := refresh(t, store)
	down := errors.New("connection refused")
	m.set(func() { m.failure = down })
	if _, err := store.Refresh(t.Context()); !errors.Is(err, down) || !errors.Is(err, noncestore.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if _, err := store.Seal(t.Context()); !errors.Is(err, noncestore.ErrUnavailable) {
		t.Fatalf("Seal: %v", err)
	}
	if err := store.Redeem(t.Context(), seal.Generation, noncestore.Nonce{1}); !errors.Is(err, noncestore.ErrUnavailable) {
		t.Fatalf("Redeem: %v", err)
	}
	m.set(func() { m.failure = nil })
	if refresh(t, store) != seal {
		t.Fatal("an outage alone replaced the seal")
	}
}

func TestSealNeedsTheSecret(t *testing.T) {
	m := newMemory()
	seal := refresh(t, mustOpen(t, Config{Engine: m}))
	other := &Store{config: Config{Secret: []byte(strings.ToUpper(string(secret)))}}
	forged, err := other.sealOf(m.fence)
	check(t, err)
	if forged.Generation != seal.Generation || forged.Key == seal.Key {
		t.Fatal("the seal does not depend on the secret")
	}
}
