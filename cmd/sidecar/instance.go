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
)

// loadInstance returns the instance id: four bytes made at the first start, kept in the key directory and in the
// records. Both absent is a first start; one without the other is a loss, which nothing but acceptLoss repairs.
func loadInstance(ctx context.Context, keyDirectory string, store records.Store, acceptLoss bool) ([4]byte, error) {
	path := filepath.Join(keyDirectory, instanceFile)
	onFile, fileErr := os.ReadFile(path)
	if fileErr != nil && !errors.Is(fileErr, fs.ErrNotExist) {
		return [4]byte{}, fmt.Errorf("read the instance id: %w", fileErr)
	}
	document, storeErr := store.Get(ctx, instanceKind, instanceKey)
	if storeErr != nil && !errors.Is(storeErr, records.ErrNotFound) {
		return [4]byte{}, fmt.Errorf("read the instance id: %w", storeErr)
	}
	fileText, storeText := strings.TrimSpace(string(onFile)), string(document.Value)
	switch {
	case fileErr == nil && storeErr == nil:
		if fileText != storeText {
			return [4]byte{}, fmt.Errorf("%s and the records in data_dir are of two sidecars (%.8q and %.8q): bring the two that belong together", path, fileText, storeText)
		}
	case fileErr == nil && !acceptLoss:
		return [4]byte{}, fmt.Errorf("%s is there, but the records in data_dir are gone: restore data_dir, or start once with --accept-loss to begin with empty records", path)
	case storeErr == nil && !acceptLoss:
		return [4]byte{}, fmt.Errorf("the records in data_dir are there, but %s is gone: restore the key directory, or start once with --accept-loss to go on with new keys", path)
	case fileErr != nil && storeErr != nil:
		var id [4]byte
		_, _ = rand.Read(id[:]) // never fails: the runtime ends the process where the system has no randomness
		fileText = hex.EncodeToString(id[:])
	case fileErr != nil:
		fileText = storeText
	}
	id, err := hex.DecodeString(fileText)
	if err != nil || len(id) != 4 {
		return [4]byte{}, fmt.Errorf("%s is damaged: it must hold eight hex digits", path)
	}
	if storeErr != nil {
		if _, err := store.Put(ctx, records.Document{Kind: instanceKind, Key: instanceKey, Value: []byte(fileText)}); err != nil {
			return [4]byte{}, fmt.Errorf("keep the instance id: %w", err)
		}
	}
	if fileErr != nil {
		if err := os.WriteFile(path, []byte(fileText+"\n"), 0o600); err != nil {
			return [4]byte{}, fmt.Errorf("keep the instance id: %w", err)
		}
	}
	return [4]byte(id), nil
}
