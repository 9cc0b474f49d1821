// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	"github.com/ltisidecar/ltisidecar/noncestore/postgresstore"
	"github.com/ltisidecar/ltisidecar/postgres"
	"github.com/ltisidecar/ltisidecar/testservers"
)

// postgresServer is the server behind the address that the sidecars have.
type postgresServer struct {
	front   *forwarder
	primary *testservers.Postgres
}

func address(p *testservers.Postgres) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
}

func (d *drill) postgresGroup(p *part, directory string, tb testing.TB) (*group, error) {
	s := &postgresServer{primary: testservers.StartPostgres(tb)}
	var err error
	if s.front, err = newForwarder(address(s.primary)); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", s.front.address())
	g, err := d.replicas(p, "postgres", directory, url, "keys: {directory: keys, encryption_key_file: encryption}\n", func(now func() time.Time) (noncestore.Store, error) {
		return opened(postgresstore.Open(p.ctx, postgresstore.Config{Database: postgres.Config{URL: url}, Secret: []byte(sharedSecret), Now: now}))
	}, s.front.close)
	if err != nil {
		return nil, err
	}
	g.faults = append(g.faults, s.faults()...)
	return g, nil
}

// opened keeps a nil *fence.Store from becoming a Store that is not nil.
func opened(store *fence.Store, err error) (noncestore.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

func (p *postgresServer) faults() []fault {
	return []fault{
		{"server killed", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			p.primary.Kill()
			p.primary.Restart()
			return nil
		}},
		{"one server process killed", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			p.primary.Crash()
			return nil
		}},
		{"lagging standby promoted", func(s *scene) error {
			standby := p.primary.StartStandby()
			s.launch(len(s.group.nodes), disturbed)
			standby.Do("ALTER SYSTEM SET primary_conninfo = ''")
			standby.Do("SELECT pg_reload_conf()")
			standby.Await("SELECT count(*) FROM pg_stat_wal_receiver", "0")
			s.launch(2*len(s.group.nodes), disturbed)
			standby.Promote()
			old := p.primary
			p.primary = standby
			if err := p.front.lead(address(standby)); err != nil {
				return err
			}
			old.Stop()
			return nil
		}},
		{"volume rolled back", func(s *scene) error {
			p.primary.Stop()
			backup := p.primary.Backup()
			p.primary.Restart()
			if _, err := s.recovered(); err != nil {
				return err
			}
			s.launch(2*len(s.group.nodes), disturbed)
			p.primary.Stop()
			p.primary.Restore(backup)
			p.primary.Restart()
			return nil
		}},
		{"tables truncated", func(s *scene) error {
			s.pause(100 * time.Millisecond)
			p.primary.Do("TRUNCATE ltisidecar.redemption")
			return nil
		}},
		{"connections cut", func(s *scene) error {
			s.pause(50 * time.Millisecond)
			return p.front.lead(address(p.primary))
		}},
	}
}
