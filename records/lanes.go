// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"time"
)

// Limits of lanes and their entries.
const (
	MaxLaneLength    = 128       // bytes of Lane; a-z, 0-9, '_' and '-'
	MaxGroupLength   = 270       // bytes of Group; printable ASCII without blanks and '/'
	MaxOwnerLength   = 128       // bytes of Owner; as Group
	MaxRequestLength = 128       // bytes of Request; as Group
	MaxPayloadSize   = 256 << 10 // bytes of Payload, and of Result
	MaxLease         = 10 * time.Minute
	MaxPage          = 1000 // entries of one Entries, and of one Prune
)

// EntryState says what became of an entry.
type EntryState string

// The states. A queued entry is open; an unconfirmed one is open while it is due again; the others have ended.
const (
	StateQueued      EntryState = "queued"
	StateDelivered   EntryState = "delivered"
	StateSuperseded  EntryState = "superseded"  // a newer entry of the lane stands for it
	StateUnconfirmed EntryState = "unconfirmed" // it may have arrived, and nothing proves that it did
	StateRefused     EntryState = "refused"     // it is not tried any more, unless it is driven again
)

// LaneEntry is one piece of work. Its order within its lane is the order of appending.
type LaneEntry struct {
	Kind  string // what sort of work; as in Document
	Lane  string // entries of one lane are worked on one at a time, in their order
	ID    string // given by the store: unique for ever, at most 64 of a-z and 0-9
	Group string // where the work goes; claims pass over groups
	Owner string // whom a list may be narrowed to

	Request string    // see Append
	Event   time.Time // zero where the entry is not Ordered
	Sent    time.Time // zero where the entry is not Ordered, or was superseded when it came
	Payload []byte    // opaque to the store, and never changed

	State     EntryState
	Due       time.Time // when the entry may be tried; zero: it is not open
	Started   time.Time // when the attempt began whose end is not recorded; zero: there is none
	Attempts  int       // attempts begun
	Ambiguous bool      // as the last Outcome said
	Result    []byte    // as the last Outcome said; opaque to the store

	AppendTime time.Time
	ChangeTime time.Time // of the last change but a Start
	Cursor     string    // of the last change but a Start; see Lanes.Entries
}

// Open reports whether the entry is still worked on.
func (e *LaneEntry) Open() bool { return !e.Due.IsZero() }

// Append is an entry to be appended. The fields that LaneEntry has too mean the same.
type Append struct {
	Kind, Lane, Group, Owner string
	Payload                  []byte

	// Request makes a repeat harmless: while an entry of this kind and Request is remembered (see Prune), Append
	// returns that one and appends nothing. Empty: every Append is an entry of its own.
	Request string

	// Ordered gives the entry a place in time. Its Event is the one given here; it is then superseded at once where the
	// lane has a newer Event, of an entry that is open, delivered or unconfirmed. A zero Event stands for now, or for
	// the lane's newest Event where that is later, and is not superseded. Its Sent is the Event, or the last Sent of
	// the lane plus Grain where that is later.
	Ordered  bool
	Event    time.Time
	Grain    time.Duration // not negative
	MaxAhead time.Duration // how far Sent may lie ahead of the store's clock, else ErrLaneFull; 0: no limit

	// Replaces supersedes every open entry of the lane that is Replaceable and not claimed. Only an entry that is open
	// itself does so.
	Replaces    bool
	Replaceable bool

	MaxOpen     int // open entries of this kind with this one, else ErrFull; 0: no limit
	MaxLaneOpen int // open entries of the lane with this one, else ErrLaneFull; 0: no limit
}

// Claim asks for a lane to work on.
type Claim struct {
	Kind  string
	Lane  string        // only this one; empty: the one whose first open entry has been due for longest
	Skip  []string      // groups that are passed over
	Lease time.Duration // how long the lane is nobody else's; above 0, at most MaxLease
}

// Lease is the right to work on the first open entry of a lane. Its fields are the store's, but for reading Expires.
type Lease struct {
	Kind, Lane, ID string
	Token          string
	Expires        time.Time // by the store's clock
}

// Outcome ends a claim.
type Outcome struct {
	State     EntryState
	Due       time.Time // when it is due again: for StateQueued always, for StateUnconfirmed maybe, else never
	Ambiguous bool
	Result    []byte
}

// EntryFilter narrows a list. Zero fields do not.
type EntryFilter struct {
	Kind   string // required
	Owner  string
	Lane   string
	States []EntryState
}

