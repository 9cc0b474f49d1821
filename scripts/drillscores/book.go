// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// acknowledgement is a score that the sidecar took.
type acknowledgement struct {
	Lane     string    `json:"lane"`
	Score    int       `json:"score"` // its number, which is also its scoreGiven: rising within its lane
	Earned   time.Time `json:"earned"`
	Delivery string    `json:"delivery"`
}

// effect is a score that the platform stored.
type effect struct {
	Lane  string    `json:"lane"`
	Score int       `json:"score"`
	Time  time.Time `json:"time"`
}

// book is what both sides said, in the order of time. It is kept in the drill's directory.
type book struct {
	mutex   sync.Mutex
	acks    []acknowledgement
	effects []effect
	cycles  int
	next    int      // the next number of a score
	refused []string // scores that the sidecar answered with a refusal

	ackFile, effectFile, cycleFile *os.File
}

func openBook(directory string) (*book, error) {
	b := &book{next: 1}
	var err error
	if b.ackFile, err = openLog(filepath.Join(directory, "acknowledged.jsonl"), func(a acknowledgement) {
		b.acks = append(b.acks, a)
		b.next = max(b.next, a.Score+1)
	}); err != nil {
		return nil, err
	}
	if b.effectFile, err = openLog(filepath.Join(directory, "platform.jsonl"), func(e effect) {
		b.effects = append(b.effects, e)
		b.next = max(b.next, e.Score+1)
	}); err != nil {
		return nil, err
	}
	b.cycleFile, err = openLog(filepath.Join(directory, "cycles.jsonl"), func(cycle int) { b.cycles = cycle })
	// Numbers that were given out and answered by nobody are not given out again.
	b.next += 100_000
	return b, err
}

// openLog reads a file of JSON lines, and opens it for more. A line that an interruption cut short is the last.
func openLog[T any](path string, each func(T)) (*os.File, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	whole := 0
	for lines.Scan() {
		var value T
		if err := json.Unmarshal(lines.Bytes(), &value); err != nil {
			break
		}
		each(value)
		whole += len(lines.Bytes()) + 1
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	whole = min(whole, len(text))
	_, err = file.Seek(int64(whole), 0)
	return file, errors.Join(file.Truncate(int64(whole)), err)
}

func writeLine(file *os.File, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return err
}

func (b *book) close() error {
	return errors.Join(b.ackFile.Close(), b.effectFile.Close(), b.cycleFile.Close())
}

func (b *book) number() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.next++
	return b.next
}

func (b *book) acknowledge(a acknowledgement) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.acks = append(b.acks, a)
	return writeLine(b.ackFile, a)
}

func (b *book) addEffect(e effect) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.effects = append(b.effects, e)
	return writeLine(b.effectFile, e)
}

func (b *book) refuse(request string, err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refused = append(b.refused, fmt.Sprintf("score %s was refused: %v", request, err))
}

func (b *book) endCycle(cycle int) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.cycles = cycle
	return writeLine(b.cycleFile, cycle)
}

func (b *book) acknowledged() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.acks)
}

func (b *book) taken() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.effects)
}

// verdict is what the comparison comes to.
type verdict struct {
	acknowledged, lost, doubled, disordered, unconfirmed int

	states   string
	problems []string // the first ones
}

func (v *verdict) problem(counter *int, format string, args ...any) {
	*counter++
	if len(v.problems) < 20 {
		v.problems = append(v.problems, fmt.Sprintf(format, args...))
	}
}

// judge compares what was acknowledged with what the sidecar says became of it, and both with the grade book.
func (b *book) judge(deliveries map[string]*pb.ScoreDelivery) verdict {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	v := verdict{acknowledged: len(b.acks)}
	type key struct {
		lane  string
		score int
	}
	earned := map[key]time.Time{}
	for _, d := range deliveries { // also those whose acknowledgement a kill cut off
		score, lane, ok := numberOf(d)
		if ok {
			earned[key{lane, score}] = d.ScoreTime.AsTime()
		}
	}
	// The grade book: each score at most once, and in the order of its time; equal ones in that of their numbers.
	stored := map[key]bool{}
	last := map[string]key{}
	for _, e := range b.effects {
		k := key{e.Lane, e.Score}
		at, known := earned[k]
		switch {
		case stored[k]:
			v.problem(&v.doubled, "%s: score %d was stored twice", e.Lane, e.Score)
		case !known:
			v.problem(&v.lost, "%s: score %d was stored, and the sidecar does not know it", e.Lane, e.Score)
		default:
			before, any := last[e.Lane]
			if any && (at.Before(earned[before]) || at.Equal(earned[before]) && e.Score < before.score) {
				v.problem(&v.disordered, "%s: score %d of %v was stored after score %d of %v", e.Lane, e.Score, at, before.score, earned[before])
			}
			last[e.Lane] = k
		}
		stored[k] = true
	}
	// The acknowledgements: each became what the sidecar says.
	states := map[string]int{}
	for _, a := range b.acks {
		d := deliveries[a.Delivery]
		if d == nil {
			v.problem(&v.lost, "%s: score %d was acknowledged as %s, and the sidecar does not know it", a.Lane, a.Score, a.Delivery)
			continue
		}
		states[strings.ToLower(strings.TrimPrefix(d.State.String(), "DELIVERY_STATE_"))]++
		k := key{a.Lane, a.Score}
		switch d.State {
		case pb.DeliveryState_DELIVERY_STATE_DELIVERED:
			if !stored[k] {
				v.problem(&v.lost, "%s: score %d is called delivered, and the platform does not have it", a.Lane, a.Score)
			}
		case pb.DeliveryState_DELIVERY_STATE_UNCONFIRMED:
			v.unconfirmed++
		case pb.DeliveryState_DELIVERY_STATE_SUPERSEDED:
			newest, any := last[a.Lane]
			if !any || newest != k && earned[newest].Before(a.Earned) {
				v.problem(&v.lost, "%s: score %d is called superseded, and the platform has nothing newer", a.Lane, a.Score)
			}
		default:
			v.problem(&v.lost, "%s: score %d is %s at the end: %s %s", a.Lane, a.Score, d.State, d.Reason, d.PlatformError)
		}
	}
	for _, refusal := range b.refused {
		v.problem(&v.lost, "%s", refusal)
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%d %s", states[state], state))
	}
	v.states = strings.Join(parts, ", ")
	return v
}

// numberOf reads the number and the lane of a score from its delivery's request id and line item.
func numberOf(d *pb.ScoreDelivery) (score int, lane string, ok bool) {
	score, err := strconv.Atoi(d.RequestId)
	_, item, found := strings.Cut(d.LineItemUri, "/items/")
	return score, item + "/" + d.UserId, err == nil && found
}
