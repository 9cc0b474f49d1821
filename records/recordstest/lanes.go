// SPDX-License-Identifier: Apache-2.0

package recordstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/records"
)

// LaneHandle is lanes, and the end of whatever they need.
type LaneHandle interface {
	records.Lanes
	io.Closer
}

// LaneShelf is one place of lanes, as the suite reaches it. Each test has one of its own, empty at first.
type LaneShelf struct {
	// Open opens one more handle. The suite closes every handle it opened; a second Close does nothing. Required.
	Open func() (LaneHandle, error)

	// Advance moves the clock of the store, for all handles. Between two calls it may stand still or run on. Required.
	Advance func(time.Duration)

	// Now tells that clock. Required.
	Now func() time.Time

	// Exclusive says that an Open fails while another handle is open. False: handles share the lanes.
	Exclusive bool
}

// RunLanes runs the suite of records.Lanes, as Run does that of records.Store.
func RunLanes(t *testing.T, newShelf func(t *testing.T) LaneShelf) {
	for _, test := range []struct {
		name string
		run  func(*laneSuite)
	}{
		{"append and read", (*laneSuite).appendAndRead},
		{"a repeated request", (*laneSuite).repeatedRequest},
		{"many with one request", (*laneSuite).requestRace},
		{"order of events", (*laneSuite).orderOfEvents},
		{"what is refused supersedes nothing", (*laneSuite).refusedSupersedesNothing},
		{"entries without order", (*laneSuite).unordered},
		{"timestamps do not run ahead", (*laneSuite).ahead},
		{"full", (*laneSuite).full},
		{"replacement", (*laneSuite).replacement},
		{"a claimed entry is not replaced", (*laneSuite).claimedIsNotReplaced},
		{"claims in order of due", (*laneSuite).claimOrder},
		{"leases", (*laneSuite).leases},
		{"an attempt whose end is not known", (*laneSuite).startedAttempt},
		{"outcomes", (*laneSuite).outcomes},
		{"wrong outcomes", (*laneSuite).wrongOutcomes},
		{"driven again", (*laneSuite).redrive},
		{"driven again while a newer one is on its way", (*laneSuite).redriveUnderway},
		{"many workers", (*laneSuite).manyWorkers},
		{"list in pages", (*laneSuite).list},
		{"a list misses no change", (*laneSuite).listWhileWriting},
		{"await a change", (*laneSuite).await},
		{"counts", (*laneSuite).counts},
		{"prune", (*laneSuite).prune},
		{"a lane outlives its entries", (*laneSuite).laneOutlives},
		{"kinds are apart", (*laneSuite).kinds},
		{"values are copies", (*laneSuite).copies},
		{"limits", (*laneSuite).limits},
		{"ended context", (*laneSuite).endedContext},
		{"contexts that end meanwhile", (*laneSuite).endingContexts},
		{"closed", (*laneSuite).closed},
		{"open again", (*laneSuite).openAgain},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test.run(&laneSuite{T: t, LaneShelf: newShelf(t), ctx: ctx})
		})
	}
}

// laneSuite is one test at work.
type laneSuite struct {
	*testing.T
	LaneShelf
	ctx context.Context
}

const laneKind = "work"

// event is the time that the suite's Events are counted from.
var event = time.Date(2026, 3, 4, 5, 6, 7, 123_000_000, time.UTC)

func (s *laneSuite) open() LaneHandle {
	s.Helper()
	handle, err := s.Open()
	s.is(err, nil)
	s.Cleanup(func() { s.is(handle.Close(), nil) })
	return handle
}

// another gives a second view of the same lanes: another handle, or, where there can be but one, the same opened again.
// Leases of the first are over.
func (s *laneSuite) another(first LaneHandle, lease time.Duration) LaneHandle {
	s.Helper()
	if s.Exclusive {
		s.is(first.Close(), nil)
	} else {
		s.Advance(lease)
	}
	return s.open()
}

func (s *laneSuite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func entryOf(lane string) records.Append {
	return records.Append{Kind: laneKind, Lane: lane, Group: "host.example:443", Payload: []byte("payload of " + lane)}
}

// score is an ordered entry whose event lies so many seconds after the first.
func score(lane string, seconds int) records.Append {
	entry := entryOf(lane)
	entry.Ordered, entry.Event, entry.Grain = true, event.Add(time.Duration(seconds)*time.Second), time.Millisecond
	return entry
}

func (s *laneSuite) append(lanes records.Lanes, entry records.Append) records.LaneEntry {
	s.Helper()
	appended, repeated, err := lanes.Append(s.ctx, entry)
	s.is(err, nil)
	if repeated {
		s.Fatalf("the entry %s was taken for a repeat", appended.ID)
	}
	return appended
}

func (s *laneSuite) entry(lanes records.Lanes, id string) records.LaneEntry {
	s.Helper()
	entry, err := lanes.Entry(s.ctx, laneKind, id)
	s.is(err, nil)
	if entry.ID != id {
		s.Fatalf("asked for %s, got %s", id, entry.ID)
	}
	return entry
}

func (s *laneSuite) hasState(lanes records.Lanes, id string, state records.EntryState, open bool) records.LaneEntry {
	s.Helper()
	entry := s.entry(lanes, id)
	if entry.State != state || entry.Open() != open {
		s.Fatalf("the entry is %s, open %v; want %s, %v", entry.State, entry.Open(), state, open)
	}
	return entry
}

func (s *laneSuite) claim(lanes records.Lanes, skip ...string) (records.LaneEntry, records.Lease) {
	s.Helper()
	entry, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Skip: skip, Lease: time.Minute})
	s.is(err, nil)
	if lease.ID != entry.ID || lease.Lane != entry.Lane || lease.Kind != laneKind || !lease.Expires.After(s.Now()) {
		s.Fatalf("lease %+v for entry %s of lane %s", lease, entry.ID, entry.Lane)
	}
	return entry, lease
}

func (s *laneSuite) noneDue(lanes records.Lanes, skip ...string) {
	s.Helper()
	_, _, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Skip: skip, Lease: time.Minute})
	s.is(err, records.ErrNoneDue)
}

// settle claims what is due first and ends it.
func (s *laneSuite) settle(lanes records.Lanes, state records.EntryState) records.LaneEntry {
	s.Helper()
	_, lease := s.claim(lanes)
	s.is(lanes.Start(s.ctx, lease), nil)
	finished, err := lanes.Finish(s.ctx, lease, records.Outcome{State: state})
	s.is(err, nil)
	return finished
}

