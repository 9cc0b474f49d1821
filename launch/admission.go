// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Bounds of what is under way. Only work for the processor needs a slot, not waiting for keys or for the store: more than
// two for each processor would make every launch later and none of them more.
const (
	slotsPerProcessor = 2
	maxWaiting        = 4096 // launches that wait for a slot
	firstGuess        = 200 * time.Microsecond
)

// share is who shares the sidecar with others: a registration at one caller.
type share struct {
	caller       string
	registration string
}

// admission lets launches work: not too many at once, and none that would come too late. A share that sends more than the
// others waits behind itself, not in front of them: slots that become free go around the shares, no share has more than
// half of the slots while others wait, and where all places to wait are taken, the share with the most gives one up.
//
// Where more come than can be served, the newest of a share goes first: the oldest are those whose callers give up next.
// Launches that wait cost nothing more, and hold their callers back, so they are refused no sooner than they must.
type admission struct {
	now func() time.Time

	mutex   sync.Mutex
	slots   int // of launches that work
	places  int // of launches that wait
	running int
	waiting int
	shares  map[share]*shareState
	turns   []*shareState // those with launches that wait, the next one first
	took    time.Duration // that a launch has its slot, as a moving mean
}

// shareState is what one share has under way. It exists as long as that is something.
type shareState struct {
	share   share
	running int
	queue   []*ticket // oldest first
}

// ticket is a launch that waits.
type ticket struct {
	admitted chan bool // holds one: whether it may run
	deadline time.Time // of its caller; zero: none
}

func newAdmission(now func() time.Time) *admission {
	return &admission{now: now, slots: slotsPerProcessor * runtime.GOMAXPROCS(0), places: maxWaiting, shares: map[share]*shareState{}, took: firstGuess}
}

// enter waits for a slot. It refuses with OVERLOADED where no place to wait is left, or what is left of the context's time
// is not enough any more; where the context ends, with DEADLINE_EXCEEDED or CANCELED. The caller must call leave.
func (a *admission) enter(ctx context.Context, of share) (leave func(), err error) {
	a.mutex.Lock()
	s := a.shares[of]
	if s == nil {
		s = &shareState{share: of}
		a.shares[of] = s
	}
	if a.running < a.slots && (a.waiting == 0 || s.running < a.perShare() && len(s.queue) == 0) {
		leave = a.start(s)
		a.mutex.Unlock()
		return leave, nil
	}
	waits := &ticket{admitted: make(chan bool, 1)}
	waits.deadline, _ = ctx.Deadline()
	if !a.wait(s, waits) {
		a.forget(s)
		a.mutex.Unlock()
		return nil, overloaded()
	}
	a.mutex.Unlock()

	select {
	case admitted := <-waits.admitted:
		if !admitted {
			return nil, overloaded()
		}
	case <-ctx.Done():
		a.mutex.Lock()
		gone := a.withdraw(s, waits)
		a.mutex.Unlock()
		if gone || !<-waits.admitted {
			return nil, storeError(ctx, ctx.Err())
		}
	}
	a.mutex.Lock()
	leave = a.leaver(s)
	a.mutex.Unlock()
	if ctx.Err() != nil { // nobody waits for it any more
		leave()
		return nil, storeError(ctx, ctx.Err())
	}
	return leave, nil
}

// perShare is how many slots one share may have.
func (a *admission) perShare() int { return max(1, a.slots/2) }

// start takes a slot. The caller holds the mutex.
func (a *admission) start(s *shareState) (leave func()) {
	a.running++
	s.running++
	return a.leaver(s)
}

// leaver returns what gives the slot back. The caller holds the mutex.
func (a *admission) leaver(s *shareState) func() {
	begun := a.now()
	return func() {
		took := a.now().Sub(begun)
		a.mutex.Lock()
		defer a.mutex.Unlock()
		a.took += (took - a.took) / 16
		a.running--
		s.running--
		a.next()
		a.forget(s)
	}
}

// wait puts a launch into the queue of its share, and tells whether there was a place.
func (a *admission) wait(s *shareState, waits *ticket) bool {
	if a.waiting >= a.places {
		if len(a.turns) == 0 {
			return false
		}
		longest := slices.MaxFunc(a.turns, func(x, y *shareState) int { return len(x.queue) - len(y.queue) })
		if len(longest.queue) <= len(s.queue)+1 {
			return false
		}
		first := longest.queue[0]
		a.withdraw(longest, first)
		first.admitted <- false
	}
	if len(s.queue) == 0 {
		a.turns = append(a.turns, s)
	}
	s.queue = append(s.queue, waits)
	a.waiting++
	return true
}

// next gives free slots to those who wait, share by share.
func (a *admission) next() {
	for passed := 0; a.running < a.slots && passed < len(a.turns); {
		s := a.turns[0]
		a.turns = a.turns[1:]
		if len(a.turns) > 0 && s.running >= a.perShare() {
			a.turns = append(a.turns, s)
			passed++
			continue
		}
		chosen := 0
		if len(s.queue) > 4*a.slots { // more than a burst
			chosen = len(s.queue) - 1
		}
		t := s.queue[chosen]
		s.queue = slices.Delete(s.queue, chosen, chosen+1)
		a.waiting--
		if len(s.queue) > 0 {
			a.turns = append(a.turns, s)
		}
		if !t.deadline.IsZero() && time.Until(t.deadline) < 2*a.took {
			t.admitted <- false
			a.forget(s)
			continue
		}
		passed = 0
		a.running++
		s.running++
		t.admitted <- true
	}
}

// withdraw takes a launch out of the queue and tells whether it was there.
func (a *admission) withdraw(s *shareState, waits *ticket) bool {
	i := slices.Index(s.queue, waits)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	a.waiting--
	if len(s.queue) == 0 {
		a.turns = slices.DeleteFunc(a.turns, func(other *shareState) bool { return other == s })
		a.forget(s)
	}
	return true
}

// forget drops a share that has nothing under way.
func (a *admission) forget(s *shareState) {
	if s.running == 0 && len(s.queue) == 0 {
		delete(a.shares, s.share)
	}
}

func overloaded() error {
	return &lti.Error{Reason: lti.ReasonOverloaded, RetryAfter: time.Second}
}
