// SPDX-License-Identifier: Apache-2.0

package scores

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// lister is a ResultLister with one answer.
type lister struct {
	results []lti.Result
	err     error
	asked   int
}

func (l *lister) ListResults(_ context.Context, _ *platform.Registration, _ lti.GradeEndpoint, _ string, _ ags.ResultFilter, yield func([]lti.Result) error) (int64, error) {
	l.asked++
	if len(l.results) > 0 {
		if err := yield(l.results); err != nil {
			return 0, err
		}
	}
	return int64(len(l.results)), l.err
}

// sender is a Sender that is not to be called.
type sender struct{}

func (sender) Draft(context.Context, *platform.Registration, lti.GradeEndpoint, lti.Score) (ags.Draft, error) {
	return ags.Draft{}, errors.New("not asked for")
}

func (sender) Send(context.Context, ags.Sending) ags.Answer { return ags.Answer{} }

// What the platform's result says about a score that may have arrived.
func TestEvidence(t *testing.T) {
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "records.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	lanes, err := store.Lanes(boltstore.LanesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	value := func(f float64) *float64 { return &f }
	result := func(score *float64, maximum float64, comment string) []lti.Result {
		return []lti.Result{{UserID: "ann", Score: score, ScoreMaximum: maximum, Comment: comment}}
	}
	const graded = `{"scoreGiven":8,"scoreMaximum":10,"activityProgress":"Completed","gradingProgress":"FullyGraded","userId":"ann"}`
	const noted = `{"scoreGiven":8,"scoreMaximum":10,"comment":"fine","activityProgress":"Completed","gradingProgress":"FullyGraded","userId":"ann"}`
	readable := []string{lti.ScopeScore, lti.ScopeResultReadOnly}
	for _, test := range []struct {
		name   string
		body   string
		scopes []string
		lister lister
		want   outbox.Proof
		asked  int
	}{
		{"the same", graded, readable, lister{results: result(value(8), 10, "")}, outbox.Arrived, 1},
		{"the same, to another scale", graded, readable, lister{results: result(value(80.0001), 100, "")}, outbox.Arrived, 1},
		{"another", graded, readable, lister{results: result(value(7.9), 10, "")}, outbox.Missing, 1},
		{"none yet", graded, readable, lister{}, outbox.Missing, 1},
		{"a result without a score", graded, readable, lister{results: result(nil, 10, "")}, outbox.Missing, 1},
		{"more than the maximum, cut off", `{"scoreGiven":12,"scoreMaximum":10,"gradingProgress":"FullyGraded"}`, readable, lister{results: result(value(10), 10, "")}, outbox.Arrived, 1},
		{"a maximum that is none", graded, readable, lister{results: result(value(8), 0, "")}, outbox.Missing, 1},
		{"the same with its comment", noted, readable, lister{results: result(value(8), 10, "fine")}, outbox.Arrived, 1},
		{"the same without its comment", noted, readable, lister{results: result(value(8), 10, "")}, outbox.NoProof, 1},
		{"no scope", graded, []string{lti.ScopeScore}, lister{}, outbox.NoProof, 0},
		{"not graded", `{"scoreGiven":8,"scoreMaximum":10,"gradingProgress":"Pending"}`, readable, lister{}, outbox.NoProof, 0},
		{"no score", `{"gradingProgress":"FullyGraded"}`, readable, lister{}, outbox.NoProof, 0},
		{"out of reach", graded, readable, lister{err: &lti.Error{Reason: lti.ReasonPlatformUnreachable}}, outbox.NotYet, 1},
		{"throttled", graded, readable, lister{err: &lti.Error{Reason: lti.ReasonPlatformThrottled}}, outbox.NotYet, 1},
		{"not allowed", graded, readable, lister{err: &lti.Error{Reason: lti.ReasonServiceRefused}}, outbox.NoProof, 1},
		{"a defect", graded, readable, lister{err: errors.New("defect")}, outbox.NoProof, 1},
	} {
		book, err := New(Config{
			Lanes: lanes, Grades: sender{}, Logger: slog.New(slog.DiscardHandler), ReadResult: ReadResults(&test.lister),
			Registration: func(string) (*platform.Registration, error) { return &platform.Registration{Name: "school"}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(payload{Endpoint: lti.GradeEndpoint{Registration: "school", Scopes: test.scopes}, UserID: "ann", Body: json.RawMessage(test.body)})
		if err != nil {
			t.Fatal(err)
		}
		if got := book.evidence(t.Context(), &records.LaneEntry{Payload: encoded}); got != test.want || test.lister.asked != test.asked {
			t.Errorf("%s: %d after %d questions, want %d after %d", test.name, got, test.lister.asked, test.want, test.asked)
		}
		book.Close()
	}
}

func TestPlaces(t *testing.T) {
	place := func(uri, user string) string {
		lane, group, err := placeOf("school", uri, user)
		if err != nil {
			t.Fatal(err)
		}
		return lane + " " + group
	}
	same := place("https://lms.example/li/7?type_id=3", "ann")
	for _, uri := range []string{"HTTPS://LMS.example:443/li/7/?type_id=3", "https://lms.example/li/7/?type_id=3"} {
		if got := place(uri, "ann"); got != same {
			t.Errorf("%s has a lane of its own", uri)
		}
	}
	for _, uri := range []string{"https://lms.example/li/8?type_id=3", "https://lms.example/li/7?type_id=4", "https://lms.example:8443/li/7?type_id=3", "https://lms.example/LI/7?type_id=3"} {
		if got := place(uri, "ann"); got == same {
			t.Errorf("%s shares a lane", uri)
		}
	}
	if place("https://lms.example/li/7?type_id=3", "bob") == same {
		t.Error("two users share a lane")
	}
	for _, uri := range []string{"", "li/7", "https://user@lms.example/li", "ftp://lms.example/li"} {
		if _, _, err := placeOf("school", uri, "ann"); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
			t.Errorf("%q: %v", uri, err)
		}
	}
}
