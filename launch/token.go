// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Lifetimes and size of a launch token.
const (
	tokenLifetime = time.Hour
	tokenRenewal  = 12 * time.Hour // after the launch, no more
	maxTokenText  = 8 << 10        // bytes
)

// tokenContent is what a launch token seals.
type tokenContent struct {
	Launch  *Launch   `json:"launch"`
	Expires time.Time `json:"expires"`
}

// sealedForm returns a copy of a launch without what its endpoints repeat.
func (l *Launch) sealedForm() *Launch {
	slim := *l
	if l.Grades != nil {
		grades := *l.Grades
		grades.Registration, grades.DeploymentID = "", ""
		slim.Grades = &grades
	}
	if l.Memberships != nil {
		memberships := *l.Memberships
		memberships.Registration, memberships.DeploymentID = "", ""
		slim.Memberships = &memberships
	}
	if l.Groups != nil {
		groups := *l.Groups
		groups.Registration, groups.DeploymentID = "", ""
		slim.Groups = &groups
	}
	if l.Events != nil {
		events := *l.Events
		events.Registration, events.DeploymentID = "", ""
		slim.Events = &events
	}
	return &slim
}

// unsealedForm puts back what sealedForm left out.
func (l *Launch) unsealedForm() *Launch {
	if l.Grades != nil {
		l.Grades.Registration, l.Grades.DeploymentID = l.Registration, l.DeploymentID
	}
	if l.Memberships != nil {
		l.Memberships.Registration, l.Memberships.DeploymentID = l.Registration, l.DeploymentID
	}
	if l.Groups != nil {
		l.Groups.Registration, l.Groups.DeploymentID = l.Registration, l.DeploymentID
	}
	if l.Events != nil {
		l.Events.Registration, l.Events.DeploymentID = l.Registration, l.DeploymentID
	}
	return l
}

// tokenPurpose ties a launch token to the caller it was issued to.
func tokenPurpose(caller string) string { return "launch token of " + caller }

// sealToken returns a launch token and its expire time. A launch that is too large is sealed without its custom
// parameters; one that is still too large has no token.
func (v *Validator) sealToken(caller string, launch *Launch) (string, time.Time, error) {
	expires := v.config.Now().Add(tokenLifetime).UTC()
	if latest := launch.Time.Add(tokenRenewal); latest.Before(expires) {
		expires = latest
	}
	slim := launch.sealedForm()
	for range 2 {
		plain, err := marshalToken(&tokenContent{Launch: slim, Expires: expires})
		if err != nil {
			return "", time.Time{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
		}
		text, err := v.config.Sealer.Seal(tokenPurpose(caller), plain)
		if err != nil {
			return "", time.Time{}, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
		}
		if len(text) <= maxTokenText {
			return text, expires, nil
		}
		slim.Custom = nil
	}
	return "", time.Time{}, nil
}

// CheckToken opens a launch token of this caller and returns its launch with a fresh token and that one's expire time.
// It is refused once the registration is gone or the deployment no longer accepted. Errors are *lti.Error.
func (v *Validator) CheckToken(ctx context.Context, caller, text string) (*Launch, time.Time, error) {
	if text == "" {
		return nil, time.Time{}, lti.FieldError("launch_token", "it is required")
	}
	if len(text) > maxTokenText {
		return nil, time.Time{}, tooLong("launch_token", "8 KiB")
	}
	plain, err := v.config.Sealer.Open(tokenPurpose(caller), text)
	if err != nil {
		return nil, time.Time{}, &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Cause: err}
	}
	var content tokenContent
	if err := unmarshalToken(plain, &content); err != nil || content.Launch == nil {
		return nil, time.Time{}, &lti.Error{Reason: lti.ReasonLaunchTokenInvalid, Cause: err}
	}
	launch := content.Launch.unsealedForm()
	if !v.config.Now().Before(content.Expires) {
		return nil, time.Time{}, lti.Errorf(lti.ReasonLaunchTokenExpired, "The launch token expired at %s.", formatTime(content.Expires)).
			With("expired_time", formatTime(content.Expires)).With("launch_id", launch.ID)
	}
	registration, err := v.config.Registry.ByName(launch.Registration)
	if err != nil || registration.Issuer != launch.Issuer || registration.ClientID != launch.ClientID {
		return nil, time.Time{}, lti.Errorf(lti.ReasonLaunchTokenInvalid, "The registration of the launch token was removed or changed.").With("launch_id", launch.ID)
	}
	if err := v.config.Deployments.CheckDeployment(ctx, registration, launch.DeploymentID, false); err != nil {
		return nil, time.Time{}, err
	}
	if err := v.sealDeepLinking(caller, launch); err != nil {
		return nil, time.Time{}, err
	}
	var expires time.Time
	if launch.Token, expires, err = v.sealToken(caller, launch); err != nil {
		return nil, time.Time{}, err
	}
	return launch, expires, nil
}
