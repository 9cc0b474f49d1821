// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// signingKeys are made once: they are dear.
var signingKeys = sync.OnceValue(func() []*jose.SigningKey {
	var keys []*jose.SigningKey
	for range 3 {
		key, err := jose.GenerateSigningKey(2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// jwksPlatform is a platform's JWKS endpoint on a real TLS server, and a PlatformKeys with a clock of its own.
type jwksPlatform struct {
	t            *testing.T
	keys         *PlatformKeys
	registration *platform.Registration

	mutex   sync.Mutex
	now     time.Time
	fetches int
	answer  func(w http.ResponseWriter, r *http.Request)
	hold    chan struct{} // answers wait for it; nil: they do not
	arrived chan struct{} // one element a fetch
}

// zeros makes every jitter 0.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func newJWKSPlatform(t *testing.T, staleIfError time.Duration) *jwksPlatform {
	t.Helper()
	p := &jwksPlatform{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), arrived: make(chan struct{}, 1000)}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mutex.Lock()
		p.fetches++
		answer, hold := p.answer, p.hold
		p.mutex.Unlock()
		p.arrived <- struct{}{}
		if hold != nil {
			<-hold
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Now: p.clock})
	if err != nil {
		t.Fatal(err)
	}
	p.keys, err = NewPlatformKeys(PlatformKeysConfig{Fetcher: client, StaleIfError: staleIfError, Now: p.clock, Rand: zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	t.Cleanup(p.keys.Close)
	p.registration = &platform.Registration{Name: "school", Issuer: "https://lms.example", JWKSURI: server.URL + "/jwks"}
	return p
}

func (p *jwksPlatform) clock() time.Time {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.now
}

func (p *jwksPlatform) advance(d time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.now = p.now.Add(d)
}

func (p *jwksPlatform) serve(answer func(http.ResponseWriter, *http.Request)) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.answer = answer
}

// publish serves keys under names of their own.
func (p *jwksPlatform) publish(cacheControl string, named map[string]*jose.SigningKey) {
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		var entries []string
		for kid, key := range named {
			document, err := jose.PublicKeySet(key)
			if err != nil {
				p.t.Error(err)
			}
			entry := strings.TrimSuffix(strings.TrimPrefix(string(document), `{"keys":[`), `]}`)
			entries = append(entries, strings.Replace(entry, key.KeyID(), kid, 1))
		}
		if cacheControl != "" {
			w.Header().Set("Cache-Control", cacheControl)
		}
		fmt.Fprintf(w, `{"keys":[%s]}`, strings.Join(entries, ","))
	})
}

func (p *jwksPlatform) fail(status int, body string) {
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func (p *jwksPlatform) wantFetches(want int) {
	p.t.Helper()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.fetches != want {
		p.t.Fatalf("%d fetches so far, want %d", p.fetches, want)
	}
}

func (p *jwksPlatform) wantKey(kid string) *jose.PublicKey {
	p.t.Helper()
	key, err := p.keys.Key(p.t.Context(), p.registration, kid, "RS256")
	if err != nil {
		p.t.Fatalf("Key(%q): %v", kid, err)
	}
	return key
}

func (p *jwksPlatform) wantReason(kid string, reason lti.Reason) *lti.Error {
	p.t.Helper()
	_, err := p.keys.Key(p.t.Context(), p.registration, kid, "RS256")
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		p.t.Fatalf("Key(%q): %v, want %s", kid, err, reason)
	}
	if e.Metadata["registration"] != "school" {
		p.t.Fatalf("Key(%q): metadata %v names no registration", kid, e.Metadata)
	}
	return e
}

// settled waits for background fetches.
func (p *jwksPlatform) settled() { p.keys.running.Wait() }

func TestKeyIsFetchedOnceAndKept(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0], "b": signingKeys()[1]})
	a := p.wantKey("a")
	if a.KeyID() != "a" || p.wantKey("b").Equal(a) {
		t.Error("the keys are mixed up")
	}
	p.advance(53 * time.Minute)
	p.wantKey("a")
	p.wantFetches(1)
}

