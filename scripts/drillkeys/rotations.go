// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// rotate publishes a second key ahead of its use, signs with it after the longest window, and withdraws the first.
func rotate(b *bench, p *testPlatform, old, next platformKey, l *load, s size) {
	l.each(s.launches)
	p.publish(old, next)
	l.each(s.launches) // fetches that read the old set have ended
	b.advance(longestWindow)
	l.each(s.launches)
	p.signWith(next)
	l.each(s.launches)
	b.advance(longestWindow)
	p.publish(next)
	l.each(s.launches)
	l.end()
}

func drillRotation(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p, old, next := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}
	p.publish(old)
	p.signWith(old)
	good := func() { t.valid(b.launch(ctx, p)) }
	rotate(b, p, old, next, startLoad(good, good, good, good), s)
	t.fetches(p, 2)
	return nil
}

func drillRotationUnderFlood(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p, old, next := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}
	p.publish(old)
	p.signWith(old)
	f, err := b.newForgery(ctx, p)
	if err != nil {
		return err
	}
	good := func() { t.valid(b.launch(ctx, p)) }
	flood := func() { t.refusedFor(b.validate(ctx, f.login, f.token(rand.Text())), lti.ReasonKIDUnknown) }
	rotate(b, p, old, next, startLoad(good, good, flood, flood), s)
	if fetches := p.fetched(); fetches > 3 {
		t.problem("%d fetches in three windows", fetches)
	}
	return nil
}

// drillSwap replaces the platform's only key, by one of another kid and by one of the same kid, when a fetch is allowed
// and when the window is still closed.
func drillSwap(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p := b.platforms[0]
	var gate sync.RWMutex // holds launches off while the key changes, so that none is signed with a key that is gone
	var price lti.Reason  // what a launch may be lost for now
	swap := func(key platformKey) {
		p.publish(key)
		p.signWith(key)
	}
	good := func() {
		gate.RLock()
		defer gate.RUnlock()
		t.validUnless(b.launch(ctx, p), price)
	}
	swap(platformKey{"k1", keys[0]})
	l := startLoad(good, good, good, good)
	defer l.end()
	l.each(s.launches)
	for i, step := range []struct {
		what  string
		wait  time.Duration
		key   *platformKey // nil: the key stays
		price lti.Reason
	}{
		{"another kid", longestWindow, &platformKey{"k2", keys[1]}, ""},
		{"another kid inside the window", 0, &platformKey{"k3", keys[2]}, lti.ReasonKIDUnknown},
		{"after the window", longestWindow, nil, ""},
		{"the same kid", longestWindow, &platformKey{"k3", keys[0]}, ""},
		{"the same kid inside the window", 0, &platformKey{"k3", keys[1]}, lti.ReasonSignatureInvalid},
		{"after the window", longestWindow, nil, ""},
	} {
		gate.Lock()
		b.advance(step.wait)
		if step.key != nil {
			swap(*step.key)
		}
		price = step.price
		before := t.losses()
		gate.Unlock()
		l.each(s.launches)
		lost := t.losses() - before
		if (lost == 0) != (step.price == "") {
			t.problem("step %d, %s: %d launches lost", i+1, step.what, lost)
		}
		t.remark("%s: %d lost", step.what, lost)
	}
	t.fetches(p, 5)
	return nil
}

// drillSwapUnderFlood replaces the platform's only key while forged kids have used the window up. The forged tokens pass
// every check but the signature's, so nothing can tell them from the platform's own: valid launches are lost until the
// window ends, each is told when that is, and the first one then is accepted.
func drillSwapUnderFlood(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error {
	p, old, next := b.platforms[0], platformKey{"k1", keys[0]}, platformKey{"k2", keys[1]}
	p.publish(old)
	p.signWith(old)
	t.valid(b.launch(ctx, p))
	f, err := b.newForgery(ctx, p)
	if err != nil {
		return err
	}
	flood := func() { t.refusedFor(b.validate(ctx, f.login, f.token(rand.Text())), lti.ReasonKIDUnknown) }
	l := startLoad(flood, flood)
	defer l.end()
	b.advance(longestWindow)
	l.each(s.launches)
	t.fetches(p, 2)
	p.publish(next)
	p.signWith(next)
	wait := longestWindow
	for range s.launches {
		err := b.launch(ctx, p)
		t.validUnless(err, lti.ReasonKIDUnknown)
		var refusal *lti.Error
		if !errors.As(err, &refusal) || refusal.RetryAfter <= 0 || refusal.RetryAfter > longestWindow {
			t.problem("%v does not say when to try again", err)
			continue
		}
		wait = refusal.RetryAfter
	}
	t.fetches(p, 2)
	b.advance(wait)
	for range s.launches {
		t.valid(b.launch(ctx, p))
	}
	t.fetches(p, 3)
	t.remark("%d lost until the window ended; the first one at the time that they named was accepted", t.losses())
	return nil
}
