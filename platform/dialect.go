// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"slices"
	"strings"
	"time"
)

// Dialect is what one family of platforms does differently from the others when its services are called. It is data:
// nothing in it touches how launches are validated. The zero Dialect, of name "", is the generic one.
type Dialect struct {
	Name string

	// ScoreGrain is the step between two timestamps of one user and line item; 0: one millisecond. Moodle keeps whole
	// seconds and refuses a timestamp that is not newer.
	ScoreGrain time.Duration

	// TokenExpiredStatuses are the statuses, besides 401, that can mean an expired service token. Sakai and Open edX
	// answer 403.
	TokenExpiredStatuses []int

	// RefusedBody is a body that makes a score's status 200 a refusal; empty: none. Moodle answers 200 with "[]" where
	// PHP cannot send the true status, and nothing at all on success.
	RefusedBody string

	// HTMLNotFoundIsFailure: a 404 that is a web page is an internal failure of the platform and says nothing about the
	// line item. A 404 that is JSON does.
	HTMLNotFoundIsFailure bool

	// OutdatedWords, in the body of a 400, mean "older than what is stored"; empty: no such words are known.
	OutdatedWords string

	// ThrottleStatus and ThrottleWords are a status besides 429 that means throttling if the body holds the words;
	// 0: none. Canvas answers 403 "Rate Limit Exceeded".
	ThrottleStatus int
	ThrottleWords  string
}

// dialects is the table. The generic one takes a 403 for an expired service token as well: where a platform is not
// known, one more request with a fresh token costs little, and a lost score much.
var dialects = map[string]Dialect{
	"":       {TokenExpiredStatuses: []int{403}},
	"canvas": {Name: "canvas", OutdatedWords: "before last updated", ThrottleStatus: 403, ThrottleWords: "Rate Limit Exceeded"},
	"moodle": {Name: "moodle", ScoreGrain: time.Second, RefusedBody: "[]", HTMLNotFoundIsFailure: true},
}

// DialectOf returns the dialect of a name, as the dialect of a registration or the product_family_code of a launch. A
// name that is not known gives the generic dialect.
func DialectOf(name string) Dialect {
	return dialects[dialectKey(name)]
}

// IsDialect reports whether a name is in the table. The empty name is.
func IsDialect(name string) bool {
	_, ok := dialects[name]
	return ok
}

func dialectKey(name string) string {
	name = strings.ToLower(name)
	if IsDialect(name) {
		return name
	}
	return ""
}

// Grain returns ScoreGrain, or a millisecond where it is 0.
func (d Dialect) Grain() time.Duration {
	return max(d.ScoreGrain, time.Millisecond)
}

// TokenExpired reports whether a status can mean that the service token is no longer good.
func (d Dialect) TokenExpired(status int) bool {
	return status == 401 || slices.Contains(d.TokenExpiredStatuses, status)
}

// Outdated reports whether an answer to a score means that the platform has one that is not older.
func (d Dialect) Outdated(status int, body []byte) bool {
	return status == 409 || status == 400 && d.OutdatedWords != "" && strings.Contains(string(body), d.OutdatedWords)
}

// Throttled reports whether an answer asks for fewer requests.
func (d Dialect) Throttled(status int, body []byte) bool {
	return status == 429 || d.ThrottleStatus != 0 && status == d.ThrottleStatus && strings.Contains(string(body), d.ThrottleWords)
}
