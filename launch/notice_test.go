// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// noticeClaims returns the claims of a good notice with a patch; nil removes.
func noticeClaims(id string, patch object) object {
	claims := object{
		"iss": issuer, "aud": clientID, "iat": start.Unix(), "exp": start.Unix() + 300, "nonce": "platform-made-" + id,
		lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1",
		lti.ClaimNotice: object{"id": id, "timestamp": "2031-05-06T07:00:00.5Z", "type": "LtiHelloWorldNotice"},
	}
	maps.Copy(claims, patch)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func noticeBody(jwts ...string) []byte {
	list := []any{}
	for _, jwt := range jwts {
		list = append(list, object{"jwt": jwt, "other": 1})
	}
	return must(json.Marshal(object{"notices": list, "more": true}))
}

func (f *fixture) notices(jwts ...string) []launch.NoticeResult {
	f.t.Helper()
	results, err := f.ValidateNotices(f.t.Context(), noticeBody(jwts...))
	if err != nil {
		f.t.Fatal(err)
	}
	if len(results) != len(jwts) {
		f.t.Fatalf("%d results for %d notices", len(results), len(jwts))
	}
	for _, result := range results {
		if (result.Notice == nil) == (result.Refusal == nil) {
			f.t.Fatalf("result = %+v", result)
		}
	}
	return results
}

// REQ-229
func TestNotice(t *testing.T) {
	f := newFixture(t)
	jwt := sign(noticeClaims("n1", object{
		lti.ClaimNotice:  object{"id": "n1", "timestamp": "2031-05-06T09:00:00+02:00", "type": "LtiContextCopyNotice"},
		lti.ClaimContext: object{"id": "course-2", "title": "Copy"}, lti.ClaimOriginContexts: []any{"course-0", "course-1"},
		lti.ClaimActivity: object{"id": "activity-1"}, lti.ClaimSubmission: object{"id": "submission-1"}, lti.ClaimForUser: object{"user_id": "user-2"},
		lti.ClaimAssetService: object{"scope": []any{"s"}, "assets": []any{object{"asset_id": "a1"}}}, lti.ClaimAssetReport: object{"report_url": "https://lms.example/r"},
		lti.ClaimCustom: object{"a": "1"},
	}))
	want := &launch.Notice{
		ID: "n1", Type: "LtiContextCopyNotice", Time: start.Add(-8*time.Minute - 9*time.Second), Registration: "lms", Issuer: issuer, ClientID: clientID, DeploymentID: "d1",
		Context:        &launch.Context{Key: lti.Key("context", issuer, "d1", "course-2"), ID: "course-2", Title: "Copy"},
		OriginContexts: []string{"course-0", "course-1"}, Custom: map[string]string{"a": "1"},
		ForUser:  &launch.ForUser{Key: lti.UserKey("", issuer, "user-2"), ID: "user-2"},
		Activity: &launch.Activity{ID: "activity-1"}, Submission: &launch.Submission{ID: "submission-1"},
		AssetService: &launch.AssetService{Scopes: []string{"s"}, Assets: []launch.Asset{{ID: "a1"}}}, Reports: &launch.AssetReportService{URI: "https://lms.example/r"},
	}
	got := f.notices(jwt)[0].Notice
	if got == nil || !json.Valid([]byte(got.ClaimsJSON)) {
		t.Fatalf("notice = %+v", got)
	}
	got.ClaimsJSON = ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("notice = %+v\nwant %+v", got, want)
	}
	if again := f.notices(jwt)[0].Notice; again == nil || !again.Duplicate {
		t.Errorf("a repeat is acknowledged as a duplicate, not %+v", again)
	}
}

// REQ-229
func TestNoticesStandAlone(t *testing.T) {
	f := newFixture(t)
	good := func(id string) string { return sign(noticeClaims(id, nil)) }
	results := f.notices(good("n1"), "rubbish", good("n2"), must(foreignKey.Sign(must(json.Marshal(noticeClaims("n3", nil))))), good("n1"), good("n3"))
	var got []string
	for _, result := range results {
		switch {
		case result.Refusal != nil:
			got = append(got, string(result.Refusal.Reason))
		case result.Notice.Duplicate:
			got = append(got, "duplicate "+result.Notice.ID)
		default:
			got = append(got, result.Notice.ID)
		}
	}
	if want := "n1 TOKEN_MALFORMED n2 KID_UNKNOWN duplicate n1 n3"; strings.Join(got, " ") != want {
		t.Errorf("results %q, want %q", got, want)
	}
}

