// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
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
	refusal := pages.Refusal(answer.Status, answer.Header, answer.Body, pages.Call{
		Registration: site.registration.Name, Dialect: site.dialect, Doing: doing[method], Now: c.config.Now(), Secrets: []string{token},
	})
	gone := refusal.Reason == lti.ReasonServiceRefused && (answer.Status == http.StatusNotFound || answer.Status == http.StatusGone)
	if gone && method != http.MethodPost { // a container that is gone is no line item
		return lti.Errorf(lti.ReasonLineItemNotFound, "The platform no longer has the line item, or the course is closed.").
			With("registration", site.registration.Name).With("platform_status", strconv.Itoa(answer.Status))
	}
	return refusal
}

// doing says what a platform was to do, by the method of the request.
var doing = map[string]string{
	"": "give the line item", http.MethodPost: "make the line item", http.MethodPut: "change the line item", http.MethodDelete: "delete the line item",
}

func invalid(site *site, detail string) *lti.Error {
	return lti.Errorf(lti.ReasonPlatformAnswerInvalid, "The platform's answer cannot be used: %s.", detail).
		With("registration", site.registration.Name).With("detail", detail)
}

// hint writes a page size, and "" for none.
func hint(pageSize int) string {
	if pageSize == 0 {
		return ""
	}
	return strconv.Itoa(pageSize)
}
