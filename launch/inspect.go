// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// InspectConfig says what Inspect compares a token with.
type InspectConfig struct {
	Registry     *platform.Registry // required; it may be empty
	Registration string             // name of the registration to judge by; "": the one that fits the token best
	Keys         *jose.KeySet       // the platform's keys; nil: the signature is not judged
	Now          func() time.Time   // nil: time.Now
	Leeway       time.Duration      // as in Config
	MaxTokenSize int                // as in Config
	AllowHTTP    bool               // as in Config
}

// Finding is the outcome of one check. Its texts hold no personal data.
type Finding struct {
	Check  string
	Judged bool
	Err    *lti.Error // why it failed; nil: it passed, or was not judged
	Note   string     // what was seen, or why it was not judged
}

// Passed reports whether the check was made and found nothing wrong.
func (f *Finding) Passed() bool { return f.Judged && f.Err == nil }

// PersonalClaim is a claim that names or describes a person.
type PersonalClaim struct{ Name, Value string }

// Inspection is what Inspect found.
type Inspection struct {
	Registration *platform.Registration // the one that was judged by; nil: none
	Findings     []Finding
	Personal     []PersonalClaim
}

// Failed counts the checks that failed.
func (i *Inspection) Failed() int {
	count := 0
	for _, finding := range i.Findings {
		if finding.Err != nil {
			count++
		}
	}
	return count
}

// inspection is one token on its way through Inspect. The checks are those of Validate, but none ends the others.
type inspection struct {
	validation
	Inspection
	settings InspectConfig
}

// Inspect judges an id_token or a notice by itself, check by check, for a person who looks for what is wrong. It asks no
// network and no store, so it cannot judge state, nonce and binding, and a token that passes is no launch. The error says
// that the settings are wrong, never that the token is.
func Inspect(text string, settings InspectConfig) (*Inspection, error) {
	validator, err := newInspector(settings)
	if err != nil {
		return nil, err
	}
	i := &inspection{settings: settings}
	i.Validator = validator
	i.now = validator.config.Now()
	if settings.Registration != "" {
		if i.Registration, err = settings.Registry.ByName(settings.Registration); err != nil {
			return nil, err
		}
	}
	if !i.inspectForm(text) {
		return &i.Inspection, nil
	}
	i.inspectParties(text)
	i.inspectSignature()
	i.inspectTimes()
	if i.isNotice() {
		i.inspectNotice()
	} else {
		i.inspectNonce()
		i.inspectMessage()
	}
	i.collectPersonal()
	return &i.Inspection, nil
}

