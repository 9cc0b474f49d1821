// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ltisidecar/ltisidecar/records"
)

const (
	instanceFile = "instance"
	instanceKind = "instance"
	instanceKey  = "id"

	// unfinished begins the id in the records until the file has it too: a crash in between is a first start that did
	// not end, and no loss.
	unfinished = "unfinished "
)

// instancePlace says where the file lies.
type instancePlace struct {
	directory string // the key directory; with shared records data_dir, as the keys are in the records, too
	shared    bool   // several sidecars share the records: one that has no file yet is new, and no loss
}

// instance is who this sidecar is, or with shared records who these sidecars are: four bytes made at the first start,
// kept in a file and in the records.
type instance struct {
	id      [4]byte
	onFile  bool   // the key directory has it
	inStore bool   // the records have it
	begun   bool   // the record is still the one of a first start that did not end
	version uint64 // of the record; 0: there is none
}

// first reports whether this is the first start: nothing is there yet.
func (i *instance) first() bool { return !i.onFile && !i.inStore }

// findInstance reads the instance, or makes it where this is the first start. One place with it and the other without
// is a loss, which nothing but acceptLoss repairs. It writes nothing: see keep.
func findInstance(ctx context.Context, place instancePlace, store records.Store, acceptLoss bool) (*instance, error) {
	path := filepath.Join(place.directory, instanceFile)
	content, fileErr := os.ReadFile(path)
	if fileErr != nil && !errors.Is(fileErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the instance id: %w", fileErr)
	}
	document, storeErr := store.Get(ctx, instanceKind, instanceKey)
	if storeErr != nil && !errors.Is(storeErr, records.ErrNotFound) {
		return nil, fmt.Errorf("read the instance id: %w", storeErr)
	}
	text := strings.TrimSpace(string(content))
	stored, begun := strings.CutPrefix(string(document.Value), unfinished)
	found := &instance{onFile: fileErr == nil, inStore: storeErr == nil && (fileErr == nil || !begun), begun: begun, version: document.Version}
	switch {
	case found.first():
		_, _ = rand.Read(found.id[:]) // never fails: the runtime ends the process where the system has no randomness
		return found, nil
	case found.onFile && found.inStore && text != stored && place.shared:
		return nil, fmt.Errorf("%s and the records that store.url names are of two installations (%.8q and %.8q): name the right database, or give this sidecar an empty data_dir", path, text, stored)
	case found.onFile && found.inStore && text != stored:
		return nil, fmt.Errorf("%s and the records in data_dir are of two sidecars (%.8q and %.8q): bring the two that belong together", path, text, stored)
	case !found.inStore && !acceptLoss && place.shared:
		return nil, fmt.Errorf("%s is there, but the records that store.url names are gone, and the tool's keys with them: restore the database, or start once with --accept-loss to begin with new keys, which every platform must be told of", path)
	case !found.inStore && !acceptLoss:
		return nil, fmt.Errorf("%s is there, but the records in data_dir are gone: restore data_dir, or start once with --accept-loss to begin with empty records", path)
	case !found.onFile && !acceptLoss && !place.shared:
		return nil, fmt.Errorf("the records in data_dir are there, but %s is gone: restore the key directory, or start once with --accept-loss to go on with new keys", path)
	case !found.onFile:
		text = stored
	}
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != len(found.id) {
		return nil, fmt.Errorf("%s is damaged: it must hold eight hex digits", path)
	}
	found.id = [4]byte(id)
	return found, nil
}

// keep writes the instance where it is missing. The key directory exists by now.
func (i *instance) keep(ctx context.Context, place instancePlace, store records.Store) error {
	text := hex.EncodeToString(i.id[:])
	record := func(value string) error {
		version, err := store.Put(ctx, records.Document{Kind: instanceKind, Key: instanceKey, Version: i.version, Value: []byte(value)})
		i.version = version
		return err
	}
	if place.shared {
		return keepError(i.keepShared(ctx, place, store))
	}
	if i.onFile {
		if i.inStore && !i.begun {
			return nil
		}
		return keepError(record(text))
	}
	if err := record(unfinished + text); err != nil {
		return keepError(err)
	}
	if err := writeDurably(filepath.Join(place.directory, instanceFile), text+"\n"); err != nil {
		return keepError(err)
	}
	return keepError(record(text))
}

// keepShared writes the instance where several sidecars may do so at once: the first one names it. A crash before the
// file is written is no loss, as a sidecar without one is new.
func (i *instance) keepShared(ctx context.Context, place instancePlace, store records.Store) error {
	if !i.inStore {
		_, err := store.Put(ctx, records.Document{Kind: instanceKind, Key: instanceKey, Value: []byte(hex.EncodeToString(i.id[:]))})
		if errors.Is(err, records.ErrConflict) {
			var named records.Document
			if named, err = store.Get(ctx, instanceKind, instanceKey); err == nil {
				_, err = hex.Decode(i.id[:], named.Value[:min(len(named.Value), 2*len(i.id))])
			}
		}
		if err != nil {
			return err
		}
	}
	return writeDurably(filepath.Join(place.directory, instanceFile), hex.EncodeToString(i.id[:])+"\n")
}

func keepError(err error) error {
	if err != nil {
		return fmt.Errorf("keep the instance id: %w", err)
	}
	return nil
}

// writeDurably writes a file of mode 0600 that a crash leaves whole or absent.
func writeDurably(path, text string) error {
	temporary := path + ".new"
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
