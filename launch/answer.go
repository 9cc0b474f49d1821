// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ltisidecar/ltisidecar/lti"
)

// What the tokens of a launch for its answers have in common: a proctoring token, a deep linking token. Each seals all
// that its answer repeats, so that a caller cannot have anything else signed.

// Lifetimes of answers.
const (
	answerTokenLifetime = 8 * time.Hour    // of a token for an answer, from the launch on
	answerLifetime      = 5 * time.Minute  // of a signed answer
	answerBackdate      = 30 * time.Second // of iat: some platforms take none that is ahead of their clock by a second
)

// answerParty is between whom an answer goes, and until when its token is good.
type answerParty struct {
	Registration string    `json:"registration"`
	Issuer       string    `json:"issuer"`
	ClientID     string    `json:"client_id"`
	DeploymentID string    `json:"deployment_id"`
	Expires      time.Time `json:"expires"`
}

func partyOf(l *Launch) answerParty {
	return answerParty{
		Registration: l.Registration, Issuer: l.Issuer, ClientID: l.ClientID, DeploymentID: l.DeploymentID,
		Expires: l.Time.Add(answerTokenLifetime),
	}
}

// answerToken is one kind of token.
type answerToken struct {
	name, field string
	limit       int // bytes
	limitText   string
}

// purpose ties a token to the caller it was issued to.
func (k answerToken) purpose(caller string) string { return k.name + " of " + caller }

// sealAnswer makes a token.
func (v *Validator) sealAnswer(kind answerToken, caller string, content any) (string, error) {
	plain, err := json.Marshal(content)
	if err != nil {
		return "", &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	token, err := v.config.Sealer.Seal(kind.purpose(caller), plain)
	if err != nil {
		return "", &lti.Error{Reason: lti.ReasonInternal, Cause: err}
	}
	return token, nil
}

// openAnswer opens a token of this caller into content, whose party it is given. It is refused once the registration is
// gone or the deployment no longer accepted.
func (v *Validator) openAnswer(ctx context.Context, kind answerToken, caller, text string, content any, party *answerParty) error {
	if text == "" {
		return lti.FieldError(kind.field, "it is required")
	}
	if len(text) > kind.limit {
		return tooLong(kind.field, kind.limitText)
	}
	plain, err := v.config.Sealer.Open(kind.purpose(caller), text)
	if err != nil {
		return &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Message: "The " + kind.name + " was not issued to this caller by this sidecar, or was changed.", Cause: err}
	}
	if err := json.Unmarshal(plain, content); err != nil {
		return &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Cause: err}
	}
	if !v.config.Now().Before(party.Expires) {
		return lti.Errorf(lti.ReasonLaunchTokenExpired, "The %s expired at %s.", kind.name, formatTime(party.Expires)).
			With("expired_time", formatTime(party.Expires))
	}
	registration, err := v.config.Registry.ByName(party.Registration)
	if err != nil || registration.Issuer != party.Issuer || registration.ClientID != party.ClientID {
		return lti.Errorf(lti.ReasonLaunchTokenInvalid, "The registration of the %s was removed or changed.", kind.name)
	}
	return v.config.Deployments.CheckDeployment(ctx, registration, party.DeploymentID, false)
}

// signAnswer signs a message from the tool to the platform, so issuer and audience change places (Security Framework
// 1.0, section 5.2.2).
func (v *Validator) signAnswer(party *answerParty, messageType lti.MessageType, content map[string]any) (string, error) {
	if v.config.Signer == nil {
		return "", errors.New("launch: the Validator has no Signer")
	}
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(v.config.Rand, nonce); err != nil {
		return "", err
	}
	now := v.config.Now()
	message := map[string]any{
		"iss":                 party.ClientID,
		"aud":                 party.Issuer,
		"iat":                 now.Add(-answerBackdate).Unix(),
		"exp":                 now.Add(answerLifetime).Unix(),
		"nonce":               base64.RawURLEncoding.EncodeToString(nonce),
		lti.ClaimMessageType:  messageType,
		lti.ClaimVersion:      lti.Version,
		lti.ClaimDeploymentID: party.DeploymentID,
	}
	for name, value := range content {
		message[name] = value
	}
	claims, err := json.Marshal(message, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	return v.config.Signer.Sign(claims)
}
