// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// DefaultMaxLanes is how many lanes, of one user and line item each, are remembered.
const DefaultMaxLanes = 50_000

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

	MaxLanes int              // lanes remembered, the least recently used go first; 0: DefaultMaxLanes
	Now      func() time.Time // nil: time.Now
}

// Client calls the grade services of platforms. It may be used by many goroutines.
type Client struct {
	config Config
	lanes  *lru.Cache[string, *lane]
}

// New returns a Client.
func New(config Config) (*Client, error) {
	switch {
	case config.HTTP == nil || config.Tokens == nil || config.Allowed == nil:
		return nil, errors.New("ags: a Client needs HTTP, Tokens and Allowed")
	case config.MaxLanes < 0:
		return nil, errors.New("ags: MaxLanes is not negative")
	}
	if config.Dialect == nil {
		config.Dialect = func(_ context.Context, registration *platform.Registration, _ string) (platform.Dialect, error) {
			return platform.DialectNamed(registration.Dialect), nil
		}
	}
	if config.MaxLanes == 0 {
		config.MaxLanes = DefaultMaxLanes
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	lanes, err := lru.New[string, *lane](config.MaxLanes)
	if err != nil {
		return nil, fmt.Errorf("ags: %w", err)
	}
	return &Client{config: config, lanes: lanes}, nil
}
