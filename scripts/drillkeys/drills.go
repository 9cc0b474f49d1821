// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/lti"
)

// longestWindow is the longest time in which a platform's keys are not asked for twice.
const longestWindow = 30 * time.Second

// size is how much a drill does.
type size struct {
	herd     int // parallel first launches
	forged   int // tokens that name random kids
	launches int // of each worker in each phase of a rotation
}

var (
	fullSize  = size{herd: 1000, forged: 100_000, launches: 40}
	shortSize = size{herd: 100, forged: 3000, launches: 10}
)

// drill is one drill. It returns an error where it could not be carried through; what it finds goes to the tally.
type drill struct {
	name      string
	platforms int
	run       func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error
}

var drills = []drill{
	{"first launches, all at once", 1, drillHerd},
	{"random kids", 3, drillForgedKIDs},
	{"rotation, published first", 1, drillRotation},
	{"rotation, published first, under a flood", 1, drillRotationUnderFlood},
	{"rotation without overlap", 1, drillSwap},
	{"rotation without overlap, under a flood", 1, drillSwapUnderFlood},
	{"outage of 24 hours", 1, drillOutage},
	{"removal", 1, drillRemoval},
	{"poisoned neighbours and 700 keys", 1, drillNeighbours},
	{"restart during an outage", 1, drillRestart},
}

// drillHerd lets all first launches of a platform arrive before its keys do: they share one fetch.
func drillHerd(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p, key := b.platforms[0], platformKey{"k1", keys[0]}
	p.publish(key)
	p.hold = make(chan struct{})
	// Signing takes long on a busy machine, and a fetch waits for 5 seconds: all tokens are ready before the first goes out.
	logins, tokens := make([]*login, s.herd), make([]string, s.herd)
	for i := range s.herd {
		var err error
		if logins[i], err = b.begin(ctx, p); err != nil {
			return err
		}
		if tokens[i], err = key.sign(logins[i].claims()); err != nil {
			return err
		}
	}
	var begun, ended sync.WaitGroup
	for i := range s.herd {
		begun.Add(1)
		ended.Go(func() {
			begun.Done()
			t.valid(b.validate(ctx, logins[i], tokens[i]))
		})
	}
	begun.Wait()
	close(p.hold)
	ended.Wait()
	t.fetches(p, 1)
	return nil
}

// forgery is a login of the attacker's own, and tokens that are made for it without the platform's key.
type forgery struct {
	*login
	payload, signature string
}

func (b *bench) newForgery(ctx context.Context, p *testPlatform) (*forgery, error) {
	l, err := b.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	token, err := p.signingKey().sign(l.claims())
	if err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	return &forgery{login: l, payload: parts[1], signature: encode(make([]byte, 256))}, nil
}

