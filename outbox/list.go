// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"context"
	"errors"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// Entries lists entries, as records.Lanes does; the kind is the outbox's. The error is a *lti.Error; a cursor that is none
// is DELIVERY_UNKNOWN.
func (o *Outbox) Entries(ctx context.Context, filter records.EntryFilter, after string, limit int) (records.EntryPage, error) {
	filter.Kind = o.config.Kind
	page, err := o.config.Lanes.Entries(ctx, filter, after, limit)
	return page, o.listError(ctx, err)
}

// AwaitChange waits for a change after a cursor. Its error is as that of Entries, and STORE_UNAVAILABLE where the outbox
// stops.
func (o *Outbox) AwaitChange(ctx context.Context, after string) error {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(o.serving, cancel)
	defer stop()
	err := o.config.Lanes.AwaitChange(bounded, o.config.Kind, after)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return &lti.Error{Reason: lti.ReasonStoreUnavailable, Message: "The sidecar is stopping: call again, with the last cursor."}
	}
	return o.listError(ctx, err)
}

func (o *Outbox) listError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, records.ErrInvalid) {
		return &lti.Error{Reason: lti.ReasonDeliveryUnknown, Message: "The cursor is none that the sidecar gave out, or the store was restored since: begin anew without one.", Cause: err}
	}
	return o.refusal(ctx, err)
}

// Redrive queues an entry of an owner once more that is refused, or unconfirmed for good; another stays as it is. The
// error is a *lti.Error: DELIVERY_UNKNOWN, OUTBOX_HELD, or as that of Submit.
func (o *Outbox) Redrive(ctx context.Context, owner, id string) (records.LaneEntry, error) {
	if o.config.Held {
		return records.LaneEntry{}, held()
	}
	entry, err := o.config.Lanes.Entry(ctx, o.config.Kind, id)
	if errors.Is(err, records.ErrNotFound) || err == nil && entry.Owner != owner {
		return records.LaneEntry{}, lti.Errorf(lti.ReasonDeliveryUnknown, "The registration %q has no delivery %q.", owner, lti.Excerpt(id)).
			With("registration", owner).With("delivery_id", lti.Excerpt(id))
	}
	if err != nil {
		return records.LaneEntry{}, o.refusal(ctx, err)
	}
	driven, err := o.config.Lanes.Redrive(ctx, o.config.Kind, id)
	if errors.Is(err, records.ErrNotEnded) {
		return entry, nil
	}
	if err != nil {
		return records.LaneEntry{}, o.refusal(ctx, err)
	}
	o.tell(driven.Lane)
	o.look()
	return driven, nil
}

// Counts counts the entries.
func (o *Outbox) Counts(ctx context.Context) (records.LaneCounts, error) {
	counts, err := o.config.Lanes.LaneCounts(ctx, o.config.Kind)
	if err != nil {
		return counts, o.refusal(ctx, err)
	}
	return counts, nil
}
