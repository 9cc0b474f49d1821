// SPDX-License-Identifier: Apache-2.0

// Command drillroster streams rosters of 100,000 members through a real sidecar process, from platforms that send them
// in one page and in many, and looks at how much the process grows meanwhile. It prints a line a roster, ends with
// "drill-roster: ok", and exits with status 1 where a member is missing or doubled, or memory grew over the limit. Memory
// is measured on Linux only.
//
//	drillroster [-members N] bin/sidecar
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

const (
	timeLimit = 10 * time.Minute // for all rosters
	maxGrowth = 32 << 20         // bytes of resident memory, from ready to the highest point
)

// drill is one roster.
type drill struct {
	name, platform string
	pageSize       int32 // to ask for; 0: none
	pages          func(members int) int
}

var drills = []drill{
	{"one page (Moodle)", "moodle", 0, func(int) int { return 1 }},
	{"pages of 1,000 (Moodle)", "moodle", 1000, func(members int) int { return (members + 999) / 1000 }},
	{"pages of 50 (Canvas)", "canvas", 0, func(members int) int { return (members + 49) / 50 }},
}

func main() {
	members := flag.Int("members", 100_000, "members of each roster")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: drillroster [-members N] BINARY")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, flag.Arg(0), *members, maxGrowth); err != nil {
		fmt.Fprintln(os.Stderr, "drill-roster:", err)
		os.Exit(1)
	}
	fmt.Println("drill-roster: ok")
}

// run carries out the drills, each with a fresh sidecar. Its error says that one of them failed.
func run(ctx context.Context, out io.Writer, binary string, members int, growth int64) (failure error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	sim, err := platformsim.New(platformsim.Config{RosterSize: members})
	if err != nil {
		return err
	}
	sim.Start()
	defer func() { failure = errors.Join(failure, sim.Close()) }()
	fmt.Fprintf(out, "%-26s %8s %6s %8s %12s %10s %8s\n", "roster", "members", "pages", "batches", "RSS at start", "growth", "time")
	for _, d := range drills {
		if err := d.run(ctx, out, sim, binary, members, growth); err != nil {
			failure = errors.Join(failure, fmt.Errorf("%s: %w", d.name, err))
		}
	}
	return failure
}

func (d drill) run(ctx context.Context, out io.Writer, sim *platformsim.Sim, binary string, members int, growth int64) (failure error) {
	s, err := startSidecar(ctx, sim, d.platform, binary)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, s.stop()) }()
	before, err := memory(s.command.Process.Pid, "VmRSS")
	if err != nil {
		return err
	}
	asked, begun := sim.Platform(d.platform).Hits()["nrps"], time.Now()
	r, err := s.roster(ctx, d.pageSize)
	if err != nil {
		return err
	}
	taken, pages := time.Since(begun), sim.Platform(d.platform).Hits()["nrps"]-asked
	highest, err := memory(s.command.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-26s %8d %6d %8d %8.1f MiB %6.1f MiB %7.1fs\n", d.name, len(r.users), pages, r.batches, mib(before), mib(highest-before), taken.Seconds())
	switch {
	case len(r.users) != members || r.members != members || r.count != int64(members):
		return fmt.Errorf("%d members came, %d of them different, and the end says %d; the course has %d", r.members, len(r.users), r.count, members)
	case pages != d.pages(members):
		return fmt.Errorf("the platform was asked for %d pages, not %d", pages, d.pages(members))
	case highest-before > growth:
		return fmt.Errorf("the sidecar grew by %.1f MiB, more than %.1f", mib(highest-before), mib(growth))
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
