// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/records"
)

// The document of the tool's keys. It is one, so that all of them are made at once or not at all.
const (
	storedKeysKind = "tool_keys"
	storedKeysKey  = "all"
)

// MinEncryptionKey is how long the text of an encryption key must be, in bytes. Who reads the database can try short ones.
const MinEncryptionKey = 32

// StoredToolKeysConfig configures ToolKeys that lie, encrypted, in records.
type StoredToolKeysConfig struct {
	Store records.Store // required

	// EncryptionKey is the text that the keys are encrypted under; it lies outside the store. Required.
	EncryptionKey string
	// FormerEncryptionKey also opens them; they are then encrypted anew under EncryptionKey. Empty: none.
	FormerEncryptionKey string

	// Directory is a key directory whose keys are taken over when there are none in the store yet, because platforms know
	// them. Where it is absent, keys are made.
	Directory string

	Create  bool             // make or take over the first keys where the store has none; false: it must have them
	KeyBits int              // size of a key that is made; 0: DefaultKeyBits
	Now     func() time.Time // for the name of a key that is made; nil: time.Now
	Rand    io.Reader        // for token.key and sealing; nil: crypto/rand
}

// storedKeys is what is encrypted: what a key directory would hold.
type storedKeys struct {
	Keys     []storedKey `json:"keys"` // the oldest first
	TokenKey []byte      `json:"token_key"`
}

type storedKey struct {
	Name string `json:"name"`
	PEM  []byte `json:"pem"`
}

// NewStoredToolKeys reads the tool's keys from the store, and makes the first ones where Create allows. Of several
// sidecars that start at once, all end with the same keys.
func NewStoredToolKeys(ctx context.Context, config StoredToolKeysConfig) (*ToolKeys, error) {
	if config.Store == nil {
		return nil, errors.New("keystore: stored ToolKeys need a store")
	}
	if config.KeyBits == 0 {
		config.KeyBits = DefaultKeyBits
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	keys, err := config.open(ctx)
	if errors.Is(err, records.ErrNotFound) {
		if !config.Create {
			return nil, errors.New("keystore: the records hold no tool keys: restore them from a backup")
		}
		if err = config.create(ctx); err == nil || errors.Is(err, records.ErrConflict) { // another one was faster
			keys, err = config.open(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	keys.rand = config.Rand
	return keys, nil
}

// open reads the keys, and encrypts them anew where they are still under the former key.
func (c *StoredToolKeysConfig) open(ctx context.Context) (*ToolKeys, error) {
	document, err := c.Store.Get(ctx, storedKeysKind, storedKeysKey)
	if err != nil {
		return nil, err
	}
	plain, err := decrypt(c.EncryptionKey, document.Value)
	if err != nil && c.FormerEncryptionKey != "" {
		if plain, err = decrypt(c.FormerEncryptionKey, document.Value); err == nil {
			if document.Value, err = c.encrypt(plain); err != nil {
				return nil, err
			}
			if _, err = c.Store.Put(ctx, document); err != nil && !errors.Is(err, records.ErrConflict) {
				return nil, fmt.Errorf("encrypt the tool keys anew: %w", err)
			}
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	var stored storedKeys
	if err := json.Unmarshal(plain, &stored); err != nil {
		return nil, errors.New("the tool keys in the records are damaged: restore them from a backup")
	}
	return stored.toolKeys()
}

// toolKeys makes them ready for use.
func (s *storedKeys) toolKeys() (*ToolKeys, error) {
	var signing []*jose.SigningKey
	for _, stored := range s.Keys {
		key, err := jose.ParseSigningKey(stored.PEM)
		if err != nil {
			return nil, fmt.Errorf("the tool key %s in the records is not usable: %w", stored.Name, err)
		}
		signing = append([]*jose.SigningKey{key}, signing...) // the newest first
	}
	if len(signing) == 0 || len(s.TokenKey) != chacha20poly1305.KeySize {
		return nil, errors.New("the tool keys in the records are damaged: restore them from a backup")
	}
	aead, err := chacha20poly1305.NewX(s.TokenKey)
	if err != nil {
		return nil, err
	}
	document, err := jose.PublicKeySet(signing...)
	if err != nil {
		return nil, fmt.Errorf("publish tool keys: %w", err)
	}
	return &ToolKeys{active: signing[0], keySet: document, aead: aead}, nil
}

// create puts the first keys into the store. It returns records.ErrConflict where there are some by now.
func (c *StoredToolKeysConfig) create(ctx context.Context) error {
	stored, err := c.firstKeys()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	value, err := c.encrypt(plain)
	if err != nil {
		return err
	}
	_, err = c.Store.Put(ctx, records.Document{Kind: storedKeysKind, Key: storedKeysKey, Value: value})
	return err
}

// firstKeys takes over those of the key directory, or makes new ones.
func (c *StoredToolKeysConfig) firstKeys() (*storedKeys, error) {
	names, err := toolKeyNames(c.Directory)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(names) > 0 {
		if _, err := loadKeys(c.Directory); err != nil { // they must be whole
			return nil, err
		}
		stored := &storedKeys{}
		for _, name := range names {
			text, err := readPrivateFile(filepath.Join(c.Directory, name))
			if err != nil {
				return nil, err
			}
			stored.Keys = append(stored.Keys, storedKey{Name: name, PEM: text})
		}
		stored.TokenKey, err = readPrivateFile(filepath.Join(c.Directory, sealKeyName))
		return stored, err
	}
	key, err := jose.GenerateSigningKey(c.KeyBits)
	if err != nil {
		return nil, err
	}
	text, err := key.PEM()
	if err != nil {
		return nil, err
	}
	stored := &storedKeys{TokenKey: make([]byte, chacha20poly1305.KeySize)}
	stored.Keys = []storedKey{{Name: fileNameOf(c.Now().UTC().Format(keyTimeFormat), key), PEM: text}}
	_, err = io.ReadFull(c.Rand, stored.TokenKey)
	return stored, err
}

// storedKeysPurpose is authenticated with the keys: nothing else that is encrypted under the key passes for them.
var storedKeysPurpose = []byte("ltisidecar tool keys")

func (c *StoredToolKeysConfig) encrypt(plain []byte) ([]byte, error) {
	aead, err := keyEncryption(c.EncryptionKey)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(c.Rand, nonce); err != nil {
		return nil, fmt.Errorf("encrypt the tool keys: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, storedKeysPurpose), nil
}

func decrypt(text string, sealed []byte) ([]byte, error) {
	aead, err := keyEncryption(text)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("the tool keys in the records are damaged: restore them from a backup")
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], storedKeysPurpose)
	if err != nil {
		return nil, errors.New("the tool keys in the records were encrypted under another key: give every sidecar the same keys.encryption_key_file, or name the former one as keys.former_encryption_key_file")
	}
	return plain, nil
}

// keyEncryption derives what encrypts from the text of an encryption key.
func keyEncryption(text string) (cipher.AEAD, error) {
	if len(text) < MinEncryptionKey {
		return nil, fmt.Errorf("the encryption key has %d bytes; it needs %d: make one with `openssl rand -hex 32`", len(text), MinEncryptionKey)
	}
	key, err := hkdf.Key(sha256.New, []byte(text), nil, "ltisidecar key encryption", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}
