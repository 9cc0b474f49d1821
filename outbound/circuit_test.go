// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// failingHost is a host whose answers are scripted, a client with a clock of its own, and what was heard of pauses.
type failingHost struct {
	t        *testing.T
	client   *Client
	uri      string
	status   atomic.Int64 // to answer with; 0: the connection is cut
	requests atomic.Int64
	hanging  chan struct{} // one element for each request for /hang
	pauses   []time.Duration

	mutex sync.Mutex
	now   time.Time
}

func newFailingHost(t *testing.T) *failingHost {
	h := &failingHost{t: t, hanging: make(chan struct{}), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.status.Store(200)
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		if r.URL.Path == "/hang" {
			h.hanging <- struct{}{}
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // no answer, which could still overtake the end of the call
		}
		status := int(h.status.Load())
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	})
	h.uri = server.URL
	h.client = clientOf(t, server, Config{Now: h.clock, Suspended: func(host string, pause time.Duration) {
		if host == strings.TrimPrefix(h.uri, "https://") {
			h.pauses = append(h.pauses, pause)
		}
	}})
	return h
}

func (h *failingHost) clock() time.Time {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.now
}

func (h *failingHost) advance(d time.Duration) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.now = h.now.Add(d)
}

// send sends a request, with Do and Stream in turns, and returns its error.
func (h *failingHost) send() error {
	if h.requests.Load()%2 == 0 {
		_, err := h.client.Do(h.t.Context(), Request{URI: h.uri})
		return err
	}
	answer, err := h.client.Stream(h.t.Context(), Request{URI: h.uri})
	if err == nil {
		answer.Body.Close()
	}
	return err
}

// fail sends requests that must each reach the host, which answers each with the status.
func (h *failingHost) fail(status, count int) {
	h.t.Helper()
	h.status.Store(int64(status))
	for i := range count {
		before := h.requests.Load()
		if err := h.send(); status != 0 && err != nil || status == 0 && err == nil || h.requests.Load() == before {
			h.t.Fatalf("request %d of %d with status %d: %v", i+1, count, status, err)
		}
	}
}

// wantSuspended sends a request that must not reach the host.
func (h *failingHost) wantSuspended(wait time.Duration) {
	h.t.Helper()
	before := h.requests.Load()
	e := wantKind(h.t, h.send(), Suspended, false)
	if e.RetryAfter != wait || h.requests.Load() != before {
		h.t.Fatalf("RetryAfter = %v, want %v; %d requests arrived", e.RetryAfter, wait, h.requests.Load()-before)
	}
	explained := Explain(e, "school")
	if explained.Reason != lti.ReasonPlatformUnavailable || explained.RetryAfter != wait || explained.Metadata["registration"] != "school" {
		h.t.Errorf("explained as %v, %v", explained, explained.RetryAfter)
	}
}

func TestFailingHostIsSuspended(t *testing.T) {
	for _, status := range []int{502, 503, 504, 522, 0} {
		h := newFailingHost(t)
		h.fail(status, failuresToSuspend)
		h.wantSuspended(5 * time.Second)
		h.advance(2 * time.Second)
		h.wantSuspended(3 * time.Second)
		for _, pause := range []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second, 30 * time.Second} {
			h.advance(time.Minute)
			h.fail(status, 1) // the probe
			h.wantSuspended(pause)
		}
		h.advance(time.Minute)
		h.fail(200, 1)
		h.fail(status, failuresToSuspend-1) // it counts from the start again
		h.fail(200, 1)
		want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, 30 * time.Second}
		if !slices.Equal(h.pauses, want) {
			t.Errorf("%d: heard of %v, want %v", status, h.pauses, want)
		}
	}
}

func TestWhatDoesNotSuspendAHost(t *testing.T) {
	for _, status := range []int{200, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 501} {
		h := newFailingHost(t)
		h.fail(status, 3*failuresToSuspend)
	}
	h := newFailingHost(t)
	for range 4 { // an answer in between starts the count again, and a 500 leaves it as it is
		h.fail(503, failuresToSuspend-1)
		h.fail(404, 1)
	}
	h.fail(503, failuresToSuspend-1)
	h.fail(500, 1)
	h.fail(503, 1)
	h.wantSuspended(5 * time.Second)

	h = newFailingHost(t)
	for range 2 * failuresToSuspend { // a caller who gives up says nothing of the host
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := h.client.Do(ctx, Request{URI: h.uri + "/hang"})
			gone <- err
		}()
		select {
		case <-h.hanging:
		case err := <-gone:
			t.Fatal(err)
		}
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	h.fail(200, 1)
	for range 2 * failuresToSuspend {
		if _, err := h.client.Do(t.Context(), Request{URI: h.uri + "/#x"}); err == nil {
			t.Fatal("a fragment was sent")
		}
	}
	h.fail(200, 1)
}

func TestHostsAreSuspendedApart(t *testing.T) {
	h := newFailingHost(t)
	for range failuresToSuspend {
		_, err := h.client.Do(t.Context(), Request{URI: "https://127.0.0.1:1/"})
		wantKind(t, err, Unreachable, false)
	}
	_, err := h.client.Do(t.Context(), Request{URI: "https://127.0.0.1:1/"})
	wantKind(t, err, Suspended, false)
	h.fail(200, 1)
	if len(h.pauses) != 0 {
		t.Errorf("heard of %v", h.pauses)
	}
}

// The circuit itself, where several requests are under way at once.
func TestOneProbeAtATime(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := newCircuit(func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	admitted := func() func(outcome) {
		t.Helper()
		settle, refusal := c.admit("H.example:1")
		if refusal != nil {
			t.Fatal(refusal)
		}
		return settle
	}
	refused := func(wait time.Duration) {
		t.Helper()
		if _, refusal := c.admit("h.example:1"); refusal == nil || refusal.RetryAfter != wait {
			t.Fatalf("refusal = %v, want one for %v", refusal, wait)
		}
	}
	var late []func(outcome)
	for range failuresToSuspend + 3 {
		late = append(late, admitted())
	}
	for _, settle := range late {
		settle(broken) // those behind the fifth do not make it longer
	}
	refused(firstSuspension)
	now = now.Add(firstSuspension)
	probe := admitted()
	refused(whileProbing)
	probe(unknown) // its caller went away
	probe = admitted()
	refused(whileProbing)
	probe(broken)
	refused(2 * firstSuspension)
	now = now.Add(2 * firstSuspension)
	probe = admitted()
	probe(working)
	admitted()(working)
	if c.hosts.Len() != 0 {
		t.Errorf("%d hosts are remembered", c.hosts.Len())
	}
}
