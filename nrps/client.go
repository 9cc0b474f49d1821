// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"context"
	"errors"
	"time"

	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Default limits of a roster.
const (
	DefaultMaxPages   = 10_000
	DefaultMaxMembers = 1_000_000
)

// TokenSource gives service tokens. Drop says that a service refused one.
type TokenSource interface {
	Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (platform.ServiceToken, error)
	Drop(token platform.ServiceToken)
}

// Streamer sends requests whose answers are read as they arrive. An *outbound.Client is one.
type Streamer interface {
	Stream(ctx context.Context, request outbound.Request) (*outbound.Stream, error)
}

// Config configures a Client.
type Config struct {
	HTTP   Streamer    // required
	Tokens TokenSource // required

	// Allowed reports whether a service token may go to a URI. It is asked before a token is fetched. Required.
	Allowed func(ctx context.Context, registration *platform.Registration, deploymentID, uri string) error

	// Dialect gives the dialect of a deployment. Nil: the one that the registration names.
	Dialect func(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)

	MaxPages   int              // of one roster; 0: DefaultMaxPages
	MaxMembers int              // entries of one roster as the platform sends them; 0: DefaultMaxMembers
	Now        func() time.Time // nil: time.Now
}

// Client reads rosters. It may be used by many goroutines.
type Client struct {
	config Config
}

// New returns a Client.
func New(config Config) (*Client, error) {
	switch {
	case config.HTTP == nil || config.Tokens == nil || config.Allowed == nil:
		return nil, errors.New("nrps: a Client needs HTTP, Tokens and Allowed")
	case config.MaxPages < 0 || config.MaxMembers < 0:
		return nil, errors.New("nrps: MaxPages and MaxMembers are not negative")
	}
	if config.Dialect == nil {
		config.Dialect = func(_ context.Context, registration *platform.Registration, _ string) (platform.Dialect, error) {
			return platform.DialectNamed(registration.Dialect), nil
		}
	}
	if config.MaxPages == 0 {
		config.MaxPages = DefaultMaxPages
	}
	if config.MaxMembers == 0 {
		config.MaxMembers = DefaultMaxMembers
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Client{config: config}, nil
}
