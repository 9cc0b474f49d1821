// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"sync"
	"time"
)

const (
	failuresToPause = 3           // failures of a host, one after the other, that make it pause
	firstPause      = time.Second // doubled at each further failure
	longestPause    = time.Minute // then one attempt finds out whether the host is back
	maxIdleHosts    = 1024        // hosts remembered of which nothing is under way
)

// hosts holds attempts to what each host can bear.
type hosts struct {
	background  int           // attempts of the backlog at once, to one host
	interactive int           // further attempts that somebody waits for, to one host
	gap         time.Duration // between the starts of two attempts of the backlog, to one host

	mutex sync.Mutex
	known map[string]*host
}

type host struct {
	running  [2]int // background, interactive
	failures int
	paused   time.Time // until then
	next     time.Time // when the backlog may start its next attempt
}

func (h *hosts) of(name string) *host {
	known := h.known[name]
	if known == nil {
		if len(h.known) >= maxIdleHosts {
			for other, state := range h.known {
				if state.running == [2]int{} {
					delete(h.known, other)
				}
			}
		}
		known = &host{}
		h.known[name] = known
	}
	return known
}

// enterInteractive takes a place for an attempt that somebody waits for, or reports that there is none now.
func (h *hosts) enterInteractive(name string, now time.Time) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	state := h.of(name)
	if now.Before(state.paused) || state.running[1] >= h.interactive {
		return false
	}
	state.running[1]++
	return true
}

// pausedBeyond reports whether a host gets no attempt before a time.
func (h *hosts) pausedBeyond(name string, until time.Time) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.known[name] != nil && h.known[name].paused.After(until)
}

// enterBackground takes a place for an attempt of the backlog. The host must not be in busy's list.
func (h *hosts) enterBackground(name string, now time.Time) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	state := h.of(name)
	state.running[0]++
	state.next = now.Add(h.gap)
}

// busy lists the hosts that the backlog must pass over now. again is when the first of them can be looked at again; the
// zero time where that depends on attempts that are under way.
func (h *hosts) busy(now time.Time) (names []string, again time.Time) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for name, state := range h.known {
		free := latest(state.paused, state.next)
		switch {
		case state.running[0] >= h.background:
		case state.failures >= failuresToPause && state.running[0] > 0: // one at a time, until it is back
		case now.Before(free):
			if again.IsZero() || free.Before(again) {
				again = free
			}
		default:
			continue
		}
		names = append(names, name)
	}
	return names, again
}

// leave gives a place back, and learns from the verdict how the host is. A nil verdict says nothing about it.
func (h *hosts) leave(name string, interactive bool, v *Verdict, now time.Time) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	state := h.of(name)
	if interactive {
		state.running[1]--
	} else {
		state.running[0]--
	}
	switch {
	case v == nil:
	case v.Throttled:
		state.paused = latest(state.paused, now.Add(min(max(v.RetryAfter, firstPause), longestDelay)))
	case v.HostFault:
		state.failures++
		if state.failures >= failuresToPause {
			pause := longestPause
			if over := state.failures - failuresToPause; over < 10 {
				pause = min(pause, firstPause<<over)
			}
			state.paused = latest(state.paused, now.Add(pause))
		}
	default:
		state.failures = 0
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
