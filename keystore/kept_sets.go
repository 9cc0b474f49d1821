// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/jose"
)

// Bounds of the key sets that are kept on disk.
const (
	keptSuffix   = ".keys"
	keptPurpose  = "platform keys 1 " // of the seal; the identity follows, so that no file passes for another's
	maxKeptSize  = 2 << 20            // bytes of a file: a key set of the largest size, encoded twice
	maxKeptBytes = 64 << 20           // of all files together
	maxKeptAhead = 5 * time.Minute    // a set that is from further ahead shows that our clock was set back
)

// Sealer seals what is kept on disk, so that nobody who can write there can give a platform another key. A text opens
// only for the purpose it was sealed for. *ToolKeys is one.
type Sealer interface {
	Seal(purpose string, plaintext []byte) (string, error)
	Open(purpose, sealed string) ([]byte, error)
}

// keptSet is what a file holds, under the seal.
type keptSet struct {
	Fetched  time.Time `json:"fetched_time"`
	Expires  time.Time `json:"expire_time"`
	Document []byte    `json:"key_set"` // as the platform sent it
}

// keptSets keeps the last good key set of each registration on disk, one sealed file each, for the next start. Files are
// few and small: the least recently used go first. Writing never holds up a launch, and what fails is only logged.
type keptSets struct {
	directory *os.File
	sealer    Sealer
	logger    *slog.Logger

	mutex   sync.Mutex
	files   *lru.Cache[string, int64] // size by name
	size    int64                     // of all
	waiting map[string]keptSet        // to be written, by identity; the newest of each
	writing bool
	running sync.WaitGroup
}

// openKeptSets opens the directory, makes it where it is absent, and removes what is over the bounds.
func openKeptSets(path string, most int, sealer Sealer, logger *slog.Logger) (*keptSets, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of platform keys: %w", err)
	}
	directory, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory of platform keys: %w", err)
	}
	k := &keptSets{directory: directory, sealer: sealer, logger: logger, waiting: map[string]keptSet{}}
	k.files, err = lru.NewWithEvict(most, k.remove)
	if err == nil {
		err = k.readDirectory()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the directory of platform keys: %w", err), directory.Close())
	}
	return k, nil
}

// readDirectory takes in the files that are there, oldest first.
func (k *keptSets) readDirectory() error {
	entries, err := k.directory.ReadDir(-1)
	if err != nil {
		return err
	}
	var infos []fs.FileInfo
	for _, entry := range entries {
		if leftover, err := filepath.Match(temporaryName, entry.Name()); err == nil && leftover { // of a write that was cut short
			k.remove(entry.Name(), 0)
			continue
		}
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(info.Name(), keptSuffix) {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range infos {
		k.count(info.Name(), info.Size())
	}
	return nil
}

// count notes the size of a file as the most recently used, and makes room. The mutex is held, or not needed yet.
func (k *keptSets) count(name string, size int64) {
	if old, known := k.files.Peek(name); known {
		k.size -= old
	}
	k.size += size
	k.files.Add(name, size)
	for k.size > maxKeptBytes {
		k.files.RemoveOldest()
	}
}

// remove is called for a file that leaves the list.
func (k *keptSets) remove(name string, size int64) {
	k.size -= size
	if err := os.Remove(k.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.logger.Warn("platform keys not removed from disk", "error", err)
	}
}

func (k *keptSets) path(name string) string { return filepath.Join(k.directory.Name(), name) }

// load returns what was kept of a registration, checked: nil where there is nothing, or nothing that may be trusted at
// this time. grace is how long keys serve once expired.
func (k *keptSets) load(identity, registration string, now time.Time, grace time.Duration) (*jose.KeySet, keptSet) {
	ignore := func(err error) (*jose.KeySet, keptSet) {
		k.logger.Warn("platform keys on disk ignored", "registration", registration, "error", err)
		return nil, keptSet{}
	}
	sealed, err := k.read(identity)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, keptSet{}
	case err != nil:
		return ignore(err)
	}
	text, err := k.sealer.Open(keptPurpose+identity, sealed)
	if err != nil {
		return ignore(fmt.Errorf("the file is damaged, or of other keys of this sidecar: %w", err))
	}
	var kept keptSet
	if err := json.Unmarshal(text, &kept); err != nil {
		return ignore(err)
	}
	lifetime := kept.Expires.Sub(kept.Fetched)
	switch {
	case lifetime < minLifetime || lifetime > maxLifetime:
		return ignore(fmt.Errorf("a lifetime of %s is out of bounds", lifetime))
	case kept.Fetched.Sub(now) > maxKeptAhead:
		return ignore(errors.New("they are from the future: this host's clock was set back"))
	case !now.Before(kept.Expires.Add(grace)):
		return nil, keptSet{}
	}
	set, err := parseKeySet(kept.Document)
	if err != nil {
		return ignore(err)
	}
	return set, kept
}

// read returns the content of a file.
func (k *keptSets) read(identity string) (string, error) {
	name := identity + keptSuffix
	k.mutex.Lock()
	k.files.Get(name) // it is in use
	k.mutex.Unlock()
	file, err := os.OpenFile(k.path(name), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeptSize {
		return "", fmt.Errorf("%s is no file of at most %d bytes", file.Name(), maxKeptSize)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeptSize))
	return string(content), err
}

// keep writes a set in the background. One goroutine writes, and of each registration only the newest set.
func (k *keptSets) keep(identity string, set keptSet) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.waiting[identity] = set
	if k.writing {
		return
	}
	k.writing = true
	k.running.Go(k.write)
}

// write writes what waits, until nothing does.
func (k *keptSets) write() {
	for {
		identity, set, found := k.next()
		if !found {
			return
		}
		size, err := k.writeOne(identity, set)
		if err != nil {
			k.logger.Warn("platform keys not kept on disk", "error", err)
			continue
		}
		k.mutex.Lock()
		k.count(identity+keptSuffix, size)
		k.mutex.Unlock()
	}
}

func (k *keptSets) next() (identity string, set keptSet, found bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for identity, set := range k.waiting {
		delete(k.waiting, identity)
		return identity, set, true
	}
	k.writing = false
	return "", keptSet{}, false
}

func (k *keptSets) writeOne(identity string, set keptSet) (int64, error) {
	text, err := json.Marshal(set)
	if err != nil {
		return 0, err
	}
	sealed, err := k.sealer.Seal(keptPurpose+identity, text)
	if err != nil {
		return 0, err
	}
	return int64(len(sealed)), writePrivateFile(k.directory, k.path(identity+keptSuffix), []byte(sealed))
}

// close waits until all is written, and closes the directory.
func (k *keptSets) close() {
	k.running.Wait()
	if err := k.directory.Close(); err != nil {
		k.logger.Warn("directory of platform keys not closed", "error", err)
	}
}
