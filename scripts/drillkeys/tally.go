// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/ltisidecar/ltisidecar/lti"
)

// maxProblems is how many problems of one drill are told.
const maxProblems = 10

// tally counts what became of the launches of one drill.
type tally struct {
	mutex    sync.Mutex
	accepted int
	lost     int // valid launches that were refused
	refused  int // launches that must be refused, and were, for the right reason
	problems []string
	more     int // problems that are not told
	notes    []string
}

// valid counts a launch that must be accepted.
func (t *tally) valid(err error) { t.judge(err, "") }

// validUnless counts a valid launch whose loss for one reason is the price that the drill expects.
func (t *tally) validUnless(err error, reason lti.Reason) { t.judge(err, reason) }

func (t *tally) judge(err error, allowed lti.Reason) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err == nil {
		t.accepted++
		return
	}
	t.lost++
	if allowed == "" || lti.ReasonOf(err) != allowed {
		t.note(fmt.Sprintf("a valid launch was lost: %v", err))
	}
}

// refusedFor counts a launch that must be refused for one of some reasons.
func (t *tally) refusedFor(err error, reasons ...lti.Reason) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if slices.Contains(reasons, lti.ReasonOf(err)) {
		t.refused++
		return
	}
	t.note(fmt.Sprintf("got %v, want a refusal for one of %s", err, reasons))
}

// problem notes anything else that is not as it must be.
func (t *tally) problem(format string, args ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.note(fmt.Sprintf(format, args...))
}

// note keeps a problem. The mutex is held.
func (t *tally) note(problem string) {
	if len(t.problems) == maxProblems {
		t.more++
		return
	}
	t.problems = append(t.problems, problem)
}

// remark adds words to the drill's line.
func (t *tally) remark(format string, args ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// losses returns how many valid launches were refused so far.
func (t *tally) losses() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.lost
}

// fetches holds the number of fetches of a platform to what it must be.
func (t *tally) fetches(p *testPlatform, want int) {
	if got := p.fetched(); got != want {
		t.problem("%s was asked for its keys %d times, want %d", p.name, got, want)
	}
}

// load is launches that go on from several workers while a drill changes what is around them.
type load struct {
	mutex   sync.Mutex
	changed sync.Cond
	done    []int // launches by worker
	ending  bool
	running sync.WaitGroup
}

// startLoad lets each worker call its own function again and again.
func startLoad(workers ...func()) *load {
	l := &load{done: make([]int, len(workers))}
	l.changed.L = &l.mutex
	for i, work := range workers {
		l.running.Go(func() {
			for l.count(i) {
				work()
			}
		})
	}
	return l
}

// count notes that a worker begins anew. It returns false when the load ends.
func (l *load) count(worker int) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.done[worker]++
	l.changed.Broadcast()
	return !l.ending
}

// each returns when each worker has begun and finished count calls of its own since.
func (l *load) each(count int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i, begun := range slices.Clone(l.done) {
		for l.done[i] <= begun+count {
			l.changed.Wait()
		}
	}
}

// end stops the load and waits for the calls under way.
func (l *load) end() {
	l.mutex.Lock()
	l.ending = true
	l.mutex.Unlock()
	l.running.Wait()
}
