// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/platform"
)

// REQ-083 REQ-115
func TestLaunchIsAcceptedOnce(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	token := sign(f.claims(l, nil))
	outcome, err := f.validate(request(l, token))
	if err != nil {
		t.Fatal(err)
	}
	got := outcome.Launch
	if got.User.ID != "user-1" || got.User.Key != lti.UserKey("", issuer, "user-1") || got.Context.Label != "BIO-1" || got.ResourceLink.Title != "Quiz" ||
		got.ResourceLink.Description != "" || !got.RoleSummary.Learner || got.Registration != "lms" || got.DeploymentID != "d1" || got.TargetLinkURI != target ||
		got.Binding != launch.BindingCookie || got.TargetChanged || !got.Time.Equal(start) || !json.Valid([]byte(got.ClaimsJSON)) {
		t.Errorf("launch = %+v", got)
	}
	deletions := 0
	for _, header := range outcome.Headers {
		if header.Name == "Set-Cookie" && strings.Contains(header.Value, "Max-Age=0") {
			deletions++
			if strings.HasPrefix(header.Value, "__Host-ltip-") != strings.HasSuffix(header.Value, "; Partitioned") {
				t.Errorf("a Partitioned cookie is deleted only by a Partitioned header: %q", header.Value)
			}
		}
	}
	if deletions != 2 {
		t.Errorf("deletions = %d, want the pair", deletions)
	}

	f.clock.set(start.Add(7 * time.Second))
	_, err = f.validate(request(l, token))
	replay := wantReason(t, err, lti.ReasonNonceReplayed)
	if replay.Metadata["launch_id"] != got.ID || replay.Metadata["first_used_time"] != "2031-05-06T07:08:09Z" {
		t.Errorf("metadata = %v", replay.Metadata)
	}
	_, err = f.validate(request(l, sign(f.claims(l, map[string]any{"iat": start.Unix() + 1}))))
	wantReason(t, err, lti.ReasonNonceReplayed) // signed anew, the same login
}

