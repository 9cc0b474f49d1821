// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// acceptAll lets a request accept every message type.
func acceptAll(_ *login, r *pb.ValidateLaunchRequest) {
	r.AcceptMessageTypes = nil
	for value := range pb.MessageType_name {
		if value != int32(pb.MessageType_MESSAGE_TYPE_UNSPECIFIED) {
			r.AcceptMessageTypes = append(r.AcceptMessageTypes, pb.MessageType(value))
		}
	}
}

// deepLinkVectors: C20, as far as a launch decides it: where content is sent back to, and what is accepted there, is
// checked before it is sealed.
func deepLinkVectors() []vector {
	var vectors []vector
	add := func(name string, want lti.Reason, claim, settings string) {
		if claim != "" {
			claim = lti.ClaimDeepLinkingSettings + claim
		}
		vectors = append(vectors, vector{name: "deep linking: " + name, on: "messages", want: want, claim: claim, request: acceptAll, claims: map[string]any{
			lti.ClaimMessageType: "LtiDeepLinkingRequest", lti.ClaimResourceLink: absent{}, lti.ClaimDeepLinkingSettings: raw(settings),
		}})
	}
	const kinds = `"accept_types":["link","ltiResourceLink"],"accept_presentation_document_targets":["iframe"]`
	for _, uri := range []string{
		"http://a.example/return", "https://user@a.example/return", "https://user:password@a.example/return", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"//evil.example/return", "/return", "return", "", " ", "https:", "https://", "https:/a.example/return", "https:a.example", `https:\\a.example\return`, `https://a.example\@evil.example/`, "https://a.example /",
		"https://a.example\t/", "https://a.example\r\nX: y", "https://a.example\x00/", " https://a.example/return", "https://а.example/", "https://a.example:0/", "https://a.example:99999/", "https://127.1/", "https://0x7f.1/",
		"https://[::1/", "ftp://a.example/", "about:blank", "blob:https://a.example/x", "ws://a.example/", "https://.a.example/", "https://a..example/",
	} {
		add(fmt.Sprintf("deep_link_return_url %q", uri), lti.ReasonClaimInvalid, ".deep_link_return_url", `{"deep_link_return_url":`+quoted(uri)+`,`+kinds+`}`)
	}
	for _, value := range []string{`7`, `true`, `[]`, `["https://a.example/return"]`, `{}`} {
		add("deep_link_return_url "+value, lti.ReasonClaimInvalid, ".deep_link_return_url", `{"deep_link_return_url":`+value+`,`+kinds+`}`)
	}
	add("no deep_link_return_url", lti.ReasonClaimMissing, ".deep_link_return_url", `{`+kinds+`}`)
	add("deep_link_return_url null", lti.ReasonClaimMissing, ".deep_link_return_url", `{"deep_link_return_url":null,`+kinds+`}`)
	const there = `"deep_link_return_url":"https://a.example/return"`
	for _, member := range []string{"accept_types", "accept_presentation_document_targets"} {
		others := map[string]string{"accept_types": `"accept_presentation_document_targets":["iframe"]`, "accept_presentation_document_targets": `"accept_types":["link"]`}[member]
		for _, value := range []string{`"link"`, `7`, `{}`, `[]`, `[7]`, `[null]`, `true`} {
			add(member+" "+value, lti.ReasonClaimInvalid, "."+member, `{`+there+`,`+others+`,"`+member+`":`+value+`}`)
		}
		add("no "+member, lti.ReasonClaimMissing, "."+member, `{`+there+`,`+others+`}`)
		add(member+" null", lti.ReasonClaimMissing, "."+member, `{`+there+`,`+others+`,"`+member+`":null}`)
	}
	for _, value := range []string{`7`, `"x"`, `[]`, `true`} {
		add("settings "+value, lti.ReasonClaimInvalid, "", value)
	}
	add("settings null", lti.ReasonClaimMissing, "", `null`)
	add("odd: content goes to another host of the platform", "", "", `{"deep_link_return_url":"https://content.elsewhere.example:8443/return?x=1",`+kinds+`}`)
	add("odd: data of any kind", "", "", `{`+there+`,`+kinds+`,"data":"<script>&\u0000'\"","accept_media_types":7,"auto_create":"yes"}`)
	vectors = append(vectors,
		vector{name: "deep linking where the caller expects a resource link", on: "messages", want: lti.ReasonMessageTypeNotAccepted, claims: map[string]any{
			lti.ClaimMessageType: "LtiDeepLinkingRequest", lti.ClaimDeepLinkingSettings: raw(`{` + there + `,` + kinds + `}`)}},
		vector{name: "deep linking where the platform may not", want: lti.ReasonMessageTypeNotAccepted, request: acceptAll, claims: map[string]any{
			lti.ClaimMessageType: "LtiDeepLinkingRequest", lti.ClaimDeepLinkingSettings: raw(`{` + there + `,` + kinds + `}`)}},
		vector{name: "a resource link where the caller expects deep linking", on: "messages", want: lti.ReasonMessageTypeNotAccepted, request: func(_ *login, r *pb.ValidateLaunchRequest) {
			r.AcceptMessageTypes = []pb.MessageType{pb.MessageType_MESSAGE_TYPE_DEEP_LINKING}
		}})
	return vectors
}

