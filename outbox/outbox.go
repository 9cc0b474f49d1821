// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// Defaults and fixed limits.
const (
	DefaultMaxOpen = 1_000_000
	DefaultHorizon = 30 * 24 * time.Hour

	RequestMemory = 7 * 24 * time.Hour  // how long a request is remembered
	Retention     = 90 * 24 * time.Hour // how long an entry is kept after its last change
	laneRetention = 400 * 24 * time.Hour

	maxLaneOpen = 1000 // open entries of one lane
	maxAhead    = 5 * time.Minute

	backgroundAttempts  = 32 // at once
	hostBackground      = 4  // at once, to one host
	hostInteractive     = 12 // at once, to one host, besides
	interactiveAttempts = 64
	hostGap             = 10 * time.Millisecond

	leaseTime      = 2 * time.Minute
	attemptTimeout = 50 * time.Second // well within the lease
	storeTimeout   = 10 * time.Second
	idleLook       = 500 * time.Millisecond // how often the backlog is looked at while nothing happens
	pruneInterval  = 10 * time.Minute
	pruneBatch     = 500
)

// Config configures an Outbox.
type Config struct {
	Lanes records.Lanes // required
	Kind  string        // of its entries; required

	// Deliver makes one attempt. It must call attempt.Begin before the first byte leaves, and send nothing where that
	// fails. Its context ends in time for the lease. Required.
	Deliver func(ctx context.Context, attempt *Attempt) Verdict

	// Evidence asks the platform about an entry that may have arrived. Nil, or NoProof: it cannot be asked.
	Evidence func(ctx context.Context, entry *records.LaneEntry) Proof

	AtLeastOnce bool          // what may have arrived is simply sent again
	Horizon     time.Duration // how long an entry is tried that is not taken; 0: DefaultHorizon
	MaxOpen     int           // open entries; 0: DefaultMaxOpen

	// DiscardBefore refuses the open entries that were appended before it, when their turn comes; DoubtBefore takes them
	// for ambiguous. Zero: none. They are how the operator lets go a Held outbox.
	DiscardBefore, DoubtBefore time.Time

	Held    bool                     // nothing is taken and nothing is sent
	Logger  *slog.Logger             // required
	Observe func(records.EntryState) // is told of each entry that ended by an attempt or when it came; nil: nobody
	Now     func() time.Time         // nil: time.Now
	Jitter  func() float64           // from 0 to below 1; nil: random
}

// Attempt is one attempt to deliver an entry.
type Attempt struct {
	Entry     *records.LaneEntry
	Ambiguous bool // an earlier attempt may have arrived

	// Begin makes the start of the attempt durable.
	Begin func(ctx context.Context) error
}

// Item is what is submitted. Its fields are those of records.Append.
type Item struct {
	Lane, Group, Owner    string
	Request               string
	Payload               []byte
	Ordered               bool
	Event                 time.Time
	Grain                 time.Duration
	Replaces, Replaceable bool
}

// Outbox delivers the entries of one kind. It may be used by many goroutines.
type Outbox struct {
	config Config
	policy policy
	hosts  *hosts

	ctx         context.Context // ends with Close; attempts run in it
	cancel      context.CancelFunc
	serving     context.Context // ends where no new attempt begins and nobody waits any more
	stop        context.CancelFunc
	wake        chan struct{} // holds one element where the backlog is worth a look
	interactive chan struct{} // one element for each attempt that somebody waits for
	background  chan struct{} // one element for each attempt of the backlog
	attempts    sync.WaitGroup

	mutex   sync.Mutex
	waiters map[string]map[chan struct{}]struct{} // by lane
	awaited map[string]int                        // by entry: how many wait for its end
}