// EntryPage is a part of a list.
type EntryPage struct {
	Entries []LaneEntry
	Next    string // the cursor to go on after; never empty
	More    bool   // there was more to look at; Entries may nevertheless be empty
}

// LaneCounts is how many entries of a kind there are.
type LaneCounts struct {
	Open       int                // queued and unconfirmed ones that are due at some time
	States     map[EntryState]int // all that are kept
	OldestOpen time.Time          // AppendTime of the oldest open one; zero: there is none
	Cursor     string             // of the last change; empty where there never was one
}

// Prune says what to forget: what has not changed since before a time. Open entries, and lanes that have entries, stay.
type Prune struct {
	Kind     string
	Requests time.Time // forget the Request of entries appended before; zero: none
	Entries  time.Time // remove entries last changed before; zero: none
	Lanes    time.Time // remove lanes last changed before; zero: none
	Limit    int       // things removed by one call, 1 to MaxPage
}

// The errors of Lanes besides ErrNotFound, ErrInvalid and ErrUnavailable. An implementation may wrap them.
var (
	ErrNoneDue   = errors.New("records: no lane is due")
	ErrLeaseLost = errors.New("records: the lease is over, or the lane was given to another")
	ErrNotEnded  = errors.New("records: the entry is open, delivered or superseded, so it is not driven again")
	ErrFull      = errors.New("records: too many entries are open")
	ErrLaneFull  = errors.New("records: too many entries of one lane came at once")
	ErrNoSpace   = errors.New("records: the store has too little space left for new entries")
)

// Lanes keeps work that must be done in order and must not be forgotten: entries in lanes. All methods may be called
// from many goroutines, and many processes where the store is shared. Times are those of the store's clock, in UTC, and
// are kept to the millisecond, rounded down.
//
// A call that returned nil survives a crash of the process and of the host; a Lease need not. Where a context ends
// first, the call returns ErrUnavailable and may still take effect.
type Lanes interface {
	// Append appends an entry, durably. repeated says that it did nothing, because the entry is there: see
	// Append.Request. ErrFull, ErrLaneFull and ErrNoSpace append nothing.
	Append(ctx context.Context, entry Append) (appended LaneEntry, repeated bool, err error)

	// Claim gives a lane to the caller, with its first open entry. A lane is due where that entry is and nobody holds a
	// lease. It returns ErrNoneDue where there is none. An entry that has Started was being tried when its worker
	// died: what became of the attempt is not known.
	Claim(ctx context.Context, claim Claim) (LaneEntry, Lease, error)

	// Start records, durably, that an attempt begins. It must have returned nil before the first byte leaves. It
	// returns ErrLeaseLost where the lease is over.
	Start(ctx context.Context, lease Lease) error

	// Finish records what came of the claim, durably, clears Started and gives the lease back. An outcome that is not
	// open lets the lane's next entry come first, due as it was. Where an Ordered entry is delivered or unconfirmed, open
	// ones with an earlier Sent, which were driven again meanwhile, become superseded. Finish returns ErrLeaseLost where the lane was given
	// to another meanwhile; a lease that is merely over is still good for it.
	Finish(ctx context.Context, lease Lease, outcome Outcome) (LaneEntry, error)

	// Release gives the lease back and changes nothing else. It returns ErrLeaseLost as Finish does.
	Release(ctx context.Context, lease Lease) error

	// Redrive opens an entry again that is refused, or unconfirmed and not open: queued, due now, at its old place in
	// the lane, with its old Sent; one that was unconfirmed is Ambiguous. Where a newer Ordered entry of the lane has
	// been delivered or is unconfirmed, it becomes superseded instead. It returns ErrNotEnded for other states.
	Redrive(ctx context.Context, kind, id string) (LaneEntry, error)

	// Entry returns one entry, or ErrNotFound. The caller owns it.
	Entry(ctx context.Context, kind, id string) (LaneEntry, error)

	// Entries returns entries in the order of their last change, those changed after the cursor, at most limit (1 to
	// MaxPage). Each occurs once, as it is now. Empty: from the beginning. Whoever goes on after Next misses no
	// change, whatever is written meanwhile: no change ever appears before a cursor that was given out.
	Entries(ctx context.Context, filter EntryFilter, after string, limit int) (EntryPage, error)

	// AwaitChange returns nil once an entry of a kind may have changed after the cursor, within a second of it.
	AwaitChange(ctx context.Context, kind, after string) error

	// LaneCounts counts.
	LaneCounts(ctx context.Context, kind string) (LaneCounts, error)

	// Prune removes what is old, and reports whether there may be more.
	Prune(ctx context.Context, prune Prune) (removed int, more bool, err error)
}
