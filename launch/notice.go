// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of a request to a notice handler.
const (
	maxNoticeBody  = 256 << 10 // bytes
	maxNotices     = 100       // in one body
	maxSeenNotices = 10_000    // remembered
)

// Notice is a validated notice (Platform Notification Service 1.0). It is no launch: no user stands behind it.
type Notice struct {
	ID             string
	Type           string
	Time           time.Time
	Duplicate      bool // accepted before, as far as memory goes
	Registration   string
	Issuer         string
	ClientID       string
	DeploymentID   string
	User           *User // nil as a rule
	Context        *Context
	OriginContexts []string
	Custom         map[string]string
	ForUser        *ForUser
	Activity       *Activity
	Submission     *Submission
	AssetService   *AssetService
	Reports        *AssetReportService
	ClaimsJSON     string
}

// NoticeResult is a notice, or why it was refused.
type NoticeResult struct {
	Notice  *Notice
	Refusal *lti.Error
}

// seenNotices remembers the newest notices, to tell a repeat. Notices have no state that was issued and could be used
// up, so this is best effort: a restart forgets, and replicas do not share it.
type seenNotices struct{ recent *lru.Cache[string, struct{}] }

func newSeenNotices() (*seenNotices, error) {
	recent, err := lru.New[string, struct{}](maxSeenNotices)
	if err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	return &seenNotices{recent: recent}, nil
}

// add remembers a notice and tells whether it was there.
func (s *seenNotices) add(registration *platform.Registration, id string) bool {
	seen, _ := s.recent.ContainsOrAdd(lti.Key("notice", registration.Issuer, registration.ClientID, id), struct{}{})
	return seen
}

