// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command bench measures what a launch costs: here, in the libraries that people use today, and beside the bare RSA
// verification that physics demands. It is the load generator, a process of its own, and starts the sidecar and the
// peers as others. `make bench` runs it; docs/performance.md holds what it found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
)

// unitCount is how many verifications a measurement of R takes: about a tenth of a second.
const unitCount = 3000

// bench is one run.
type bench struct {
	binary       string // the sidecar's
	cache        string // for what is built and kept from run to run
	directory    string // for everything that a run leaves
	shm          string // where the sidecars' seals lie
	rounds       int
	count        int // launches of one round
	key          *workload.Key
	keyServer    *keyServer
	verification *measure.Verification
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if len(os.Args) == 3 && os.Args[1] == echoCommand {
		err := echo(ctx, os.Args[2])
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(2)
		}
		return
	}
	if len(os.Args) == 4 && os.Args[1] == fillCommand {
		err := fill(ctx, os.Args[2], os.Args[3])
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(2)
		}
		return
	}
	missed, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if missed > 0 {
		os.Exit(1)
	}
}

// run returns how many figures were missed.
func run(ctx context.Context, arguments []string) (missed int, failure error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	binary := flags.String("sidecar", "bin/sidecar", "the sidecar's binary")
	cache := flags.String("cache", ".cache/bench", "a directory for what is built and kept")
	only := flags.String("rows", "", "measure these rows only, such as T1,T2 (default: all)")
	rounds := flags.Int("rounds", 5, "rounds of each row; the median counts")
	count := flags.Int("count", 4000, "launches of one round")
	resume := flags.Bool("resume", false, "keep the rows that an earlier run of this commit has measured")
	report := flags.String("report", "", "write the page with the results here")
	if err := flags.Parse(arguments); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(*cache, 0o755); err != nil {
		return 0, err
	}
	b := &bench{binary: *binary, rounds: *rounds, count: *count}
	var err error
	if b.cache, err = filepath.Abs(*cache); err != nil {
		return 0, err
	}
	if err := b.begin(); err != nil {
		return 0, err
	}
	defer func() { failure = errors.Join(failure, b.end()) }()
	kept, err := openResults(filepath.Join(*cache, "results.json"), *resume)
	if err != nil {
		return 0, err
	}
	missed, err = b.table(ctx, chosen(*only), kept)
	if err != nil || *report == "" {
		return missed, err
	}
	return missed, writeReport(*report, kept, strings.Join(arguments, " "))
}

// chosen returns the rows of a list of names, or all.
func chosen(list string) []row {
	if list == "" {
		return rows
	}
	var some []row
	for name := range strings.SplitSeq(list, ",") {
		for _, r := range rows {
			if r.name == name {
				some = append(some, r)
			}
		}
	}
	return some
}

// begin makes what every row needs.
func (b *bench) begin() error {
	var err error
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("there is no sidecar to measure: %w", err)
	}
	if b.directory, err = os.MkdirTemp("", "ltibench"); err != nil { // short: a socket's path has at most 107 bytes
		return err
	}
	if b.shm, err = os.MkdirTemp("/dev/shm", "ltibench"); err != nil {
		return err
	}
	if b.key, err = workload.NewKey("bench-1"); err != nil {
		return err
	}
	if b.verification, err = measure.NewVerification(); err != nil {
		return err
	}
	b.keyServer, err = startKeyServer(b.key.KeySet())
	return err
}

func (b *bench) end() error {
	return errors.Join(b.keyServer.close(), os.RemoveAll(b.directory), os.RemoveAll(b.shm))
}

// progress prints a line that is not of the table.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