func (f *forgery) token(kid string) string {
	return encode([]byte(fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":%q}`, kid))) + "." + f.payload + "." + f.signature
}

// drillForgedKIDs sends tokens with random kids, and with known kids and false signatures, to several registrations
// over several windows, while good launches go on.
func drillForgedKIDs(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	const windows, forgers, knownEvery = 5, 2, 50
	for i, p := range b.platforms {
		key := platformKey{"k1", keys[i]}
		p.publish(key)
		p.signWith(key)
		t.valid(b.launch(ctx, p))
	}
	most := 0
	for range windows {
		b.advance(longestWindow)
		before := make([]int, len(b.platforms))
		var forgeries []*forgery
		for i, p := range b.platforms {
			before[i] = p.fetched()
			f, err := b.newForgery(ctx, p)
			if err != nil {
				return err
			}
			forgeries = append(forgeries, f)
		}
		workers := []func(){func() {
			for _, p := range b.platforms {
				t.valid(b.launch(ctx, p))
			}
		}}
		good := startLoad(workers...)
		var running sync.WaitGroup
		for range forgers {
			running.Go(func() {
				for i := range s.forged / windows / forgers {
					f := forgeries[i%len(forgeries)]
					if i%knownEvery == 0 {
						t.refusedFor(b.validate(ctx, f.login, f.token("k1")), lti.ReasonSignatureInvalid)
					}
					t.refusedFor(b.validate(ctx, f.login, f.token(rand.Text())), lti.ReasonKIDUnknown)
				}
			})
		}
		running.Wait()
		good.each(1)
		good.end()
		for i, p := range b.platforms {
			fetches := p.fetched() - before[i]
			most = max(most, fetches)
			if fetches > 1 {
				t.problem("%s was asked for its keys %d times in one window", p.name, fetches)
			}
		}
		// The attacker's tokens used up none of his own logins either.
		for _, f := range forgeries {
			token, err := f.platform.signingKey().sign(f.claims())
			if err != nil {
				return err
			}
			t.valid(b.validate(ctx, f.login, token))
		}
	}
	t.remark("%d registrations, %d windows: at most %d fetch a registration and window", len(b.platforms), windows, most)
	return nil
}

// drillOutage lets a platform's key endpoint fail in every way for 24 hours and a little, seen by a launch each quarter
// of an hour.
func drillOutage(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
	const lifetime, step = time.Hour, 15 * time.Minute
	p, first, second, unknown := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}, platformKey{"k3", keys[2]}
	p.cache = "max-age=3600"
	p.publish(first, second)
	both := func() {
		t.valid(b.launchWith(ctx, p, first))
		t.valid(b.launchWith(ctx, p, second))
	}
	both()
	faults := []fault{unavailable, loginPage, notFound, redirected, cut}
	end := b.now().Add(lifetime + keystore.DefaultStaleIfError)
	for i := 0; b.now().Add(step).Before(end); i++ {
		p.setFault(faults[i%len(faults)])
		b.advance(step)
		both()
		// It may be a new key, so it is not said to be unknown.
		t.refusedFor(b.launchWith(ctx, p, unknown), lti.ReasonJWKSUnreachable, lti.ReasonJWKSInvalid)
	}
	p.setFault(unavailable)
	b.advance(end.Add(-time.Second).Sub(b.now()))
	both()
	b.advance(time.Second + longestWindow)
	for range 3 {
		t.refusedFor(b.launchWith(ctx, p, first), lti.ReasonJWKSUnreachable)
	}
	p.setFault(healthy)
	b.advance(longestWindow)
	both()
	t.remark("known kids served for %s after the last good answer, then refused", lifetime+keystore.DefaultStaleIfError)
	return nil
}

// drillRemoval withdraws a key: the first good answer without it ends it, whatever happens afterwards.
func drillRemoval(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p, stays, goes, unknown := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}, platformKey{"k3", keys[2]}
	p.publish(stays, goes)
	t.valid(b.launchWith(ctx, p, goes))
	p.publish(stays)
	b.advance(longestWindow)
	t.refusedFor(b.launchWith(ctx, p, unknown), lti.ReasonKIDUnknown) // causes the good answer
	for range s.launches {
		t.refusedFor(b.launchWith(ctx, p, goes), lti.ReasonKIDUnknown)
		t.valid(b.launchWith(ctx, p, stays))
	}
	t.fetches(p, 2)
	p.setFault(unavailable)
	b.advance(longestWindow)
	t.refusedFor(b.launchWith(ctx, p, goes), lti.ReasonJWKSUnreachable)
	t.valid(b.launchWith(ctx, p, stays))
	if err := b.restart(nil); err != nil {
		return err
	}
	t.refusedFor(b.launchWith(ctx, p, goes), lti.ReasonJWKSUnreachable)
	t.valid(b.launchWith(ctx, p, stays))

	// An empty set is an answer too.
	p.setFault(healthy)
	p.publish()
	b.advance(longestWindow)
	t.refusedFor(b.launchWith(ctx, p, unknown), lti.ReasonKIDUnknown)
	t.refusedFor(b.launchWith(ctx, p, stays), lti.ReasonKIDUnknown)
	return nil
}

