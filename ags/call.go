// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
)

const maxItemBytes = 256 << 10 // decoded, of an answer about one line item

// call sends a request with a service token, and once more, with a fresh one, where the token seems to have expired. Its
// error is a *lti.Error: what Allowed and the TokenSource answer, LINE_ITEM_NOT_FOUND, SERVICE_REFUSED,
// PLATFORM_ANSWER_INVALID, PLATFORM_THROTTLED, PLATFORM_UNAVAILABLE, PLATFORM_UNREACHABLE, ADDRESS_NOT_ALLOWED,
// DEADLINE_EXCEEDED or CANCELED.
func (c *LineItemClient) call(ctx context.Context, site *site, scope string, request outbound.Request) (*outbound.Response, error) {
	if err := c.config.Allowed(ctx, site.registration, site.deploymentID, request.URI); err != nil {
		return nil, err
	}
	request.MaxBody = maxItemBytes
	header := request.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	request.Header = header
	for repeated := false; ; repeated = true {
		token, err := c.config.Tokens.Token(ctx, site.registration, site.deploymentID, []string{scope})
		if err != nil {
			return nil, err
		}
		header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
		answer, err := c.config.HTTP.Do(ctx, request)
		switch {
		case err != nil:
			return nil, outbound.Explain(err, site.registration.Name)
		case answer.Status >= 200 && answer.Status < 300:
			return answer, nil
		case repeated, insufficientScope(answer), !site.dialect.TokenExpired(answer.Status), site.dialect.Throttled(answer.Status, answer.Body):
			return nil, c.refusal(site, request.Method, answer, token.AccessToken.Reveal())
		}
		c.config.Tokens.Drop(token)
	}
}

// insufficientScope reports whether an answer says that a fresh token of the same scope would not help (RFC 6750, section
// 3.1).
func insufficientScope(answer *outbound.Response) bool {
	return strings.Contains(answer.Header.Get("WWW-Authenticate"), "insufficient_scope")
}

// refusal says what a status other than success means.
func (c *LineItemClient) refusal(site *site, method string, answer *outbound.Response, token string) *lti.Error {
	status, now := answer.Status, c.config.Now()
	words := outbound.Words(answer.Body, token)
	refuse := func(reason lti.Reason, message string) *lti.Error {
		if words != "" {
			message = strings.TrimSuffix(message, ".") + ": " + strings.TrimSuffix(words, ".") + "."
		}
		return lti.Errorf(reason, "%s", message).With("registration", site.registration.Name).With("platform_status", strconv.Itoa(status))
	}
	refused := func(message string) *lti.Error {
		return refuse(lti.ReasonServiceRefused, message).With("platform_error", words)
	}
	switch {
	case site.dialect.Throttled(status, answer.Body):
		throttled := refuse(lti.ReasonPlatformThrottled, "The platform limits the rate of requests.")
		if throttled.RetryAfter = outbound.RetryAfter(answer.Header, now); throttled.RetryAfter == 0 {
			throttled.RetryAfter = defaultThrottle
		}
		return throttled
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusNotFound && site.dialect.HTMLNotFoundIsFault && !isJSON(answer):
		unavailable := refuse(lti.ReasonPlatformUnavailable, "The platform answered that it cannot serve line items now.")
		unavailable.RetryAfter = outbound.RetryAfter(answer.Header, now)
		return unavailable
	case status >= 300 && status < 400:
		return refused("The platform answered with a redirect, which is not followed.")
	case (status == http.StatusNotFound || status == http.StatusGone) && method == http.MethodPost:
		return refused("The platform does not know the course, or the resource link that the line item is for.")
	case status == http.StatusNotFound || status == http.StatusGone:
		return refuse(lti.ReasonLineItemNotFound, "The platform no longer has the line item, or the course is closed.")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return refused("The platform does not allow this to the tool: the service token was refused, or the line item is not the tool's.")
	case status == http.StatusNotAcceptable || status == http.StatusUnsupportedMediaType:
		return refused("The platform does not take the media types of the specification.")
	}
	return refused("The platform refused the line item.")
}

func invalid(site *site, detail string) *lti.Error {
	return lti.Errorf(lti.ReasonPlatformAnswerInvalid, "The platform's answer cannot be used: %s.", detail).
		With("registration", site.registration.Name).With("detail", detail)
}

func tooLarge(site *site, name string, limit int, of string) *lti.Error {
	return lti.Errorf(lti.ReasonListTooLarge, "The %s has more than %d %s.", name, limit, of).
		With("registration", site.registration.Name).With("limit", strconv.Itoa(limit)+" "+of)
}

// hint writes a page size, and "" for none.
func hint(pageSize int) string {
	if pageSize == 0 {
		return ""
	}
	return strconv.Itoa(pageSize)
}
