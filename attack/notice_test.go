// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// noticeClaims turns the claims of a launch into those of a notice with an id. patch changes them further.
func noticeClaims(id string, patch map[string]any) map[string]any {
	claims := map[string]any{
		lti.ClaimMessageType: absent{},
		lti.ClaimNotice:      map[string]any{"id": id, "timestamp": "2031-05-06T07:08:09Z", "type": "LtiHelloWorldNotice"},
	}
	maps.Copy(claims, patch)
	return claims
}

// postNotice posts one notice and returns it, or why it was refused.
func (s *stack) postNotice(token string) (*pb.NoticeResult, error) {
	body := must(json.Marshal(map[string]any{"notices": []any{map[string]any{"jwt": token}}}))
	answer, err := s.launches.ValidateNotices(s.t.Context(), &pb.ValidateNoticesRequest{Body: body})
	if err != nil {
		return nil, err
	}
	if len(answer.Results) != 1 {
		return nil, fmt.Errorf("%d results for one notice", len(answer.Results))
	}
	return answer.Results[0], nil
}

// idToken is the id_token of a launch request.
func idToken(request *pb.ValidateLaunchRequest) string { return request.Browser.Parameters[0].Value }

// runNotice posts the token of a vector as a notice, and says what went wrong. l is a login that waits for its launch:
// its nonce is in the token.
func (s *stack) runNotice(v *vector, id string, l *login) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	asNotice := *v
	asNotice.claims = noticeClaims(id, v.claims)
	before, errorsBefore, visits := s.refusals(), s.errors.Load(), s.tripwire.visits.Load()
	result, err := s.postNotice(idToken(s.attack(&asNotice, l)))
	refusal := result.GetRefusal()
	switch {
	case err != nil:
		wrong("the request failed: %v", err)
	case refusal.GetReason() != string(v.want) || (v.want == "") != (result.GetNotice() != nil):
		wrong("reason %q, want %q (%s)", refusal.GetReason(), v.want, refusal.GetMessage())
	case v.claim != "" && refusal.GetMetadata()["claim"] != v.claim:
		wrong("it names the claim %q, want %q", refusal.GetMetadata()["claim"], v.claim)
	}
	for reason, count := range s.refusals() {
		if grown := count - before[reason]; (reason == string(v.want)) != (grown == 1) || grown > 1 {
			wrong("the counter of %s grew by %v", reason, grown)
		}
	}
	if s.errors.Load() != errorsBefore {
		wrong("it was logged as a defect")
	}
	if s.tripwire.visits.Load() != visits {
		wrong("the sidecar connected to a host that only the attack named")
	}
	if v.spent {
		return problems
	}
	// A refused notice is not remembered: the good one is new.
	good, err := s.postNotice(idToken(s.good(l, noticeClaims(id, v.then))))
	if err != nil || good.GetNotice() == nil || good.GetNotice().Duplicate != (v.want == "") {
		wrong("afterwards, the good notice: %v, %v", good, err)
	}
	return problems
}