// drillNeighbours puts good keys among all that is wrong with a key, and among 700 of them.
func drillNeighbours(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
	p, key := b.platforms[0], platformKey{"k1", keys[0]}
	poison := []string{
		`null`, `7`, `"text"`, `[]`, `{}`, `{"kty":"RSA","kid":"bare"}`, `{"kty":"RSA","kid":"garbage","n":"!!","e":"AQAB"}`,
		`{"kty":"RSA","kid":"small","n":"` + encode(make([]byte, 64)) + `","e":"AQAB"}`, `{"kty":"oct","kid":"secret","k":"AAAA"}`,
		`{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"AA"}`, `{"kty":"EC","crv":"P-521","kid":"ec","x":"AA","y":"AA"}`,
		`{"kty":"RSA","kid":"twice","kid":"twice","n":"AQAB","e":"AQAB"}`, `{"kty":7,"kid":"odd"}`, `{"kid":["k1"]}`,
		strings.Replace(platformKey{"for encryption", keys[1]}.jwk(), `"sig"`, `"enc"`, 1), `{"kty":"RSA","kid":"k1","n":"AA","e":"AQAB"}`,
	}
	p.publishDocument(`{"keys":[` + strings.Join(poison, ",") + "," + key.jwk() + "," + strings.Join(poison, ",") + `]}`)
	t.valid(b.launchWith(ctx, p, key))
	for _, kid := range []string{"bare", "garbage", "small", "secret", "ed", "ec", "twice", "odd", "for encryption"} {
		t.refusedFor(b.launchWith(ctx, p, platformKey{kid, keys[1]}), lti.ReasonKeyUnsuitable)
	}
	t.fetches(p, 1)

	const many = 700
	document := &strings.Builder{}
	document.WriteString(`{"keys":[`)
	for i := range many - 2 {
		modulus := make([]byte, 256)
		if _, err := rand.Read(modulus); err != nil {
			return err
		}
		modulus[0] |= 0x80
		modulus[255] |= 1
		neighbour := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}}
		document.WriteString(platformKey{fmt.Sprintf("neighbour-%d", i), neighbour}.jwk() + ",")
		if i == many/2 {
			document.WriteString(platformKey{"middle", keys[1]}.jwk() + ",")
		}
	}
	document.WriteString(platformKey{"last", keys[2]}.jwk() + "]}")
	p.publishDocument(document.String())
	b.advance(longestWindow)
	t.valid(b.launchWith(ctx, p, platformKey{"last", keys[2]}))
	t.valid(b.launchWith(ctx, p, platformKey{"middle", keys[1]}))
	t.refusedFor(b.launchWith(ctx, p, platformKey{"neighbour-7", keys[0]}), lti.ReasonSignatureInvalid)
	t.refusedFor(b.launchWith(ctx, p, key), lti.ReasonKIDUnknown)
	t.fetches(p, 2)
	p.setFault(unavailable)
	if err := b.restart(nil); err != nil {
		return err
	}
	t.valid(b.launchWith(ctx, p, platformKey{"middle", keys[1]}))
	t.remark("%d keys in %d KiB", many, document.Len()>>10)
	return nil
}

// drillRestart restarts while the platform is down: once soon, once just before the kept keys may no longer be
// trusted, once after, and once with the kept file damaged.
func drillRestart(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	const lifetime = time.Hour
	p, known, unknown := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}
	p.cache = "max-age=3600"
	p.publish(known)
	t.valid(b.launchWith(ctx, p, known))
	begun := b.now()
	p.setFault(unavailable)
	for _, age := range []time.Duration{0, time.Minute, lifetime, lifetime + keystore.DefaultStaleIfError - time.Second} {
		b.advance(begun.Add(age).Sub(b.now()))
		if err := b.restart(nil); err != nil {
			return err
		}
		before := p.fetched()
		for range s.launches {
			t.valid(b.launchWith(ctx, p, known))
		}
		t.refusedFor(b.launchWith(ctx, p, unknown), lti.ReasonJWKSUnreachable)
		if fetches := p.fetched() - before; fetches > 1 {
			t.problem("%d fetches in the first window after a restart", fetches)
		}
	}
	b.advance(time.Second)
	if err := b.restart(nil); err != nil {
		return err
	}
	t.refusedFor(b.launchWith(ctx, p, known), lti.ReasonJWKSUnreachable)

	p.setFault(healthy)
	b.advance(longestWindow)
	t.valid(b.launchWith(ctx, p, known))
	p.setFault(unavailable)
	damaged := func() error {
		files, err := filepath.Glob(filepath.Join(b.keptKeys(), "*"))
		if err != nil || len(files) != 1 {
			return fmt.Errorf("%q are kept (%w), want one file", files, err)
		}
		return os.Truncate(files[0], 100)
	}
	if err := b.restart(damaged); err != nil {
		return err
	}
	t.refusedFor(b.launchWith(ctx, p, known), lti.ReasonJWKSUnreachable)
	p.setFault(healthy)
	b.advance(longestWindow)
	t.valid(b.launchWith(ctx, p, known))
	return nil
}
