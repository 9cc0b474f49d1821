// SPDX-License-Identifier: Apache-2.0

package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
)

// Kind is the kind of the outbox's entries that are envelopes.
const Kind = "events"

// Limits of a Queue.
const (
	Horizon        = 7 * 24 * time.Hour // how long an envelope is tried
	DefaultMaxOpen = 10_000             // envelopes that wait; each can take 192 KiB
)

// QueueConfig configures a Queue.
type QueueConfig struct {
	Lanes  records.Lanes // required
	Client *Client       // required

	// Registration finds a registration by its name, and refuses where the deployment may not call services. Required.
	Registration func(ctx context.Context, name, deploymentID string) (*platform.Registration, error)

	// As in outbox.Config.
	DiscardBefore, DoubtBefore time.Time
	Held                       bool
	MaxOpen                    int          // 0: DefaultMaxOpen
	Logger                     *slog.Logger // required
	Now                        func() time.Time
}

// Queue is a Client that can also keep envelopes until their platforms have them. It may be used by many goroutines.
type Queue struct {
	*Client
	queue  QueueConfig
	outbox *outbox.Outbox
}

// NewQueue returns a Queue. Nothing is sent before Run.
func NewQueue(config QueueConfig) (*Queue, error) {
	if config.Client == nil || config.Registration == nil || config.Logger == nil {
		return nil, errors.New("events: a Queue needs Client, Registration and Logger")
	}
	if config.MaxOpen == 0 {
		config.MaxOpen = DefaultMaxOpen
	}
	q := &Queue{Client: config.Client, queue: config}
	var err error
	q.outbox, err = outbox.New(outbox.Config{
		Lanes: config.Lanes, Kind: Kind, Deliver: q.deliver, AtLeastOnce: true, Horizon: Horizon, MaxOpen: config.MaxOpen,
		DiscardBefore: config.DiscardBefore, DoubtBefore: config.DoubtBefore, Held: config.Held, Logger: config.Logger, Now: config.Now,
	})
	return q, err
}

// Run delivers until ctx ends. Close ends what is under way then.
func (q *Queue) Run(ctx context.Context) { q.outbox.Run(ctx) }

// Close ends the attempts under way, after a little patience.
func (q *Queue) Close() { q.outbox.Close() }

// place is where a kept envelope goes. It is a line of JSON before the envelope, whose bytes stay as they are.
type place struct {
	Issuer   string            `json:"issuer"` // of the registration, which may have been given to another platform since
	ClientID string            `json:"client_id"`
	Endpoint lti.EventEndpoint `json:"endpoint"`
}

// Keep takes an envelope, durably. Envelopes to one endpoint are delivered in the order of the calls. The error is what
// Client.Send answers before it sends, or what outbox.Outbox.Submit answers; then nothing was taken.
func (q *Queue) Keep(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string) error {
	if err := q.check(ctx, registration, endpoint, envelope); err != nil {
		return err
	}
	origin, err := platform.Origin(endpoint.URI)
	if err != nil {
		return lti.FieldError("endpoint.caliper_endpoint_uri", "%v", err)
	}
	endpoint.Registration = registration.Name
	head, err := json.Marshal(place{Issuer: registration.Issuer, ClientID: registration.ClientID, Endpoint: endpoint})
	if err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	_, host, _ := strings.Cut(origin, "://")
	_, _, err = q.outbox.Submit(ctx, outbox.Item{
		Lane: lti.Key("events", registration.Name, endpoint.DeploymentID, endpoint.URI), Group: host, Owner: registration.Name,
		Payload: append(append(head, '\n'), envelope...),
	}, 0)
	return err
}

// deliver makes one attempt.
func (q *Queue) deliver(ctx context.Context, attempt *outbox.Attempt) outbox.Verdict {
	err := q.attempt(ctx, attempt)
	if err == nil {
		return outbox.Verdict{Kind: outbox.Delivered}
	}
	verdict := verdictOf(err)
	if verdict.Kind == outbox.Refused || verdict.Kind == outbox.Unready {
		q.queue.Logger.WarnContext(ctx, "events", "message", "an envelope was not taken", "entry", attempt.Entry.ID, "registration", attempt.Entry.Owner,
			"reason", string(verdict.Report.Reason), "words", lti.Excerpt(verdict.Report.Message))
	}
	return verdict
}

func (q *Queue) attempt(ctx context.Context, attempt *outbox.Attempt) error {
	head, envelope, _ := bytes.Cut(attempt.Entry.Payload, []byte{'\n'})
	var to place
	if err := json.Unmarshal(head, &to); err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Message: "An envelope that was kept is damaged.", Cause: err}
	}
	registration, err := q.queue.Registration(ctx, to.Endpoint.Registration, to.Endpoint.DeploymentID)
	if err != nil {
		return err
	}
	if registration.Issuer != to.Issuer || registration.ClientID != to.ClientID {
		return lti.Errorf(lti.ReasonRegistrationUnknown, "The registration %q is not the one that the events were for.", registration.Name).With("registration", registration.Name)
	}
	if err := q.config.Allowed(ctx, registration, to.Endpoint.DeploymentID, to.Endpoint.URI); err != nil {
		return err
	}
	_, err = q.Client.send(ctx, registration, to.Endpoint, string(envelope), attempt.Begin)
	return err
}

// verdictOf says what an error means for an envelope. It may be sent again: platforms tell events by their ids.
func verdictOf(err error) outbox.Verdict {
	var problem *lti.Error
	if !errors.As(err, &problem) { // the start could not be made durable
		return outbox.Verdict{Kind: outbox.NotTaken, Report: outbox.Report{Reason: lti.ReasonStoreUnavailable}}
	}
	verdict := outbox.Verdict{
		Kind: outbox.Unready, RetryAfter: problem.RetryAfter,
		Report: outbox.Report{Reason: problem.Reason, Message: problem.Message, Metadata: problem.Metadata},
	}
	switch problem.Reason {
	case lti.ReasonPlatformThrottled:
		verdict.Kind, verdict.Throttled = outbox.NotTaken, true
	case lti.ReasonPlatformUnavailable:
		verdict.Kind, verdict.HostFault = outbox.Failed, true
	case lti.ReasonPlatformUnreachable:
		verdict.Kind, verdict.HostFault = outbox.Unknown, true
	case lti.ReasonPlatformAnswerInvalid, lti.ReasonDeadlineExceeded, lti.ReasonCanceled:
		verdict.Kind = outbox.Unknown
	case lti.ReasonStoreUnavailable:
		verdict.Kind = outbox.NotTaken
	case lti.ReasonInternal:
		verdict.Kind = outbox.Refused
	case lti.ReasonServiceRefused:
		if status := problem.Metadata["platform_status"]; status != "401" && status != "403" {
			verdict.Kind = outbox.Refused
		}
	}
	return verdict
}
