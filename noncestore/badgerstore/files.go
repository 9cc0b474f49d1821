// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxProof is how many bytes of files a fingerprint reads at most. Twelve minutes of a thousand launches a second are
// well below a tenth of it.
const maxProof = 1 << 30

// A directory that was set aside has this in its name, and keptAside of them are kept.
const (
	asideInfix = ".corrupt-"
	keptAside  = 3
)

// fingerprint hashes the names, sizes and bytes of all of Badger's files: its MANIFEST, its tables and the rest. The
// bytes are read, and not only the sizes, because Badger passes over a damaged table with a line in its log.
func fingerprint(directory string) (sum [32]byte, err error) {
	entries, err := os.ReadDir(directory) // sorted by name
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	left := int64(maxProof)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return sum, err
		}
		if !info.Mode().IsRegular() {
			return sum, fmt.Errorf("%s is not a file", entry.Name())
		}
		if left -= info.Size(); left < 0 {
			return sum, fmt.Errorf("the files are larger than %d bytes together", int64(maxProof))
		}
		fmt.Fprintf(hash, "%q %d\n", entry.Name(), info.Size())
		if err := hashFile(hash, filepath.Join(directory, entry.Name()), info.Size()); err != nil {
			return sum, err
		}
	}
	hash.Sum(sum[:0])
	return sum, nil
}

// hashFile adds the first size bytes of a file.
func hashFile(hash io.Writer, path string, size int64) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() // read only: nothing to lose
	_, err = io.CopyN(hash, file, size)
	return err
}

// discardedInfix is in the name of a directory that is on its way out.
const discardedInfix = ".discarded-"

// discard takes a directory out of the way, if it is there. Removing the files takes far longer than a start may: see
// sweep.
func discard(path string, random io.Reader) error {
	var tail [4]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return fmt.Errorf("badgerstore: no randomness for a name: %w", err)
	}
	err := os.Rename(path, path+discardedInfix+hex.EncodeToString(tail[:]))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("badgerstore: clear the unproven nonce directory: %w", err)
	}
	return nil
}

// sweep removes what this start and former ones discarded.
func (s *Store) sweep() {
	discarded, err := namesWith(s.badgerPath(), discardedInfix)
	for _, name := range discarded {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.config.Directory, name)))
	}
	if err != nil {
		s.log.Warn("a discarded nonce directory cannot be removed; the next start tries again", "error", err)
	}
}

// setAside renames a directory to <path>.corrupt-<time>-<random>.
func setAside(path string, now time.Time, random io.Reader) (string, error) {
	var tail [4]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return "", fmt.Errorf("badgerstore: no randomness for a name: %w", err)
	}
	aside := path + asideInfix + now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(tail[:])
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("badgerstore: set the damaged nonce directory aside: %w", err)
	}
	return aside, nil
}

// removeOldAside removes all but the newest keptAside of the directories that were set aside.
func removeOldAside(path string) error {
	names, err := namesWith(path, asideInfix)
	if err != nil {
		return err
	}
	slices.Sort(names) // by time
	for len(names) > keptAside {
		if err := os.RemoveAll(filepath.Join(filepath.Dir(path), names[0])); err != nil {
			return err
		}
		names = names[1:]
	}
	return nil
}

// namesWith returns the names beside path that are its own, with an infix after it.
func namesWith(path, infix string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), filepath.Base(path)+infix) {
			names = append(names, entry.Name())
		}
	}
	return names, err
}
