// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
)

// checkParties compares iss, aud and azp, still untrusted, with the registration that the login began with (Security
// Framework 5.1.3, points 2 to 5). The key is that
// registration's own, whatever they say.
func (c *validation) checkParties() error {
	if err := c.checkIssuer(); err != nil {
		return err
	}
	if err := c.checkAudience(); err != nil {
		return err
	}
	return c.checkAuthorizedParty()
}

func (c *validation) checkIssuer() error {
	issuer, ok := text(c.claims.Issuer)
	if !ok {
		return missingOrInvalid("iss", c.claims.Issuer)
	}
	if issuer == c.registration.Issuer {
		return nil
	}
	return lti.Errorf(lti.ReasonIssuerMismatch, "The id_token is from %q; the registration %q has %q: %s%s.", lti.Excerpt(issuer), c.registration.Name, c.registration.Issuer,
		lti.Difference(c.registration.Issuer, issuer), c.otherRegistration(issuer)).
		With("expected", c.registration.Issuer).With("actual", lti.Excerpt(issuer))
}

// otherRegistration names the registration that a token with another issuer or audience fits, as the end of a sentence.
func (c *validation) otherRegistration(issuer string) string {
	audiences, err := c.audiences()
	if err != nil || len(audiences) == 0 {
		return ""
	}
	other, err := c.config.Registry.Find(issuer, audiences[0])
	if err != nil || other == c.registration {
		return ""
	}
	return fmt.Sprintf("; the token fits the registration %q, but the login began with %q", other.Name, c.registration.Name)
}

// audiences returns the aud claim as a list: it is a text or a list of texts.
func (c *validation) audiences() ([]string, error) {
	if single, ok := text(c.claims.Audience); ok {
		return []string{single}, nil
	}
	elements, ok := list(c.claims.Audience)
	if !ok {
		return nil, missingOrInvalid("aud", c.claims.Audience)
	}
	var audiences []string
	for _, element := range elements {
		audience, ok := text(element)
		if !ok {
			return nil, invalid("aud", "it must hold texts only", string(element))
		}
		audiences = append(audiences, audience)
	}
	return audiences, nil
}

func (c *validation) checkAudience() error {
	audiences, err := c.audiences()
	if err != nil {
		return err
	}
	expected := c.registration.ClientID
	if len(audiences) > 0 && allEqual(audiences, expected) {
		return nil
	}
	actual := lti.Excerpt(strings.Join(audiences, " "))
	hint := ""
	if len(audiences) == 1 {
		hint = ": " + lti.Difference(expected, audiences[0])
		if contains(c.registration.Deployments, audiences[0]) {
			hint = "; what came is a deployment id of it"
		}
	}
	if issuer, ok := text(c.claims.Issuer); ok {
		hint += c.otherRegistration(issuer)
	}
	return lti.Errorf(lti.ReasonAudienceMismatch, "The id_token is for %q; the registration %q has the client id %q and trusts no other audience%s.", actual, c.registration.Name, expected, hint).
		With("expected", expected).With("actual", actual)
}

func (c *validation) checkAuthorizedParty() error {
	audiences, err := c.audiences()
	if err != nil {
		return err
	}
	if c.claims.AuthorizedParty == nil && len(audiences) == 1 {
		return nil
	}
	party, ok := text(c.claims.AuthorizedParty)
	if ok && party == c.registration.ClientID {
		return nil
	}
	message := fmt.Sprintf("The id_token has several audiences and no azp; the registration %q has the client id %q.", c.registration.Name, c.registration.ClientID)
	switch {
	case ok:
		message = fmt.Sprintf("The id_token's azp is %q; the registration %q has the client id %q: %s.", lti.Excerpt(party), c.registration.Name, c.registration.ClientID, lti.Difference(c.registration.ClientID, party))
	case c.claims.AuthorizedParty != nil:
		party = string(c.claims.AuthorizedParty)
		message = fmt.Sprintf("The id_token's azp is no text; the registration %q has the client id %q.", c.registration.Name, c.registration.ClientID)
	}
	return (&lti.Error{Reason: lti.ReasonAuthorizedPartyMismatch, Message: message}).
		With("expected", c.registration.ClientID).With("actual", lti.Excerpt(party))
}

func allEqual(list []string, want string) bool {
	for _, text := range list {
		if text != want {
			return false
		}
	}
	return true
}

func missingOrInvalid(claim string, value []byte) error {
	if value == nil {
		return missing(claim)
	}
	return invalid(claim, "it must be a text", string(value))
}