func TestRefreshAheadOfExpiry(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("max-age=1000", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.advance(899 * time.Second)
	p.wantKey("a")
	p.wantFetches(1)
	p.advance(time.Second)
	p.wantKey("a") // served at once, refreshed behind
	p.settled()
	p.wantFetches(2)
	p.advance(899 * time.Second)
	p.wantKey("a")
	p.settled()
	p.wantFetches(2)
}

// REQ-044
func TestForgedKIDsCostOneFetchAWindow(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.advance(minWindow)
	for i := range 50 {
		e := p.wantReason(fmt.Sprintf("forged-%d", i), lti.ReasonKIDUnknown)
		if e.Metadata["kid"] != fmt.Sprintf("forged-%d", i) || e.Metadata["held_kids"] != "a" || e.Metadata["fetched_time"] != "2026-01-01T00:00:15Z" {
			t.Fatalf("metadata = %v", e.Metadata)
		}
	}
	p.wantFetches(2)
	p.advance(minWindow - 1)
	p.wantReason("forged", lti.ReasonKIDUnknown)
	p.wantFetches(2)
	p.advance(1)
	p.wantReason("forged", lti.ReasonKIDUnknown)
	p.wantFetches(3)
	p.wantKey("a")
}

// REQ-043
func TestRotationIsPickedUp(t *testing.T) {
	p := newJWKSPlatform(t, DefaultStaleIfError)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.publish("", map[string]*jose.SigningKey{"b": signingKeys()[1]})
	early := p.wantReason("b", lti.ReasonKIDUnknown) // inside the window
	if early.RetryAfter != 15*time.Second {
		t.Errorf("it can be fetched again in %s, want 15s", early.RetryAfter)
	}
	p.advance(minWindow)
	p.wantKey("b")
	p.wantReason("a", lti.ReasonKIDUnknown) // withdrawn by a successful answer, whatever the grace
	p.wantFetches(2)
}

func TestHerdCausesOneFetchThatNoCallerCanCancel(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.hold = make(chan struct{})
	first, cancel := context.WithCancel(t.Context())
	firstDone := make(chan error, 1)
	go func() {
		_, err := p.keys.Key(first, p.registration, "a", "RS256")
		firstDone <- err
	}()
	<-p.arrived
	cancel()
	if err := <-firstDone; lti.ReasonOf(err) != lti.ReasonJWKSUnreachable || !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled caller got %v", err)
	}
	results := make(chan error, 100)
	for range 100 {
		go func() {
			_, err := p.keys.Key(t.Context(), p.registration, "a", "RS256")
			results <- err
		}()
	}
	close(p.hold)
	for range 100 {
		if err := <-results; err != nil {
			t.Errorf("a waiting caller got %v", err)
		}
	}
	p.wantFetches(1)
}

// REQ-061
func TestOutage(t *testing.T) {
	for _, failure := range []struct {
		status int
		body   string
		reason lti.Reason
	}{
		{503, "", lti.ReasonJWKSUnreachable},
		{429, "", lti.ReasonJWKSUnreachable},
		{404, "<html>", lti.ReasonJWKSInvalid},
		{302, "", lti.ReasonJWKSInvalid},
		{200, "<html>login</html>", lti.ReasonJWKSInvalid},
		{200, "[]", lti.ReasonJWKSInvalid},
		{200, `{"keys":[` + strings.Repeat(" ", maxKeySetBytes) + `]}`, lti.ReasonJWKSInvalid},
	} {
		p := newJWKSPlatform(t, time.Hour)
		p.publish("max-age=60", map[string]*jose.SigningKey{"a": signingKeys()[0]})
		p.wantKey("a")
		p.fail(failure.status, failure.body)
		p.advance(minWindow)
		p.wantReason("b", failure.reason) // it may exist: not KID_UNKNOWN
		p.wantFetches(2)
		p.advance(time.Hour + 45*time.Second - 1)
		p.wantKey("a")
		p.settled()
		p.advance(1)
		p.wantReason("a", failure.reason)
		p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
		p.advance(2 * minWindow)
		p.wantKey("a")
	}
}