// REQ-035 REQ-083
func TestParallelCopiesGiveOneLaunch(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	sent := request(l, sign(f.claims(l, nil)))
	var accepted, replayed atomic.Int32
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			_, err := f.validate(sent)
			switch lti.ReasonOf(err) {
			case "":
				accepted.Add(1)
			case lti.ReasonNonceReplayed:
				replayed.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if accepted.Load() != 1 || replayed.Load() != 63 {
		t.Errorf("accepted %d, replayed %d", accepted.Load(), replayed.Load())
	}
}

// TestRejects changes one thing of a good launch at a time. Each token is signed by the platform's own key, so that no
// refusal hides behind a bad signature, and none uses the login up.
//
// REQ-072 REQ-073 REQ-085 REQ-250
func TestRejects(t *testing.T) {
	now := start.Unix()
	long := strings.Repeat("x", 256)
	for _, test := range []struct {
		name  string
		patch map[string]any
		want  lti.Reason
	}{
		{"iss of another", map[string]any{"iss": "https://evil.example"}, lti.ReasonIssuerMismatch},
		{"iss with a slash", map[string]any{"iss": issuer + "/"}, lti.ReasonIssuerMismatch},
		{"iss in capitals", map[string]any{"iss": "https://LMS.example"}, lti.ReasonIssuerMismatch},
		{"iss absent", map[string]any{"iss": nil}, lti.ReasonClaimMissing},
		{"iss a list", map[string]any{"iss": []any{issuer}}, lti.ReasonClaimInvalid},
		{"aud of another", map[string]any{"aud": "client-2"}, lti.ReasonAudienceMismatch},
		{"aud absent", map[string]any{"aud": nil}, lti.ReasonClaimMissing},
		{"aud empty list", map[string]any{"aud": []any{}}, lti.ReasonAudienceMismatch},
		{"aud a number", map[string]any{"aud": 7}, lti.ReasonClaimInvalid},
		{"aud an object", map[string]any{"aud": map[string]any{}}, lti.ReasonClaimInvalid},
		{"aud with a number", map[string]any{"aud": []any{clientID, 7}}, lti.ReasonClaimInvalid},
		{"aud nested", map[string]any{"aud": []any{[]any{clientID}}}, lti.ReasonClaimInvalid},
		{"aud with an untrusted one", map[string]any{"aud": []any{clientID, "x"}, "azp": clientID}, lti.ReasonAudienceMismatch},
		{"aud with a blank", map[string]any{"aud": clientID + " "}, lti.ReasonAudienceMismatch},
		{"aud twice without azp", map[string]any{"aud": []any{clientID, clientID}}, lti.ReasonAuthorizedPartyMismatch},
		{"azp of another", map[string]any{"azp": "client-2"}, lti.ReasonAuthorizedPartyMismatch},
		{"azp a number", map[string]any{"azp": 7}, lti.ReasonAuthorizedPartyMismatch},
		{"azp empty", map[string]any{"azp": ""}, lti.ReasonAuthorizedPartyMismatch},
		{"exp absent", map[string]any{"exp": nil}, lti.ReasonClaimMissing},
		{"exp zero", map[string]any{"exp": 0}, lti.ReasonClaimInvalid},
		{"exp tiny", map[string]any{"exp": json.Number("1e-9")}, lti.ReasonTokenExpired},
		{"exp negative", map[string]any{"exp": -1}, lti.ReasonClaimInvalid},
		{"exp a text", map[string]any{"exp": "4000000000"}, lti.ReasonClaimInvalid},
		{"exp a text of a good time", map[string]any{"exp": strconv.FormatInt(now+300, 10)}, lti.ReasonClaimInvalid},
		{"exp true", map[string]any{"exp": true}, lti.ReasonClaimInvalid},
		{"exp huge", map[string]any{"exp": json.Number("1e300")}, lti.ReasonClaimInvalid},
		{"exp overflowing", map[string]any{"exp": json.Number("1e400")}, lti.ReasonClaimInvalid},
		{"exp beyond int64", map[string]any{"exp": json.Number("18446744073709551617")}, lti.ReasonClaimInvalid},
		{"exp in ten years", map[string]any{"exp": now + 315360000}, lti.ReasonClaimInvalid},
		{"expired, at the edge", map[string]any{"exp": now - 60, "iat": now - 120}, lti.ReasonTokenExpired},
		{"expired long ago", map[string]any{"exp": 22222, "iat": 11111}, lti.ReasonTokenExpired},
		{"exp before iat", map[string]any{"exp": now + 10, "iat": now + 20}, lti.ReasonClaimInvalid},
		{"iat absent", map[string]any{"iat": nil}, lti.ReasonClaimMissing},
		{"iat a text", map[string]any{"iat": "now"}, lti.ReasonClaimInvalid},
		{"iat ahead", map[string]any{"iat": now + 61}, lti.ReasonTokenNotYetValid},
		{"nbf ahead", map[string]any{"nbf": now + 61}, lti.ReasonTokenNotYetValid},
		{"nbf a text", map[string]any{"nbf": "now"}, lti.ReasonClaimInvalid},
		{"nonce absent", map[string]any{"nonce": nil}, lti.ReasonClaimMissing},
		{"nonce empty", map[string]any{"nonce": ""}, lti.ReasonNonceMismatch},
		{"nonce a number", map[string]any{"nonce": 7}, lti.ReasonNonceMismatch},
		{"nonce of another login", map[string]any{"nonce": "AAAAAAAAAAAAAAAAAAAAAA"}, lti.ReasonNonceMismatch},
		{"version absent", map[string]any{lti.ClaimVersion: nil}, lti.ReasonClaimMissing},
		{"version 11.3", map[string]any{lti.ClaimVersion: "11.3"}, lti.ReasonVersionUnsupported},
		{"version 1.3", map[string]any{lti.ClaimVersion: "1.3"}, lti.ReasonVersionUnsupported},
		{"version a number", map[string]any{lti.ClaimVersion: 1.3}, lti.ReasonVersionUnsupported},
		{"deployment absent", map[string]any{lti.ClaimDeploymentID: nil}, lti.ReasonClaimMissing},
		{"deployment empty", map[string]any{lti.ClaimDeploymentID: ""}, lti.ReasonClaimInvalid},
		{"deployment a number", map[string]any{lti.ClaimDeploymentID: 1}, lti.ReasonClaimInvalid},
		{"deployment long", map[string]any{lti.ClaimDeploymentID: long}, lti.ReasonClaimInvalid},
		{"deployment of another login", map[string]any{lti.ClaimDeploymentID: "D1"}, lti.ReasonDeploymentMismatch},
		{"message type absent", map[string]any{lti.ClaimMessageType: nil}, lti.ReasonClaimMissing},
		{"message type unknown", map[string]any{lti.ClaimMessageType: "LtiFoo"}, lti.ReasonMessageTypeUnknown},
		{"message type in another case", map[string]any{lti.ClaimMessageType: "ltiResourceLinkRequest"}, lti.ReasonMessageTypeUnknown},
		{"message type of a tool", map[string]any{lti.ClaimMessageType: "LtiDeepLinkingResponse"}, lti.ReasonMessageTypeUnknown},
		{"message type a list", map[string]any{lti.ClaimMessageType: []any{"LtiResourceLinkRequest"}}, lti.ReasonMessageTypeUnknown},
		{"sub absent", map[string]any{"sub": nil}, lti.ReasonAnonymousNotAllowed},
		{"sub empty", map[string]any{"sub": ""}, lti.ReasonClaimInvalid},
		{"sub blank", map[string]any{"sub": "  "}, lti.ReasonClaimInvalid},
		{"sub a number", map[string]any{"sub": 7}, lti.ReasonClaimInvalid},
		{"sub long", map[string]any{"sub": long}, lti.ReasonClaimInvalid},
		{"roles absent", map[string]any{lti.ClaimRoles: nil}, lti.ReasonClaimMissing},
		{"roles a text", map[string]any{lti.ClaimRoles: "Learner"}, lti.ReasonClaimInvalid},
		{"roles an object", map[string]any{lti.ClaimRoles: map[string]any{}}, lti.ReasonClaimInvalid},
		{"context without id", map[string]any{lti.ClaimContext: map[string]any{"title": "x"}}, lti.ReasonClaimMissing},
		{"context id long", map[string]any{lti.ClaimContext: map[string]any{"id": long}}, lti.ReasonClaimInvalid},
		{"context a text", map[string]any{lti.ClaimContext: "x"}, lti.ReasonClaimInvalid},
		{"resource link absent", map[string]any{lti.ClaimResourceLink: nil}, lti.ReasonClaimMissing},
		{"resource link without id", map[string]any{lti.ClaimResourceLink: map[string]any{}}, lti.ReasonClaimMissing},
		{"resource link id empty", map[string]any{lti.ClaimResourceLink: map[string]any{"id": ""}}, lti.ReasonClaimInvalid},
		{"resource link id long", map[string]any{lti.ClaimResourceLink: map[string]any{"id": long}}, lti.ReasonClaimInvalid},
		{"resource link a list", map[string]any{lti.ClaimResourceLink: []any{}}, lti.ReasonClaimInvalid},
		{"target absent", map[string]any{lti.ClaimTargetLinkURI: nil}, lti.ReasonClaimMissing},
		{"target a number", map[string]any{lti.ClaimTargetLinkURI: 7}, lti.ReasonClaimInvalid},
		{"target elsewhere", map[string]any{lti.ClaimTargetLinkURI: "https://evil.example/"}, lti.ReasonTargetLinkURINotAllowed},
		{"target http", map[string]any{lti.ClaimTargetLinkURI: "http://tool.example/"}, lti.ReasonTargetLinkURINotAllowed},
		{"target javascript", map[string]any{lti.ClaimTargetLinkURI: "javascript:alert(1)"}, lti.ReasonTargetLinkURINotAllowed},
		{"target with user", map[string]any{lti.ClaimTargetLinkURI: "https://tool.example@evil.example/"}, lti.ReasonTargetLinkURINotAllowed},
		{"target with backslash", map[string]any{lti.ClaimTargetLinkURI: `https://evil.example\@tool.example/`}, lti.ReasonTargetLinkURINotAllowed},
		{"target with tab", map[string]any{lti.ClaimTargetLinkURI: "https://tool.example\t.evil.example/"}, lti.ReasonTargetLinkURINotAllowed},
		{"target protocol-relative", map[string]any{lti.ClaimTargetLinkURI: "//tool.example/"}, lti.ReasonTargetLinkURINotAllowed},
		{"target of another port", map[string]any{lti.ClaimTargetLinkURI: "https://tool.example:8443/"}, lti.ReasonTargetLinkURINotAllowed},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			l := f.begin()
			_, err := f.validate(request(l, sign(f.claims(l, test.patch))))
			refusal := wantReason(t, err, test.want)
			if refusal.Metadata["launch_id"] == "" || refusal.Metadata["registration"] != "lms" {
				t.Errorf("metadata = %v", refusal.Metadata)
			}
			if _, err := f.validate(request(l, sign(f.claims(l, nil)))); err != nil {
				t.Errorf("the refused launch used the login up: %v", err)
			}
		})
	}
}

