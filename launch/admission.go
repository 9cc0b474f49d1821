// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Bounds of what is under way. A launch that runs mostly waits for a processor, and sometimes for the store or for a
// platform's keys; more than these at once would make each of them later and none of them more.
const (
	maxRunning = 256                    // launches past their cheap checks
	maxWaiting = 1024                   // launches that wait to be
	maxWait    = 2 * time.Second        // that any of them is expected to wait
	firstGuess = 500 * time.Microsecond // the time that a launch runs, before one was seen
)

// share is who shares the sidecar with others: a registration at one caller.
type share struct {
	caller       string
	registration string
}

// admission lets launches run: not too many at once, and none that is expected to come too late. A share that sends more
// than the others waits behind itself, not in front of them: slots that become free go around the shares, no share has
// more than half of the slots, and where all places to wait are taken, the share with the most gives one up.
type admission struct {
	now func() time.Time

	mutex   sync.Mutex
	slots   int // of launches that run
	places  int // of launches that wait
	running int
	waiting int
	shares  map[share]*shareState
	turns   []*shareState // those with launches that wait, the next one first
	took    time.Duration // that a launch runs, as a moving mean
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
}

func newAdmission(now func() time.Time) *admission {
	return &admission{now: now, slots: maxRunning, places: maxWaiting, shares: map[share]*shareState{}, took: firstGuess}
}

// enter waits for a slot. It refuses at once with OVERLOADED where the wait would outlast the context's deadline; where
// the context ends, with DEADLINE_EXCEEDED or CANCELED. The caller must call leave when the launch is done.
func (a *admission) enter(ctx context.Context, of share) (leave func(), err error) {
	a.mutex.Lock()
	s := a.shares[of]
	if s == nil {
		s = &shareState{share: of}
		a.shares[of] = s
	}
	if a.running < a.slots && s.running < a.perShare() && len(s.queue) == 0 {
		leave = a.start(s)
		a.mutex.Unlock()
		return leave, nil
	}
	waits := &ticket{admitted: make(chan bool, 1)}
	if refusal := a.wait(ctx, s, waits); refusal != nil {
		a.forget(s)
		a.mutex.Unlock()
		return nil, refusal
	}
	a.mutex.Unlock()

	select {
	case admitted := <-waits.admitted:
		if !admitted {
			return nil, overloaded(time.Second)
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

// wait puts a launch into the queue of its share. The error is OVERLOADED.
func (a *admission) wait(ctx context.Context, s *shareState, waits *ticket) error {
	expected := a.took * time.Duration(a.waiting+1) / time.Duration(a.slots)
	limit := maxWait
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	if expected > limit {
		return overloaded(expected)
	}
	if a.waiting >= a.places {
		longest := slices.MaxFunc(a.turns, func(x, y *shareState) int { return len(x.queue) - len(y.queue) })
		if len(longest.queue) <= len(s.queue)+1 {
			return overloaded(expected)
		}
		last := longest.queue[len(longest.queue)-1]
		a.withdraw(longest, last)
		last.admitted <- false
	}
	if len(s.queue) == 0 {
		a.turns = append(a.turns, s)
	}
	s.queue = append(s.queue, waits)
	a.waiting++
	return nil
}

// next gives free slots to those who wait, share by share.
func (a *admission) next() {
	for passed := 0; a.running < a.slots && passed < len(a.turns); {
		s := a.turns[0]
		a.turns = a.turns[1:]
		if s.running >= a.perShare() {
			a.turns = append(a.turns, s)
			passed++
			continue
		}
		passed = 0
		first := s.queue[0]
		s.queue = s.queue[1:]
		a.waiting--
		a.running++
		s.running++
		if len(s.queue) > 0 {
			a.turns = append(a.turns, s)
		}
		first.admitted <- true
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

func overloaded(wait time.Duration) error {
	return &lti.Error{Reason: lti.ReasonOverloaded, RetryAfter: max(wait, time.Second)}
}
