// SPDX-License-Identifier: Apache-2.0

package lti

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Key returns the stable key of a user, context or resource link: 32 lower-case hex digits of a SHA-256 over the
// length-prefixed parts, so that no two lists of parts give one text. The kind keeps the three apart.
func Key(kind string, parts ...string) string {
	hash := sha256.New()
	for _, part := range append([]string{kind}, parts...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// UserKey returns User.key (LTI Core 1.3, section 5.3.6.2: a user is unique within the issuer). The namespace is
// empty but for registrations that name a subject_namespace.
func UserKey(namespace, issuer, userID string) string {
	return Key("user", namespace, issuer, userID)
}
