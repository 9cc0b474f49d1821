// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
)

const (
	maxResultURI    = 2048
	defaultThrottle = 5 * time.Second // where a platform throttles and does not say for how long
)

// read turns the answer to a score into a result URI, which may be empty, or a refusal. ambiguous says that the same
// score was sent before and may have arrived: then "not newer" means that it did.
func (s *sending) read(answer *outbound.Response, ambiguous bool) (resultURI string, refusal *lti.Error) {
	status, now := answer.Status, s.client.config.Now()
	words := outbound.Words(answer.Body, s.secrets...)
	refuse := func(reason lti.Reason, message string) (string, *lti.Error) {
		if words != "" {
			message = strings.TrimSuffix(message, ".") + ": " + strings.TrimSuffix(words, ".") + "."
		}
		refusal := lti.Errorf(reason, "%s", message).With("registration", s.registration.Name).With("platform_status", strconv.Itoa(status))
		switch reason {
		case lti.ReasonScoreRefused, lti.ReasonServiceRefused:
			refusal = refusal.With("platform_error", words)
		case lti.ReasonPlatformThrottled:
			refusal.RetryAfter = outbound.RetryAfter(answer.Header, now)
			if refusal.RetryAfter == 0 {
				refusal.RetryAfter = defaultThrottle
			}
		case lti.ReasonPlatformUnavailable:
			refusal.RetryAfter = outbound.RetryAfter(answer.Header, now)
		}
		return "", refusal
	}
	switch {
	case status >= 200 && status < 300 && s.dialect.EmptyListIsRefusal && string(bytes.TrimSpace(answer.Body)) == "[]":
		words = ""
		return refuse(lti.ReasonScoreRefused, "The platform refused the score, although its status says otherwise.")
	case status >= 200 && status < 300:
		return resultURIOf(answer.Body), nil
	case s.dialect.Throttled(status, answer.Body):
		return refuse(lti.ReasonPlatformThrottled, "The platform limits the rate of requests.")
	case s.dialect.OutdatedScore(status, answer.Body) && ambiguous:
		return "", nil
	case s.dialect.OutdatedScore(status, answer.Body):
		return refuse(lti.ReasonScoreOutdated, "The platform already has a score that is not older than this one.")
	case status == http.StatusNotFound && s.dialect.HTMLNotFoundIsFault && !isJSON(answer):
		return refuse(lti.ReasonPlatformUnavailable, "The platform failed to handle the score.")
	case status == http.StatusNotFound || status == http.StatusGone:
		return refuse(lti.ReasonLineItemNotFound, "The platform no longer has the line item, or the course is closed.")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return refuse(lti.ReasonServiceRefused, "The platform refused the service token for this line item, also a fresh one.")
	case status >= 500 || status == http.StatusRequestTimeout:
		return refuse(lti.ReasonPlatformUnavailable, "The platform answered that it cannot take the score now.")
	case status >= 300 && status < 400:
		return refuse(lti.ReasonServiceRefused, "The platform answered with a redirect, which is not followed.")
	}
	return refuse(lti.ReasonScoreRefused, "The platform refused the score.")
}

// resultURIOf returns the resultUrl that Canvas answers, and "" where there is none that is a URL.
func resultURIOf(body []byte) string {
	var members struct {
		ResultURL string `json:"resultUrl"`
	}
	if json.Unmarshal(body, &members) != nil || len(members.ResultURL) > maxResultURI || !strings.HasPrefix(members.ResultURL, "http") {
		return ""
	}
	return lti.Excerpt(members.ResultURL)
}

func isJSON(answer *outbound.Response) bool {
	trimmed := bytes.TrimSpace(answer.Body)
	return strings.Contains(strings.ToLower(answer.Header.Get("Content-Type")), "json") || len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
}