// REQ-074 REQ-080 REQ-111 REQ-113
func TestAccepts(t *testing.T) {
	now := start.Unix()
	for _, test := range []struct {
		name  string
		patch map[string]any
		check func(*launch.Launch) bool
	}{
		{"aud a list of one", map[string]any{"aud": []any{clientID}}, nil},
		{"azp", map[string]any{"azp": clientID}, nil},
		{"fractional times", map[string]any{"exp": float64(now) + 60.5, "iat": float64(now) - 0.25}, nil},
		{"60-second token, clock 119 s behind", map[string]any{"exp": now - 59, "iat": now - 119}, nil},
		{"iat ahead within the leeway", map[string]any{"iat": now + 60, "nbf": now + 60}, nil},
		{"no roles", map[string]any{lti.ClaimRoles: []any{}}, func(l *launch.Launch) bool { return l.RoleSummary == lti.RoleSummary{} }},
		{"an empty role", map[string]any{lti.ClaimRoles: []any{""}}, func(l *launch.Launch) bool { return l.RoleSummary == lti.RoleSummary{} && len(l.Roles) == 0 }},
		{"a short role", map[string]any{lti.ClaimRoles: []any{"Instructor"}}, func(l *launch.Launch) bool { return l.RoleSummary.Instructor }},
		{"an unknown role", map[string]any{lti.ClaimRoles: []any{"http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper"}}, func(l *launch.Launch) bool { return l.RoleSummary == lti.RoleSummary{} && len(l.Roles) == 1 }},
		{"Learner#Instructor is a learner", map[string]any{lti.ClaimRoles: []any{"http://purl.imsglobal.org/vocab/lis/v2/membership/Learner#Instructor"}}, func(l *launch.Launch) bool { return l.RoleSummary.Learner && !l.RoleSummary.Instructor }},
		{"no context", map[string]any{lti.ClaimContext: nil}, func(l *launch.Launch) bool { return l.Context == nil }},
		{"context type a text", map[string]any{lti.ClaimContext: map[string]any{"id": "c", "type": "Account", "title": nil}}, func(l *launch.Launch) bool { return len(l.Context.Types) == 1 && l.Context.Title == "" }},
		{"names null", map[string]any{"name": json.RawMessage("null"), "email": ""}, func(l *launch.Launch) bool { return l.User.Name == "" && l.User.Email == "" }},
		{"custom of all kinds", map[string]any{lti.ClaimCustom: map[string]any{"a": "1", "b": 2, "c": true, "d": json.RawMessage("null"), "e": "$Unresolved"}},
			func(l *launch.Launch) bool {
				return l.Custom["a"] == "1" && l.Custom["b"] == "2" && l.Custom["c"] == "true" && l.Custom["d"] == "null" && l.Custom["e"] == "$Unresolved"
			}},
		{"optional claims of wrong types", map[string]any{lti.ClaimCustom: "x", lti.ClaimLaunchPresentation: []any{}, lti.ClaimToolPlatform: 1, lti.ClaimLIS: "x", lti.ClaimGradeEndpoint: true, lti.ClaimMemberships: "x", lti.ClaimGroups: []any{}, lti.ClaimCaliper: 7}, func(l *launch.Launch) bool {
			return l.Grades == nil && l.Memberships == nil && l.Groups == nil && l.Events == nil
		}},
		{"services without an address", map[string]any{lti.ClaimGroups: map[string]any{"context_groups_url": ""}, lti.ClaimCaliper: map[string]any{"scopes": []any{lti.ScopeSendEvents}}}, func(l *launch.Launch) bool { return l.Groups == nil && l.Events == nil }},
		{"a return URL that is a script", map[string]any{lti.ClaimLaunchPresentation: map[string]any{"return_url": "javascript:alert(1)", "height": 400, "width": "800"}}, func(l *launch.Launch) bool {
			return l.Presentation.ReturnURI == "" && l.Presentation.Height == 400 && l.Presentation.Width == 0
		}},
		{"a return URL that is a script with a host", map[string]any{lti.ClaimLaunchPresentation: map[string]any{"return_url": "javascript://lms.example/%0aalert(1)"}}, func(l *launch.Launch) bool { return l.Presentation.ReturnURI == "" }},
		{"grades with artefacts", map[string]any{lti.ClaimGradeEndpoint: map[string]any{"scope": []any{lti.ScopeScore}, "lineitem": "https://lms.example/li/1", "lineitems": "https://lms.example/li", "errors": map[string]any{"errors": map[string]any{}}, "validation_context": nil}},
			func(l *launch.Launch) bool { return l.Grades.CanPostScore() && l.Grades.DeploymentID == "d1" }},
		{"a blank line item", map[string]any{lti.ClaimGradeEndpoint: map[string]any{"scope": []any{lti.ScopeScore}, "lineitem": " "}}, func(l *launch.Launch) bool { return !l.Grades.CanPostScore() }},
		{"mentored users without the role", map[string]any{lti.ClaimRoleScopeMentor: []any{"u2"}}, func(l *launch.Launch) bool { return l.MentoredUsers == nil }},
		{"mentored users as a text", map[string]any{lti.ClaimRoleScopeMentor: "u2", lti.ClaimRoles: []any{"Mentor"}}, func(l *launch.Launch) bool { return len(l.MentoredUsers) == 1 }},
		{"another target of the tool", map[string]any{lti.ClaimTargetLinkURI: "https://tool.example/other"}, func(l *launch.Launch) bool { return l.TargetChanged }},
		{"a target on the staging origin", map[string]any{lti.ClaimTargetLinkURI: "https://STAGING.tool.example:443/x"}, nil},
		{"vendor claims", map[string]any{"https://www.instructure.com/placement": json.RawMessage("null"), "__proto__": map[string]any{"x": 1}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			l := f.begin()
			outcome, err := f.validate(request(l, sign(f.claims(l, test.patch))))
			if err != nil {
				t.Fatal(err)
			}
			if test.check != nil && !test.check(outcome.Launch) {
				t.Errorf("launch = %+v", outcome.Launch)
			}
		})
	}
}

