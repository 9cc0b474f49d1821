// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Limits of the circuit.
const (
	failuresToSuspend = 5 // of a host, one after the other
	firstSuspension   = 5 * time.Second
	longestSuspension = 30 * time.Second // each probe that fails doubles the one before, up to this
	whileProbing      = time.Second      // what is advised to those who come while a probe is under way
	maxFailingHosts   = 4096             // remembered; the least recently used go first
)

// circuit spares hosts that keep failing, and those who would wait for them. After failuresToSuspend failures without a
// good answer between them, requests to the host are refused at once; when the suspension is over, one request goes
// through as a probe, and its outcome ends the suspension or begins a longer one:
//
//	          5 failures                over, next request
//	working ─────────────→ suspended ─────────────────────→ probing
//	   ↑                       ↑            failure            │
//	   │                       └───────────────────────────────┤
//	   └───────────────────────────────────────────────────────┘ answer
//
// Only hosts with failures are remembered. It may be used by many goroutines.
type circuit struct {
	now       func() time.Time
	suspended func(host string, pause time.Duration) // nil: nobody is told

	mutex sync.Mutex
	hosts *lru.Cache[string, *failing]
}

// failing is what is known of a host since its last good answer. It is guarded by the circuit's mutex.
type failing struct {
	failures int
	pause    time.Duration // of the latest suspension; 0: there was none
	until    time.Time
	probing  bool
}

// outcome is what a request says of the host.
type outcome int

const (
	unknown outcome = iota // nothing: the caller gave up, or nothing was asked
	working
	broken
)

func newCircuit(now func() time.Time, suspended func(host string, pause time.Duration)) (*circuit, error) {
	hosts, err := lru.New[string, *failing](maxFailingHosts)
	if err != nil {
		return nil, fmt.Errorf("outbound: %w", err)
	}
	return &circuit{now: now, suspended: suspended, hosts: hosts}, nil
}

// admit lets a request to a host through, or refuses it. Where it lets it through, settle must be called.
func (c *circuit) admit(host string) (settle func(outcome), refusal *Error) {
	key := strings.ToLower(host)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	probe := false
	if f, known := c.hosts.Get(key); known && f.pause > 0 {
		wait := f.until.Sub(c.now())
		if f.probing {
			wait = whileProbing
		}
		if wait > 0 {
			return nil, &Error{Kind: Suspended, Host: host, RetryAfter: wait, Detail: "it kept failing, so requests to it are paused"}
		}
		f.probing, probe = true, true
	}
	return func(result outcome) { c.settle(key, result, probe) }, nil
}

func (c *circuit) settle(host string, result outcome, probe bool) {
	if pause := c.count(host, result, probe); pause > 0 && c.suspended != nil {
		c.suspended(host, pause)
	}
}

// count takes in an outcome and returns how long the suspension is that it begins; 0: it begins none.
func (c *circuit) count(host string, result outcome, probe bool) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if result == working {
		c.hosts.Remove(host)
		return 0
	}
	f, known := c.hosts.Peek(host)
	if !known {
		if result == unknown {
			return 0
		}
		f = &failing{}
		c.hosts.Add(host, f)
	}
	if probe {
		f.probing = false // where nothing is known, the next request is the probe
	}
	if result == unknown {
		return 0
	}
	f.failures++
	switch {
	case f.pause == 0 && f.failures >= failuresToSuspend:
		f.pause = firstSuspension
	case f.pause > 0 && probe:
		f.pause = min(2*f.pause, longestSuspension)
	default:
		return 0 // too few, or one that was on its way when the suspension began
	}
	f.until = c.now().Add(f.pause)
	return f.pause
}

// outcomeOf says what a request that ended with a status or an error says of the host. A status of 500 or 501 is about
// the request: Moodle answers it to every score for a locked line item.
func outcomeOf(status int, failure *Error) outcome {
	switch {
	case failure == nil && (status == http.StatusInternalServerError || status == http.StatusNotImplemented):
		return unknown
	case failure == nil && status > http.StatusNotImplemented:
		return broken
	case failure == nil:
		return working
	case failure.cause != nil || failure.Kind == Blocked || failure.Kind == BadURL:
		return unknown
	case failure.Kind == TooLarge || failure.Kind == BadAnswer || failure.answered:
		return working
	}
	return broken
}
