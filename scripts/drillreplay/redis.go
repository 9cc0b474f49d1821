// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/redisstore"
	"github.com/ltisidecar/ltisidecar/testservers"
)

// sharedSecret is the secret of the sidecars over one store.
const sharedSecret = "0123456789abcdef0123456789abcdef"

// redis is the server behind the address that the sidecars have, and one to take over.
type redis struct {
	front         *forwarder
	primary, next *testservers.Redis
}

func (d *drill) redisGroup(p *part, directory string, tb testing.TB) (*group, error) {
	r := &redis{primary: testservers.StartRedis(tb), next: testservers.StartRedis(tb)}
	var err error
	if r.front, err = newForwarder(r.primary.Addr); err != nil {
		return nil, err
	}
	url := "redis://" + r.front.address()
	g, err := d.replicas(p, "redis", directory, url, ownKeys, func(now func() time.Time) (noncestore.Store, error) {
		return opened(redisstore.Open(p.ctx, redisstore.Config{URL: url, Secret: []byte(sharedSecret), Now: now}))
	}, r.front.close)
	if err != nil {
		return nil, err
	}
	g.faults = append(g.faults, r.faults()...)
	return g, nil
}

func (r *redis) faults() []fault {
	return []fault{
		{"FLUSHALL", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			r.primary.Do("FLUSHALL")
			return nil
		}},
		{"scripts flushed", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			r.primary.Do("SCRIPT", "FLUSH")
			return nil
		}},
		{"server killed", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			r.primary.Kill()
			r.primary.Restart()
			return nil
		}},
		{"server killed, an older snapshot loaded", func(s *scene) error {
			r.primary.Do("SAVE")
			s.launch(2*len(s.group.nodes), disturbed)
			r.primary.Kill()
			r.primary.Restart()
			return nil
		}},
		{"lagging replica promoted", r.failOver},
		{"lagging replica promoted, and the old primary back", func(s *scene) error {
			if err := r.failOver(s); err != nil {
				return err
			}
			s.attack()
			s.launch(2*len(s.group.nodes), disturbed)
			r.primary, r.next = r.next, r.primary // it was never told, and is still a primary
			return r.front.lead(r.primary.Addr)
		}},
		{"primary, replica, primary on held connections", func(s *scene) error {
			r.next.Promote()
			r.next.Follow(r.primary)
			r.next.Promote() // from here on it misses every redemption
			s.launch(2*len(s.group.nodes), disturbed)
			r.primary.Follow(r.next)
			s.attack()
			r.primary.Promote()
			return nil
		}},
		{"server suspended", func(s *scene) error {
			s.pause(50 * time.Millisecond)
			r.primary.Signal(syscall.SIGSTOP)
			s.pause(3 * time.Second)
			r.primary.Signal(syscall.SIGCONT)
			return nil
		}},
		{"connections cut", func(s *scene) error {
			s.pause(50 * time.Millisecond)
			return r.front.lead(r.primary.Addr)
		}},
	}
}

// failOver has a replica follow the primary over a line that is then cut, lets launches go on at the primary, and puts
// the replica in its place.
func (r *redis) failOver(s *scene) error {
	line, err := newForwarder(r.primary.Addr)
	if err != nil {
		return err
	}
	r.next.Promote() // whatever it was
	host, port, err := net.SplitHostPort(line.address())
	if err != nil {
		return errors.Join(err, line.close())
	}
	r.next.Do("REPLICAOF", host, port)
	r.next.Await("master_link_status", "up")
	s.launch(len(s.group.nodes), disturbed)
	if err := line.close(); err != nil {
		return err
	}
	s.launch(2*len(s.group.nodes), disturbed)
	r.next.Promote()
	r.primary, r.next = r.next, r.primary
	return r.front.lead(r.primary.Addr)
}

// replicas makes a group of sidecars over one store, and one more handle whose clock can be set.
func (d *drill) replicas(p *part, name, directory, url, more string, open func(now func() time.Time) (noncestore.Store, error), end func() error) (*group, error) {
	var nodes []*sidecar
	clocked := &handle{tools: d.tools, open: open}
	g := &group{name: name, shared: true, close: func() error {
		failures := []error{clocked.stop()}
		for _, n := range nodes {
			failures = append(failures, n.close())
		}
		return errors.Join(append(failures, end())...)
	}}
	more = fmt.Sprintf("store: {url: %q, secret_file: secret}\n%s", url, more)
	for i := range d.count {
		n, err := newSidecar(d.binary, filepath.Join(directory, fmt.Sprint(i)), "", p.platform.uri, more)
		if err == nil {
			nodes = append(nodes, n)
			g.nodes = append(g.nodes, n)
			err = errors.Join(os.WriteFile(n.path("secret"), []byte(sharedSecret), 0o600), os.WriteFile(n.path("encryption"), []byte(sharedSecret), 0o600), n.start(), n.ready(p.ctx))
		}
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	if err := clocked.start(); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.nodes = append(g.nodes, clocked)
	set := func(ahead time.Duration) fault {
		return fault{fmt.Sprintf("clock of a sidecar %s ahead, and back", ahead), func(s *scene) error {
			clocked.set(ahead)
			s.launch(len(g.nodes), disturbed)
			s.attack()
			clocked.set(0)
			return nil
		}}
	}
	g.faults = []fault{
		set(-13 * time.Minute), set(-30 * time.Second), set(30 * time.Second), set(13 * time.Minute),
		{"a sidecar restarted cleanly", func(s *scene) error {
			n := nodes[s.random.IntN(len(nodes))]
			return errors.Join(n.stop(), n.start())
		}},
		{"a sidecar killed", func(s *scene) error {
			n := nodes[s.random.IntN(len(nodes))]
			s.pause(100 * time.Millisecond)
			return errors.Join(n.kill(), n.start())
		}},
		suspension(nodes),
	}
	return g, nil
}