// noticeVectors: C22, and what of C01-C09 is decided another way than for a launch: the issuer and the audience of a
// notice find its registration.
func noticeVectors() []vector {
	var vectors []vector
	add := func(name string, want lti.Reason, claim string, patch map[string]any) {
		vectors = append(vectors, vector{name: name, want: want, claim: claim, claims: patch})
	}
	for _, issuer := range []string{
		"https://evil.example", "https://a.example/", "http://a.example", "https://A.example", "https://a.example:443", "https://a.example\x00", "https://а.example", "", "*", "client-1",
	} {
		add(fmt.Sprintf("iss %q", issuer), lti.ReasonIssuerUnknown, "", only("iss", issuer))
	}
	for _, issuer := range []raw{`null`, `1`, `["https://a.example"]`, `{}`} {
		add("iss "+string(issuer), lti.ReasonClaimInvalid, "iss", only("iss", issuer))
	}
	for _, audience := range []raw{`"client-9"`, `"CLIENT-1"`, `"client-1 "`, `"*"`, `["client-9"]`, `["client-9","client-1"]`} {
		add("aud "+string(audience), lti.ReasonClientIDUnknown, "", only("aud", audience))
	}
	for _, audience := range []raw{`null`, `1`, `[]`, `[1]`, `{}`} {
		add("aud "+string(audience), lti.ReasonClaimInvalid, "aud", only("aud", audience))
	}
	add("iss absent", lti.ReasonClaimMissing, "iss", only("iss", absent{}))
	add("aud absent", lti.ReasonClaimMissing, "aud", only("aud", absent{}))
	add("aud of ours and a stranger", lti.ReasonAudienceMismatch, "", only("aud", raw(`["client-1","client-9"]`)))
	add("aud of ours and a stranger, azp names us", lti.ReasonAudienceMismatch, "", map[string]any{"aud": raw(`["client-1","client-9"]`), "azp": "client-1"})
	add("azp of a stranger", lti.ReasonAuthorizedPartyMismatch, "", only("azp", "client-9"))
	for _, id := range []raw{`"d3"`, `"D1"`, `"d1 "`, `"*"`, `"d1,d2"`} {
		add("deployment_id "+string(id), lti.ReasonDeploymentUnknown, "", only(lti.ClaimDeploymentID, id))
	}
	for _, id := range []raw{`null`, `1`, `""`, `["d1"]`, `{}`} {
		add("deployment_id "+string(id), lti.ReasonClaimInvalid, lti.ClaimDeploymentID, only(lti.ClaimDeploymentID, id))
	}
	add("deployment_id absent", lti.ReasonClaimMissing, lti.ClaimDeploymentID, only(lti.ClaimDeploymentID, absent{}))
	for _, version := range []raw{`"1.3"`, `"1.1"`, `1.3`, `null`, `""`} {
		add("version "+string(version), lti.ReasonVersionUnsupported, "", only(lti.ClaimVersion, version))
	}
	add("version absent", lti.ReasonClaimMissing, lti.ClaimVersion, only(lti.ClaimVersion, absent{}))
	for _, message := range []raw{`"LtiResourceLinkRequest"`, `"LtiHelloWorldNotice"`, `""`, `null`, `1`} {
		add("a message type: "+string(message), lti.ReasonClaimInvalid, lti.ClaimMessageType, only(lti.ClaimMessageType, message))
	}
	add("a launch", lti.ReasonClaimInvalid, lti.ClaimMessageType, map[string]any{lti.ClaimMessageType: "LtiResourceLinkRequest", lti.ClaimNotice: absent{}})
	add("neither a launch nor a notice", lti.ReasonClaimMissing, lti.ClaimNotice, only(lti.ClaimNotice, absent{}))
	for _, value := range []raw{`null`} {
		add("notice "+string(value), lti.ReasonClaimMissing, lti.ClaimNotice, only(lti.ClaimNotice, value))
	}
	for _, value := range []raw{`"n1"`, `1`, `[]`, `true`} {
		add("notice "+string(value), lti.ReasonClaimInvalid, lti.ClaimNotice, only(lti.ClaimNotice, value))
	}
	for _, test := range []struct {
		value raw
		want  lti.Reason
		claim string
	}{
		{`{}`, lti.ReasonClaimMissing, ".id"}, {`{"id":"","timestamp":"2031-05-06T07:08:09Z","type":"T"}`, lti.ReasonClaimInvalid, ".id"},
		{`{"id":1,"timestamp":"2031-05-06T07:08:09Z","type":"T"}`, lti.ReasonClaimInvalid, ".id"}, {`{"ID":"n","timestamp":"2031-05-06T07:08:09Z","type":"T"}`, lti.ReasonClaimMissing, ".id"},
		{`{"id":"n","timestamp":"2031-05-06T07:08:09Z"}`, lti.ReasonClaimMissing, ".type"}, {`{"id":"n","timestamp":"2031-05-06T07:08:09Z","type":[]}`, lti.ReasonClaimInvalid, ".type"},
		{`{"id":"n","type":"T"}`, lti.ReasonClaimMissing, ".timestamp"}, {`{"id":"n","timestamp":"soon","type":"T"}`, lti.ReasonClaimInvalid, ".timestamp"},
		{`{"id":"n","timestamp":1936000000,"type":"T"}`, lti.ReasonClaimInvalid, ".timestamp"},
	} {
		add("notice "+string(test.value), test.want, lti.ClaimNotice+test.claim, only(lti.ClaimNotice, test.value))
	}
	own := func(input string) []byte { return signRS256(secondKey, input) }
	return append(vectors,
		vector{name: "of platform b that claims to be a's", sign: own, want: lti.ReasonSignatureInvalid},
		vector{name: "of platform b, signed by a", claims: only("iss", "https://b.example"), sign: func(input string) []byte { return signRS256(platformKey, input) }, want: lti.ReasonSignatureInvalid},
		vector{name: "for a deployment that the second client id does not have", on: "a2", claims: only(lti.ClaimDeploymentID, "d9"), want: lti.ReasonDeploymentUnknown},
		vector{name: "for a deployment that waits", on: "pending", want: lti.ReasonDeploymentPending, spent: true},
		vector{name: "odd: without a nonce", claims: only("nonce", absent{})},
		vector{name: "odd: without a user", claims: only("sub", absent{})},
		vector{name: "odd: of a type that nobody knows", payload: func(p string) string { return strings.Replace(p, "LtiHelloWorldNotice", "VendorNotice", 1) }},
		vector{name: "alg PS256, which a does not allow, without a signature", header: headerWith(`"PS256"`, ""), sign: func(string) []byte { return nil }, want: lti.ReasonTokenMalformed},
		vector{name: "odd: of platform b", on: "b"})
}

// launchOnly are vectors of launches that do not fit a notice: it has no message type, and which algorithms it may have is
// known only when its payload was read.
func launchOnly(v *vector) bool {
	return strings.HasPrefix(v.name, "payload: a second message_type") || v.name == `alg "PS256", no signature` || v.name == `alg "ES256", no signature`
}

