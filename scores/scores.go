// SPDX-License-Identifier: Apache-2.0

package scores

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
)

// Kind is the kind of the outbox's entries that are scores.
const Kind = "score"

// Limits of PostScore.
const (
	DefaultWait = time.Second
	MaxWait     = 30 * time.Second

	MaxRequestIDLength = 128
)

// Sender checks and sends scores. An *ags.Client is one.
type Sender interface {
	Draft(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, score lti.Score) (ags.Draft, error)
	Send(ctx context.Context, sending ags.Sending) ags.Answer
}

// Config configures a Book.
type Config struct {
	Lanes  records.Lanes // required
	Grades Sender        // required

	// Registration finds a registration by its name. Required.
	Registration func(name string) (*platform.Registration, error)

	// ReadResult reads what the platform has for one user; nil: it has nothing. Nil: platforms are never asked.
	ReadResult func(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, userID string) (*lti.Result, error)

	// As in outbox.Config.
	DiscardBefore, DoubtBefore time.Time
	Held                       bool
	MaxOpen                    int
	Logger                     *slog.Logger
	Observe                    func(records.EntryState)
	Now                        func() time.Time
}

// Book keeps scores until their platforms have them. It may be used by many goroutines.
type Book struct {
	config Config
	outbox *outbox.Outbox
}

// New returns a Book. Nothing is sent before Run but what Post itself tries.
func New(config Config) (*Book, error) {
	if config.Grades == nil || config.Registration == nil {
		return nil, errors.New("scores: Grades and Registration are required")
	}
	b := &Book{config: config}
	settings := outbox.Config{
		Lanes: config.Lanes, Kind: Kind, Deliver: b.deliver, MaxOpen: config.MaxOpen, DiscardBefore: config.DiscardBefore,
		DoubtBefore: config.DoubtBefore, Held: config.Held, Logger: config.Logger, Observe: config.Observe, Now: config.Now,
	}
	if config.ReadResult != nil {
		settings.Evidence = b.evidence
	}
	var err error
	b.outbox, err = outbox.New(settings)
	return b, err
}

// Run delivers until ctx ends. Close ends what is under way then.
func (b *Book) Run(ctx context.Context) { b.outbox.Run(ctx) }

// Close ends the attempts under way, after a little patience.
func (b *Book) Close() { b.outbox.Close() }

// Counts counts the scores that are kept.
func (b *Book) Counts(ctx context.Context) (records.LaneCounts, error) { return b.outbox.Counts(ctx) }

// payload is a score as it is kept.
type payload struct {
	Endpoint  lti.GradeEndpoint `json:"endpoint"`
	UserID    string            `json:"user_id"`
	URI       string            `json:"uri"`
	Body      json.RawMessage   `json:"body"`
	Explicit  time.Time         `json:"explicit,omitzero"` // score_time, where the tool gave one
	Caller    string            `json:"caller"`
	RequestID string            `json:"request_id,omitzero"`
}

// sameScore reports whether two calls with one request id mean the same.
func (p *payload) sameScore(other *payload) bool {
	return p.URI == other.URI && p.Endpoint.DeploymentID == other.Endpoint.DeploymentID && bytes.Equal(p.Body, other.Body) && p.Explicit.Equal(other.Explicit)
}

// Request is one score to be posted.
type Request struct {
	Caller       string // logical name of the caller
	Registration *platform.Registration
	Endpoint     lti.GradeEndpoint
	Score        lti.Score
	RequestID    string        // empty: none
	Wait         time.Duration // how long to wait for the platform, at most MaxWait; 0: not at all
}