func TestWithoutGraceAnExpiredKeyIsGone(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("max-age=60", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.fail(503, "")
	p.advance(time.Minute - 1)
	p.wantKey("a")
	p.settled()
	p.advance(2 * minWindow)
	p.wantReason("a", lti.ReasonJWKSUnreachable)
}

func TestFirstFailuresAreRetriedSooner(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.fail(503, "")
	for i, window := range []time.Duration{2, 4, 8, 15, 15, 15} {
		p.wantReason("a", lti.ReasonJWKSUnreachable)
		p.advance(window*time.Second - 1)
		p.wantReason("a", lti.ReasonJWKSUnreachable)
		p.wantFetches(i + 1)
		p.advance(1)
	}
}

func TestPausedHostIsNamedAsTheCause(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.fail(503, "")
	for range 6 { // the fifth failure pauses the host for 5 s, the sixth for 10 s, the seventh for 20 s
		p.wantReason("a", lti.ReasonJWKSUnreachable)
		p.advance(minWindow)
	}
	p.wantReason("a", lti.ReasonJWKSUnreachable)
	p.advance(minWindow)
	if e := p.wantReason("a", lti.ReasonJWKSUnreachable); !strings.Contains(e.Metadata["detail"], "paused") || e.RetryAfter != 5*time.Second {
		t.Errorf("%v %v, %v", e, e.Metadata, e.RetryAfter)
	}
	p.wantFetches(7)
}

func TestStaleKeyDoesNotWaitForTheNextAttempt(t *testing.T) {
	p := newJWKSPlatform(t, time.Hour)
	p.publish("max-age=60", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.fail(503, "")
	p.advance(2 * time.Minute)
	p.wantKey("a")
	p.wantFetches(2)
	hold := make(chan struct{})
	p.mutex.Lock()
	p.hold = hold
	p.mutex.Unlock()
	p.advance(2 * minWindow)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.keys.Key(over, p.registration, "a", "RS256"); err != nil { // a call that waited would fail
		t.Errorf("Key waited: %v", err)
	}
	close(hold)
	p.settled()
	p.wantFetches(3)
}

func TestReplaced(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	old := p.wantKey("a")
	replaced := func(failed *jose.PublicKey) *jose.PublicKey {
		t.Helper()
		key, err := p.keys.Replaced(t.Context(), p.registration, "a", "RS256", failed)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[1]})
	if replaced(old) != nil {
		t.Error("a refetch inside the window")
	}
	p.advance(minWindow)
	present := replaced(old)
	if present == nil || present.Equal(old) {
		t.Fatal("the new key was not found")
	}
	if again := replaced(old); again == nil || !again.Equal(present) {
		t.Error("a second caller with the old key did not get the new one")
	}
	if replaced(present) != nil {
		t.Error("the present key was offered again")
	}
	p.wantFetches(2)
	p.advance(minWindow)
	p.publish("", nil)
	if replaced(present) != nil {
		t.Error("a withdrawn key was offered")
	}
	p.wantFetches(3)
}

func TestRegistrationsDoNotShareKeys(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	for _, change := range []func(r *platform.Registration){
		func(r *platform.Registration) { r.Name = "other" },
		func(r *platform.Registration) { r.Issuer = "https://other.example" },
		func(r *platform.Registration) { r.JWKSURI += "2" },
	} {
		other := *p.registration
		change(&other)
		if p.keys.source(&other) == p.keys.source(p.registration) {
			t.Errorf("%+v shares the keys", other)
		}
	}
}

// REQ-056
func TestUnsuitableNeighboursDoNotSpoilTheSet(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	document, err := jose.PublicKeySet(signingKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Replace(string(document), `{"keys":[`, `{"keys":[{"kty":"XYZ","kid":"odd"},7,`, 1))
	})
	p.wantKey(signingKeys()[0].KeyID())
	p.wantReason("odd", lti.ReasonKeyUnsuitable)
	p.wantFetches(1)
}

