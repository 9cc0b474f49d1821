// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits and defaults.
const (
	DefaultMaxTokens = 10000
	MaxScopes        = 32 // of one token

	maxFetches     = 256             // token requests under way, over all platforms
	maxScopeLength = 512             // bytes
	refusalMemory  = 5 * time.Second // how long a refusal answers the same request without asking again
	unionMemory    = time.Hour       // the same for a union of scopes, whose parts can be asked for instead
)

// Signer makes the compact JWS of client assertions: RS256, with kid and typ JWT in its header.
type Signer interface {
	Sign(claims []byte) (string, error)
}

// Sender sends token requests. An *outbound.Client is one.
type Sender interface {
	Do(ctx context.Context, request outbound.Request) (*outbound.Response, error)
}

// Token is a service token.
type Token = platform.ServiceToken

// Config configures a Source.
type Config struct {
	Signer    Signer           // required
	HTTP      Sender           // required
	MaxTokens int              // tokens kept, the least recently used go first; 0: DefaultMaxTokens
	Now       func() time.Time // nil: time.Now
	Rand      io.Reader        // for jti; nil: crypto/rand

	// Observe is told of each answer of a token endpoint, with the times of the request and of its answer, to measure
	// the platform's clock. It must not block. Nil: nobody is.
	Observe func(registration *platform.Registration, answer *outbound.Response, sent, received time.Time)
}

// Source gets tokens and keeps them. Callers that want the same token at once cause one request, which none of them can
// cancel. All methods may be called from many goroutines.
type Source struct {
	config  Config
	base    context.Context // of all requests
	stop    context.CancelFunc
	running sync.WaitGroup

	mutex   sync.Mutex
	entries *lru.Cache[string, *entry]
	fetches int
}

// entry is one token, the request for it, or its refusal. It is guarded by the Source's mutex.
type entry struct {
	token   Token
	refresh time.Time // from when it is fetched again in the background; zero: there is no token
	failure *lti.Error
	until   time.Time // how long the failure answers
	fetch   *fetch    // nil: none is under way
}

// fetch is one request under way. The result is written before done is closed.
type fetch struct {
	done  chan struct{}
	token Token
	err   *lti.Error
}

// New returns a Source that holds no token.
func New(config Config) (*Source, error) {
	switch {
	case config.Signer == nil || config.HTTP == nil:
		return nil, errors.New("servicetoken: a Source needs HTTP and a Signer")
	case config.MaxTokens < 0:
		return nil, errors.New("servicetoken: MaxTokens is not negative")
	}
	if config.MaxTokens == 0 {
		config.MaxTokens = DefaultMaxTokens
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	entries, err := lru.New[string, *entry](config.MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("servicetoken: %w", err)
	}
	source := &Source{config: config, entries: entries}
	source.base, source.stop = context.WithCancel(context.Background())
	return source, nil
}

// Close ends requests under way and waits for them. Token must not be called any more.
func (s *Source) Close() {
	s.stop()
	s.running.Wait()
}

// Token returns a token with at least the scopes, kept or fresh, that is good for another 30 seconds at least unless the
// platform issues only shorter ones. The error is a *lti.Error: REQUEST_INVALID, SERVICE_NOT_OFFERED (the registration
// has no token URI), TOKEN_REQUEST_REFUSED, SCOPE_NOT_GRANTED, PLATFORM_ANSWER_INVALID, PLATFORM_THROTTLED,
// PLATFORM_UNAVAILABLE, PLATFORM_UNREACHABLE, ADDRESS_NOT_ALLOWED, DEADLINE_EXCEEDED or CANCELED.
func (s *Source) Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (Token, error) {
	if registration.TokenURI == "" {
		return Token{}, lti.Errorf(lti.ReasonServiceNotOffered, "The registration %q has no token_uri, so no service of the platform can be called.", registration.Name).
			With("registration", registration.Name).With("missing", "token_uri")
	}
	scopes, err := scopeSet(scopes)
	if err != nil {
		return Token{}, err
	}
	return s.get(ctx, request{registration: registration, deploymentID: deploymentID, scopes: scopes})
}

// get returns the token of a request, kept or fresh.
func (s *Source) get(ctx context.Context, asked request) (Token, error) {
	under, err := s.lookUp(asked)
	switch {
	case err != nil:
		return Token{}, err
	case under.done == nil:
		return under.token, nil
	}
	select {
	case <-under.done:
		if under.err != nil {
			return Token{}, under.err
		}
		return under.token, nil
	case <-ctx.Done():
		reason := lti.ReasonDeadlineExceeded
		if errors.Is(ctx.Err(), context.Canceled) {
			reason = lti.ReasonCanceled
		}
		return Token{}, &lti.Error{Reason: reason, Message: "The caller's time was over before the platform's token endpoint answered.", Cause: ctx.Err()}
	}
}

// Drop forgets a token that a service refused. A token that has taken its place meanwhile stays.
func (s *Source) Drop(token Token) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if kept, ok := s.entries.Peek(token.CacheKey); ok && kept.token.AccessToken == token.AccessToken {
		kept.token, kept.refresh = Token{}, time.Time{}
	}
}

