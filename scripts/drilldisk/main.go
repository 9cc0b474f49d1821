// SPDX-License-Identifier: Apache-2.0

// Command drilldisk fills the disk of a real sidecar, a small tmpfs, again and again while launches and scores arrive:
// slowly, at once, and with files instead of bytes. Launches and scores must be refused with STORE_FULL and nothing else,
// by the same process all the time; within five seconds of space returning both must be taken again. What was accepted
// before must not be accepted again, and the best score that was acknowledged for each user must be in the platform's
// grade book at the end. It prints a line a round, ends with "drill-disk: ok", and exits with status 1 otherwise. Only
// root can mount a tmpfs, and only Linux has it: elsewhere it says that it is skipped.
//
//	drilldisk -sidecar BINARY [-rounds N]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

const (
	diskSize     = 512 << 20 // bytes of the tmpfs
	diskFiles    = 1000      // that it has room for
	fullTime     = 1500 * time.Millisecond
	refusalTime  = 20 * time.Second // from full until both are refused
	recoveryTime = 5 * time.Second  // from space until both are taken
	drainTime    = time.Minute      // until the platform has all scores
)

var errSkipped = errors.New("SKIPPED: it mounts a tmpfs, for which it must run as root on Linux")

func main() {
	binary := flag.String("sidecar", "", "the sidecar's binary")
	rounds := flag.Int("rounds", 9, "how often the disk is filled")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, *binary, *rounds, recoveryTime)
	switch {
	case errors.Is(err, errSkipped):
		fmt.Println("drill-disk:", err)
	case err != nil:
		fmt.Fprintln(os.Stderr, "drill-disk:", err)
		os.Exit(1)
	default:
		fmt.Println("drill-disk: ok")
	}
}

// run fills the disk so many times. recovery is how long it may take until both are taken again.
func run(ctx context.Context, out io.Writer, binary string, rounds int, recovery time.Duration) (failure error) {
	directory, err := os.MkdirTemp("", "drill")
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(directory)) }()
	disk := filepath.Join(directory, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		return err
	}
	if err := mount(disk); err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, unmount(disk)) }()
	sim, err := platformsim.New(platformsim.Config{RosterSize: scoredUsers + 5})
	if err != nil {
		return err
	}
	sim.Start()
	defer func() { failure = errors.Join(failure, sim.Close()) }()
	s, err := startSidecar(ctx, sim, binary, directory, disk)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, s.close()) }()
	l, err := startLoad(ctx, sim, s)
	if err != nil {
		return err
	}
	defer l.end()

	pid := s.command.Process.Pid
	fmt.Fprintf(out, "%-14s %9s %9s %9s %9s %9s %9s\n", "filled", "launches", "refused", "scores", "refused", "replayed", "recovery")
	for round := range rounds {
		f := fillers[round%len(fillers)]
		if err := l.both(ctx, taken, refusalTime); err != nil {
			return fmt.Errorf("before round %d: %w", round+1, err)
		}
		before := l.counts()
		took, err := l.round(ctx, f, filepath.Join(disk, "filler"), recovery)
		after := l.counts()
		fmt.Fprintf(out, "%-14s %9d %9d %9d %9d %9d %8.1fs\n", f.name, after.launches-before.launches, after.launchesRefused-before.launchesRefused,
			after.scores-before.scores, after.scoresRefused-before.scoresRefused, after.replays-before.replays, took.Seconds())
		if err != nil {
			return fmt.Errorf("round %d, %s: %w", round+1, f.name, errors.Join(err, s.alive()))
		}
	}
	l.end()
	if err := errors.Join(s.alive(), l.failure()); err != nil {
		return err
	}
	if s.command.Process.Pid != pid {
		return errors.New("it is another process")
	}
	lost, err := l.missing(ctx, sim)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lost)
	}
	fmt.Fprintf(out, "process %d served all the time; %d scores acknowledged, none lost\n", pid, l.counts().scores)
	return s.stop()
}

// filler uses up a disk.
type filler struct {
	name   string
	scores bool // scores need what is used up
	fill   func(directory string) error
}

var fillers = []filler{
	{"at once", true, func(directory string) error { return allocateAll(filepath.Join(directory, "file")) }},
	{"gradually", true, func(directory string) error { return writeAll(filepath.Join(directory, "file")) }},
	{"with files", false, func(directory string) error {
		for i := 0; ; i++ {
			err := os.WriteFile(filepath.Join(directory, fmt.Sprint(i)), nil, 0o600)
			if errors.Is(err, syscall.ENOSPC) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}},
}

// writeAll writes a file until the disk is full, as a runaway log does.
func writeAll(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for err == nil {
		_, err = file.Write(chunk)
		time.Sleep(5 * time.Millisecond) // 200 MB a second at most
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, file.Close())
}
