// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"errors"
	"fmt"
	"time"
)

// spoilAndSign applies the faults that are on and signs.
func (p *Platform) spoilAndSign(l *launch, c map[string]any, lastNonce string) (string, error) {
	on := func(f Fault) bool { _, strikes := p.takeFault(f); return strikes }
	shift := func(d time.Duration) {
		for _, name := range []string{"iat", "nbf", "exp"} {
			if at, ok := c[name].(int64); ok {
				c[name] = at + int64(d/time.Second)
			}
		}
	}
	if on(FaultExpired) {
		shift(-time.Hour - p.profile.Lifetime)
	}
	for fault, sign := range map[Fault]time.Duration{FaultClockAhead: 1, FaultClockBehind: -1} {
		value, strikes := p.takeFault(fault)
		if !strikes {
			continue
		}
		d := map[Fault]time.Duration{FaultClockAhead: 10 * time.Minute, FaultClockBehind: 2 * time.Hour}[fault]
		if value != "" {
			var err error
			if d, err = time.ParseDuration(value); err != nil {
				return "", fmt.Errorf("fault %s: %w", fault, err)
			}
		}
		shift(sign * d)
	}
	if on(FaultWrongIssuer) {
		c["iss"] = "https://somebody-else.example.org"
	}
	if on(FaultWrongAudience) {
		c["aud"] = p.audience("another-tool")
		if p.profile.Azp {
			c["azp"] = "another-tool"
		}
	}
	if on(FaultAlteredNonce) {
		c["nonce"] = flipLast(c["nonce"].(string))
	}
	if on(FaultReusedNonce) {
		if lastNonce == "" {
			return "", errors.New("there is no earlier launch of this tool whose nonce could be used again: launch once first")
		}
		c["nonce"] = lastNonce
	}
	if on(FaultWrongDeployment) {
		c[claimLTI+"deployment_id"] = flipLast(l.tool.deployment)
	}
	if value, strikes := p.takeFault(FaultMissingClaim); strikes {
		if value == "" {
			value = claimLTI + "message_type"
		}
		delete(c, value)
	}
	key := p.signingKey(l.tool)
	header := map[string]any{"typ": "JWT", "alg": "RS256", "kid": key.kid}
	if p.profile.NoTyp {
		delete(header, "typ")
	}
	if on(FaultUnknownKid) {
		header["kid"] = flipLast(key.kid)
	}
	if on(FaultMissingKid) {
		delete(header, "kid")
	}
	if on(FaultAlgNone) {
		header["alg"] = "none"
		input, err := signingInput(header, c)
		return input + ".", err
	}
	token, err := signRS256(header, c, key.key)
	if err == nil && on(FaultBadSignature) {
		head, sig, _ := cutLast(token, '.')
		raw, derr := unb64(sig)
		if derr != nil {
			return "", derr
		}
		raw[len(raw)/2] ^= 1
		token = head + "." + b64(raw)
	}
	return token, err
}

// flipLast changes the last character, so that the text stays of its kind (digits stay digits).
func flipLast(s string) string {
	if s == "" {
		return "0"
	}
	last := s[len(s)-1]
	if last == '1' {
		return s[:len(s)-1] + "2"
	}
	return s[:len(s)-1] + "1"
}
