// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// messageProbe puts one claim of a token among claims that are good, so that it is judged alone, by the code that
// judges launches.
type messageProbe struct {
	claim string
	put   func(good, token *claims)
	note  func(*claims, *Launch) string
	only  bool // only resource link messages must have it
}

var messageProbes = []messageProbe{
	{lti.ClaimVersion, func(g, t *claims) { g.Version = t.Version }, func(c *claims, _ *Launch) string { return textOr(c.Version) }, false},
	{lti.ClaimDeploymentID, func(g, t *claims) { g.DeploymentID = t.DeploymentID }, func(_ *claims, l *Launch) string { return lti.Excerpt(l.DeploymentID) }, false},
	{"sub", func(g, t *claims) { g.Subject = t.Subject }, func(_ *claims, l *Launch) string {
		if l.User == nil {
			return "none: an anonymous launch, which the registration allows"
		}
		return fmt.Sprintf("%d characters", utf8.RuneCountInString(l.User.ID))
	}, false},
	{lti.ClaimRoles, func(g, t *claims) { g.Roles = t.Roles }, func(_ *claims, l *Launch) string { return roleNote(l) }, false},
	{lti.ClaimContext, func(g, t *claims) { g.Context = t.Context }, func(_ *claims, l *Launch) string {
		if l.Context == nil {
			return "none, which is allowed"
		}
		return "there is one, with an id"
	}, false},
	{lti.ClaimResourceLink, func(g, t *claims) { g.ResourceLink = t.ResourceLink }, func(*claims, *Launch) string { return "there is one, with an id" }, true},
	{lti.ClaimTargetLinkURI, func(g, t *claims) { g.TargetLinkURI = withoutQuery(t.TargetLinkURI) }, func(_ *claims, l *Launch) string {
		origin, err := platform.Origin(l.TargetLinkURI)
		if err != nil {
			return ""
		}
		return "on " + origin
	}, true},
}

func roleNote(l *Launch) string {
	var known []string
	for _, role := range []struct {
		has  bool
		name string
	}{
		{l.RoleSummary.Learner, "learner"}, {l.RoleSummary.Instructor, "instructor"}, {l.RoleSummary.Mentor, "mentor"},
	} {
		if role.has {
			known = append(known, role.name)
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%d: %s", len(l.Roles), strings.Join(known, ", ")), ": ")
}

// inspectMessage judges the claims of the message one by one, and then the message as a whole, so that nothing passes
// here that Validate refuses.
func (i *inspection) inspectMessage() {
	if i.registration == nil {
		i.skip("message", "no registration comes close enough to judge it by")
		return
	}
	// A probe must not fail because the registration does not accept the message type of the good claims.
	lenient := *i.registration
	lenient.MessageTypes = lti.MessageTypes()

	name, _ := text(i.claims.MessageType)
	_, err := checkMessageType(i.claims.MessageType, i.registration, lti.MessageTypes())
	i.judge(shortClaim(lti.ClaimMessageType), err, name)
	for _, probe := range messageProbes {
		if probe.only && name != string(lti.MessageResourceLink) {
			continue
		}
		good, err := goodClaims(i.registration)
		if err != nil {
			i.judge(shortClaim(probe.claim), err, "")
			continue
		}
		probe.put(good, i.claims)
		note := ""
		launch, err := i.readMessage(good, &lenient, lti.MessageTypes())
		if err == nil {
			note = probe.note(i.claims, launch)
		}
		i.judge(shortClaim(probe.claim), err, note)
	}
	i.inspectDeployment()
	launch, err := i.readMessage(i.claims, i.registration, lti.MessageTypes())
	if refusal, ok := err.(*lti.Error); ok && i.saidBefore(refusal.Reason) {
		err = &lti.Error{Reason: refusal.Reason, Message: "See above."}
	}
	if !i.judge("message as a whole", err, "as ValidateLaunch reads it") {
		return
	}
	i.judge("services", nil, serviceNote(launch))
}

// saidBefore reports whether a check failed for a reason already.
func (i *inspection) saidBefore(reason lti.Reason) bool {
	return slices.ContainsFunc(i.Findings, func(f Finding) bool { return f.Err != nil && f.Err.Reason == reason })
}

// withoutQuery leaves the query out of a URI: it decides nothing, and can name a person.
func withoutQuery(value jsontext.Value) jsontext.Value {
	uri, ok := text(value)
	before, _, found := strings.Cut(uri, "?")
	if !ok || !found {
		return value
	}
	short, err := json.Marshal(before)
	if err != nil {
		return value
	}
	return short
}

// shortClaim leaves the prefix of LTI's claims out.
func shortClaim(claim string) string {
	return claim[strings.LastIndexByte(claim, '/')+1:]
}

func (i *inspection) inspectDeployment() {
	id, ok := text(i.claims.DeploymentID)
	if !ok {
		return // said before
	}
	if contains(i.registration.Deployments, id) {
		i.judge("deployment", nil, fmt.Sprintf("the registration %q lists it", i.registration.Name))
		return
	}
	switch i.registration.UnknownDeployments {
	case platform.AcceptDeployments:
		i.judge("deployment", nil, "not listed; unknown_deployments is accept")
		return
	case platform.PendDeployments:
		i.judge("deployment", lti.Errorf(lti.ReasonDeploymentPending, "The registration %q does not list the deployment %q; a new one waits for the operator.", i.registration.Name, lti.Excerpt(id)), "")
		return
	}
	i.judge("deployment", platform.UnknownDeployment(i.registration, id), "")
}

func serviceNote(launch *Launch) string {
	var offered []string
	if launch.Grades != nil {
		offered = append(offered, fmt.Sprintf("grades (line item: %s, scopes: %d)", yesNo(launch.Grades.LineItemURI != ""), len(launch.Grades.Scopes)))
	}
	if launch.Memberships != nil {
		offered = append(offered, "roster")
	}
	if launch.Groups != nil {
		offered = append(offered, "groups")
	}
	if launch.Events != nil {
		offered = append(offered, "events")
	}
	if offered == nil {
		return "the token offers neither grades, roster, groups nor events"
	}
	return "offered: " + strings.Join(offered, ", ")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// goodClaims returns the claims of a message that a registration accepts.
func goodClaims(registration *platform.Registration) (*claims, error) {
	payload, err := json.Marshal(map[string]any{
		"sub":                  "user",
		lti.ClaimVersion:       lti.Version,
		lti.ClaimMessageType:   lti.MessageResourceLink,
		lti.ClaimDeploymentID:  "deployment",
		lti.ClaimRoles:         []string{},
		lti.ClaimResourceLink:  map[string]string{"id": "link"},
		lti.ClaimTargetLinkURI: registration.LaunchURIs[0],
	})
	if err != nil {
		return nil, err
	}
	return readClaims(payload)
}

// collectPersonal sets aside what describes a person.
func (i *inspection) collectPersonal() {
	lis := object(i.claims.LIS)
	for _, claim := range []struct {
		name  string
		value jsontext.Value
	}{
		{"sub", i.claims.Subject}, {"name", i.claims.Name}, {"given_name", i.claims.GivenName}, {"family_name", i.claims.FamilyName},
		{"email", i.claims.Email}, {"picture", i.claims.Picture}, {"lis.person_sourcedid", lis["person_sourcedid"]},
	} {
		if value := textOr(claim.value); value != "" {
			i.Personal = append(i.Personal, PersonalClaim{claim.name, value})
		}
	}
}
