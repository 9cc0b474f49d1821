// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"context"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of what is read.
const (
	MaxPageSizeHint = 1000

	maxPageBytes    = 256 << 20 // decoded; Moodle sends everybody in one page
	maxErrorBytes   = 64 << 10
	defaultThrottle = 5 * time.Second // where a platform throttles and does not say for how long
)

// Options say which members, and how to ask for them.
type Options struct {
	Role           string // context role as URI or short name, sub-roles included; empty: everybody
	ResourceLinkID string // only who can open this link, with its message section; empty: the whole context
	PageSizeHint   int    // members a page to ask for, at most MaxPageSizeHint; 0: none is asked for
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
// REQUEST_INVALID, SERVICE_NOT_OFFERED, what Allowed and the TokenSource answer, SERVICE_REFUSED, ROSTER_TOO_LARGE,
// PLATFORM_ANSWER_INVALID, PLATFORM_THROTTLED, PLATFORM_UNAVAILABLE, PLATFORM_UNREACHABLE, DEADLINE_EXCEEDED or CANCELED.
func (c *Client) Members(ctx context.Context, registration *platform.Registration, endpoint lti.MembershipEndpoint, options Options, yield func(Batch) error) (End, error) {
	dialect, err := c.config.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return End{}, err
	}
	uri, err := firstURI(registration, &endpoint, options, dialect)
	if err != nil {
		return End{}, err
	}
	if err := c.config.Allowed(ctx, registration, endpoint.DeploymentID, uri); err != nil {
		return End{}, err
	}
	origin, err := platform.Origin(uri)
	if err != nil {
		return End{}, lti.FieldError("endpoint.context_memberships_uri", "%v", err)
	}
	reading := &reading{
		client: c, registration: registration, deploymentID: endpoint.DeploymentID, dialect: dialect, origin: origin,
		pages:  map[uint64]struct{}{},
		roster: roster{yield: yield, role: lti.ParseRole(options.Role), seed: maphash.MakeSeed(), users: map[uint64]struct{}{}},
	}
	for uri != "" {
		if uri, err = reading.page(ctx, uri); err != nil {
			return End{}, err
		}
	}
	if err := reading.roster.flush(true); err != nil {
		return End{}, err
	}
	return End{MemberCount: reading.roster.yielded, DifferencesURI: reading.differences}, nil
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
	case strings.Contains(endpoint.ContextMembershipsURI, "#"):
		return "", lti.FieldError("endpoint.context_memberships_uri", "it has a fragment; hand back the endpoint as the launch gave it")
	}
	uri := endpoint.ContextMembershipsURI
	add := func(name, value string) {
		separator := "?"
		switch {
		case strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&"):
			separator = ""
		case strings.Contains(uri, "?"):
			separator = "&"
		}
		uri += separator + name + "=" + url.QueryEscape(value)
	}
	if options.Role != "" {
		add("role", lti.ExpandRole(options.Role))
	}
	if options.ResourceLinkID != "" {
		add("rlid", options.ResourceLinkID)
	}
	if options.PageSizeHint > 0 {
		add("limit", strconv.Itoa(options.PageSizeHint))
	}
	return uri, nil
}

// reading is one roster on its way.
type reading struct {
	client       *Client
	registration *platform.Registration
	deploymentID string
	dialect      platform.Dialect
	origin       string
	pages        map[uint64]struct{} // hashes of the URIs read
	differences  string
	roster       roster
}

// page reads one page and returns the URI of the next one, or "".
func (r *reading) page(ctx context.Context, uri string) (next string, err error) {
	if len(r.pages) >= r.client.config.MaxPages {
		return "", r.tooLarge(r.client.config.MaxPages, "pages")
	}
	r.pages[maphash.String(r.roster.seed, uri)] = struct{}{}
	answer, err := r.open(ctx, uri)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if err := r.decode(answer.Body); err != nil {
		return "", err
	}
	r.roster.contextKnown = true // only the first page's counts, and one that did not come does not hold members back
	if err := r.roster.flush(false); err != nil {
		return "", err
	}
	return r.follow(uri, answer.Header)
}

