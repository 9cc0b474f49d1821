// SPDX-License-Identifier: Apache-2.0

package records

import (
	"fmt"
	"time"
)

// These rules are the same in every store, so they are written once.

// Check returns ErrInvalid where the entry is outside its limits.
func (a *Append) Check() error {
	switch {
	case !isName(a.Kind, MaxKindLength):
		return invalid("the kind %q is not 1 to %d of a-z, 0-9, _ and -", a.Kind, MaxKindLength)
	case !isName(a.Lane, MaxLaneLength):
		return invalid("the lane is not 1 to %d of a-z, 0-9, _ and -", MaxLaneLength)
	case !isLabel(a.Group, MaxGroupLength):
		return invalid("the group is not 1 to %d of printable ASCII without blanks and slashes", MaxGroupLength)
	case a.Owner != "" && !isLabel(a.Owner, MaxOwnerLength):
		return invalid("the owner is not at most %d of printable ASCII without blanks and slashes", MaxOwnerLength)
	case a.Request != "" && !isLabel(a.Request, MaxRequestLength):
		return invalid("the request is not at most %d of printable ASCII without blanks and slashes", MaxRequestLength)
	case len(a.Payload) > MaxPayloadSize:
		return invalid("the payload has %d bytes, at most %d", len(a.Payload), MaxPayloadSize)
	case a.Grain < 0 || a.MaxAhead < 0 || a.MaxOpen < 0 || a.MaxLaneOpen < 0:
		return invalid("a limit is negative")
	case !a.Ordered && !a.Event.IsZero():
		return invalid("an event needs an order")
	case a.Replaces && !a.Ordered:
		return invalid("an entry without order replaces none")
	}
	return nil
}

// Tail is what an entry's place depends on: the Events and the Sent that its lane has.
type Tail struct {
	Newest time.Time // the newest Event of an entry that is open, delivered or unconfirmed; zero: none
	Sent   time.Time // the last Sent; zero: none
}

// Place gives an Ordered entry its Event and Sent, or finds it superseded: see Append. now is the store's.
func (a *Append) Place(tail Tail, now time.Time) (event, sent time.Time, superseded bool, err error) {
	now, event = Milliseconds(now), Milliseconds(a.Event)
	switch {
	case a.Event.IsZero():
		event = latest(now, tail.Newest)
	case event.Before(tail.Newest):
		return event, time.Time{}, true, nil
	}
	sent = event
	if !tail.Sent.IsZero() {
		sent = latest(event, tail.Sent.Add(a.Grain))
	}
	if a.MaxAhead > 0 && sent.After(now.Add(a.MaxAhead)) {
		return event, sent, false, fmt.Errorf("%w: the next would be %v ahead of the clock", ErrLaneFull, sent.Sub(now))
	}
	return event, sent, false, nil
}

// Check returns ErrInvalid where the claim is outside its limits.
func (c *Claim) Check() error {
	switch {
	case !isName(c.Kind, MaxKindLength) || c.Lane != "" && !isName(c.Lane, MaxLaneLength):
		return invalid("the kind or the lane is no name")
	case c.Lease <= 0 || c.Lease > MaxLease:
		return invalid("the lease of %v is not above 0 and at most %v", c.Lease, MaxLease)
	}
	return nil
}

// Check returns ErrInvalid where state and due do not go together, or the result is too large.
func (o *Outcome) Check() error {
	if len(o.Result) > MaxPayloadSize {
		return invalid("the result has %d bytes, at most %d", len(o.Result), MaxPayloadSize)
	}
	open := !o.Due.IsZero()
	switch o.State {
	case StateQueued:
		if !open {
			return invalid("a queued entry is due at some time")
		}
	case StateUnconfirmed:
	case StateDelivered, StateSuperseded, StateRefused:
		if open {
			return invalid("an entry that is %s is not due", o.State)
		}
	default:
		return invalid("%q is not a state", o.State)
	}
	return nil
}

// Stands reports whether an entry of this state supersedes older ones: the platform has it, or may have it.
func (s EntryState) Stands() bool { return s == StateDelivered || s == StateUnconfirmed }

// Check returns ErrInvalid where the filter, or the limit with it, is outside its limits.
func (f *EntryFilter) Check(limit int) error {
	switch {
	case !isName(f.Kind, MaxKindLength) || f.Lane != "" && !isName(f.Lane, MaxLaneLength) || len(f.Owner) > MaxOwnerLength:
		return invalid("the kind, the lane or the owner is none")
	case limit < 1 || limit > MaxPage:
		return invalid("the limit is %d, from 1 to %d", limit, MaxPage)
	}
	return nil
}

// Check returns ErrInvalid where the prune is outside its limits.
func (p *Prune) Check() error {
	if !isName(p.Kind, MaxKindLength) || p.Limit < 1 || p.Limit > MaxPage {
		return invalid("the kind is no name, or the limit is not from 1 to %d", MaxPage)
	}
	return nil
}

// Milliseconds rounds a time down to what stores keep.
func Milliseconds(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func isName(text string, limit int) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= limit
}

func isLabel(text string, limit int) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' || c == '/' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= limit
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
