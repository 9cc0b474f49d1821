// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// accepted and lost are the outcomes of a launch besides the reasons of refusals. lost: the answer did not come.
const (
	accepted = "accepted"
	lost     = "no answer"
)

// allowed are the outcomes that a launch may have while something is broken.
var allowed = []string{
	accepted, lost, "NONCE_REPLAYED", "STATE_STALE", "STATE_OTHER_INSTANCE", "STATE_EXPIRED", "STORE_UNAVAILABLE", "STORE_CLOCK_SKEW",
	"STORE_FULL", "OVERLOADED", "DEADLINE_EXCEEDED", "CANCELED", "TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID",
}

// maxTold is how many findings are told in words.
const maxTold = 20

// kind says what is asked of a launch.
type kind uint8

const (
	undisturbed kind = iota // it must be accepted: login and copies fell between two faults
	disturbed               // it may be accepted
	probe                   // the same; a single copy, which asks whether a node serves
)

// answer is one answer to one copy of a launch.
type answer struct {
	launch  uint32
	at      uint32 // milliseconds since the history began
	node    uint8
	outcome uint8 // index into outcomes
}

// history is every answer that was given, in the order in which they came.
type history struct {
	mutex    sync.Mutex
	begun    time.Time
	kinds    []kind   // by launch
	where    []string // by launch
	outcomes []string
	answers  []answer
}

func newHistory() *history { return &history{begun: time.Now()} }

// begin adds a launch.
func (h *history) begin(where string, kind kind) uint32 {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.kinds = append(h.kinds, kind)
	h.where = append(h.where, where)
	return uint32(len(h.kinds) - 1)
}

// note adds an answer.
func (h *history) note(launch uint32, node int, outcome string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	index := slices.Index(h.outcomes, outcome)
	if index < 0 {
		index = len(h.outcomes)
		h.outcomes = append(h.outcomes, outcome)
	}
	h.answers = append(h.answers, answer{launch: launch, at: uint32(time.Since(h.begun).Milliseconds()), node: uint8(node), outcome: uint8(index)})
}

// verdict is what a history shows.
type verdict struct {
	launches int
	twice    int // accepted more than once
	refused  int // undisturbed, and never accepted
	strange  int // answers that nothing explains
	outcomes map[string]int
	told     []string
}

// check goes through the history once everything is over.
func (h *history) check() verdict {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	v := verdict{outcomes: map[string]int{}}
	tell := func(format string, arguments ...any) {
		if len(v.told) < maxTold {
			v.told = append(v.told, fmt.Sprintf(format, arguments...))
		}
	}
	acceptances := make([]uint32, len(h.kinds))
	for _, a := range h.answers {
		outcome := h.outcomes[a.outcome]
		v.outcomes[outcome]++
		if outcome == accepted {
			acceptances[a.launch]++
		} else if !slices.Contains(allowed, outcome) {
			v.strange++
			tell("launch %d (%s) was answered with %s", a.launch, h.where[a.launch], outcome)
		}
	}
	for launch, count := range acceptances {
		if h.kinds[launch] != probe {
			v.launches++
		}
		if count > 1 {
			v.twice++
			tell("launch %d (%s) was accepted %d times: %s", launch, h.where[launch], count, h.story(uint32(launch)))
		}
		if count == 0 && h.kinds[launch] == undisturbed {
			v.refused++
			tell("launch %d (%s) was undisturbed and refused: %s", launch, h.where[launch], h.story(uint32(launch)))
		}
	}
	return v
}

// story lists the answers to a launch. The mutex is held.
func (h *history) story(launch uint32) string {
	var parts []string
	for _, a := range h.answers {
		if a.launch == launch {
			parts = append(parts, fmt.Sprintf("%d ms node %d %s", a.at, a.node, h.outcomes[a.outcome]))
		}
	}
	if len(parts) == 0 {
		return "the login failed"
	}
	return strings.Join(parts, ", ")
}

// totals add up over the parts of a drill. Their JSON form is the state file.
type totals struct {
	Copies    int                     `json:"copies"`
	Parts     int                     `json:"parts"`
	Launches  int                     `json:"launches"`
	Twice     int                     `json:"accepted_twice"`
	Refused   int                     `json:"undisturbed_refused"`
	Strange   int                     `json:"strange_answers"`
	Seconds   float64                 `json:"seconds"`
	Outcomes  map[string]int          `json:"outcomes"`
	Faults    map[string]*faultTotals `json:"faults"`
	Undrilled []string                `json:"undrilled,omitempty"`
}

// faultTotals are of one kind of fault in one store.
type faultTotals struct {
	Times    int     `json:"times"`
	Launches int     `json:"launches"`
	Slowest  float64 `json:"slowest_recovery_seconds"` // from the end of the fault until every node accepts new logins
}

// readTotals reads a state file. It returns empty totals where there is none.
func readTotals(path string, copies int) (*totals, error) {
	t := &totals{Copies: copies, Outcomes: map[string]int{}, Faults: map[string]*faultTotals{}}
	if path == "" {
		return t, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if t.Copies != copies {
		return nil, fmt.Errorf("%s is of a drill with %d copies; parts add up with the same number only", path, t.Copies)
	}
	return t, nil
}

func (t *totals) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// add takes a part's verdict in.
func (t *totals) add(v verdict) {
	t.Launches += v.launches
	t.Twice += v.twice
	t.Refused += v.refused
	t.Strange += v.strange
	for outcome, count := range v.outcomes {
		t.Outcomes[outcome] += count
	}
}

func (t *totals) fault(name string) *faultTotals {
	if t.Faults[name] == nil {
		t.Faults[name] = &faultTotals{}
	}
	return t.Faults[name]
}

// least returns one of the faults of a group that were drilled least.
func (t *totals) least(g *group, random *rand.Rand) fault {
	faults := slices.Clone(g.faults)
	random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return slices.MinFunc(faults, func(a, b fault) int {
		return t.fault(g.name+": "+a.name).Times - t.fault(g.name+": "+b.name).Times
	})
}

func (t *totals) faults() int {
	sum := 0
	for _, f := range t.Faults {
		sum += f.Times
	}
	return sum
}

// String is the table of faults and of answers, and the last line.
func (t *totals) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-62s %6s %9s %9s\n", "fault", "times", "launches", "recovery")
	for _, name := range slices.Sorted(maps.Keys(t.Faults)) {
		f := t.Faults[name]
		fmt.Fprintf(&b, "%-62s %6d %9d %8.1fs\n", name, f.Times, f.Launches, f.Slowest)
	}
	sum := 0
	for _, outcome := range slices.Sorted(maps.Keys(t.Outcomes)) {
		sum += t.Outcomes[outcome]
		fmt.Fprintf(&b, "%-62s %16d\n", outcome, t.Outcomes[outcome])
	}
	fmt.Fprintf(&b, "%d answers in %d parts, %.0f s\n", sum, t.Parts, t.Seconds)
	for _, store := range t.Undrilled {
		fmt.Fprintf(&b, "NOT DRILLED: %s\n", store)
	}
	return b.String()
}

func (t *totals) line() string {
	return fmt.Sprintf("drill-replay: %d launches x %d copies, %d faults, %d accepted twice, %d undisturbed refused",
		t.Launches, t.Copies, t.faults(), t.Twice, t.Refused)
}
