// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// Each login has a pair of cookies of its own, so that parallel launches do not meet. Both hold the same secret: no
// single form comes back in every browser, frame and window. The names end with the start of the state's hash.
const (
	cookiePlain       = "__Host-lti-"
	cookiePartitioned = "__Host-ltip-"

	maxLogins   = 8  // pairs that are left in a browser
	maxDeletion = 10 // pairs deleted in one answer, to keep its headers small
)

// bindingSecret is the value of the cookies of one login: eight hex digits of the issue time in Unix seconds, a dot, and
// 128 random bits in base64url.
func bindingSecret(now time.Time, random io.Reader) (string, error) {
	var secret [16]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return "", fmt.Errorf("binding secret: %w", err)
	}
	return fmt.Sprintf("%08x.%s", uint32(now.Unix()), base64.RawURLEncoding.EncodeToString(secret[:])), nil
}

// loginID names a login in cookies and in the platform's storage.
func loginID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:4])
}

// setCookies returns the headers that give a browser the secret of a login.
func setCookies(id, secret string) []Header {
	attributes := "; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=" + strconv.Itoa(int(noncestore.StateLifetime/time.Second))
	return []Header{
		{"Set-Cookie", cookiePlain + id + "=" + secret + attributes},
		{"Set-Cookie", cookiePartitioned + id + "=" + secret + attributes + "; Partitioned"},
	}
}

// deleteCookies returns the headers that take the pair of a login away. Partitioned must be repeated, or that one stays.
func deleteCookies(id string) []Header {
	const attributes = "=; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=0"
	return []Header{
		{"Set-Cookie", cookiePlain + id + attributes},
		{"Set-Cookie", cookiePartitioned + id + attributes + "; Partitioned"},
	}
}

// loginCookie is one of our cookies in a request.
type loginCookie struct {
	id          string
	value       string
	partitioned bool
}

// loginCookies returns our cookies of a Cookie header; all others are passed over.
func loginCookies(header string) []loginCookie {
	var found []loginCookie
	for part := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			continue
		}
		id, partitioned := strings.CutPrefix(name, cookiePartitioned)
		if !partitioned {
			if id, ok = strings.CutPrefix(name, cookiePlain); !ok {
				continue
			}
		}
		if len(id) == 8 {
			found = append(found, loginCookie{id: id, value: strings.Trim(value, `"`), partitioned: partitioned})
		}
	}
	return found
}

// deleteOldLogins returns the headers that take away all but the newest pairs: cookies that stay behind would in time
// push out the tool's own (a browser keeps some 85 for a site in a frame). The new login counts as one.
func deleteOldLogins(header string) []Header {
	newest := map[string]string{}
	for _, cookie := range loginCookies(header) {
		newest[cookie.id] = max(newest[cookie.id], cookie.value) // values begin with the time
	}
	if len(newest) < maxLogins {
		return nil
	}
	ids := make([]string, 0, len(newest))
	for id := range newest {
		if isHex(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(strings.Compare(newest[b], newest[a]), strings.Compare(a, b)) })
	var headers []Header
	for _, id := range ids[min(maxLogins-1, len(ids)):] {
		if len(headers) >= 2*maxDeletion {
			break
		}
		headers = append(headers, deleteCookies(id)...)
	}
	return headers
}

// isHex keeps what we write into a header to what we could have set.
func isHex(id string) bool {
	_, err := hex.DecodeString(id)
	return err == nil
}

// fitsBinding reports in constant time whether a secret is the one of a login.
func (s *loginState) fitsBinding(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], s.binding[:]) == 1
}