func TestAnonymous(t *testing.T) {
	f := newFixture(t, func(r *platform.Registration) { r.AllowAnonymous = true })
	l := f.begin()
	if _, err := f.validate(request(l, sign(f.claims(l, map[string]any{"sub": ""})))); lti.ReasonOf(err) != lti.ReasonClaimInvalid {
		t.Errorf("an empty sub is never anonymous: %v", err)
	}
	outcome, err := f.validate(request(l, sign(f.claims(l, map[string]any{"sub": nil}))))
	if err != nil || outcome.Launch.User != nil {
		t.Errorf("outcome %+v, error %v", outcome, err)
	}
}

func TestForm(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	good := sign(f.claims(l, nil))
	for _, test := range []struct {
		name   string
		change func(*launch.Request)
		want   lti.Reason
	}{
		{"GET", func(r *launch.Request) { r.Browser.Method = "GET" }, lti.ReasonMethodNotAllowed},
		{"no state", func(r *launch.Request) { r.Browser.Parameters = parameters("id_token", good) }, lti.ReasonParameterMissing},
		{"no id_token", func(r *launch.Request) { r.Browser.Parameters = parameters("state", l.state) }, lti.ReasonParameterMissing},
		{"state twice", func(r *launch.Request) {
			r.Browser.Parameters = append(r.Browser.Parameters, parameters("state", l.state)...)
		}, lti.ReasonParameterRepeated},
		{"id_token twice", func(r *launch.Request) {
			r.Browser.Parameters = append(r.Browser.Parameters, parameters("id_token", good)...)
		}, lti.ReasonParameterRepeated},
		{"id_token large", func(r *launch.Request) {
			r.Browser.Parameters = parameters("state", l.state, "id_token", strings.Repeat("a", 64<<10+1))
		}, lti.ReasonTokenTooLarge},
		{"state large", func(r *launch.Request) {
			r.Browser.Parameters = parameters("state", strings.Repeat("a", 513), "id_token", good)
		}, lti.ReasonParameterTooLong},
		{"many parameters", func(r *launch.Request) {
			r.Browser.Parameters = append(r.Browser.Parameters, make([]launch.Parameter, 64)...)
		}, lti.ReasonParameterTooLong},
		{"large request", func(r *launch.Request) {
			r.Browser.Parameters = append(r.Browser.Parameters, parameters("x", strings.Repeat("a", 192<<10))...)
		}, lti.ReasonParameterTooLong},
		{"large cookies", func(r *launch.Request) { r.Browser.CookieHeader = strings.Repeat("a", 32<<10+1) }, lti.ReasonParameterTooLong},
		{"long header", func(r *launch.Request) { r.Browser.SecFetchDest = strings.Repeat("a", 2<<10+1) }, lti.ReasonParameterTooLong},
		{"error", func(r *launch.Request) {
			r.Browser.Parameters = parameters("state", l.state, "error", "launch_no_longer_valid", "error_description", "used")
		}, lti.ReasonPlatformDenied},
		{"error beside an id_token", func(r *launch.Request) {
			r.Browser.Parameters = append(r.Browser.Parameters, parameters("error", "x")...)
		}, lti.ReasonPlatformDenied},
		{"error without state", func(r *launch.Request) { r.Browser.Parameters = parameters("state", "", "error", "login_required") }, lti.ReasonPlatformDenied},
		{"error with a forged state", func(r *launch.Request) { r.Browser.Parameters = parameters("state", "x", "error", "login_required") }, lti.ReasonStateForged},
		{"unlisted launch URI", func(r *launch.Request) { r.LaunchURI = launchURI + "/" }, lti.ReasonLaunchURINotListed},
		{"launch URI of another login", func(r *launch.Request) { r.LaunchURI = "https://staging.tool.example/lti/launch" }, lti.ReasonStateMismatch},
		{"CSP nonce", func(r *launch.Request) { r.Browser.CSPNonce = `"><script>` }, lti.ReasonRequestInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := request(l, good)
			test.change(&sent)
			_, err := f.validate(sent)
			refusal := wantReason(t, err, test.want)
			if test.want == lti.ReasonPlatformDenied && refusal.Metadata["platform_error"] == "" {
				t.Errorf("metadata = %v", refusal.Metadata)
			}
		})
	}
	if _, err := f.Validate(t.Context(), "another tool", request(l, good)); lti.ReasonOf(err) != lti.ReasonStateMismatch {
		t.Errorf("another caller: %v", err)
	}
	if _, err := f.validate(request(l, good)); err != nil {
		t.Errorf("a refused launch used the login up: %v", err)
	}
}

