// SPDX-License-Identifier: Apache-2.0

// Package records is the contract of small durable records: few writes that may not be forgotten. Package recordstest
// is the suite that every implementation passes.
package records

import (
	"context"
	"errors"
)

// Limits of a document.
const (
	MaxKindLength = 64        // bytes; a-z, 0-9, '_' and '-'
	MaxKeyLength  = 1024      // bytes; any but empty
	MaxValueSize  = 256 << 10 // bytes
)

// Document is one record. Value is opaque to the store.
type Document struct {
	Kind    string // what sort of record
	Key     string // unique within the kind
	Version uint64 // 1 when created, one more at each change
	Value   []byte
}

// The errors of a Store. An implementation may wrap them.
var (
	ErrNotFound    = errors.New("records: no such document")
	ErrConflict    = errors.New("records: the document has another version")
	ErrInvalid     = errors.New("records: kind, key or value is outside its limits")
	ErrUnavailable = errors.New("records: the store is unavailable")
)

// Store keeps documents. All methods may be called from many goroutines. A write that returned nil survives a crash of
// the process and of the host.
type Store interface {
	// Get returns a document, or ErrNotFound. The caller owns the value.
	Get(ctx context.Context, kind, key string) (Document, error)

	// Put writes a document whose Version is the one it replaces, 0 for one that must not exist yet, and returns the
	// new version. Where the stored version differs it writes nothing and returns ErrConflict.
	Put(ctx context.Context, document Document) (version uint64, err error)

	// Delete removes a document of that version. It returns ErrNotFound or ErrConflict, and then changes nothing.
	Delete(ctx context.Context, kind, key string, version uint64) error

	// List returns the documents of a kind with keys above after, in order of their keys, at most limit (1 to 1000).
	List(ctx context.Context, kind, after string, limit int) ([]Document, error)

	// Close releases the store. Calls after Close return ErrUnavailable.
	Close() error
}
