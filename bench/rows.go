// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		{Name: "T12/load", What: "resident memory under that load", Unit: "MB", Goal: 80, Limit: 120},
	}},
	{name: "T2tcp", measure: unaryTCP, figures: nil},
	{name: "T3", measure: synced, figures: []measure.Figure{
		{Name: "T3", What: "T2 with nonce.sync: always, 256 at once", Unit: "R", Goal: 3, Limit: 3.7},
	}},
	{name: "T4", measure: overJSON, figures: []measure.Figure{
		{Name: "T4", What: "T2 over the JSON listener", Unit: "R", Goal: 4.5, Limit: 6},
	}},
	{name: "T5", measure: beside, figures: []measure.Figure{
		{Name: "T5", What: "launches per core, against PyLTI1p3", Unit: "x", Goal: 3.5, Limit: 3, AtLeast: true},
		{Name: "T6", What: "launches per core, against ltijs", Unit: "x", Goal: 2.3, Limit: 1.7, AtLeast: true},
	}},
	{name: "T14", measure: nodeTool, figures: []measure.Figure{
		{Name: "T14", What: "CPU of a Node tool per launch over JSON, against jsonwebtoken", Unit: "x", Goal: 1.2, Limit: 1.6},
	}},
	{name: "T8", measure: latency, figures: []measure.Figure{
		{Name: "T8", What: "p99 at 70 % load, over that of an echo at the same rate", Unit: "x", Goal: 2, Limit: 4},
	}},
	{name: "T9", rounds: 3, measure: nonces, figures: []measure.Figure{
		{Name: "T9", What: "memory for a million live nonces", Unit: "MB", Goal: 24, Limit: 48},
		{Name: "T10", What: "disk for a live nonce", Unit: "B", Goal: 48, Limit: 72},
		{Name: "T11/empty", What: "ready after a start, no nonces", Unit: "ms", Goal: 30, Limit: 50},
		{Name: "T11/full", What: "ready after a clean stop, a million nonces", Unit: "ms", Goal: 50, Limit: 100},
		{Name: "T11/killed", What: "ready after kill -9, a million nonces", Unit: "ms", Goal: 200, Limit: 500},
	}},
	{name: "T12", measure: idle, figures: []measure.Figure{
		{Name: "T12/idle", What: "resident memory, idle", Unit: "MB", Goal: 30, Limit: 40},
	}},
	{name: "T15", measure: refusals, figures: []measure.Figure{
		{Name: "T15/early", What: "refusing on state, binding or token header, beyond transport", Unit: "R", Goal: 0.1, Limit: 0.2},
		{Name: "T15/late", What: "refusing after the payload scan, beyond transport", Unit: "R", Goal: 0.4, Limit: 0.5},
	}},
	{name: "T16", rounds: 3, measure: overload, figures: []measure.Figure{
		{Name: "T16/2x", What: "goodput at twice what the sidecar can do, of its peak", Unit: "%", Goal: 95, Limit: 85, AtLeast: true},
		{Name: "T16/10x", What: "goodput at ten times", Unit: "%", Goal: 90, Limit: 75, AtLeast: true},
	}},
}

// callsOnConnection is how many calls the sidecar lets be under way on one connection.
const callsOnConnection = 128

// warmLaunches are made before a sidecar is measured: keys are fetched, caches and pools filled.
const warmLaunches = 500

// launched measures launches over gRPC with a fresh sidecar.
func (b *bench) launched(ctx context.Context, s settings, count, concurrency int) (result *cost, err error) {
	c, err := b.startSidecar(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	begun, err := c.cpu()
	if err != nil {
		return nil, err
	}
	requests, err := b.prepare(ctx, c.launches, warmLaunches+count)
	if err != nil {
		return nil, err
	}
	logins, err := c.cpu()
	if err != nil {
		return nil, err
	}
	if err := closed(ctx, warmLaunches, concurrency, validate(c.launches, requests)).err(); err != nil {
		return nil, err
	}
	clients, end, err := c.moreConnections(1 + concurrency/callsOnConnection)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	call := func(ctx context.Context, i int) error {
		return validate(clients[i%len(clients)], requests[warmLaunches:])(ctx, i)
	}
	if result, err = b.measured(ctx, c, count, func() *outcome { return closed(ctx, count, concurrency, call) }); err != nil {
		return nil, err
	}
	result.login = float64(logins-begun) / float64(warmLaunches+count) / float64(result.unit)
	return result, nil
}

func unary(ctx context.Context, b *bench) (reading, error) {
	result, err := b.launched(ctx, settings{}, b.count, concurrency)
	if err != nil {
		return reading{}, err
	}
	return reading{[]float64{result.server, result.allocations, float64(result.memory.Peak) / 1e6}, result.String(), map[string]float64{
		"R in microseconds": float64(result.unit) / 1e3, "login": result.login, "launch": result.server, "client": result.client,
	}}, nil
}

// unaryTCP has no figure of its own: it is there for comparison.
func unaryTCP(ctx context.Context, b *bench) (reading, error) {
	result, err := b.launched(ctx, settings{tcp: true}, b.count, concurrency)
	if err != nil {
		return reading{}, err
	}
	return reading{note: "over TCP: " + result.String()}, nil
}

func synced(ctx context.Context, b *bench) (reading, error) {
	result, err := b.launched(ctx, settings{nonce: "{sync: always}"}, b.count, 256)
	if err != nil {
		return reading{}, err
	}
	return reading{values: []float64{result.server}, note: result.String()}, nil
}

// idleTime is how long a sidecar is left alone before it counts as idle.
const idleTime = 2 * time.Second

func idle(ctx context.Context, b *bench) (r reading, err error) {
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return reading{}, ctx.Err()
	}
	memory, err := measure.MemoryOf(c.pid)
	return reading{values: []float64{float64(memory.Resident) / 1e6}, note: fmt.Sprintf("%d MB, peak %d MB", memory.Resident/1e6, memory.Peak/1e6)}, err
}
