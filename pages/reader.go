// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

const maxErrorBytes = 64 << 10 // of an answer other than success

// TokenSource gives service tokens. Drop says that a service refused one.
type TokenSource interface {
	Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (platform.ServiceToken, error)
	Drop(token platform.ServiceToken)
}

// Streamer sends requests whose answers are read as they arrive. An *outbound.Client is one.
type Streamer interface {
	Stream(ctx context.Context, request outbound.Request) (*outbound.Stream, error)
}

// Config configures a Reader.
type Config struct {
	HTTP   Streamer    // required
	Tokens TokenSource // required

	// Allowed reports whether a service token may go to a URI. It is asked before a token is fetched. Required.
	Allowed func(ctx context.Context, registration *platform.Registration, deploymentID, uri string) error

	// Dialect gives the dialect of a deployment. Nil: the one that the registration names.
	Dialect func(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)

	Now func() time.Time // nil: time.Now
}

// Reader reads containers. It may be used by many goroutines.
type Reader struct {
	config Config
}

// NewReader returns a Reader.
func NewReader(config Config) (*Reader, error) {
	if config.HTTP == nil || config.Tokens == nil || config.Allowed == nil {
		return nil, errors.New("pages: a Reader needs HTTP, Tokens and Allowed")
	}
	if config.Dialect == nil {
		config.Dialect = func(_ context.Context, registration *platform.Registration, _ string) (platform.Dialect, error) {
			return platform.DialectNamed(registration.Dialect), nil
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Reader{config: config}, nil
}

// Dialect returns the dialect of a deployment.
func (r *Reader) Dialect(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error) {
	return r.config.Dialect(ctx, registration, deploymentID)
}

// Container says what to read. All fields but OverLimit are required.
type Container struct {
	Registration *platform.Registration
	DeploymentID string
	Dialect      platform.Dialect
	Name         string     // as it stands in messages: "roster"
	OverLimit    lti.Reason // of going over a limit; empty: LIST_TOO_LARGE
	Field        string     // of the request, that the URI came in
	URI          string     // of the first page
	Scope        string
	MediaType    string
	MaxPages     int
	MaxPageBytes int64 // decoded
}

// Result is what reading a container brought besides the content of its pages.
type Result struct {
	Pages          int    // read whole
	DifferencesURI string // target of the link to later changes; empty where none came
}

// Read reads all pages of a container and hands the body of each to decode, which must read it to its end. The container
// is whole only if the error is nil; the Result counts in either case. The error is what decode returned, with a Defect
// and an *outbound.Error explained, or a *lti.Error: what Allowed and the TokenSource answer, REQUEST_INVALID,
// SERVICE_REFUSED, the OverLimit of the container, PLATFORM_ANSWER_INVALID, PLATFORM_THROTTLED, PLATFORM_UNAVAILABLE,
// PLATFORM_UNREACHABLE, DEADLINE_EXCEEDED or CANCELED.
func (r *Reader) Read(ctx context.Context, container Container, decode func(page io.Reader) error) (Result, error) {
	reading := &reading{Container: container, config: &r.config, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
	if strings.Contains(container.URI, "#") {
		return reading.result, lti.FieldError(container.Field, "it has a fragment; hand it back as it was given")
	}
	if err := r.config.Allowed(ctx, container.Registration, container.DeploymentID, container.URI); err != nil {
		return reading.result, err
	}
	var err error
	if reading.origin, err = platform.Origin(container.URI); err != nil {
		return reading.result, lti.FieldError(container.Field, "%v", err)
	}
	for uri := container.URI; uri != ""; {
		if uri, err = reading.page(ctx, uri, decode); err != nil {
			return reading.result, err
		}
	}
	return reading.result, nil
}

// reading is one container on its way.
type reading struct {
	Container
	config *Config
	origin string
	seed   maphash.Seed
	seen   map[uint64]struct{} // hashes of the URIs asked for
	result Result
}

// page reads one page and returns the URI of the next one, or "".
func (r *reading) page(ctx context.Context, uri string, decode func(io.Reader) error) (next string, err error) {
	if len(r.seen) >= r.MaxPages {
		return "", r.TooLarge(r.MaxPages, "pages")
	}
	r.seen[maphash.String(r.seed, uri)] = struct{}{}
	answer, err := r.open(ctx, uri)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if err := decode(answer.Body); err != nil {
		return "", r.explain(err)
	}
	r.result.Pages++
	return r.follow(uri, answer.Header)
}

// open sends the request for a page, and once more, with a fresh token, where the token seems to have expired.
func (r *reading) open(ctx context.Context, uri string) (*outbound.Stream, error) {
	for repeated := false; ; repeated = true {
		token, err := r.config.Tokens.Token(ctx, r.Registration, r.DeploymentID, []string{r.Scope})
		if err != nil {
			return nil, err
		}
		answer, err := r.config.HTTP.Stream(ctx, outbound.Request{
			URI:     uri,
			Header:  http.Header{"Authorization": {"Bearer " + token.AccessToken.Reveal()}, "Accept": {r.MediaType}},
			MaxBody: r.MaxPageBytes,
		})
		if err != nil {
			return nil, outbound.Explain(err, r.Registration.Name)
		}
		if answer.Status >= 200 && answer.Status < 300 {
			return answer, nil
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxErrorBytes))
		answer.Body.Close()
		if err != nil {
			body = nil // the status alone says enough
		}
		if repeated || !r.Dialect.TokenExpired(answer.Status) || r.Dialect.Throttled(answer.Status, body) {
			return nil, Refusal(answer.Status, answer.Header, body, Call{
				Registration: r.Registration.Name, Dialect: r.Dialect, Doing: "give the " + r.Name, Now: r.config.Now(), Secrets: []string{token.AccessToken.Reveal()},
			})
		}
		r.config.Tokens.Drop(token)
	}
}

// follow finds the next page in the Link headers. A link that cannot be followed is an error: what lies behind it would
// be missing.
func (r *reading) follow(uri string, header http.Header) (next string, err error) {
	links, whole := parseLinks(header)
	if !whole && strings.Contains(strings.ToLower(strings.Join(header.Values("Link"), " ")), "next") {
		return "", r.invalid("its Link header is malformed")
	}
	if differences, count := targetOf(links, "differences"); count == 1 {
		if r.result.DifferencesURI, err = resolve(uri, differences); err != nil {
			return "", r.invalid("its link to the differences is no URI")
		}
	}
	next, count := targetOf(links, "next")
	switch count {
	case 0:
		return "", nil
	case 1:
	default:
		return "", r.invalid("it names several next pages")
	}
	if next, err = resolve(uri, next); err != nil {
		return "", r.invalid("its link to the next page is no URI")
	}
	origin, err := platform.Origin(next)
	if err != nil {
		return "", r.invalid("its link to the next page is no URI of a service")
	}
	if origin != r.origin {
		return "", r.invalid(fmt.Sprintf("its next page lies on another origin, %s, to which the service token does not go", lti.Excerpt(origin)))
	}
	if _, seen := r.seen[maphash.String(r.seed, next)]; seen {
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

// Defect is a phrase about a page that cannot be used, such as "it is not JSON". A decode function returns it.
type Defect string

// Error returns the phrase.
func (d Defect) Error() string { return string(d) }

// explain turns what decode returned into what Read returns.
func (r *reading) explain(err error) error {
	var defect Defect
	var transport *outbound.Error
	switch {
	case errors.As(err, &transport):
		return outbound.Explain(transport, r.Registration.Name)
	case errors.As(err, &defect):
		return r.invalid(string(defect))
	}
	return err
}

func (r *reading) invalid(detail string) *lti.Error {
	return lti.Errorf(lti.ReasonPlatformAnswerInvalid, "The platform's %s is not valid: %s.", r.Name, detail).
		With("registration", r.Registration.Name).With("detail", detail)
}

// TooLarge refuses a container that goes over a limit.
func (c *Container) TooLarge(limit int, of string) *lti.Error {
	reason := c.OverLimit
	if reason == "" {
		reason = lti.ReasonListTooLarge
	}
	return lti.Errorf(reason, "The %s has more than %d %s.", c.Name, limit, of).
		With("registration", c.Registration.Name).With("limit", strconv.Itoa(limit)+" "+of)
}

// AddQuery appends a parameter to a URI that may have a query already, whose bytes stay as they are.
func AddQuery(uri, name, value string) string {
	separator := "?"
	switch {
	case strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&"):
		separator = ""
	case strings.Contains(uri, "?"):
		separator = "&"
	}
	return uri + separator + name + "=" + url.QueryEscape(value)
}