func same(a, b records.LaneEntry) bool {
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

func (s *laneSuite) appendAndRead() {
	lanes := s.open()
	before := records.Milliseconds(s.Now())
	want := score("lane-a_1", 0)
	want.Owner, want.Request, want.Payload = "owner.~!", "request:'\"%", bytes.Repeat([]byte{0, 0xff, '"'}, 1000)
	got := s.append(lanes, want)
	after := s.Now()
	if got.Kind != laneKind || got.Lane != "lane-a_1" || got.Group != want.Group || got.Owner != want.Owner || got.Request != want.Request ||
		!bytes.Equal(got.Payload, want.Payload) || !got.Event.Equal(event) || !got.Sent.Equal(event) || got.State != records.StateQueued ||
		!got.Started.IsZero() || got.Attempts != 0 || got.Ambiguous || len(got.Result) != 0 || got.ID == "" || len(got.ID) > 64 || got.Cursor == "" {
		s.Fatalf("appended %+v", got)
	}
	for _, at := range []time.Time{got.Due, got.AppendTime, got.ChangeTime} {
		if at.Before(before) || at.After(after) || at.Location() != time.UTC || at.Nanosecond()%1e6 != 0 {
			s.Fatalf("%v is not between %v and %v, in whole milliseconds of UTC", at, before, after)
		}
	}
	if read := s.entry(lanes, got.ID); !same(read, got) {
		s.Fatalf("read %.1000v, appended %.1000v", fmt.Sprint(read), fmt.Sprint(got))
	}
	other := s.append(lanes, score("lane-b", 0))
	if other.ID == got.ID || other.Cursor == got.Cursor {
		s.Fatal("two entries share an ID or a cursor")
	}
	for _, id := range []string{"", "x", got.ID + "0", strings.Repeat("0", len(got.ID)), strings.Repeat("z", 64)} {
		_, err := lanes.Entry(s.ctx, laneKind, id)
		s.is(err, records.ErrNotFound)
	}
}

func (s *laneSuite) repeatedRequest() {
	lanes := s.open()
	entry := score("a", 0)
	entry.Request = "once"
	first := s.append(lanes, entry)
	s.settle(lanes, records.StateRefused)
	entry.Payload, entry.Lane, entry.Event = []byte("other"), "b", event.Add(time.Hour)
	again, repeated, err := lanes.Append(s.ctx, entry)
	s.is(err, nil)
	if !repeated || again.ID != first.ID || again.State != records.StateRefused || again.Lane != "a" {
		s.Fatalf("repeated %v: %+v", repeated, again)
	}
	entry.Request = "another"
	if other := s.append(lanes, entry); other.ID == first.ID {
		s.Fatal("two requests share an entry")
	}
	entry.Request = ""
	if one, two := s.append(lanes, entry), s.append(lanes, entry); one.ID == two.ID {
		s.Fatal("entries without request are one")
	}
}

func (s *laneSuite) requestRace() {
	handles := []records.Lanes{s.open()}
	if !s.Exclusive {
		handles = append(handles, s.open())
	}
	const racers = 16
	var start, done sync.WaitGroup
	ids, fresh := make([]string, racers), make([]bool, racers)
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			entry := score(fmt.Sprint("lane-", i%3), i)
			entry.Request = "the-one"
			appended, repeated, err := handles[i%len(handles)].Append(s.ctx, entry)
			if err != nil {
				s.Errorf("Append: %v", err)
			}
			ids[i], fresh[i] = appended.ID, !repeated
		})
	}
	start.Done()
	done.Wait()
	count := 0
	for i := range racers {
		if ids[i] != ids[0] {
			s.Fatalf("one request made two entries, %s and %s", ids[0], ids[i])
		}
		if fresh[i] {
			count++
		}
	}
	if count != 1 {
		s.Fatalf("%d of %d say that they appended it", count, racers)
	}
}

func (s *laneSuite) orderOfEvents() {
	lanes := s.open()
	at := func(entry records.Append, wantEvent, wantSent time.Duration, superseded bool) {
		s.Helper()
		got := s.append(lanes, entry)
		sent := event.Add(wantSent)
		if superseded {
			sent = time.Time{}
		}
		if !got.Event.Equal(event.Add(wantEvent)) || !got.Sent.Equal(sent) || (got.State == records.StateSuperseded) != superseded || got.Open() == superseded {
			s.Fatalf("event %v, sent %v, %s; want %v, %v", got.Event, got.Sent, got.State, event.Add(wantEvent), sent)
		}
	}
	at(score("a", 10), 10*time.Second, 10*time.Second, false)
	at(score("a", 10), 10*time.Second, 10*time.Second+time.Millisecond, false) // equal ones keep their order of arrival
	at(score("a", 9), 9*time.Second, 0, true)
	coarse := score("a", 10)
	coarse.Grain = 2 * time.Second
	at(coarse, 10*time.Second, 12*time.Second+time.Millisecond, false)
	at(score("a", 12), 12*time.Second, 12*time.Second+2*time.Millisecond, false)
	odd := score("a", 20)
	odd.Event = odd.Event.Add(999_999 * time.Nanosecond).In(time.FixedZone("", 3600))
	at(odd, 20*time.Second, 20*time.Second, false)
	at(score("b", 0), 0, 0, false) // lanes are apart

	// Without an event the entry is of now, or as new as the newest, and never superseded.
	before := records.Milliseconds(s.Now())
	now := score("c", 0)
	now.Event = time.Time{}
	if got := s.append(lanes, now); got.Event.Before(before) || got.Event.After(s.Now()) || !got.Sent.Equal(got.Event) {
		s.Fatalf("event %v, sent %v, now %v", got.Event, got.Sent, before)
	}
	future := score("d", 0)
	future.Event = records.Milliseconds(s.Now().Add(time.Hour))
	s.append(lanes, future)
	now.Lane = "d"
	if got := s.append(lanes, now); !got.Event.Equal(future.Event) || !got.Sent.Equal(future.Event.Add(time.Millisecond)) || !got.Open() {
		s.Fatalf("after one at %v: event %v, sent %v, open %v", future.Event, got.Event, got.Sent, got.Open())
	}
}

func (s *laneSuite) refusedSupersedesNothing() {
	for _, state := range []records.EntryState{records.StateRefused, records.StateSuperseded, records.StateDelivered, records.StateUnconfirmed} {
		lanes, lane := s.open(), "lane-"+string(state)
		s.append(lanes, score(lane, 10))
		s.settle(lanes, state)
		older := s.append(lanes, score(lane, 5))
		if older.Open() == state.Stands() {
			s.Fatalf("an older entry after a newer one that is %s: open %v", state, older.Open())
		}
		if older.Open() && !older.Sent.After(event.Add(10*time.Second)) {
			s.Fatalf("sent %v, which is not after the last", older.Sent)
		}
		if older.Open() {
			s.settle(lanes, records.StateDelivered)
		}
		s.is(lanes.Close(), nil)
	}
}

