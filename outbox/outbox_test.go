// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// rig is an outbox over a real store, with a clock that stands still and a platform that answers by a script.
type rig struct {
	*Outbox
	t     *testing.T
	store *boltstore.Store
	lanes *boltstore.Lanes
	path  string

	mutex   sync.Mutex
	now     time.Time
	script  []Verdict // the last one repeats
	proofs  []Proof   // the last one repeats; none: there is no evidence
	asked   int       // for evidence
	sent    []string  // what left: payload and timestamp
	order   []bool    // of what left: whether it was called ambiguous
	hold    chan struct{}
	arrived chan struct{}
	ended   []records.EntryState
}

func newRig(t *testing.T, change func(*Config), script ...Verdict) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "records.db"), now: time.Date(2026, 4, 5, 6, 7, 8, 0, time.UTC), script: script, arrived: make(chan struct{}, 1000)}
	r.open(change)
	return r
}

// open opens the store and makes an outbox over it, as a process does when it starts.
func (r *rig) open(change func(*Config)) {
	r.t.Helper()
	var err error
	if r.store, err = boltstore.Open(boltstore.Config{Path: r.path}); err != nil {
		r.t.Fatal(err)
	}
	store := r.store
	r.t.Cleanup(func() { _ = store.Close() })
	if r.lanes, err = r.store.Lanes(boltstore.LanesConfig{Now: r.clock}); err != nil {
		r.t.Fatal(err)
	}
	config := Config{
		Lanes: r.lanes, Kind: "test", Now: r.clock, Jitter: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler), Deliver: r.deliver,
		Observe: func(state records.EntryState) {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			r.ended = append(r.ended, state)
		},
	}
	if len(r.proofs) > 0 {
		config.Evidence = r.evidence
	}
	if change != nil {
		change(&config)
	}
	if r.Outbox, err = New(config); err != nil {
		r.t.Fatal(err)
	}
	r.hosts.gap = 0
	r.t.Cleanup(r.Close)
}

func (r *rig) clock() time.Time {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) deliver(ctx context.Context, attempt *Attempt) Verdict {
	r.mutex.Lock()
	verdict := r.script[0]
	if len(r.script) > 1 {
		r.script = r.script[1:]
	}
	hold := r.hold
	r.mutex.Unlock()
	if verdict.Kind != Unready { // as where no token can be had
		if err := attempt.Begin(ctx); err != nil {
			return Verdict{Kind: NotTaken, Report: Report{Message: err.Error()}}
		}
		r.mutex.Lock()
		r.sent = append(r.sent, string(attempt.Entry.Payload)+"@"+attempt.Entry.Sent.Format("05.000"))
		r.order = append(r.order, attempt.Ambiguous)
		r.mutex.Unlock()
	}
	r.arrived <- struct{}{}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return Verdict{Kind: Unknown}
		}
	}
	return verdict
}

func (r *rig) evidence(context.Context, *records.LaneEntry) Proof {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.asked++
	proof := r.proofs[0]
	if len(r.proofs) > 1 {
		r.proofs = r.proofs[1:]
	}
	return proof
}

// step tries what is due, and waits for it.
func (r *rig) step() {
	r.t.Helper()
	r.dispatch(r.t.Context())
	r.attempts.Wait()
}

func item(payload string) Item {
	return Item{Lane: "lane", Group: "host", Owner: "owner", Payload: []byte(payload), Ordered: true, Grain: time.Second}
}

