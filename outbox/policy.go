// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// Kind of a Verdict: what an attempt came to.
type VerdictKind int

// The kinds of verdicts. The zero value is none.
const (
	// Delivered: the platform has it.
	Delivered VerdictKind = iota + 1
	// NotTaken: the platform does not have it, and may take it later.
	NotTaken
	// Failed: the platform answered that it failed, which can be after it took it. Sending the same bytes again does no
	// harm.
	Failed
	// Unknown: bytes left and no answer came, so the platform may have it.
	Unknown
	// Refused: the platform refused it and would refuse it again.
	Refused
	// Unready: a setting is wrong, at the platform or here, and somebody can correct it.
	Unready
	// Outdated: the platform has one that is not older, which does not prove that it is this one.
	Outdated
)

// Report is what is known of the last failure, or of the delivery. It is kept with the entry.
type Report struct {
	Reason    lti.Reason        `json:"reason,omitzero"`
	Message   string            `json:"message,omitzero"`
	Metadata  map[string]string `json:"metadata,omitzero"` // as in lti.Error
	ResultURI string            `json:"result_uri,omitzero"`
}

// Verdict says what an attempt came to.
type Verdict struct {
	Kind       VerdictKind
	Report     Report
	RetryAfter time.Duration // for NotTaken and Failed: what the platform asked for; 0: nothing
	Throttled  bool          // RetryAfter is meant for everything that goes to the host
	HostFault  bool          // it is the host that fails, rather than this entry
}

// Proof is what evidence says about an entry that may have arrived.
type Proof int

// The proofs. The zero value is none.
const (
	NoProof Proof = iota // nothing can be known
	Arrived              // the platform has it
	Missing              // the platform does not have it
	NotYet               // the platform cannot be asked now
)

// record is what the outbox keeps in an entry's Result.
type record struct {
	Report
	Failures int       `json:"failures,omitzero"` // attempts since Since that were not taken
	Since    time.Time `json:"since,omitzero"`    // when they began to fail; zero: they do not
}

func recordOf(entry *records.LaneEntry) (record, error) {
	var r record
	if len(entry.Result) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(entry.Result, &r); err != nil {
		return r, fmt.Errorf("outbox: the record of entry %s: %w", entry.ID, err)
	}
	return r, nil
}

// ReportOf returns what is kept with an entry.
func ReportOf(entry *records.LaneEntry) (Report, error) {
	r, err := recordOf(entry)
	return r.Report, err
}

// Times of the retry policy.
const (
	firstDelay    = 2 * time.Second
	longestDelay  = 15 * time.Minute // also of what a platform asks for
	unreadyPeriod = 24 * time.Hour   // how long a wrong setting is waited for, or a platform that fails for one entry
)

// policy decides what becomes of an entry. It has no clock and no randomness of its own.
type policy struct {
	horizon     time.Duration // how long an entry is tried that is not taken
	atLeastOnce bool          // what may have arrived is simply sent again
}

// situation is an attempt that has ended, or that a crash cut short.
type situation struct {
	entry    *records.LaneEntry // as it was when it was claimed
	record   record
	evidence bool // the platform can be asked what it has
	first    bool // somebody waits for the answer of this first attempt
	now      time.Time
	jitter   float64 // from 0 to below 1
}

// ambiguous reports whether an earlier attempt may have arrived.
func (s *situation) ambiguous() bool { return s.entry.Ambiguous || !s.entry.Started.IsZero() }

// outcome says what becomes of an entry after a verdict.
func (p policy) outcome(s situation, v Verdict) (records.Outcome, record) {
	r := s.record
	r.Report = v.Report
	end := func(state records.EntryState) (records.Outcome, record) {
		r.Failures, r.Since = 0, time.Time{}
		return records.Outcome{State: state, Ambiguous: state == records.StateUnconfirmed}, r
	}
	if r.Since.IsZero() {
		r.Since = s.now
	}
	r.Failures++
	again := func(ambiguous bool) (records.Outcome, record) {
		if s.now.Sub(r.Since) >= p.horizon {
			if ambiguous {
				return end(records.StateUnconfirmed)
			}
			return end(records.StateRefused)
		}
		state := records.StateQueued
		if s.entry.State == records.StateUnconfirmed {
			state = records.StateUnconfirmed
		}
		return records.Outcome{State: state, Ambiguous: ambiguous, Due: s.now.Add(delay(r.Failures, v.RetryAfter, s.jitter))}, r
	}
	switch v.Kind {
	case Delivered:
		return end(records.StateDelivered)
	case Refused:
		return end(records.StateRefused)
	case Outdated:
		if s.ambiguous() {
			return end(records.StateUnconfirmed)
		}
		return end(records.StateRefused)
	case Unready:
		if s.first || s.now.Sub(r.Since) >= unreadyPeriod {
			return end(records.StateRefused)
		}
		return again(s.ambiguous())
	case NotTaken:
		return again(s.ambiguous())
	case Failed:
		if !v.HostFault && s.now.Sub(r.Since) >= unreadyPeriod {
			return end(records.StateUnconfirmed)
		}
		return again(true)
	case Unknown:
		switch {
		case p.atLeastOnce || s.evidence:
			return again(true)
		case s.entry.State == records.StateUnconfirmed:
			return end(records.StateUnconfirmed) // it was sent once more, and that is enough
		}
		outcome, r := again(true)
		outcome.State = records.StateUnconfirmed
		return outcome, r
	}
	// A verdict without a kind is a defect of Deliver; what was sent then is not known.
	r.Report = Report{Reason: lti.ReasonInternal, Message: "The attempt ended without a verdict."}
	return end(records.StateUnconfirmed)
}

// interrupted says what becomes of an entry that may have arrived, before it is sent again: retry is false where it is
// not to be sent now, and outcome is then what becomes of it.
func (p policy) interrupted(s situation, proof Proof) (outcome records.Outcome, r record, retry bool) {
	r = s.record
	lost := !s.entry.Started.IsZero() // the attempt's end is not known, so nobody has judged it yet
	switch {
	case proof == Arrived:
		r.Failures, r.Since = 0, time.Time{}
		return records.Outcome{State: records.StateDelivered}, r, false
	case proof == NotYet:
		r.Failures++
		if r.Since.IsZero() {
			r.Since = s.now
		}
		return records.Outcome{State: s.entry.State, Ambiguous: true, Due: s.now.Add(delay(r.Failures, 0, s.jitter))}, r, false
	case proof == Missing, p.atLeastOnce, !lost:
		return records.Outcome{}, r, true
	case s.entry.State == records.StateUnconfirmed:
		return records.Outcome{State: records.StateUnconfirmed, Ambiguous: true}, r, false
	}
	return records.Outcome{State: records.StateUnconfirmed, Ambiguous: true, Due: s.now}, r, false
}

// delay returns how long to wait after some failures: doubled each time, and spread over its upper half, but not less
// than the platform asked for.
func delay(failures int, asked time.Duration, jitter float64) time.Duration {
	d := longestDelay
	if failures < 10 {
		d = min(d, firstDelay<<(failures-1))
	}
	d = d/2 + time.Duration(jitter*float64(d/2))
	return min(max(d, asked), longestDelay)
}
