// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// latencyLoad is how much of its peak the sidecar is given where latencies are measured.
const latencyLoad = 0.7

// latencyLimit is how many calls may be under way then: none is ever turned away for it.
const latencyLimit = 8192

// latency compares the p99 of launches with that of an echo at the same rate.
func latency(ctx context.Context, b *bench) (r reading, err error) {
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	requests, err := b.prepare(ctx, c.launches, warmLaunches+2*b.count)
	if err != nil {
		return reading{}, err
	}
	answer, err := c.launches.ValidateLaunch(ctx, requests[0].ValidateLaunchRequest)
	if err != nil {
		return reading{}, err
	}
	e, err := b.startEcho(ctx, answer)
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	warm := closed(ctx, warmLaunches-1, concurrency, validate(c.launches, requests[1:]))
	peak := closed(ctx, b.count, concurrency, validate(c.launches, requests[warmLaunches:]))
	if err := errors.Join(warm.err(), peak.err()); err != nil {
		return reading{}, err
	}
	rate := latencyLoad * float64(b.count) / peak.elapsed.Seconds()
	rest := requests[warmLaunches+b.count:]
	own := open(ctx, b.count, rate, latencyLimit, 0, validate(c.launches, rest))
	echoed := open(ctx, b.count, rate, latencyLimit, 0, validate(e.launches, rest))
	if err := errors.Join(own.err(), echoed.err()); err != nil {
		return reading{}, err
	}
	ratio := float64(own.latencies.Quantile(0.99)) / float64(echoed.latencies.Quantile(0.99))
	words := func(o *outcome) string {
		return fmt.Sprintf("p50 %s, p99 %s", o.latencies.Quantile(0.5).Round(10*time.Microsecond), o.latencies.Quantile(0.99).Round(10*time.Microsecond))
	}
	return reading{values: []float64{ratio}, note: fmt.Sprintf("at %.0f/s: launches %s; echo %s", rate, words(own), words(echoed))}, nil
}
