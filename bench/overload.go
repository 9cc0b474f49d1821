// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	quota             = 0.25 // of one processor, for the sidecar, so that the load can exceed what it can do
	quotaPeriod       = 10 * time.Millisecond
	overloadPatience  = time.Second // for which a user's browser is waited for
	overloadTime      = 3 * time.Second
	overloadProcesses = 4                                         // connections, as of as many processes of a tool
	overloadLimit     = 2 * callsOnConnection * overloadProcesses // workers of the tool: more than the calls that its connections carry
)

// group is a control group that holds a process to a share of a processor.
type group struct{ path string }

// newGroup makes one, by version 2 or version 1, and puts a process into it. It fails where that is not allowed.
func newGroup(pid int) (*group, error) {
	name := fmt.Sprintf("ltibench-%d", os.Getpid())
	period, part := strconv.FormatInt(quotaPeriod.Microseconds(), 10), strconv.FormatInt(int64(quota*float64(quotaPeriod.Microseconds())), 10)
	var failures []error
	for _, c := range []struct {
		parent string
		files  [][2]string
	}{
		{"/sys/fs/cgroup", [][2]string{{"cpu.max", part + " " + period}}},
		{"/sys/fs/cgroup/cpu", [][2]string{{"cpu.cfs_period_us", period}, {"cpu.cfs_quota_us", part}}},
	} {
		files := append(c.files, [2]string{"cgroup.procs", strconv.Itoa(pid)})
		if _, err := os.Stat(filepath.Join(c.parent, "cgroup.procs")); err != nil {
			failures = append(failures, err)
			continue
		}
		g := &group{filepath.Join(c.parent, name)}
		if err := os.Mkdir(g.path, 0o755); err != nil {
			failures = append(failures, err)
			continue
		}
		if err := g.write(files); err != nil {
			failures = append(failures, err, g.remove())
			continue
		}
		return g, nil
	}
	return nil, fmt.Errorf("no control group for the processor can be made: %w", errors.Join(failures...))
}

func (g *group) write(files [][2]string) error {
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(g.path, file[0]), []byte(file[1]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// remove removes the group, once its process has ended.
func (g *group) remove() error {
	err := os.Remove(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// overload measures goodput, launches that came in time, beyond what the sidecar can do: against its peak.
func overload(ctx context.Context, b *bench) (r reading, err error) {
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return reading{}, err
	}
	var g *group
	defer func() {
		err = errors.Join(err, c.stop())
		if g != nil {
			err = errors.Join(err, g.remove())
		}
	}()
	clients, end, err := c.moreConnections(overloadProcesses)
	if err != nil {
		return reading{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	requests, err := b.prepare(ctx, c.launches, warmLaunches+b.count)
	if err != nil {
		return reading{}, err
	}
	if err := closed(ctx, warmLaunches, concurrency, validate(c.launches, requests)).err(); err != nil {
		return reading{}, err
	}
	if g, err = newGroup(c.pid); err != nil {
		return reading{}, err
	}
	peakCount := b.count / 4
	peakLoad := closed(ctx, peakCount, concurrency, validate(c.launches, requests[warmLaunches:]))
	if err := peakLoad.err(); err != nil {
		return reading{}, err
	}
	peak := float64(peakCount) / peakLoad.elapsed.Seconds()
	note := fmt.Sprintf("peak %.0f/s", peak)
	var values []float64
	for _, times := range []float64{2, 5, 10} {
		count := int(peak * times * overloadTime.Seconds())
		fresh, err := b.prepareUnlimited(ctx, c, g, count)
		if err != nil {
			return reading{}, err
		}
		load := open(ctx, count, peak*times, overloadLimit, overloadPatience, func(ctx context.Context, i int) error {
			return validate(clients[i%len(clients)], fresh)(ctx, i)
		})
		goodput := float64(load.latencies.Count()) / load.elapsed.Seconds()
		note += fmt.Sprintf(", at %.0fx %.0f/s with p99 %s (refused or late: %d, one with %v)", times, goodput, load.latencies.Quantile(0.99).Round(time.Millisecond), load.failed, load.failure)
		if times != 5 {
			values = append(values, 100*goodput/peak)
		}
	}
	return reading{values: values, note: note}, nil
}

// prepareUnlimited prepares launches with the whole processor for the sidecar: logins are not what is measured.
func (b *bench) prepareUnlimited(ctx context.Context, c *sidecar, g *group, count int) ([]launchRequest, error) {
	parent := filepath.Dir(g.path)
	move := func(to string) error {
		return os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(c.pid)), 0o644)
	}
	if err := move(parent); err != nil {
		return nil, err
	}
	requests, err := b.prepare(ctx, c.launches, count)
	return requests, errors.Join(err, move(g.path))
}

// moreConnections returns clients with a connection each.
func (c *sidecar) moreConnections(count int) (clients []pb.LaunchServiceClient, end func() error, err error) {
	var connections []*grpc.ClientConn
	end = func() error {
		var err error
		for _, connection := range connections {
			err = errors.Join(err, connection.Close())
		}
		return err
	}
	for range count {
		connection, err := grpc.NewClient(c.connection.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		connections = append(connections, connection)
		clients = append(clients, pb.NewLaunchServiceClient(connection))
	}
	return clients, end, nil
}
