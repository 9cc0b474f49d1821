// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ltisidecar/ltisidecar/jose"
)

// KeySetLifetime is how long platforms may keep the tool's key set. It is short, as most platforms refetch only when a
// verification fails.
const KeySetLifetime = 10 * time.Minute

// Names and limits of the key directory.
const (
	DefaultKeyBits = 2048

	sealKeyName    = "token.key"
	temporaryName  = ".new-*"
	keyTimeFormat  = "20060102T150405Z"
	maxToolKeys    = 32
	maxKeyFileSize = 64 << 10
)

var toolKeyName = regexp.MustCompile(`^tool-[0-9]{8}T[0-9]{6}Z-[A-Za-z0-9_-]{8}\.pem$`)

// ToolKeysConfig configures ToolKeys.
type ToolKeysConfig struct {
	Directory string           // the key directory, 0700; required
	Create    bool             // make the directory and its first keys where there are none; false: they must exist
	KeyBits   int              // size of a key that is made; 0: DefaultKeyBits
	Now       func() time.Time // for the name of a key that is made; nil: time.Now
	Rand      io.Reader        // for token.key and sealing; nil: crypto/rand
}

// ToolKeys are the tool's keys, read from their directory once: RSA keys in tool-<UTC time>-<start of kid>.pem, all of
// them published, the newest by name signing; and token.key, 32 bytes that seal tokens. The files are 0600; a key that
// others could read, or that is not what its name says, is refused. All methods may be called from many goroutines.
type ToolKeys struct {
	active *jose.SigningKey
	keySet []byte
	aead   cipher.AEAD
	rand   io.Reader
}

// NewToolKeys reads the key directory, and makes its first keys where Create allows. Errors name the path and the fix.
func NewToolKeys(config ToolKeysConfig) (*ToolKeys, error) {
	if config.Directory == "" {
		return nil, errors.New("keystore: ToolKeys need a directory")
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
	directory, err := openDirectory(config.Directory, config.Create)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	defer directory.Close()
	if config.Create {
		if err := createFirstKeys(directory, config); err != nil {
			return nil, fmt.Errorf("keystore: %w", err)
		}
	}
	keys, err := loadKeys(config.Directory)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	keys.rand = config.Rand
	return keys, nil
}

// Active returns the key that signs.
func (t *ToolKeys) Active() *jose.SigningKey { return t.active }

// Sign returns a compact JWS over claims by the active key.
func (t *ToolKeys) Sign(claims []byte) (string, error) { return t.active.Sign(claims) }

// KeySet returns the document that platforms fetch, {"keys": [...]}, and for how long they may keep it. The caller must
// not change it.
func (t *ToolKeys) KeySet() (document []byte, lifetime time.Duration) {
	return t.keySet, KeySetLifetime
}

// errSealed is every failure of Open: whoever sent the text learns nothing from it.
var errSealed = errors.New("keystore: the sealed text is not authentic")

// Seal encrypts plaintext for a purpose with XChaCha20-Poly1305 and returns it as base64url without padding.
func (t *ToolKeys) Seal(purpose string, plaintext []byte) (string, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	if _, err := io.ReadFull(t.rand, nonce); err != nil {
		return "", fmt.Errorf("keystore: seal: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(t.aead.Seal(nonce, nonce, plaintext, []byte(purpose))), nil
}

// Open returns what was sealed for the same purpose. All failures give one error.
func (t *ToolKeys) Open(purpose, sealed string) ([]byte, error) {
	if strings.ContainsAny(sealed, "\r\n") { // which the decoder would skip
		return nil, errSealed
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, errSealed
	}
	plaintext, err := t.aead.Open(nil, raw[:chacha20poly1305.NonceSizeX], raw[chacha20poly1305.NonceSizeX:], []byte(purpose))
	if err != nil {
		return nil, errSealed
	}
	return plaintext, nil
}

func loadKeys(directory string) (*ToolKeys, error) {
	names, err := toolKeyNames(directory)
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		return nil, fmt.Errorf("%s holds no tool key: restore it from a backup, or let the sidecar make its first keys in an empty directory", directory)
	case len(names) > maxToolKeys:
		return nil, fmt.Errorf("%s holds %d tool keys, more than %d: move the oldest ones away", directory, len(names), maxToolKeys)
	}
	var signing []*jose.SigningKey
	owner := map[string]string{}
	for _, name := range names {
		key, err := loadToolKey(directory, name)
		if err != nil {
			return nil, err
		}
		if other, twice := owner[key.KeyID()]; twice {
			return nil, fmt.Errorf("%s and %s hold the same key: remove one of them", filepath.Join(directory, other), filepath.Join(directory, name))
		}
		owner[key.KeyID()] = name
		signing = append(signing, key)
	}
	path := filepath.Join(directory, sealKeyName)
	secret, err := readPrivateFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s is missing: copy it from the other instance or a backup; if it is lost, make a new one with `(umask 077; head -c 32 /dev/urandom > %s)`, which only ends signed-in launches", path, path)
	case err != nil:
		return nil, err
	case len(secret) != chacha20poly1305.KeySize:
		return nil, fmt.Errorf("%s has %d bytes, not %d: restore it from a backup", path, len(secret), chacha20poly1305.KeySize)
	}
	aead, err := chacha20poly1305.NewX(secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	slices.Reverse(signing) // the newest first, as the names begin with the time
	document, err := jose.PublicKeySet(signing...)
	if err != nil {
		return nil, fmt.Errorf("publish tool keys: %w", err)
	}
	return &ToolKeys{active: signing[0], keySet: document, aead: aead}, nil
}

// toolKeyNames lists the files of tool keys, the oldest first. A name that only looks like one is refused: a key that
// is silently not published locks the tool out of its platforms.
func toolKeyNames(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory) // sorted by name
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case toolKeyName.MatchString(name):
			names = append(names, name)
		case strings.HasPrefix(name, "tool-"):
			return nil, fmt.Errorf("%s is not named as tool keys are, tool-<yyyymmddThhmmssZ>-<first 8 characters of its kid>.pem: rename it, or move it away", filepath.Join(directory, name))
		}
	}
	return names, nil
}

func loadToolKey(directory, name string) (*jose.SigningKey, error) {
	path := filepath.Join(directory, name)
	text, err := readPrivateFile(path)
	if err != nil {
		return nil, err
	}
	key, err := jose.ParseSigningKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a usable tool key: %w: restore it from a backup, or move it away", path, err)
	}
	if wanted := fileNameOf(name[len("tool-"):len("tool-")+len(keyTimeFormat)], key); wanted != name {
		return nil, fmt.Errorf("%s holds another key than its name says: rename it to %s if it is the right one", path, wanted)
	}
	return key, nil
}

func fileNameOf(made string, key *jose.SigningKey) string {
	return "tool-" + made + "-" + key.KeyID()[:8] + ".pem"
}