func (r *rig) submit(item Item) records.LaneEntry {
	r.t.Helper()
	entry, _, err := r.Submit(r.t.Context(), item, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return entry
}

func (r *rig) is(id string, state records.EntryState, open bool) records.LaneEntry {
	r.t.Helper()
	entry, err := r.lanes.Entry(r.t.Context(), "test", id)
	if err != nil {
		r.t.Fatal(err)
	}
	if entry.State != state || entry.Open() != open {
		r.t.Fatalf("the entry is %s, open %v; want %s, %v: %s", entry.State, entry.Open(), state, open, entry.Result)
	}
	return entry
}

func verdict(kind VerdictKind) Verdict {
	return Verdict{Kind: kind, Report: Report{Reason: lti.ReasonPlatformUnavailable, Message: fmt.Sprint("verdict ", kind)}}
}

// Each transition of the diagram, without evidence.
func TestTransitions(t *testing.T) {
	type state struct {
		state records.EntryState
		open  bool
		after time.Duration // from then until the entry is due
	}
	const (
		queued, delivered, unconfirmed, refused = records.StateQueued, records.StateDelivered, records.StateUnconfirmed, records.StateRefused
	)
	for _, test := range []struct {
		name   string
		script []VerdictKind
		states []state
		marked []bool // which attempts were called ambiguous
	}{
		{"taken", []VerdictKind{Delivered}, []state{{delivered, false, 0}}, []bool{false}},
		{"refused", []VerdictKind{Refused}, []state{{refused, false, 0}}, []bool{false}},
		{"not newer", []VerdictKind{Outdated}, []state{{refused, false, 0}}, []bool{false}},
		{"not taken, then taken", []VerdictKind{NotTaken, NotTaken, NotTaken, Delivered},
			[]state{{queued, true, time.Second}, {queued, true, 2 * time.Second}, {queued, true, 4 * time.Second}, {delivered, false, 0}}, []bool{false, false, false, false}},
		{"failed, then taken", []VerdictKind{Failed, Failed, Delivered}, []state{{queued, true, time.Second}, {queued, true, 2 * time.Second}, {delivered, false, 0}}, []bool{false, true, true}},
		{"failed, then not newer", []VerdictKind{Failed, Outdated}, []state{{queued, true, time.Second}, {unconfirmed, false, 0}}, []bool{false, true}},
		{"failed, then refused", []VerdictKind{Failed, Refused}, []state{{queued, true, time.Second}, {refused, false, 0}}, []bool{false, true}},
		{"no answer, then taken", []VerdictKind{Unknown, Delivered}, []state{{unconfirmed, true, time.Second}, {delivered, false, 0}}, []bool{false, true}},
		{"no answer twice", []VerdictKind{Unknown, Unknown}, []state{{unconfirmed, true, time.Second}, {unconfirmed, false, 0}}, []bool{false, true}},
		{"no answer, then not taken, then none", []VerdictKind{Unknown, NotTaken, Failed, Unknown},
			[]state{{unconfirmed, true, time.Second}, {unconfirmed, true, 2 * time.Second}, {unconfirmed, true, 4 * time.Second}, {unconfirmed, false, 0}}, []bool{false, true, true, true}},
		{"no answer, then refused", []VerdictKind{Unknown, Refused}, []state{{unconfirmed, true, time.Second}, {refused, false, 0}}, []bool{false, true}},
		{"no answer, then not newer", []VerdictKind{Unknown, Outdated}, []state{{unconfirmed, true, time.Second}, {unconfirmed, false, 0}}, []bool{false, true}},
		{"a wrong setting, corrected", []VerdictKind{Unready, Unready, Delivered}, []state{{queued, true, time.Second}, {queued, true, 2 * time.Second}, {delivered, false, 0}}, []bool{false}},
		{"a defect", []VerdictKind{0}, []state{{unconfirmed, false, 0}}, []bool{false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var script []Verdict
			for _, kind := range test.script {
				script = append(script, verdict(kind))
			}
			r := newRig(t, nil, script...)
			entry := r.submit(item("a"))
			for i, want := range test.states {
				r.step()
				got := r.is(entry.ID, want.state, want.open)
				if want.open && got.Due.Sub(r.now) != want.after {
					t.Errorf("after attempt %d it is due in %v, want %v", i+1, got.Due.Sub(r.now), want.after)
				}
				sent := len(r.sent)
				r.step() // nothing is due
				if len(r.sent) != sent {
					t.Errorf("after attempt %d it was sent before its time", i+1)
				}
				report, err := ReportOf(&got)
				if err != nil || test.script[i] != 0 && report.Message != fmt.Sprint("verdict ", test.script[i]) {
					t.Errorf("report %+v, %v", report, err)
				}
				r.advance(want.after)
			}
			if !slices.Equal(r.order, test.marked) || len(slices.Compact(r.sent)) > 1 {
				t.Errorf("sent %q, ambiguous %v, want %v", r.sent, r.order, test.marked)
			}
			if last := test.states[len(test.states)-1].state; !slices.Equal(r.ended, []records.EntryState{last}) {
				t.Errorf("observed %v", r.ended)
			}
		})
	}
}

// What evidence says of an entry that may have arrived.
func TestEvidence(t *testing.T) {
	for _, test := range []struct {
		name   string
		script []VerdictKind
		proofs []Proof
		states []records.EntryState // the last one has ended
		sent   int
	}{
		{"it is there at once", []VerdictKind{Unknown}, []Proof{Arrived}, []records.EntryState{records.StateDelivered}, 1},
		{"it is there later", []VerdictKind{Unknown}, []Proof{Missing, Arrived}, []records.EntryState{records.StateQueued, records.StateDelivered}, 1},
		{"it is not there", []VerdictKind{Unknown, Delivered}, []Proof{Missing}, []records.EntryState{records.StateQueued, records.StateDelivered}, 2},
		{"it is not there, often", []VerdictKind{Unknown, Unknown, Unknown, Delivered}, []Proof{Missing},
			[]records.EntryState{records.StateQueued, records.StateQueued, records.StateQueued, records.StateDelivered}, 4},
		{"nobody can say yet", []VerdictKind{Unknown, Delivered}, []Proof{NotYet, NotYet, NotYet, Missing},
			[]records.EntryState{records.StateQueued, records.StateQueued, records.StateQueued, records.StateDelivered}, 2},
		{"nothing can be known", []VerdictKind{Unknown, Unknown}, []Proof{NoProof}, []records.EntryState{records.StateUnconfirmed, records.StateUnconfirmed}, 2},
		{"after a failure it is there", []VerdictKind{Failed}, []Proof{Arrived}, []records.EntryState{records.StateQueued, records.StateDelivered}, 1},
		{"after a failure it is not", []VerdictKind{Failed, Delivered}, []Proof{Missing}, []records.EntryState{records.StateQueued, records.StateDelivered}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var script []Verdict
			for _, kind := range test.script {
				script = append(script, verdict(kind))
			}
			r := &rig{t: t, path: filepath.Join(t.TempDir(), "records.db"), now: time.Now(), script: script, proofs: test.proofs, arrived: make(chan struct{}, 100)}
			r.open(nil)
			entry := r.submit(item("a"))
			for i, want := range test.states {
				r.step()
				r.is(entry.ID, want, i+1 < len(test.states))
				r.advance(longestDelay)
			}
			if len(r.sent) != test.sent || len(slices.Compact(r.sent)) != 1 {
				t.Errorf("sent %q", r.sent)
			}
		})
	}
}

