// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"errors"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// commits lets writes that come at once share one transaction, and so one wait for the disk: while one transaction
// commits, those that come gather for the next.
type commits struct {
	mutex   sync.Mutex
	waiting []*write
	running bool
}

// write is one change, on its way. change may run more than once, each time from the start.
type write struct {
	change func(*bolt.Tx) error
	done   chan error
}

// refusal is the answer of a change that wrote nothing. It leaves the others of its transaction alone.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// update makes a change durable. The change fails for itself alone.
func (s *Store) update(change func(*bolt.Tx) error) error {
	w := &write{change: change, done: make(chan error, 1)}
	s.commits.mutex.Lock()
	s.commits.waiting = append(s.commits.waiting, w)
	idle := !s.commits.running
	s.commits.running = true
	s.commits.mutex.Unlock()
	if idle {
		go s.commitAll()
	}
	return <-w.done
}

// commitAll commits until nothing waits.
func (s *Store) commitAll() {
	for {
		s.commits.mutex.Lock()
		batch := s.commits.waiting
		s.commits.waiting = nil
		if len(batch) == 0 {
			s.commits.running = false
			s.commits.mutex.Unlock()
			return
		}
		s.commits.mutex.Unlock()
		for len(batch) > 0 {
			batch = s.commitTogether(batch)
		}
	}
}

// commitTogether commits a batch in one transaction and answers it. Where one change fails, it answers that one and
// returns the others, to be tried again.
func (s *Store) commitTogether(batch []*write) (again []*write) {
	answers := make([]error, len(batch))
	at := 0
	err := guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			for at = range batch {
				err := batch[at].change(tx)
				var refused refusal
				if errors.As(err, &refused) {
					answers[at] = refused.error
				} else if err != nil {
					return err
				}
			}
			at = len(batch) // from here on, what fails is the commit
			return nil
		})
	})
	if err != nil && at < len(batch) {
		batch[at].done <- err
		return append(batch[:at:at], batch[at+1:]...)
	}
	for i, w := range batch {
		if err != nil {
			answers[i] = err
		}
		w.done <- answers[i]
	}
	return nil
}
