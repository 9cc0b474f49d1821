// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
)

// Bounds of what a platform grants.
const (
	defaultLifetime = 5 * time.Minute // where the answer names none
	maxLifetime     = time.Hour
	maxTokenLength  = 16 << 10
)

// grant is what a platform granted.
type grant struct {
	accessToken string
	lifetime    time.Duration
	scopes      []string // sorted
}

// readAnswer reads a token endpoint's answer (RFC 6749, section 5). Its content type is not looked at: Moodle labels its
// JSON text/html.
func readAnswer(answer *outbound.Response, asked request, now time.Time) (*grant, *lti.Error) {
	registration := asked.registration.Name
	status := strconv.Itoa(answer.Status)
	failure := func(reason lti.Reason, format string, args ...any) *lti.Error {
		return lti.Errorf(reason, format, args...).With("registration", registration).With("platform_status", status)
	}
	switch {
	case answer.Status == http.StatusTooManyRequests:
		throttled := failure(lti.ReasonPlatformThrottled, "The platform's token endpoint limits the rate of requests.")
		throttled.RetryAfter = max(outbound.RetryAfter(answer.Header, now), refusalMemory)
		return nil, throttled
	case answer.Status >= 500 || answer.Status == http.StatusRequestTimeout:
		unavailable := failure(lti.ReasonPlatformUnavailable, "The platform's token endpoint answered with status %s.", status)
		unavailable.RetryAfter = outbound.RetryAfter(answer.Header, now)
		return nil, unavailable
	case answer.Status >= 300 && answer.Status < 400:
		return nil, failure(lti.ReasonTokenRequestRefused, "The platform's token endpoint answered with a redirect, which is not followed: set token_uri to the final address.")
	case answer.Status >= 400:
		return nil, refused(failure, answer, now)
	}
	granted, detail := readGrant(answer.Body, asked.scopes)
	if granted == nil {
		if refusal := readRefusal(answer.Body); refusal != "" {
			return nil, refused(failure, answer, now)
		}
		return nil, failure(lti.ReasonPlatformAnswerInvalid, "The answer of the platform's token endpoint %s.", detail).With("detail", detail)
	}
	if missing := missing(asked.scopes, granted.scopes); len(missing) > 0 && !asked.union {
		return nil, lti.Errorf(lti.ReasonScopeNotGranted, "The platform did not grant %s to the tool.", strings.Join(missing, " ")).
			With("registration", registration).With("expected", strings.Join(missing, " ")).With("actual", lti.Excerpt(strings.Join(granted.scopes, " ")))
	}
	return granted, nil
}

// readGrant reads a success. Where it is none, the grant is nil and detail says why.
func readGrant(body []byte, asked []string) (granted *grant, detail string) {
	var members struct {
		AccessToken jsontext.Value `json:"access_token"`
		TokenType   jsontext.Value `json:"token_type"`
		ExpiresIn   jsontext.Value `json:"expires_in"`
		Scope       jsontext.Value `json:"scope"`
	}
	if err := decode(body, &members); err != nil {
		return nil, "is not a JSON object"
	}
	token, ok := text(members.AccessToken)
	switch {
	case !ok || token == "":
		return nil, "has no access_token"
	case len(token) > maxTokenLength:
		return nil, fmt.Sprintf("has an access_token of more than %d bytes", maxTokenLength)
	case strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return nil, "has an access_token with characters that a header cannot carry"
	}
	// The framework's own first example misspells token_type, so a missing one is taken as bearer.
	if kind, ok := text(members.TokenType); !ok || kind != "" && !strings.EqualFold(kind, "bearer") {
		return nil, "has a token_type that is not bearer"
	}
	granted = &grant{accessToken: token, lifetime: lifetime(members.ExpiresIn), scopes: asked}
	if present(members.Scope) {
		scope, ok := text(members.Scope)
		if !ok {
			return nil, "has a scope that is not a string"
		}
		granted.scopes = strings.Fields(scope)
		slices.Sort(granted.scopes)
		granted.scopes = slices.Compact(granted.scopes)
	}
	return granted, ""
}

// lifetime reads expires_in, a number or a number in a string. What is no positive number counts as missing.
func lifetime(value jsontext.Value) time.Duration {
	digits := strings.Trim(string(value), `" `)
	seconds, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(seconds >= 1) {
		return defaultLifetime
	}
	return time.Duration(min(seconds, maxLifetime.Seconds())) * time.Second
}

// refused makes the error of a request that the platform refuses.
func refused(failure func(lti.Reason, string, ...any) *lti.Error, answer *outbound.Response, now time.Time) *lti.Error {
	words := readRefusal(answer.Body)
	if words == "" {
		words = string(bytes.TrimSpace(answer.Body))
	}
	words = lti.Excerpt(hideTokens(words))
	message := "The platform's token endpoint refused the request"
	if words != "" {
		message += ": " + strings.TrimRight(words, ".")
	}
	message += "."
	if skew := answer.Date.Sub(now).Round(time.Second); !answer.Date.IsZero() && skew.Abs() > backdating {
		message += fmt.Sprintf(" The platform's clock differs from this host's by %v, which alone can be the cause.", skew)
	}
	return failure(lti.ReasonTokenRequestRefused, "%s", message).With("platform_error", words)
}

// readRefusal returns error and error_description of a JSON answer, or "".
func readRefusal(body []byte) string {
	var members struct {
		Error       jsontext.Value `json:"error"`
		Description jsontext.Value `json:"error_description"`
	}
	if decode(body, &members) != nil {
		return ""
	}
	code, _ := text(members.Error)
	description, _ := text(members.Description)
	if code == "" || description == "" {
		return code + description
	}
	return code + ": " + description
}

// tokenLike finds what may be a JWT, as some platforms quote the assertion in their errors.
var tokenLike = regexp.MustCompile(`eyJ[A-Za-z0-9_.=-]{8,}`)

func hideTokens(words string) string { return tokenLike.ReplaceAllString(words, "[token]") }

// decode reads a JSON object as leniently as platforms write them.
func decode(body []byte, members any) error {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	return json.Unmarshal(body, members, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func present(value jsontext.Value) bool { return len(value) > 0 && value.Kind() != 'n' }

// text returns a JSON string, and "" for null and for a missing member. ok is false for any other value.
func text(value jsontext.Value) (content string, ok bool) {
	if !present(value) {
		return "", true
	}
	if value.Kind() != '"' || json.Unmarshal(value, &content, jsontext.AllowInvalidUTF8(true)) != nil {
		return "", false
	}
	return content, true
}