// A crash between the start of an attempt and its outcome: the entry is ambiguous, and sent once more at most.
func TestCrashDuringAnAttempt(t *testing.T) {
	for _, test := range []struct {
		name        string
		atLeastOnce bool
		proofs      []Proof
		script      VerdictKind
		states      []records.EntryState
		sent        int
	}{
		{"no evidence", false, nil, Delivered, []records.EntryState{records.StateUnconfirmed, records.StateDelivered}, 1},
		{"no evidence, no answer", false, nil, Unknown, []records.EntryState{records.StateUnconfirmed, records.StateUnconfirmed}, 1},
		{"it arrived", false, []Proof{Arrived}, Delivered, []records.EntryState{records.StateDelivered}, 0},
		{"it did not arrive", false, []Proof{Missing}, Delivered, []records.EntryState{records.StateDelivered}, 1},
		{"at least once", true, nil, Delivered, []records.EntryState{records.StateDelivered}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, nil, verdict(test.script))
			entry := r.submit(item("a"))
			_, claimed, err := r.lanes.Claim(t.Context(), records.Claim{Kind: "test", Lease: time.Minute})
			if err == nil {
				err = errors.Join(r.lanes.Start(t.Context(), claimed), r.store.Close()) // as the end of a process leaves it
			}
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			r.proofs = test.proofs
			r.open(func(c *Config) { c.AtLeastOnce = test.atLeastOnce })
			for i, want := range test.states {
				r.step()
				r.is(entry.ID, want, i+1 < len(test.states))
			}
			if len(r.sent) != test.sent || slices.Contains(r.order, false) {
				t.Errorf("sent %q, ambiguous %v", r.sent, r.order)
			}
		})
	}
}

