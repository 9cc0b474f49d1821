// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"

	"github.com/ltisidecar/ltisidecar/bench/measure"
)

// concurrency is how many launches are under way at once, where a row does not say otherwise.
const concurrency = 64

// rows is the table.
var rows = []row{
	{name: "T1", measure: inProcess, figures: []measure.Figure{
		{Name: "T1", What: "a launch in process, Badger in memory", Unit: "R", Goal: 1.6, Limit: 2},
	}},
	{name: "T2", measure: unary, figures: []measure.Figure{
		{Name: "T2", What: "server CPU of a launch over gRPC, default configuration", Unit: "R", Goal: 2.6, Limit: 3.2},
		{Name: "T13", What: "allocations of it", Goal: 80, Limit: 120},
	}},
}

// warmLaunches are made before a sidecar is measured: keys are fetched, caches and pools filled.
const warmLaunches = 500

// launched measures launches over gRPC with a fresh sidecar.
func (b *bench) launched(ctx context.Context, s settings, count, concurrency int) (result *cost, err error) {
	c, err := b.startSidecar(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	requests, err := b.prepare(ctx, c.launches, warmLaunches+count)
	if err != nil {
		return nil, err
	}
	if err := closed(ctx, warmLaunches, concurrency, validate(c.launches, requests)).err(); err != nil {
		return nil, err
	}
	call := validate(c.launches, requests[warmLaunches:])
	return b.measured(ctx, c, count, func() *outcome { return closed(ctx, count, concurrency, call) })
}

func unary(ctx context.Context, b *bench) (reading, error) {
	result, err := b.launched(ctx, settings{}, b.count, concurrency)
	if err != nil {
		return reading{}, err
	}
	return reading{[]float64{result.server, result.allocations}, result.String()}, nil
}