func (s *laneSuite) unordered() {
	lanes := s.open()
	entry := entryOf("a")
	entry.Replaceable = true
	first := s.append(lanes, entry)
	second := s.append(lanes, entry)
	if !first.Event.IsZero() || !first.Sent.IsZero() || !first.Open() || !second.Open() {
		s.Fatalf("%+v", first)
	}
	if got := s.settle(lanes, records.StateDelivered); got.ID != first.ID {
		s.Fatal("the second came first")
	}
	s.hasState(lanes, second.ID, records.StateQueued, true)
}

func (s *laneSuite) ahead() {
	lanes := s.open()
	entry := score("a", 0)
	entry.Event, entry.Grain, entry.MaxAhead = time.Time{}, time.Minute, 5*time.Minute
	for range 5 {
		s.append(lanes, entry)
	}
	_, _, err := lanes.Append(s.ctx, entry)
	for err == nil { // the clock of the store runs on
		_, _, err = lanes.Append(s.ctx, entry)
	}
	s.is(err, records.ErrLaneFull)
	s.Advance(2 * time.Minute)
	s.append(lanes, entry)
}

func (s *laneSuite) full() {
	lanes := s.open()
	entry := score("a", 0)
	entry.MaxOpen, entry.MaxLaneOpen = 3, 2
	s.append(lanes, entry)
	s.append(lanes, entry)
	_, _, err := lanes.Append(s.ctx, entry)
	s.is(err, records.ErrLaneFull)
	entry.Lane = "b"
	s.append(lanes, entry)
	_, _, err = lanes.Append(s.ctx, entry)
	s.is(err, records.ErrFull)
	old := score("a", -1) // superseded at once, so it takes no place
	old.MaxOpen, old.MaxLaneOpen = 1, 1
	if got := s.append(lanes, old); got.State != records.StateSuperseded {
		s.Fatalf("%s", got.State)
	}
	s.settle(lanes, records.StateRefused)
	s.append(lanes, entry)
}

func (s *laneSuite) replacement() {
	lanes := s.open()
	plain, noted := score("a", 0), score("a", 1)
	plain.Replaceable = true
	one, two, three := s.append(lanes, plain), s.append(lanes, noted), s.append(lanes, earned(plain, 2))
	newer := earned(plain, 3) // does not replace
	four := s.append(lanes, newer)
	newer = earned(plain, 4)
	newer.Replaces, newer.MaxLaneOpen, newer.MaxOpen = true, 2, 2
	five := s.append(lanes, newer)
	for _, id := range []string{one.ID, three.ID, four.ID} {
		s.hasState(lanes, id, records.StateSuperseded, false)
	}
	s.hasState(lanes, two.ID, records.StateQueued, true)
	s.hasState(lanes, five.ID, records.StateQueued, true)
	late := earned(plain, 1)
	late.Replaces = true
	if got := s.append(lanes, late); got.Open() {
		s.Fatal("an older entry is open")
	}
	s.hasState(lanes, five.ID, records.StateQueued, true) // what is superseded itself replaces nothing
	other := earned(plain, 9)
	other.Lane, other.Replaces = "b", true
	s.append(lanes, other)
	s.hasState(lanes, five.ID, records.StateQueued, true)
	if first, lease := s.claim(lanes); first.ID != two.ID {
		s.Fatal("the first of the lane is not the one that stayed")
	} else {
		s.is(lanes.Release(s.ctx, lease), nil)
	}
	// One that is to be tried later is replaced as well, and the new one is due at once.
	wait := earned(plain, 0)
	wait.Lane = "c"
	waiting := s.append(lanes, wait)
	_, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "c", Lease: time.Minute})
	s.is(err, nil)
	s.is(lanes.Start(s.ctx, lease), nil)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateUnconfirmed, Due: s.Now().Add(time.Hour), Ambiguous: true})
	s.is(err, nil)
	wait.Replaces = true
	s.append(lanes, wait)
	s.hasState(lanes, waiting.ID, records.StateSuperseded, false)
	_, _, err = lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "c", Lease: time.Minute})
	s.is(err, nil)
}

func earned(entry records.Append, seconds int) records.Append {
	entry.Event = event.Add(time.Duration(seconds) * time.Second)
	return entry
}

func (s *laneSuite) claimedIsNotReplaced() {
	lanes := s.open()
	entry := score("a", 0)
	entry.Replaceable, entry.Replaces = true, true
	first := s.append(lanes, entry)
	_, lease := s.claim(lanes)
	second := s.append(lanes, entry)
	third := s.append(lanes, entry)
	s.hasState(lanes, first.ID, records.StateQueued, true)
	s.hasState(lanes, second.ID, records.StateSuperseded, false)
	s.is(lanes.Start(s.ctx, lease), nil)
	_, err := lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateQueued, Due: s.Now().Add(time.Hour)})
	s.is(err, nil)
	s.noneDue(lanes) // the next one waits for the first
	s.append(lanes, entry)
	s.hasState(lanes, first.ID, records.StateSuperseded, false)
	s.hasState(lanes, third.ID, records.StateSuperseded, false)
}

func (s *laneSuite) claimOrder() {
	lanes := s.open()
	s.noneDue(lanes)
	var ids []string
	for i, lane := range []string{"b", "a", "c", "a"} {
		entry := score(lane, i)
		entry.Group = "host-" + lane
		ids = append(ids, s.append(lanes, entry).ID)
		s.Advance(time.Second)
	}
	first, lease := s.claim(lanes)
	if first.ID != ids[0] {
		s.Fatal("the first claim is not of what has been due for longest")
	}
	if second, _ := s.claim(lanes, "host-a"); second.ID != ids[2] {
		s.Fatal("a group was not passed over")
	}
	s.noneDue(lanes, "host-a")
	_, _, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "a", Skip: []string{"host-a"}, Lease: time.Minute})
	s.is(err, records.ErrNoneDue)
	third, _, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "a", Lease: time.Minute})
	s.is(err, nil)
	if third.ID != ids[1] {
		s.Fatal("the claim of a lane gave another entry")
	}
	s.noneDue(lanes) // the second entry of lane a waits for the first
	_, _, err = lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "a", Lease: time.Minute})
	s.is(err, records.ErrNoneDue)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateQueued, Due: s.Now().Add(10 * time.Second)})
	s.is(err, nil)
	s.noneDue(lanes)
	s.Advance(11 * time.Second)
	if again, _ := s.claim(lanes); again.ID != ids[0] || again.Attempts != 0 {
		s.Fatal("what is due again was not given")
	}
}