// ownTokens are texts that the sidecar itself made: sealed ones, and JWTs under the tool's key.
type ownTokens struct {
	state, launchToken, proctoringToken, startAssessment, assertion, deepLinkingResponse, idToken string
}

// makeOwnTokens goes through a proctored launch for them.
func (s *stack) makeOwnTokens(t *testing.T) *ownTokens {
	t.Helper()
	l := must(s.begin(s.parties["messages"]))
	request := s.attack(&vector{claims: map[string]any{
		lti.ClaimMessageType: "LtiStartProctoring", lti.ClaimStartAssessmentURL: "https://messages.example/start", lti.ClaimSessionData: "session", lti.ClaimAttemptNumber: 1,
	}, request: acceptAll}, l)
	launch := must(s.launch(request))
	started := must(s.launches.BuildStartAssessment(t.Context(), &pb.BuildStartAssessmentRequest{ProctoringToken: launch.Proctoring.ProctoringToken}))
	now := s.clock.now().Unix()
	signed := func(claims map[string]any) string { return must(s.toolKeys.Sign(must(json.Marshal(claims)))) }
	return &ownTokens{
		state: must(s.begin(s.parties["a"])).state, launchToken: launch.LaunchToken, proctoringToken: launch.Proctoring.ProctoringToken, startAssessment: started.Jwt, idToken: idToken(request),
		assertion:           signed(map[string]any{"iss": "client-1", "sub": "client-1", "aud": "https://a.example/token", "jti": "x", "iat": now, "exp": now + 60}),
		deepLinkingResponse: signed(map[string]any{"iss": "client-1", "aud": "https://a.example", "nonce": "x", "iat": now, "exp": now + 60, lti.ClaimMessageType: "LtiDeepLinkingResponse", lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1"}),
	}
}

// ownTokenVectors: C21: what the sidecar made itself, sent back as something else.
func (s *stack) ownTokenVectors(own *ownTokens) []vector {
	var vectors []vector
	asToken := func(name, text string, want lti.Reason) {
		vectors = append(vectors, vector{name: name + " as id_token", want: want, token: func(string) string { return text }})
	}
	asToken("a state", own.state, lti.ReasonTokenMalformed)
	asToken("a launch token", own.launchToken, lti.ReasonTokenMalformed)
	asToken("a proctoring token", own.proctoringToken, lti.ReasonTokenMalformed)
	asToken("LtiStartAssessment", own.startAssessment, lti.ReasonKIDUnknown)
	asToken("the assertion to the token endpoint", own.assertion, lti.ReasonKIDUnknown)
	asToken("the response to deep linking", own.deepLinkingResponse, lti.ReasonKIDUnknown)
	// The tool's own key under the platform's kid, over claims that are good.
	vectors = append(vectors, vector{name: "a good launch, signed by the tool", want: lti.ReasonSignatureInvalid, token: func(token string) string {
		signed := must(s.toolKeys.Sign([]byte(`{}`)))
		return token[:strings.LastIndexByte(token, '.')+1] + signed[strings.LastIndexByte(signed, '.')+1:]
	}})
	asState := func(name, text string, want lti.Reason) {
		vectors = append(vectors, vector{name: name + " as state", want: want, request: func(_ *login, r *pb.ValidateLaunchRequest) { setParameter(r.Browser, "state", text) }})
	}
	asState("a launch token", own.launchToken, lti.ReasonParameterTooLong)
	asState("the beginning of a launch token", own.launchToken[:200], lti.ReasonStateOtherInstance) // where a state has its seal's id
	asState("the beginning of a proctoring token", own.proctoringToken[:200], lti.ReasonStateOtherInstance)
	asState("the beginning of LtiStartAssessment", own.startAssessment[:200], lti.ReasonStateForged)
	vectors = append(vectors,
		vector{name: "the state of another login, whose cookies are missing", want: lti.ReasonBindingMissing, request: func(_ *login, r *pb.ValidateLaunchRequest) { setParameter(r.Browser, "state", own.state) }},
		vector{name: "the id_token of another launch", want: lti.ReasonIssuerMismatch, token: func(string) string { return own.idToken }},
		vector{name: "an id_token for another tool of the platform", claims: only("aud", "client-9"), want: lti.ReasonAudienceMismatch},
		vector{name: "a logout token of the platform", header: `{"typ":"logout+jwt","alg":"RS256","kid":"k1"}`, want: lti.ReasonHeaderUnsupported, claims: map[string]any{
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, "nonce": absent{}}},
		vector{name: "a logout token of the platform, as a plain JWT", want: lti.ReasonClaimMissing, claim: "nonce", claims: map[string]any{
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, "nonce": absent{}}},
		vector{name: "an id_token of the platform without LTI", want: lti.ReasonClaimMissing, claims: map[string]any{
			lti.ClaimVersion: absent{}, lti.ClaimMessageType: absent{}, lti.ClaimDeploymentID: absent{}, lti.ClaimRoles: absent{}, lti.ClaimResourceLink: absent{}, lti.ClaimTargetLinkURI: absent{}}})
	return vectors
}

// TestMessages runs the M family.
func TestMessages(t *testing.T) {
	s := newStack(t, 1)
	own := s.makeOwnTokens(t)
	all := append(deepLinkVectors(), s.ownTokenVectors(own)...)
	for i := range all {
		all[i].family = "M"
	}
	s.runAll(t, all)

	// What opens sessions and signs messages takes its own tokens only.
	others := map[string]string{
		"a state": own.state, "an id_token": own.idToken, "LtiStartAssessment": own.startAssessment, "the assertion": own.assertion, "a launch token that was altered": alterLast(own.launchToken),
		"a proctoring token that was altered": alterLast(own.proctoringToken), "a launch token with a line break": own.launchToken[:40] + "\n" + own.launchToken[40:], "padded": own.launchToken + "==", "none": "none",
	}
	checks := map[string]func(text string) error{
		"launch token": func(text string) error {
			_, err := s.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: text})
			return err
		},
		"proctoring token": func(text string) error {
			_, err := s.launches.BuildStartAssessment(t.Context(), &pb.BuildStartAssessmentRequest{ProctoringToken: text})
			return err
		},
	}
	good := map[string]string{"launch token": own.launchToken, "proctoring token": own.proctoringToken}
	for kind, check := range checks {
		for name, text := range others {
			s.expectOf(t, name+" as "+kind, check(text), lti.ReasonLaunchTokenInvalid)
		}
		for other, text := range good {
			want := lti.ReasonLaunchTokenInvalid
			if other == kind {
				want = ""
			}
			s.expectOf(t, other+" as "+kind, check(text), want)
		}
	}
	if s.errors.Load() != 0 {
		t.Error("something was logged as a defect")
	}
}

