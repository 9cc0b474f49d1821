// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ltisidecar/ltisidecar/lti"
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
