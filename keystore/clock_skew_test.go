// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"net/http"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
)

func TestSkewIsMeasuredByKeySets(t *testing.T) {
	for _, want := range []time.Duration{0, 61 * time.Second, -time.Hour} {
		p := newJWKSPlatform(t, 0)
		if _, known := p.keys.Skew(p.registration); known {
			t.Error("measured before any answer")
		}
		p.serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", p.clock().Add(want).Format(http.TimeFormat))
			w.WriteHeader(503) // any answer will do
		})
		p.wantReason("a", lti.ReasonJWKSUnreachable)
		// Our clock stands still here and the Date has whole seconds, so the estimate is half a second ahead.
		if skew, known := p.keys.Skew(p.registration); !known || skew != want+time.Second/2 {
			t.Errorf("skew = %v, %v, want about %v", skew, known, want)
		}
		p.advance(maxSkewAge)
		if _, known := p.keys.Skew(p.registration); !known {
			t.Error("forgotten within a day")
		}
		p.advance(1)
		if _, known := p.keys.Skew(p.registration); known {
			t.Error("not forgotten after a day")
		}
	}
}

func TestSkewIsTheMedianOfTheLastFew(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	sent := p.clock()
	observe := func(skew, round time.Duration, header http.Header) {
		answer := &outbound.Response{Status: 200, Header: header, Date: sent.Add(round/2 + skew - time.Second/2)}
		p.keys.ObserveClock(p.registration, answer, sent, sent.Add(round))
	}
	for i, step := range []struct {
		seconds, want time.Duration
	}{{10, 10}, {20, 15}, {-3600, 10}, {30, 15}, {40, 20}, {50, 30}, {60, 40}, {70, 50}} {
		observe(step.seconds*time.Second, 200*time.Millisecond, nil)
		if skew, known := p.keys.Skew(p.registration); !known || skew != step.want*time.Second {
			t.Errorf("%d: skew = %v, %v, want %v s", i, skew, known, step.want)
		}
	}
	observe(time.Hour, maxSkewRounds+1, nil)                              // too slow
	observe(time.Hour, -1, nil)                                           // our clock was set back meanwhile
	observe(time.Hour, 0, http.Header{"Age": {"30"}})                     // out of a cache
	p.keys.ObserveClock(p.registration, &outbound.Response{}, sent, sent) // without a Date
	if skew, _ := p.keys.Skew(p.registration); skew != 50*time.Second {
		t.Errorf("skew = %v after answers that measure nothing", skew)
	}
	other := *p.registration
	other.Name = "other"
	if _, known := p.keys.Skew(&other); known {
		t.Error("another registration has the same clock")
	}
}
