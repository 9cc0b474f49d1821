// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// sealFormat is the version of the seal file. Another one is not read.
const sealFormat = 1

// sealPrefix begins the name of every seal file, of every instance.
const sealPrefix = "seal-"

// maxSealFile is the size up to which a seal file is read, in bytes.
const maxSealFile = 4 << 10

// sealRecord is what a clean stop leaves for the next start.
type sealRecord struct {
	Format        int
	Generation    noncestore.Generation
	Key           [32]byte
	Mark          [16]byte      // Badger's last entry
	BootID        string        // of the host
	WallMinusBoot time.Duration // at the seal's birth: wall clock less time since boot
	Written       time.Time
	Files         [32]byte // fingerprint of Badger's files
}

// sealPath is where the seal file of this instance lies in a directory.
func (s *Store) sealPath(directory string) string {
	return filepath.Join(directory, sealPrefix+hex.EncodeToString(s.config.Instance[:]))
}

// leaveSealFile writes the seal file into the first usable directory.
func (s *Store) leaveSealFile(record sealRecord) error {
	record.Format = sealFormat
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write the seal file: %w", err)
	}
	var doubts []error
	for _, directory := range s.config.SealDirectories {
		err := s.usableForSeal(directory, true)
		if err == nil {
			err = s.writeSealFile(directory, text)
		}
		if err == nil {
			return nil
		}
		doubts = append(doubts, fmt.Errorf("%s: %w", directory, err))
	}
	return errors.Join(append([]error{errors.New("no place on tmpfs for the seal")}, doubts...)...)
}

// writeSealFile writes under another name first, so that nobody finds half a file.
func (s *Store) writeSealFile(directory string, text []byte) error {
	tail, err := s.randomName()
	if err != nil {
		return err
	}
	path := s.sealPath(directory)
	fresh := path + ".new-" + tail
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return nil
}

// takeSealFiles takes the seal files of this instance out of all directories. A file that it cannot take alone, or not
// read, is not among them.
func (s *Store) takeSealFiles() ([]sealRecord, error) {
	var records []sealRecord
	for _, directory := range s.config.SealDirectories {
		if s.usableForSeal(directory, false) != nil {
			continue
		}
		tail, err := s.randomName()
		if err != nil {
			return nil, fmt.Errorf("badgerstore: %w", err)
		}
		record, err := takeSealFile(s.sealPath(directory), tail)
		if err == nil {
			records = append(records, record)
		} else if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("a seal file cannot be used", "directory", directory, "error", err)
		}
	}
	return records, nil
}

// takeSealFile renames the file to a name of its own, so that of two takers one has it, reads it and removes it. It also
// removes what nobody else can use.
func takeSealFile(path, tail string) (record sealRecord, err error) {
	taken := path + ".taken-" + tail
	var text []byte
	if err = os.Rename(path, taken); err == nil {
		text, err = readSealFile(taken)
		err = errors.Join(err, os.Remove(taken))
	}
	err = errors.Join(err, removeLeftovers(path))
	if err != nil {
		return sealRecord{}, err
	}
	if err := json.Unmarshal(text, &record); err != nil {
		return sealRecord{}, errors.New("it is not a seal file") // the cause could quote it
	}
	if record.Format != sealFormat {
		return sealRecord{}, fmt.Errorf("it has format %d", record.Format)
	}
	return record, nil
}

// removeLeftovers removes what takers and writers of a seal file left that died half way, and the seal files of other
// instances that were not started again while a state lives: nobody can use them any more.
func removeLeftovers(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), filepath.Base(path))
		half := ok && (strings.HasPrefix(rest, ".taken-") || strings.HasPrefix(rest, ".new-"))
		if !half && !outlived(entry) {
			continue
		}
		removeErr := os.Remove(filepath.Join(filepath.Dir(path), entry.Name()))
		if removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// outlived reports that an entry is a seal file too old to be used, by the clock of the file system.
func outlived(entry fs.DirEntry) bool {
	if !strings.HasPrefix(entry.Name(), sealPrefix) || !entry.Type().IsRegular() {
		return false
	}
	info, err := entry.Info()
	return err == nil && time.Since(info.ModTime()) > noncestore.StateLifetime+clockTolerance
}

func readSealFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	if err := ours(info); err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %04o)", info.Mode().Perm())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // read only: nothing to lose
	text, err := io.ReadAll(io.LimitReader(file, maxSealFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSealFile {
		return nil, errors.New("it is too large")
	}
	return text, nil
}

// usableForSeal returns nil where the seal may lie in the directory.
func (s *Store) usableForSeal(directory string, create bool) error {
	if !filepath.IsAbs(directory) {
		return errors.New("it is not an absolute path")
	}
	if inside, err := filepath.Rel(s.config.Directory, directory); err != nil ||
		inside == "." || (inside != ".." && !strings.HasPrefix(inside, ".."+string(filepath.Separator))) {
		return errors.New("it lies in the data directory, and a copy of that would have the seal too")
	}
	if create && !exists(directory) && s.host.tmpfs(filepath.Dir(directory)) {
		if err := os.Mkdir(directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	info, err := os.Lstat(directory)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("it is not a directory")
	}
	if err := ours(info); err != nil {
		return err
	}
	if !s.host.tmpfs(directory) {
		return errors.New("it does not lie on tmpfs")
	}
	return nil
}

func (s *Store) randomName() (string, error) {
	var name [8]byte
	if _, err := io.ReadFull(s.config.Rand, name[:]); err != nil {
		return "", fmt.Errorf("no randomness for a name: %w", err)
	}
	return hex.EncodeToString(name[:]), nil
}
