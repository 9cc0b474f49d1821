// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Outcome is what an attempt to send a score came to.
type Outcome int

// The outcomes. The zero value is none.
const (
	Taken    Outcome = iota + 1 // the platform has the score
	NotTaken                    // it does not have it, and may take it later
	Failed                      // it answered that it failed, which can be after it stored the score
	Unknown                     // the score left and no answer came
	Refused                     // it refused the score and would refuse it again
	Unready                     // a setting is wrong, at the platform or here, and somebody can correct it
	Outdated                    // it has one that is not older, which does not prove that it is this one
)

// Answer is what became of an attempt.
type Answer struct {
	Outcome   Outcome
	ResultURI string     // where the platform names one
	Problem   *lti.Error // nil where the score was taken; its RetryAfter is what the platform asked for
	Throttled bool       // RetryAfter is meant for everything that goes to the host
	HostFault bool       // it is the host that fails, rather than this score
}

// notSent is the answer where nothing left, because of an error of what comes before.
func notSent(err error) Answer {
	var problem *lti.Error
	if !errors.As(err, &problem) {
		problem = &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	answer := Answer{Outcome: Unready, Problem: problem}
	switch problem.Reason.Info().Code {
	case lti.CodeUnavailable, lti.CodeResourceExhausted, lti.CodeDeadlineExceeded, lti.CodeCanceled:
		answer.Outcome = NotTaken
	}
	switch problem.Reason {
	case lti.ReasonPlatformUnreachable, lti.ReasonPlatformUnavailable:
		answer.HostFault = true
	case lti.ReasonPlatformThrottled:
		answer.Throttled = true
	}
	return answer
}

// unanswered is the answer where the request brought none.
func unanswered(err error, registration string) Answer {
	var failure *outbound.Error
	if errors.As(err, &failure) && !failure.Sent {
		return notSent(outbound.Explain(err, registration))
	}
	return Answer{Outcome: Unknown, Problem: outbound.Explain(err, registration), HostFault: true}
}

// read turns the platform's answer to a score into ours.
func (a *attempt) read(answer *outbound.Response) Answer {
	status, now := answer.Status, a.client.config.Now()
	words := outbound.Words(answer.Body, a.secrets...)
	problem := func(outcome Outcome, reason lti.Reason, message string) Answer {
		if words != "" {
			message = strings.TrimSuffix(message, ".") + ": " + strings.TrimSuffix(words, ".") + "."
		}
		problem := lti.Errorf(reason, "%s", message).With("registration", a.Registration.Name).With("platform_status", strconv.Itoa(status))
		switch reason {
		case lti.ReasonScoreRefused, lti.ReasonServiceRefused:
			problem = problem.With("platform_error", words)
		case lti.ReasonPlatformThrottled:
			problem.RetryAfter = outbound.RetryAfter(answer.Header, now)
			if problem.RetryAfter == 0 {
				problem.RetryAfter = defaultThrottle
			}
		case lti.ReasonPlatformUnavailable:
			problem.RetryAfter = outbound.RetryAfter(answer.Header, now)
		}
		return Answer{
			Outcome: outcome, Problem: problem, Throttled: reason == lti.ReasonPlatformThrottled,
			HostFault: reason == lti.ReasonPlatformUnavailable && status > http.StatusNotImplemented, // 500 is about the score: a locked item at Moodle
		}
	}
	switch {
	case status >= 200 && status < 300 && a.dialect.EmptyListIsRefusal && string(bytes.TrimSpace(answer.Body)) == "[]":
		words = ""
		return problem(Refused, lti.ReasonScoreRefused, "The platform refused the score, although its status says otherwise.")
	case status >= 200 && status < 300:
		return Answer{Outcome: Taken, ResultURI: resultURIOf(answer.Body)}
	case a.dialect.Throttled(status, answer.Body):
		return problem(NotTaken, lti.ReasonPlatformThrottled, "The platform limits the rate of requests.")
	case a.dialect.OutdatedScore(status, answer.Body) && a.Ambiguous && !a.dialect.EqualScoreTaken:
		return Answer{Outcome: Taken}
	case a.dialect.OutdatedScore(status, answer.Body):
		return problem(Outdated, lti.ReasonScoreOutdated, "The platform already has a score that is not older than this one.")
	case status == http.StatusNotFound && a.dialect.HTMLNotFoundIsFault && !isJSON(answer):
		return problem(Failed, lti.ReasonPlatformUnavailable, "The platform failed to handle the score.")
	case status == http.StatusNotFound || status == http.StatusGone:
		return problem(Refused, lti.ReasonLineItemNotFound, "The platform no longer has the line item, or the course is closed.")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem(Unready, lti.ReasonServiceRefused, "The platform refused the service token for this line item, also a fresh one.")
	case status == http.StatusServiceUnavailable || status == http.StatusRequestTimeout:
		return problem(NotTaken, lti.ReasonPlatformUnavailable, "The platform answered that it cannot take the score now.")
	case status >= 500:
		return problem(Failed, lti.ReasonPlatformUnavailable, "The platform answered that it failed to take the score.")
	case status >= 300 && status < 400:
		return problem(Unready, lti.ReasonServiceRefused, "The platform answered with a redirect, which is not followed.")
	}
	return problem(Refused, lti.ReasonScoreRefused, "The platform refused the score.")
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
