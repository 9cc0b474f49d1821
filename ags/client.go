// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"errors"
	"time"

	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
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

// Client calls the grade services of platforms. It may be used by many goroutines.
type Client struct {
	config Config
}

// New returns a Client.
func New(config Config) (*Client, error) {
	if config.HTTP == nil || config.Tokens == nil || config.Allowed == nil {
		return nil, errors.New("ags: a Client needs HTTP, Tokens and Allowed")
	}
	if config.Dialect == nil {
		config.Dialect = func(_ context.Context, registration *platform.Registration, _ string) (platform.Dialect, error) {
			return platform.DialectNamed(registration.Dialect), nil
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Client{config: config}, nil
}
