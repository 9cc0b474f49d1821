// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
)

// embeddedHandles are embedded stores in this process, whose wall clocks can be set. Each has its own instance.
func (d *drill) embeddedHandles(_ *part, directory string, _ testing.TB) (*group, error) {
	runtime, err := memoryDirectory()
	if err != nil {
		return nil, err
	}
	var handles []*handle
	g := &group{name: "embedded, clock set", close: func() error {
		var failures []error
		for _, h := range handles {
			failures = append(failures, h.stop())
		}
		return errors.Join(append(failures, os.RemoveAll(runtime))...)
	}}
	for i := range d.count {
		path := filepath.Join(directory, fmt.Sprint(i))
		h := &handle{tools: d.tools, open: func(now func() time.Time) (noncestore.Store, error) {
			return badgerstore.Open(badgerstore.Config{Directory: path, Instance: [4]byte{byte(i + 1)}, SealDirectories: []string{runtime}, Now: now})
		}}
		handles = append(handles, h)
		g.nodes = append(g.nodes, h)
		if err := h.start(); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	g.faults = append(clockFaults(handles), fault{"clock set while stopped", func(s *scene) error {
		h := handles[s.node()]
		err := h.stop()
		h.set(time.Duration(s.random.Int64N(int64(2*time.Hour))) - time.Hour)
		return errors.Join(err, h.start())
	}}, fault{"clock set while stopped, and back while stopped", func(s *scene) error {
		h := handles[s.node()]
		before := time.Duration(h.ahead.Load())
		err := h.stop()
		h.set(before + noncestore.Retention + time.Minute)
		err = errors.Join(err, h.start())
		s.attack()
		err = errors.Join(err, h.stop())
		h.set(before)
		return errors.Join(err, h.start())
	}})
	return g, nil
}

// clockFaults set the clock of one of the handles.
func clockFaults(handles []*handle) []fault {
	move := func(name string, steps ...time.Duration) fault {
		return fault{name, func(s *scene) error {
			h := handles[s.random.IntN(len(handles))]
			for i, step := range steps {
				if i > 0 {
					s.attack()
				}
				h.set(time.Duration(h.ahead.Load()) + step)
			}
			return nil
		}}
	}
	const far = noncestore.Retention + time.Minute
	return []fault{
		move("clock set ahead", far),
		move("clock set back", -far),
		move("clock set ahead, and back", far, -far),
		move("clock set back, and ahead", -far, far),
		move("clock set by little, and back", 4*time.Second, -4*time.Second),
	}
}