// lookUp returns a kept token, as a fetch without done, or the fetch to wait for.
func (s *Source) lookUp(asked request) (*fetch, error) {
	key := asked.cacheKey()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.config.Now()
	kept, ok := s.entries.Get(key)
	if !ok {
		kept = &entry{}
		s.entries.Add(key, kept)
	}
	failed := kept.failure != nil && now.Before(kept.until)
	if !kept.refresh.IsZero() && now.Before(kept.token.ExpireTime) {
		if !now.Before(kept.refresh) && !failed {
			s.start(kept, key, asked) // where too many are under way, the next caller tries again
		}
		return &fetch{token: kept.token}, nil
	}
	if kept.fetch == nil && failed {
		failure := *kept.failure
		if failure.RetryAfter > 0 {
			failure.RetryAfter = kept.until.Sub(now)
		}
		return nil, &failure
	}
	if under := s.start(kept, key, asked); under != nil {
		return under, nil
	}
	busy := lti.Errorf(lti.ReasonPlatformThrottled, "%d token requests are under way, which is the limit.", maxFetches).With("registration", asked.registration.Name)
	busy.RetryAfter = time.Second
	return nil, busy
}

// start begins a request, or returns the one under way, or nil where too many are. The mutex is held.
func (s *Source) start(kept *entry, key string, asked request) *fetch {
	if kept.fetch != nil {
		return kept.fetch
	}
	if s.fetches >= maxFetches {
		return nil
	}
	s.fetches++
	under := &fetch{done: make(chan struct{})}
	kept.fetch = under
	s.running.Go(func() {
		began := s.config.Now()
		granted, failure := s.ask(asked)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.fetches--
		kept.fetch = nil
		if failure != nil {
			under.err = failure
			kept.failure, kept.until = failure, s.config.Now().Add(memoryOf(failure, asked.union))
		} else {
			// The platform counts from when it answered; counting from before the request errs on the safe side.
			expires := began.Add(granted.lifetime)
			margin := marginOf(granted.lifetime)
			under.token = Token{
				AccessToken: platform.NewAccessToken(granted.accessToken), ExpireTime: expires.Add(-margin),
				Scopes: granted.scopes, CacheKey: key,
			}
			kept.token, kept.failure = under.token, nil
			kept.refresh = under.token.ExpireTime.Add(-min(granted.lifetime/10, time.Minute))
		}
		close(under.done)
	})
	return under
}

// marginOf returns how long before its end a token is no longer handed out: 30 to 60 s, or half the life of a short one.
func marginOf(lifetime time.Duration) time.Duration {
	return min(max(min(lifetime/10, time.Minute), 30*time.Second), lifetime/2)
}

// memoryOf returns how long a failure answers without another request: what a platform refused, or asked to be spared.
func memoryOf(failure *lti.Error, union bool) time.Duration {
	switch failure.Reason {
	case lti.ReasonTokenRequestRefused:
		if union {
			return unionMemory
		}
		return refusalMemory
	case lti.ReasonScopeNotGranted, lti.ReasonPlatformThrottled:
		return max(failure.RetryAfter, refusalMemory)
	}
	return 0
}

// request is what a token is for.
type request struct {
	registration *platform.Registration
	deploymentID string
	scopes       []string // sorted, each once
	union        bool     // some of the scopes will do
}

// cacheKey names everything that decides what a token may do and who issued it. The parts are length-prefixed, so that
// no two requests share a key.
func (r request) cacheKey() string {
	registration := r.registration
	kind := "service token"
	if r.union {
		kind = "shared service token"
	}
	return lti.Key(kind, append([]string{registration.Name, registration.Issuer, registration.ClientID, registration.TokenURI,
		registration.Audience(), strconv.FormatBool(registration.OmitDeploymentClaim), r.deploymentID}, r.scopes...)...)
}

// missing returns the scopes that were asked for and not granted.
func missing(asked, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(scope string) bool { return slices.Contains(granted, scope) })
}

// scopeSet checks scopes and returns them sorted, each once.
func scopeSet(scopes []string) ([]string, error) {
	if len(scopes) == 0 || len(scopes) > MaxScopes {
		return nil, lti.FieldError("scopes", "needs 1 to %d scopes", MaxScopes)
	}
	for i, scope := range scopes {
		if scope == "" || len(scope) > maxScopeLength || strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c >= 0x7f }) {
			return nil, lti.FieldError(fmt.Sprintf("scopes[%d]", i), "is not a scope: 1 to %d printable ASCII characters without blanks, quotes and backslashes", maxScopeLength)
		}
	}
	set := slices.Clone(scopes)
	slices.Sort(set)
	return slices.Compact(set), nil
}
