// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"log/slog"
	"time"
)

// AccessToken is an opaque bearer token. Printing, logging or encoding it shows nothing of it.
type AccessToken struct{ text string }

// NewAccessToken keeps a token's text.
func NewAccessToken(text string) AccessToken { return AccessToken{text: text} }

const hidden = "[hidden]"

// Reveal returns the token itself, for an Authorization header and nothing else.
func (t AccessToken) Reveal() string { return t.text }

// String hides the token.
func (t AccessToken) String() string { return hidden }

// GoString hides the token.
func (t AccessToken) GoString() string { return hidden }

// LogValue hides the token.
func (t AccessToken) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the token.
func (t AccessToken) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// ServiceToken is a token that a platform issued for its services. It is a value that is only read.
type ServiceToken struct {
	AccessToken AccessToken
	ExpireTime  time.Time // already shortened by a safety margin
	Scopes      []string  // granted, sorted
	CacheKey    string    // opaque: where the cache keeps it, for Drop
}
