// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// LanesRules says which rules of the outbox hold, what the platform is like, and how much goes wrong. The zero value is
// the whole protocol, at a platform that takes every score and whose grades cannot be read, with nothing going wrong.
type LanesRules struct {
	StartNotDurable bool // let bytes leave before the attempt's start is durable
	LeaseUnchecked  bool // let a sidecar end a claim that is no longer its own
	Unordered       bool // work on any open entry of the lane, not on its first
	NewTimestamp    bool // send an entry whose outcome is not known with a new timestamp
	TakesUnknown    bool // take an attempt without an answer for a delivered one

	NewerOnly bool // the platform refuses a score whose timestamp is not newer than what it has
	Readable  bool // the platform's grade can be read
	Late      bool // a request may arrive long after its sender gave up and its lease ended; needs NewerOnly

	Crashes uint8 // of either sidecar
	Losses  uint8 // answers and requests
}

const (
	laneEntries  = 2
	laneSidecars = 2
)

// entryState is what became of an entry.
type entryState uint8

const (
	entryAbsent entryState = iota
	entryQueued
	entryUnconfirmed // and to be sent once more
	entryDelivered
	entryDoubtful // unconfirmed for good: shown to the tool as that
	entryRefused
)

func (s entryState) open() bool { return s == entryQueued || s == entryUnconfirmed }

// laneEntry is one score of the lane. The second one was given later.
type laneEntry struct {
	state   entryState
	started bool  // the start of an attempt is durable, and its end is not
	sent    uint8 // timestamp
	effects uint8 // how often it changed the grade at the platform
}

// What a sidecar is doing.
const (
	laneIdle     = iota
	laneClaimed  // it has the lane, and read the entry
	laneAsked    // it asked the platform for the grade, and the score is not there
	laneStarted  // the attempt's start is durable
	laneWaiting  // bytes have left
	laneAnswered // an answer came
	laneNoAnswer // none will
)

// laneSidecar is one sidecar at work on the lane.
type laneSidecar struct {
	doing     uint8
	entry     uint8
	lease     bool // it is the lane's holder; a claim that ran out is not noticed until it ends
	ambiguous bool // an earlier attempt of this entry may have arrived
	taken     bool // what the answer said
}

// laneRequest is a request on its way: at most one for each sidecar.
type laneRequest struct {
	present bool
	entry   uint8
	sent    uint8
}

// lanesState is one lane, two sidecars over one store, and the platform.
type lanesState struct {
	entries  [laneEntries]laneEntry
	sidecars [laneSidecars]laneSidecar
	requests [laneSidecars]laneRequest
	grade    uint8 // entry that the platform has, counted from 1; 0: none
	newest   uint8 // timestamp that the platform has
	lastSent uint8 // of the lane
	crashes  uint8
	losses   uint8
}

// Lanes is the model of one lane of the outbox.
func Lanes(rules LanesRules) Spec[lanesState] {
	return Spec[lanesState]{
		Steps: func(s lanesState) []Step[lanesState] {
			var steps []Step[lanesState]
			add := func(next lanesState, format string, args ...any) {
				steps = append(steps, Step[lanesState]{fmt.Sprintf(format, args...), next})
			}
			for i := range s.entries {
				if s.entries[i].state == entryAbsent && (i == 0 || s.entries[i-1].state != entryAbsent) {
					next := s
					next.lastSent++
					next.entries[i] = laneEntry{state: entryQueued, sent: next.lastSent}
					add(next, "score %d is accepted", i+1)
				}
			}
			for i := range s.sidecars {
				rules.laneSteps(s, i, add)
				rules.requestSteps(s, i, add)
			}
			return steps
		},
		Broken: func(s lanesState) string { return rules.broken(s) },
		Ended: func(s lanesState) string {
			for i, entry := range s.entries {
				if entry.state.open() || entry.state == entryAbsent {
					return fmt.Sprintf("score %d is stuck", i+1)
				}
			}
			last := s.entries[laneEntries-1]
			if last.state == entryDelivered && s.grade != laneEntries {
				return "the newest score is shown as delivered, and the platform has another"
			}
			return ""
		},
	}
}

// broken is what must never be, in any state.
func (rules LanesRules) broken(s lanesState) string {
	newestEffect := 0
	for i, entry := range s.entries {
		if entry.effects > 0 {
			newestEffect = i + 1
		}
		switch {
		case entry.effects > 1 && (rules.NewerOnly || rules.Readable):
			return fmt.Sprintf("score %d changed the grade twice", i+1)
		case entry.state == entryDelivered && entry.effects == 0:
			return fmt.Sprintf("score %d is shown as delivered, and never arrived", i+1)
		case entry.state == entryRefused && entry.effects > 0:
			return fmt.Sprintf("score %d is shown as refused, and arrived", i+1)
		}
	}
	if int(s.grade) < newestEffect {
		return "an older score replaced a newer one"
	}
	return ""
}

type addLanes func(next lanesState, format string, args ...any)

// first returns the entries that may be worked on: the first open one.
func (rules LanesRules) first(s lanesState) []int {
	var list []int
	for i := range s.entries {
		if s.entries[i].state.open() {
			list = append(list, i)
			if !rules.Unordered {
				break
			}
		}
	}
	return list
}

