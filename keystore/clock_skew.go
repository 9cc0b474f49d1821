// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"slices"
	"time"

	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Bounds of what is measured of a platform's clock.
const (
	skewSamples     = 5               // the last few, of which the median counts
	maxSkewAge      = 24 * time.Hour  // an older measurement says nothing of today's clocks
	maxSkewRounds   = 5 * time.Second // an answer that took longer measures nothing
	dateGranularity = time.Second     // of a Date header, which cuts the rest off (RFC 9110, section 5.6.7)
)

// skewSample is one measurement of a platform's clock.
type skewSample struct {
	skew     time.Duration // the platform's clock minus ours
	measured time.Time
}

// clockSkew holds the last measurements, oldest first. The zero value holds none.
type clockSkew struct{ samples []skewSample }

// measure takes in one answer. Its Date is held to be the middle of a round trip, so the error is half of that and half
// a second. An answer out of a cache carries an old Date and is left out.
func (c *clockSkew) measure(answer *outbound.Response, sent, received time.Time) {
	round := received.Sub(sent)
	if answer.Date.IsZero() || answer.Header.Get("Age") != "" || round < 0 || round > maxSkewRounds {
		return
	}
	skew := answer.Date.Add(dateGranularity / 2).Sub(sent.Add(round / 2))
	c.samples = append(c.samples, skewSample{skew: skew, measured: received})
	if len(c.samples) > skewSamples {
		c.samples = slices.Delete(c.samples, 0, len(c.samples)-skewSamples)
	}
}

// median returns the middle of the measurements that are young enough, and false where none is.
func (c *clockSkew) median(now time.Time) (time.Duration, bool) {
	var skews []time.Duration
	for _, sample := range c.samples {
		if now.Sub(sample.measured).Abs() <= maxSkewAge {
			skews = append(skews, sample.skew)
		}
	}
	if len(skews) == 0 {
		return 0, false
	}
	slices.Sort(skews)
	middle := len(skews) / 2
	if len(skews)%2 == 0 {
		return (skews[middle-1] + skews[middle]) / 2, true
	}
	return skews[middle], true
}

// Skew returns how far a platform's clock is ahead of ours, negative where it is behind: the median of what the Date
// headers of its last few answers said, good to half a second and half a round trip. It is false where nothing was
// measured within a day. It explains refusals; it never widens what is tolerated.
func (p *PlatformKeys) Skew(registration *platform.Registration) (time.Duration, bool) {
	source := p.source(registration)
	source.mutex.Lock()
	defer source.mutex.Unlock()
	return source.skew.median(p.config.Now())
}

// ObserveClock measures a platform's clock by an answer of one of its other endpoints, such as the token endpoint. sent
// and received are our clock's times of the request and of its answer.
func (p *PlatformKeys) ObserveClock(registration *platform.Registration, answer *outbound.Response, sent, received time.Time) {
	source := p.source(registration)
	source.mutex.Lock()
	defer source.mutex.Unlock()
	source.skew.measure(answer, sent, received)
}
