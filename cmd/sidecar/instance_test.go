// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// failingStore is a store whose n-th write fails, as a crash before it would have it.
type failingStore struct {
	records.Store
	writes int
}

var errCrash = errors.New("crash")

func (s *failingStore) Put(ctx context.Context, document records.Document) (uint64, error) {
	if s.writes--; s.writes < 0 {
		return 0, errCrash
	}
	return s.Store.Put(ctx, document)
}

// A crash at any point of the first start is no loss: the next start is a first start again, or goes on.
func TestFirstStartSurvivesACrash(t *testing.T) {
	for writes := range 3 {
		directory := t.TempDir()
		store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(directory, "records.db")})
		check(t, err)
		found, err := findInstance(t.Context(), instancePlace{directory: directory}, store, false)
		check(t, err)
		err = found.keep(t.Context(), instancePlace{directory: directory}, &failingStore{Store: store, writes: writes})
		if crashed := errors.Is(err, errCrash); crashed != (writes < 2) {
			t.Fatalf("after %d writes: %v", writes, err)
		}
		again, err := findInstance(t.Context(), instancePlace{directory: directory}, store, false)
		if err != nil {
			t.Fatalf("after %d writes: %v", writes, err)
		}
		check(t, again.keep(t.Context(), instancePlace{directory: directory}, store))
		last, err := findInstance(t.Context(), instancePlace{directory: directory}, store, false)
		check(t, err)
		if last.id != again.id || last.first() {
			t.Errorf("after %d writes: %x, then %x", writes, again.id, last.id)
		}
		// From here on one without the other is a loss.
		check(t, os.Remove(filepath.Join(directory, instanceFile)))
		if _, err := findInstance(t.Context(), instancePlace{directory: directory}, store, false); err == nil {
			t.Error("the lost key directory was not noticed")
		}
		check(t, store.Close())
	}
}
