// SPDX-License-Identifier: Apache-2.0

package model

import "fmt"

// EmbeddedRules says which rules of the embedded store's seal hold, and how much goes wrong. The zero value is the whole
// protocol with nothing going wrong.
type EmbeddedRules struct {
	SealInDirectory bool // keep the seal beside the redemptions, where backups and copies have it too
	SealFileStays   bool // leave the seal file in place when it is used, so that two can take it
	FilesUnchecked  bool // do not compare the files with those of the stop that left the seal
	MarkStays       bool // leave the stop mark in the files when they are used

	Starts uint8 // starts of either process, in all
	Copies uint8 // backups, clones and restores, in all
}

const embeddedStores = 2 // a store and its clone: two directories, one host, one tmpfs

// files is what lies in a data directory.
type files struct {
	redeemed bool
	mark     uint8 // of the clean stop that wrote them last; 0: none
	seal     uint8 // only with SealInDirectory
	torn     bool  // some of the redemptions may be missing
}

// sealFile is what a clean stop leaves on tmpfs.
type sealFile struct {
	seal  uint8 // 0: there is no file
	mark  uint8
	files files // their fingerprint
}

// embeddedStore is one process with its directory.
type embeddedStore struct {
	seal  uint8 // in memory; 0: the process does not run
	files files
}

// embeddedState is the whole world: one launch, and its copies given to either process as often as an attacker likes.
type embeddedState struct {
	stores   [embeddedStores]embeddedStore
	file     sealFile // one, because clones have the same instance id and so the same name for it
	backup   files
	issued   uint8 // seal of the launch's state; 0: no login yet
	accepted uint8
	lastID   uint8
	starts   uint8
	copies   uint8
}

// Embedded is the model of the store of a sidecar alone.
func Embedded(rules EmbeddedRules) Spec[embeddedState] {
	return Spec[embeddedState]{
		Steps: func(s embeddedState) []Step[embeddedState] {
			var steps []Step[embeddedState]
			add := func(next embeddedState, format string, args ...any) {
				steps = append(steps, Step[embeddedState]{fmt.Sprintf(format, args...), next})
			}
			for i := range s.stores {
				if s.stores[i].seal == 0 {
					rules.stoppedSteps(s, i, add)
				} else {
					rules.runningSteps(s, i, add)
				}
			}
			return steps
		},
		Broken: func(s embeddedState) string {
			if s.accepted > 1 {
				return "the launch was accepted twice"
			}
			return ""
		},
	}
}

type addEmbedded func(next embeddedState, format string, args ...any)

func (rules EmbeddedRules) stoppedSteps(s embeddedState, i int, add addEmbedded) {
	if s.starts < rules.Starts {
		next := s
		next.starts++
		store := &next.stores[i]
		proven := false
		if rules.SealInDirectory {
			proven, store.seal = store.files.seal != 0, store.files.seal
		} else {
			file := s.file
			if !rules.SealFileStays {
				next.file = sealFile{} // one taker
			}
			proven = file.seal != 0 && file.mark == store.files.mark && (rules.FilesUnchecked || file.files == store.files)
			store.seal = file.seal
		}
		if proven {
			if !rules.MarkStays {
				store.files.mark = 0
			}
			add(next, "process %d starts and keeps seal %d", i, store.seal)
		} else {
			next.lastID++
			store.seal, store.files = next.lastID, files{}
			if rules.SealInDirectory {
				store.files.seal = store.seal
			}
			add(next, "process %d starts with the new seal %d, empty", i, store.seal)
		}
	}
	if s.copies < rules.Copies {
		next := s
		next.copies++
		next.stores[i].files = s.backup
		add(next, "directory %d is restored from the backup", i)
	}
	if s.copies < rules.Copies && !s.stores[i].files.torn && s.stores[i].files.redeemed {
		next := s
		next.copies++
		next.stores[i].files.redeemed, next.stores[i].files.torn = false, true
		add(next, "a file of directory %d is damaged, the redemption is gone", i)
	}
}

func (rules EmbeddedRules) runningSteps(s embeddedState, i int, add addEmbedded) {
	store := s.stores[i]
	if s.issued == 0 {
		next := s
		next.issued = store.seal
		add(next, "process %d begins the login under seal %d", i, store.seal)
	}
	if s.issued == store.seal && !store.files.redeemed {
		next := s
		next.stores[i].files.redeemed = true
		next.accepted++
		add(next, "process %d accepts the launch", i)
	}
	if s.copies < rules.Copies && s.backup != store.files {
		next := s
		next.copies++
		next.backup = store.files
		add(next, "the running directory %d is copied to the backup", i)
	}
	crashed := s
	crashed.stores[i].seal = 0
	add(crashed, "process %d is killed, its writes are on the disk", i)
	crashed.stores[i].files.redeemed = false
	crashed.stores[i].files.torn = store.files.torn || store.files.redeemed
	add(crashed, "process %d is killed with its host's cache: its last writes are gone", i)

	stopped := s
	stopped.lastID++
	stopped.stores[i].files.mark = stopped.lastID
	stopped.file = sealFile{store.seal, stopped.lastID, stopped.stores[i].files}
	stopped.stores[i].seal = 0
	add(stopped, "process %d stops cleanly and leaves seal %d", i, store.seal)
	if s.copies < rules.Copies {
		stopped.copies++
		stopped.backup = stopped.stores[i].files
		add(stopped, "process %d stops cleanly and its directory is copied to the backup", i)
	}
}
