// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/records"
)

const (
	epochFile = "outbox_epoch"
	epochKind = "outbox"
	epochKey  = "epoch"
)

// epoch is what the records know of the outbox's starts. At each start the number is raised here and in a file of the key
// directory. Where the two differ, one of them comes from another time, so it is not certain what was sent since.
type epoch struct {
	Name   string `json:"name"`             // number and a random part, as the file has it
	Rising string `json:"rising,omitempty"` // the next one, until the file has it too: a crash in between is no copy

	DiscardBefore time.Time `json:"discard_before,omitzero"` // the operator let go what was taken before
	DoubtBefore   time.Time `json:"doubt_before,omitzero"`   // what was taken before may have been sent by another
}

// epochFlags is what the operator decides about a held outbox.
type epochFlags struct{ acceptLoss, release, discard bool }

// raiseEpoch compares and raises the epoch. held says in words why the outbox must wait for the operator; then nothing was
// raised.
func raiseEpoch(ctx context.Context, keyDirectory string, store records.Store, flags epochFlags, now time.Time) (found epoch, held string, err error) {
	path := filepath.Join(keyDirectory, epochFile)
	content, err := os.ReadFile(path)
	onFile := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return epoch{}, "", fmt.Errorf("read the outbox epoch: %w", err)
	}
	name := strings.TrimSpace(string(content))
	document, err := store.Get(ctx, epochKind, epochKey)
	inStore := err == nil
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return epoch{}, "", fmt.Errorf("read the outbox epoch: %w", err)
	}
	if inStore {
		if err := json.Unmarshal(document.Value, &found); err != nil {
			return epoch{}, "", fmt.Errorf("the outbox epoch in the records is damaged: %w", err)
		}
	}
	begun := !inStore || found.Name == "" // the first start of all, or one that did not end
	same := onFile == !begun && name == found.Name || found.Rising != "" && name == found.Rising
	switch {
	case same || begun && !onFile || flags.acceptLoss && onFile != inStore:
	case flags.discard:
		found.DiscardBefore = records.Milliseconds(now)
	case flags.release:
		found.DoubtBefore = records.Milliseconds(now)
	default:
		return found, unequal(path, name, found.Name), nil
	}
	number := max(numberOf(name), numberOf(found.Name), numberOf(found.Rising)) + 1
	found.Rising = fmt.Sprintf("%d-%s", number, strings.ToLower(rand.Text()[:8]))
	put := func() error {
		value, err := json.Marshal(found)
		if err == nil {
			document.Version, err = store.Put(ctx, records.Document{Kind: epochKind, Key: epochKey, Version: document.Version, Value: value})
		}
		return err
	}
	if err := put(); err != nil {
		return found, "", fmt.Errorf("raise the outbox epoch: %w", err)
	}
	if err := writeDurably(path, found.Rising+"\n"); err != nil {
		return found, "", fmt.Errorf("raise the outbox epoch: %w", err)
	}
	found.Name, found.Rising = found.Rising, ""
	if err := put(); err != nil {
		return found, "", fmt.Errorf("raise the outbox epoch: %w", err)
	}
	return found, "", nil
}

func unequal(path, file, record string) string {
	older := ""
	switch a, b := numberOf(file), numberOf(record); {
	case a > b:
		older = ": the records are the older ones, as from a backup"
	case a < b:
		older = ": the key directory is the older one, as from a backup"
	}
	return fmt.Sprintf("%s says %.40q, the records in data_dir say %.40q%s", path, file, record, older)
}

func numberOf(name string) int {
	digits, _, _ := strings.Cut(name, "-")
	number, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return number
}
