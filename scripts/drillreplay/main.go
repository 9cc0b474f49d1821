// SPDX-License-Identifier: Apache-2.0

//go:build unix

// Command drillreplay drills the promise that no id_token is accepted twice, whatever happens to processes, disks, stores
// and clocks. Each launch is handed in as several copies at once, spread over several sidecars: processes of the real
// binary, and validators in this process where a clock must be set. Meanwhile something breaks: one fault a cycle, on the
// embedded store, on Redis and on PostgreSQL in turn. After the fault everything is handed in again at every sidecar. A
// history of every answer is kept and checked once all is over. It ends with
//
//	drill-replay: L launches x C copies, F faults, T accepted twice, U undisturbed refused
//
// and exits with status 1 where T or U is not 0, or an answer came that nothing explains. Undisturbed are the launches
// whose login and copies all fell between two faults.
//
//	drillreplay -sidecar BINARY [-launches N] [-copies N] [-nodes N] [-cycles N] [-stores LIST] [-state FILE] [-seed N]
//
// With -state it adds up with the parts before it, and all the figures are those of all parts. After an interrupt it ends
// with the cycle under way.
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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/testservers"
)

// cyclesOfGroup is how many cycles a group lives at most: servers that were replaced leave their files until its end.
const cyclesOfGroup = 20

func main() {
	d := drill{out: os.Stdout}
	flag.StringVar(&d.binary, "sidecar", "", "the sidecar's binary")
	flag.IntVar(&d.launches, "launches", 4000, "launches of this part")
	flag.IntVar(&d.copies, "copies", 6, "copies of each launch that are handed in at once")
	flag.IntVar(&d.count, "nodes", 3, "sidecars in each group, 1 to 16")
	flag.IntVar(&d.cycles, "cycles", 50, "faults of this part")
	stores := flag.String("stores", "embedded,clock,redis,postgres", "what is drilled")
	flag.StringVar(&d.state, "state", "", "a file that parts add up in; empty: none")
	flag.Uint64Var(&d.seed, "seed", uint64(time.Now().UnixNano()), "of the faults")
	flag.Parse()
	d.stores = strings.Split(*stores, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "drill-replay:", err)
		os.Exit(1)
	}
}

// drill is what is to be done.
type drill struct {
	binary           string
	launches, copies int
	count            int // nodes of a group
	cycles           int
	stores           []string
	state            string
	seed             uint64
	out              io.Writer

	tools *tools
}

// makers make a group for each store. tb is for those that start servers.
var makers = map[string]func(d *drill, p *part, directory string, tb testing.TB) (*group, error){
	"embedded": (*drill).embeddedProcesses,
	"clock":    (*drill).embeddedHandles,
	"redis":    (*drill).redisGroup,
	"postgres": (*drill).postgresGroup,
}

// run drills one part. It ends early, after a whole cycle, where interrupted ends. Its error says that something is not
// as promised.
func (d *drill) run(interrupted context.Context) (failure error) {
	if d.binary == "" || d.copies < 2 || d.count < 1 || d.count > 16 || d.cycles < 1 || d.launches < d.cycles {
		return errors.New("name the binary with -sidecar; at least 2 copies, 1 to 16 nodes, a cycle and a launch for each cycle")
	}
	begun := time.Now()
	var err error
	if d.binary, err = filepath.Abs(d.binary); err != nil {
		return err
	}
	totals, err := readTotals(d.state, d.copies)
	if err != nil {
		return err
	}
	p := &part{ctx: context.WithoutCancel(interrupted), history: newHistory(), copies: d.copies, random: rand.New(rand.NewPCG(d.seed, 1))}
	fmt.Fprintf(d.out, "seed %d, part %d\n", d.seed, totals.Parts+1)
	if p.platform, err = startPlatform(); err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, p.platform.close()) }()
	if d.tools, err = newTools(p.platform); err != nil {
		return err
	}

	for done, turn := 0, 0; done < d.cycles && interrupted.Err() == nil && len(d.stores) > 0; turn++ {
		store := d.stores[turn%len(d.stores)]
		count := min(cyclesOfGroup, (d.cycles+len(d.stores)-1)/len(d.stores), d.cycles-done)
		err := d.drillGroup(interrupted, p, totals, store, count)
		if errors.Is(err, testservers.ErrMissing) {
			fmt.Fprintf(d.out, "NOT DRILLED: %s: %v\n", store, err)
			if !slices.Contains(totals.Undrilled, store) {
				totals.Undrilled = append(totals.Undrilled, store)
			}
			d.stores = slices.DeleteFunc(d.stores, func(s string) bool { return s == store })
			continue
		}
		if err != nil {
			return err
		}
		done += count
	}
	verdict := p.history.check()
	totals.Parts++
	totals.Seconds += time.Since(begun).Seconds()
	totals.add(verdict)
	if err := totals.write(d.state); err != nil {
		return err
	}
	for _, finding := range verdict.told {
		fmt.Fprintf(d.out, "  FAIL %s\n", finding)
	}
	fmt.Fprint(d.out, totals)
	fmt.Fprintln(d.out, totals.line())
	if totals.Twice+totals.Refused+totals.Strange > 0 {
		return fmt.Errorf("the promise is broken, or %d answers are not understood", totals.Strange)
	}
	return nil
}

// drillGroup makes a group and drills some cycles.
func (d *drill) drillGroup(interrupted context.Context, p *part, totals *totals, store string, count int) (failure error) {
	maker, ok := makers[store]
	if !ok {
		return fmt.Errorf("-stores: %q is none of embedded, clock, redis and postgres", store)
	}
	directory, err := os.MkdirTemp("", "drill") // short: the path of a Unix socket has at most 107 bytes
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, os.RemoveAll(directory)) }()
	var inside error
	outside := testservers.Run(p.ctx, func(tb testing.TB) {
		var g *group
		if g, inside = maker(d, p, directory, tb); inside != nil {
			return
		}
		defer func() { inside = errors.Join(inside, g.close()) }()
		inside = d.drillCycles(interrupted, p, totals, g, count)
	})
	return errors.Join(outside, inside)
}

func (d *drill) drillCycles(interrupted context.Context, p *part, totals *totals, g *group, count int) error {
	var kept []*ticket
	for range count {
		if interrupted.Err() != nil {
			return nil
		}
		f := totals.least(g, p.random)
		launches := d.launches / d.cycles
		recovery, left, err := p.cycle(g, f, launches, kept)
		if err != nil {
			return err
		}
		kept = left
		note := totals.fault(g.name + ": " + f.name)
		note.Times++
		note.Launches += launches
		note.Slowest = max(note.Slowest, recovery.Seconds())
	}
	return nil
}
