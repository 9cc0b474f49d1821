// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Pages reads containers of platforms. A *pages.Reader is one.
type Pages interface {
	Dialect(ctx context.Context, registration *platform.Registration, deploymentID string) (platform.Dialect, error)
	Read(ctx context.Context, container pages.Container, decode func(page io.Reader) error) (pages.Result, error)
}

// LineItemConfig configures a LineItemClient.
type LineItemConfig struct {
	HTTP   Sender      // required
	Tokens TokenSource // required
	Pages  Pages       // required

	// Allowed reports whether a service token may go to a URI. It is asked before a token is fetched. Required.
	Allowed func(ctx context.Context, registration *platform.Registration, deploymentID, uri string) error

	Now func() time.Time // nil: time.Now
}

// LineItemClient manages line items and reads results. It may be used by many goroutines.
type LineItemClient struct {
	config LineItemConfig
	turns  turns
	found  *lru.Cache[string, string] // URIs of line items that EnsureLineItem found or made, by what it was asked for
}

// maxFound is how many line items EnsureLineItem remembers.
const maxFound = 10_000

// NewLineItemClient returns a LineItemClient.
func NewLineItemClient(config LineItemConfig) (*LineItemClient, error) {
	if config.HTTP == nil || config.Tokens == nil || config.Pages == nil || config.Allowed == nil {
		return nil, errors.New("ags: a LineItemClient needs HTTP, Tokens, Pages and Allowed")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	found, err := lru.New[string, string](maxFound)
	if err != nil {
		return nil, fmt.Errorf("ags: %w", err)
	}
	return &LineItemClient{config: config, found: found}, nil
}

// site is where the line items of one call are: a registration, its deployment, and how it differs.
type site struct {
	registration *platform.Registration
	deploymentID string
	scopes       []string // that the launch offered
	dialect      platform.Dialect
}

func (c *LineItemClient) site(ctx context.Context, registration *platform.Registration, endpoint *lti.GradeEndpoint) (*site, error) {
	dialect, err := c.config.Pages.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return nil, err
	}
	return &site{registration: registration, deploymentID: endpoint.DeploymentID, scopes: endpoint.Scopes, dialect: dialect}, nil
}

// scope returns the first of the scopes that the launch offered, and otherwise what to switch on. task says for what.
func (s *site) scope(task string, any ...string) (string, error) {
	for _, scope := range any {
		if slices.Contains(s.scopes, scope) {
			return scope, nil
		}
	}
	return "", s.notOffered(any[len(any)-1], "The launch did not offer the scope to "+task+": allow it to this tool at the platform, then launch again.")
}

func (s *site) readScope() (string, error) {
	return s.scope("read line items", lti.ScopeLineItemReadOnly, lti.ScopeLineItem)
}

func (s *site) writeScope() (string, error) {
	return s.scope("make and change line items", lti.ScopeLineItem)
}

func (s *site) notOffered(missing, message string) error {
	if s.dialect.LineItemSetting != "" {
		message += " " + s.dialect.LineItemSetting
	}
	return lti.Errorf(lti.ReasonServiceNotOffered, "%s", message).With("registration", s.registration.Name).With("missing", missing)
}

// Filter says which line items. Fields that are set must all fit.
type Filter struct {
	ResourceLinkID string
	ResourceID     string
	Tag            string
	PageSizeHint   int // line items a page to ask for, at most MaxPageSizeHint; 0: none is asked for
}

// Limits of what is asked for and read.
const (
	MaxPageSizeHint = 1000
	MaxLineItems    = 5000

	maxPages     = 1000
	maxPageBytes = 16 << 20 // decoded
	maxListBytes = 3 << 20  // of all line items of a list, which must fit into one message
)

// matches reports whether a line item fits. Platforms do not all filter by everything.
func (f *Filter) matches(item *lti.LineItem) bool {
	return (f.ResourceLinkID == "" || f.ResourceLinkID == item.ResourceLinkID) &&
		(f.ResourceID == "" || f.ResourceID == item.ResourceID) && (f.Tag == "" || f.Tag == item.Tag)
}

// ListLineItems returns the line items of a context, all pages, each once, in the platform's order. The error is a
// *lti.Error: REQUEST_INVALID, SERVICE_NOT_OFFERED, LIST_TOO_LARGE, or what pages.Reader.Read says.
func (c *LineItemClient) ListLineItems(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, filter Filter) ([]lti.LineItem, error) {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return nil, err
	}
	if filter.PageSizeHint < 0 || filter.PageSizeHint > MaxPageSizeHint {
		return nil, lti.FieldError("page_size_hint", "it is not from 0 to %d", MaxPageSizeHint)
	}
	return c.list(ctx, site, endpoint.LineItemsURI, filter)
}

