// SPDX-License-Identifier: Apache-2.0

// Command drillscores drills the promise that no acknowledged score is lost, doubled or out of order. A real sidecar
// takes scores over its socket and delivers them to an HTTPS platform on loopback that loses 5 % of its answers, answers
// 10 % with 503 and 2 % with 429; meanwhile the sidecar is killed with SIGKILL at random, once a cycle. In the end the
// platform's grade book is compared with what was acknowledged. It ends with
//
//	drill-scores: CYCLES cycles, A acknowledged, 0 lost, 0 doubled in effect, 0 out of order, U unconfirmed
//
// and exits with status 1 where anything is lost, doubled or out of order.
//
//	drillscores -sidecar BINARY [-cycles 20] [-directory DIR] [-seed N]
//
// With -directory it keeps its state there, and goes on with the next cycle where it was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var d drill
	flag.StringVar(&d.binary, "sidecar", "", "the sidecar's binary")
	flag.IntVar(&d.cycles, "cycles", 20, "how often the sidecar is killed")
	flag.StringVar(&d.directory, "directory", "", "where the state is kept; empty: nowhere")
	flag.Uint64Var(&d.seed, "seed", uint64(time.Now().UnixNano()), "of the faults and the kills")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d.out, d.life, d.workers, d.pace = os.Stdout, 4*time.Second, 16, 250*time.Millisecond
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "drill-scores:", err)
		os.Exit(1)
	}
}

// drill is what is to be done.
type drill struct {
	binary    string
	cycles    int
	directory string
	seed      uint64
	out       io.Writer
	life      time.Duration // the longest that a sidecar lives
	workers   int
	pace      time.Duration // between two scores of a worker
}

// drainTime is how long the last sidecar has, for each cycle of the drill, to deliver what is queued.
const (
	drainBase  = time.Minute
	drainCycle = 2 * time.Second
)

func (d *drill) run(ctx context.Context) (failure error) {
	if d.binary == "" {
		return errors.New("name the sidecar's binary with -sidecar")
	}
	if d.directory == "" {
		directory, err := os.MkdirTemp("", "drill-scores")
		if err != nil {
			return err
		}
		defer func() { failure = errors.Join(failure, os.RemoveAll(directory)) }()
		d.directory = directory
	}
	var err error
	if d.directory, err = filepath.Abs(d.directory); err != nil {
		return err
	}
	if err := os.MkdirAll(d.directory, 0o700); err != nil {
		return err
	}
	socket, err := os.MkdirTemp("", "drill") // short: the path of a Unix socket has at most 107 bytes
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(socket)) }()
	random := rand.New(rand.NewPCG(d.seed, 1))
	fmt.Fprintf(d.out, "seed %d, state in %s\n", d.seed, d.directory)

	book, err := openBook(d.directory)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, book.close()) }()
	lms, err := startPlatform(d.directory, book, d.seed)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, lms.close()) }()
	s, err := newSidecar(d.binary, d.directory, filepath.Join(socket, "s"), lms)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, s.close()) }()

	begun := time.Now()
	load := startLoad(ctx, d, s, lms, book)
	for cycle := book.cycles; cycle < d.cycles; cycle++ {
		if err := s.start(ctx); err != nil {
			load.end()
			return err
		}
		select {
		case <-time.After(d.life/10 + time.Duration(random.Int64N(int64(d.life)))):
		case <-ctx.Done():
			load.end()
			return errors.Join(ctx.Err(), s.kill())
		}
		if err := s.kill(); err != nil {
			load.end()
			return err
		}
		if err := book.endCycle(cycle + 1); err != nil {
			load.end()
			return err
		}
		if (cycle+1)%10 == 0 {
			fmt.Fprintf(d.out, "%d cycles, %d acknowledged, %d taken by the platform, %.0f s\n", cycle+1, book.acknowledged(), book.taken(), time.Since(begun).Seconds())
		}
	}
	if err := s.start(ctx); err != nil {
		load.end()
		return err
	}
	load.end()
	bounded, cancel := context.WithTimeout(ctx, drainBase+time.Duration(d.cycles)*drainCycle)
	defer cancel()
	deliveries, err := s.drained(bounded)
	if err != nil {
		return fmt.Errorf("the outbox was not drained: %w", err)
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "the platform: %s\n", lms.tally())
	verdict := book.judge(deliveries)
	for _, problem := range verdict.problems {
		fmt.Fprintf(d.out, "  FAIL %s\n", problem)
	}
	fmt.Fprintf(d.out, "the sidecar: %s; %.0f s\n", verdict.states, time.Since(begun).Seconds())
	fmt.Fprintf(d.out, "drill-scores: %d cycles, %d acknowledged, %d lost, %d doubled in effect, %d out of order, %d unconfirmed\n",
		d.cycles, verdict.acknowledged, verdict.lost, verdict.doubled, verdict.disordered, verdict.unconfirmed)
	if verdict.lost+verdict.doubled+verdict.disordered > 0 {
		return errors.New("the promise is broken")
	}
	return nil
}