func (s *laneSuite) leases() {
	lanes := s.open()
	id := s.append(lanes, score("a", 0)).ID
	_, first := s.claim(lanes)
	s.is(lanes.Release(s.ctx, first), nil)
	s.is(lanes.Start(s.ctx, first), records.ErrLeaseLost)
	_, err := lanes.Finish(s.ctx, first, records.Outcome{State: records.StateDelivered})
	s.is(err, records.ErrLeaseLost)
	s.is(lanes.Release(s.ctx, first), records.ErrLeaseLost)

	_, second := s.claim(lanes)
	s.Advance(2 * time.Minute)
	s.is(lanes.Start(s.ctx, second), records.ErrLeaseLost) // it is over
	s.is(lanes.Release(s.ctx, second), nil)                // but nobody else has it

	_, third := s.claim(lanes)
	s.is(lanes.Start(s.ctx, third), nil)
	s.Advance(2 * time.Minute)
	again, fourth := s.claim(lanes) // another worker takes it
	if again.Started.IsZero() || again.Attempts != 1 {
		s.Fatalf("the attempt of the first worker does not show: %+v", again)
	}
	s.is(lanes.Start(s.ctx, third), records.ErrLeaseLost)
	s.is(lanes.Release(s.ctx, third), records.ErrLeaseLost)
	_, err = lanes.Finish(s.ctx, third, records.Outcome{State: records.StateRefused})
	s.is(err, records.ErrLeaseLost)
	s.hasState(lanes, id, records.StateQueued, true)
	forged := fourth
	forged.Token += "x"
	_, err = lanes.Finish(s.ctx, forged, records.Outcome{State: records.StateRefused})
	s.is(err, records.ErrLeaseLost)
	s.Advance(2 * time.Minute)
	_, err = lanes.Finish(s.ctx, fourth, records.Outcome{State: records.StateDelivered}) // over, but not taken
	s.is(err, nil)
	s.hasState(lanes, id, records.StateDelivered, false)
	_, err = lanes.Finish(s.ctx, fourth, records.Outcome{State: records.StateRefused})
	s.is(err, records.ErrLeaseLost)
}

func (s *laneSuite) startedAttempt() {
	lanes := s.open()
	first, second := s.append(lanes, score("a", 0)), s.append(lanes, score("b", 0))
	claimed, lease := s.claim(lanes)
	if claimed.ID != first.ID || !claimed.Started.IsZero() {
		s.Fatalf("%+v", claimed)
	}
	s.is(lanes.Start(s.ctx, lease), nil)
	if started := s.entry(lanes, first.ID); started.Started.IsZero() || started.Attempts != 1 || started.Cursor != first.Cursor {
		s.Fatalf("%+v", started)
	}
	if claimed, _ := s.claim(lanes); claimed.ID != second.ID {
		s.Fatalf("%+v", claimed)
	}
	lanes = s.another(lanes, 2*time.Minute) // the worker is dead
	seen := map[string]bool{}
	for range 2 {
		claimed, lease := s.claim(lanes)
		seen[claimed.ID] = true
		if claimed.Started.IsZero() == (claimed.ID == first.ID) || claimed.Attempts != map[bool]int{true: 1}[claimed.ID == first.ID] {
			s.Fatalf("%+v", claimed)
		}
		finished, err := lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered})
		s.is(err, nil)
		if !finished.Started.IsZero() {
			s.Fatal("a finished entry is still started")
		}
	}
	if len(seen) != 2 {
		s.Fatal("one entry came twice")
	}
}

func (s *laneSuite) outcomes() {
	lanes := s.open()
	var last records.LaneEntry
	for i, outcome := range []records.Outcome{
		{State: records.StateQueued, Due: s.Now().Add(time.Second), Ambiguous: true, Result: []byte("\x00 no answer")},
		{State: records.StateUnconfirmed, Due: s.Now().Add(time.Second), Ambiguous: true, Result: []byte("again")},
		{State: records.StateDelivered, Result: []byte("{}")},
		{State: records.StateSuperseded},
		{State: records.StateUnconfirmed, Ambiguous: true},
		{State: records.StateRefused, Result: []byte("no such user")},
	} {
		lane := fmt.Sprint("lane-", i)
		appended := s.append(lanes, score(lane, 0))
		_, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: lane, Lease: time.Minute})
		s.is(err, nil)
		s.is(lanes.Start(s.ctx, lease), nil)
		finished, err := lanes.Finish(s.ctx, lease, outcome)
		s.is(err, nil)
		if finished.ID != appended.ID || finished.State != outcome.State || !finished.Due.Equal(records.Milliseconds(outcome.Due)) || finished.Ambiguous != outcome.Ambiguous ||
			!bytes.Equal(finished.Result, outcome.Result) || finished.Attempts != 1 || !finished.Started.IsZero() || finished.Cursor == appended.Cursor ||
			finished.ChangeTime.Before(appended.ChangeTime) || !bytes.Equal(finished.Payload, appended.Payload) || !finished.Sent.Equal(appended.Sent) {
			s.Fatalf("outcome %+v gave %+v", outcome, finished)
		}
		if read := s.entry(lanes, finished.ID); !same(read, finished) {
			s.Fatalf("read %+v, finished %+v", read, finished)
		}
		last = finished
	}
	_, _, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: last.Lane, Lease: time.Minute})
	s.is(err, records.ErrNoneDue)
	s.Advance(2 * time.Second)
	claimed, _ := s.claim(lanes)
	if claimed.Lane != "lane-0" || !claimed.Ambiguous || string(claimed.Result) != "\x00 no answer" || claimed.Attempts != 1 {
		s.Fatalf("%+v", claimed)
	}
}

func (s *laneSuite) wrongOutcomes() {
	lanes := s.open()
	s.append(lanes, score("a", 0))
	_, lease := s.claim(lanes)
	for _, outcome := range []records.Outcome{
		{}, {State: "lost"}, {State: records.StateQueued}, {State: records.StateDelivered, Due: s.Now()},
		{State: records.StateRefused, Due: s.Now()}, {State: records.StateSuperseded, Due: s.Now()},
		{State: records.StateDelivered, Result: make([]byte, records.MaxPayloadSize+1)},
	} {
		_, err := lanes.Finish(s.ctx, lease, outcome)
		s.is(err, records.ErrInvalid)
	}
	_, err := lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered, Result: make([]byte, records.MaxPayloadSize)})
	s.is(err, nil)
}

