// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Command benchstores measures redemptions per second, and CPU time per redemption, of each nonce store at several
// concurrencies, beside two that show what the engines themselves can: Badger with a synced write a nonce, and SET NX on
// a Redis that syncs its log at each write. All in one run, each for the same time, on loopback. It also measures how
// long the embedded store takes to open after a kill. It prints Markdown. Where a server is not installed it says so.
//
//	benchstores [-time 2s] [-markdown FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/testservers"
)

var concurrencies = []int{1, 16, 64, 256}

func main() {
	if directory := os.Getenv(childVariable); directory != "" {
		if err := child(directory); err != nil {
			fmt.Fprintln(os.Stderr, "bench-stores: child:", err)
			os.Exit(1)
		}
		return
	}
	duration := flag.Duration("time", 2*time.Second, "of each measurement")
	markdown := flag.String("markdown", "", "a file for the result, besides the output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var text strings.Builder
	err := run(ctx, io.MultiWriter(os.Stdout, &text), *duration)
	if err == nil && *markdown != "" {
		err = os.WriteFile(*markdown, []byte(text.String()), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-stores:", err)
		os.Exit(1)
	}
}

// contender is one store.
type contender struct {
	redeem func(ctx context.Context) error // once, of a new nonce; from many goroutines
	server int                             // process id; 0: none
	close  func() error
}

func run(ctx context.Context, out io.Writer, duration time.Duration) error {
	fmt.Fprintf(out, `# Stores, measured

What `+"`make bench-stores`"+` printed on %s, %s/%s with %d CPUs (%s), at a load average of
%s when it began. Redemptions per second at so many at once; in
brackets the CPU time of one redemption in microseconds, in the sidecar's process and, after the plus sign, in the server's.
Servers are on the same machine, so that a network adds its round trip to each redemption and takes nothing from the rest.

| store |`, time.Now().UTC().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(), loadAverage())
	for _, c := range concurrencies {
		fmt.Fprintf(out, " %d at once |", c)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---:|", len(concurrencies)))
	directory, err := os.MkdirTemp("", "bench-stores")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	for _, c := range contenders {
		if err := measureOne(ctx, out, c, directory, duration); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return reopen(ctx, out, directory)
}

func measureOne(ctx context.Context, out io.Writer, maker maker, directory string, duration time.Duration) error {
	var inside error
	outside := testservers.Run(ctx, func(tb testing.TB) {
		var c *contender
		if c, inside = maker.make(ctx, tb, directory); inside != nil {
			return
		}
		defer func() { inside = errors.Join(inside, c.close()) }()
		fmt.Fprintf(out, "| %s |", maker.name)
		for _, concurrency := range concurrencies {
			var r result
			if r, inside = measure(ctx, c, concurrency, duration); inside != nil {
				return
			}
			fmt.Fprintf(out, " %s |", r)
		}
		fmt.Fprintln(out)
	})
	if errors.Is(outside, testservers.ErrMissing) {
		fmt.Fprintf(out, "| %s | NOT MEASURED: %v |\n", maker.name, outside)
		outside = nil
	}
	return errors.Join(outside, inside)
}

// result is one measurement.
type result struct {
	perSecond    float64
	ours, theirs time.Duration // CPU time of one redemption
	server       bool
}

func (r result) String() string {
	theirs := ""
	if r.server {
		theirs = fmt.Sprintf(" + %d", r.theirs.Microseconds())
	}
	return fmt.Sprintf("%.0f (%d%s)", r.perSecond, r.ours.Microseconds(), theirs)
}

// measure redeems from so many goroutines for a while, after a short time to warm up.
func measure(ctx context.Context, c *contender, concurrency int, duration time.Duration) (result, error) {
	if _, err := load(ctx, c, concurrency, duration/10); err != nil {
		return result{}, err
	}
	ours, theirs, err := cpuTimes(c.server)
	if err != nil {
		return result{}, err
	}
	begun := time.Now()
	count, err := load(ctx, c, concurrency, duration)
	if err != nil {
		return result{}, err
	}
	took := time.Since(begun)
	oursAfter, theirsAfter, err := cpuTimes(c.server)
	return result{float64(count) / took.Seconds(), (oursAfter - ours) / time.Duration(count), (theirsAfter - theirs) / time.Duration(count), c.server != 0}, err
}

func load(ctx context.Context, c *contender, concurrency int, duration time.Duration) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var count atomic.Int64
	var stop atomic.Bool
	timer := time.AfterFunc(duration, func() { stop.Store(true) })
	defer timer.Stop()
	var running sync.WaitGroup
	for range concurrency {
		running.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				if err := c.redeem(ctx); err != nil {
					cancel(err)
					return
				}
				count.Add(1)
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return max(count.Load(), 1), nil
}

// cpuTimes returns the CPU time so far of this process and of a server with its children.
func cpuTimes(server int) (ours, theirs time.Duration, err error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, 0, err
	}
	ours = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if server == 0 {
		return ours, 0, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, 0, err
	}
	for _, entry := range entries {
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // no process, or one that has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name of the program may hold anything
		fields := strings.Fields(rest)
		if len(fields) < 15 || entry.Name() != strconv.Itoa(server) && fields[1] != strconv.Itoa(server) {
			continue
		}
		for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, 0, err
			}
			theirs += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return ours, theirs, nil
}

// cpuModel returns the name of the CPU, as far as the system tells it.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "CPU unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "CPU unknown"
}

// loadAverage returns the load of the last minute: what else was going on.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
