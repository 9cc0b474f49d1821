// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"
)

// Config says where a Store keeps its files and what it takes time and randomness from.
type Config struct {
	// Directory is where the store keeps its files. It is made, with mode 0700, where it is absent; its parents too.
	// One store at a time may use it. It must be empty with InMemory, and may not be empty without.
	Directory string

	// InMemory keeps the redemptions in memory only. Every Open then begins with a new seal. False: on disk.
	InMemory bool

	// Instance is the id of this sidecar, made once and kept by the caller. It begins every generation. It may not be
	// all zero.
	Instance [4]byte

	// SealDirectories are the places where a clean Close may leave the seal for the next Open, the first usable one
	// first. A place is usable only where it lies on tmpfs, outside Directory, and nobody else may write to it. It is
	// made, with mode 0700, where it is absent and its parent lies on tmpfs. Nil: $RUNTIME_DIRECTORY,
	// $XDG_RUNTIME_DIR/ltisidecar, /run/ltisidecar and /dev/shm/ltisidecar-<uid>. Empty but not nil: none, so every
	// Open begins with a new seal. systemd empties $RUNTIME_DIRECTORY at a stop unless the unit says
	// RuntimeDirectoryPreserve=restart, and a container's own tmpfs ends with the container: the seal then ends too.
	SealDirectories []string

	// SyncAlways waits for the disk at every redemption. False: the disk follows in its own time, which is as safe,
	// because a start that cannot prove that nothing was lost takes a new seal. It exists for comparison.
	SyncAlways bool

	// Now is the store's clock. Nil: time.Now.
	Now func() time.Time

	// Monotonic is the clock that Now is held against: the time since some moment of this process. Nil: the system's. A
	// test that moves Now by hand moves this one with it.
	Monotonic func() time.Duration

	// Rand is where seals and marks come from. Nil: crypto/rand.Reader.
	Rand io.Reader

	// Logger is told of new seals and their reason, of damage, and of what Badger says. It never sees a seal or a
	// nonce. Nil: nothing is logged.
	Logger *slog.Logger
}

// withDefaults returns the configuration with every zero field filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Instance == ([4]byte{}) {
		return c, errors.New("badgerstore: Config.Instance is zero; give the instance id of this sidecar")
	}
	if c.InMemory && c.Directory != "" {
		return c, errors.New("badgerstore: Config.Directory is set although Config.InMemory is true; choose one")
	}
	if !c.InMemory {
		if c.Directory == "" {
			return c, errors.New("badgerstore: Config.Directory is empty; name a directory or set Config.InMemory")
		}
		absolute, err := filepath.Abs(c.Directory)
		if err != nil {
			return c, fmt.Errorf("badgerstore: directory %s: %w", c.Directory, err)
		}
		c.Directory = absolute
	}
	if c.SealDirectories == nil {
		c.SealDirectories = defaultSealDirectories()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