func TestCrashWhileSendingOnceMore(t *testing.T) {
	r := newRig(t, nil, verdict(Unknown))
	entry := r.submit(item("a"))
	r.step()
	r.advance(time.Second)
	_, claimed, err := r.lanes.Claim(t.Context(), records.Claim{Kind: "test", Lease: time.Minute})
	if err == nil {
		err = errors.Join(r.lanes.Start(t.Context(), claimed), r.store.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.open(nil)
	r.step()
	r.is(entry.ID, records.StateUnconfirmed, false)
	if len(r.sent) != 1 {
		t.Errorf("sent %q", r.sent)
	}
}

func TestOrderWithinALane(t *testing.T) {
	r := newRig(t, nil, verdict(NotTaken), verdict(Delivered))
	for _, payload := range []string{"a", "b", "c"} {
		r.submit(item(payload))
	}
	r.step() // a is not taken, and what is behind it waits
	if want := []string{"a@08.000"}; !slices.Equal(r.sent, want) {
		t.Fatalf("sent %q", r.sent)
	}
	r.advance(time.Second)
	for range 3 {
		r.step()
	}
	if want := []string{"a@08.000", "a@08.000", "b@09.000", "c@10.000"}; !slices.Equal(r.sent, want) {
		t.Errorf("sent %q, want %q", r.sent, want)
	}
}

func TestReplacedWhileQueued(t *testing.T) {
	r := newRig(t, nil, verdict(Delivered))
	plain := item("a")
	plain.Replaceable, plain.Replaces = true, true
	first := r.submit(plain)
	plain.Payload = []byte("b")
	second := r.submit(plain)
	r.step()
	r.is(first.ID, records.StateSuperseded, false)
	r.is(second.ID, records.StateDelivered, false)
	if !slices.Equal(r.sent, []string{"b@09.000"}) {
		t.Errorf("sent %q", r.sent)
	}
}

// A setting that is wrong refuses the call that waits for its answer, and never what was taken before.
func TestWrongSetting(t *testing.T) {
	r := newRig(t, nil, verdict(Unready))
	early := r.submit(item("early"))
	r.step()
	for range 200 { // a day and more
		r.advance(longestDelay)
		r.step()
	}
	r.is(early.ID, records.StateRefused, false)
	waited := item("waited")
	waited.Lane = "other"
	entry, _, err := r.Submit(t.Context(), waited, time.Minute)
	if err != nil || entry.State != records.StateRefused || len(r.sent) != 0 {
		t.Errorf("%+v, %v, sent %q", entry, err, r.sent)
	}
}

func TestHorizon(t *testing.T) {
	for _, test := range []struct {
		verdict Verdict
		want    records.EntryState
		horizon time.Duration
	}{
		{verdict(NotTaken), records.StateRefused, 2 * time.Hour},
		{Verdict{Kind: Failed, HostFault: true}, records.StateUnconfirmed, 30 * time.Hour},
		{verdict(Failed), records.StateUnconfirmed, unreadyPeriod},
	} {
		r := newRig(t, func(c *Config) { c.Horizon = max(test.horizon, 2*time.Hour) }, test.verdict)
		if test.horizon == unreadyPeriod { // it ends before the horizon
			r.policy.horizon = DefaultHorizon
		}
		entry := r.submit(item("a"))
		for i := 0; ; i++ {
			r.step()
			current, err := r.lanes.Entry(t.Context(), "test", entry.ID)
			if err != nil || i > 1000 {
				t.Fatal(err, i)
			}
			if !current.Open() {
				break
			}
			r.advance(current.Due.Sub(r.now))
		}
		r.is(entry.ID, test.want, false)
		if lived := r.now.Sub(entry.AppendTime); lived < test.horizon || lived > test.horizon+time.Hour {
			t.Errorf("given up after %v, want %v", lived, test.horizon)
		}
		driven, err := r.Redrive(t.Context(), "owner", entry.ID) // and then it has the whole time once more
		if err != nil || !driven.Open() {
			t.Fatal(err)
		}
		r.advance(longestPause)
		r.step()
		r.is(entry.ID, records.StateQueued, true)
	}
}

func TestDelay(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		low, high := delay(failures, 0, 0), delay(failures, 0, 0.999)
		if low < firstDelay/2 || high > longestDelay || low > high || failures > 1 && low < delay(failures-1, 0, 0) {
			t.Errorf("after %d failures: %v to %v", failures, low, high)
		}
	}
	for asked, want := range map[time.Duration]time.Duration{0: time.Second, time.Minute: time.Minute, 24 * time.Hour: longestDelay} {
		if got := delay(1, asked, 0); got != want {
			t.Errorf("asked for %v: %v, want %v", asked, got, want)
		}
	}
}

// A host that throttles, or keeps failing, gets no attempts for a while; others do.
func TestHostsPause(t *testing.T) {
	elsewhere := item("elsewhere")
	elsewhere.Lane, elsewhere.Group = "elsewhere", "other"
	r := newRig(t, nil, Verdict{Kind: NotTaken, Throttled: true, RetryAfter: time.Minute}, verdict(Delivered))
	first := r.submit(item("a"))
	r.step()
	second := item("b")
	second.Lane = "second"
	r.submit(second)
	r.submit(elsewhere)
	r.step()
	if want := []string{"a@08.000", "elsewhere@08.000"}; !slices.Equal(r.sent, want) {
		t.Fatalf("sent %q, want %q", r.sent, want)
	}
	if entry, _, err := r.Submit(t.Context(), second, 30*time.Second); err != nil || entry.Attempts != 0 {
		t.Errorf("a throttled host got an attempt: %+v, %v", entry, err)
	}
	r.advance(time.Minute)
	for range 4 {
		r.step()
	}
	r.is(first.ID, records.StateDelivered, false)

	broken := newRig(t, nil, Verdict{Kind: NotTaken, HostFault: true})
	for i := range 20 {
		next := item("x")
		next.Lane = fmt.Sprint("lane-", i)
		broken.submit(next)
	}
	for range 10 {
		broken.step()
	}
	if sent := len(broken.sent); sent > failuresToPause+hostBackground {
		t.Errorf("%d attempts at a host that fails", sent)
	}
	before := len(broken.sent)
	broken.advance(longestPause)
	broken.dispatch(t.Context())
	broken.attempts.Wait()
	if probes := len(broken.sent) - before; probes != 1 {
		t.Errorf("%d attempts found out that the host still fails, want 1", probes)
	}
}

// The backlog of a host leaves places for those who wait.
func TestInteractiveBeforeBacklog(t *testing.T) {
	r := newRig(t, nil, verdict(Delivered))
	r.hold = make(chan struct{})
	for i := range 20 {
		next := item("backlog")
		next.Lane = fmt.Sprint("lane-", i)
		r.submit(next)
	}
	r.dispatch(t.Context())
	for range hostBackground {
		<-r.arrived
	}
	fresh := item("fresh")
	fresh.Lane = "fresh"
	done := make(chan records.LaneEntry, 1)
	go func() {
		entry, _, err := r.Submit(t.Context(), fresh, time.Minute)
		if err != nil {
			t.Error(err)
		}
		done <- entry
	}()
	<-r.arrived // it is on its way, although the backlog is long
	if got := len(r.sent); got != hostBackground+1 {
		t.Errorf("%d on their way", got)
	}
	close(r.hold)
	if entry := <-done; entry.State != records.StateDelivered {
		t.Errorf("%+v", entry)
	}
	r.attempts.Wait()
}

func TestSubmitWaits(t *testing.T) {
	r := newRig(t, nil, verdict(NotTaken), verdict(Delivered))
	entry, _, err := r.Submit(t.Context(), item("a"), 500*time.Millisecond)
	if err != nil || entry.State != records.StateQueued || entry.Attempts != 1 {
		t.Fatalf("it is answered once it is known that it must wait: %+v, %v", entry, err)
	}
	second, _, err := r.Submit(t.Context(), item("b"), time.Nanosecond) // behind the first
	if err != nil || second.State != records.StateQueued || second.Attempts != 0 {
		t.Fatalf("%+v, %v", second, err)
	}
	// One that waits hears of it when a newer one replaces it.
	waiting := item("c")
	waiting.Replaceable = true
	done := make(chan records.LaneEntry, 1)
	go func() {
		entry, _, err := r.Submit(t.Context(), waiting, time.Hour)
		if err != nil {
			t.Error(err)
		}
		done <- entry
	}()
	for appended := false; !appended; {
		page, err := r.Entries(t.Context(), records.EntryFilter{}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		appended = len(page.Entries) == 3
	}
	newer := item("d")
	newer.Replaces = true
	r.submit(newer)
	if entry := <-done; entry.State != records.StateSuperseded {
		t.Errorf("%+v", entry)
	}
	// One whose caller goes away, or whose outbox stops, is answered as it is.
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-r.arrived; cancel() }()
	late := item("e")
	late.Lane = "late"
	r.hold = make(chan struct{})
	for len(r.arrived) > 0 {
		<-r.arrived
	}
	if entry, _, err := r.Submit(ctx, late, time.Hour); err != nil || !entry.Open() {
		t.Errorf("%+v, %v", entry, err)
	}
	close(r.hold)
}

func TestRefusals(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxOpen = 2 }, verdict(NotTaken))
	wait := func(ctx context.Context, i Item) lti.Reason {
		_, _, err := r.Submit(ctx, i, 0)
		return lti.ReasonOf(err)
	}
	for range 2 {
		r.submit(item("a"))
	}
	if reason := wait(t.Context(), item("a")); reason != lti.ReasonOutboxFull {
		t.Errorf("full: %q", reason)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if reason := wait(cancelled, item("a")); reason != lti.ReasonCanceled {
		t.Errorf("cancelled: %q", reason)
	}
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	if reason := wait(late, item("a")); reason != lti.ReasonDeadlineExceeded {
		t.Errorf("late: %q", reason)
	}
	wrong := item("a")
	wrong.Lane = "Not a lane"
	if reason := wait(t.Context(), wrong); reason != lti.ReasonInternal {
		t.Errorf("wrong: %q", reason)
	}
	if _, err := r.Redrive(t.Context(), "another", strings.Repeat("0", 32)); lti.ReasonOf(err) != lti.ReasonDeliveryUnknown {
		t.Errorf("unknown: %v", err)
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if reason := wait(t.Context(), item("a")); reason != lti.ReasonStoreUnavailable {
		t.Errorf("closed: %q", reason)
	}
}

func TestHeld(t *testing.T) {
	r := newRig(t, nil, verdict(Delivered))
	entry := r.submit(item("a"))
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.open(func(c *Config) { c.Held = true })
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); r.Run(ctx) }()
	if _, _, err := r.Submit(ctx, item("b"), time.Minute); lti.ReasonOf(err) != lti.ReasonOutboxHeld {
		t.Errorf("%v", err)
	}
	if _, err := r.Redrive(ctx, "owner", entry.ID); lti.ReasonOf(err) != lti.ReasonOutboxHeld {
		t.Errorf("%v", err)
	}
	cancel()
	<-ran
	r.is(entry.ID, records.StateQueued, true)
	for _, let := range []struct {
		change func(*Config)
		state  records.EntryState
		marked []bool
	}{
		{func(c *Config) { c.DiscardBefore = r.clock().Add(time.Second) }, records.StateRefused, nil},
		{func(c *Config) { c.DoubtBefore = r.clock().Add(time.Second) }, records.StateDelivered, []bool{true}},
	} {
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		r.open(let.change)
		r.step()
		r.is(entry.ID, let.state, false)
		if !slices.Equal(r.order, let.marked) {
			t.Errorf("ambiguous %v, want %v", r.order, let.marked)
		}
		_, _ = r.Redrive(t.Context(), "owner", entry.ID)
	}
}