func (s *laneSuite) redrive() {
	lanes := s.open()
	_, err := lanes.Redrive(s.ctx, laneKind, "none")
	s.is(err, records.ErrNotFound)
	refused := s.append(lanes, score("a", 0))
	_, err = lanes.Redrive(s.ctx, laneKind, refused.ID)
	s.is(err, records.ErrNotEnded)
	s.settle(lanes, records.StateRefused)
	driven, err := lanes.Redrive(s.ctx, laneKind, refused.ID)
	s.is(err, nil)
	if driven.State != records.StateQueued || !driven.Open() || !driven.Sent.Equal(refused.Sent) || driven.Ambiguous || driven.Attempts != 1 {
		s.Fatalf("%+v", driven)
	}
	if claimed, lease := s.claim(lanes); claimed.ID != refused.ID {
		s.Fatalf("%+v", claimed)
	} else {
		s.is(lanes.Start(s.ctx, lease), nil)
		_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateRefused})
		s.is(err, nil)
	}

	// At its old place: before what is queued, and nowhere once a newer one was delivered.
	next := s.append(lanes, score("a", 1))
	_, err = lanes.Redrive(s.ctx, laneKind, refused.ID)
	s.is(err, nil)
	if got := s.settle(lanes, records.StateRefused); got.ID != refused.ID {
		s.Fatal("the entry that was driven again does not come first")
	}
	if got := s.settle(lanes, records.StateDelivered); got.ID != next.ID {
		s.Fatal("the next one did not follow")
	}
	driven, err = lanes.Redrive(s.ctx, laneKind, refused.ID)
	s.is(err, nil)
	if driven.State != records.StateSuperseded || driven.Open() {
		s.Fatalf("%+v", driven)
	}
	for _, id := range []string{refused.ID, next.ID} { // superseded, delivered
		_, err = lanes.Redrive(s.ctx, laneKind, id)
		s.is(err, records.ErrNotEnded)
	}

	unconfirmed := s.append(lanes, score("b", 0))
	s.settle(lanes, records.StateUnconfirmed)
	driven, err = lanes.Redrive(s.ctx, laneKind, unconfirmed.ID)
	s.is(err, nil)
	if !driven.Ambiguous || driven.State != records.StateQueued || !driven.Open() {
		s.Fatalf("%+v", driven)
	}
}

func (s *laneSuite) redriveUnderway() {
	lanes := s.open()
	old := s.append(lanes, score("a", 0))
	s.settle(lanes, records.StateRefused)
	newer := s.append(lanes, score("a", 1))
	_, lease := s.claim(lanes)
	_, err := lanes.Redrive(s.ctx, laneKind, old.ID)
	s.is(err, nil)
	s.noneDue(lanes)
	s.is(lanes.Start(s.ctx, lease), nil)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered})
	s.is(err, nil)
	s.hasState(lanes, newer.ID, records.StateDelivered, false)
	s.hasState(lanes, old.ID, records.StateSuperseded, false)
	s.noneDue(lanes)
}

func (s *laneSuite) manyWorkers() {
	handles := []records.Lanes{s.open()}
	if !s.Exclusive {
		handles = append(handles, s.open())
	}
	const lanesCount, each, workers = 7, 12, 8
	want := map[string][]string{}
	var mutex sync.Mutex
	got, working := map[string][]string{}, map[string]bool{}
	var done sync.WaitGroup
	for lane := range lanesCount {
		done.Go(func() {
			for i := range each {
				entry := score(fmt.Sprint("lane-", lane), i)
				entry.Group = fmt.Sprint("host-", lane%3)
				appended, _, err := handles[lane%len(handles)].Append(s.ctx, entry)
				if err != nil {
					s.Errorf("Append: %v", err)
					return
				}
				mutex.Lock()
				want[appended.Lane] = append(want[appended.Lane], appended.ID)
				mutex.Unlock()
			}
		})
	}
	finished := 0
	work := func(lanes records.Lanes) error {
		for {
			mutex.Lock()
			over := finished == lanesCount*each
			mutex.Unlock()
			if over {
				return nil
			}
			entry, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lease: time.Minute})
			if errors.Is(err, records.ErrNoneDue) {
				if s.ctx.Err() != nil {
					return s.ctx.Err()
				}
				continue
			}
			if err != nil {
				return err
			}
			mutex.Lock()
			if working[entry.Lane] {
				mutex.Unlock()
				return fmt.Errorf("two work on lane %s", entry.Lane)
			}
			working[entry.Lane] = true
			mutex.Unlock()
			if err := lanes.Start(s.ctx, lease); err != nil {
				return err
			}
			mutex.Lock()
			working[entry.Lane] = false
			got[entry.Lane] = append(got[entry.Lane], entry.ID)
			finished++
			mutex.Unlock()
			if _, err := lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered}); err != nil {
				return err
			}
		}
	}
	for i := range workers {
		done.Go(func() {
			if err := work(handles[i%len(handles)]); err != nil {
				s.Error(err)
			}
		})
	}
	done.Wait()
	for lane, ids := range want {
		if !slices.Equal(got[lane], ids) {
			s.Errorf("lane %s was worked on in the order %q, appended in %q", lane, got[lane], ids)
		}
	}
	counts, err := handles[0].LaneCounts(s.ctx, laneKind)
	s.is(err, nil)
	if counts.Open != 0 || counts.States[records.StateDelivered] != lanesCount*each {
		s.Errorf("%+v", counts)
	}
}

// listed reads a whole list in pages.
func (s *laneSuite) listed(lanes records.Lanes, filter records.EntryFilter, after string, size int) (ids []string, next string) {
	s.Helper()
	for {
		page, err := lanes.Entries(s.ctx, filter, after, size)
		s.is(err, nil)
		if len(page.Entries) > size || page.Next == "" {
			s.Fatalf("a page of at most %d has %d entries, and next %q", size, len(page.Entries), page.Next)
		}
		for _, entry := range page.Entries {
			ids = append(ids, entry.ID)
			if whole := s.entry(lanes, entry.ID); !same(whole, entry) {
				s.Fatalf("listed %+v, is %+v", entry, whole)
			}
		}
		after = page.Next
		if !page.More {
			return ids, after
		}
	}
}

func (s *laneSuite) list() {
	lanes := s.open()
	var ids []string
	for i := range 9 {
		entry := score(fmt.Sprint("lane-", i), 0)
		entry.Owner = fmt.Sprint("owner-", i%2)
		ids = append(ids, s.append(lanes, entry).ID)
	}
	filter := records.EntryFilter{Kind: laneKind}
	for _, size := range []int{1, 2, 8, 9, 10, records.MaxPage} {
		if got, _ := s.listed(lanes, filter, "", size); !slices.Equal(got, ids) {
			s.Fatalf("in pages of %d: %q, want %q", size, got, ids)
		}
	}
	_, mark := s.listed(lanes, filter, "", 100)
	for range 3 { // in the order of their change: 0, 1, 2
		s.settle(lanes, records.StateRefused)
	}
	if got, _ := s.listed(lanes, filter, mark, 2); !slices.Equal(got, ids[:3]) {
		s.Fatalf("changed: %q, want %q", got, ids[:3])
	}
	if got, _ := s.listed(lanes, filter, "", 2); !slices.Equal(got, append(slices.Clone(ids[3:]), ids[:3]...)) {
		s.Fatalf("all: %q", got)
	}
	for _, c := range []struct {
		filter records.EntryFilter
		want   []string
	}{
		{records.EntryFilter{Kind: laneKind, Owner: "owner-1"}, []string{ids[3], ids[5], ids[7], ids[1]}},
		{records.EntryFilter{Kind: laneKind, Owner: "nobody"}, nil},
		{records.EntryFilter{Kind: laneKind, Lane: "lane-4"}, ids[4:5]},
		{records.EntryFilter{Kind: laneKind, States: []records.EntryState{records.StateRefused, records.StateDelivered}}, ids[:3]},
		{records.EntryFilter{Kind: laneKind, Owner: "owner-0", States: []records.EntryState{records.StateRefused}}, []string{ids[0], ids[2]}},
		{records.EntryFilter{Kind: "other"}, nil},
	} {
		if got, _ := s.listed(lanes, c.filter, "", 2); !slices.Equal(got, c.want) {
			s.Fatalf("%+v: %q, want %q", c.filter, got, c.want)
		}
	}
	for _, after := range []string{"x", "é", strings.Repeat("f", 100)} {
		_, err := lanes.Entries(s.ctx, filter, after, 1)
		s.is(err, records.ErrInvalid)
	}
}

