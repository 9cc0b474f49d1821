// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net/http"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait that a platform is believed.
const MaxRetryAfter = 15 * time.Minute

// RetryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date that is compared with now. The
// answer lies between 0, for no advice that can be used, and MaxRetryAfter.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.Trim(header.Get("Retry-After"), " \t")
	if text == "" {
		return 0
	}
	var seconds int64
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			date, err := http.ParseTime(text)
			if err != nil {
				return 0
			}
			return min(max(date.Sub(now), 0), MaxRetryAfter)
		}
		// Once over the limit more digits change nothing, and cannot overflow.
		seconds = min(seconds*10+int64(text[i]-'0'), int64(MaxRetryAfter/time.Second))
	}
	return time.Duration(seconds) * time.Second
}
