// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// badgerName is the directory of Badger's own files, inside Config.Directory. It is a directory below, and not
// Config.Directory itself, so that it can be set aside where Config.Directory is a mount point.
const badgerName = "badger"

// unproven says why the redemptions on disk cannot be relied on.
type unproven struct {
	reason  string
	damaged bool // there was a seal file, and the files are not those it was written for
}

// Error returns the reason.
func (u *unproven) Error() string { return u.reason }

// start opens Badger and takes the seal: the one left by the last clean stop where that is proven, a new one otherwise.
// The caller makes sure that nobody else starts or stops the store meanwhile.
func (s *Store) start() error {
	if s.config.InMemory {
		db, err := badger.Open(badgerOptions("", s.config))
		if err != nil {
			return fmt.Errorf("badgerstore: open Badger in memory: %w", err)
		}
		return s.begin(db, nil, "the store is in memory")
	}
	db, held, err := s.resume()
	if err == nil {
		s.log.Info("seal kept: nothing was lost since the last stop")
		return s.begin(db, held, "")
	}
	var doubt *unproven
	if !errors.As(err, &doubt) {
		return err
	}
	path := s.badgerPath()
	if doubt.damaged {
		aside, err := setAside(path, s.config.Now(), s.config.Rand)
		if err != nil {
			return err
		}
		s.log.Warn("the nonce directory was not as the last stop left it; set aside, starting empty",
			"reason", doubt.reason, "set_aside", aside)
		if err := removeOldAside(path); err != nil {
			s.log.Warn("nonce directories set aside long ago cannot be removed", "error", err)
		}
	} else if err := discard(path, s.config.Rand); err != nil {
		return err
	}
	s.sweeping.Go(s.sweep)
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("badgerstore: make the nonce directory: %w", err)
	}
	if db, err = badger.Open(badgerOptions(path, s.config)); err != nil {
		return fmt.Errorf("badgerstore: open Badger in %s: %w", path, err)
	}
	return s.begin(db, nil, doubt.reason)
}

// begin puts Badger and the seal to use. A nil seal asks for a new one.
func (s *Store) begin(db *badger.DB, held *heldSeal, reason string) error {
	if held == nil {
		var err error
		if held, err = s.newSeal(reason); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = db
	s.current.Store(held)
	return nil
}

// resume takes the seal files away, and opens Badger and returns the seal where one of them is proven. Any other error
// than *unproven is one of the host: no permission, for one.
func (s *Store) resume() (*badger.DB, *heldSeal, error) {
	path := s.badgerPath()
	left, err := s.takeSealFiles()
	if err != nil {
		return nil, nil, err
	}
	if len(left) == 0 {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, &unproven{reason: "this is the first start in this directory"}
		}
		return nil, nil, &unproven{reason: "no clean stop left its seal"}
	}
	print, err := fingerprint(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("badgerstore: read the nonce directory: %w", err)
	}
	if err != nil {
		return nil, nil, &unproven{reason: "the nonce directory cannot be read: " + err.Error(), damaged: exists(path)}
	}
	var doubt error
	for _, record := range left {
		held, err := s.judge(record, print)
		if err != nil {
			doubt = err
			continue
		}
		db, err := openMarked(badgerOptions(path, s.config), record.Mark)
		if errors.Is(err, fs.ErrPermission) {
			return nil, nil, fmt.Errorf("badgerstore: open Badger in %s: %w", path, err)
		}
		if err != nil {
			return nil, nil, &unproven{reason: err.Error(), damaged: true}
		}
		return db, held, nil
	}
	return nil, nil, doubt
}

