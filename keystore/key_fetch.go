// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// fetched is what one fetch brought.
type fetched struct {
	answer         *outbound.Response // nil: none came
	sent, received time.Time
	set            *jose.KeySet // of a good answer
	lifetime       time.Duration
}

// startFetch returns the fetch under way, begins one where the window allows, or returns nil. The source is locked.
func (p *PlatformKeys) startFetch(source *keySource, registration *platform.Registration, now time.Time) chan struct{} {
	if source.fetch != nil || now.Before(source.nextFetch) || p.base.Err() != nil {
		return source.fetch
	}
	done := make(chan struct{})
	source.fetch = done
	p.running.Go(func() {
		brought, failure := p.fetch(registration)
		source.mutex.Lock()
		defer source.mutex.Unlock()
		if brought.answer != nil {
			source.skew.measure(brought.answer, brought.sent, brought.received)
		}
		p.settle(source, registration, brought, failure)
		source.fetch = nil
		close(done)
	})
	return done
}

func (p *PlatformKeys) fetch(registration *platform.Registration) (brought fetched, failure *lti.Error) {
	invalid := func(detail string) *lti.Error {
		return lti.Errorf(lti.ReasonJWKSInvalid, "The answer of the platform's JWKS URI is not a key set: %s.", detail).
			With("registration", registration.Name).With("detail", detail)
	}
	// No call of a caller stands above this goroutine, so a panic would end the process.
	defer func() {
		if panicked := recover(); panicked != nil {
			failure = invalid("it cannot be parsed")
			failure.Cause = fmt.Errorf("panic: %v", panicked)
		}
	}()
	brought.sent = p.config.Now()
	answer, err := p.config.Fetcher.Do(p.base, outbound.Request{
		URI: registration.JWKSURI, Header: map[string][]string{"Accept": {"application/json"}},
		MaxBody: maxKeySetBytes, Timeout: fetchTimeout,
	})
	brought.answer, brought.received = answer, p.config.Now()
	if err != nil {
		explained := outbound.Explain(err, registration.Name)
		switch explained.Reason {
		case lti.ReasonAddressNotAllowed:
		case lti.ReasonPlatformAnswerInvalid:
			explained = invalid(explained.Metadata["detail"])
		default:
			detail := explained.Metadata["detail"]
			if explained.Reason == lti.ReasonPlatformUnavailable {
				detail = "the host kept failing, so requests to it are paused"
			}
			explained.Reason = lti.ReasonJWKSUnreachable
			explained.Message = "The platform's keys could not be fetched: " + cmp.Or(detail, "the sidecar is stopping") + "."
			explained = explained.With("detail", detail)
		}
		return brought, explained
	}
	switch {
	case answer.Status >= 500 || answer.Status == 429:
		detail := "status " + strconv.Itoa(answer.Status)
		return brought, lti.Errorf(lti.ReasonJWKSUnreachable, "The platform's keys could not be fetched: %s.", detail).
			With("registration", registration.Name).With("detail", detail)
	case answer.Status != 200:
		return brought, invalid("status " + strconv.Itoa(answer.Status))
	}
	if brought.set, err = parseKeySet(answer.Body); err != nil {
		var explained *lti.Error
		if !errors.As(err, &explained) {
			explained = invalid("it cannot be parsed")
			explained.Cause = err
		}
		return brought, explained.With("registration", registration.Name)
	}
	brought.lifetime = lifetimeOf(answer.Header)
	return brought, nil
}

// parseKeySet parses a key set, and makes an error of a panic over hostile JSON.
func parseKeySet(document []byte) (set *jose.KeySet, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			set, err = nil, fmt.Errorf("keystore: panic: %v", panicked)
		}
	}()
	return jose.ParseKeySet(document)
}

// settle takes in the outcome of a fetch. The source is locked.
func (p *PlatformKeys) settle(source *keySource, registration *platform.Registration, brought fetched, failure *lti.Error) {
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
	source.set, source.fetched = brought.set, now
	source.expires = now.Add(brought.lifetime)
	source.refresh = source.expires.Add(-brought.lifetime/10 - p.jitter(brought.lifetime/10))
	source.nextFetch = now.Add(minWindow + p.jitter(minWindow))
	if len(brought.set.KeyIDs()) == 0 {
		p.config.Logger.Warn("platform publishes no keys", "registration", registration.Name)
	}
	if p.kept != nil {
		p.kept.keep(source.identity, keptSet{Fetched: source.fetched, Expires: source.expires, Document: brought.answer.Body})
	}
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
