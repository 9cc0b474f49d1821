// SPDX-License-Identifier: Apache-2.0

// Package noncestoretest is the conformance suite of noncestore.Store. The test of an implementation is one call:
//
//	func TestConformance(t *testing.T) {
//		noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory { ... })
//	}
package noncestoretest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// Memory is one memory of redeemed nonces, as the suite reaches it. Each test has one of its own, empty at first.
type Memory struct {
	// Open opens one more handle. The suite closes every handle it opened. Required.
	Open func() (noncestore.Store, error)

	// Exclusive says that an Open fails while another handle is open. False: handles share the memory.
	Exclusive bool

	// Forgets says that the memory ends with its last handle, so that the next Open is of a memory with a new seal.
	// False: after a clean Close of all handles, Open finds the same redemptions under the same seal.
	Forgets bool

	// Now is the store's clock. Nil: time.Now of this machine, give or take five seconds.
	Now func() time.Time

	// Advance moves the store's clock forward, as time passing and not as a clock being set. Nil where the clock
	// cannot be moved: the tests of expiry are then skipped.
	Advance func(time.Duration)

	// Losses are the ways in which the open handles can lose their memory, or must take it for lost: a flush, a restored
	// backup, a server that starts again or is another one. Each is made once, in a test of its own. Nil where that
	// cannot happen to an open handle.
	Losses map[string]func()

	// OpenSkewed opens one more handle for a sidecar whose clock is ahead of the store's, behind where negative. Nil
	// where store and sidecar have one clock.
	OpenSkewed func(ahead time.Duration) (noncestore.Store, error)
}

// patience is how long the suite waits for what ought to happen at once. A correct store never makes it wait so long.
const patience = 30 * time.Second

// Run runs the suite. newMemory is called once for each test and registers its own cleanup.
func Run(t *testing.T, newMemory func(t *testing.T) Memory) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"single use", (*suite).singleUse},
		{"nonces are independent", (*suite).independent},
		{"one winner of many", (*suite).oneWinner},
		{"one winner of many, nonce after nonce", (*suite).oneWinnerEach},
		{"wrong generation", (*suite).wrongGeneration},
		{"redeemed before redeeming", (*suite).peek},
		{"the seal stays", (*suite).sealStays},
		{"replay error has the first use", (*suite).firstUse},
		{"expiry by the store's clock", (*suite).expiry},
		{"ended context", (*suite).endedContext},
		{"closed store", (*suite).closed},
		{"close while redeeming", (*suite).closeWhileRedeeming},
		{"open again after a clean close", (*suite).openAgain},
		{"two handles", (*suite).twoHandles},
		{"skewed clocks", (*suite).skewedClocks},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test.run(&suite{T: t, Memory: newMemory(t), ctx: ctx})
		})
	}
	RunLosses(t, newMemory)
}

// RunLosses runs only the tests of lost memory. It is for losses that need much, such as a server of their own.
func RunLosses(t *testing.T, newMemory func(t *testing.T) Memory) {
	for name, test := range lossTests {
		t.Run(name, func(t *testing.T) { (&suite{T: t, Memory: newMemory(t)}).eachLoss(newMemory, test) })
	}
}

// lossTests are the tests of lost memory.
var lossTests = map[string]func(s *suite, lose func()){
	"lost memory": (*suite).lostMemory,
	"lost between opening a state and redeeming": (*suite).lostBetween,
	"lost memory of two handles":                 (*suite).lostByTwo,
}

// eachLoss runs a test for each way of losing, on a memory of its own.
func (s *suite) eachLoss(newMemory func(t *testing.T) Memory, test func(s *suite, lose func())) {
	if len(s.Losses) == 0 {
		s.Skip("an open handle of this store cannot lose its memory")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Losses)) {
		s.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			memory := newMemory(t)
			test(&suite{T: t, Memory: memory, ctx: ctx}, memory.Losses[name])
		})
	}
}

// suite is one test at work.
type suite struct {
	*testing.T
	Memory
	ctx context.Context
}

