// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ltisidecar/ltisidecar/records"
)

// Config says where a Store keeps its file.
type Config struct {
	// Path is the file. It is made, with mode 0600, where it is absent, and its directory with mode 0700. Required.
	Path string

	// LockPatience is how long Open waits for another process to release the file. Zero: 1.5 seconds.
	LockPatience time.Duration
}

const defaultLockPatience = 1500 * time.Millisecond

// The format of the file is an entry of its own bucket, whose name is no kind. Another format is not opened.
var (
	formatBucket = []byte("\x00ltisidecar")
	formatKey    = []byte("format")
	formatValue  = []byte("records 1")
)

// ErrDamaged is in the chain of Open's error where the file is there but is not whole.
var ErrDamaged = errors.New("the file is damaged")

// Open opens the store and reads the whole file once. It refuses a file that another process holds, naming the file and
// that process, and a file that is damaged or of another format, and leaves either as it is.
func Open(config Config) (*Store, error) {
	if config.Path == "" {
		return nil, errors.New("boltstore: Config.Path is empty; name a file")
	}
	if config.LockPatience < 0 {
		return nil, errors.New("boltstore: Config.LockPatience is negative")
	}
	if config.LockPatience == 0 {
		config.LockPatience = defaultLockPatience
	}
	path, err := filepath.Abs(config.Path)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %s: %w", config.Path, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(path); err != nil {
			return nil, fmt.Errorf("boltstore: make %s: %w", path, err)
		}
	case err != nil:
		return nil, fmt.Errorf("boltstore: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("boltstore: %s is not a file", path)
	case info.Size() == 0:
		return nil, damaged(path, errors.New("it is empty"))
	}
	db, err := openFile(path, config.LockPatience)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("boltstore: %s is in use by %s; stop it, or give this sidecar a file of its own",
			path, holder(path))
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if err != nil {
		return nil, damaged(path, err)
	}
	if err := guard(func() error { return inspect(db) }); err != nil {
		return nil, errors.Join(damaged(path, err), db.Close())
	}
	if err := errors.Join(os.Chmod(path, 0o600), writeHolder(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("boltstore: %w", err), db.Close())
	}
	return &Store{db: db, path: path, running: make(chan struct{}, maxRunning), closing: make(chan struct{})}, nil
}

func damaged(path string, cause error) error {
	return fmt.Errorf("boltstore: %s: %w: %w; restore it from a backup, or move it away to start without its records",
		path, ErrDamaged, cause)
}

// openFile opens an existing file. bbolt panics on some damage; the file is then closed here.
func openFile(path string, patience time.Duration) (db *bolt.DB, err error) {
	var file *os.File
	options := &bolt.Options{
		Timeout:      patience,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag&^os.O_CREATE, mode) // an absent file is not a new one: see create
			return file, err
		},
	}
	opened := false
	err = guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, options)
		opened = true
		return err
	})
	if !opened && file != nil {
		err = errors.Join(err, abandon(file))
	}
	return db, err
}

// create makes an empty store under another name and gives it its own at once, so that a crash leaves a whole file or
// none, and of two processes that do so, one wins and both open the same file.
func create(path string) (err error) {
	directory := filepath.Dir(path)
	if err := makeDirectory(directory); err != nil {
		return err
	}
	file, err := os.CreateTemp(directory, "."+filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	fresh := file.Name()
	defer func() { err = errors.Join(err, os.Remove(fresh)) }()
	if err := file.Close(); err != nil {
		return err
	}
	db, err := bolt.Open(fresh, 0o600, &bolt.Options{NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucket(formatBucket)
		if err != nil {
			return err
		}
		return bucket.Put(formatKey, formatValue)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("the file system must know hard links: %w", err)
	}
	return syncDirectory(directory)
}

// makeDirectory makes a directory and its parents where they are absent, and waits until their names are on disk.
func makeDirectory(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeDirectory(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// inspect reads every page in use once. bbolt itself looks at its two first pages only.
func inspect(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes and should have %d", info.Size(), tx.Size())
		}
		format := tx.Bucket(formatBucket)
		if format == nil {
			return errors.New("it is not a store of this program")
		}
		if value := format.Get(formatKey); !bytes.Equal(value, formatValue) && !bytes.Equal(value, lanesFormatValue) {
			return fmt.Errorf("its format is %q, and this version reads %q and %q", value, formatValue, lanesFormatValue)
		}
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			switch string(name) {
			case string(formatBucket):
				return nil
			case string(lanesBucket):
				return inspectTree(bucket)
			}
			if err := records.CheckKind(string(name)); err != nil {
				return err
			}
			last := ""
			return bucket.ForEach(func(key, entry []byte) error {
				if string(key) <= last {
					return fmt.Errorf("the keys of kind %s are out of order", name)
				}
				last = string(key)
				if len(entry) < versionSize {
					return fmt.Errorf("a document of kind %s has %d bytes, too few", name, len(entry))
				}
				return nil
			})
		})
	})
}

// inspectTree reads a bucket and all below it.
func inspectTree(bucket *bolt.Bucket) error {
	var last []byte
	return bucket.ForEach(func(key, value []byte) error {
		if last != nil && bytes.Compare(key, last) <= 0 {
			return errors.New("the keys of a lane are out of order")
		}
		last = append(last[:0], key...)
		if value != nil {
			return nil
		}
		if below := bucket.Bucket(key); below != nil {
			return inspectTree(below)
		}
		return nil
	})
}

// holderPath is the file that names the process that holds the store. It locks nothing; bbolt locks its own file.
func holderPath(path string) string { return path + ".pid" }

func writeHolder(path string) error {
	return os.WriteFile(holderPath(path), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
}

func removeHolder(path string) error {
	if err := os.Remove(holderPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("boltstore: %w", err)
	}
	return nil
}

// holder says in words who holds the file.
func holder(path string) string {
	text, err := os.ReadFile(holderPath(path))
	if err != nil {
		return "another process"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return "another process"
	case pid == os.Getpid():
		return fmt.Sprintf("process %d (this process, which opened it before)", pid)
	}
	return fmt.Sprintf("process %d", pid)
}