// REQ-025 REQ-250
func TestState(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	good := sign(f.claims(l, nil))
	with := func(state string) error {
		changed := *l
		changed.state = state
		_, err := f.validate(request(&changed, good))
		return err
	}
	if len(l.state) > 300 || strings.Trim(l.state, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("state = %q", l.state)
	}
	for i := 11; i < len(l.state); i += 5 { // the first 8 bytes are the generation
		altered := []byte(l.state)
		altered[i] ^= 1
		if reason := lti.ReasonOf(with(string(altered))); reason != lti.ReasonStateForged {
			t.Fatalf("byte %d altered: %s", i, reason)
		}
	}
	for name, state := range map[string]string{"short": "AAAA", "blank": " " + l.state, "break": l.state + "\n", "padded": l.state + "=", "truncated": l.state[:len(l.state)-4]} {
		wantReasonNamed(t, name, with(state), lti.ReasonStateForged)
	}
	wantReasonNamed(t, "other instance", with("B"+l.state[1:]), lti.ReasonStateOtherInstance)
	wantReasonNamed(t, "former seal", with(l.state[:8]+"AA"+l.state[10:]), lti.ReasonStateStale)

	f.clock.set(start.Add(10*time.Minute - time.Millisecond))
	if err := with(l.state); lti.ReasonOf(err) != lti.ReasonTokenExpired {
		t.Errorf("within the lifetime: %v", err)
	}
	f.clock.set(start.Add(10 * time.Minute))
	wantReasonNamed(t, "expired", with(l.state), lti.ReasonStateExpired)
}