// open opens a handle that is closed at the end of the test.
func (s *suite) open() noncestore.Store {
	s.Helper()
	store, err := s.Open()
	if err != nil {
		s.Fatalf("Open: %v", err)
	}
	s.Cleanup(func() {
		if err := store.Close(); err != nil && !errors.Is(err, noncestore.ErrUnavailable) {
			s.Errorf("Close: %v", err)
		}
	})
	return store
}

// generation returns the present generation.
func (s *suite) generation(store noncestore.Store) noncestore.Generation {
	s.Helper()
	return s.seal(store).Generation
}

func (s *suite) seal(store noncestore.Store) noncestore.Seal {
	s.Helper()
	seal, err := store.Seal(s.ctx)
	if err != nil {
		s.Fatalf("Seal: %v", err)
	}
	if seal.Key == ([32]byte{}) || seal.Generation == (noncestore.Generation{}) {
		s.Fatal("Seal: the key or the generation is zero")
	}
	return seal
}

func newNonce() (nonce noncestore.Nonce) {
	rand.Read(nonce[:]) // never fails
	return nonce
}

func (s *suite) accepted(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("got %v, want the nonce to be accepted", err)
	}
}

// replayed checks that err is a ReplayError and returns the time of first use.
func (s *suite) replayed(err error) time.Time {
	s.Helper()
	var replay *noncestore.ReplayError
	if !errors.As(err, &replay) {
		s.Fatalf("got %v, want a *ReplayError", err)
	}
	return replay.FirstUsed
}

func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func (s *suite) singleUse() {
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	s.accepted(store.Redeem(s.ctx, generation, nonce))
	for range 3 {
		s.replayed(store.Redeem(s.ctx, generation, nonce))
	}
}

func (s *suite) independent() {
	store := s.open()
	generation := s.generation(store)
	first := newNonce()
	s.accepted(store.Redeem(s.ctx, generation, first))
	for bit := range 8 * len(first) {
		other := first
		other[bit/8] ^= 1 << (bit % 8)
		s.accepted(store.Redeem(s.ctx, generation, other))
	}
	s.accepted(store.Redeem(s.ctx, generation, noncestore.Nonce{}))
	s.replayed(store.Redeem(s.ctx, generation, noncestore.Nonce{}))
	s.replayed(store.Redeem(s.ctx, generation, first))
}

// race redeems one nonce from many goroutines at once and returns how many were accepted.
func (s *suite) race(stores []noncestore.Store, generation noncestore.Generation, nonce noncestore.Nonce) int {
	s.Helper()
	const racers = 64
	var start, done sync.WaitGroup
	errs := make([]error, racers)
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			errs[i] = stores[i%len(stores)].Redeem(s.ctx, generation, nonce)
		})
	}
	start.Done()
	done.Wait()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		s.replayed(err)
	}
	return winners
}

func (s *suite) oneWinner() {
	store := s.open()
	if winners := s.race([]noncestore.Store{store}, s.generation(store), newNonce()); winners != 1 {
		s.Fatalf("%d of 64 redemptions of one nonce were accepted, want exactly 1", winners)
	}
}

func (s *suite) oneWinnerEach() {
	store := s.open()
	generation := s.generation(store)
	for i := range 50 {
		if winners := s.race([]noncestore.Store{store}, generation, newNonce()); winners != 1 {
			s.Fatalf("nonce %d: %d of 64 redemptions were accepted, want exactly 1", i, winners)
		}
	}
}

func (s *suite) wrongGeneration() {
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	for bit := range 8 * len(generation) {
		wrong := generation
		wrong[bit/8] ^= 1 << (bit % 8)
		s.is(store.Redeem(s.ctx, wrong, nonce), noncestore.ErrStale)
	}
	s.is(store.Redeem(s.ctx, noncestore.Generation{}, nonce), noncestore.ErrStale)
	s.accepted(store.Redeemed(s.ctx, nonce))
	s.accepted(store.Redeem(s.ctx, generation, nonce)) // nothing was written before
}