// ValidateNotices checks the body of a request to the notice handler, each notice alone. The error, a *lti.Error, is
// about the body as a whole, or the end of ctx.
func (v *Validator) ValidateNotices(ctx context.Context, body []byte) ([]NoticeResult, error) {
	if len(body) > maxNoticeBody {
		return nil, tooLong("notices", "256 KiB")
	}
	var batch struct {
		Notices jsontext.Value `json:"notices"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, notNotices("it is not a JSON object without repeated names")
	}
	elements, ok := list(batch.Notices)
	if !ok {
		return nil, notNotices("its member notices is not a list")
	}
	if len(elements) > maxNotices {
		return nil, tooLong("notices", "100 notices")
	}
	results := make([]NoticeResult, 0, len(elements))
	for _, element := range elements {
		notice, err := v.validateNotice(ctx, element)
		if ctx.Err() != nil {
			return nil, storeError(ctx, ctx.Err())
		}
		result := NoticeResult{Notice: notice}
		if err != nil && !errors.As(err, &result.Refusal) {
			result.Refusal = &lti.Error{Reason: lti.ReasonInternal, Cause: err}
		}
		results = append(results, result)
	}
	return results, nil
}

func notNotices(detail string) *lti.Error {
	return lti.Errorf(lti.ReasonTokenMalformed, "The body is not {\"notices\": [{\"jwt\": ...}]}: %s.", detail).With("detail", detail)
}

// validateNotice checks one notice as a launch is checked, but for state, browser and nonce, which it has none of: the
// nonce is the platform's own.
func (v *Validator) validateNotice(ctx context.Context, element jsontext.Value) (*Notice, error) {
	c := &validation{Validator: v, now: v.config.Now()}
	notice, err := c.runNotice(ctx, textOr(object(element)["jwt"]))
	var refusal *lti.Error
	if c.registration != nil && errors.As(err, &refusal) {
		return nil, refusal.With("registration", c.registration.Name)
	}
	return notice, err
}

// runNotice is the order of the checks.
func (c *validation) runNotice(ctx context.Context, text string) (*Notice, error) {
	if len(text) > c.config.MaxTokenSize {
		return nil, lti.Errorf(lti.ReasonTokenTooLarge, "The notice is larger than the limit of %d bytes.", c.config.MaxTokenSize).
			With("limit", fmt.Sprintf("%d bytes", c.config.MaxTokenSize))
	}
	var err error
	if c.token, err = jose.Parse(text, jose.Algorithms()); err != nil {
		return nil, err
	}
	if c.claims, err = readClaims(c.token.Payload); err != nil {
		return nil, err
	}
	if err := c.findRegistration(); err != nil {
		return nil, err
	}
	if allowed := c.algorithms(); !slices.Contains(allowed, c.token.Algorithm) {
		return nil, lti.Errorf(lti.ReasonAlgorithmNotAllowed, "The notice is signed with %q; the registration allows %s.", c.token.Algorithm, strings.Join(allowed, ", ")).
			With("actual", c.token.Algorithm).With("expected", strings.Join(allowed, " "))
	}
	if err := c.checkParties(); err != nil {
		return nil, err
	}
	if err := c.findKey(ctx); err != nil {
		return nil, err
	}
	if err := c.verifySignature(ctx); err != nil {
		return nil, err
	}
	if err := c.checkTimes(); err != nil {
		return nil, err
	}
	notice, err := c.readNotice()
	if err != nil {
		return nil, err
	}
	if err := c.config.Deployments.CheckDeployment(ctx, c.registration, notice.DeploymentID, false); err != nil {
		return nil, err
	}
	notice.Duplicate = c.seen.add(c.registration, notice.ID)
	return notice, nil
}

// findRegistration finds the registration by issuer and audience, both still untrusted.
func (c *validation) findRegistration() error {
	issuer, ok := text(c.claims.Issuer)
	if !ok {
		return missingOrInvalid("iss", c.claims.Issuer)
	}
	audiences := texts(c.claims.Audience)
	if len(audiences) == 0 {
		return missingOrInvalid("aud", c.claims.Audience)
	}
	var err error
	c.registration, err = c.config.Registry.Find(issuer, audiences[0])
	return err
}

// readNotice reads the claims that make a notice.
func (c *validation) readNotice() (*Notice, error) {
	registration := c.registration
	n := &Notice{Registration: registration.Name, Issuer: registration.Issuer, ClientID: registration.ClientID, ClaimsJSON: string(c.token.Payload)}
	if err := checkVersion(c.claims.Version); err != nil {
		return nil, err
	}
	if c.claims.MessageType != nil {
		return nil, invalid(lti.ClaimMessageType, "a notice has none: this is a launch", string(c.claims.MessageType))
	}
	var err error
	if n.DeploymentID, err = identifier(lti.ClaimDeploymentID, c.claims.DeploymentID); err != nil {
		return nil, err
	}
	members, err := membersOf(required, lti.ClaimNotice, c.claims.Notice)
	if err != nil {
		return nil, err
	}
	if n.ID, err = identifier(lti.ClaimNotice+".id", members["id"]); err != nil {
		return nil, err
	}
	if n.Type, err = identifier(lti.ClaimNotice+".type", members["type"]); err != nil {
		return nil, err
	}
	if isNull(members["timestamp"]) {
		return nil, missing(lti.ClaimNotice + ".timestamp")
	}
	if n.Time = moment(textOr(members["timestamp"])); n.Time.IsZero() {
		return nil, invalid(lti.ClaimNotice+".timestamp", "it must be a time in ISO 8601", string(members["timestamp"]))
	}
	if !isNull(c.claims.Subject) {
		if n.User, err = readUser(c.claims, optional, registration); err != nil {
			return nil, err
		}
	}
	if n.Context, err = readContext(optional, c.claims.Context, n.Issuer, n.DeploymentID); err != nil {
		return nil, err
	}
	return n, c.readNoticeContent(n)
}

// readNoticeContent reads what the known types of notices carry. Nothing in it is a reason to refuse.
func (c *validation) readNoticeContent(n *Notice) error {
	var err error
	n.OriginContexts = texts(c.claims.OriginContexts)
	n.Custom, _ = readCustom(c.claims.Custom)
	if n.ForUser, err = readForUser(optional, c.claims.ForUser, c.registration); err != nil {
		return err
	}
	if n.Activity, err = readActivity(optional, c.claims.Activity); err != nil {
		return err
	}
	if n.Submission, err = readSubmission(optional, c.claims.Submission); err != nil {
		return err
	}
	n.AssetService = readAssetService(c.claims.AssetService)
	n.Reports = readReportService(c.claims.AssetReport)
	return nil
}