// newInspector makes a Validator with what judging a token by itself needs, held to the limits of New.
func newInspector(settings InspectConfig) (*Validator, error) {
	if settings.Registry == nil {
		return nil, errors.New("launch: Inspect needs a Registry")
	}
	config := Config{
		Registry: settings.Registry, Now: settings.Now, AllowHTTP: settings.AllowHTTP,
		Leeway: cmp.Or(settings.Leeway, time.Minute), MaxTokenSize: cmp.Or(settings.MaxTokenSize, 64<<10),
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if err := config.checkLimits(); err != nil {
		return nil, err
	}
	return &Validator{config: config}, nil
}

// judge notes the outcome of a check.
func (i *inspection) judge(check string, err error, note string) bool {
	finding := Finding{Check: check, Judged: true, Note: note}
	if err != nil {
		finding.Note = ""
		if !errors.As(err, &finding.Err) {
			finding.Err = &lti.Error{Reason: lti.ReasonInternal, Cause: err}
		}
	}
	i.Findings = append(i.Findings, finding)
	return err == nil
}

// skip notes a check that cannot be made, and why.
func (i *inspection) skip(check, why string) {
	i.Findings = append(i.Findings, Finding{Check: check, Note: why})
}

// gateChecks are the checks of the gate, with the reason that each refuses with.
var gateChecks = []struct {
	check  string
	reason lti.Reason
}{
	{"segments", lti.ReasonTokenMalformed},
	{"header", lti.ReasonHeaderUnsupported},
	{"alg", lti.ReasonAlgorithmNotAllowed},
	{"kid", lti.ReasonKIDMissing},
}

// inspectForm takes the token through the gate, which ends at the first defect: what lies behind it is not read.
func (i *inspection) inspectForm(text string) bool {
	if limit := i.config.MaxTokenSize; len(text) > limit {
		return i.judge("size", lti.Errorf(lti.ReasonTokenTooLarge, "The id_token has %d bytes; the limit is %d.", len(text), limit), "")
	}
	i.judge("size", nil, fmt.Sprintf("%d bytes", len(text)))
	token, err := jose.Parse(text, jose.Algorithms())
	if err != nil {
		reason := lti.ReasonOf(err)
		failed := false
		for _, gate := range gateChecks {
			switch {
			case gate.reason == reason:
				failed = true
				i.judge(gate.check, err, "")
			case failed || gate.reason == lti.ReasonTokenMalformed:
				i.skip(gate.check, "not read to its end, because another check of the form failed")
			default:
				i.judge(gate.check, nil, "")
			}
		}
		i.skip("claims", "not read, because a check of the form failed")
		return false
	}
	i.token = token
	i.judge("segments", nil, "three, each base64url; header and payload are strict JSON")
	i.judge("header", nil, "it asks for nothing special")
	if i.claims, err = readClaims(token.Payload); err != nil {
		return i.judge("claims", err, "")
	}
	return true
}

// inspectParties finds the registration and compares iss, aud and azp with it. A registration that only comes close is
// still good enough to judge the rest by.
func (i *inspection) inspectParties(text string) {
	i.chooseRegistration()
	allowed := jose.Algorithms()
	i.registration = i.Registration
	if i.registration != nil {
		allowed = i.registration.Algorithms
		if len(allowed) == 0 {
			allowed = []string{jose.RS256}
		}
	}
	_, err := jose.Parse(text, allowed)
	i.judge("alg", err, i.token.Algorithm)
	i.judge("kid", nil, lti.Excerpt(i.token.KeyID))
	for _, party := range []struct {
		claim string
		check func() error
		note  func() string
	}{
		{"iss", i.checkIssuer, func() string { return i.registration.Issuer }},
		{"aud", i.checkAudience, func() string { return i.registration.ClientID }},
		{"azp", i.checkAuthorizedParty, func() string {
			if i.claims.AuthorizedParty == nil {
				return "none, and none is needed"
			}
			return i.registration.ClientID
		}},
	} {
		if i.registration == nil {
			i.skip(party.claim, "no registration comes close enough to compare with")
			continue
		}
		i.judge(party.claim, party.check(), party.note())
	}
}

// chooseRegistration finds the registration where none was named.
func (i *inspection) chooseRegistration() {
	if i.Registration != nil {
		i.judge("registration", nil, fmt.Sprintf("%q, as asked for", i.Registration.Name))
		return
	}
	all := i.config.Registry.All()
	if len(all) == 0 {
		i.skip("registration", "the configuration has none")
		return
	}
	issuer, _ := text(i.claims.Issuer)
	clientID := ""
	if audiences, err := i.audiences(); err == nil && len(audiences) > 0 {
		clientID = audiences[0]
	}
	registration, err := i.config.Registry.Find(issuer, clientID)
	if err == nil {
		i.Registration = registration
		i.judge("registration", nil, fmt.Sprintf("%q has this issuer and client id", registration.Name))
		return
	}
	i.judge("registration", err, "")
	i.Registration = i.config.Registry.Nearest(issuer, clientID)
	if i.Registration == nil && len(all) == 1 {
		i.Registration = all[0]
	}
}

func (i *inspection) inspectSignature() {
	if i.settings.Keys == nil {
		i.skip("signature", "it needs the platform's key set: give it with --keys")
		return
	}
	key, err := i.settings.Keys.Find(i.token.KeyID, i.token.Algorithm)
	var refusal *lti.Error
	if errors.As(err, &refusal) && refusal.Reason == lti.ReasonKIDUnknown {
		var held []string
		for _, kid := range i.settings.Keys.KeyIDs() {
			held = append(held, lti.Excerpt(kid))
		}
		explained := *refusal
		explained.Message = fmt.Sprintf("The key set has no key %q; it has %d: %s.", lti.Excerpt(i.token.KeyID), len(held), lti.Excerpt(strings.Join(held, " ")))
		err = &explained
	}
	if err == nil {
		err = i.token.Verify(key)
	}
	i.judge("signature", err, "made by the platform's key of this kid")
}

func (i *inspection) inspectTimes() {
	relative := func(t time.Time) string {
		if d := t.Sub(i.now).Round(time.Second); d >= 0 {
			return fmt.Sprintf("%s, in %s", formatTime(t), d)
		}
		return fmt.Sprintf("%s, %s ago", formatTime(t), i.now.Sub(t).Round(time.Second))
	}
	expires, err := numericDate("exp", i.claims.Expires)
	if err == nil {
		err = i.checkNotPast(expires)
	}
	i.judge("exp", err, relative(expires))
	issued, err := numericDate("iat", i.claims.IssuedAt)
	if err == nil && i.claims.Expires != nil {
		err = i.checkIssued()
	} else if err == nil {
		err = i.checkNotAhead("iat", issued)
	}
	note := relative(issued)
	if i.claims.Expires != nil {
		note += fmt.Sprintf("; the token lives for %s", expires.Sub(issued).Round(time.Second))
	}
	i.judge("iat", err, note)
	if i.claims.NotBefore != nil {
		notBefore, _ := numericDate("nbf", i.claims.NotBefore)
		i.judge("nbf", i.checkNotBefore(), relative(notBefore))
	}
}

// inspectNonce looks for the nonce of a launch. That of a notice decides nothing: it is the platform's own.
func (i *inspection) inspectNonce() {
	nonce, ok := text(i.claims.Nonce)
	switch {
	case i.claims.Nonce == nil:
		i.judge("nonce", missing("nonce"), "")
	case !ok || nonce == "":
		i.judge("nonce", invalid("nonce", "it must be a text that is not empty", ""), "")
	default:
		i.judge("nonce", nil, "there is one; whether it was used cannot be judged offline")
	}
}