func (s *suite) peek() {
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	for range 3 {
		s.accepted(store.Redeemed(s.ctx, nonce))
	}
	s.accepted(store.Redeem(s.ctx, generation, nonce))
	if err := store.Redeemed(s.ctx, nonce); err != nil { // nil is allowed: it does not decide
		s.replayed(err)
	}
	s.accepted(store.Redeemed(s.ctx, newNonce()))
}

func (s *suite) sealStays() {
	store := s.open()
	first := s.seal(store)
	s.accepted(store.Redeem(s.ctx, first.Generation, newNonce()))
	if again := s.seal(store); again != first {
		s.Fatalf("the seal changed from generation %x to %x although nothing was lost", first.Generation, again.Generation)
	}
}

// now returns the store's clock, and how exactly the suite knows it.
func (s *suite) now() (time.Time, time.Duration) {
	if s.Now == nil {
		return time.Now(), 5 * time.Second
	}
	return s.Now(), time.Second
}

func (s *suite) firstUse() {
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	want, tolerance := s.now()
	s.accepted(store.Redeem(s.ctx, generation, nonce))
	if s.Advance != nil {
		s.Advance(5 * time.Minute)
	}
	first := s.replayed(store.Redeem(s.ctx, generation, nonce))
	if first.Sub(want).Abs() > tolerance {
		s.Errorf("first used at %s, want %s within %s", first, want, tolerance)
	}
	if again := s.replayed(store.Redeem(s.ctx, generation, nonce)); !again.Equal(first) {
		s.Errorf("a replay moved the time of first use from %s to %s", first, again)
	}
}

func (s *suite) expiry() {
	if s.Advance == nil {
		s.Skip("the clock of this store cannot be moved")
	}
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	s.accepted(store.Redeem(s.ctx, generation, nonce))
	s.Advance(noncestore.Retention - time.Second)
	s.replayed(store.Redeem(s.ctx, generation, nonce)) // and it does not prolong the first one
	s.Advance(2 * time.Second)
	s.accepted(store.Redeemed(s.ctx, nonce))
	s.accepted(store.Redeem(s.ctx, generation, nonce))
	s.replayed(store.Redeem(s.ctx, generation, nonce))
}

func (s *suite) endedContext() {
	store := s.open()
	generation := s.generation(store)
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, cancelLate := context.WithDeadline(s.ctx, time.Unix(1, 0))
	defer cancelLate()
	for _, ctx := range []context.Context{cancelled, late} {
		_, err := store.Seal(ctx)
		s.is(err, noncestore.ErrUnavailable)
		s.is(store.Redeem(ctx, generation, newNonce()), noncestore.ErrUnavailable)
		if err := store.Redeemed(ctx, newNonce()); err != nil { // nil means: not known cheaply
			s.is(err, noncestore.ErrUnavailable)
		}
	}
	s.accepted(store.Redeem(s.ctx, generation, newNonce()))

	// A context that ends at any moment of a redemption never makes two of them accepted.
	for range 200 {
		nonce := newNonce()
		ctx, cancel := context.WithCancel(s.ctx)
		go cancel()
		first := store.Redeem(ctx, generation, nonce)
		second := store.Redeem(s.ctx, generation, nonce)
		if first == nil && second == nil {
			s.Fatal("one nonce was accepted twice")
		}
		if first != nil {
			s.is(first, noncestore.ErrUnavailable)
		}
	}
}

func (s *suite) closed() {
	store := s.open()
	generation, nonce := s.generation(store), newNonce()
	if err := store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	_, err := store.Seal(s.ctx)
	s.is(err, noncestore.ErrUnavailable)
	s.is(store.Redeem(s.ctx, generation, nonce), noncestore.ErrUnavailable)
	s.is(store.Redeemed(s.ctx, nonce), noncestore.ErrUnavailable)
	if err := store.Close(); err != nil {
		s.is(err, noncestore.ErrUnavailable)
	}
}