// expectOf records whether a call came out as it must.
func (s *stack) expectOf(t *testing.T, name string, err error, want lti.Reason) {
	t.Helper()
	passed := infoOf(err).GetReason() == string(want) && (err == nil) == (want == "")
	if !passed {
		t.Errorf("M %s: %v, want %q", name, err, want)
	}
	record("M", want != "", passed)
}

// alterLast changes the last character but one, which has no spare bits.
func alterLast(text string) string {
	at := len(text) - 2
	if text[at] == 'A' {
		return text[:at] + "B" + text[at+1:]
	}
	return text[:at] + "A" + text[at+1:]
}

// TestMigrationClaim: C24: the claim of LTI 1.1 is withheld unless its signature fits the secret of its consumer key,
// and no launch is refused for it.
func TestMigrationClaim(t *testing.T) {
	s := newStack(t, 1)
	p := s.parties["messages"]
	now := s.clock.now().Unix()
	sign := func(secret string, parts ...string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(strings.Join(parts, "&")))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	parts := func(l *login) []string {
		return []string{"consumer-1", "d1", p.registration.Issuer, "client-1", strconv.FormatInt(now+300, 10), l.nonce}
	}
	with := func(change func([]string)) func(*login) string {
		return func(l *login) string {
			list := parts(l)
			change(list)
			return sign(lti11Secret, list...)
		}
	}
	at := func(index int, value string) func(*login) string {
		return with(func(list []string) { list[index] = value })
	}
	goodSign := with(func([]string) {})
	other := must(s.begin(p))
	for name, test := range map[string]struct {
		key  string
		sign func(*login) string
		want string // verified, unverified or withheld
	}{
		"good":                               {"consumer-1", goodSign, "verified"},
		"signed with nothing":                {"consumer-1", func(l *login) string { return sign("", parts(l)...) }, "withheld"},
		"signed with the other key's secret": {"consumer-1", func(l *login) string { return sign("another", parts(l)...) }, "withheld"},
		"signed with the key's name":         {"consumer-1", func(l *login) string { return sign("consumer-1", parts(l)...) }, "withheld"},
		"signed with a blank more":           {"consumer-1", func(l *login) string { return sign(lti11Secret+" ", parts(l)...) }, "withheld"},
		"of another consumer key of ours":    {"consumer-2", goodSign, "withheld"},
		"of a consumer key we do not know":   {"consumer-9", goodSign, "unverified"},
		"of another deployment":              {"consumer-1", at(1, "d2"), "withheld"},
		"of another issuer":                  {"consumer-1", at(2, "https://a.example"), "withheld"},
		"of another client":                  {"consumer-1", at(3, "client-2"), "withheld"},
		"of another expiry":                  {"consumer-1", at(4, strconv.FormatInt(now+301, 10)), "withheld"},
		"of another login's nonce":           {"consumer-1", at(5, other.nonce), "withheld"},
		"without a nonce":                    {"consumer-1", at(5, ""), "withheld"},
		"parts in another order":             {"consumer-1", with(func(list []string) { list[0], list[1] = list[1], list[0] }), "withheld"},
		"of another hash":                    {"consumer-1", func(*login) string { return strings.Repeat("A", 43) + "=" }, "withheld"},
		"cut off":                            {"consumer-1", func(l *login) string { return goodSign(l)[:20] }, "withheld"},
		"without padding":                    {"consumer-1", func(l *login) string { return strings.TrimRight(goodSign(l), "=") }, "withheld"},
		"with a line break":                  {"consumer-1", func(l *login) string { return goodSign(l) + "\n" }, "withheld"},
		"empty":                              {"consumer-1", func(*login) string { return "" }, "withheld"},
	} {
		l := must(s.begin(p))
		before := s.refusals()
		launch, err := s.launch(s.good(l, only(lti.ClaimLTI11, map[string]any{"oauth_consumer_key": test.key, "oauth_consumer_key_sign": test.sign(l), "user_id": "old-7"})))
		got := "withheld"
		switch migration := launch.GetMigration(); {
		case err != nil:
			got = err.Error()
		case migration.GetVerified():
			got = "verified"
		case migration != nil:
			got = "unverified"
		}
		for reason, count := range s.refusals() {
			if count != before[reason] {
				got += ", and counted as " + reason
			}
		}
		if got != test.want {
			t.Errorf("M migration claim %s: %s, want %s", name, got, test.want)
		}
		record("M", test.want != "verified", got == test.want)
	}
	// A launch that is replayed brings its claim no second time.
	l := must(s.begin(p))
	request := s.good(l, only(lti.ClaimLTI11, map[string]any{"oauth_consumer_key": "consumer-1", "oauth_consumer_key_sign": goodSign(l), "user_id": "old-7"}))
	if launch, err := s.launch(request); err != nil || !launch.Migration.Verified || launch.Migration.UserId != "old-7" {
		t.Errorf("%v, %v", launch, err)
	}
	_, err := s.launch(request)
	s.expectOf(t, "the migration claim of a used launch", err, lti.ReasonNonceReplayed)
	s.clock.add(time.Minute)
	if err := s.validate(s.good(other, nil)); err != nil {
		t.Errorf("the login whose nonce was borrowed: %v", err)
	}
}
