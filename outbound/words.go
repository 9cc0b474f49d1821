// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
)

var (
	tokenLike   = regexp.MustCompile(`eyJ[A-Za-z0-9_.=-]{8,}`)
	addressLike = regexp.MustCompile(`[^\s"'<>:;,()]+@[^\s"'<>:;,()]+`)
)

// Words returns what a platform says in the body of an error, fit for an error message: the members of a JSON answer
// that are known to hold a message, else the text itself; at most 200 characters, escaped; e-mail addresses, JWTs and
// the given secrets hidden. A web page says nothing and gives "".
func Words(body []byte, secrets ...string) string {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] == '<' {
		return ""
	}
	text := message(body)
	if text == "" {
		text = string(body)
	}
	// The secrets must be found whole, so they are hidden before the text is cut. Far more than what stays is enough.
	const enough = 16 << 10
	text = text[:min(len(text), enough)]
	for _, secret := range secrets {
		text = hide(text, secret)
	}
	text = addressLike.ReplaceAllString(tokenLike.ReplaceAllString(text, "[token]"), "[address]")
	return lti.Excerpt(text)
}

// message returns the words of a JSON object as platforms shape them: {"error", "error_description"}, {"message"},
// {"detail"}, {"reason"}, {"errors": {"message"}}.
func message(body []byte) string {
	var members map[string]jsontext.Value
	lenient := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if json.Unmarshal(body, &members, lenient) != nil {
		return ""
	}
	var words []string
	for _, name := range []string{"error", "error_description", "message", "detail", "reason"} {
		var text string
		if value := members[name]; len(value) > 0 && value.Kind() == '"' && json.Unmarshal(value, &text, lenient) == nil && text != "" {
			words = append(words, text)
		}
	}
	if inner := members["errors"]; len(words) == 0 && len(inner) > 0 && inner.Kind() == '{' {
		return message(inner)
	}
	return strings.Join(words, ": ")
}

// hide replaces a secret where it stands as a word of its own, so that the user id 1 does not spoil the status 412.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	var kept strings.Builder
	for {
		at := strings.Index(text, secret)
		if at < 0 {
			return kept.String() + text
		}
		end := at + len(secret)
		inWord := at > 0 && isWord(text[at-1]) && isWord(secret[0]) || end < len(text) && isWord(text[end]) && isWord(secret[len(secret)-1])
		if inWord {
			kept.WriteString(text[:at+1])
			text = text[at+1:]
			continue
		}
		kept.WriteString(text[:at] + "[hidden]")
		text = text[end:]
	}
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}