func wantReasonNamed(t *testing.T, name string, err error, want lti.Reason) {
	t.Helper()
	if got := lti.ReasonOf(err); got != want {
		t.Errorf("%s: reason %q, want %q (%v)", name, got, want, err)
	}
}

// REQ-036 REQ-085
func TestSignature(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	claims := must(json.Marshal(f.claims(l, nil)))
	_, err := f.validate(request(l, must(foreignKey.Sign(claims))))
	wantReason(t, err, lti.ReasonKIDUnknown)

	// The platform's kid over another key: a set in which the kid is the platform's, the key foreign.
	foreign := strings.Replace(string(must(jose.PublicKeySet(foreignKey))), foreignKey.KeyID(), platformKey.KeyID(), 1)
	right := f.keys.set
	f.keys.set = must(jose.ParseKeySet([]byte(foreign)))
	_, err = f.validate(request(l, sign(f.claims(l, nil))))
	wantReason(t, err, lti.ReasonSignatureInvalid)

	// A replaced key that does not fit either changes nothing.
	f.keys.replaced = must(f.keys.set.Find(platformKey.KeyID(), jose.RS256))
	_, err = f.validate(request(l, sign(f.claims(l, nil))))
	wantReason(t, err, lti.ReasonSignatureInvalid)

	// New material under the same kid: the keystore finds it when it is asked again.
	f.keys.replaced = must(right.Find(platformKey.KeyID(), jose.RS256))
	if _, err := f.validate(request(l, sign(f.claims(l, nil)))); err != nil {
		t.Errorf("with the replaced key: %v", err)
	}
}

