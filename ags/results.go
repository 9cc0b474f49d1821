// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of results.
const (
	MaxResults = 1_000_000 // entries as the platform sends them

	maxResultPages     = 10_000
	maxResultPageBytes = 256 << 20 // decoded; some platforms send everybody in one page
	maxBatch           = 200
	maxBatchBytes      = 256 << 10
)

// ResultFilter says whose results, and how to ask for them.
type ResultFilter struct {
	UserID       string // only this user's; empty: everybody's
	PageSizeHint int    // results a page to ask for, at most MaxPageSizeHint; 0: none is asked for
}

// ListResults reads the results of a line item, that of uri or the endpoint's own, all pages, and yields them in batches
// of at most 200 as they arrive, each user once. They are whole only if the error is nil. It is what yield returned, or
// as of ListLineItems and GetLineItem.
func (c *LineItemClient) ListResults(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string, filter ResultFilter, yield func([]lti.Result) error) (count int64, err error) {
	site, err := c.site(ctx, registration, &endpoint)
	if err != nil {
		return 0, err
	}
	if filter.PageSizeHint < 0 || filter.PageSizeHint > MaxPageSizeHint {
		return 0, lti.FieldError("page_size_hint", "it is not from 0 to %d", MaxPageSizeHint)
	}
	if uri, err = lineItemURI(site, &endpoint, uri); err != nil {
		return 0, err
	}
	scope, err := site.scope("read results", lti.ScopeResultReadOnly)
	if err != nil {
		return 0, err
	}
	uri = under(uri, "results")
	if filter.UserID != "" {
		uri = pages.AddQuery(uri, "user_id", filter.UserID)
	}
	if filter.PageSizeHint > 0 && !site.dialect.ResultLimitBroken {
		uri = pages.AddQuery(uri, "limit", hint(filter.PageSizeHint))
	}
	container := pages.Container{
		Registration: registration, DeploymentID: endpoint.DeploymentID, Dialect: site.dialect, Name: "list of results", Field: "line_item_uri",
		URI: uri, Scope: scope, MediaType: lti.MediaTypeResults, MaxPages: maxResultPages, MaxPageBytes: maxResultPageBytes,
	}
	results := &results{yield: yield, seed: maphash.MakeSeed(), users: map[uint64]struct{}{}}
	received := 0
	_, err = c.config.Pages.Read(ctx, container, func(page io.Reader) error {
		return pages.Elements(page, func(element jsontext.Value) error {
			if received++; received > MaxResults {
				return container.TooLarge(MaxResults, "entries")
			}
			m, result := readResult(element)
			switch {
			case m == nil:
				return pages.Defect(fmt.Sprintf("entry %d is not an object", received))
			case result.UserID == "":
				return pages.Defect(fmt.Sprintf("entry %d has no userId", received))
			case filter.UserID != "" && result.UserID != filter.UserID:
				return nil // not all platforms filter
			}
			return results.add(result)
		})
	})
	if err == nil {
		err = results.flush()
	}
	var e *lti.Error
	if errors.As(err, &e) && e.Reason == lti.ReasonServiceRefused && (e.Metadata["platform_status"] == "404" || e.Metadata["platform_status"] == "410") {
		err = lti.Errorf(lti.ReasonLineItemNotFound, "The platform no longer has the line item, or the course is closed.").
			With("registration", registration.Name).With("platform_status", e.Metadata["platform_status"])
	}
	return results.yielded, err
}

// results collects results and yields them.
type results struct {
	yield   func([]lti.Result) error
	seed    maphash.Seed
	users   map[uint64]struct{} // hashes of the user ids that came
	held    []lti.Result
	bytes   int
	yielded int64
}

func (r *results) add(result lti.Result) error {
	user := maphash.String(r.seed, result.UserID)
	if _, seen := r.users[user]; seen {
		return nil
	}
	r.users[user] = struct{}{}
	r.held = append(r.held, result)
	r.bytes += len(result.URI) + len(result.LineItemURI) + len(result.UserID) + len(result.ScoringUserID) + len(result.Comment) + len(result.ExtensionsJSON)
	if len(r.held) < maxBatch && r.bytes < maxBatchBytes {
		return nil
	}
	return r.flush()
}

// flush yields what is held.
func (r *results) flush() error {
	if len(r.held) == 0 {
		return nil
	}
	batch := r.held
	r.held, r.bytes = nil, 0
	if err := r.yield(batch); err != nil {
		return err
	}
	r.yielded += int64(len(batch))
	return nil
}