func (c *LineItemClient) list(ctx context.Context, site *site, uri string, filter Filter) ([]lti.LineItem, error) {
	if uri == "" {
		return nil, site.notOffered("line_items_uri", "The launch named no container of line items: allow the tool to manage or read grades at the platform, then launch again.")
	}
	scope, err := site.readScope()
	if err != nil {
		return nil, err
	}
	linkFilter := site.dialect.ResourceLinkFilter
	if linkFilter == "" {
		linkFilter = "resource_link_id"
	}
	for _, parameter := range []struct{ name, value string }{
		{linkFilter, filter.ResourceLinkID}, {"resource_id", filter.ResourceID}, {"tag", filter.Tag}, {"limit", hint(filter.PageSizeHint)},
	} {
		if parameter.value != "" {
			uri = pages.AddQuery(uri, parameter.name, parameter.value)
		}
	}
	container := pages.Container{
		Registration: site.registration, DeploymentID: site.deploymentID, Dialect: site.dialect, Name: "list of line items", Field: "endpoint.line_items_uri",
		URI: uri, Scope: scope, MediaType: lti.MediaTypeLineItems, MaxPages: maxPages, MaxPageBytes: maxPageBytes,
	}
	var items []lti.LineItem
	seen, received, bytes := map[string]bool{}, 0, 0
	_, err = c.config.Pages.Read(ctx, container, func(page io.Reader) error {
		return pages.Elements(page, func(element jsontext.Value) error {
			if received++; received > MaxLineItems {
				return container.TooLarge(MaxLineItems, "entries")
			}
			members, item := readLineItem(element)
			switch {
			case members == nil:
				return pages.Defect(fmt.Sprintf("entry %d is not an object", received))
			case item.URI == "":
				return pages.Defect(fmt.Sprintf("entry %d has no id", received))
			case seen[item.URI] || !filter.matches(&item):
				return nil
			}
			if bytes += len(element); bytes > maxListBytes {
				return container.TooLarge(maxListBytes, "bytes")
			}
			seen[item.URI] = true
			items = append(items, item)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// GetLineItem reads one line item: that of uri, or the endpoint's own where uri is empty. The error is a *lti.Error:
// REQUEST_INVALID, SERVICE_NOT_OFFERED, LINE_ITEM_NOT_FOUND, or one of the reasons of a call to a platform.
func (c *LineItemClient) GetLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string) (lti.LineItem, error) {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return lti.LineItem{}, err
	}
	if uri, err = lineItemURI(site, &endpoint, uri); err != nil {
		return lti.LineItem{}, err
	}
	_, item, err := c.get(ctx, site, uri)
	return item, err
}

// lineItemURI returns the URI of a line item that a call is about.
func lineItemURI(site *site, endpoint *lti.GradeEndpoint, uri string) (string, error) {
	if uri == "" {
		uri = endpoint.LineItemURI
	}
	switch {
	case uri == "":
		return "", site.notOffered("line_item_uri", "The launch named no line item: name one in line_item_uri, from ListLineItems or EnsureLineItem.")
	case strings.Contains(uri, "#"):
		return "", lti.FieldError("line_item_uri", "it has a fragment; hand it back as it was given")
	}
	return uri, nil
}

func (c *LineItemClient) get(ctx context.Context, site *site, uri string) (members, lti.LineItem, error) {
	scope, err := site.readScope()
	if err != nil {
		return nil, lti.LineItem{}, err
	}
	answer, err := c.call(ctx, site, scope, outbound.Request{URI: uri, Header: http.Header{"Accept": {lti.MediaTypeLineItem}}})
	if err != nil {
		return nil, lti.LineItem{}, err
	}
	members, item := readLineItem(answer.Body)
	if members == nil {
		return nil, lti.LineItem{}, invalid(site, "the line item is not a JSON object")
	}
	if item.URI == "" {
		item.URI = uri
	}
	return members, item, nil
}

// UpdateLineItem changes the fields of a line item that the mask names, or without a mask those that are set in item, and
// leaves the others as they are: it reads the whole item and writes it back. A field that the mask names and that is
// empty is cleared. The names are those of the API, such as "score_maximum". The error is as of GetLineItem.
func (c *LineItemClient) UpdateLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, item lti.LineItem, mask []string) (lti.LineItem, error) {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return lti.LineItem{}, err
	}
	change, err := newChange(&item, mask)
	if err != nil {
		return lti.LineItem{}, err
	}
	scope, err := site.writeScope()
	if err != nil {
		return lti.LineItem{}, err
	}
	present, before, err := c.get(ctx, site, item.URI)
	if err != nil {
		return lti.LineItem{}, err
	}
	if item.ResourceLinkID != "" && item.ResourceLinkID != before.ResourceLinkID {
		return lti.LineItem{}, lti.FieldError("item.resource_link_id", "it cannot be changed; the line item has %q", lti.Excerpt(before.ResourceLinkID))
	}
	for _, f := range change {
		if err := f.write(&item, present); err != nil {
			return lti.LineItem{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
		}
	}
	if site.dialect.LineItemIDRefused {
		delete(present, "id")
	}
	answer, err := c.send(ctx, site, scope, http.MethodPut, item.URI, present)
	if err != nil {
		return lti.LineItem{}, err
	}
	_, after := readLineItem(present.merged(answer.Body))
	after.URI = item.URI
	return after, nil
}

// DeleteLineItem deletes a line item with its scores. The error is as of GetLineItem.
func (c *LineItemClient) DeleteLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string) error {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return err
	}
	if uri == "" {
		return lti.FieldError("line_item_uri", "it is required")
	}
	if uri, err = lineItemURI(site, &endpoint, uri); err != nil {
		return err
	}
	scope, err := site.writeScope()
	if err != nil {
		return err
	}
	_, err = c.call(ctx, site, scope, outbound.Request{Method: http.MethodDelete, URI: uri})
	return err
}

// send posts or puts a line item.
func (c *LineItemClient) send(ctx context.Context, site *site, scope, method, uri string, item members) (*outbound.Response, error) {
	body, err := item.encode()
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	return c.call(ctx, site, scope, outbound.Request{
		Method: method, URI: uri, Body: body,
		Header: http.Header{"Content-Type": {lti.MediaTypeLineItem}, "Accept": {lti.MediaTypeLineItem}},
	})
}

// under appends a segment to the path of a line item and leaves its query and its encoding as they are (sections 3.3.1
// and 3.4.1).
func under(lineItem, segment string) string {
	path, query, hasQuery := strings.Cut(lineItem, "?")
	uri := strings.TrimRight(path, "/") + "/" + segment
	if hasQuery {
		uri += "?" + query
	}
	return uri
}
