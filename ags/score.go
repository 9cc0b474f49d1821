// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// maxAnswer is how much of an answer to a score is read.
const maxAnswer = 64 << 10

// Delivery is what became of a score that was not refused.
type Delivery struct {
	SentTime   time.Time // the timestamp that the platform got; zero where Superseded
	ResultURI  string    // where the platform names one
	Superseded bool      // a newer score of the same user and line item went before, so this one was not sent
}

// PostScore sends one score to the line item of an endpoint and waits for the answer. Scores of one user and line item
// are sent one after the other, each with a timestamp above the one before it. A repeat with the same content and score
// time, after an outcome that is not known, is sent with the same timestamp, and then a platform that already has it
// has delivered it. The error is a *lti.Error:
//   - REQUEST_INVALID, SERVICE_NOT_OFFERED, or what Allowed and the TokenSource answer: nothing was sent;
//   - SCORE_REFUSED, SCORE_OUTDATED, LINE_ITEM_NOT_FOUND, SERVICE_REFUSED, PLATFORM_THROTTLED: the platform does not
//     have the score;
//   - PLATFORM_UNREACHABLE, PLATFORM_UNAVAILABLE, PLATFORM_ANSWER_INVALID, DEADLINE_EXCEEDED, CANCELED: it may have it.
func (c *Client) PostScore(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, score lti.Score) (Delivery, error) {
	dialect, err := c.config.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return Delivery{}, err
	}
	if err := checkOffered(registration, &endpoint, dialect); err != nil {
		return Delivery{}, err
	}
	now := c.config.Now()
	body, err := bodyOf(score, dialect, now)
	if err != nil {
		return Delivery{}, err
	}
	uri, err := scoresURI(endpoint.LineItemURI)
	if err != nil {
		return Delivery{}, err
	}
	if err := c.config.Allowed(ctx, registration, endpoint.DeploymentID, uri); err != nil {
		return Delivery{}, err
	}

	lane, err := c.enter(ctx, lti.Key("lane", registration.Name, endpoint.LineItemURI, score.UserID))
	if err != nil {
		return Delivery{}, err
	}
	defer lane.leave()
	event, explicit := score.ScoreTime, true
	if event.IsZero() {
		event, explicit = c.config.Now(), false
	}
	event = event.UTC().Truncate(time.Millisecond)
	untimed, err := body.encode()
	if err != nil {
		return Delivery{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	try, superseded := lane.next(event, explicit, sha256.Sum256(untimed), dialect.ScoreGrain)
	if superseded {
		return Delivery{Superseded: true}, nil
	}
	if ahead := try.sent.Sub(try.event) - maxAhead; ahead > 0 {
		busy := lti.Errorf(lti.ReasonPlatformThrottled, "Too many scores of one user came at once: each needs a timestamp of its own, and they must not run ahead of the time.").
			With("registration", registration.Name)
		busy.RetryAfter = max(ahead, time.Second)
		return Delivery{}, busy
	}
	body.Timestamp = try.sent.Format(timestampFormat)
	timed, err := body.encode()
	if err != nil {
		return Delivery{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	sending := sending{
		client: c, registration: registration, deploymentID: endpoint.DeploymentID, dialect: dialect,
		uri: uri, body: timed, secrets: []string{score.UserID, score.ScoringUserID, score.Comment},
	}
	answer, err := sending.send(ctx)
	if err != nil {
		var failure *sendError
		if errors.As(err, &failure) {
			if failure.arrived {
				try.ambiguous = true
				lane.last = try
			}
			err = failure.explained
		}
		return Delivery{}, err
	}
	resultURI, refusal := sending.read(answer, try.ambiguous)
	if refusal != nil {
		if refusal.Reason == lti.ReasonPlatformUnavailable { // a failure inside the platform can come after it stored the score
			try.ambiguous = true
			lane.last = try
		}
		return Delivery{}, refusal
	}
	try.ambiguous = false
	lane.last = try
	return Delivery{SentTime: try.sent, ResultURI: resultURI}, nil
}

// checkOffered refuses endpoints that cannot take a score, and says what to switch on.
func checkOffered(registration *platform.Registration, endpoint *lti.GradeEndpoint, dialect platform.Dialect) error {
	missing := func(what, message string) error {
		if dialect.GradesSetting != "" {
			message += " " + dialect.GradesSetting
		}
		return lti.Errorf(lti.ReasonServiceNotOffered, "%s", message).With("registration", registration.Name).With("missing", what)
	}
	switch {
	case endpoint.LineItemURI == "":
		return missing("line_item_uri", "The launch named no line item, so there is no column to put a score in: the link must be graded, and have exactly one line item.")
	case !slices.Contains(endpoint.Scopes, lti.ScopeScore):
		return missing(lti.ScopeScore, "The launch did not offer the scope to post scores: allow grade passback for this tool at the platform, then launch again.")
	}
	return nil
}

// scoresURI appends /scores to the path of a line item and leaves its query and its encoding as they are (section 3.4.1).
func scoresURI(lineItem string) (string, error) {
	if strings.Contains(lineItem, "#") {
		return "", lti.FieldError("endpoint.line_item_uri", "it has a fragment; hand back the endpoint as the launch gave it")
	}
	path, query, hasQuery := strings.Cut(lineItem, "?")
	uri := strings.TrimRight(path, "/") + "/scores"
	if hasQuery {
		uri += "?" + query
	}
	return uri, nil
}

// sendError is a score request that brought no answer.
type sendError struct {
	explained *lti.Error
	arrived   bool // the platform may have it
}

func (e *sendError) Error() string { return e.explained.Error() }

// sending is one score on its way.
type sending struct {
	client       *Client
	registration *platform.Registration
	deploymentID string
	dialect      platform.Dialect
	uri          string
	body         []byte
	secrets      []string // hidden in what the platform says
}

// send posts the body, and once more, with the same bytes and a fresh token, where the token seems to have expired.
func (s *sending) send(ctx context.Context) (*outbound.Response, error) {
	for repeated := false; ; repeated = true {
		token, err := s.client.config.Tokens.Token(ctx, s.registration, s.deploymentID, []string{lti.ScopeScore})
		if err != nil {
			return nil, err
		}
		s.secrets = append(s.secrets, token.AccessToken.Reveal())
		answer, err := s.client.config.HTTP.Do(ctx, outbound.Request{
			Method:  http.MethodPost,
			URI:     s.uri,
			Header:  http.Header{"Authorization": {"Bearer " + token.AccessToken.Reveal()}, "Content-Type": {lti.MediaTypeScore}},
			Body:    s.body,
			MaxBody: maxAnswer,
		})
		if err != nil {
			var failure *outbound.Error
			return nil, &sendError{explained: outbound.Explain(err, s.registration.Name), arrived: !errors.As(err, &failure) || failure.Sent}
		}
		if repeated || !s.dialect.TokenExpired(answer.Status) || s.dialect.Throttled(answer.Status, answer.Body) {
			return answer, nil
		}
		s.client.config.Tokens.Drop(token)
	}
}
