// SPDX-License-Identifier: Apache-2.0

package keystore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

const encryptionKey = "an encryption key of 32 or more bytes"

func storedConfig(t *testing.T) keystore.StoredToolKeysConfig {
	t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "records.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return keystore.StoredToolKeysConfig{Store: store, EncryptionKey: encryptionKey, Create: true, Directory: filepath.Join(t.TempDir(), "none")}
}

func mustStored(t *testing.T, config keystore.StoredToolKeysConfig) *keystore.ToolKeys {
	t.Helper()
	keys, err := keystore.NewStoredToolKeys(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// sameKeys checks that two sets of keys publish the same and open what the other sealed.
func sameKeys(t *testing.T, a, b *keystore.ToolKeys) {
	t.Helper()
	one, _ := a.KeySet()
	two, _ := b.KeySet()
	if !bytes.Equal(one, two) || a.Active().KeyID() != b.Active().KeyID() {
		t.Fatalf("key sets %s and %s", one, two)
	}
	sealed, err := a.Seal("purpose", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := b.Open("purpose", sealed); err != nil || string(opened) != "text" {
		t.Fatalf("%q, %v", opened, err)
	}
}

func TestStoredToolKeysAreMadeOnce(t *testing.T) {
	config := storedConfig(t)
	const sidecars = 6
	made := make([]*keystore.ToolKeys, sidecars)
	var done sync.WaitGroup
	for i := range made {
		done.Go(func() {
			keys, err := keystore.NewStoredToolKeys(t.Context(), config)
			if err != nil {
				t.Error(err)
			}
			made[i] = keys
		})
	}
	done.Wait()
	for _, keys := range made {
		if t.Failed() {
			return
		}
		sameKeys(t, made[0], keys)
	}
	config.Create = false
	sameKeys(t, made[0], mustStored(t, config))
}

func TestStoredToolKeysAreTakenOver(t *testing.T) {
	config := storedConfig(t)
	config.Directory = filepath.Join(t.TempDir(), "keys")
	files, err := keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: config.Directory, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	sameKeys(t, files, mustStored(t, config))
	if err := os.RemoveAll(config.Directory); err != nil {
		t.Fatal(err)
	}
	sameKeys(t, files, mustStored(t, config))

	// A directory that is not whole is not taken over in part.
	broken := storedConfig(t)
	broken.Directory = filepath.Join(t.TempDir(), "keys")
	if _, err := keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: broken.Directory, Create: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(broken.Directory, "token.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.NewStoredToolKeys(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "token.key") {
		t.Fatalf("got %v", err)
	}
}

func TestStoredToolKeysAreEncrypted(t *testing.T) {
	config := storedConfig(t)
	keys := mustStored(t, config)
	document, err := config.Store.Get(t.Context(), "tool_keys", "all")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"PRIVATE", "pem", "token_key", encryptionKey} {
		if bytes.Contains(document.Value, []byte(word)) {
			t.Errorf("%q lies open in the store", word)
		}
	}
	other := config
	other.EncryptionKey = strings.ToUpper(encryptionKey)
	if _, err := keystore.NewStoredToolKeys(t.Context(), other); err == nil || !strings.Contains(err.Error(), "keys.encryption_key_file") {
		t.Fatalf("another encryption key: %v", err)
	}
	short := config
	short.EncryptionKey = encryptionKey[:31]
	if _, err := keystore.NewStoredToolKeys(t.Context(), short); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Fatalf("a short encryption key: %v", err)
	}
	// Where the former one is given too, they are under the new one from then on.
	other.FormerEncryptionKey = encryptionKey
	sameKeys(t, keys, mustStored(t, other))
	other.FormerEncryptionKey = ""
	sameKeys(t, keys, mustStored(t, other))
	if _, err := keystore.NewStoredToolKeys(t.Context(), config); err == nil {
		t.Fatal("the former key still opens them")
	}

	// What is changed does not open, byte by byte.
	document, err = config.Store.Get(t.Context(), "tool_keys", "all")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 23, 24, len(document.Value) / 2, len(document.Value) - 1} {
		document.Value[at] ^= 1
		if document.Version, err = config.Store.Put(t.Context(), document); err != nil {
			t.Fatal(err)
		}
		if _, err := keystore.NewStoredToolKeys(t.Context(), other); err == nil {
			t.Fatalf("byte %d was changed and they open", at)
		}
		document.Value[at] ^= 1
	}
}

func TestLostStoredToolKeysAreNotReplaced(t *testing.T) {
	config := storedConfig(t)
	config.Create = false
	if _, err := keystore.NewStoredToolKeys(t.Context(), config); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Fatalf("got %v", err)
	}
	if _, err := config.Store.Get(t.Context(), "tool_keys", "all"); err == nil {
		t.Fatal("keys were made")
	}
}
