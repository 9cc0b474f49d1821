// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Ensured is what EnsureLineItem found or made.
type Ensured struct {
	Item            lti.LineItem
	Created         bool
	DifferingFields []string // set in what was wanted, and different in what was found
}

const (
	maxMatches    = 5 // line items that an error of several matching ones names
	createTimeout = 30 * time.Second
)

// EnsureLineItem finds the line item that fits all of resource link, resource id and tag that are set in wanted, and makes
// it only where there is none. It changes nothing that is there. Calls for the same item of a container take turns, so
// that one makes it and the others find it; that holds within one process, as platforms have no such guard. The error is
// as of ListLineItems and GetLineItem, or LINE_ITEM_AMBIGUOUS where several fit.
func (c *LineItemClient) EnsureLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, wanted lti.LineItem) (Ensured, error) {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return Ensured{}, err
	}
	switch {
	case wanted.URI != "":
		return Ensured{}, lti.FieldError("wanted.uri", "the platform names a line item that is made: leave it out")
	case wanted.Label == "":
		return Ensured{}, lti.FieldError("wanted.label", "it is required")
	case wanted.ScoreMaximum == nil:
		return Ensured{}, lti.FieldError("wanted.score_maximum", "it is required")
	case wanted.ResourceLinkID == "" && wanted.ResourceID == "" && wanted.Tag == "":
		return Ensured{}, lti.FieldError("wanted", "at least one of resource_link_id, resource_id and tag is required, to find the line item by")
	}
	if err := checkFields("wanted", &wanted); err != nil {
		return Ensured{}, err
	}
	key := lti.Key("line item", registration.Name, endpoint.DeploymentID, endpoint.LineItemsURI, wanted.ResourceLinkID, wanted.ResourceID, wanted.Tag)
	done, err := c.turns.enter(ctx, key)
	if err != nil {
		return Ensured{}, err
	}
	defer done()

	filter := Filter{ResourceLinkID: wanted.ResourceLinkID, ResourceID: wanted.ResourceID, Tag: wanted.Tag}
	ensured, err := c.recall(ctx, site, key, filter)
	if err == nil && ensured.Item.URI == "" {
		ensured, err = c.find(ctx, site, endpoint.LineItemsURI, filter)
	}
	if err == nil && ensured.Item.URI == "" {
		ensured, err = c.create(ctx, site, endpoint.LineItemsURI, &wanted, filter)
	}
	if err != nil {
		return Ensured{}, err
	}
	c.found.Add(key, ensured.Item.URI)
	if !ensured.Created {
		ensured.DifferingFields = differing(&wanted, &ensured.Item)
	}
	return ensured, nil
}

// recall reads a line item that was found before. Where it is gone, fits no longer, or was given a URI that the token may
// not be sent to, the Ensured is empty.
func (c *LineItemClient) recall(ctx context.Context, site *site, key string, filter Filter) (Ensured, error) {
	uri, known := c.found.Get(key)
	if !known {
		return Ensured{}, nil
	}
	_, item, err := c.get(ctx, site, uri)
	switch {
	case lti.ReasonOf(err) == lti.ReasonLineItemNotFound, lti.ReasonOf(err) == lti.ReasonServiceOriginPending,
		lti.ReasonOf(err) == lti.ReasonRequestInvalid, err == nil && !filter.matches(&item):
		c.found.Remove(key)
		return Ensured{}, nil
	case err != nil:
		return Ensured{}, err
	}
	return Ensured{Item: item}, nil
}

// find looks for the one line item that fits. Where there is none, the Ensured is empty.
func (c *LineItemClient) find(ctx context.Context, site *site, container string, filter Filter) (Ensured, error) {
	items, err := c.list(ctx, site, container, filter)
	switch {
	case err != nil || len(items) == 0:
		return Ensured{}, err
	case len(items) == 1:
		return Ensured{Item: items[0]}, nil
	}
	var matches []string
	for _, item := range items[:min(len(items), maxMatches)] {
		matches = append(matches, lti.Excerpt(item.URI))
	}
	return Ensured{}, lti.Errorf(lti.ReasonLineItemAmbiguous, "%d line items fit what is wanted.", len(items)).
		With("registration", site.registration.Name).With("matches", strings.Join(matches, " "))
}

// create makes a line item. A caller who goes away does not stop it half-way, and where its outcome is not known, the
// platform is asked before that is an error.
func (c *LineItemClient) create(ctx context.Context, site *site, container string, wanted *lti.LineItem, filter Filter) (Ensured, error) {
	scope, err := site.writeScope()
	if err != nil {
		return Ensured{}, err
	}
	body, err := written(wanted)
	if err != nil {
		return Ensured{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	answer, err := c.send(ctx, site, scope, http.MethodPost, container, body)
	switch lti.ReasonOf(err) {
	case "":
	case lti.ReasonPlatformUnreachable, lti.ReasonPlatformUnavailable, lti.ReasonPlatformAnswerInvalid:
		if ensured, findErr := c.find(ctx, site, container, filter); findErr == nil && ensured.Item.URI != "" {
			ensured.Created = true
			return ensured, nil
		}
		return Ensured{}, err
	default:
		return Ensured{}, err
	}
	_, item := readLineItem(answer.Body)
	switch {
	case item.URI == "":
		return Ensured{}, invalid(site, "the line item that was made has no id")
	case item.Label == "": // some answer with less than they took
		_, item = readLineItem(body.merged(answer.Body))
	}
	if !filter.matches(&item) {
		return Ensured{}, c.takeBack(ctx, site, scope, item.URI)
	}
	return Ensured{Item: item, Created: true}, nil
}

// takeBack deletes a line item that a platform made without what it is found by, as Blackboard leaves out the resource
// link: the next call would make another. It returns what to answer.
func (c *LineItemClient) takeBack(ctx context.Context, site *site, scope, uri string) error {
	detail := "it made the line item without the resource link, resource id or tag that it is found by"
	if _, err := c.call(ctx, site, scope, outbound.Request{Method: http.MethodDelete, URI: uri}); err != nil {
		detail += ", and it could not be deleted again"
	}
	return invalid(site, detail)
}
