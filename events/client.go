// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

const (
	mediaType = "application/json"
	maxAnswer = 64 << 10 // bytes that are read of an answer
)

// TokenSource gives service tokens. Drop says that a service refused one.
type TokenSource interface {
	Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (platform.ServiceToken, error)
	Drop(token platform.ServiceToken)
}

// Sender sends requests. An *outbound.Client is one.
type Sender interface {
	Do(ctx context.Context, request outbound.Request) (*outbound.Response, error)
}

// Config configures a Client.
type Config struct {
	HTTP   Sender      // required
	Tokens TokenSource // required

	// Allowed reports whether a service token may go to a URI. It is asked before a token is fetched. Required.
	Allowed func(ctx context.Context, registration *platform.Registration, deploymentID, uri string) error

	// Dialect gives the dialect of a deployment. Nil: the one that the registration names.
	Dialect func(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)

	Now func() time.Time // nil: time.Now
}

// Client sends events. It may be used by many goroutines.
type Client struct {
	config Config
}

// New returns a Client.
func New(config Config) (*Client, error) {
	if config.HTTP == nil || config.Tokens == nil || config.Allowed == nil {
		return nil, errors.New("events: a Client needs HTTP, Tokens and Allowed")
	}
	if config.Dialect == nil {
		config.Dialect = func(_ context.Context, registration *platform.Registration, _ string) (platform.Dialect, error) {
			return platform.DialectOf(registration, ""), nil
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Client{config: config}, nil
}

// CheckEndpoint refuses an endpoint that takes no events. The error is a *lti.Error SERVICE_NOT_OFFERED or
// REQUEST_INVALID.
func CheckEndpoint(registration *platform.Registration, endpoint lti.EventEndpoint) error {
	missing := func(what, message string) error {
		return lti.Errorf(lti.ReasonServiceNotOffered, "%s", message).With("registration", registration.Name).With("missing", what)
	}
	switch {
	case endpoint.URI == "":
		return missing("caliper_endpoint_uri", "The launch offered no Caliper endpoint: the platform takes no events, or not from this tool.")
	case len(endpoint.Scopes) > 0 && !slices.Contains(endpoint.Scopes, lti.ScopeSendEvents):
		return missing(lti.ScopeSendEvents, "The launch did not offer the scope to send events: allow it to this tool at the platform, then launch again.")
	case strings.Contains(endpoint.URI, "#"):
		return lti.FieldError("endpoint.caliper_endpoint_uri", "it has a fragment; hand back the endpoint as the launch gave it")
	}
	return nil
}

// Send posts one envelope, as it is, and returns when the platform took it. Endpoint and envelope are checked first. The
// error is a *lti.Error:
//   - REQUEST_INVALID, SERVICE_NOT_OFFERED, or what Allowed and the TokenSource answer: nothing was sent;
//   - SERVICE_REFUSED, PLATFORM_THROTTLED: the platform does not have the envelope;
//   - PLATFORM_UNREACHABLE, PLATFORM_UNAVAILABLE, PLATFORM_ANSWER_INVALID, DEADLINE_EXCEEDED, CANCELED: it may have it.
func (c *Client) Send(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string) (time.Time, error) {
	if err := c.check(ctx, registration, endpoint, envelope); err != nil {
		return time.Time{}, err
	}
	return c.send(ctx, registration, endpoint, envelope, func(context.Context) error { return nil })
}

// check refuses what cannot be sent.
func (c *Client) check(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string) error {
	if err := CheckEndpoint(registration, endpoint); err != nil {
		return err
	}
	if err := Check(envelope); err != nil {
		return err
	}
	return c.config.Allowed(ctx, registration, endpoint.DeploymentID, endpoint.URI)
}

// send posts an envelope that was checked, and once more where the token seems to have expired. begin is called before
// the first byte leaves; nothing is sent where it fails.
func (c *Client) send(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string, begin func(context.Context) error) (time.Time, error) {
	dialect, err := c.config.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return time.Time{}, err
	}
	for repeated := false; ; repeated = true {
		token, err := c.config.Tokens.Token(ctx, registration, endpoint.DeploymentID, []string{lti.ScopeSendEvents})
		if err != nil {
			return time.Time{}, err
		}
		if err := begin(ctx); err != nil {
			return time.Time{}, err
		}
		answer, err := c.config.HTTP.Do(ctx, outbound.Request{
			Method:  http.MethodPost,
			URI:     endpoint.URI,
			Header:  http.Header{"Authorization": {"Bearer " + token.AccessToken.Reveal()}, "Content-Type": {mediaType}},
			Body:    []byte(envelope),
			MaxBody: maxAnswer,
		})
		if err != nil {
			return time.Time{}, outbound.Explain(err, registration.Name)
		}
		if answer.Status >= 200 && answer.Status < 300 {
			return c.config.Now(), nil
		}
		if repeated || !dialect.TokenExpired(answer.Status) || dialect.Throttled(answer.Status, answer.Body) {
			return time.Time{}, pages.Refusal(answer.Status, answer.Header, answer.Body, pages.Call{
				Registration: registration.Name, Dialect: dialect, Doing: "take the events", Now: c.config.Now(), Secrets: []string{token.AccessToken.Reveal()},
			})
		}
		c.config.Tokens.Drop(token)
	}
}