func (s *suite) closeWhileRedeeming() {
	store := s.open()
	generation := s.generation(store)
	var begun, done sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 {
		begun.Add(1)
		done.Go(func() {
			first := true
			for {
				err := store.Redeem(s.ctx, generation, newNonce())
				if first {
					first = false
					begun.Done()
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	begun.Wait()
	if err := store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	done.Wait()
	close(errs)
	for err := range errs {
		s.is(err, noncestore.ErrUnavailable)
	}
}

func (s *suite) openAgain() {
	store := s.open()
	before, nonce := s.seal(store), newNonce()
	s.accepted(store.Redeem(s.ctx, before.Generation, nonce))
	if err := store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	for range 2 {
		store = s.open()
		after := s.seal(store)
		if s.Forgets {
			if after.Generation == before.Generation || after.Key == before.Key {
				s.Fatal("the memory was lost, and the seal with it was not")
			}
			s.is(store.Redeem(s.ctx, before.Generation, nonce), noncestore.ErrStale)
			s.is(store.Redeem(s.ctx, before.Generation, newNonce()), noncestore.ErrStale)
		} else {
			if after != before {
				s.Fatalf("generation %x after a clean stop, want %x", after.Generation, before.Generation)
			}
			s.replayed(store.Redeem(s.ctx, before.Generation, nonce))
		}
		s.accepted(store.Redeem(s.ctx, after.Generation, newNonce()))
		if err := store.Close(); err != nil {
			s.Fatalf("Close: %v", err)
		}
	}
}

func (s *suite) twoHandles() {
	first := s.open()
	generation := s.generation(first)
	if s.Exclusive {
		if second, err := s.Open(); err == nil {
			s.Fatal(fmt.Errorf("a second handle opened: %w", errors.Join(errors.New("want an error"), second.Close())))
		}
		s.accepted(first.Redeem(s.ctx, generation, newNonce())) // and the first one is none the worse
		return
	}
	second := s.open()
	if other := s.seal(second); other != s.seal(first) {
		if s.Forgets {
			s.Skip("each handle has a memory of its own")
		}
		s.Fatalf("two handles of one memory have generations %x and %x", generation, other.Generation)
	}
	nonce := newNonce()
	s.accepted(first.Redeem(s.ctx, generation, nonce))
	s.replayed(second.Redeem(s.ctx, generation, nonce))
	for range 10 {
		if winners := s.race([]noncestore.Store{first, second}, generation, newNonce()); winners != 1 {
			s.Fatalf("%d redemptions of one nonce over two handles were accepted, want exactly 1", winners)
		}
	}
	if err := first.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.replayed(second.Redeem(s.ctx, generation, nonce))
	s.accepted(second.Redeem(s.ctx, generation, newNonce()))
}

func (s *suite) skewedClocks() {
	if s.OpenSkewed == nil {
		s.Skip("this store and its sidecar have one clock")
	}
	right := s.open()
	seal := s.seal(right)
	for _, ahead := range []time.Duration{-50 * time.Second, 50 * time.Second} {
		store, err := s.OpenSkewed(ahead)
		s.is(err, nil)
		s.Cleanup(func() { s.is(store.Close(), nil) })
		if s.seal(store) != seal {
			s.Fatalf("with a clock %s ahead the seal is another one", ahead)
		}
		nonce := newNonce()
		s.accepted(store.Redeem(s.ctx, seal.Generation, nonce))
		s.replayed(right.Redeem(s.ctx, seal.Generation, nonce))
	}
	for _, ahead := range []time.Duration{-time.Hour, -70 * time.Second, 70 * time.Second, time.Hour} {
		store, err := s.OpenSkewed(ahead)
		if err != nil {
			s.skewed(err)
			continue
		}
		s.Cleanup(func() { s.is(store.Close(), nil) })
		_, err = store.Seal(s.ctx)
		s.skewed(err)
		s.skewed(store.Redeem(s.ctx, seal.Generation, newNonce()))
	}
	s.accepted(right.Redeem(s.ctx, seal.Generation, newNonce())) // and nobody else is the worse for it
	if s.seal(right) != seal {
		s.Fatal("a skewed sidecar replaced the seal of the others")
	}
}

func (s *suite) skewed(err error) {
	s.Helper()
	var skew *noncestore.ClockSkewError
	if !errors.As(err, &skew) || !errors.Is(err, noncestore.ErrUnavailable) {
		s.Fatalf("got %v, want a *ClockSkewError", err)
	}
}

func (s *suite) lostMemory(lose func()) {
	store := s.open()
	before, nonce := s.seal(store), newNonce()
	s.accepted(store.Redeem(s.ctx, before.Generation, nonce))
	lose()
	for _, n := range []noncestore.Nonce{nonce, newNonce()} {
		s.refused(store.Redeem(s.ctx, before.Generation, n))
	}
	s.healed(store, before, nonce)
}

// lostBetween loses the memory while states of its seal are being redeemed, each by several requests at once.
func (s *suite) lostBetween(lose func()) {
	store := s.open()
	before := s.seal(store)
	const clients, copies = 8, 4
	var redeeming, done sync.WaitGroup
	after := make(chan struct{})
	twice := make(chan noncestore.Nonce, clients)
	redeeming.Add(clients)
	for range clients {
		done.Go(func() {
			var nonces []noncestore.Nonce
			won := map[noncestore.Nonce]int{}
			for lost := false; !lost; {
				select {
				case <-after:
					lost = true // once more than the loss took
				default:
				}
				nonce := newNonce()
				nonces = append(nonces, nonce)
				for range copies {
					if store.Redeem(s.ctx, before.Generation, nonce) == nil {
						won[nonce]++
					}
				}
				if len(nonces) == 1 {
					redeeming.Done()
				}
			}
			for _, nonce := range nonces { // what was accepted before the loss must not be accepted after it
				if store.Redeem(s.ctx, before.Generation, nonce) == nil {
					won[nonce]++
				}
				if won[nonce] > 1 {
					twice <- nonce
					return
				}
			}
		})
	}
	redeeming.Wait()
	lose()
	close(after)
	done.Wait()
	select {
	case nonce := <-twice:
		s.Fatalf("nonce %x was accepted twice", nonce)
	default:
	}
	s.healed(store, before, newNonce())
}

func (s *suite) lostByTwo(lose func()) {
	if s.Exclusive || s.Forgets {
		s.Skip("there are no two handles of one memory")
	}
	first, second := s.open(), s.open()
	before, nonce := s.seal(first), newNonce()
	s.accepted(first.Redeem(s.ctx, before.Generation, nonce))
	lose()
	s.refused(second.Redeem(s.ctx, before.Generation, nonce))
	s.refused(first.Redeem(s.ctx, before.Generation, nonce))
	s.healed(first, before, nonce)
	s.healed(second, before, nonce)
	// Both come to the same seal, and stay with it.
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for s.seal(first) != s.seal(second) {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			s.Fatal("two handles do not come to one seal")
		}
	}
	seal, fresh := s.seal(first), newNonce()
	s.accepted(first.Redeem(s.ctx, seal.Generation, fresh))
	s.replayed(second.Redeem(s.ctx, seal.Generation, fresh))
}

// refused checks that a redemption under a lost seal was not accepted, and why.
func (s *suite) refused(err error) {
	s.Helper()
	if !errors.Is(err, noncestore.ErrStale) && !errors.Is(err, noncestore.ErrUnavailable) {
		s.Fatalf("got %v after the memory was lost, want ErrStale or ErrUnavailable", err)
	}
}

// healed waits until the store has another seal by itself and redeems under it, while the former one stays dead.
func (s *suite) healed(store noncestore.Store, before noncestore.Seal, nonce noncestore.Nonce) {
	s.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		after, err := store.Seal(s.ctx)
		if err == nil && after.Generation != before.Generation {
			if after.Key == before.Key {
				s.Fatal("a new generation has the key of the former one")
			}
			if err = store.Redeem(s.ctx, after.Generation, newNonce()); err == nil {
				s.refused(store.Redeem(s.ctx, before.Generation, nonce))
				return
			}
		}
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			s.Fatalf("no new seal: %v", err)
		}
	}
}
