// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
)

// The state is base64url of: generation (8 bytes, in the clear, authenticated), XChaCha20 nonce (24), and the sealed
// fields below with their tag. It is under 300 characters of A-Z, a-z, 0-9, '-' and '_': some platforms strip tags or
// limit the length of URLs.
const (
	stateVersion   = 1
	stateFixedSize = 1 + 8 + 16 + 32 + 1 + 5*8
	maxStateSize   = 8 + chacha20poly1305.NonceSizeX + stateFixedSize + maxStorageTarget + chacha20poly1305.Overhead
	maxFuture      = 2 * time.Minute // a state from further ahead is refused
)

// fingerprint is the start of a hash of something that the state is bound to. The zero value means: none.
type fingerprint [8]byte

func fingerprintOf(kind, text string) fingerprint {
	if text == "" {
		return fingerprint{}
	}
	data := make([]byte, 0, 256) // longer texts are few
	data = append(append(append(data, kind...), 0), text...)
	sum := sha256.Sum256(data)
	return fingerprint(sum[:8])
}

// loginState is what a launch must bring back.
type loginState struct {
	issued        time.Time // in milliseconds
	nonce         noncestore.Nonce
	binding       [32]byte // SHA-256 of the binding secret
	storage       bool     // the platform's storage was offered as a second place for the secret
	registration  fingerprint
	deployment    fingerprint // zero where the login named none
	target        fingerprint
	launchURI     fingerprint
	caller        fingerprint
	storageTarget string // where storage is true
}

func (s *loginState) marshal() []byte {
	data := make([]byte, 0, stateFixedSize+len(s.storageTarget))
	data = append(data, stateVersion)
	data = binary.BigEndian.AppendUint64(data, uint64(s.issued.UnixMilli()))
	data = append(data, s.nonce[:]...)
	data = append(data, s.binding[:]...)
	flags := byte(0)
	if s.storage {
		flags = 1
	}
	data = append(data, flags)
	for _, f := range []fingerprint{s.registration, s.deployment, s.target, s.launchURI, s.caller} {
		data = append(data, f[:]...)
	}
	return append(data, s.storageTarget...)
}

func unmarshalState(data []byte) (*loginState, error) {
	if len(data) < stateFixedSize || len(data) > stateFixedSize+maxStorageTarget || data[0] != stateVersion {
		return nil, errors.New("launch: a state of another version")
	}
	s := &loginState{issued: time.UnixMilli(int64(binary.BigEndian.Uint64(data[1:9])))}
	copy(s.nonce[:], data[9:25])
	copy(s.binding[:], data[25:57])
	s.storage = data[57]&1 != 0
	rest := data[58:]
	for _, f := range []*fingerprint{&s.registration, &s.deployment, &s.target, &s.launchURI, &s.caller} {
		copy(f[:], rest)
		rest = rest[len(f):]
	}
	s.storageTarget = string(rest)
	return s, nil
}

var stateEncoding = base64.RawURLEncoding.Strict()

// sealState makes the text of a state.
func sealState(seal noncestore.Seal, random io.Reader, s *loginState) (string, error) {
	aead, err := chacha20poly1305.NewX(seal.Key[:])
	if err != nil {
		return "", fmt.Errorf("seal state: %w", err)
	}
	sealed := make([]byte, len(seal.Generation)+aead.NonceSize(), maxStateSize)
	copy(sealed, seal.Generation[:])
	nonce := sealed[len(seal.Generation):]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("seal state: %w", err)
	}
	return stateEncoding.EncodeToString(aead.Seal(sealed, nonce, s.marshal(), seal.Generation[:])), nil
}

// openState opens a state made under the present seal. The error is a *lti.Error STATE_FORGED, STATE_STALE,
// STATE_OTHER_INSTANCE or STATE_EXPIRED.
func openState(seal noncestore.Seal, text string, now time.Time) (*loginState, error) {
	data, err := stateEncoding.DecodeString(text)
	if err != nil || !isStateText(text) || len(data) < 8+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead || len(data) > maxStateSize {
		return nil, lti.Errorf(lti.ReasonStateForged, "The state is none of this sidecar's: it has another form.")
	}
	generation := noncestore.Generation(data[:8])
	if generation != seal.Generation {
		if generation.SameInstance(seal.Generation) {
			return nil, lti.Errorf(lti.ReasonStateStale, "The login began before the sidecar's memory of used launches was replaced.")
		}
		return nil, lti.Errorf(lti.ReasonStateOtherInstance, "The login began at another sidecar: two sidecars need one shared store.").
			With("expected", fmt.Sprintf("%x", seal.Generation[:4])).With("actual", fmt.Sprintf("%x", generation[:4]))
	}
	var aead cipher.AEAD
	if aead, err = chacha20poly1305.NewX(seal.Key[:]); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	nonceEnd := 8 + aead.NonceSize()
	plain, err := aead.Open(nil, data[8:nonceEnd], data[nonceEnd:], data[:8])
	if err != nil {
		return nil, lti.Errorf(lti.ReasonStateForged, "The state was not made by this sidecar, or was changed.")
	}
	s, err := unmarshalState(plain)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonStateStale, Cause: err}
	}
	if expired := s.issued.Add(noncestore.StateLifetime); !now.Before(expired) {
		return nil, lti.Errorf(lti.ReasonStateExpired, "The login took longer than %s.", noncestore.StateLifetime).With("expired_time", formatTime(expired))
	}
	if s.issued.Sub(now) > maxFuture {
		return nil, lti.Errorf(lti.ReasonStateStale, "The state is from the future: the sidecar's clock was set back.")
	}
	return s, nil
}

// isStateText refuses CR and LF, which the decoder would skip.
func isStateText(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '\r' || c == '\n' {
			return false
		}
	}
	return true
}
