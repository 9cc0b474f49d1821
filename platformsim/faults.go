// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/binary"
	"fmt"
	"io"
	mathrand "math/rand/v2"
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
	FaultJWKSUnavailable  Fault = "jwks_unavailable"   // the key set answers with HTML; value: the status, 503 by default
	FaultJWKSHTML         Fault = "jwks_html"          // the key set answers 200 with HTML
	FaultJWKSEmpty        Fault = "jwks_empty"         // the key set is empty
	FaultJWKSRedirect     Fault = "jwks_redirect"      // the key set answers 302; value: where to, itself by default
	FaultJWKSSlow         Fault = "jwks_slow"          // the key set comes late; value: a duration of at most 30s, 2s by default
	FaultJWKSStalled      Fault = "jwks_stalled"       // half of the key set comes, then nothing for 30 s
	FaultJWKSHuge         Fault = "jwks_huge"          // the key set has 5,000 keys more, over 2 MiB
	FaultJWKSCacheControl Fault = "jwks_cache_control" // Cache-Control of the key set; value: the header, a year by default
	FaultTokenUnavailable Fault = "token_unavailable"  // the token endpoint answers 503 with HTML
	FaultTokenRejected    Fault = "token_rejected"     // a service refuses a good token, as after a restart
	FaultScoreAnswerLost  Fault = "score_answer_lost"  // a score is stored, then the connection is cut
)

// Faults of any endpoint of the services: FaultSetting.Endpoint names one, and empty means all but the token endpoint.
const (
	FaultServiceUnavailable Fault = "service_unavailable" // 503 with Retry-After; value: its seconds, 1 by default
	FaultRateLimited        Fault = "rate_limited"        // 429 with Retry-After; value: its seconds, 1 by default
	FaultThrottled          Fault = "throttled"           // as the platform itself throttles
	FaultServiceStatus      Fault = "service_status"      // a page with that status; value: 400 to 599, 500 by default
	FaultServiceHTML        Fault = "service_html"        // 200 with a page
	FaultServiceRedirect    Fault = "service_redirect"    // 307; value: where to, itself by default
	FaultServiceBadStatus   Fault = "service_bad_status"  // a status line that is none; a reset stream with HTTP/2
	FaultServiceGzipBomb    Fault = "service_gzip_bomb"   // a small body that unpacks to blanks; value: MiB, 64 by default
	FaultServiceSlowBody    Fault = "service_slow_body"   // the body trickles; value: a duration of at most 45s, 2s by default
	FaultHandledLate        Fault = "handled_late"        // the request is handled later, client or no client; value: as above
	FaultAnswerLate         Fault = "answer_late"         // the request is handled at once and answered later; value: as above
	FaultAnswerLost         Fault = "answer_lost"         // the request is handled, then the connection is cut
	FaultForeignNext        Fault = "foreign_next"        // the next page lies elsewhere; value: its URL
	FaultNextLoops          Fault = "next_loops"          // the next page is the page itself
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
	{FaultThrottled, false, "Services throttle in the platform's way"},
	{FaultServiceStatus, false, "Services fail"},
	{FaultServiceHTML, false, "Services answer with a page"},
	{FaultServiceRedirect, false, "Services have moved"},
	{FaultServiceBadStatus, false, "Services talk nonsense"},
	{FaultServiceGzipBomb, false, "Services send a gzip bomb"},
	{FaultServiceSlowBody, false, "Services trickle"},
	{FaultHandledLate, false, "Services act late"},
	{FaultAnswerLate, false, "Services act at once and answer late"},
	{FaultAnswerLost, false, "Services act, the answer is lost"},
	{FaultForeignNext, false, "Next page lies elsewhere"},
	{FaultNextLoops, false, "Next page is the same page"},
	{FaultScoreAnswerLost, false, "Score stored, answer lost"},
}

func (f Fault) known() bool {
	return slices.ContainsFunc(faultTable, func(i faultInfo) bool { return i.Fault == f })
}

