// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

func TestDrills(t *testing.T) {
	var report strings.Builder
	err := run(t.Context(), &report, drills, shortSize)
	t.Log("\n" + report.String())
	if err != nil {
		t.Error(err)
	}
}

// A drill that cannot fail would prove nothing.
func TestDrillsFail(t *testing.T) {
	for name, broken := range map[string]func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, s size) error{
		"a valid launch is lost": func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
			b.platforms[0].publish(platformKey{"k1", keys[0]})
			t.valid(b.launchWith(ctx, b.platforms[0], platformKey{"k1", keys[1]}))
			return nil
		},
		"a launch is lost for another reason": func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
			b.platforms[0].publish(platformKey{"k1", keys[0]})
			t.validUnless(b.launchWith(ctx, b.platforms[0], platformKey{"k1", keys[1]}), lti.ReasonKIDUnknown)
			return nil
		},
		"a bad launch is accepted": func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
			b.platforms[0].publish(platformKey{"k1", keys[0]})
			t.refusedFor(b.launchWith(ctx, b.platforms[0], platformKey{"k1", keys[0]}), lti.ReasonKIDUnknown)
			return nil
		},
		"a fetch too many": func(ctx context.Context, b *bench, t *tally, keys []*rsa.PrivateKey, _ size) error {
			key := platformKey{"k1", keys[0]}
			b.platforms[0].publish(key)
			t.valid(b.launchWith(ctx, b.platforms[0], key))
			b.advance(time.Hour)
			t.valid(b.launchWith(ctx, b.platforms[0], key))
			t.fetches(b.platforms[0], 1)
			return nil
		},
		"it breaks off": func(context.Context, *bench, *tally, []*rsa.PrivateKey, size) error { return errors.New("broken") },
	} {
		var report strings.Builder
		if err := run(t.Context(), &report, []drill{{name, 1, broken}}, shortSize); err == nil || !strings.Contains(report.String(), "FAIL") {
			t.Errorf("%s: error %v, report:\n%s", name, err, &report)
		}
	}
}
