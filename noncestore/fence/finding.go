// SPDX-License-Identifier: Apache-2.0

package fence

import (
	"fmt"
	"time"
)

// Level says how much a Finding matters.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and somebody may come to regret it
	Wrong   Level = "wrong"   // a sidecar does not start with it, or refuses launches
)

// Finding is one thing that was looked at in a database, in words for its operator.
type Finding struct {
	Level Level
	Text  string
}

// Findf makes a Finding.
func Findf(level Level, format string, args ...any) Finding {
	return Finding{level, fmt.Sprintf(format, args...)}
}

// FindClock compares the server's clock with ours.
func FindClock(server, ours time.Time) Finding {
	ahead := server.Sub(ours).Round(100 * time.Millisecond)
	switch {
	case ahead.Abs() > maxSkew:
		return Findf(Wrong, "its clock is %s ahead of ours; beyond %s launches are refused with STORE_CLOCK_SKEW: set both clocks right", ahead, maxSkew)
	case ahead.Abs() > maxSkew/6:
		return Findf(Warning, "its clock is %s ahead of ours; beyond %s launches are refused with STORE_CLOCK_SKEW: set both clocks right", ahead, maxSkew)
	}
	return Findf(OK, "its clock is %s ahead of ours; up to %s is tolerated", ahead, maxSkew)
}

// FindFence says who uses the store. seen is the last poll, zero where there is no fence; check is that of the fence.
func FindFence(seen, now time.Time, check, secret []byte) (Finding, error) {
	own, err := checkOf(secret)
	if err != nil {
		return Finding{}, err
	}
	age := now.Sub(seen).Round(100 * time.Millisecond)
	switch {
	case seen.IsZero():
		return Findf(OK, "no sidecar has used it yet"), nil
	case string(check) != string(own[:]) && age < OtherSecretAfter:
		return Findf(Wrong, "a sidecar uses it with another shared secret, %s ago: give all of them the same store.secret_file", age), nil
	case string(check) != string(own[:]):
		return Findf(Warning, "it was used with another shared secret, %s ago: the next start takes a new seal, and logins under way then are refused once", age), nil
	}
	return Findf(OK, "a sidecar with our shared secret used it %s ago", age), nil
}