// judge compares a seal file with the host, the clocks and the files, and returns its seal where all agree.
func (s *Store) judge(record sealRecord, print [32]byte) (*heldSeal, error) {
	bootID, err := s.host.bootID()
	if err != nil {
		return nil, &unproven{reason: "this host has no boot id"}
	}
	boot, err := s.host.bootTime()
	if err != nil {
		return nil, &unproven{reason: "this host has no clock since boot"}
	}
	now := s.config.Now()
	moved := time.Duration(now.UnixNano()) - boot - record.WallMinusBoot
	age := now.Sub(record.Written)
	switch {
	case [4]byte(record.Generation[:4]) != s.config.Instance:
		return nil, &unproven{reason: "the seal file is of another instance"}
	case record.BootID != bootID:
		return nil, &unproven{reason: "the host was started again since the last stop"}
	case moved.Abs() > clockTolerance:
		return nil, &unproven{reason: fmt.Sprintf("the wall clock moved by %s since the last stop", moved.Round(time.Millisecond))}
	case age < -clockTolerance || age >= noncestore.StateLifetime:
		return nil, &unproven{reason: fmt.Sprintf("the last stop was %s ago", age.Round(time.Second))}
	case record.Files != print:
		return nil, &unproven{reason: "the files differ from those of the last stop", damaged: true}
	}
	return &heldSeal{Seal: noncestore.Seal{Generation: record.Generation, Key: record.Key},
		birth: s.wallMinusMonotonic() - moved}, nil
}

// openMarked opens Badger, checks that it holds the stop mark, and erases the mark, synced.
func openMarked(options badger.Options, mark [16]byte) (*badger.DB, error) {
	db, err := badger.Open(options)
	if err != nil {
		return nil, fmt.Errorf("open Badger: %w", err)
	}
	found, err := readMark(db)
	if err == nil && subtle.ConstantTimeCompare(found, mark[:]) != 1 {
		err = errors.New("the stop mark differs")
	}
	if err == nil {
		err = eraseMark(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// stop is the last thing of Close: nobody else uses the store any more.
func (s *Store) stop() error {
	held := s.current.Swap(nil)
	db := s.db
	s.db = nil
	if db == nil {
		return s.unlock()
	}
	if s.config.InMemory {
		if err := db.Close(); err != nil {
			return fmt.Errorf("badgerstore: close Badger: %w", err)
		}
		return nil
	}
	if room, err := s.host.free(s.config.Directory); err != nil || room.bytes < closeReserve {
		s.log.Warn("too little free disk space to close the nonce store; the next start takes a new seal",
			"directory", s.config.Directory, "free_bytes", room.bytes, "error", err)
		return nil
	}
	record, keepErr := s.prepareRecord(held)
	if keepErr == nil {
		keepErr = writeMark(db, record.Mark)
	}
	if err := db.Close(); err != nil {
		return errors.Join(fmt.Errorf("badgerstore: close Badger: %w", err), s.unlock())
	}
	if keepErr == nil {
		record.Files, keepErr = fingerprint(s.badgerPath())
	}
	if keepErr == nil {
		keepErr = s.leaveSealFile(record)
	}
	if keepErr != nil {
		s.log.Info("seal not kept: the next start takes a new one", "reason", keepErr.Error())
	}
	return s.unlock()
}

// prepareRecord fills in all of the seal file but the hash of the files.
func (s *Store) prepareRecord(held *heldSeal) (sealRecord, error) {
	if s.jumped(held) {
		return sealRecord{}, errClockJumped
	}
	bootID, err := s.host.bootID()
	if err != nil {
		return sealRecord{}, fmt.Errorf("no boot id: %w", err)
	}
	boot, err := s.host.bootTime()
	if err != nil {
		return sealRecord{}, fmt.Errorf("no clock since boot: %w", err)
	}
	now := s.config.Now()
	// What the clock has moved since the seal's birth counts on, or many short runs could add up to a long way.
	moved := s.wallMinusMonotonic() - held.birth
	record := sealRecord{
		Generation:    held.Generation,
		Key:           held.Key,
		BootID:        bootID,
		WallMinusBoot: time.Duration(now.UnixNano()) - boot - moved,
		Written:       now,
	}
	if _, err := io.ReadFull(s.config.Rand, record.Mark[:]); err != nil {
		return sealRecord{}, fmt.Errorf("no randomness for a stop mark: %w", err)
	}
	return record, nil
}

// unlock lets the next store have the directory.
func (s *Store) unlock() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.release()
}

func (s *Store) badgerPath() string { return filepath.Join(s.config.Directory, badgerName) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