// New returns an Outbox that does nothing by itself before Run.
func New(config Config) (*Outbox, error) {
	switch {
	case config.Lanes == nil || config.Kind == "" || config.Deliver == nil || config.Logger == nil:
		return nil, errors.New("outbox: Lanes, Kind, Deliver and Logger are required")
	case config.Horizon < 0 || config.MaxOpen < 0:
		return nil, errors.New("outbox: a limit is negative")
	}
	if config.Horizon == 0 {
		config.Horizon = DefaultHorizon
	}
	if config.MaxOpen == 0 {
		config.MaxOpen = DefaultMaxOpen
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Jitter == nil {
		config.Jitter = rand.Float64
	}
	if config.Observe == nil {
		config.Observe = func(records.EntryState) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	serving, stop := context.WithCancel(ctx)
	return &Outbox{
		config: config,
		policy: policy{horizon: config.Horizon, atLeastOnce: config.AtLeastOnce},
		hosts:  &hosts{background: hostBackground, interactive: hostInteractive, gap: hostGap, known: make(map[string]*host)},
		ctx:    ctx, cancel: cancel,
		wake:        make(chan struct{}, 1),
		interactive: make(chan struct{}, interactiveAttempts),
		background:  make(chan struct{}, backgroundAttempts),
		serving:     serving, stop: stop,
		waiters: make(map[string]map[chan struct{}]struct{}),
		awaited: make(map[string]int),
	}, nil
}

// Submit appends an item, durably, tries to deliver it at once, and waits for that at most so long; 0: it does not try
// and does not wait. The entry is as it was at the end. Once it is appended, no error is returned. repeated says that
// the item was there before, by its Request; the caller compares the payloads. The error is a *lti.Error OUTBOX_HELD,
// OUTBOX_FULL, STORE_FULL, STORE_UNAVAILABLE, PLATFORM_THROTTLED, CANCELED or DEADLINE_EXCEEDED.
func (o *Outbox) Submit(ctx context.Context, item Item, wait time.Duration) (entry records.LaneEntry, repeated bool, err error) {
	if o.config.Held {
		return records.LaneEntry{}, false, held()
	}
	until := o.config.Now().Add(wait)
	changed, leave := o.watchLane(item.Lane)
	defer leave()
	entry, repeated, err = o.config.Lanes.Append(ctx, records.Append{
		Kind: o.config.Kind, Lane: item.Lane, Group: item.Group, Owner: item.Owner, Payload: item.Payload, Request: item.Request,
		Ordered: item.Ordered, Event: item.Event, Grain: item.Grain, MaxAhead: maxAhead, Replaces: item.Replaces, Replaceable: item.Replaceable,
		MaxOpen: o.config.MaxOpen, MaxLaneOpen: maxLaneOpen,
	})
	if err != nil {
		return records.LaneEntry{}, false, o.refusal(ctx, err)
	}
	if !repeated {
		o.tell(item.Lane) // what it replaced
		if !entry.Open() {
			o.config.Observe(entry.State)
		}
	}
	if !entry.Open() || wait <= 0 {
		o.look()
		return entry, repeated, nil
	}
	o.countAwaited(entry.ID, 1)
	defer o.countAwaited(entry.ID, -1)
	if !o.tryNow(entry.Group, entry.Lane) {
		o.look()
		if o.hosts.pausedBeyond(entry.Group, until) {
			return entry, repeated, nil // waiting would bring nothing
		}
	}
	return o.await(ctx, entry, changed, until), repeated, nil
}

// await waits until an entry has ended, or will not be tried before the time is over.
func (o *Outbox) await(ctx context.Context, entry records.LaneEntry, changed <-chan struct{}, until time.Time) records.LaneEntry {
	timer := time.NewTimer(until.Sub(o.config.Now()))
	defer timer.Stop()
	over := false
	for {
		read, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		current, err := o.config.Lanes.Entry(read, o.config.Kind, entry.ID)
		cancel()
		if err != nil { // it is there all the same, as it was
			o.config.Logger.Error("outbox", "message", "an entry cannot be read", "error", err)
			return entry
		}
		entry = current
		tried := entry.Attempts > 0 && entry.Started.IsZero()
		if over || !entry.Open() || tried && entry.Due.After(until) || entry.State == records.StateUnconfirmed {
			return entry
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true
		case <-o.serving.Done():
			over = true
		}
	}
}

// watchLane returns a channel that holds an element where something may have changed in a lane.
func (o *Outbox) watchLane(lane string) (changed chan struct{}, leave func()) {
	changed = make(chan struct{}, 1)
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.waiters[lane] == nil {
		o.waiters[lane] = make(map[chan struct{}]struct{})
	}
	o.waiters[lane][changed] = struct{}{}
	return changed, func() {
		o.mutex.Lock()
		defer o.mutex.Unlock()
		if delete(o.waiters[lane], changed); len(o.waiters[lane]) == 0 {
			delete(o.waiters, lane)
		}
	}
}

func (o *Outbox) countAwaited(id string, by int) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.awaited[id] += by; o.awaited[id] == 0 {
		delete(o.awaited, id)
	}
}

func (o *Outbox) isAwaited(id string) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.awaited[id] > 0
}

// tell wakes those who wait for something in a lane.
func (o *Outbox) tell(lane string) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for changed := range o.waiters[lane] {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

// look says that the backlog is worth a look.
func (o *Outbox) look() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func held() *lti.Error { return &lti.Error{Reason: lti.ReasonOutboxHeld} }

// refusal turns an error of the lanes into a reason.
func (o *Outbox) refusal(ctx context.Context, err error) error {
	refuse := func(reason lti.Reason, after time.Duration) error {
		return &lti.Error{Reason: reason, RetryAfter: after, Cause: err}
	}
	switch {
	case errors.Is(err, records.ErrFull):
		return lti.Errorf(lti.ReasonOutboxFull, "The sidecar holds %d undelivered entries, which is its limit.", o.config.MaxOpen).With("limit", strconv.Itoa(o.config.MaxOpen))
	case errors.Is(err, records.ErrLaneFull):
		return &lti.Error{Reason: lti.ReasonPlatformThrottled, RetryAfter: time.Second, Cause: err,
			Message: "Too many came at once for one place: each needs a time of its own, and they must not run ahead of the time."}
	case errors.Is(err, records.ErrNoSpace):
		return refuse(lti.ReasonStoreFull, 5*time.Second)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return refuse(lti.ReasonDeadlineExceeded, 0)
	case errors.Is(ctx.Err(), context.Canceled):
		return refuse(lti.ReasonCanceled, 0)
	case errors.Is(err, records.ErrUnavailable):
		return refuse(lti.ReasonStoreUnavailable, time.Second)
	}
	return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
}