func (rules LanesRules) laneSteps(s lanesState, i int, add addLanes) {
	sidecar := s.sidecars[i]
	entry := s.entries[sidecar.entry]
	if sidecar.doing != laneIdle && s.crashes < rules.Crashes {
		next := s
		next.crashes++
		next.sidecars[i] = laneSidecar{lease: sidecar.lease}
		add(next, "sidecar %d crashes", i)
	}
	// A lease is longer than an attempt: it runs out after a crash, and before what was sent under it arrives only where
	// requests linger.
	if sidecar.lease && (rules.Late || sidecar.doing == laneIdle && !s.requests[i].present) {
		next := s
		next.sidecars[i].lease = false
		add(next, "the lease of sidecar %d runs out", i)
	}
	switch sidecar.doing {
	case laneIdle:
		if s.sidecars[0].lease || s.sidecars[1].lease {
			return
		}
		for _, e := range rules.first(s) {
			next := s
			next.sidecars[i] = laneSidecar{doing: laneClaimed, entry: uint8(e), lease: true,
				ambiguous: s.entries[e].started || s.entries[e].state == entryUnconfirmed}
			add(next, "sidecar %d claims the lane for score %d", i, e+1)
		}
	case laneClaimed:
		if sidecar.ambiguous && rules.Readable {
			next := s
			if int(s.grade) == int(sidecar.entry)+1 {
				rules.finish(&next, i, entryDelivered)
				add(next, "sidecar %d reads the grade: score %d is there", i, sidecar.entry+1)
			} else {
				next.sidecars[i].doing = laneAsked // still ambiguous: an earlier request can be on its way
				add(next, "sidecar %d reads the grade: score %d is not there", i, sidecar.entry+1)
			}
			return
		}
		rules.begin(s, i, add)
	case laneAsked:
		rules.begin(s, i, add)
	case laneStarted:
		if !s.requests[i].present {
			next := s
			next.sidecars[i].doing = laneWaiting
			next.requests[i] = laneRequest{true, sidecar.entry, entry.sent}
			add(next, "sidecar %d sends score %d", i, sidecar.entry+1)
		}
	case laneWaiting:
		if rules.Late || !s.requests[i].present {
			next := s
			next.sidecars[i].doing = laneNoAnswer
			add(next, "sidecar %d waits no longer", i)
		}
	case laneAnswered:
		next := s
		switch {
		case sidecar.taken, sidecar.ambiguous: // "not newer", of a score that may have arrived, says that it did
			rules.finish(&next, i, entryDelivered)
		default:
			rules.finish(&next, i, entryRefused)
		}
		add(next, "sidecar %d records the answer", i)
	case laneNoAnswer:
		next := s
		switch {
		case rules.TakesUnknown:
			rules.finish(&next, i, entryDelivered)
		case sidecar.ambiguous:
			rules.finish(&next, i, entryDoubtful)
		default:
			rules.finish(&next, i, entryUnconfirmed)
		}
		add(next, "sidecar %d records that there was no answer", i)
	}
}

// begin makes the start of an attempt durable, where the lane is still the sidecar's own.
func (rules LanesRules) begin(s lanesState, i int, add addLanes) {
	sidecar := s.sidecars[i]
	next := s
	if !sidecar.lease && !rules.LeaseUnchecked {
		next.sidecars[i] = laneSidecar{}
		add(next, "sidecar %d finds its lease gone", i)
		return
	}
	next.sidecars[i].doing = laneStarted
	if !rules.StartNotDurable {
		next.entries[sidecar.entry].started = true
	}
	if sidecar.ambiguous && rules.NewTimestamp {
		next.lastSent++
		next.entries[sidecar.entry].sent = next.lastSent
	}
	add(next, "sidecar %d makes the start of score %d durable", i, sidecar.entry+1)
}

// finish ends a claim, unless the lane was given to another meanwhile.
func (rules LanesRules) finish(s *lanesState, i int, state entryState) {
	sidecar := s.sidecars[i]
	if sidecar.lease || rules.LeaseUnchecked {
		s.entries[sidecar.entry].state, s.entries[sidecar.entry].started = state, false
	}
	s.sidecars[i] = laneSidecar{}
}

// requestSteps is what can happen to a request on its way.
func (rules LanesRules) requestSteps(s lanesState, i int, add addLanes) {
	request := s.requests[i]
	if !request.present {
		return
	}
	next := s
	next.requests[i] = laneRequest{}
	if s.losses < rules.Losses {
		lost := next
		lost.losses++
		add(lost, "the request of sidecar %d is lost", i)
	}
	taken := !rules.NewerOnly || request.sent > s.newest
	if taken {
		next.newest = request.sent
		if next.grade != request.entry+1 || rules.NewerOnly { // the same grade once more changes nothing
			next.grade = request.entry + 1
			next.entries[request.entry].effects++
		}
	}
	if s.losses < rules.Losses {
		lost := next
		lost.losses++
		add(lost, "the platform handles score %d, and its answer is lost", request.entry+1)
	}
	if sidecar := s.sidecars[i]; sidecar.doing == laneWaiting && sidecar.entry == request.entry {
		next.sidecars[i].doing, next.sidecars[i].taken = laneAnswered, taken
	}
	add(next, "the platform handles score %d", request.entry+1)
}
