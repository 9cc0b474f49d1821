// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"net/http"
	"strings"
	"time"
)

// Bounds of how long a platform's key set is kept without asking again.
const (
	minLifetime     = time.Minute
	maxLifetime     = 24 * time.Hour
	defaultLifetime = time.Hour
)

// lifetimeOf reads how long an answer may be kept from its Cache-Control headers (RFC 9111, section 5.2.2): max-age,
// no-store and no-cache, all else is ignored. The answer lies between minLifetime and maxLifetime. A max-age that is no
// number counts as 0; of several the smallest counts.
func lifetimeOf(header http.Header) time.Duration {
	lifetime, found := maxLifetime, false
	for _, line := range header.Values("Cache-Control") {
		for directive, rest := nextDirective(line); ; directive, rest = nextDirective(rest) {
			name, value, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.Trim(name, " \t")) {
			case "max-age":
				lifetime, found = min(lifetime, deltaSeconds(value)), true
			case "no-store", "no-cache":
				lifetime, found = 0, true
			}
			if rest == "" {
				break
			}
		}
	}
	if !found {
		return defaultLifetime
	}
	return max(lifetime, minLifetime)
}

// nextDirective cuts the text before the next comma that is not inside quotes, and what comes after that comma.
func nextDirective(text string) (directive, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '\\' && quoted:
			i++
		case text[i] == ',' && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// deltaSeconds reads a number of seconds, at most maxLifetime, and 0 from anything else.
func deltaSeconds(text string) time.Duration {
	text = strings.Trim(text, " \t")
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	var seconds int64
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
		seconds = min(seconds*10+int64(text[i]-'0'), int64(maxLifetime/time.Second))
	}
	return time.Duration(seconds) * time.Second
}