func (s *laneSuite) listWhileWriting() {
	writers := []records.Lanes{s.open()}
	reader := writers[0]
	if !s.Exclusive {
		writers = append(writers, s.open())
		reader = s.open()
	}
	const appending, each = 8, 20
	var done sync.WaitGroup
	ended := make(chan struct{})
	for i := range appending {
		done.Go(func() {
			for j := range each {
				if _, _, err := writers[i%len(writers)].Append(s.ctx, score(fmt.Sprintf("lane-%d", i), j)); err != nil {
					s.Errorf("Append: %v", err)
				}
			}
		})
	}
	go func() { done.Wait(); close(ended) }()
	seen, after, over := map[string]bool{}, "", false
	for {
		page, err := reader.Entries(s.ctx, records.EntryFilter{Kind: laneKind}, after, 7)
		s.is(err, nil)
		for _, entry := range page.Entries {
			seen[entry.ID] = true
		}
		after = page.Next
		if page.More || len(page.Entries) > 0 {
			continue
		}
		if over {
			break
		}
		select {
		case <-ended:
			over = true // and once more
		default:
		}
	}
	if len(seen) != appending*each {
		s.Fatalf("%d of %d entries were seen", len(seen), appending*each)
	}
}

func (s *laneSuite) await() {
	lanes := s.open()
	writer := records.Lanes(lanes)
	if !s.Exclusive {
		writer = s.open()
	}
	awaited := make(chan error, 1)
	await := func(ctx context.Context, after string) {
		go func() { awaited <- lanes.AwaitChange(ctx, laneKind, after) }()
	}
	await(s.ctx, "")
	first := s.append(writer, score("a", 0))
	s.is(<-awaited, nil)
	s.is(lanes.AwaitChange(s.ctx, laneKind, ""), nil) // it is there already
	await(s.ctx, first.Cursor)
	finished := s.settle(writer, records.StateDelivered)
	s.is(<-awaited, nil)
	ctx, cancel := context.WithCancel(s.ctx)
	await(ctx, finished.Cursor)
	cancel()
	s.is(<-awaited, records.ErrUnavailable)
	s.is(lanes.AwaitChange(s.ctx, laneKind, "x"), records.ErrInvalid)
	await(s.ctx, finished.Cursor)
	s.is(lanes.Close(), nil)
	s.is(<-awaited, records.ErrUnavailable)
}

func (s *laneSuite) counts() {
	lanes := s.open()
	empty, err := lanes.LaneCounts(s.ctx, laneKind)
	s.is(err, nil)
	if empty.Open != 0 || len(empty.States) != 0 || !empty.OldestOpen.IsZero() || empty.Cursor != "" {
		s.Fatalf("%+v", empty)
	}
	var oldest time.Time
	for i, state := range []records.EntryState{records.StateDelivered, records.StateRefused, records.StateDelivered, records.StateUnconfirmed} {
		s.append(lanes, score(fmt.Sprint("lane-", i), 0))
		s.settle(lanes, state)
		s.Advance(time.Second)
	}
	for i := range 3 {
		if got := s.append(lanes, score(fmt.Sprint("open-", i), 0)); i == 0 {
			oldest = got.AppendTime
		}
		s.Advance(time.Second)
	}
	s.append(lanes, score("open-0", -1)) // superseded
	_, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "open-2", Lease: time.Minute})
	s.is(err, nil)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateUnconfirmed, Due: s.Now().Add(time.Hour)})
	s.is(err, nil)
	for range 2 {
		got, err := lanes.LaneCounts(s.ctx, laneKind)
		s.is(err, nil)
		want := map[records.EntryState]int{records.StateDelivered: 2, records.StateRefused: 1, records.StateUnconfirmed: 2, records.StateQueued: 2, records.StateSuperseded: 1}
		if got.Open != 3 || fmt.Sprint(got.States) != fmt.Sprint(want) || !got.OldestOpen.Equal(oldest) {
			s.Fatalf("%+v, want 3 open since %v of %v", got, oldest, want)
		}
		if ids, _ := s.listed(lanes, records.EntryFilter{Kind: laneKind}, got.Cursor, 10); len(ids) != 0 {
			s.Fatalf("after the cursor of the last change: %q", ids)
		}
		lanes = s.another(lanes, 0)
	}
	before, err := lanes.LaneCounts(s.ctx, laneKind)
	s.is(err, nil)
	added := s.append(lanes, score("open-9", 0))
	if ids, _ := s.listed(lanes, records.EntryFilter{Kind: laneKind}, before.Cursor, 10); !slices.Equal(ids, []string{added.ID}) {
		s.Fatalf("after the cursor of the counts: %q", ids)
	}
}

func (s *laneSuite) pruned(lanes records.Lanes, prune records.Prune, want int) {
	s.Helper()
	removed, rounds := 0, 0
	for more := true; more; rounds++ {
		n, again, err := lanes.Prune(s.ctx, prune)
		s.is(err, nil)
		if n > prune.Limit || rounds > 100 {
			s.Fatalf("%d removed at once, %d rounds", n, rounds)
		}
		removed += n
		more = again
	}
	if removed != want {
		s.Fatalf("%d removed, want %d", removed, want)
	}
}