// Post takes a score, durably, tries to deliver it and waits for that. Once the score is taken, an error is only a
// refusal by the platform, with the delivery's id; until then it is what ags.Client.Draft or outbox.Outbox.Submit
// answers, or REQUEST_ID_REUSED.
func (b *Book) Post(ctx context.Context, request Request) (Delivery, error) {
	if len(request.RequestID) > MaxRequestIDLength || strings.ContainsFunc(request.RequestID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Delivery{}, lti.FieldError("request_id", "it is not at most %d characters of printable ASCII", MaxRequestIDLength)
	}
	draft, err := b.config.Grades.Draft(ctx, request.Registration, request.Endpoint, request.Score)
	if err != nil {
		return Delivery{}, err
	}
	lane, group, err := placeOf(request.Registration.Name, request.Endpoint.LineItemURI, request.Score.UserID)
	if err != nil {
		return Delivery{}, err
	}
	kept := payload{
		Endpoint: request.Endpoint, UserID: request.Score.UserID, URI: draft.URI, Body: draft.Body, Explicit: draft.Event,
		Caller: request.Caller, RequestID: request.RequestID,
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		return Delivery{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	item := outbox.Item{
		Lane: lane, Group: group, Owner: request.Registration.Name, Payload: encoded, Ordered: true, Event: draft.Event, Grain: draft.Grain,
		Replaces: draft.Replaces, Replaceable: draft.Replaceable,
	}
	if request.RequestID != "" {
		item.Request = lti.Key("request", request.Caller, request.Registration.Name, request.RequestID)
	}
	entry, repeated, err := b.outbox.Submit(ctx, item, request.Wait)
	if err != nil {
		return Delivery{}, err
	}
	delivery, before, err := deliveryOf(&entry)
	if err != nil {
		return Delivery{}, err
	}
	if repeated && !before.sameScore(&kept) {
		return Delivery{}, lti.Errorf(lti.ReasonRequestIDReused, "The request id %q was used before, with another score.", lti.Excerpt(request.RequestID)).
			With("registration", request.Registration.Name).With("request_id", lti.Excerpt(request.RequestID)).With("delivery_id", entry.ID)
	}
	switch delivery.State {
	case StateRefused:
		return delivery, delivery.refusal()
	case StateDelivering:
		delivery.State = StateQueued // nothing is known yet, and it is kept
	}
	return delivery, nil
}

// placeOf returns the lane of a user's scores for a line item, and the host that they go to.
func placeOf(registration, lineItemURI, userID string) (lane, group string, err error) {
	origin, err := platform.Origin(lineItemURI)
	if err != nil {
		return "", "", lti.FieldError("endpoint.line_item_uri", "%v", err)
	}
	parsed, err := url.Parse(lineItemURI)
	if err != nil {
		return "", "", lti.FieldError("endpoint.line_item_uri", "it is no URI")
	}
	canonical := origin + strings.TrimRight(parsed.EscapedPath(), "/") + "?" + parsed.RawQuery
	_, group, _ = strings.Cut(origin, "://")
	return lti.Key("lane", registration, canonical, userID), group, nil
}

// deliver makes one attempt.
func (b *Book) deliver(ctx context.Context, attempt *outbox.Attempt) outbox.Verdict {
	kept, registration, err := b.open(attempt.Entry)
	if err != nil {
		return verdictOf(ags.Answer{Outcome: ags.Unready, Problem: problemOf(err)})
	}
	return verdictOf(b.config.Grades.Send(ctx, ags.Sending{
		Registration: registration, DeploymentID: kept.Endpoint.DeploymentID, URI: kept.URI, Body: kept.Body, Time: attempt.Entry.Sent,
		Ambiguous: attempt.Ambiguous, Begin: attempt.Begin,
	}))
}

func (b *Book) open(entry *records.LaneEntry) (*payload, *platform.Registration, error) {
	kept := &payload{}
	if err := json.Unmarshal(entry.Payload, kept); err != nil {
		return nil, nil, &lti.Error{Reason: lti.ReasonInternal, Message: "A score that was kept is damaged.", Cause: err}
	}
	registration, err := b.config.Registration(kept.Endpoint.Registration)
	return kept, registration, err
}

func problemOf(err error) *lti.Error {
	var problem *lti.Error
	if errors.As(err, &problem) {
		return problem
	}
	return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
}

var verdictKinds = map[ags.Outcome]outbox.VerdictKind{
	ags.Taken: outbox.Delivered, ags.NotTaken: outbox.NotTaken, ags.Failed: outbox.Failed, ags.Unknown: outbox.Unknown,
	ags.Refused: outbox.Refused, ags.Unready: outbox.Unready, ags.Outdated: outbox.Outdated,
}

func verdictOf(answer ags.Answer) outbox.Verdict {
	verdict := outbox.Verdict{
		Kind: verdictKinds[answer.Outcome], Throttled: answer.Throttled, HostFault: answer.HostFault,
		Report: outbox.Report{ResultURI: answer.ResultURI},
	}
	if problem := answer.Problem; problem != nil {
		verdict.RetryAfter = problem.RetryAfter
		verdict.Report.Reason, verdict.Report.Message, verdict.Report.Metadata = problem.Reason, problem.Message, problem.Metadata
	}
	return verdict
}
