// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Metrics counts what the sidecar does, for Prometheus. No label holds text from outside: methods, codes and reasons
// are closed lists, and all reasons are there from the start, at 0. It may be used by many goroutines.
type Metrics struct {
	registry    *prometheus.Registry
	calls       *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	refusals    map[lti.Reason]prometheus.Counter
	fetches     *prometheus.CounterVec
	suspensions prometheus.Counter
	outcomes    *prometheus.CounterVec
}

// callSeconds are the upper bounds of the duration histogram: from a refusal before any arithmetic to a launch that has
// to wait for a platform's keys.
var callSeconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 10}

// NewMetrics makes Metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ltisidecar_calls_total", Help: "Calls answered, by gRPC method and status code.",
		}, []string{"method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ltisidecar_call_duration_seconds", Help: "Time from a call's arrival to its answer, by gRPC method.", Buckets: callSeconds,
		}, []string{"method"}),
		refusals: make(map[lti.Reason]prometheus.Counter),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ltisidecar_platform_key_fetches_total", Help: "Requests for platforms' key sets, by result: answered (with status 200) or failed.",
		}, []string{"result"}),
		suspensions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ltisidecar_platform_suspensions_total", Help: "How often requests to a host were paused because it kept failing.",
		}),
	}
	m.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ltisidecar_score_outcomes_total", Help: "Scores that ended, by state: delivered, superseded when they came, unconfirmed, refused.",
	}, []string{"state"})
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ltisidecar_refusals_total", Help: "Calls answered with an error, and notices refused, by the reason that docs/errors.md describes.",
	}, []string{"reason"})
	for _, info := range lti.Reasons() {
		m.refusals[info.Reason] = refusals.WithLabelValues(string(info.Reason))
	}
	for _, result := range []string{fetchAnswered, fetchFailed} {
		m.fetches.WithLabelValues(result)
	}
	m.registry.MustRegister(m.calls, m.duration, refusals, m.fetches, m.suspensions, m.outcomes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// call counts one call that was answered. A nil Metrics counts nothing.
func (m *Metrics) call(method string, code codes.Code, reason lti.Reason, took time.Duration) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(method, code.String()).Inc()
	m.duration.WithLabelValues(method).Observe(took.Seconds())
	if reason != "" {
		m.refused(reason)
	}
}

// refused counts a call or a notice that was refused. A nil Metrics counts nothing.
func (m *Metrics) refused(reason lti.Reason) {
	if m == nil {
		return
	}
	m.refusals[reason.Info().Reason].Inc() // Info maps a reason that is not in the list to INTERNAL
}

// The results of a fetch of platform keys.
const (
	fetchAnswered = "answered"
	fetchFailed   = "failed"
)

// CountKeyFetch counts one request for a platform's key set. answered: its status was 200.
func (m *Metrics) CountKeyFetch(answered bool) {
	result := fetchFailed
	if answered {
		result = fetchAnswered
	}
	m.fetches.WithLabelValues(result).Inc()
}

// CountSuspension counts one pause of the requests to a host that keeps failing.
func (m *Metrics) CountSuspension() { m.suspensions.Inc() }

// Gatherer returns the registry, to be read.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler serves GET /metrics in Prometheus' text form, /healthz (200 while the process answers) and /readyz (200 while
// ready reports true, else 503). Nothing it says is secret.
func (m *Metrics) Handler(ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, true) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, ready()) })
	return mux
}

func answerProbe(w http.ResponseWriter, ok bool) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	text := "ok\n"
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "not ready\n"
	}
	_, _ = w.Write([]byte(text)) // the prober went away: there is nobody to tell
}
