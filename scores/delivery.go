// SPDX-License-Identifier: Apache-2.0

package scores

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/records"
)

// State is what became of a score.
type State string

// The states: those of records, and one whose attempt is under way.
const (
	StateQueued      = State(records.StateQueued)
	StateDelivering  = State("delivering")
	StateDelivered   = State(records.StateDelivered)
	StateSuperseded  = State(records.StateSuperseded)
	StateUnconfirmed = State(records.StateUnconfirmed)
	StateRefused     = State(records.StateRefused)
)

// MaxPageSize is the largest page of deliveries.
const MaxPageSize = 200

// Delivery is a score and what became of it.
type Delivery struct {
	ID           string
	State        State
	Registration string
	DeploymentID string
	LineItemURI  string
	UserID       string
	RequestID    string
	ScoreTime    time.Time
	SentTime     time.Time // zero where it was superseded when it came
	CreateTime   time.Time
	UpdateTime   time.Time
	Attempts     int
	NextAttempt  time.Time // zero: none is planned
	Cursor       string
	outbox.Report
}

func deliveryOf(entry *records.LaneEntry) (Delivery, *payload, error) {
	kept := &payload{}
	if err := json.Unmarshal(entry.Payload, kept); err != nil {
		return Delivery{}, nil, &lti.Error{Reason: lti.ReasonInternal, Message: "A score that was kept is damaged.", Cause: err}
	}
	report, err := outbox.ReportOf(entry)
	if err != nil {
		return Delivery{}, nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	delivery := Delivery{
		ID: entry.ID, State: State(entry.State), Registration: kept.Endpoint.Registration, DeploymentID: kept.Endpoint.DeploymentID,
		LineItemURI: kept.Endpoint.LineItemURI, UserID: kept.UserID, RequestID: kept.RequestID, ScoreTime: entry.Event, SentTime: entry.Sent,
		CreateTime: entry.AppendTime, UpdateTime: entry.ChangeTime, Attempts: entry.Attempts, NextAttempt: entry.Due, Cursor: entry.Cursor, Report: report,
	}
	if !entry.Started.IsZero() {
		delivery.State = StateDelivering
	}
	return delivery, kept, nil
}

// PlatformStatus is the HTTP status of the last answer; 0 where none came.
func (d *Delivery) PlatformStatus() int {
	status, err := strconv.Atoi(d.Metadata["platform_status"])
	if err != nil {
		return 0
	}
	return status
}

// refusal is the error that a refused delivery is to its caller, each time it asks.
func (d *Delivery) refusal() error {
	refusal := &lti.Error{Reason: d.Reason, Message: d.Message, Metadata: maps.Clone(d.Metadata)}
	return refusal.With("delivery_id", d.ID)
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Registration string // required
	DeploymentID string
	LineItemURI  string
	UserID       string
	States       []State
}

// Page is a part of a list.
type Page struct {
	Deliveries []Delivery
	Cursor     string // to go on after
	Complete   bool   // there is no more now
}

// List lists deliveries by the time of their last change, those after the cursor, at most limit. A page may be short.
// The error is a *lti.Error; a cursor that is none is DELIVERY_UNKNOWN.
func (b *Book) List(ctx context.Context, filter Filter, after string, limit int) (Page, error) {
	entries := records.EntryFilter{Owner: filter.Registration}
	if filter.LineItemURI != "" && filter.UserID != "" {
		lane, _, err := placeOf(filter.Registration, filter.LineItemURI, filter.UserID)
		if err != nil {
			return Page{}, err
		}
		entries.Lane = lane
	}
	for _, state := range filter.States {
		entries.States = append(entries.States, records.EntryState(state))
		if state == StateDelivering { // which is stored as what it was before
			entries.States = append(entries.States, records.StateQueued, records.StateUnconfirmed)
		}
	}
	found, err := b.outbox.Entries(ctx, entries, after, limit)
	if err != nil {
		return Page{}, err
	}
	page := Page{Cursor: found.Next, Complete: !found.More}
	for i := range found.Entries {
		delivery, _, err := deliveryOf(&found.Entries[i])
		if err != nil {
			return Page{}, err
		}
		if (filter.DeploymentID == "" || filter.DeploymentID == delivery.DeploymentID) &&
			(filter.LineItemURI == "" || filter.LineItemURI == delivery.LineItemURI || entries.Lane != "") &&
			(filter.UserID == "" || filter.UserID == delivery.UserID) &&
			(len(filter.States) == 0 || slices.Contains(filter.States, delivery.State)) {
			page.Deliveries = append(page.Deliveries, delivery)
		}
	}
	return page, nil
}

// Watch yields each delivery of a registration that changes after the cursor, until ctx ends or yield fails; empty: from
// now on. It begins with a nil delivery and the cursor to begin with.
func (b *Book) Watch(ctx context.Context, registration, after string, yield func(delivery *Delivery, cursor string) error) error {
	if after == "" {
		counts, err := b.outbox.Counts(ctx)
		if err != nil {
			return err
		}
		if after = counts.Cursor; after == "" { // nothing was ever taken, so a list from the beginning misses nothing
			page, err := b.List(ctx, Filter{Registration: registration}, "", 1)
			if err != nil {
				return err
			}
			after = page.Cursor
		}
	}
	if err := yield(nil, after); err != nil {
		return err
	}
	for {
		page, err := b.List(ctx, Filter{Registration: registration}, after, MaxPageSize)
		if err != nil {
			return err
		}
		for i := range page.Deliveries {
			if err := yield(&page.Deliveries[i], page.Deliveries[i].Cursor); err != nil {
				return err
			}
		}
		after = page.Cursor
		if !page.Complete {
			continue
		}
		if err := b.outbox.AwaitChange(ctx, after); err != nil {
			return err
		}
	}
}

// Retry queues a delivery of a registration once more that was refused, or is unconfirmed for good.
func (b *Book) Retry(ctx context.Context, registration, id string) (Delivery, error) {
	entry, err := b.outbox.Redrive(ctx, registration, id)
	if err != nil {
		return Delivery{}, err
	}
	delivery, _, err := deliveryOf(&entry)
	return delivery, err
}
