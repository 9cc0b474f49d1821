// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// keeper is a sensor with a store to keep envelopes in, and a clock that a test moves forward.
type keeper struct {
	*sensor
	lanes   records.Lanes
	moved   atomic.Int64 // nanoseconds
	arrived chan string  // each envelope that was answered with success
	status  atomic.Int32 // what the sensor answers
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	k := &keeper{arrived: make(chan string, 100)}
	k.status.Store(http.StatusOK)
	k.sensor = newSensor(t, func(w http.ResponseWriter, _ *http.Request) {
		status := int(k.status.Load())
		if status == http.StatusOK {
			k.mutex.Lock()
			k.arrived <- k.bodies[len(k.bodies)-1]
			k.mutex.Unlock()
			return
		}
		w.WriteHeader(status)
	})
	k.registration.Issuer, k.registration.ClientID = "https://lms.example", "c"
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "records.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if k.lanes, err = store.Lanes(boltstore.LanesConfig{Now: k.now}); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *keeper) now() time.Time { return time.Now().Add(time.Duration(k.moved.Load())) }

// queue makes a Queue over the store and runs it until end is called.
func (k *keeper) queue(change func(*QueueConfig)) (q *Queue, end func()) {
	k.t.Helper()
	config := QueueConfig{
		Lanes: k.lanes, Client: k.Client, Logger: slog.New(slog.DiscardHandler), Now: k.now,
		Registration: func(_ context.Context, name, deploymentID string) (*platform.Registration, error) {
			if name != "school" || deploymentID != "d" {
				return nil, lti.Errorf(lti.ReasonRegistrationUnknown, "no %s", name)
			}
			return k.registration, nil
		},
	}
	if change != nil {
		change(&config)
	}
	q, err := NewQueue(config)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(k.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(ctx)
	}()
	return q, func() {
		cancel()
		<-done
		q.Close()
	}
}

func numbered(n int) string {
	return strings.Replace(envelope, "urn:uuid:1", fmt.Sprintf("urn:uuid:%d", n), 1)
}

func (k *keeper) keep(q *Queue, n int) {
	k.t.Helper()
	if err := q.Keep(k.t.Context(), k.registration, k.endpoint, numbered(n)); err != nil {
		k.t.Fatal(err)
	}
}

// next waits for the next envelope that the platform takes.
func (k *keeper) next() string {
	k.t.Helper()
	select {
	case text := <-k.arrived:
		return text
	case <-time.After(20 * time.Second):
		k.t.Fatal("no envelope arrived")
		return ""
	}
}

func TestKeptEnvelopesArriveInOrder(t *testing.T) {
	k := newKeeper(t)
	q, end := k.queue(nil)
	defer end()
	for i := range 5 {
		k.keep(q, i)
	}
	for i := range 5 {
		if got := k.next(); got != numbered(i) {
			t.Errorf("envelope %d came as %s", i, got)
		}
	}
}

// What was kept outlives the process, and a platform that is down.
func TestKeptEnvelopesOutliveRestartAndOutage(t *testing.T) {
	k := newKeeper(t)
	k.status.Store(http.StatusServiceUnavailable)
	tried := make(chan struct{}, 10)
	q, end := k.queue(func(c *QueueConfig) {
		c.Registration = func(context.Context, string, string) (*platform.Registration, error) {
			tried <- struct{}{}
			return k.registration, nil
		}
	})
	k.keep(q, 1)
	k.keep(q, 2)
	<-tried
	end()
	k.status.Store(http.StatusOK)
	k.moved.Store(int64(time.Hour)) // whatever the back-off was
	_, end = k.queue(nil)
	defer end()
	if first, second := k.next(), k.next(); first != numbered(1) || second != numbered(2) {
		t.Errorf("%s\nand then\n%s", first, second)
	}
}

func TestKeepRefuses(t *testing.T) {
	k := newKeeper(t)
	q, end := k.queue(nil)
	defer end()
	refused := func(q *Queue, endpoint lti.EventEndpoint, text string, want lti.Reason) {
		t.Helper()
		if err := q.Keep(t.Context(), k.registration, endpoint, text); lti.ReasonOf(err) != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	refused(q, k.endpoint, "{}", lti.ReasonRequestInvalid)
	refused(q, lti.EventEndpoint{DeploymentID: "d"}, envelope, lti.ReasonServiceNotOffered)
	refused(q, lti.EventEndpoint{DeploymentID: "d", URI: "https://evil.example/"}, envelope, lti.ReasonServiceOriginPending)
	held, endHeld := k.queue(func(c *QueueConfig) { c.Held = true })
	defer endHeld()
	refused(held, k.endpoint, envelope, lti.ReasonOutboxHeld)
	full, endFull := k.queue(func(c *QueueConfig) { c.MaxOpen = 1 })
	k.status.Store(http.StatusServiceUnavailable)
	k.keep(full, 1)
	refused(full, k.endpoint, envelope, lti.ReasonOutboxFull)
	endFull()
	if _, err := NewQueue(QueueConfig{}); err == nil {
		t.Error("a Queue without its parts")
	}
}

// A registration that was given to another platform since gets nothing that was meant for the first.
func TestKeptEnvelopesGoToTheirPlatformOnly(t *testing.T) {
	k := newKeeper(t)
	other := *k.registration
	other.Issuer = "https://other.example"
	asked := make(chan struct{}, 10)
	q, end := k.queue(func(c *QueueConfig) {
		c.Registration = func(context.Context, string, string) (*platform.Registration, error) {
			asked <- struct{}{}
			return &other, nil
		}
	})
	k.keep(q, 1)
	<-asked
	end()
	if len(k.requests) != 0 || k.tokens.issued != 0 {
		t.Errorf("%d requests, %d tokens", len(k.requests), k.tokens.issued)
	}
}

func TestVerdicts(t *testing.T) {
	status := func(status string) error {
		return lti.Errorf(lti.ReasonServiceRefused, "no").With("platform_status", status)
	}
	for _, test := range []struct {
		err  error
		want outbox.Verdict
	}{
		{errors.New("disk"), outbox.Verdict{Kind: outbox.NotTaken}},
		{&lti.Error{Reason: lti.ReasonPlatformThrottled, RetryAfter: time.Minute}, outbox.Verdict{Kind: outbox.NotTaken, Throttled: true, RetryAfter: time.Minute}},
		{&lti.Error{Reason: lti.ReasonPlatformUnavailable}, outbox.Verdict{Kind: outbox.Failed, HostFault: true}},
		{&lti.Error{Reason: lti.ReasonPlatformUnreachable}, outbox.Verdict{Kind: outbox.Unknown, HostFault: true}},
		{&lti.Error{Reason: lti.ReasonDeadlineExceeded}, outbox.Verdict{Kind: outbox.Unknown}},
		{&lti.Error{Reason: lti.ReasonStoreUnavailable}, outbox.Verdict{Kind: outbox.NotTaken}},
		{&lti.Error{Reason: lti.ReasonInternal}, outbox.Verdict{Kind: outbox.Refused}},
		{status("400"), outbox.Verdict{Kind: outbox.Refused}},
		{status("413"), outbox.Verdict{Kind: outbox.Refused}},
		{status("401"), outbox.Verdict{Kind: outbox.Unready}},
		{status("403"), outbox.Verdict{Kind: outbox.Unready}},
		{&lti.Error{Reason: lti.ReasonScopeNotGranted}, outbox.Verdict{Kind: outbox.Unready}},
		{&lti.Error{Reason: lti.ReasonRegistrationUnknown}, outbox.Verdict{Kind: outbox.Unready}},
	} {
		got := verdictOf(test.err)
		if got.Kind != test.want.Kind || got.Throttled != test.want.Throttled || got.HostFault != test.want.HostFault || got.RetryAfter != test.want.RetryAfter || got.Report.Reason == "" {
			t.Errorf("%v: %+v, want %+v", test.err, got, test.want)
		}
	}
}
