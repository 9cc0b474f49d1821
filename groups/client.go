// SPDX-License-Identifier: Apache-2.0

package groups

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of what is asked for and read.
const (
	MaxPageSizeHint  = 1000
	DefaultMaxGroups = 10_000

	maxPages     = 1000
	maxPageBytes = 4 << 20
	maxBytes     = 3 << 20 // of all texts of one answer, which must fit into one message
)

// Pages reads containers of platforms. A *pages.Reader is one.
type Pages interface {
	Dialect(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)
	Read(ctx context.Context, container pages.Container, decode func(page io.Reader) error) (pages.Result, error)
}

// Config configures a Client.
type Config struct {
	Pages     Pages // required
	MaxGroups int   // groups, and sets, of one context; 0: DefaultMaxGroups
}

// Client reads groups. It may be used by many goroutines.
type Client struct {
	config Config
}

// New returns a Client.
func New(config Config) (*Client, error) {
	if config.Pages == nil || config.MaxGroups < 0 {
		return nil, errors.New("groups: a Client needs Pages, and MaxGroups is not negative")
	}
	if config.MaxGroups == 0 {
		config.MaxGroups = DefaultMaxGroups
	}
	return &Client{config: config}, nil
}

// Options say which groups, and how to ask for them.
type Options struct {
	UserID       string // only groups that this user is in; empty: all
	PageSizeHint int    // groups a page to ask for, at most MaxPageSizeHint; 0: none is asked for
}

// Groups returns the groups of a context, each once. The error is a *lti.Error: REQUEST_INVALID, SERVICE_NOT_OFFERED, or
// what pages.Reader.Read says.
func (c *Client) Groups(ctx context.Context, registration *platform.Registration, endpoint lti.GroupEndpoint, options Options) ([]lti.Group, error) {
	var found []lti.Group
	err := c.read(ctx, registration, &endpoint, options, kind{
		name: "list of groups", member: "groups", element: "group", field: "endpoint.context_groups_uri", uri: endpoint.GroupsURI, mediaType: lti.MediaTypeGroups, byUser: true,
	}, func(e *element) {
		found = append(found, lti.Group{ID: e.id, Name: string(e.Name), Tag: string(e.Tag), Hidden: bool(e.Hidden), SetIDs: e.setIDs()})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Sets returns the group sets of a context, each once; none where the endpoint offers no sets. Errors are as of Groups.
func (c *Client) Sets(ctx context.Context, registration *platform.Registration, endpoint lti.GroupEndpoint, options Options) ([]lti.GroupSet, error) {
	if endpoint.GroupSetsURI == "" && endpoint.GroupsURI != "" {
		return nil, nil
	}
	var found []lti.GroupSet
	err := c.read(ctx, registration, &endpoint, options, kind{
		name: "list of group sets", member: "sets", element: "set", field: "endpoint.context_group_sets_uri", uri: endpoint.GroupSetsURI, mediaType: lti.MediaTypeGroupSets,
	}, func(e *element) {
		found = append(found, lti.GroupSet{ID: e.id, Name: string(e.Name), Tag: string(e.Tag), Hidden: bool(e.Hidden)})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// kind is one of the two containers of the service.
type kind struct {
	name, member, element, field, uri, mediaType string
	byUser                                       bool // it can be filtered by user
}

func (c *Client) read(ctx context.Context, registration *platform.Registration, endpoint *lti.GroupEndpoint, options Options, kind kind, add func(*element)) error {
	dialect, err := c.config.Pages.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return err
	}
	if err := check(registration, endpoint, options); err != nil {
		return err
	}
	uri := kind.uri
	if options.UserID != "" && kind.byUser {
		uri = pages.AddQuery(uri, "user_id", options.UserID)
	}
	if options.PageSizeHint > 0 && !dialect.GroupPagesBroken {
		uri = pages.AddQuery(uri, "limit", strconv.Itoa(options.PageSizeHint))
	}
	container := pages.Container{
		Registration: registration, DeploymentID: endpoint.DeploymentID, Dialect: dialect, Name: kind.name,
		Field: kind.field, URI: uri, Scope: lti.ScopeGroups, MediaType: kind.mediaType, MaxPages: maxPages, MaxPageBytes: maxPageBytes,
	}
	seen, bytes := map[string]bool{}, 0
	_, err = c.config.Pages.Read(ctx, container, func(page io.Reader) error {
		elements, err := decode(page, kind)
		if err != nil {
			return err
		}
		for i := range elements {
			e := &elements[i]
			if seen[e.id] {
				continue
			}
			if len(seen) == c.config.MaxGroups {
				return container.TooLarge(c.config.MaxGroups, kind.member)
			}
			if bytes += e.size(); bytes > maxBytes {
				return container.TooLarge(maxBytes, "bytes")
			}
			seen[e.id] = true
			add(e)
		}
		return nil
	})
	return err
}

// check refuses what cannot be asked for.
func check(registration *platform.Registration, endpoint *lti.GroupEndpoint, options Options) error {
	missing := func(what, message string) error {
		return lti.Errorf(lti.ReasonServiceNotOffered, "%s", message).With("registration", registration.Name).With("missing", what)
	}
	isVersion1 := func(version string) bool { return version == "1" || strings.HasPrefix(version, "1.") }
	switch {
	case options.PageSizeHint < 0 || options.PageSizeHint > MaxPageSizeHint:
		return lti.FieldError("page_size_hint", "it is not from 0 to %d", MaxPageSizeHint)
	case len(options.UserID) > 4*lti.MaxIDLength:
		return lti.FieldError("user_id", "it is longer than %d characters", lti.MaxIDLength)
	case endpoint.GroupsURI == "":
		return missing("context_groups_uri", "The launch offered no groups: the platform has no groups service, or does not allow it to this tool.")
	case len(endpoint.ServiceVersions) > 0 && !slices.ContainsFunc(endpoint.ServiceVersions, isVersion1):
		return missing("service_versions 1.0", "The platform offers groups only in a version other than 1.0.")
	case len(endpoint.Scopes) > 0 && !slices.Contains(endpoint.Scopes, lti.ScopeGroups):
		return missing(lti.ScopeGroups, "The launch did not offer the scope to read groups: allow it to this tool at the platform, then launch again.")
	}
	return nil
}
