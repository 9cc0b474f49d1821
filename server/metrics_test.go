// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// get returns the status and the body of an answer of the metrics listener.
func get(t *testing.T, handler http.Handler, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return recorder.Code, recorder.Body.String()
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	handler := m.Handler(func() bool { return true })
	_, before := get(t, handler, "/metrics")
	if got, want := strings.Count(before, "\nltisidecar_refusals_total{"), len(lti.Reasons()); got != want {
		t.Errorf("%d reasons are there from the start, want %d", got, want)
	}
	m.call("/s/M", codes.OK, "", 3*time.Millisecond)
	m.call("/s/M", codes.PermissionDenied, lti.ReasonTokenExpired, time.Millisecond)
	m.call("/s/M", codes.ResourceExhausted, "", time.Millisecond)
	m.call("/s/M", codes.Internal, lti.Reason("text from outside"), time.Millisecond)
	m.CountKeyFetch(true)
	m.CountSuspension()
	m.CountKeyFetch(false)
	m.CountKeyFetch(false)
	_, text := get(t, handler, "/metrics")
	for _, line := range []string{
		`ltisidecar_calls_total{code="OK",method="/s/M"} 1`,
		`ltisidecar_calls_total{code="PermissionDenied",method="/s/M"} 1`,
		`ltisidecar_calls_total{code="ResourceExhausted",method="/s/M"} 1`,
		`ltisidecar_refusals_total{reason="TOKEN_EXPIRED"} 1`,
		`ltisidecar_refusals_total{reason="INTERNAL"} 1`,
		`ltisidecar_refusals_total{reason="KID_UNKNOWN"} 0`,
		`ltisidecar_call_duration_seconds_count{method="/s/M"} 4`,
		`ltisidecar_platform_suspensions_total 1`,
		`ltisidecar_platform_key_fetches_total{result="answered"} 1`,
		`ltisidecar_platform_key_fetches_total{result="failed"} 2`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(text, "text from outside") {
		t.Error("a reason that is not in the list became a label")
	}
	(*Metrics)(nil).call("/s/M", codes.OK, "", 0) // a server without metrics
}

func TestProbes(t *testing.T) {
	for _, test := range []struct {
		path  string
		ready bool
		want  int
	}{
		{"/healthz", true, 200}, {"/healthz", false, 200}, {"/readyz", true, 200}, {"/readyz", false, 503}, {"/", true, 404},
	} {
		if status, _ := get(t, NewMetrics().Handler(func() bool { return test.ready }), test.path); status != test.want {
			t.Errorf("%s, ready %t: status %d, want %d", test.path, test.ready, status, test.want)
		}
	}
}

// What waits for platforms shows in the metrics, as it is at that moment.
func TestScoreMetrics(t *testing.T) {
	m := NewMetrics()
	handler := m.Handler(func() bool { return true })
	var counts records.LaneCounts
	var failure error
	if err := m.ShowScores(func(context.Context) (records.LaneCounts, error) { return counts, failure }, true); err != nil {
		t.Fatal(err)
	}
	shows := func(lines ...string) string {
		t.Helper()
		status, text := get(t, handler, "/metrics")
		for _, line := range lines {
			if status != http.StatusOK || !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("status %d, no line %s", status, line)
			}
		}
		return text
	}
	m.CountScore(records.StateDelivered)
	shows("ltisidecar_scores_open 0", "ltisidecar_scores_oldest_open_seconds 0", "ltisidecar_scores_held 1", "ltisidecar_scores_readable 1",
		`ltisidecar_scores{state="refused"} 0`, `ltisidecar_score_outcomes_total{state="delivered"} 1`)
	counts = records.LaneCounts{Open: 3, OldestOpen: time.Now().Add(-time.Hour), States: map[records.EntryState]int{records.StateQueued: 2, records.StateRefused: 5}}
	if text := shows("ltisidecar_scores_open 3", `ltisidecar_scores{state="queued"} 2`, `ltisidecar_scores{state="refused"} 5`); !strings.Contains(text, "\nltisidecar_scores_oldest_open_seconds 36") {
		t.Error("the oldest is not an hour old")
	}
	failure = errors.New("no store")
	if text := shows("ltisidecar_scores_readable 0", "ltisidecar_scores_held 1"); strings.Contains(text, "ltisidecar_scores_open") {
		t.Error("what cannot be counted is shown")
	}
}
