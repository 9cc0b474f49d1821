// SPDX-License-Identifier: Apache-2.0

package lti

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Error is a refusal or a failure with one stable reason. Message is for the tool's developer or the operator: it
// names what was compared and the fix. Neither Message nor Metadata ever holds a token, a key, a name or an e-mail
// address. An Error is a value: it is not changed once returned.
type Error struct {
	Reason     Reason
	Message    string            // one sentence; empty: the summary of the reason
	Metadata   map[string]string // keys as in the reason's row; nil for none
	RetryAfter time.Duration     // how long to wait before trying again; 0 for no advice
	Cause      error             // for the log only, never sent; may be nil
}

// Error returns the reason, the message and the cause, for logs.
func (e *Error) Error() string {
	message := e.Message
	if message == "" {
		message = e.Reason.Info().Summary
	}
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s (%v)", e.Reason, message, e.Cause)
	}
	return string(e.Reason) + ": " + message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// With returns a copy of e with the metadata pair added. Empty values are left out.
func (e *Error) With(key, value string) *Error {
	if value == "" {
		return e
	}
	c := *e
	if c.Metadata = maps.Clone(e.Metadata); c.Metadata == nil {
		c.Metadata = make(map[string]string, 4)
	}
	c.Metadata[key] = value
	return &c
}

// Errorf makes an Error of a reason and a message.
func Errorf(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// ReasonOf returns the reason of the first Error in err's chain, and "" where there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// FieldError refuses a field that the tool itself sets: REQUEST_INVALID with the field's path.
func FieldError(field, format string, args ...any) *Error {
	return Errorf(ReasonRequestInvalid, "%s: %s", field, fmt.Sprintf(format, args...)).With("field", field)
}

// Excerpt makes text of unknown origin fit for messages, metadata and logs: control characters and invalid UTF-8 are
// escaped, and it ends after 200 bytes.
func Excerpt(text string) string {
	const limit = 200
	if len(text) <= limit && isPlain(text) {
		return text
	}
	shortened := len(text) > limit
	if shortened {
		text = text[:limit]
	}
	quoted := strconv.QuoteToGraphic(text)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if shortened {
		quoted += "..."
	}
	return quoted
}

// isPlain reports whether text is of printable ASCII that needs no escapes.
func isPlain(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}