// Run delivers by itself, forgets what is old, and Close lets what is under way end.
func TestRun(t *testing.T) {
	r := newRig(t, nil, verdict(Delivered))
	old := r.submit(item("old"))
	r.step()
	r.advance(Retention + time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); r.Run(ctx) }()
	fresh := r.submit(item("fresh"))
	cursor := fresh.Cursor
	for {
		if err := r.AwaitChange(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		entry, err := r.lanes.Entry(t.Context(), "test", fresh.ID)
		if err != nil {
			t.Fatal(err)
		}
		if entry.State == records.StateDelivered {
			break
		}
		cursor = entry.Cursor
	}
	for { // pruning comes right after the first look
		if _, err := r.lanes.Entry(t.Context(), "test", old.ID); errors.Is(err, records.ErrNotFound) {
			break
		}
	}
	watched := make(chan error, 1)
	page, err := r.Entries(t.Context(), records.EntryFilter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	go func() { watched <- r.AwaitChange(t.Context(), page.Next) }()
	cancel()
	<-ran
	if err := <-watched; lti.ReasonOf(err) != lti.ReasonStoreUnavailable {
		t.Errorf("a watch when the outbox stops: %v", err)
	}
	late := r.submit(item("late")) // is taken, and left to the next start
	r.step()
	r.is(late.ID, records.StateQueued, true)
}
