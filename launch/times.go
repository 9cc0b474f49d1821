// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// maxLifetime is the longest time between iat and exp that is believed.
const maxLifetime = 24 * time.Hour

// checkTimes holds exp, iat and nbf to the clock, with the leeway on both sides (points 7 and 8). A token is refused
// from exp + leeway on.
func (c *validation) checkTimes() error {
	expires, err := numericDate("exp", c.claims.Expires)
	if err != nil {
		return err
	}
	if _, err := numericDate("iat", c.claims.IssuedAt); err != nil {
		return err
	}
	if err := c.checkNotPast(expires); err != nil {
		return err
	}
	if err := c.checkIssued(); err != nil {
		return err
	}
	return c.checkNotBefore()
}

// checkNotPast refuses a token that expired longer ago than the leeway.
func (c *validation) checkNotPast(expires time.Time) error {
	late := c.now.Sub(expires)
	if late < c.config.Leeway {
		return nil
	}
	measured, words := c.measuredSkew()
	return lti.Errorf(lti.ReasonTokenExpired, "The id_token expired %s ago; %s are tolerated%s.", late.Round(time.Second), c.config.Leeway, words).
		With("expired_time", formatTime(expires)).With("clock_skew", seconds(-late)).With("measured_skew", measured)
}

// checkIssued holds iat to exp and to the clock.
func (c *validation) checkIssued() error {
	issued, err := numericDate("iat", c.claims.IssuedAt)
	if err != nil {
		return err
	}
	expires, err := numericDate("exp", c.claims.Expires)
	if err != nil {
		return err
	}
	if expires.Before(issued) || expires.Sub(issued) > maxLifetime {
		return invalid("exp", "it must be after iat, by 24 hours at most", string(c.claims.Expires))
	}
	return c.checkNotAhead("iat", issued)
}

// checkNotBefore holds nbf to the clock, where it is there.
func (c *validation) checkNotBefore() error {
	if c.claims.NotBefore == nil {
		return nil
	}
	notBefore, err := numericDate("nbf", c.claims.NotBefore)
	if err != nil {
		return err
	}
	return c.checkNotAhead("nbf", notBefore)
}

func (c *validation) checkNotAhead(claim string, t time.Time) error {
	ahead := t.Sub(c.now)
	if ahead <= c.config.Leeway {
		return nil
	}
	measured, words := c.measuredSkew()
	return lti.Errorf(lti.ReasonTokenNotYetValid, "The id_token's %s lies %s ahead; %s are tolerated%s.", claim, ahead.Round(time.Second), c.config.Leeway, words).
		With("claim", claim).With("clock_skew", seconds(ahead)).With("measured_skew", measured)
}

// measuredSkew returns how far the platform's clock was ahead of ours, in seconds, and the words for a message; both
// are "" where nobody has seen the platform's clock.
func (c *validation) measuredSkew() (metadata, words string) {
	meter, ok := c.config.Keys.(SkewMeter)
	if !ok {
		return "", ""
	}
	skew, ok := meter.Skew(c.registration)
	if !ok {
		return "", ""
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	return seconds(skew), fmt.Sprintf("; the platform's clock was %s %s ours when its keys were fetched", skew.Abs().Round(time.Second), direction)
}
