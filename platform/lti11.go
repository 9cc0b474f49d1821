// SPDX-License-Identifier: Apache-2.0

package platform

// LTI11Key is a consumer key of LTI 1.1 with its shared secret, for links that moved from there (LTI Migration,
// section 6).
type LTI11Key struct {
	ConsumerKey string
	Secret      Secret
}

// Secret is a shared secret. Formatting it, in a log or as JSON too, shows that there is one and no more.
type Secret struct{ text string }

// NewSecret makes a Secret of its text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text of the secret, for the computation that needs it.
func (s Secret) Reveal() string { return s.text }

// Empty tells whether there is no text.
func (s Secret) Empty() bool { return s.text == "" }

// String returns a placeholder.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "[secret]"
}

// GoString returns a placeholder.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
