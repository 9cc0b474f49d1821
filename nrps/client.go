// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"context"
	"errors"
	"io"

	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Default limits of a roster.
const (
	DefaultMaxPages   = 10_000
	DefaultMaxMembers = 1_000_000
)

// Pages reads containers of platforms. A *pages.Reader is one.
type Pages interface {
	Dialect(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)
	Read(ctx context.Context, container pages.Container, decode func(page io.Reader) error) (pages.Result, error)
}

// Config configures a Client.
type Config struct {
	Pages      Pages // required
	MaxPages   int   // of one roster; 0: DefaultMaxPages
	MaxMembers int   // entries of one roster as the platform sends them; 0: DefaultMaxMembers
}

// Client reads rosters. It may be used by many goroutines.
type Client struct {
	config Config
}

// New returns a Client.
func New(config Config) (*Client, error) {
	switch {
	case config.Pages == nil:
		return nil, errors.New("nrps: a Client needs Pages")
	case config.MaxPages < 0 || config.MaxMembers < 0:
		return nil, errors.New("nrps: MaxPages and MaxMembers are not negative")
	}
	if config.MaxPages == 0 {
		config.MaxPages = DefaultMaxPages
	}
	if config.MaxMembers == 0 {
		config.MaxMembers = DefaultMaxMembers
	}
	return &Client{config: config}, nil
}