// TestNoticesAsAttacked posts what was made for launches as notices: their signatures, headers, forms and times are held
// to the same rules. What a notice decides by itself comes with it.
func TestNoticesAsAttacked(t *testing.T) {
	s := newStack(t, 1)
	var all []vector
	for _, vectors := range [][]vector{
		algorithmVectors(), curveVectors(), keyNameVectors(), memberVectors(), formVectors(), payloadVectors(), signatureVectors(), timeVectors(), noticeVectors(),
	} {
		all = append(all, vectors...)
	}
	all = slices.DeleteFunc(all, func(v vector) bool { return launchOnly(&v) })
	waiting := map[string]*login{}
	for i := range all {
		v := &all[i]
		on := v.on
		if on == "" {
			on = "a"
		}
		if waiting[on] == nil {
			waiting[on] = must(s.begin(s.parties[on]))
		}
		problems := s.runNotice(v, fmt.Sprintf("notice-%d", i), waiting[on])
		for _, problem := range problems {
			t.Errorf("P %s: %s", v.name, problem)
		}
		record("P", v.want != "", len(problems) == 0)
	}
	// None of the notices touched the logins whose nonces they named.
	for on, l := range waiting {
		if on == "pending" {
			continue // no launch of it is accepted
		}
		if err := s.validate(s.good(l, nil)); err != nil {
			t.Errorf("the login at %s after its notices: %v", on, err)
		}
	}
	if visits := s.tripwire.visits.Load(); visits != 0 {
		t.Errorf("%d connections to a host that only attacks named", visits)
	}
}

// TestNoticesAndLaunches: C22: one is never the other, however it comes, and a notice that comes again is marked.
func TestNoticesAndLaunches(t *testing.T) {
	s := newStack(t, 1)
	check := func(name string, attack, passed bool, detail ...any) {
		t.Helper()
		if !passed {
			t.Errorf("P %s: %v", name, detail)
		}
		record("P", attack, passed)
	}
	l := must(s.begin(s.parties["a"]))
	launch, notice := s.good(l, nil), s.good(l, noticeClaims("n1", nil))

	result, err := s.postNotice(idToken(launch))
	check("a waiting launch as a notice", true, err == nil && result.GetRefusal().GetReason() == string(lti.ReasonClaimInvalid), result, err)
	result, err = s.postNotice(idToken(notice))
	check("odd: a notice", false, err == nil && result.GetNotice() != nil && !result.GetNotice().Duplicate, result, err)
	for i := range 3 {
		result, err = s.postNotice(idToken(notice))
		check(fmt.Sprintf("the notice again, %d", i), true, err == nil && result.GetNotice().GetDuplicate(), result, err)
	}
	result, err = s.postNotice(idToken(s.good(l, noticeClaims("n1", only("iat", seconds(-5))))))
	check("the notice again, signed anew", true, err == nil && result.GetNotice().GetDuplicate(), result, err)
	err = s.validate(notice)
	check("an accepted notice as a launch, with the nonce of a login", true, infoOf(err).GetReason() != "" && err != nil, err)
	err = s.validate(launch)
	check("odd: the launch after all that", false, err == nil, err)
	result, err = s.postNotice(idToken(launch))
	check("an accepted launch as a notice", true, err == nil && result.GetRefusal().GetReason() == string(lti.ReasonClaimInvalid), result, err)

	// The bodies around.
	for name, body := range map[string]string{
		"empty object": "{}", "a list": "[]", "null": "null", "no JSON": "notices=x", "notices null": `{"notices":null}`, "notices an object": `{"notices":{}}`, "notices twice": `{"notices":[],"notices":[]}`,
		"in capitals": `{"NOTICES":[]}`, "text behind": `{"notices":[]}x`, "100,000 deep": `{"notices":` + strings.Repeat("[", 100000),
	} {
		before := s.refusals()[string(lti.ReasonTokenMalformed)]
		_, err := s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: []byte(body)})
		passed := infoOf(err).GetReason() == string(lti.ReasonTokenMalformed) && s.refusals()[string(lti.ReasonTokenMalformed)] == before+1
		check("body: "+name, true, passed, err)
	}
	many := `{"notices":[` + strings.TrimSuffix(strings.Repeat(`{"jwt":"x"},`, 101), ",") + `]}`
	_, err = s.launches.ValidateNotices(t.Context(), &pb.ValidateNoticesRequest{Body: []byte(many)})
	check("body: 101 notices", true, infoOf(err).GetReason() == string(lti.ReasonParameterTooLong), err)
	s.clock.add(10 * time.Minute)
	result, err = s.postNotice(idToken(notice))
	check("the notice, expired", true, err == nil && result.GetRefusal().GetReason() == string(lti.ReasonTokenExpired), result, err)
	if s.errors.Load() != 0 {
		t.Error("something was logged as a defect")
	}
}
