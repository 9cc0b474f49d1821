// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of what is read.
const (
	MaxPageSizeHint = 1000

	maxPageBytes = 256 << 20 // decoded; Moodle sends everybody in one page
)

// Options say which members, and how to ask for them.
type Options struct {
	Role           string // context role as URI or short name, sub-roles included; empty: everybody
	ResourceLinkID string // only who can open this link, with its message section; empty: the whole context
	PageSizeHint   int    // members a page to ask for, at most MaxPageSizeHint; 0: none is asked for
	Groups         bool   // ask for the groups that members are in (Course Groups 1.0)
	DifferencesURI string // from an earlier End: only what has changed since; empty: the whole roster
}

// Batch is a part of a roster. Context is that of the roster in the first batch, and zero in the others.
type Batch struct {
	Context lti.RosterContext
	Members []lti.Member // at most 200
}

// End closes a whole roster.
type End struct {
	MemberCount    int64  // members yielded
	DifferencesURI string // for a later call; empty where the platform offers none
}

// Members reads a roster, all pages, and yields it as it arrives. The first batch is always yielded, even if empty. Each
// user comes once. The roster is whole only if the error is nil. It is what yield returned, or a *lti.Error:
// REQUEST_INVALID, SERVICE_NOT_OFFERED, or what pages.Reader.Read says. An error after the first request has the
// metadata pages and members: how much came before it.
func (c *Client) Members(ctx context.Context, registration *platform.Registration, endpoint lti.MembershipEndpoint, options Options, yield func(Batch) error) (End, error) {
	dialect, err := c.config.Pages.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return End{}, err
	}
	uri, err := firstURI(registration, &endpoint, options, dialect)
	if err != nil {
		return End{}, err
	}
	container := pages.Container{
		Registration: registration, DeploymentID: endpoint.DeploymentID, Dialect: dialect,
		Name: "roster", OverLimit: lti.ReasonRosterTooLarge, Field: "endpoint.context_memberships_uri", URI: uri,
		Scope: lti.ScopeMemberships, MediaType: lti.MediaTypeMemberships,
		MaxPages: c.config.MaxPages, MaxPageBytes: maxPageBytes,
	}
	if options.DifferencesURI != "" {
		container.Field = "differences_uri"
	}
	reading := &reading{
		container: &container, maxMembers: c.config.MaxMembers,
		roster: roster{yield: yield, role: lti.ParseRole(options.Role), seed: maphash.MakeSeed(), users: map[uint64]struct{}{}},
	}
	result, err := c.config.Pages.Read(ctx, container, reading.page)
	if err == nil {
		err = reading.roster.flush(true)
	}
	if err != nil {
		return End{}, reading.howFar(err, result.Pages)
	}
	return End{MemberCount: reading.roster.yielded, DifferencesURI: result.DifferencesURI}, nil
}

// firstURI checks endpoint and options and returns the URI of the first page.
func firstURI(registration *platform.Registration, endpoint *lti.MembershipEndpoint, options Options, dialect platform.Dialect) (string, error) {
	notOffered := func(missing, message string) error {
		if dialect.RosterSetting != "" {
			message += " " + dialect.RosterSetting
		}
		return lti.Errorf(lti.ReasonServiceNotOffered, "%s", message).With("registration", registration.Name).With("missing", missing)
	}
	isVersion2 := func(version string) bool { return version == "2" || strings.HasPrefix(version, "2.") }
	switch {
	case options.Role != "" && lti.ParseRole(options.Role).Kind != lti.RoleContext:
		return "", lti.FieldError("role", "%q is no context role: use one such as Learner or Instructor, or its URI", lti.Excerpt(options.Role))
	case options.PageSizeHint < 0 || options.PageSizeHint > MaxPageSizeHint:
		return "", lti.FieldError("page_size_hint", "it is not from 0 to %d", MaxPageSizeHint)
	case options.DifferencesURI != "":
		return options.DifferencesURI, nil // opaque: nothing is added
	case endpoint.ContextMembershipsURI == "":
		return "", notOffered("context_memberships_uri", "The launch offered no roster: allow the tool to read the course's members at the platform, then launch again.")
	case len(endpoint.ServiceVersions) > 0 && !slices.ContainsFunc(endpoint.ServiceVersions, isVersion2):
		return "", notOffered("service_versions 2.0", "The platform offers the roster only in a version other than 2.0.")
	}
	uri := endpoint.ContextMembershipsURI
	if options.Role != "" {
		uri = pages.AddQuery(uri, "role", lti.ExpandRole(options.Role))
	}
	if options.ResourceLinkID != "" {
		uri = pages.AddQuery(uri, "rlid", options.ResourceLinkID)
	}
	if options.PageSizeHint > 0 {
		uri = pages.AddQuery(uri, "limit", strconv.Itoa(options.PageSizeHint))
	}
	if options.Groups {
		uri = pages.AddQuery(uri, "groups", "true")
	}
	return uri, nil
}

// reading is one roster on its way.
type reading struct {
	container  *pages.Container
	maxMembers int
	received   int // entries of the platform
	begun      bool
	roster     roster
}

// page takes one page in.
func (r *reading) page(body io.Reader) error {
	r.begun = true
	if err := r.decode(body); err != nil {
		return err
	}
	r.roster.contextKnown = true // only the first page's counts, and one that did not come does not hold members back
	return r.roster.flush(false)
}

// howFar adds to an error how much of the roster came before it.
func (r *reading) howFar(err error, read int) error {
	var explained *lti.Error
	if !r.begun || !errors.As(err, &explained) || !slices.Contains(explained.Reason.Info().Metadata, "pages") {
		return err
	}
	further := explained.With("pages", strconv.Itoa(read)).With("members", strconv.Itoa(r.received))
	if further.Message != "" {
		further.Message += fmt.Sprintf(" It came after %d whole pages and %d members.", read, r.received)
	}
	return further
}
