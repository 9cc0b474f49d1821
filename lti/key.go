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
	buffer := make([]byte, 0, 512)
	buffer = appendPart(buffer, kind)
	for _, part := range parts {
		buffer = appendPart(buffer, part)
	}
	sum := sha256.Sum256(buffer)
	return hex.EncodeToString(sum[:16])
}

func appendPart(buffer []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint64(buffer, uint64(len(part))), part...)
}

// UserKey returns User.key (LTI Core 1.3, section 5.3.6.2: a user is unique within the issuer). The namespace is
// empty but for registrations that name a subject_namespace.
func UserKey(namespace, issuer, userID string) string {
	return Key("user", namespace, issuer, userID)
}
