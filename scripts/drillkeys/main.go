// SPDX-License-Identifier: Apache-2.0

// Command drillkeys drills what happens to launches when platforms' keys make trouble: herds, floods of forged kids,
// rotations, outages, withdrawals, hostile key sets, restarts. It launches through the real validator, key cache and
// HTTP client against an HTTPS server on loopback, with a clock that it moves by hand. It prints a line a drill, ends
// with "drill-keys: ok", and exits with status 1 where anything is not as it must be.
//
//	drillkeys [-short]
package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/keystore"
)

// limit is the longest time that all drills may take.
const limit = 5 * time.Minute

func main() {
	short := flag.Bool("short", false, "with a small load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := fullSize
	if *short {
		s = shortSize
	}
	if err := run(ctx, os.Stdout, drills, s); err != nil {
		fmt.Fprintln(os.Stderr, "drill-keys:", err)
		os.Exit(1)
	}
	fmt.Println("drill-keys: ok")
}

// run carries out the drills, one after the other, and reports to out. Its error says that one of them failed.
func run(ctx context.Context, out io.Writer, drills []drill, s size) (failure error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	directory, err := os.MkdirTemp("", "drill-keys")
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(directory)) }()
	toolKeys, err := keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: filepath.Join(directory, "keys"), Create: true})
	if err != nil {
		return err
	}
	keys, err := makeKeys(3)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-42s %9s %6s %9s %8s %7s\n", "drill", "accepted", "lost", "refused", "fetches", "time")
	failed := 0
	for i, d := range drills {
		if err := carryOut(ctx, out, d, filepath.Join(directory, fmt.Sprint(i)), toolKeys, keys, s); err != nil {
			failed++
			fmt.Fprintf(out, "  FAIL %v\n", err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("not finished: %w", ctx.Err())
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d drills failed", failed, len(drills))
	}
	return nil
}

// carryOut carries out one drill on a bench of its own.
func carryOut(ctx context.Context, out io.Writer, d drill, directory string, toolKeys *keystore.ToolKeys, keys []*rsa.PrivateKey, s size) (failure error) {
	if err := os.Mkdir(directory, 0o700); err != nil {
		return err
	}
	b, err := newBench(directory, toolKeys, d.platforms)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, b.close()) }()
	t := &tally{}
	begun := time.Now()
	err = d.run(ctx, b, t, keys, s)
	fetches := 0
	for _, p := range b.platforms {
		fetches += p.fetched()
	}
	fmt.Fprintf(out, "%-42s %9d %6d %9d %8d %6.1fs\n", d.name, t.accepted, t.lost, t.refused, fetches, time.Since(begun).Seconds())
	for _, note := range t.notes {
		fmt.Fprintf(out, "  %s\n", note)
	}
	if len(t.problems) > 0 {
		err = errors.Join(err, fmt.Errorf("%s\n  and %d more", strings.Join(t.problems, "\n       "), t.more))
	}
	return err
}
