// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"math"
	"testing"
	"time"
)

func TestSimulate(t *testing.T) {
	small := monday.simulate(300, 1)
	enough := monday.simulate(2000, 1)
	if want := 100_000 * 0.8 * 1.2 / (15 + 120); math.Abs(small.crest-want) > 1 || small.crest != enough.crest {
		t.Errorf("the crest is %.0f and %.0f a second, want %.0f", small.crest, enough.crest, want)
	}
	if enough.p99 > 50*time.Millisecond {
		t.Errorf("with three times the crest, one in a hundred waits %s", enough.p99)
	}
	// What cannot be done while the rate is above 300 a second piles up: by hand some 21,800 launches, 73 seconds.
	if small.longest < 65*time.Second || small.longest > 80*time.Second || small.p50 > small.p99 || small.p99 > small.longest {
		t.Errorf("with less than the crest: %+v", small)
	}
	if again := monday.simulate(300, 1); again != small {
		t.Errorf("the same seed gives %+v and %+v", small, again)
	}
}