// TestNoticeRefusals changes one thing of a good notice at a time, and in the end sends the good one, which must be new.
//
// REQ-229
func TestNoticeRefusals(t *testing.T) {
	now := start.Unix()
	f := newFixture(t)
	notice := func(change object) object {
		all := object{"id": "n1", "timestamp": "2031-05-06T07:00:00Z", "type": "LtiHelloWorldNotice"}
		maps.Copy(all, change)
		maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
		return object{lti.ClaimNotice: all}
	}
	for _, test := range []struct {
		name  string
		patch object
		want  lti.Reason
		claim string
	}{
		{"iss absent", object{"iss": nil}, lti.ReasonClaimMissing, "iss"},
		{"iss unknown", object{"iss": issuer + "/"}, lti.ReasonIssuerUnknown, ""},
		{"aud absent", object{"aud": nil}, lti.ReasonClaimMissing, "aud"},
		{"aud empty", object{"aud": ""}, lti.ReasonClaimInvalid, "aud"},
		{"aud of another", object{"aud": "client-2"}, lti.ReasonClientIDUnknown, ""},
		{"aud with an untrusted one", object{"aud": []any{clientID, "x"}, "azp": clientID}, lti.ReasonAudienceMismatch, ""},
		{"aud with an empty one", object{"aud": []any{"", clientID}}, lti.ReasonAudienceMismatch, ""},
		{"azp of another", object{"azp": "client-2"}, lti.ReasonAuthorizedPartyMismatch, ""},
		{"exp absent", object{"exp": nil}, lti.ReasonClaimMissing, "exp"},
		{"expired", object{"exp": now - 60, "iat": now - 120}, lti.ReasonTokenExpired, ""},
		{"iat ahead", object{"iat": now + 61}, lti.ReasonTokenNotYetValid, ""},
		{"nbf ahead", object{"nbf": now + 61}, lti.ReasonTokenNotYetValid, ""},
		{"version absent", object{lti.ClaimVersion: nil}, lti.ReasonClaimMissing, lti.ClaimVersion},
		{"version 1.3", object{lti.ClaimVersion: "1.3"}, lti.ReasonVersionUnsupported, ""},
		{"deployment absent", object{lti.ClaimDeploymentID: nil}, lti.ReasonClaimMissing, lti.ClaimDeploymentID},
		{"deployment unknown", object{lti.ClaimDeploymentID: "d2"}, lti.ReasonDeploymentUnknown, ""},
		{"a launch", object{lti.ClaimMessageType: "LtiResourceLinkRequest"}, lti.ReasonClaimInvalid, lti.ClaimMessageType},
		{"message type null", object{lti.ClaimMessageType: json.RawMessage("null")}, lti.ReasonClaimInvalid, lti.ClaimMessageType},
		{"notice absent", object{lti.ClaimNotice: nil}, lti.ReasonClaimMissing, lti.ClaimNotice},
		{"notice a text", object{lti.ClaimNotice: "n1"}, lti.ReasonClaimInvalid, lti.ClaimNotice},
		{"id absent", notice(object{"id": nil}), lti.ReasonClaimMissing, lti.ClaimNotice + ".id"},
		{"id empty", notice(object{"id": ""}), lti.ReasonClaimInvalid, lti.ClaimNotice + ".id"},
		{"id long", notice(object{"id": strings.Repeat("x", 256)}), lti.ReasonClaimInvalid, lti.ClaimNotice + ".id"},
		{"type absent", notice(object{"type": nil}), lti.ReasonClaimMissing, lti.ClaimNotice + ".type"},
		{"type a number", notice(object{"type": 7}), lti.ReasonClaimInvalid, lti.ClaimNotice + ".type"},
		{"timestamp absent", notice(object{"timestamp": nil}), lti.ReasonClaimMissing, lti.ClaimNotice + ".timestamp"},
		{"timestamp a number", notice(object{"timestamp": now}), lti.ReasonClaimInvalid, lti.ClaimNotice + ".timestamp"},
		{"timestamp of words", notice(object{"timestamp": "yesterday"}), lti.ReasonClaimInvalid, lti.ClaimNotice + ".timestamp"},
		{"sub empty", object{"sub": ""}, lti.ReasonClaimInvalid, "sub"},
		{"context without id", object{lti.ClaimContext: object{}}, lti.ReasonClaimMissing, lti.ClaimContext + ".id"},
	} {
		refusal := f.notices(sign(noticeClaims("n1", test.patch)))[0].Refusal
		if refusal == nil || refusal.Reason != test.want || test.claim != "" && refusal.Metadata["claim"] != test.claim {
			t.Errorf("%s: %v, %+v; want %s %s", test.name, refusal, refusal, test.want, test.claim)
		}
	}
	if good := f.notices(sign(noticeClaims("n1", nil)))[0].Notice; good == nil || good.Duplicate {
		t.Errorf("a refused notice was remembered: %+v", good)
	}
}

func TestNoticeIsVerifiedAsItsRegistrationSays(t *testing.T) {
	f := newFixture(t, func(r *platform.Registration) { r.Algorithms = []string{jose.ES256} })
	refusal := f.notices(sign(noticeClaims("n1", nil)))[0].Refusal
	if refusal == nil || refusal.Reason != lti.ReasonAlgorithmNotAllowed || refusal.Metadata["registration"] != "lms" || f.keys.calls.Load() != 0 {
		t.Errorf("refusal %v after %d look-ups", refusal, f.keys.calls.Load())
	}
	f = newFixture(t)
	forged := sign(noticeClaims("n1", nil))
	f.keys.set = must(jose.ParseKeySet([]byte(strings.Replace(string(must(jose.PublicKeySet(foreignKey))), foreignKey.KeyID(), platformKey.KeyID(), 1))))
	if refusal := f.notices(forged)[0].Refusal; refusal == nil || refusal.Reason != lti.ReasonSignatureInvalid {
		t.Errorf("refusal %v", refusal)
	}
	if refusal := f.notices(strings.Repeat("a", 64<<10+1))[0].Refusal; refusal == nil || refusal.Reason != lti.ReasonTokenTooLarge {
		t.Errorf("refusal %v", refusal)
	}
}