func (s *laneSuite) prune() {
	lanes := s.open()
	request := func(name string, seconds int) records.Append {
		entry := score(name, seconds)
		entry.Request = name
		return entry
	}
	var old []string
	for i := range 5 {
		old = append(old, s.append(lanes, request(fmt.Sprint("old-", i), 0)).ID)
		s.settle(lanes, records.StateDelivered)
	}
	stays := s.append(lanes, request("open", 0))
	s.Advance(time.Hour)
	middle := s.Now()
	s.Advance(time.Hour)
	fresh := s.append(lanes, request("fresh", 0))
	_, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "fresh", Lease: time.Minute})
	s.is(err, nil)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateRefused})
	s.is(err, nil)

	s.pruned(lanes, records.Prune{Kind: laneKind, Limit: 2}, 0)
	s.pruned(lanes, records.Prune{Kind: laneKind, Requests: middle, Limit: 2}, 6)
	if again := s.append(lanes, request("old-0", 0)); again.ID == old[0] {
		s.Fatal("the request is still remembered")
	}
	if _, repeated, err := lanes.Append(s.ctx, request("fresh", 0)); err != nil || !repeated {
		s.Fatalf("a fresh request is forgotten: %v", err)
	}
	s.pruned(lanes, records.Prune{Kind: laneKind, Entries: middle, Limit: 2}, 5)
	for _, id := range old {
		_, err := lanes.Entry(s.ctx, laneKind, id)
		s.is(err, records.ErrNotFound)
		_, err = lanes.Redrive(s.ctx, laneKind, id)
		s.is(err, records.ErrNotFound)
	}
	s.hasState(lanes, stays.ID, records.StateQueued, true) // however old
	s.hasState(lanes, fresh.ID, records.StateRefused, false)
	counts, err := lanes.LaneCounts(s.ctx, laneKind)
	s.is(err, nil)
	if counts.States[records.StateDelivered] != 0 || counts.States[records.StateRefused] != 1 || counts.Open != 2 {
		s.Fatalf("%+v", counts)
	}
	// Removing an entry forgets its request.
	s.pruned(lanes, records.Prune{Kind: laneKind, Entries: s.Now().Add(time.Second), Limit: 10}, 1)
	if again := s.append(lanes, request("fresh", 0)); again.ID == fresh.ID {
		s.Fatal("the request of a removed entry is remembered")
	}
	for _, limit := range []int{-1, 0, records.MaxPage + 1} {
		_, _, err := lanes.Prune(s.ctx, records.Prune{Kind: laneKind, Limit: limit})
		s.is(err, records.ErrInvalid)
	}
}

func (s *laneSuite) laneOutlives() {
	lanes := s.open()
	s.append(lanes, score("a", 10))
	s.settle(lanes, records.StateDelivered)
	s.append(lanes, score("b", 10)) // stays open
	s.Advance(time.Hour)
	later := s.Now()
	s.pruned(lanes, records.Prune{Kind: laneKind, Entries: later, Limit: 10}, 1)
	lanes = s.another(lanes, 0)
	if got := s.append(lanes, score("a", 9)); got.State != records.StateSuperseded {
		s.Fatal("the lane has forgotten its newest event")
	}
	if got := s.append(lanes, score("a", 10)); !got.Sent.Equal(event.Add(10*time.Second + time.Millisecond)) {
		s.Fatalf("the lane has forgotten its last timestamp: %v", got.Sent)
	}
	s.pruned(lanes, records.Prune{Kind: laneKind, Lanes: later, Limit: 10}, 0) // both lanes have entries
	_, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: laneKind, Lane: "a", Lease: time.Minute})
	s.is(err, nil)
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered})
	s.is(err, nil)
	s.Advance(time.Hour)
	later = s.Now()
	s.pruned(lanes, records.Prune{Kind: laneKind, Entries: later, Lanes: later, Limit: 1}, 3) // two entries and the lane
	if got := s.append(lanes, score("a", 1)); !got.Sent.Equal(event.Add(time.Second)) || !got.Open() {
		s.Fatalf("a forgotten lane remembers: %+v", got)
	}
}

func (s *laneSuite) kinds() {
	lanes := s.open()
	entry := score("a", 5)
	entry.Request = "one"
	first := s.append(lanes, entry)
	entry.Kind, entry.Event = "other", event
	second := s.append(lanes, entry)
	if second.Kind != "other" || !second.Open() {
		s.Fatalf("%+v", second)
	}
	_, err := lanes.Entry(s.ctx, "other", first.ID)
	s.is(err, records.ErrNotFound)
	claimed, lease, err := lanes.Claim(s.ctx, records.Claim{Kind: "other", Lease: time.Minute})
	s.is(err, nil)
	if claimed.ID != second.ID || claimed.Kind != "other" {
		s.Fatalf("%+v", claimed)
	}
	if claimed, _ := s.claim(lanes); claimed.ID != first.ID {
		s.Fatalf("%+v", claimed)
	}
	_, err = lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateDelivered})
	s.is(err, nil)
	s.hasState(lanes, first.ID, records.StateQueued, true)
	_, _, err = lanes.Claim(s.ctx, records.Claim{Kind: "none", Lease: time.Minute})
	s.is(err, records.ErrNoneDue)
}

func (s *laneSuite) copies() {
	lanes := s.open()
	entry := score("a", 0)
	entry.Payload = []byte("payload")
	appended := s.append(lanes, entry)
	entry.Payload[0] = 'X'
	appended.Payload[1] = 'X'
	_, lease := s.claim(lanes)
	result := []byte("result")
	finished, err := lanes.Finish(s.ctx, lease, records.Outcome{State: records.StateRefused, Result: result})
	s.is(err, nil)
	result[0] = 'X'
	finished.Result[1], finished.Payload[2] = 'X', 'X'
	_ = append(finished.Payload, "XXXX"...)
	if got := s.entry(lanes, appended.ID); string(got.Payload) != "payload" || string(got.Result) != "result" {
		s.Fatalf("%q, %q", got.Payload, got.Result)
	}
}

