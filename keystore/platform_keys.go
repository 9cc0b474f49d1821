// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits and defaults of PlatformKeys.
const (
	DefaultMaxPlatforms = 4096
	DefaultStaleIfError = 24 * time.Hour // what the configuration takes where it says nothing

	maxKeySetBytes = 1 << 20
	fetchTimeout   = 5 * time.Second
	minWindow      = 15 * time.Second // no second fetch of a registration inside the window, which is 15 to 30 s
	firstRetry     = 2 * time.Second  // after a failed fetch the window is shorter, and doubles up to the full one
)

// Fetcher sends the requests for key sets. An *outbound.Client is one.
type Fetcher interface {
	Do(ctx context.Context, request outbound.Request) (*outbound.Response, error)
}

// PlatformKeysConfig configures PlatformKeys.
type PlatformKeysConfig struct {
	Fetcher      Fetcher          // required
	StaleIfError time.Duration    // how long a key that was good serves on, once expired, while fetches fail; 0: not at all
	MaxPlatforms int              // key sets kept, the least recently used go first; 0: DefaultMaxPlatforms
	Now          func() time.Time // nil: time.Now
	Rand         io.Reader        // for jitter; nil: crypto/rand
	Logger       *slog.Logger     // failures of fetches, and recoveries; nil: none
}

// PlatformKeys finds platforms' public keys by kid. It fetches a key set when it is first needed, again shortly before
// it expires, and when a kid is not in it or a signature does not fit; in all cases at most once a registration and
// window, whoever asks and however often. All methods may be called from many goroutines.
type PlatformKeys struct {
	config  PlatformKeysConfig
	mutex   sync.Mutex
	sources *lru.Cache[string, *keySource]
	base    context.Context // of all fetches: they outlive the caller that caused them
	stop    context.CancelFunc
	running sync.WaitGroup
}

// keySource is the key set of one registration. A new set takes the place of the old one as a whole, so a key that the
// platform has withdrawn is gone at once.
type keySource struct {
	mutex     sync.Mutex
	set       *jose.KeySet  // last good one; nil: none yet
	fetched   time.Time     // when it came
	refresh   time.Time     // from when it is fetched again in the background
	expires   time.Time     // from when it serves only while fetches fail
	nextFetch time.Time     // end of the window
	failure   *lti.Error    // of the last fetch; nil: it succeeded
	failures  int           // fetches failed in a row
	fetch     chan struct{} // closed when the fetch under way has ended; nil: none is
}

