// SPDX-License-Identifier: Apache-2.0

// Package fence makes a noncestore.Store of a database that several sidecars share: the part that is the same on every
// engine.
//
// # The fence
//
// A fence is one record beside the redemptions. It names the incarnation of the server that wrote it (which process, on
// which history of its data), a generation, and a random value. A redemption counts only where, in the same atomic
// operation that writes it, the fence names the server as it is now and the generation is that of the state. So each
// generation has one linear memory: whatever a server that restarted, was promoted, was restored or was wiped has
// forgotten was redeemed under a generation that is never current again.
//
// The seal of a generation is derived from the random value in the fence and a secret that only the sidecars have: who
// reads the database cannot forge states, and a fence that is lost takes its seal along.
//
// # The poll
//
// Each sidecar polls the fence each second, in one atomic operation: where the fence is absent, or not of the server as
// it is now, the poll replaces it, and the first one wins. The poll also leaves the server's time in the fence, which
// never goes back. A fence that is older than what a sidecar saw before was brought back by hand, into a server that
// kept running, and is replaced too.
//
// # Clocks
//
// Redemptions are forgotten by the server's clock. Where that differs from ours by more than a minute, nothing is
// accepted. Where it moves by more than five seconds against our monotonic clock, what it has forgotten meanwhile is
// not known, and the fence is replaced.
package fence

import (
	"context"
	"errors"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// Fence is the record as an engine found or made it.
type Fence struct {
	Generation  noncestore.Generation
	Random      [32]byte  // what the seal is derived from
	Incarnation string    // which process on which history the fence was made on
	Seen        time.Time // the newest time, by the server's clock, that a poll left in the fence
	Now         time.Time // the server's clock at the poll
	Replaced    string    // why this poll replaced the fence; empty: it did not
}

// Proposal is what a poll knows, and what it would put in the place of a fence that cannot stay.
type Proposal struct {
	Instance [4]byte  // begins the generation where there is no fence to take it from
	Suffix   [4]byte  // ends the generation
	Random   [32]byte // random
	Check    [16]byte // says which secret the sidecars share, without giving it away

	// Known is the fence as this sidecar saw it last; zero at first. A fence of the same incarnation with an older Seen
	// is replaced.
	Known Fence

	// Replace asks for another generation where the fence still is of this one. Zero: replace only what cannot stay.
	Replace noncestore.Generation
}

// Redemption is one attempt to redeem a nonce.
type Redemption struct {
	Generation noncestore.Generation
	Nonce      noncestore.Nonce
	Owner      [16]byte // random, and the same in every attempt of one redemption: it tells our own write from others'

	// Incarnation and Seen are those of the fence as this sidecar saw it last, of whatever generation. A fence of that
	// incarnation with an older Seen is not current: it was brought back, even if its generation is the one asked for.
	Incarnation string
	Seen        time.Time
}

// Verdict is what the engine found in the operation that decides.
type Verdict int

// The verdicts. The zero Verdict is none of them.
const (
	Accepted Verdict = iota + 1 // the redemption of this owner is the one that is remembered
	Used                        // another one is
	Stale                       // the fence is absent, or not of this server and generation; nothing was written
)

// Answer is the outcome of an attempt.
type Answer struct {
	Verdict   Verdict
	FirstUsed time.Time // of the redemption that is remembered, with Accepted and Used
	Now       time.Time // the server's clock
}

// ErrUnknown wraps the error of an attempt that may or may not have been written: the answer was lost.
var ErrUnknown = errors.New("fence: the outcome is unknown")

// OtherSecretAfter is how long a fence made with another secret is respected after the last poll that saw it.
const OtherSecretAfter = 10 * time.Second

// Engine is a database that keeps a fence and redemptions. Its methods are called from many goroutines and end with
// their context.
type Engine interface {
	// Poll brings the fence up to date and returns it, in one atomic operation. It fails where the server is not one
	// that may hold a fence, and where a fence with another Check was polled less than OtherSecretAfter ago.
	Poll(ctx context.Context, proposal Proposal) (Fence, error)

	// Redeem decides, in one atomic operation. It remembers an accepted redemption for noncestore.Retention by the
	// server's clock. An error means that nothing was accepted; it wraps ErrUnknown where the same redemption may be
	// asked about again.
	Redeem(ctx context.Context, redemption Redemption) (Answer, error)

	// Close ends the connections. It is called once.
	Close() error
}
