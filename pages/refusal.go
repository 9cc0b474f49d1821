// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// defaultThrottle is how long to wait where a platform throttles and does not say for how long.
const defaultThrottle = 5 * time.Second

// Call is what a refusal has to know of the call that was refused.
type Call struct {
	Registration string // its name
	Dialect      platform.Dialect
	Doing        string // what the platform was to do: "give the roster"
	Now          time.Time
	Secrets      []string // hidden in what the platform says
}

// Refusal says what a status other than success means: PLATFORM_THROTTLED, PLATFORM_UNAVAILABLE or SERVICE_REFUSED, with
// the platform's own words.
func Refusal(status int, header http.Header, body []byte, call Call) *lti.Error {
	words := outbound.Words(body, call.Secrets...)
	refuse := func(reason lti.Reason, message string) *lti.Error {
		if words != "" {
			message = strings.TrimSuffix(message, ".") + ": " + strings.TrimSuffix(words, ".") + "."
		}
		return lti.Errorf(reason, "%s", message).With("registration", call.Registration).With("platform_status", strconv.Itoa(status))
	}
	wait := outbound.RetryAfter(header, call.Now)
	switch {
	case call.Dialect.Throttled(status, body):
		refusal := refuse(lti.ReasonPlatformThrottled, "The platform limits the rate of requests.")
		if refusal.RetryAfter = wait; wait == 0 {
			refusal.RetryAfter = defaultThrottle
		}
		return refusal
	case status >= 500, status == http.StatusRequestTimeout,
		status == http.StatusNotFound && call.Dialect.HTMLNotFoundIsFault && strings.Contains(header.Get("Content-Type"), "html"):
		refusal := refuse(lti.ReasonPlatformUnavailable, "The platform answered that it cannot "+call.Doing+" now.")
		refusal.RetryAfter = wait
		return refusal
	case status >= 300 && status < 400:
		return refuse(lti.ReasonServiceRefused, "The platform answered with a redirect, which is not followed.")
	}
	return refuse(lti.ReasonServiceRefused, "The platform refused to "+call.Doing+".").With("platform_error", words)
}
