// SPDX-License-Identifier: Apache-2.0

// Package boltstore keeps small durable records in one bbolt file, for one sidecar alone.
//
// Every write is on disk before it is answered. A full disk is an error of that write, and nothing else. A file that is
// damaged is never repaired, replaced or set aside: Open refuses it, because what it holds may not vanish silently.
//
// A document is an entry in the bucket of its kind: the key, then its version in 8 bytes, big endian, and its value.
package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
)

// maxRunning is how many calls may work on the file at once. Writes are one after the other in any case.
const maxRunning = 64

// versionSize is how many bytes before the value hold the version.
const versionSize = 8

var errClosed = errors.New("the store is closed")

// Store implements records.Store. Its methods may be called from many goroutines.
type Store struct {
	db   *bolt.DB
	path string

	running   chan struct{} // one element for each call at work
	closing   chan struct{} // closed when Close begins
	closeOnce sync.Once
	closeErr  error

	commits commits
}

// Get implements records.Store.
func (s *Store) Get(ctx context.Context, kind, key string) (records.Document, error) {
	if err := records.CheckKey(kind, key); err != nil {
		return records.Document{}, err
	}
	return do(ctx, s, func() (document records.Document, err error) {
		err = s.db.View(func(tx *bolt.Tx) error {
			document, err = find(tx.Bucket([]byte(kind)), kind, key)
			return err
		})
		return document, err
	})
}

// Put implements records.Store. Where the context ends first, the document may still be written.
func (s *Store) Put(ctx context.Context, document records.Document) (uint64, error) {
	if err := records.CheckKey(document.Kind, document.Key); err != nil {
		return 0, err
	}
	if len(document.Value) > records.MaxValueSize {
		return 0, fmt.Errorf("%w: the value has %d bytes, at most %d", records.ErrInvalid, len(document.Value),
			records.MaxValueSize)
	}
	// The entry is made here: once the context has ended, the value is the caller's again.
	version := document.Version + 1
	entry := make([]byte, 0, versionSize+len(document.Value))
	entry = append(binary.BigEndian.AppendUint64(entry, version), document.Value...)
	return do(ctx, s, func() (uint64, error) {
		return version, s.update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(document.Kind))
			if err != nil {
				return err
			}
			present, err := find(bucket, document.Kind, document.Key)
			if err != nil && !errors.Is(err, records.ErrNotFound) {
				return err
			}
			if present.Version != document.Version {
				return refusal{conflict(document.Kind, present.Version, document.Version)}
			}
			return bucket.Put([]byte(document.Key), entry)
		})
	})
}

// Delete implements records.Store. Where the context ends first, the document may still be removed.
func (s *Store) Delete(ctx context.Context, kind, key string, version uint64) error {
	if err := records.CheckKey(kind, key); err != nil {
		return err
	}
	_, err := do(ctx, s, func() (struct{}, error) {
		return struct{}{}, s.update(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(kind))
			present, err := find(bucket, kind, key)
			if errors.Is(err, records.ErrNotFound) {
				return refusal{err}
			}
			if err != nil {
				return err
			}
			if present.Version != version {
				return refusal{conflict(kind, present.Version, version)}
			}
			return bucket.Delete([]byte(key))
		})
	})
	return err
}

// List implements records.Store. Each call is a picture of one moment; two calls are not.
func (s *Store) List(ctx context.Context, kind, after string, limit int) ([]records.Document, error) {
	if err := records.CheckList(kind, after, limit); err != nil {
		return nil, err
	}
	return do(ctx, s, func() (list []records.Document, err error) {
		err = s.db.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(kind))
			if bucket == nil {
				return nil
			}
			cursor := bucket.Cursor()
			key, entry := cursor.Seek([]byte(after))
			if key != nil && string(key) == after {
				key, entry = cursor.Next()
			}
			for ; key != nil && len(list) < limit; key, entry = cursor.Next() {
				document, err := decode(kind, string(key), entry)
				if err != nil {
					return err
				}
				list = append(list, document)
			}
			return nil
		})
		return list, err
	})
}

// Close waits for the calls at work and releases the file. Every call of Close returns the result of the first.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		for range maxRunning {
			s.running <- struct{}{}
		}
		err := removeHolder(s.path) // before the lock is released, or it could be the next holder's
		if closeErr := s.db.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("boltstore: close %s: %w", s.path, closeErr))
		}
		s.closeErr = err
	})
	return s.closeErr
}

// do runs f on a goroutine of its own, at most maxRunning at once, and waits for it no longer than the context lasts.
// What is not an error of the contract becomes ErrUnavailable, and so does a fault of the disk under bbolt's memory map,
// which would otherwise end the process.
func do[T any](ctx context.Context, s *Store, f func() (T, error)) (T, error) {
	var none T
	select {
	case <-s.closing:
		return none, unavailable(errClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, unavailable(err)
	}
	select {
	case s.running <- struct{}{}:
	case <-s.closing:
		return none, unavailable(errClosed)
	case <-ctx.Done():
		return none, unavailable(ctx.Err())
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.running }()
		var r result
		r.err = guard(func() (err error) { r.value, err = f(); return err })
		done <- r
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return none, outcome(r.err)
		}
		return r.value, nil
	case <-ctx.Done():
		return none, unavailable(ctx.Err())
	}
}

// guard runs f, and turns a panic or a fault of the memory map into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged or cannot be read: %v", p)
		}
	}()
	return f()
}

// find returns a document. A nil bucket holds none.
func find(bucket *bolt.Bucket, kind, key string) (records.Document, error) {
	if bucket == nil {
		return records.Document{}, records.ErrNotFound
	}
	entry := bucket.Get([]byte(key))
	if entry == nil {
		return records.Document{}, records.ErrNotFound
	}
	return decode(kind, key, entry)
}

// decode copies a document out of the memory map.
func decode(kind, key string, entry []byte) (records.Document, error) {
	if len(entry) < versionSize {
		return records.Document{}, fmt.Errorf("a %s document has %d bytes, too few", kind, len(entry))
	}
	return records.Document{Kind: kind, Key: key, Version: binary.BigEndian.Uint64(entry),
		Value: bytes.Clone(entry[versionSize:])}, nil
}

// conflict says which versions differ; the key stays out of errors.
func conflict(kind string, present, wanted uint64) error {
	return fmt.Errorf("%w: a %s document has version %d, not %d", records.ErrConflict, kind, present, wanted)
}

// outcome leaves the errors of the contract as they are.
func outcome(err error) error {
	for _, known := range []error{
		records.ErrNotFound, records.ErrConflict, records.ErrInvalid, records.ErrUnavailable, records.ErrNoneDue,
		records.ErrLeaseLost, records.ErrNotEnded, records.ErrFull, records.ErrLaneFull, records.ErrNoSpace,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return unavailable(err)
}

func unavailable(cause error) error { return fmt.Errorf("%w: %w", records.ErrUnavailable, cause) }