// open sends the request for a page, and once more, with a fresh token, where the token seems to have expired.
func (r *reading) open(ctx context.Context, uri string) (*outbound.Stream, error) {
	for repeated := false; ; repeated = true {
		token, err := r.client.config.Tokens.Token(ctx, r.registration, r.deploymentID, []string{lti.ScopeMemberships})
		if err != nil {
			return nil, err
		}
		answer, err := r.client.config.HTTP.Stream(ctx, outbound.Request{
			URI:     uri,
			Header:  http.Header{"Authorization": {"Bearer " + token.AccessToken.Reveal()}, "Accept": {lti.MediaTypeMemberships}},
			MaxBody: maxPageBytes,
		})
		if err != nil {
			return nil, outbound.Explain(err, r.registration.Name)
		}
		if answer.Status >= 200 && answer.Status < 300 {
			return answer, nil
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxErrorBytes))
		answer.Body.Close()
		if err != nil {
			body = nil // the status alone says enough
		}
		if repeated || !r.dialect.TokenExpired(answer.Status) || r.dialect.Throttled(answer.Status, body) {
			return nil, r.refusal(answer, body, token.AccessToken.Reveal())
		}
		r.client.config.Tokens.Drop(token)
	}
}

// refusal says what a status other than success means.
func (r *reading) refusal(answer *outbound.Stream, body []byte, token string) *lti.Error {
	status := answer.Status
	words := outbound.Words(body, token)
	refuse := func(reason lti.Reason, message string) *lti.Error {
		if words != "" {
			message = strings.TrimSuffix(message, ".") + ": " + strings.TrimSuffix(words, ".") + "."
		}
		return lti.Errorf(reason, "%s", message).With("registration", r.registration.Name).With("platform_status", strconv.Itoa(status))
	}
	wait := outbound.RetryAfter(answer.Header, r.client.config.Now())
	switch {
	case r.dialect.Throttled(status, body):
		refusal := refuse(lti.ReasonPlatformThrottled, "The platform limits the rate of requests.")
		if refusal.RetryAfter = wait; wait == 0 {
			refusal.RetryAfter = defaultThrottle
		}
		return refusal
	case status >= 500, status == http.StatusRequestTimeout,
		status == http.StatusNotFound && r.dialect.HTMLNotFoundIsFault && strings.Contains(answer.Header.Get("Content-Type"), "html"):
		refusal := refuse(lti.ReasonPlatformUnavailable, "The platform answered that it cannot give the roster now.")
		refusal.RetryAfter = wait
		return refusal
	case status >= 300 && status < 400:
		return refuse(lti.ReasonServiceRefused, "The platform answered with a redirect, which is not followed.")
	}
	return refuse(lti.ReasonServiceRefused, "The platform refused the request for the roster.").With("platform_error", words)
}

// follow finds the next page in the Link headers.
func (r *reading) follow(uri string, header http.Header) (next string, err error) {
	links, whole := parseLinks(header)
	if !whole && strings.Contains(strings.ToLower(strings.Join(header.Values("Link"), " ")), "next") {
		return "", r.invalid("its Link header is malformed")
	}
	if differences, several := targetOf(links, "differences"); differences != "" && !several {
		if r.differences, err = resolve(uri, differences); err != nil {
			return "", r.invalid("its link to the differences is no URI")
		}
	}
	next, several := targetOf(links, "next")
	if several {
		return "", r.invalid("it names several next pages")
	}
	if next == "" {
		return "", nil
	}
	if next, err = resolve(uri, next); err != nil {
		return "", r.invalid("its link to the next page is no URI")
	}
	if origin, err := platform.Origin(next); err != nil || origin != r.origin {
		return "", r.invalid("its next page lies on another origin")
	}
	if _, read := r.pages[maphash.String(r.roster.seed, next)]; read {
		return "", r.invalid("its next page is one that came before")
	}
	return next, nil
}

// resolve returns an absolute target as it is written, and any other against the page's own URI.
func resolve(uri, target string) (string, error) {
	parsed, err := url.Parse(target)
	if err != nil || parsed.IsAbs() {
		return target, err
	}
	base, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	return base.ResolveReference(parsed).String(), nil
}

func (r *reading) invalid(detail string) *lti.Error {
	return lti.Errorf(lti.ReasonPlatformAnswerInvalid, "The platform's roster is not valid: %s.", detail).
		With("registration", r.registration.Name).With("detail", detail)
}

func (r *reading) tooLarge(limit int, of string) *lti.Error {
	return lti.Errorf(lti.ReasonRosterTooLarge, "The roster has more than %d %s.", limit, of).
		With("registration", r.registration.Name).With("limit", strconv.Itoa(limit)+" "+of)
}