// TestPayloadIsReadForSignaturesThatCanFit holds the order of decision 0005: whoever has no signature of the right length
// by a kid of the registration cannot have a payload read.
func TestPayloadIsReadForSignaturesThatCanFit(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	good := strings.Split(sign(f.claims(l, map[string]any{"iss": "https://evil.example"})), ".")
	unknown := strings.Split(must(foreignKey.Sign([]byte("{}"))), ".")
	for name, test := range map[string]struct {
		token string
		want  lti.Reason
	}{
		"an unknown kid":                 {unknown[0] + "." + good[1] + "." + good[2], lti.ReasonKIDUnknown},
		"an unknown kid, no payload":     {unknown[0] + ".AAAA." + good[2], lti.ReasonKIDUnknown},
		"a short signature":              {good[0] + "." + good[1] + ".AAAA", lti.ReasonSignatureInvalid},
		"a short signature, no payload":  {good[0] + ".AAAA.AAAA", lti.ReasonSignatureInvalid},
		"a fitting signature":            {good[0] + "." + good[1] + "." + good[2], lti.ReasonIssuerMismatch},
		"a fitting one, another payload": {good[0] + "." + good[1] + "." + unknown[2], lti.ReasonIssuerMismatch},
		"a fitting one, no payload":      {good[0] + ".AAAA." + good[2], lti.ReasonTokenMalformed},
	} {
		_, err := f.validate(request(l, test.token))
		wantReasonNamed(t, name, err, test.want)
	}
}

// REQ-062 REQ-092
func TestDeployments(t *testing.T) {
	for policy, want := range map[platform.UnknownDeployments]lti.Reason{
		"": lti.ReasonDeploymentUnknown, platform.PendDeployments: lti.ReasonDeploymentPending, platform.AcceptDeployments: "",
	} {
		f := newFixture(t, func(r *platform.Registration) { r.UnknownDeployments = policy })
		l := f.beginWith(launch.AuthRequest{Browser: launch.BrowserRequest{Method: "GET", Parameters: parameters("iss", issuer, "login_hint", "u", "target_link_uri", target)}})
		forged := must(foreignKey.Sign(must(json.Marshal(f.claims(l, map[string]any{lti.ClaimDeploymentID: "forged"})))))
		if _, err := f.validate(request(l, forged)); lti.ReasonOf(err) != lti.ReasonKIDUnknown {
			t.Fatal(err)
		}
		_, err := f.validate(request(l, sign(f.claims(l, map[string]any{lti.ClaimDeploymentID: "d2"}))))
		wantReasonNamed(t, string(policy), err, want)
		noted := must(f.records.List(t.Context(), "pending", "", 10))
		if wantNoted := policy == platform.PendDeployments; (len(noted) == 1) != wantNoted {
			t.Errorf("policy %q: %d deployments noted; a forged token must note none", policy, len(noted))
		}
	}
}

