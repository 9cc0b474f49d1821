// SPDX-License-Identifier: Apache-2.0

// Package noncestore is the contract of the memory of redeemed nonces, and of the seal that dies with it.
//
// Nonces are issued inside sealed states, which cost no storage, and redeemed once. A store holds the redeemed ones
// only. The rule that makes this safe: the seal lives where the memory lives, and dies with it. A redemption names the
// generation of the seal that opened its state, and the store compares it with its own in the same atomic operation
// that writes. Where the memory is lost, wiped, restored, cloned, or merely not provably whole, the store takes a new
// seal, and every state made before is refused. Loss of memory fails closed.
//
// Package noncestoretest is the suite that every implementation passes.
package noncestore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// StateLifetime is how long a state may wait for its launch. Retention is how long a redemption is remembered, by the
// store's clock: the lifetime and twice the tolerance of one minute between clocks.
const (
	StateLifetime = 10 * time.Minute
	Retention     = StateLifetime + 2*time.Minute
)

// Generation names one seal: four bytes of the instance id, then four random bytes.
type Generation [8]byte

// SameInstance reports whether two generations are of one instance: of one store, before and after a roll.
func (g Generation) SameInstance(other Generation) bool { return [4]byte(g[:4]) == [4]byte(other[:4]) }

// Seal is the secret that states are sealed with. Key never leaves the process but as a Store implementation says.
type Seal struct {
	Generation Generation
	Key        [32]byte
}

// Nonce is the 128-bit random value of one login.
type Nonce [16]byte

// The errors of a Store. An implementation may wrap them.
var (
	// ErrStale: the generation is not the store's own, or the store cannot prove that it is. Nothing was written.
	ErrStale = errors.New("noncestore: the seal was replaced")
	// ErrUnavailable: the store cannot be read or written, or a write's outcome is unknown. The nonce counts as
	// not accepted, whether or not it was written.
	ErrUnavailable = errors.New("noncestore: the store is unavailable")
	// ErrFull is an ErrUnavailable: the store has too little space left to remember one more.
	ErrFull = fmt.Errorf("%w: it is full", ErrUnavailable)
)

// ClockSkewError is an ErrUnavailable: the store's clock and ours differ too much to say what it has forgotten.
type ClockSkewError struct {
	Ahead time.Duration // how far the store's clock is ahead of ours; negative where it is behind
}

// Error returns the sentence with the difference.
func (e *ClockSkewError) Error() string {
	return fmt.Sprintf("noncestore: the store's clock is %s ahead of ours", e.Ahead.Round(time.Second))
}

// Unwrap returns ErrUnavailable.
func (e *ClockSkewError) Unwrap() error { return ErrUnavailable }

// ReplayError says that a nonce was redeemed before.
type ReplayError struct {
	FirstUsed time.Time // by the store's clock
}

// Error returns the sentence with the time of first use.
func (e *ReplayError) Error() string {
	return "noncestore: the nonce was redeemed at " + e.FirstUsed.UTC().Format(time.RFC3339)
}

// Store remembers redeemed nonces. All methods may be called from many goroutines. A call returns when its context
// ends at the latest, with ErrUnavailable.
type Store interface {
	// Seal returns the present seal, for making and opening states. It is cheap: every login calls it. It returns
	// ErrUnavailable where the store could not redeem now either.
	Seal(ctx context.Context) (Seal, error)

	// Redeemed reports, early and without deciding, that a nonce was redeemed: a *ReplayError if so, nil if not or
	// not known cheaply. Only Redeem decides.
	Redeemed(ctx context.Context, nonce Nonce) error

	// Redeem marks a nonce as used, for ever within Retention. It returns nil exactly once for a nonce, over all
	// handles and processes of the store. It returns a *ReplayError where the nonce was used before, ErrStale where
	// generation is not the store's own at the moment of writing, and ErrUnavailable otherwise.
	Redeem(ctx context.Context, generation Generation, nonce Nonce) error

	// Close releases the store. A clean Close may let the next Open keep the seal, where the implementation can
	// prove that nothing was lost in between. Calls after Close return ErrUnavailable.
	Close() error
}
