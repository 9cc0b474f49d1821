// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"encoding/json"
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

// Draft is a score that was checked, as it is kept until it is sent: all but its timestamp.
type Draft struct {
	URI   string        // where it goes
	Body  []byte        // compact JSON; Send puts the timestamp in front
	Event time.Time     // score_time, in milliseconds; zero: none was given
	Grain time.Duration // the platform's smallest step between two timestamps of one user and line item

	Replaces    bool // it says all that an older plain score says, and more recently
	Replaceable bool // it is plain: it carries nothing that a newer score would not replace
}

// Draft checks a score for the line item of an endpoint and encodes it, once and for all. The error is a *lti.Error:
// REQUEST_INVALID, SERVICE_NOT_OFFERED, or what Allowed answers.
func (c *Client) Draft(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, score lti.Score) (Draft, error) {
	dialect, err := c.config.Dialect(ctx, registration, endpoint.DeploymentID)
	if err != nil {
		return Draft{}, err
	}
	if err := checkOffered(registration, &endpoint, dialect); err != nil {
		return Draft{}, err
	}
	body, err := bodyOf(score, dialect, c.config.Now())
	if err != nil {
		return Draft{}, err
	}
	uri, err := scoresURI(endpoint.LineItemURI)
	if err != nil {
		return Draft{}, err
	}
	if err := c.config.Allowed(ctx, registration, endpoint.DeploymentID, uri); err != nil {
		return Draft{}, err
	}
	encoded, err := body.encode()
	if err != nil {
		return Draft{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	plain := score.Comment == "" && body.Submission == nil && len(body.extensions) == 0
	draft := Draft{
		URI: uri, Body: encoded, Grain: dialect.ScoreGrain, Replaceable: plain,
		Replaces: plain && score.ScoreGiven != nil && body.GradingProgress == lti.GradingFullyGraded,
	}
	if !score.ScoreTime.IsZero() {
		draft.Event = score.ScoreTime.UTC().Truncate(time.Millisecond)
	}
	return draft, nil
}

// Sending is one attempt to send a draft.
type Sending struct {
	Registration *platform.Registration
	DeploymentID string
	URI          string
	Body         []byte    // of the Draft
	Time         time.Time // the timestamp; the same at every attempt
	Ambiguous    bool      // an earlier attempt may have arrived: then "not newer" can mean that it did

	// Begin is called before the first byte of the score leaves. Nothing is sent where it fails. Required.
	Begin func(context.Context) error
}

// Send posts a score, and once more, with the same bytes and a fresh token, where the token seems to have expired.
func (c *Client) Send(ctx context.Context, sending Sending) Answer {
	dialect, err := c.config.Dialect(ctx, sending.Registration, sending.DeploymentID)
	if err != nil {
		return notSent(err)
	}
	if err := c.config.Allowed(ctx, sending.Registration, sending.DeploymentID, sending.URI); err != nil {
		return notSent(err)
	}
	a := attempt{client: c, Sending: sending, dialect: dialect}
	if err := a.hide(); err != nil {
		return notSent(err)
	}
	timed := timedBody(sending.Body, sending.Time)
	for repeated := false; ; repeated = true {
		token, err := c.config.Tokens.Token(ctx, sending.Registration, sending.DeploymentID, []string{lti.ScopeScore})
		if err != nil {
			return notSent(err)
		}
		a.secrets = append(a.secrets, token.AccessToken.Reveal())
		if err := sending.Begin(ctx); err != nil {
			return notSent(&lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err})
		}
		answer, err := c.config.HTTP.Do(ctx, outbound.Request{
			Method:  http.MethodPost,
			URI:     sending.URI,
			Header:  http.Header{"Authorization": {"Bearer " + token.AccessToken.Reveal()}, "Content-Type": {lti.MediaTypeScore}},
			Body:    timed,
			MaxBody: maxAnswer,
		})
		if err != nil {
			return unanswered(err, sending.Registration.Name)
		}
		if repeated || !dialect.TokenExpired(answer.Status) || dialect.Throttled(answer.Status, answer.Body) {
			return a.read(answer)
		}
		c.config.Tokens.Drop(token)
	}
}

// attempt is one score on its way.
type attempt struct {
	Sending
	client  *Client
	dialect platform.Dialect
	secrets []string // hidden in what the platform says
}

// hide notes what of the score must not come back in the platform's words.
func (a *attempt) hide() error {
	var personal struct {
		UserID        string `json:"userId"`
		ScoringUserID string `json:"scoringUserId"`
		Comment       string `json:"comment"`
	}
	if err := json.Unmarshal(a.Body, &personal); err != nil {
		return &lti.Error{Reason: lti.ReasonInternal, Message: "A score that was kept is damaged.", Cause: err}
	}
	a.secrets = []string{personal.UserID, personal.ScoringUserID, personal.Comment}
	return nil
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