func TestStoreClosedRefusesAndKeepsNothing(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	if err := f.nonces.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := f.validate(request(l, sign(f.claims(l, nil))))
	wantReason(t, err, lti.ReasonStoreUnavailable)
	_, err = f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", Parameters: initiation()}})
	wantReason(t, err, lti.ReasonStoreUnavailable)
}

// sharedStore is a store that another sidecar shares: Seal is one poll behind, and what fails is given by the test.
type sharedStore struct {
	noncestore.Store
	known   noncestore.Seal
	failure error
}

func (s *sharedStore) Seal(context.Context) (noncestore.Seal, error) { return s.known, s.failure }

func (s *sharedStore) Refresh(ctx context.Context) (noncestore.Seal, error) { return s.Store.Seal(ctx) }

// A login that another sidecar began, under a seal that it has just made, is accepted here at once.
func TestSealOfAnotherSidecar(t *testing.T) {
	f := newFixture(t)
	var l *login
	for _, generation := range []noncestore.Generation{{1, 2, 3, 4, 9}, {9}} { // replaced, and of another instance
		config := f.config
		config.Nonces = &sharedStore{Store: f.nonces, known: noncestore.Seal{Generation: generation, Key: [32]byte{1}}}
		other := must(launch.New(config))
		l = f.begin()
		if _, err := other.Validate(t.Context(), "local", request(l, sign(f.claims(l, nil)))); err != nil {
			t.Fatalf("with generation %x: %v", generation, err)
		}
	}
	// What no sidecar knows stays refused.
	stranger := newFixture(t)
	config := f.config
	config.Nonces = &sharedStore{Store: f.nonces, known: must(f.nonces.Seal(t.Context()))}
	l = stranger.begin() // of the same instance, under another seal
	_, err := must(launch.New(config)).Validate(t.Context(), "local", request(l, sign(f.claims(l, nil))))
	wantReason(t, err, lti.ReasonStateStale)
}

// The store's own words become reasons that name what to do.
func TestStoreFailuresHaveReasons(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		failure error
		want    lti.Reason
	}{
		{fmt.Errorf("the database: %w", noncestore.ErrUnavailable), lti.ReasonStoreUnavailable},
		{fmt.Errorf("the database: %w", noncestore.ErrFull), lti.ReasonStoreFull},
		{fmt.Errorf("the database: %w", &noncestore.ClockSkewError{Ahead: -90 * time.Second}), lti.ReasonStoreClockSkew},
	} {
		config := f.config
		config.Nonces = &sharedStore{Store: f.nonces, failure: c.failure}
		_, err := must(launch.New(config)).BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", Parameters: initiation()}})
		refusal := wantReason(t, err, c.want)
		if skew := refusal.Metadata["clock_skew"]; (skew == "-90") != (c.want == lti.ReasonStoreClockSkew) {
			t.Errorf("%s: clock_skew %q", c.want, skew)
		}
	}
}

// REQ-074
func TestNewHoldsLimits(t *testing.T) {
	f := newFixture(t)
	good := f.config
	for name, change := range map[string]func(*launch.Config){
		"leeway over 5 minutes": func(c *launch.Config) { c.Leeway = 5*time.Minute + 1 },
		"negative leeway":       func(c *launch.Config) { c.Leeway = -1 },
		"tiny tokens":           func(c *launch.Config) { c.MaxTokenSize = 1023 },
		"huge tokens":           func(c *launch.Config) { c.MaxTokenSize = 128<<10 + 1 },
		"no keys":               func(c *launch.Config) { c.Keys = nil },
		"no nonces":             func(c *launch.Config) { c.Nonces = nil },
		"no registry":           func(c *launch.Config) { c.Registry = nil },
		"no deployments":        func(c *launch.Config) { c.Deployments = nil },
		"no sealer":             func(c *launch.Config) { c.Sealer = nil },
	} {
		config := good
		change(&config)
		if _, err := launch.New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good.Leeway, good.MaxTokenSize = 5*time.Minute, 128<<10
	if _, err := launch.New(good); err != nil {
		t.Error(err)
	}
}