// endpointFaults are the faults that can be confined to an endpoint.
var endpointFaults = []Fault{
	FaultServiceUnavailable, FaultRateLimited, FaultThrottled, FaultServiceStatus, FaultServiceHTML, FaultServiceRedirect, FaultServiceBadStatus,
	FaultServiceGzipBomb, FaultServiceSlowBody, FaultHandledLate, FaultAnswerLate, FaultAnswerLost, FaultForeignNext, FaultNextLoops,
}

// FaultSetting switches one fault on.
type FaultSetting struct {
	Fault    Fault  `json:"fault"`
	Value    string `json:"value,omitempty"`    // meaning depends on the fault
	Endpoint string `json:"endpoint,omitempty"` // one of Endpoints; empty: all of the services but the token endpoint
	Times    int    `json:"times,omitempty"`    // how often it strikes; zero means once, or without an end where Percent is set
	Sticky   bool   `json:"sticky,omitempty"`   // strikes until it is cleared; Times is ignored

	// Percent makes the fault strike that share of the requests, above 0 and at most 100. Zero means each one.
	Percent float64 `json:"percent,omitempty"`
	// Seed makes the strikes of Percent the same at each run. Zero means a random one, which Faults then shows.
	Seed uint64 `json:"seed,omitempty"`
}

type faultKey struct {
	fault    Fault
	endpoint string
}

// fault is a setting that is on. It is guarded by Platform.mu.
type fault struct {
	FaultSetting
	dice *mathrand.Rand // nil: it strikes each time
}

// SetFault switches a fault on, replacing an earlier setting of the same one for the same endpoint.
func (p *Platform) SetFault(f FaultSetting) error {
	if !f.Fault.known() {
		return fmt.Errorf("unknown fault %q", f.Fault)
	}
	if f.Endpoint != "" && (!slices.Contains(endpointFaults, f.Fault) || !slices.Contains(Endpoints(), f.Endpoint)) {
		return fmt.Errorf("fault %q cannot be confined to %q; endpoints are %v", f.Fault, f.Endpoint, Endpoints())
	}
	if f.Times < 0 || f.Times > 1000000 {
		return fmt.Errorf("times %d is out of range", f.Times)
	}
	if !(f.Percent >= 0 && f.Percent <= 100) {
		return fmt.Errorf("percent %v: above 0 and at most 100", f.Percent)
	}
	set := &fault{FaultSetting: f}
	switch {
	case f.Times > 0:
	case f.Percent > 0:
		set.Sticky = true
	default:
		set.Times = 1
	}
	if f.Percent > 0 {
		for set.Seed == 0 {
			var b [8]byte
			if _, err := io.ReadFull(p.sim.random, b[:]); err != nil {
				return err
			}
			set.Seed = binary.BigEndian.Uint64(b[:])
		}
		set.dice = mathrand.New(mathrand.NewPCG(set.Seed, 0))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[faultKey{f.Fault, f.Endpoint}] = set
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
		for _, endpoint := range append([]string{""}, Endpoints()...) {
			if f := p.faults[faultKey{i.Fault, endpoint}]; f != nil {
				list = append(list, f.FaultSetting)
			}
		}
	}
	return list
}

// takeFault reports whether a fault strikes now, with its value, and counts it down.
func (p *Platform) takeFault(f Fault) (value string, strikes bool) {
	return p.strike(faultKey{f, ""})
}

// takeFaultAt is takeFault for an endpoint: the setting for it, or else the one for all.
func (p *Platform) takeFaultAt(f Fault, endpoint string) (value string, strikes bool) {
	value, strikes = p.strike(faultKey{f, endpoint})
	if !strikes && endpoint != EndpointToken {
		return p.strike(faultKey{f, ""})
	}
	return value, strikes
}

func (p *Platform) strike(key faultKey) (value string, strikes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.faults[key]
	if s == nil || (s.dice != nil && s.dice.Float64()*100 >= s.Percent) {
		return "", false
	}
	if !s.Sticky {
		if s.Times--; s.Times == 0 {
			delete(p.faults, key)
		}
	}
	return s.Value, true
}
