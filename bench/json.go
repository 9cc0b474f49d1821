// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

const validatePath = "http://ltisidecar/ltisidecar.v1.LaunchService/ValidateLaunch"

// validateJSON returns a caller that sends launches as JSON over HTTP/1.1, on connections that stay open.
func (c *sidecar) validateJSON(requests []launchRequest, connections int) (call caller, end func(), err error) {
	bodies := make([][]byte, len(requests))
	for i, request := range requests {
		if bodies[i], err = protojson.Marshal(request.ValidateLaunchRequest); err != nil {
			return nil, nil, err
		}
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.jsonSocket)
		},
		MaxIdleConnsPerHost: connections, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	client := &http.Client{Transport: transport}
	return func(ctx context.Context, i int) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, validatePath, bytes.NewReader(bodies[i]))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"claimsJson"`)) {
			return fmt.Errorf("%s: %.200s", response.Status, body)
		}
		return nil
	}, transport.CloseIdleConnections, nil
}

// overJSON is the row of unary over JSON.
func overJSON(ctx context.Context, b *bench) (r reading, err error) {
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	requests, err := b.prepare(ctx, c.launches, warmLaunches+b.count)
	if err != nil {
		return reading{}, err
	}
	call, end, err := c.validateJSON(requests, concurrency)
	if err != nil {
		return reading{}, err
	}
	defer end()
	if err := closed(ctx, warmLaunches, concurrency, call).err(); err != nil {
		return reading{}, err
	}
	result, err := b.measured(ctx, c, b.count, func() *outcome {
		return closed(ctx, b.count, concurrency, func(ctx context.Context, i int) error { return call(ctx, warmLaunches+i) })
	})
	if err != nil {
		return reading{}, err
	}
	return reading{values: []float64{result.server}, note: result.String(), extra: map[string]float64{"client": result.client}}, nil
}
