// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Bounds of a key set and its keys.
const (
	maxKeys       = 4096
	minRSABits    = 2048
	maxRSABits    = 8192
	minRSAPublicE = 3
)

// PublicKey is one usable key of a platform. It is not changed and may be used by many goroutines.
type PublicKey struct {
	keyID     string
	algorithm string // the JWK's own alg; empty where it names none
	public    crypto.PublicKey
}

// KeyID returns the kid of the key.
func (k *PublicKey) KeyID() string { return k.keyID }

// Equal reports whether two keys have the same key material and algorithm.
func (k *PublicKey) Equal(other *PublicKey) bool {
	if k == nil || other == nil {
		return k == other
	}
	type comparable interface{ Equal(crypto.PublicKey) bool }
	mine, ok := k.public.(comparable)
	return ok && k.algorithm == other.algorithm && mine.Equal(other.public)
}

// fits reports why the key cannot verify signatures of an algorithm.
func (k *PublicKey) fits(algorithm string) error {
	if k.algorithm != "" && k.algorithm != algorithm {
		return fmt.Errorf("the key is for %s, the signature is %s", lti.Excerpt(k.algorithm), algorithm)
	}
	_, isRSA := k.public.(*rsa.PublicKey)
	if wantsRSA := algorithm == RS256 || algorithm == PS256; isRSA != wantsRSA {
		return fmt.Errorf("the key's type does not fit %s", algorithm)
	}
	return nil
}

// entry is one member of a key set: a key, or why it is none.
type entry struct {
	keyID  string
	key    *PublicKey
	defect error
}

// KeySet is a platform's key set (RFC 7517, section 5). It is not changed and may be used by many goroutines.
type KeySet struct {
	entries map[string][]entry
	keyIDs  []string
}

// ParseKeySet parses {"keys": [...]}. A member that is malformed, of an unknown type, private, or too weak does not
// spoil the others: it is kept as unusable, with the reason. The error is a *lti.Error JWKS_INVALID.
func ParseKeySet(data []byte) (*KeySet, error) {
	var document struct {
		Keys *[]jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &document, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, invalidSet("it is not a JSON object of the form {\"keys\": [...]}")
	}
	if document.Keys == nil {
		return nil, invalidSet("it has no member \"keys\"")
	}
	if len(*document.Keys) > maxKeys {
		return nil, invalidSet(fmt.Sprintf("it has more than %d keys", maxKeys))
	}
	set := &KeySet{entries: make(map[string][]entry, len(*document.Keys))}
	for _, value := range *document.Keys {
		e := parseEntry(value)
		if e.keyID == "" || len(e.keyID) > maxKeyIDLength {
			continue // a token always names its key, so this one can never be asked for
		}
		if _, known := set.entries[e.keyID]; !known {
			set.keyIDs = append(set.keyIDs, e.keyID)
		}
		set.entries[e.keyID] = append(set.entries[e.keyID], e)
	}
	slices.Sort(set.keyIDs)
	return set, nil
}

// KeyIDs returns the key ids of the set, sorted. The caller must not change the slice.
func (s *KeySet) KeyIDs() []string { return s.keyIDs }

// Find returns the one key of a kid that fits an algorithm. The error is a *lti.Error: KID_UNKNOWN, KEY_UNSUITABLE, or
// KEY_AMBIGUOUS where several different keys fit.
func (s *KeySet) Find(keyID, algorithm string) (*PublicKey, error) {
	entries := s.entries[keyID]
	if len(entries) == 0 {
		return nil, lti.Errorf(lti.ReasonKIDUnknown, "The platform's key set has no key %q.", lti.Excerpt(keyID)).With("kid", lti.Excerpt(keyID))
	}
	var found *PublicKey
	var defect error
	for _, e := range entries {
		err := e.defect
		if err == nil {
			err = e.key.fits(algorithm)
		}
		switch {
		case err != nil:
			defect = err
		case found == nil || found.Equal(e.key):
			found = e.key
		default:
			return nil, lti.Errorf(lti.ReasonKeyAmbiguous, "The platform's key set has several keys %q that fit.", lti.Excerpt(keyID)).With("kid", lti.Excerpt(keyID))
		}
	}
	if found == nil {
		return nil, lti.Errorf(lti.ReasonKeyUnsuitable, "The platform's key %q cannot be used: %v.", lti.Excerpt(keyID), defect).
			With("kid", lti.Excerpt(keyID)).With("detail", defect.Error())
	}
	return found, nil
}

