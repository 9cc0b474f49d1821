// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"fmt"
	"slices"
)

// Fault is something the platform does wrong on request.
type Fault string

// Faults of a launch. Each spoils the next launch of any tool of the platform.
const (
	FaultExpired         Fault = "expired"          // exp passed an hour ago
	FaultClockAhead      Fault = "clock_ahead"      // iat and exp ahead; value: a duration, 10m by default
	FaultClockBehind     Fault = "clock_behind"     // iat and exp behind; value: a duration, 2h by default
	FaultWrongIssuer     Fault = "wrong_issuer"     // iss of somebody else
	FaultWrongAudience   Fault = "wrong_audience"   // aud of another tool
	FaultAlteredNonce    Fault = "altered_nonce"    // nonce differs from the one asked for
	FaultReusedNonce     Fault = "reused_nonce"     // nonce of the tool's launch before
	FaultUnknownKid      Fault = "unknown_kid"      // kid that the key set does not have
	FaultMissingKid      Fault = "missing_kid"      // no kid
	FaultBadSignature    Fault = "bad_signature"    // signed with a key that is not the named one
	FaultAlgNone         Fault = "alg_none"         // alg none, no signature
	FaultWrongDeployment Fault = "wrong_deployment" // deployment that the tool does not know
	FaultMissingClaim    Fault = "missing_claim"    // value: the claim's name, the message type by default
	FaultReplayedForm    Fault = "replayed_form"    // the form of the tool's launch before, once more
	FaultWrongState      Fault = "wrong_state"      // state altered
	FaultMissingState    Fault = "missing_state"    // no state
	FaultLaunchError     Fault = "launch_error"     // an OIDC error instead of a token; value: its code, server_error by default
)

// Faults of the services.
const (
	FaultJWKSUnavailable    Fault = "jwks_unavailable"    // the key set answers with HTML; value: the status, 503 by default
	FaultJWKSHTML           Fault = "jwks_html"           // the key set answers 200 with HTML
	FaultJWKSEmpty          Fault = "jwks_empty"          // the key set is empty
	FaultJWKSRedirect       Fault = "jwks_redirect"       // the key set answers 302; value: where to, itself by default
	FaultJWKSSlow           Fault = "jwks_slow"           // the key set comes late; value: a duration of at most 30s, 2s by default
	FaultJWKSStalled        Fault = "jwks_stalled"        // half of the key set comes, then nothing for 30 s
	FaultJWKSHuge           Fault = "jwks_huge"           // the key set has 5,000 keys more, over 2 MiB
	FaultJWKSCacheControl   Fault = "jwks_cache_control"  // Cache-Control of the key set; value: the header, a year by default
	FaultTokenUnavailable   Fault = "token_unavailable"   // the token endpoint answers 503 with HTML
	FaultTokenRejected      Fault = "token_rejected"      // a service refuses a good token, as after a restart
	FaultServiceUnavailable Fault = "service_unavailable" // AGS and NRPS answer 503 with Retry-After: 1
	FaultRateLimited        Fault = "rate_limited"        // AGS and NRPS answer 429 with Retry-After: 1
	FaultScoreAnswerLost    Fault = "score_answer_lost"   // a score is stored, then the connection is cut
)

// faultInfo is what the course page says of a fault.
type faultInfo struct {
	Fault  Fault
	Launch bool
	Text   string
}

var faultTable = []faultInfo{
	{FaultExpired, true, "Expired token"},
	{FaultClockAhead, true, "Platform clock ahead"},
	{FaultClockBehind, true, "Platform clock behind"},
	{FaultWrongIssuer, true, "Wrong issuer"},
	{FaultWrongAudience, true, "Wrong audience"},
	{FaultAlteredNonce, true, "Altered nonce"},
	{FaultReusedNonce, true, "Nonce used before"},
	{FaultUnknownKid, true, "Unknown key id"},
	{FaultMissingKid, true, "No key id"},
	{FaultBadSignature, true, "Bad signature"},
	{FaultAlgNone, true, "Not signed (alg none)"},
	{FaultWrongDeployment, true, "Unknown deployment"},
	{FaultMissingClaim, true, "A claim is missing"},
	{FaultReplayedForm, true, "Replay the last launch form"},
	{FaultWrongState, true, "Wrong state"},
	{FaultMissingState, true, "No state"},
	{FaultLaunchError, true, "Answer with an error"},
	{FaultJWKSUnavailable, false, "Key set out of reach"},
	{FaultJWKSHTML, false, "Key set is a page"},
	{FaultJWKSEmpty, false, "Key set is empty"},
	{FaultJWKSRedirect, false, "Key set has moved"},
	{FaultJWKSSlow, false, "Key set is slow"},
	{FaultJWKSStalled, false, "Key set stops halfway"},
	{FaultJWKSHuge, false, "Key set is huge"},
	{FaultJWKSCacheControl, false, "Key set promises to stay"},
	{FaultTokenUnavailable, false, "Token endpoint out of reach"},
	{FaultTokenRejected, false, "Services refuse a good token"},
	{FaultServiceUnavailable, false, "Services out of reach"},
	{FaultRateLimited, false, "Services throttle"},
	{FaultScoreAnswerLost, false, "Score stored, answer lost"},
}

func (f Fault) known() bool {
	return slices.ContainsFunc(faultTable, func(i faultInfo) bool { return i.Fault == f })
}

// FaultSetting switches one fault on.
type FaultSetting struct {
	Fault  Fault  `json:"fault"`
	Value  string `json:"value,omitempty"`  // meaning depends on the fault
	Times  int    `json:"times,omitempty"`  // how often it strikes; zero means once
	Sticky bool   `json:"sticky,omitempty"` // strikes until it is cleared; Times is ignored
}

// SetFault switches a fault on, replacing an earlier setting of the same one.
func (p *Platform) SetFault(f FaultSetting) error {
	if !f.Fault.known() {
		return fmt.Errorf("unknown fault %q", f.Fault)
	}
	if f.Times < 0 || f.Times > 1000000 {
		return fmt.Errorf("times %d is out of range", f.Times)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[f.Fault] = &f
	return nil
}

// ClearFaults switches all faults off.
func (p *Platform) ClearFaults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.faults)
}

// Faults lists the faults that are on, in a fixed order.
func (p *Platform) Faults() []FaultSetting {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []FaultSetting{}
	for _, i := range faultTable {
		if f := p.faults[i.Fault]; f != nil {
			list = append(list, *f)
		}
	}
	return list
}

// takeFault reports whether a fault strikes now, with its value, and counts it down.
func (p *Platform) takeFault(f Fault) (value string, strikes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.faults[f]
	if s == nil {
		return "", false
	}
	if !s.Sticky {
		if s.Times--; s.Times == 0 {
			delete(p.faults, f)
		}
	}
	return s.Value, true
}