// A key that cannot be used is asked for anew like one that is not there: once a window.
func TestMendedKeyIsPickedUp(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=86400")
		fmt.Fprint(w, `{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`)
	})
	p.wantReason("a", lti.ReasonKeyUnsuitable)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantReason("a", lti.ReasonKeyUnsuitable)
	p.wantFetches(1)
	p.advance(minWindow)
	p.wantKey("a")
	p.wantFetches(2)
}

// ones makes every jitter the same large value.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestJitterSpreadsFetches(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	for _, source := range []io.Reader{zeros{}, ones{}, rand.Reader, broken{}} {
		p.keys.config.Rand = source
		for _, limit := range []time.Duration{0, 1, minWindow, maxLifetime / 10} {
			if got := p.keys.jitter(limit); got < 0 || got > limit {
				t.Errorf("%T: jitter(%v) = %v", source, limit, got)
			}
		}
	}
	if got := p.keys.jitter(minWindow); got != minWindow {
		t.Errorf("without randomness the window is %v longer, want the longest", got)
	}
	seen := map[time.Duration]bool{}
	p.keys.config.Rand = rand.Reader
	for range 20 {
		seen[p.keys.jitter(minWindow)] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d values in 20", len(seen))
	}

	// With the largest jitter the refresh begins at 80 % of the lifetime, and the window is 30 s.
	p.keys.config.Rand = broken{}
	p.publish("max-age=1000", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.advance(2*minWindow - 1)
	p.wantReason("b", lti.ReasonKIDUnknown)
	p.wantFetches(1)
	p.advance(1)
	p.wantReason("b", lti.ReasonKIDUnknown)
	p.wantFetches(2)
	p.advance(800*time.Second - 1)
	p.wantKey("a")
	p.settled()
	p.wantFetches(2)
	p.advance(1)
	p.wantKey("a")
	p.settled()
	p.wantFetches(3)
}

func TestEmptySetRemovesAllKeysAndWarns(t *testing.T) {
	p := newJWKSPlatform(t, DefaultStaleIfError)
	log := p.restart(t.TempDir())
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.publish("", nil)
	p.advance(minWindow)
	p.wantReason("b", lti.ReasonKIDUnknown)
	p.wantReason("a", lti.ReasonKIDUnknown)
	if !strings.Contains(log.String(), "platform publishes no keys") {
		t.Errorf("log: %s", log)
	}
}

func TestBlockedAddressIsNamed(t *testing.T) {
	client, err := outbound.New(outbound.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := NewPlatformKeys(PlatformKeysConfig{Fetcher: client})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	for uri, reason := range map[string]lti.Reason{"https://127.0.0.1:1/jwks": lti.ReasonAddressNotAllowed, "http://lms.example/jwks": lti.ReasonJWKSInvalid} {
		_, err = keys.Key(t.Context(), &platform.Registration{Name: "school", JWKSURI: uri}, "a", "RS256")
		if lti.ReasonOf(err) != reason {
			t.Errorf("%s: %v, want %s", uri, err, reason)
		}
	}
}

type panicking struct{}

func (panicking) Do(context.Context, outbound.Request) (*outbound.Response, error) { panic("boom") }

func TestPanicInAFetchIsAnInvalidSet(t *testing.T) {
	keys, err := NewPlatformKeys(PlatformKeysConfig{Fetcher: panicking{}})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	if _, err := keys.Key(t.Context(), &platform.Registration{Name: "school"}, "a", "RS256"); lti.ReasonOf(err) != lti.ReasonJWKSInvalid {
		t.Errorf("error = %v", err)
	}
}

func TestHeldKIDsAreBounded(t *testing.T) {
	var kids []string
	for i := range 12 {
		kids = append(kids, fmt.Sprint(i))
	}
	if got, want := heldKIDs(kids), "0 1 2 3 4 5 6 7 8 9 and 2 more"; got != want {
		t.Errorf("heldKIDs = %q, want %q", got, want)
	}
}