func (s *laneSuite) limits() {
	lanes := s.open()
	largest := records.Append{
		Kind: strings.Repeat("k", records.MaxKindLength), Lane: strings.Repeat("a", records.MaxLaneLength), Group: strings.Repeat("g", records.MaxGroupLength),
		Owner: strings.Repeat("~", records.MaxOwnerLength), Request: strings.Repeat("!", records.MaxRequestLength),
		Payload: bytes.Repeat([]byte{0xa5}, records.MaxPayloadSize),
	}
	appended, _, err := lanes.Append(s.ctx, largest)
	s.is(err, nil)
	claimed, _, err := lanes.Claim(s.ctx, records.Claim{Kind: largest.Kind, Lane: largest.Lane, Lease: records.MaxLease})
	s.is(err, nil)
	if !same(claimed, appended) {
		s.Fatal("the largest entry came back changed")
	}
	for _, change := range []func(*records.Append){
		func(a *records.Append) { a.Kind = "" }, func(a *records.Append) { a.Kind = "Work" }, func(a *records.Append) { a.Kind += strings.Repeat("k", records.MaxKindLength) },
		func(a *records.Append) { a.Lane = "" }, func(a *records.Append) { a.Lane = "a/b" }, func(a *records.Append) { a.Lane = strings.Repeat("a", records.MaxLaneLength+1) },
		func(a *records.Append) { a.Group = "" }, func(a *records.Append) { a.Group = "a/b" }, func(a *records.Append) { a.Group = "a b" },
		func(a *records.Append) { a.Group = strings.Repeat("a", records.MaxGroupLength+1) }, func(a *records.Append) { a.Owner = strings.Repeat("a", records.MaxOwnerLength+1) },
		func(a *records.Append) { a.Request = strings.Repeat("a", records.MaxRequestLength+1) }, func(a *records.Append) { a.Payload = make([]byte, records.MaxPayloadSize+1) },
		func(a *records.Append) { a.Owner = "é" }, func(a *records.Append) { a.Request = "a b" }, func(a *records.Append) { a.Grain = -1 }, func(a *records.Append) { a.MaxAhead = -1 }, func(a *records.Append) { a.MaxOpen = -1 }, func(a *records.Append) { a.MaxLaneOpen = -1 },
		func(a *records.Append) { a.Ordered = false }, func(a *records.Append) { a.Ordered, a.Event, a.Replaces = false, time.Time{}, true },
	} {
		entry := score("a", 0)
		change(&entry)
		_, _, err := lanes.Append(s.ctx, entry)
		s.is(err, records.ErrInvalid)
	}
	for _, claim := range []records.Claim{
		{}, {Kind: laneKind}, {Kind: laneKind, Lease: -1}, {Kind: laneKind, Lease: records.MaxLease + 1}, {Kind: laneKind, Lane: "A", Lease: 1},
	} {
		_, _, err := lanes.Claim(s.ctx, claim)
		s.is(err, records.ErrInvalid)
	}
	for _, limit := range []int{-1, 0, records.MaxPage + 1} {
		_, err := lanes.Entries(s.ctx, records.EntryFilter{Kind: laneKind}, "", limit)
		s.is(err, records.ErrInvalid)
	}
	_, err = lanes.Entries(s.ctx, records.EntryFilter{}, "", 1)
	s.is(err, records.ErrInvalid)
	_, err = lanes.LaneCounts(s.ctx, "")
	s.is(err, records.ErrInvalid)
	_, err = lanes.Entry(s.ctx, "", "x")
	s.is(err, records.ErrInvalid)
	_, err = lanes.Redrive(s.ctx, "", "x")
	s.is(err, records.ErrInvalid)
	s.is(lanes.AwaitChange(s.ctx, "", ""), records.ErrInvalid)
}

// fails calls every method and checks that each is unavailable.
func (s *laneSuite) fails(ctx context.Context, lanes records.Lanes, lease records.Lease) {
	s.Helper()
	_, _, err := lanes.Append(ctx, score("a", 9))
	s.is(err, records.ErrUnavailable)
	_, _, err = lanes.Claim(ctx, records.Claim{Kind: laneKind, Lease: time.Minute})
	s.is(err, records.ErrUnavailable)
	s.is(lanes.Start(ctx, lease), records.ErrUnavailable)
	_, err = lanes.Finish(ctx, lease, records.Outcome{State: records.StateDelivered})
	s.is(err, records.ErrUnavailable)
	s.is(lanes.Release(ctx, lease), records.ErrUnavailable)
	_, err = lanes.Redrive(ctx, laneKind, lease.ID)
	s.is(err, records.ErrUnavailable)
	_, err = lanes.Entry(ctx, laneKind, lease.ID)
	s.is(err, records.ErrUnavailable)
	_, err = lanes.Entries(ctx, records.EntryFilter{Kind: laneKind}, "", 1)
	s.is(err, records.ErrUnavailable)
	s.is(lanes.AwaitChange(ctx, laneKind, ""), records.ErrUnavailable)
	_, err = lanes.LaneCounts(ctx, laneKind)
	s.is(err, records.ErrUnavailable)
	_, _, err = lanes.Prune(ctx, records.Prune{Kind: laneKind, Limit: 1})
	s.is(err, records.ErrUnavailable)
}

func (s *laneSuite) endedContext() {
	lanes := s.open()
	appended := s.append(lanes, score("a", 0))
	_, lease := s.claim(lanes)
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, cancelLate := context.WithDeadline(s.ctx, time.Unix(1, 0))
	defer cancelLate()
	for _, ctx := range []context.Context{cancelled, late} {
		s.fails(ctx, lanes, lease)
	}
	if got := s.entry(lanes, appended.ID); !same(got, appended) {
		s.Fatalf("a context that had ended before changed the entry: %+v", got)
	}
	s.is(lanes.Start(s.ctx, lease), nil)
}

// endingContexts cancels many appends at work: each is there whole or not at all, and what was answered is there.
func (s *laneSuite) endingContexts() {
	lanes := s.open()
	const count = 60
	errs := make([]error, count)
	var done sync.WaitGroup
	for i := range count {
		done.Go(func() {
			ctx, cancel := context.WithCancel(s.ctx)
			go cancel()
			entry := score(fmt.Sprint("lane-", i), 0)
			entry.Request = fmt.Sprint("request-", i)
			_, _, errs[i] = lanes.Append(ctx, entry)
		})
	}
	done.Wait()
	for i, err := range errs {
		if err != nil {
			s.is(err, records.ErrUnavailable)
		}
		entry := score(fmt.Sprint("lane-", i), 0)
		entry.Request = fmt.Sprint("request-", i)
		_, repeated, again := lanes.Append(s.ctx, entry)
		s.is(again, nil)
		if err == nil && !repeated {
			s.Fatalf("the append of request %d was answered and is not there", i)
		}
	}
	counts, err := lanes.LaneCounts(s.ctx, laneKind)
	s.is(err, nil)
	if counts.Open != count {
		s.Fatalf("%d entries for %d requests", counts.Open, count)
	}
}

func (s *laneSuite) closed() {
	lanes := s.open()
	s.append(lanes, score("a", 0))
	_, lease := s.claim(lanes)
	s.is(lanes.Close(), nil)
	s.fails(s.ctx, lanes, lease)
}

func (s *laneSuite) openAgain() {
	lanes := s.open()
	entry := score("a", 0)
	entry.Request = "one"
	first := s.append(lanes, entry)
	s.append(lanes, score("a", 1))
	refused := s.settle(lanes, records.StateRefused)
	_, mark := s.listed(lanes, records.EntryFilter{Kind: laneKind}, "", 10)
	for range 3 {
		lanes = s.another(lanes, 2*time.Minute)
		if got := s.entry(lanes, first.ID); !same(got, refused) {
			s.Fatalf("%+v, was %+v", got, refused)
		}
		if _, repeated, err := lanes.Append(s.ctx, entry); err != nil || !repeated {
			s.Fatalf("the request is forgotten: %v", err)
		}
		if got, _ := s.listed(lanes, records.EntryFilter{Kind: laneKind}, mark, 10); len(got) != 0 {
			s.Fatalf("opening changed %q", got)
		}
		if claimed, _ := s.claim(lanes); !claimed.Event.Equal(event.Add(time.Second)) {
			s.Fatalf("%+v", claimed)
		}
	}
}
