// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	workers      = 8                // launches at once, each of several copies
	callTime     = 10 * time.Second // of one call
	recoveryTime = 30 * time.Second // after a fault, until every node accepts new logins
	keptLaunches = 64               // of earlier cycles, which are repeated again and again
)

// group is some nodes over one store, or over stores of one kind, and what can befall them.
type group struct {
	name   string
	nodes  []node
	shared bool // a login at one node may be launched at another
	faults []fault
	close  func() error
}

// fault breaks something and mends what does not mend by itself.
type fault struct {
	name string
	do   func(s *scene) error
}

// scene is one cycle: launches before, while and after something breaks.
type scene struct {
	*part
	group *group
	fault string

	mutex   sync.Mutex
	tickets []*ticket // whose launches are repeated
}

// part is one run of the drill.
type part struct {
	ctx      context.Context
	platform *testPlatform
	history  *history
	copies   int
	random   *rand.Rand // of faults; one goroutine at a time uses it
}

// cycle drills one fault with some launches. It returns how long the group took to recover.
func (p *part) cycle(g *group, f fault, launches int, kept []*ticket) (time.Duration, []*ticket, error) {
	s := &scene{part: p, group: g, fault: f.name}
	if _, err := s.recovered(); err != nil {
		return 0, nil, err
	}
	calm := launches / 2
	waiting := (launches - calm) / 2
	flying := launches - calm - waiting
	s.launch(calm, undisturbed)
	unused := s.logins(waiting)

	var flight sync.WaitGroup
	flight.Go(func() { s.launch(flying, disturbed) })
	err := f.do(s)
	flight.Wait()
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %s: %w", g.name, f.name, err)
	}
	recovery, err := s.recovered()
	if err != nil {
		return 0, nil, err
	}
	s.each(len(unused), func(i int) { s.volley(unused[i]) })
	s.tickets = append(s.tickets, kept...)
	s.attack()
	p.shuffle(s.tickets)
	return recovery, s.tickets[:min(len(s.tickets), keptLaunches)], nil
}

func (p *part) shuffle(tickets []*ticket) {
	p.random.Shuffle(len(tickets), func(i, j int) { tickets[i], tickets[j] = tickets[j], tickets[i] })
}

// each calls f for each number below n, from several goroutines.
func (s *scene) each(n int, f func(i int)) {
	numbers := make(chan int)
	var running sync.WaitGroup
	for range min(workers, n) {
		running.Go(func() {
			for i := range numbers {
				f(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	running.Wait()
}

// login begins a login at a node and keeps the ticket. It returns nil where the node refused.
func (s *scene) login(at int, kind kind) *ticket {
	launch := s.history.begin(s.group.name+": "+s.fault, kind)
	ctx, cancel := context.WithTimeout(s.ctx, callTime)
	defer cancel()
	t, err := s.platform.begin(ctx, s.group.nodes[at])
	if err != nil {
		return nil
	}
	t.launch, t.node = launch, at
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tickets = append(s.tickets, t)
	return t
}

// launch makes launches, each in several copies at once, over the nodes.
func (s *scene) launch(count int, kind kind) {
	s.each(count, func(i int) {
		if t := s.login(i%len(s.group.nodes), kind); t != nil {
			s.volley(t)
		}
	})
}

// logins begins logins that are not launched yet.
func (s *scene) logins(count int) []*ticket {
	var mutex sync.Mutex
	var begun []*ticket
	s.each(count, func(i int) {
		if t := s.login(i%len(s.group.nodes), disturbed); t != nil {
			mutex.Lock()
			defer mutex.Unlock()
			begun = append(begun, t)
		}
	})
	return begun
}

// volley hands in copies of one launch at once, at all nodes in turn, beginning where the login was. Where nodes share
// nothing, every second copy goes there.
func (s *scene) volley(t *ticket) {
	start := make(chan struct{})
	var flying sync.WaitGroup
	for copy := range s.copies {
		at := t.node + copy
		if !s.group.shared {
			at = t.node + copy%2*(copy+1)/2
		}
		flying.Go(func() {
			<-start
			s.hand(t, at%len(s.group.nodes))
		})
	}
	close(start)
	flying.Wait()
}

// hand hands in one copy and notes the answer.
func (s *scene) hand(t *ticket, at int) string {
	ctx, cancel := context.WithTimeout(s.ctx, callTime)
	defer cancel()
	outcome := s.group.nodes[at].launch(ctx, t)
	s.history.note(t.launch, at, outcome)
	return outcome
}

// attack repeats all launches so far.
func (s *scene) attack() {
	s.mutex.Lock()
	tickets := s.tickets[:len(s.tickets):len(s.tickets)]
	s.mutex.Unlock()
	s.each(len(tickets), func(i int) { s.volley(tickets[i]) })
}

// recovered waits until every node accepts new logins, and where nodes share a store, those of the others too.
func (s *scene) recovered() (time.Duration, error) {
	begun := time.Now()
	for at := range s.group.nodes {
		targets := []int{at}
		if s.group.shared {
			targets = append(targets, (at+1)%len(s.group.nodes))
		}
		for _, target := range targets {
			for {
				outcome := "the login failed"
				if t := s.login(at, probe); t != nil {
					outcome = s.hand(t, target)
				}
				if outcome == accepted {
					break
				}
				if err := s.ctx.Err(); err != nil {
					return 0, err
				}
				if time.Since(begun) > recoveryTime {
					return 0, fmt.Errorf("%s: after %s, node %d does not accept logins of node %d: %s", s.group.name, s.fault, target, at, outcome)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	return time.Since(begun), nil
}

// pause waits a random time below the longest one.
func (s *scene) pause(longest time.Duration) {
	time.Sleep(time.Duration(s.random.Int64N(int64(longest))))
}

// node returns a random number of a node.
func (s *scene) node() int { return s.random.IntN(len(s.group.nodes)) }
