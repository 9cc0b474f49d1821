// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// embeddedProcesses are sidecars that are clones of one another, each with its embedded store: they share keys and
// instance, and compete for one seal file.
type embeddedProcesses struct {
	nodes []*sidecar
}

func (d *drill) embeddedProcesses(p *part, directory string, _ testing.TB) (*group, error) {
	runtime, err := memoryDirectory()
	if err != nil {
		return nil, err
	}
	e := &embeddedProcesses{}
	g := &group{name: "embedded", close: func() error {
		var failures []error
		for _, s := range e.nodes {
			failures = append(failures, s.close())
		}
		return errors.Join(append(failures, os.RemoveAll(runtime))...)
	}}
	for i := range d.count {
		s, err := newSidecar(d.binary, filepath.Join(directory, fmt.Sprint(i)), runtime, p.platform.uri, ownKeys)
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		e.nodes = append(e.nodes, s)
		g.nodes = append(g.nodes, s)
	}
	first := e.nodes[0]
	err = errors.Join(first.start(), first.ready(p.ctx), first.stop(), e.clone(first))
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.faults = e.faults()
	return g, nil
}

// memoryDirectory makes a directory on tmpfs where there is one, for the seal of a clean stop.
func memoryDirectory() (string, error) {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return os.MkdirTemp("/dev/shm", "drill-replay-")
	}
	return os.MkdirTemp("", "drill-replay-")
}

// clone copies a sidecar that has stopped, its keys and all, over the others, which are killed, and starts all at once.
func (e *embeddedProcesses) clone(original *sidecar) error {
	var failures []error
	for _, other := range e.nodes {
		if other == original {
			continue
		}
		failures = append(failures, other.kill())
		for _, name := range []string{"data", "keys"} {
			failures = append(failures, os.RemoveAll(other.path(name)), os.CopyFS(other.path(name), os.DirFS(original.path(name))))
		}
		failures = append(failures, private(other.path("keys")), private(other.path("data")))
	}
	var mutex sync.Mutex
	var starting sync.WaitGroup
	for _, s := range e.nodes {
		starting.Go(func() {
			err := s.start()
			mutex.Lock()
			defer mutex.Unlock()
			failures = append(failures, err)
		})
	}
	starting.Wait()
	return errors.Join(failures...)
}

// private takes a copied directory's files away from others: os.CopyFS does not keep all of a mode.
func private(directory string) error {
	return filepath.WalkDir(directory, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}

func (e *embeddedProcesses) faults() []fault {
	nonces := func(s *sidecar) string { return s.path("data/nonces") }
	// between makes a fault that happens while a random sidecar does not run.
	between := func(name string, clean bool, change func(s *scene, n *sidecar) error) fault {
		return fault{name, func(s *scene) error {
			n := e.nodes[s.node()]
			s.pause(100 * time.Millisecond)
			end := n.kill
			if clean {
				end = n.stop
			}
			return errors.Join(end(), change(s, n), n.start())
		}}
	}
	nothing := func(*scene, *sidecar) error { return nil }
	wipe := func(_ *scene, n *sidecar) error { return os.RemoveAll(nonces(n)) }
	flip := func(s *scene, n *sidecar) error { return damage(s, nonces(n), false) }
	truncate := func(s *scene, n *sidecar) error { return damage(s, nonces(n), true) }
	rollBack := func(again func(*sidecar) error) func(s *scene, n *sidecar) error {
		return func(s *scene, n *sidecar) error {
			backup := n.path("backup")
			if err := errors.Join(os.RemoveAll(backup), os.CopyFS(backup, os.DirFS(nonces(n))), n.start(), n.ready(s.ctx)); err != nil {
				return err
			}
			s.launch(2*len(e.nodes), disturbed) // these are what the backup lacks
			return errors.Join(again(n), os.RemoveAll(nonces(n)), os.Rename(backup, nonces(n)))
		}
	}
	return []fault{
		between("killed", false, nothing),
		between("restarted cleanly", true, nothing),
		between("killed, directory wiped", false, wipe),
		between("restarted, directory wiped", true, wipe),
		between("killed, a byte flipped", false, flip),
		between("restarted, a byte flipped", true, flip),
		between("killed, a file truncated", false, truncate),
		between("restarted, a file truncated", true, truncate),
		between("rolled back to a clean stop after a kill", true, rollBack((*sidecar).kill)),
		between("rolled back to a clean stop after a clean stop", true, rollBack((*sidecar).stop)),
		{"cloned after a clean stop", func(s *scene) error {
			n := e.nodes[s.node()]
			return errors.Join(n.stop(), e.clone(n))
		}},
		{"cloned after a kill", func(s *scene) error {
			n := e.nodes[s.node()]
			return errors.Join(n.kill(), e.clone(n))
		}},
		{"killed while starting", func(s *scene) error {
			n := e.nodes[s.node()]
			if err := errors.Join(n.stop(), n.start()); err != nil {
				return err
			}
			s.pause(60 * time.Millisecond)
			return errors.Join(n.kill(), n.start())
		}},
		{"killed while stopping", func(s *scene) error {
			n := e.nodes[s.node()]
			if err := n.signal(syscall.SIGTERM); err != nil {
				return err
			}
			s.pause(60 * time.Millisecond)
			return errors.Join(n.kill(), n.start())
		}},
		suspension(e.nodes),
	}
}

// suspension suspends a sidecar and resumes it.
func suspension(nodes []*sidecar) fault {
	return fault{"process suspended", func(s *scene) error {
		n := nodes[s.random.IntN(len(nodes))]
		s.pause(50 * time.Millisecond)
		if err := n.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		s.pause(2 * time.Second)
		return n.signal(syscall.SIGCONT)
	}}
}

// damage flips a bit or cuts the end off, in one of Badger's files.
func damage(s *scene, directory string, truncate bool) error {
	files, err := filepath.Glob(filepath.Join(directory, "badger", "*"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	s.random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.Size() == 0 {
			continue
		}
		at := s.random.Int64N(info.Size())
		if truncate {
			return os.Truncate(file, at)
		}
		return flipBit(file, at, byte(1)<<s.random.IntN(8))
	}
	return errors.New("there is no file to damage in " + directory)
}

func flipBit(file string, at int64, bit byte) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var b [1]byte
	_, readErr := f.ReadAt(b[:], at)
	b[0] ^= bit
	_, writeErr := f.WriteAt(b[:], at)
	return errors.Join(readErr, writeErr, f.Close())
}