// parseEntry reads one member of a key set.
func parseEntry(value jsontext.Value) entry {
	var members struct {
		KeyID     string          `json:"kid"`
		Type      string          `json:"kty"`
		Use       string          `json:"use"`
		Algorithm string          `json:"alg"`
		KeyOps    []string        `json:"key_ops"`
		Private   *jsontext.Value `json:"d"`
		Symmetric *jsontext.Value `json:"k"`
	}
	if err := json.Unmarshal(value, &members); err != nil {
		return entry{keyID: keyIDOf(value), defect: errors.New("it is malformed")}
	}
	e := entry{keyID: members.KeyID}
	switch {
	case members.Private != nil || members.Symmetric != nil || members.Type == "oct":
		e.defect = errors.New("it is a private or symmetric key")
	case members.Type != "RSA" && members.Type != "EC":
		e.defect = fmt.Errorf("its type %q is not supported", lti.Excerpt(members.Type))
	case members.Use != "" && members.Use != "sig":
		e.defect = fmt.Errorf("its use is %q, not sig", lti.Excerpt(members.Use))
	case members.KeyOps != nil && !slices.Contains(members.KeyOps, "verify"):
		e.defect = errors.New("its key_ops do not allow verify")
	default:
		e.key, e.defect = parseKey(value, members.KeyID, members.Algorithm)
	}
	return e
}

// keyIDOf returns the kid of a member that is otherwise malformed, so that its defect can be told.
func keyIDOf(value jsontext.Value) string {
	var members struct {
		KeyID string `json:"kid"`
	}
	if json.Unmarshal(value, &members, jsontext.AllowDuplicateNames(true)) != nil {
		return ""
	}
	return members.KeyID
}

func parseKey(value jsontext.Value, keyID, algorithm string) (*PublicKey, error) {
	parsed, err := jwk.ParseKey(value)
	if err != nil {
		return nil, errors.New("it is malformed")
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return nil, errors.New("it is malformed")
	}
	switch public := raw.(type) {
	case *rsa.PublicKey:
		err = checkRSA(public)
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			err = errors.New("its curve is not P-256")
		} else if _, curveError := public.ECDH(); curveError != nil {
			err = errors.New("its point is not on the curve")
		}
	default:
		err = errors.New("it is no public key")
	}
	if err != nil {
		return nil, err
	}
	return &PublicKey{keyID: keyID, algorithm: algorithm, public: raw}, nil
}

// checkRSA applies the bounds of design and RFC 7518, section 3.3, on our own: the floor must not depend on GODEBUG.
func checkRSA(public *rsa.PublicKey) error {
	bits := public.N.BitLen()
	switch {
	case bits < minRSABits || bits > maxRSABits:
		return fmt.Errorf("its modulus has %d bits, not %d to %d", bits, minRSABits, maxRSABits)
	case public.N.Bit(0) == 0:
		return errors.New("its modulus is even")
	case public.E < minRSAPublicE || public.E%2 == 0 || int64(public.E) >= 1<<32:
		return errors.New("its exponent is not odd, at least 3 and under 2^32")
	case hasROCAFingerprint(public.N):
		return errors.New("its modulus has the fingerprint of the ROCA defect (CVE-2017-15361)")
	}
	return nil
}

func invalidSet(detail string) *lti.Error {
	return lti.Errorf(lti.ReasonJWKSInvalid, "The answer of the platform's JWKS URI is not a key set: %s.", detail).With("detail", detail)
}
