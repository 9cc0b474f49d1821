// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A morning is a wave of students who open the tool from their course at about the same time.
type morning struct {
	students int
	share    float64       // who come with the wave; the others come over the day
	rise     time.Duration // from the first of the wave to its crest, at nine o'clock
	fall     time.Duration // until a wave of that height has ebbed to a third
	again    float64       // launches per student: some click twice
}

// monday is a university where nearly everybody has a quiz that opens at nine.
var monday = morning{students: 100_000, share: 0.8, rise: 30 * time.Second, fall: 2 * time.Minute, again: 1.2}

// wait is what a simulation found.
type wait struct {
	crest   float64       // launches a second at the height of the wave
	p50     time.Duration // that a launch waits until the sidecar begins with it
	p99     time.Duration
	longest time.Duration
}

// simulate sends the wave to sidecars that can do so many launches a second together. Arrivals are random, with the
// wave's rate; whoever finds them busy waits, first come first served.
func (m morning) simulate(capacity float64, seed uint64) wait {
	random := rand.New(rand.NewPCG(seed, 9))
	launches := float64(m.students) * m.share * m.again
	rise, fall := m.rise.Seconds(), m.fall.Seconds()
	// The rate grows in a line up to the crest, and falls exponentially.
	crest := launches / (rise/2 + fall)
	var waits []float64
	free := 0.0 // when the sidecars will have done all that came
	for at := 0.0; at < rise+8*fall; {
		rate := crest * math.Exp(-(at-rise)/fall)
		if at < rise {
			rate = crest * max(at/rise, 0.01)
		}
		at += random.ExpFloat64() / rate
		free = max(free, at)
		waits = append(waits, free-at)
		free += 1 / capacity
	}
	slices.Sort(waits)
	quantile := func(q float64) time.Duration {
		return time.Duration(waits[min(int(q*float64(len(waits))), len(waits)-1)] * float64(time.Second))
	}
	return wait{crest: crest, p50: quantile(0.5), p99: quantile(0.99), longest: quantile(1)}
}