// NewPlatformKeys returns a PlatformKeys that has fetched nothing yet.
func NewPlatformKeys(config PlatformKeysConfig) (*PlatformKeys, error) {
	switch {
	case config.Fetcher == nil:
		return nil, errors.New("keystore: PlatformKeys need a Fetcher")
	case config.StaleIfError < 0 || config.MaxPlatforms < 0:
		return nil, errors.New("keystore: StaleIfError and MaxPlatforms are not negative")
	}
	if config.MaxPlatforms == 0 {
		config.MaxPlatforms = DefaultMaxPlatforms
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	sources, err := lru.New[string, *keySource](config.MaxPlatforms)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	keys := &PlatformKeys{config: config, sources: sources}
	keys.base, keys.stop = context.WithCancel(context.Background())
	return keys, nil
}

// Close ends fetches under way and waits for them. Key must not be called any more.
func (p *PlatformKeys) Close() {
	p.stop()
	p.running.Wait()
}

// Key returns the key of a kid. The error is a *lti.Error: KID_UNKNOWN, KEY_UNSUITABLE or KEY_AMBIGUOUS of what the
// platform publishes; JWKS_UNREACHABLE, JWKS_INVALID or ADDRESS_NOT_ALLOWED where its keys cannot be had.
func (p *PlatformKeys) Key(ctx context.Context, registration *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	source := p.source(registration)
	source.mutex.Lock()
	now := p.config.Now()
	known := source.has(kid)
	switch {
	case source.fresh(now) && known:
		if !now.Before(source.refresh) {
			p.startFetch(source, registration, now)
		}
		defer source.mutex.Unlock()
		return source.find(registration, kid, algorithm)
	case source.servesStale(now, p.config.StaleIfError) && known && source.failure != nil:
		// The platform is known to be in trouble: nobody waits for the next attempt.
		p.startFetch(source, registration, now)
		defer source.mutex.Unlock()
		return source.find(registration, kid, algorithm)
	}
	fetch := p.startFetch(source, registration, now)
	source.mutex.Unlock()
	if fetch != nil {
		if err := wait(ctx, fetch, registration); err != nil {
			return nil, err
		}
	}

	source.mutex.Lock()
	defer source.mutex.Unlock()
	now = p.config.Now()
	switch {
	case source.fresh(now) && (source.failure == nil || source.has(kid)):
		return source.find(registration, kid, algorithm)
	case source.servesStale(now, p.config.StaleIfError) && source.has(kid):
		return source.find(registration, kid, algorithm)
	case source.failure != nil:
		// Whether the kid exists cannot be told now, so this is not KID_UNKNOWN.
		return nil, source.failure
	}
	return nil, lti.Errorf(lti.ReasonJWKSUnreachable, "The platform's keys have expired and cannot be fetched again yet.").With("registration", registration.Name)
}

// Replaced is asked when a signature did not fit the key of a kid, as some platforms put another key under the same
// kid. It returns the present key where it is not the failed one, after at most one fetch, and (nil, nil) otherwise.
func (p *PlatformKeys) Replaced(ctx context.Context, registration *platform.Registration, kid, algorithm string, failed *jose.PublicKey) (*jose.PublicKey, error) {
	source := p.source(registration)
	source.mutex.Lock()
	if other := source.other(registration, kid, algorithm, failed); other != nil {
		source.mutex.Unlock()
		return other, nil
	}
	fetch := p.startFetch(source, registration, p.config.Now())
	source.mutex.Unlock()
	if fetch == nil {
		return nil, nil
	}
	if err := wait(ctx, fetch, registration); err != nil {
		return nil, err
	}
	source.mutex.Lock()
	defer source.mutex.Unlock()
	return source.other(registration, kid, algorithm, failed), nil
}

// source returns the entry of a registration. Its identity holds everything that decides whose keys they are, so that
// a changed registration starts anew.
func (p *PlatformKeys) source(registration *platform.Registration) *keySource {
	identity := lti.Key("jwks", registration.Name, registration.Issuer, registration.JWKSURI)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	source, ok := p.sources.Get(identity)
	if !ok {
		source = &keySource{}
		p.sources.Add(identity, source)
	}
	return source
}

// startFetch returns the fetch under way, begins one where the window allows, or returns nil. The source is locked.
func (p *PlatformKeys) startFetch(source *keySource, registration *platform.Registration, now time.Time) chan struct{} {
	if source.fetch != nil || now.Before(source.nextFetch) || p.base.Err() != nil {
		return source.fetch
	}
	done := make(chan struct{})
	source.fetch = done
	p.running.Go(func() {
		set, lifetime, failure := p.fetch(registration)
		source.mutex.Lock()
		defer source.mutex.Unlock()
		p.settle(source, registration, set, lifetime, failure)
		source.fetch = nil
		close(done)
	})
	return done
}

func (p *PlatformKeys) fetch(registration *platform.Registration) (set *jose.KeySet, lifetime time.Duration, failure *lti.Error) {
	invalid := func(detail string) *lti.Error {
		return lti.Errorf(lti.ReasonJWKSInvalid, "The answer of the platform's JWKS URI is not a key set: %s.", detail).
			With("registration", registration.Name).With("detail", detail)
	}
	// No call of a caller stands above this goroutine, so a panic over hostile JSON would end the process.
	defer func() {
		if panicked := recover(); panicked != nil {
			set, failure = nil, invalid("it cannot be parsed")
			failure.Cause = fmt.Errorf("panic: %v", panicked)
		}
	}()
	answer, err := p.config.Fetcher.Do(p.base, outbound.Request{
		URI: registration.JWKSURI, Header: map[string][]string{"Accept": {"application/json"}},
		MaxBody: maxKeySetBytes, Timeout: fetchTimeout,
	})
	if err != nil {
		explained := outbound.Explain(err, registration.Name)
		switch explained.Reason {
		case lti.ReasonAddressNotAllowed:
		case lti.ReasonPlatformAnswerInvalid:
			explained = invalid(explained.Metadata["detail"])
		default:
			explained.Reason = lti.ReasonJWKSUnreachable
			explained.Message = "The platform's keys could not be fetched: " + cmp.Or(explained.Metadata["detail"], "the sidecar is stopping") + "."
		}
		return nil, 0, explained
	}
	switch {
	case answer.Status >= 500 || answer.Status == 429:
		detail := "status " + strconv.Itoa(answer.Status)
		return nil, 0, lti.Errorf(lti.ReasonJWKSUnreachable, "The platform's keys could not be fetched: %s.", detail).
			With("registration", registration.Name).With("detail", detail)
	case answer.Status != 200:
		return nil, 0, invalid("status " + strconv.Itoa(answer.Status))
	}
	set, err = jose.ParseKeySet(answer.Body)
	if err != nil {
		var explained *lti.Error
		if !errors.As(err, &explained) {
			return nil, 0, invalid("it cannot be parsed")
		}
		return nil, 0, explained.With("registration", registration.Name)
	}
	return set, lifetimeOf(answer.Header), nil
}

// settle takes in the outcome of a fetch. The source is locked.
func (p *PlatformKeys) settle(source *keySource, registration *platform.Registration, set *jose.KeySet, lifetime time.Duration, failure *lti.Error) {
	now := p.config.Now()
	source.failure = failure
	if failure != nil {
		window := min(firstRetry<<min(source.failures, 4), minWindow)
		source.failures++
		source.nextFetch = now.Add(window + p.jitter(window))
		p.config.Logger.Warn("platform keys not fetched", "registration", registration.Name, "reason", string(failure.Reason),
			"error", failure.Error(), "failures", source.failures, "held", source.set != nil, "fetched_time", source.fetched)
		return
	}
	if source.failures > 0 {
		p.config.Logger.Info("platform keys fetched again", "registration", registration.Name, "failures", source.failures)
	}
	source.failures = 0
	source.set, source.fetched = set, now
	source.expires = now.Add(lifetime)
	source.refresh = source.expires.Add(-lifetime/10 - p.jitter(lifetime/10))
	source.nextFetch = now.Add(minWindow + p.jitter(minWindow))
}

// jitter returns a time from 0 to limit, so that registrations and replicas do not fetch in step.
func (p *PlatformKeys) jitter(limit time.Duration) time.Duration {
	var random [8]byte
	if _, err := io.ReadFull(p.config.Rand, random[:]); err != nil {
		return limit // no randomness: the longest window is the safe one
	}
	return time.Duration(binary.BigEndian.Uint64(random[:]) % uint64(limit+1))
}

// wait returns when the fetch has ended. The caller's own deadline ends the wait, never the fetch.
func wait(ctx context.Context, fetch <-chan struct{}, registration *platform.Registration) error {
	select {
	case <-fetch:
		return nil
	case <-ctx.Done():
		failure := lti.Errorf(lti.ReasonJWKSUnreachable, "The caller's time was over before the platform's keys came.").With("registration", registration.Name)
		failure.Cause = ctx.Err()
		return failure
	}
}

func (s *keySource) fresh(now time.Time) bool { return s.set != nil && now.Before(s.expires) }

func (s *keySource) servesStale(now time.Time, grace time.Duration) bool {
	return s.set != nil && now.Before(s.expires.Add(grace))
}

func (s *keySource) has(kid string) bool {
	if s.set == nil {
		return false
	}
	_, found := slices.BinarySearch(s.set.KeyIDs(), kid)
	return found
}

// find looks a key up and says in an error what is held. The source is locked.
func (s *keySource) find(registration *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	key, err := s.set.Find(kid, algorithm)
	if err == nil {
		return key, nil
	}
	var refusal *lti.Error
	if !errors.As(err, &refusal) {
		return nil, err
	}
	refusal = refusal.With("registration", registration.Name)
	if refusal.Reason == lti.ReasonKIDUnknown {
		refusal = refusal.With("held_kids", heldKIDs(s.set.KeyIDs())).With("fetched_time", s.fetched.UTC().Format(time.RFC3339))
	}
	return nil, refusal
}

// other returns the key of a kid where it is there, fits, and is not the failed one. The source is locked.
func (s *keySource) other(registration *platform.Registration, kid, algorithm string, failed *jose.PublicKey) *jose.PublicKey {
	if s.set == nil {
		return nil
	}
	key, err := s.find(registration, kid, algorithm)
	if err != nil || key.Equal(failed) {
		return nil
	}
	return key
}

// heldKIDs lists at most ten kids, for an error.
func heldKIDs(kids []string) string {
	const most = 10
	var shown []string
	for _, kid := range kids[:min(len(kids), most)] {
		shown = append(shown, lti.Excerpt(kid))
	}
	text := strings.Join(shown, " ")
	if len(kids) > most {
		text += fmt.Sprintf(" and %d more", len(kids)-most)
	}
	return text
}
