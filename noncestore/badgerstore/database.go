// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// Sizes of Badger's files. Its defaults are for databases a thousand times ours.
const (
	memTableSize  = 8 << 20
	memTables     = 2
	valueLogSize  = 16 << 20
	indexCache    = 4 << 20
	l0Tables      = 2
	l0TablesStall = 4
	compactors    = 2
)

// defaultTidyAfter is the lifetime of an entry as Badger sees it, by the wall clock and in whole seconds. Whether a redemption
// still counts is decided by its value; this must only never be shorter.
const defaultTidyAfter = noncestore.Retention + time.Minute

// A key is one byte that says what it is, then the nonce.
const (
	nonceKey = 'n'
	markKey  = 'm'
)

// badgerOptions returns the options for a directory, or for memory where the path is empty.
func badgerOptions(path string, c Config) badger.Options {
	return badger.DefaultOptions(path).
		WithInMemory(path == "").
		WithMemTableSize(memTableSize).
		WithNumMemtables(memTables).
		WithValueLogFileSize(valueLogSize).
		WithBlockCacheSize(0).
		WithIndexCacheSize(indexCache).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithNumLevelZeroTables(l0Tables).
		WithNumLevelZeroTablesStall(l0TablesStall).
		WithNumCompactors(compactors).
		WithNumGoroutines(1).
		WithSyncWrites(c.SyncAlways && path != "").
		WithDetectConflicts(false). // nonces have one writer: see commitAll
		WithMetricsEnabled(false).
		WithLogger(badgerLogger{c.Logger})
}

// find returns a *noncestore.ReplayError where a redemption of the nonce still counts, and nil where there is none.
func find(txn *badger.Txn, nonce noncestore.Nonce, now time.Time) error {
	item, err := txn.Get(keyOf(nonce))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return item.Value(func(value []byte) error {
		if len(value) != 8 {
			return fmt.Errorf("a redemption has %d bytes instead of 8", len(value))
		}
		firstUsed := time.Unix(0, int64(binary.BigEndian.Uint64(value)))
		if now.Sub(firstUsed) > noncestore.Retention {
			return nil
		}
		return &noncestore.ReplayError{FirstUsed: firstUsed}
	})
}

// outcome turns what Badger says into the errors of the contract.
func outcome(err error) error {
	var replay *noncestore.ReplayError
	if err == nil || errors.As(err, &replay) {
		return err
	}
	return unavailable(err)
}

func keyOf(nonce noncestore.Nonce) []byte { return append([]byte{nonceKey}, nonce[:]...) }

// writeMark writes the stop mark and waits until the disk has it.
func writeMark(db *badger.DB, mark [16]byte) error {
	err := db.Update(func(txn *badger.Txn) error { return txn.Set([]byte{markKey}, mark[:]) })
	if err != nil {
		return fmt.Errorf("write the stop mark: %w", err)
	}
	return syncDatabase(db)
}

// readMark returns the stop mark.
func readMark(db *badger.DB) ([]byte, error) {
	var mark []byte
	err := db.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte{markKey})
		if err != nil {
			return err
		}
		mark, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, errors.New("the stop mark is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("read the stop mark: %w", err)
	}
	return mark, nil
}

// eraseMark erases the stop mark and waits until the disk has that.
func eraseMark(db *badger.DB) error {
	err := db.Update(func(txn *badger.Txn) error { return txn.Delete([]byte{markKey}) })
	if err != nil {
		return fmt.Errorf("erase the stop mark: %w", err)
	}
	return syncDatabase(db)
}

func syncDatabase(db *badger.DB) error {
	if err := db.Sync(); err != nil {
		return fmt.Errorf("sync Badger: %w", err)
	}
	return nil
}

// badgerLogger passes on what Badger says. Its news of every start and compaction is of use to its developers only.
type badgerLogger struct{ log *slog.Logger }

func (l badgerLogger) Errorf(format string, args ...any) {
	l.log.Error(line(format, args), "from", "badger")
}
func (l badgerLogger) Warningf(format string, args ...any) {
	l.log.Warn(line(format, args), "from", "badger")
}
func (l badgerLogger) Infof(format string, args ...any) {
	l.log.Debug(line(format, args), "from", "badger")
}
func (l badgerLogger) Debugf(string, ...any) {}

func line(format string, args []any) string { return strings.TrimSpace(fmt.Sprintf(format, args...)) }