// REQ-230
func TestNoticesAndLaunchesAreApart(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	launchToken := sign(f.claims(l, nil))
	if refusal := f.notices(launchToken)[0].Refusal; refusal == nil || refusal.Metadata["claim"] != lti.ClaimMessageType {
		t.Errorf("a launch as a notice: %v", refusal)
	}
	for _, patch := range []object{{}, {lti.ClaimMessageType: "LtiResourceLinkRequest"}} {
		claims := noticeClaims("n1", object{"nonce": l.nonce, "sub": "user-1"})
		maps.Copy(claims, patch)
		_, err := f.validate(request(l, sign(claims)))
		if refusal := wantReason(t, err, lti.ReasonClaimInvalid); refusal.Metadata["claim"] != lti.ClaimNotice {
			t.Errorf("a notice as a launch: %v", refusal)
		}
	}
	if _, err := f.validate(request(l, launchToken)); err != nil {
		t.Errorf("the launch after all that: %v", err)
	}
}

func TestNoticeTolerance(t *testing.T) {
	f := newFixture(t)
	for name, patch := range map[string]object{
		"unknown type":     {lti.ClaimNotice: object{"id": "a", "timestamp": "2031-05-06T07:00:00Z", "type": "VendorNotice"}},
		"no nonce":         {"nonce": nil, lti.ClaimNotice: object{"id": "b", "timestamp": "2031-05-06T07:00:00", "type": "T"}},
		"aud a list":       {"aud": []any{clientID}, lti.ClaimNotice: object{"id": "c", "timestamp": "2031-05-06T07:00:00+0000", "type": "T"}},
		"a user":           {"sub": "user-1", lti.ClaimNotice: object{"id": "d", "timestamp": "2031-05-06T07:00:00Z", "type": "T"}},
		"odd descriptions": {lti.ClaimCustom: 7, lti.ClaimForUser: "x", lti.ClaimActivity: object{}, lti.ClaimAssetService: []any{}, lti.ClaimNotice: object{"id": "e", "timestamp": "2031-05-06T07:00:00Z", "type": "T"}},
	} {
		result := f.notices(sign(noticeClaims("", patch)))[0]
		if result.Notice == nil || result.Notice.Duplicate {
			t.Errorf("%s: %v", name, result.Refusal)
		}
	}
}

func TestNoticeBodies(t *testing.T) {
	f := newFixture(t)
	many := func(n int) string {
		return `{"notices":[` + strings.TrimSuffix(strings.Repeat(`{"jwt":"x"},`, n), ",") + `]}`
	}
	for body, want := range map[string]lti.Reason{
		"":                             lti.ReasonTokenMalformed,
		"x":                            lti.ReasonTokenMalformed,
		"[]":                           lti.ReasonTokenMalformed,
		"null":                         lti.ReasonTokenMalformed,
		"{}":                           lti.ReasonTokenMalformed,
		`{"Notices":[]}`:               lti.ReasonTokenMalformed,
		`{"notices":{}}`:               lti.ReasonTokenMalformed,
		`{"notices":[],"notices":[]}`:  lti.ReasonTokenMalformed,
		`{"notices":[]} {}`:            lti.ReasonTokenMalformed,
		"{\"notices\":[\"\xff\"]}":     lti.ReasonTokenMalformed,
		many(101):                      lti.ReasonParameterTooLong,
		strings.Repeat(" ", 256<<10+1): lti.ReasonParameterTooLong,
	} {
		results, err := f.ValidateNotices(t.Context(), []byte(body))
		wantReasonNamed(t, fmt.Sprintf("%.40q", body), err, want)
		if results != nil {
			t.Errorf("%.40q gives results", body)
		}
	}
	results, err := f.ValidateNotices(t.Context(), []byte(many(100)))
	if err != nil || len(results) != 100 {
		t.Errorf("100 notices: %d results, %v", len(results), err)
	}
	results, err = f.ValidateNotices(t.Context(), []byte(`{"notices":[7,null,{},{"jwt":7},{"JWT":"x"}]}`))
	if err != nil || len(results) != 5 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, result := range results {
		if result.Refusal == nil || result.Refusal.Reason != lti.ReasonTokenMalformed {
			t.Errorf("result = %+v", result)
		}
	}
	if results, err := f.ValidateNotices(t.Context(), []byte(`{"notices":[]}`)); err != nil || len(results) != 0 {
		t.Errorf("no notices: %v, %v", results, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.ValidateNotices(ended, noticeBody(sign(noticeClaims("n1", nil))))
	wantReason(t, err, lti.ReasonCanceled)
}
