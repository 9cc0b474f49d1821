// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	Directory    string           // keeps the last good key sets for the next start; made where it is absent; empty: they are not kept
	Sealer       Sealer           // seals the files of Directory; required with one
	Logger       *slog.Logger     // failures of fetches, and recoveries; nil: none
}

// PlatformKeys finds platforms' public keys by kid. It fetches a key set when it is first needed, again shortly before
// it expires, and when a kid is not in it or a signature does not fit; in all cases at most once a registration and
// window, whoever asks and however often. With a Directory, the last good sets of an earlier run serve, exactly as long
// as they would have in that run, so that a restart while a platform is down refuses no launch; the first use fetches
// them anew all the same. All methods may be called from many goroutines.
type PlatformKeys struct {
	config  PlatformKeysConfig
	mutex   sync.Mutex
	sources *lru.Cache[string, *keySource]
	kept    *keptSets       // nil: key sets are not kept on disk
	base    context.Context // of all fetches: they outlive the caller that caused them
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewPlatformKeys returns a PlatformKeys that has fetched nothing yet. It fails where Directory cannot be made or read.
func NewPlatformKeys(config PlatformKeysConfig) (*PlatformKeys, error) {
	switch {
	case config.Fetcher == nil:
		return nil, errors.New("keystore: PlatformKeys need a Fetcher")
	case config.StaleIfError < 0 || config.MaxPlatforms < 0:
		return nil, errors.New("keystore: StaleIfError and MaxPlatforms are not negative")
	case config.Directory != "" && config.Sealer == nil:
		return nil, errors.New("keystore: PlatformKeys with a Directory need a Sealer")
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
	if config.Directory != "" {
		if keys.kept, err = openKeptSets(config.Directory, config.MaxPlatforms, config.Sealer, config.Logger); err != nil {
			return nil, fmt.Errorf("keystore: %w", err)
		}
	}
	keys.base, keys.stop = context.WithCancel(context.Background())
	return keys, nil
}

// Close ends fetches under way, and waits for them and for what is being written. Key must not be called any more.
func (p *PlatformKeys) Close() {
	p.stop()
	p.running.Wait()
	if p.kept != nil {
		p.kept.close()
	}
}

// Key returns the key of a kid. The error is a *lti.Error: KID_UNKNOWN, KEY_UNSUITABLE or KEY_AMBIGUOUS of what the
// platform publishes; JWKS_UNREACHABLE, JWKS_INVALID or ADDRESS_NOT_ALLOWED where its keys cannot be had. The RetryAfter
// of KID_UNKNOWN is the rest of the window: a key that the platform has published since can be found then.
func (p *PlatformKeys) Key(ctx context.Context, registration *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	now := p.config.Now()
	source := p.lock(registration, now)
	var key *jose.PublicKey
	if source.has(kid) { // a refusal costs more than a look, and is made once, below
		key, _ = source.find(registration, kid, algorithm, now)
	}
	switch {
	case source.fresh(now) && key != nil:
		if !now.Before(source.refresh) {
			p.startFetch(source, registration, now)
		}
		source.mutex.Unlock()
		return key, nil
	case source.servesStale(now, p.config.StaleIfError) && key != nil && source.failure != nil:
		// The platform is known to be in trouble: nobody waits for the next attempt.
		p.startFetch(source, registration, now)
		source.mutex.Unlock()
		return key, nil
	}
	// The kid is not held, or its key cannot be used, which the platform may have mended since; or it has expired.
	fetch := p.startFetch(source, registration, now)
	source.mutex.Unlock()
	var late error
	if fetch != nil {
		late = wait(ctx, fetch, registration)
	}

	source.mutex.Lock()
	defer source.mutex.Unlock()
	now = p.config.Now()
	switch {
	case late != nil && !(source.servesStale(now, p.config.StaleIfError) && source.has(kid)):
		return nil, late
	case source.fresh(now) && (source.failure == nil || source.has(kid)):
		return source.find(registration, kid, algorithm, now)
	case source.servesStale(now, p.config.StaleIfError) && source.has(kid):
		return source.find(registration, kid, algorithm, now)
	case source.failure != nil:
		// Whether the kid exists cannot be told now, so this is not KID_UNKNOWN.
		return nil, source.failure
	}
	return nil, lti.Errorf(lti.ReasonJWKSUnreachable, "The platform's keys have expired and cannot be fetched again yet.").With("registration", registration.Name)
}

// Replaced is asked when a signature did not fit the key of a kid, as some platforms put another key under the same
// kid. It returns the present key where it is not the failed one, after at most one fetch, and (nil, nil) otherwise.
func (p *PlatformKeys) Replaced(ctx context.Context, registration *platform.Registration, kid, algorithm string, failed *jose.PublicKey) (*jose.PublicKey, error) {
	now := p.config.Now()
	source := p.lock(registration, now)
	if other := source.other(registration, kid, algorithm, failed, now); other != nil {
		source.mutex.Unlock()
		return other, nil
	}
	fetch := p.startFetch(source, registration, now)
	source.mutex.Unlock()
	if fetch == nil {
		return nil, nil
	}
	if err := wait(ctx, fetch, registration); err != nil {
		return nil, err
	}
	source.mutex.Lock()
	defer source.mutex.Unlock()
	return source.other(registration, kid, algorithm, failed, p.config.Now()), nil
}

// source returns the entry of a registration. Its identity holds everything that decides whose keys they are, so that
// a changed registration starts anew.
func (p *PlatformKeys) source(registration *platform.Registration) *keySource {
	identity := lti.Key("jwks", registration.Name, registration.Issuer, registration.JWKSURI)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	source, ok := p.sources.Get(identity)
	if !ok {
		source = &keySource{identity: identity}
		p.sources.Add(identity, source)
	}
	return source
}

// lock returns the entry of a registration, locked, and with what was kept of it on disk.
func (p *PlatformKeys) lock(registration *platform.Registration, now time.Time) *keySource {
	source := p.source(registration)
	source.mutex.Lock()
	if source.restored || p.kept == nil {
		return source
	}
	source.restored = true
	if source.set != nil {
		return source
	}
	if set, kept := p.kept.load(source.identity, registration.Name, now, p.config.StaleIfError); set != nil {
		// refresh stays zero: the first use fetches anew, in the background as long as the set is fresh.
		source.set, source.fetched, source.expires = set, kept.Fetched, kept.Expires
		p.config.Logger.Info("platform keys of the last run taken up", "registration", registration.Name, "fetched_time", kept.Fetched)
	}
	return source
}
