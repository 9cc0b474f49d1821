// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

func only(name string, value any) map[string]any { return map[string]any{name: value} }

// seconds returns a time of the stack's first moment, in seconds, as JSON.
func seconds(offset float64) raw {
	return raw(strconv.FormatFloat(float64(begin.Unix())+offset, 'f', -1, 64))
}

// timeVectors: C01-C03. The clock stands still while they run.
func timeVectors() []vector {
	var vectors []vector
	for _, claim := range []string{"exp", "iat", "nbf"} {
		for _, value := range []raw{
			"0", "-0", "0.0", "0e5", "-1", "-1e10", "-1e400", "1e400", "1e999999999", "1e-999999999", "1e18", "9223372036854775807", "9223372036854775808", "18446744073709551617",
			"1099511627777", "null", "true", "false", `""`, `"0"`, `"1"`, `"1936000000"`, `"2031-05-06T07:13:09Z"`, `"never"`, `"NaN"`, `"Infinity"`, "[]", "[1936000000]", "{}", `{"v":1}`,
			raw(strings.Repeat("9", 1000)), raw("0." + strings.Repeat("0", 1000) + "1e-400"),
		} {
			vectors = append(vectors, vector{name: fmt.Sprintf("%s %.40s", claim, value), claims: only(claim, value), want: lti.ReasonClaimInvalid, claim: claim})
		}
		if claim != "nbf" {
			vectors = append(vectors, vector{name: claim + " absent", claims: only(claim, absent{}), want: lti.ReasonClaimMissing, claim: claim})
		}
	}
	times := func(name string, exp, iat float64, want lti.Reason) {
		vectors = append(vectors, vector{name: "times: " + name, claims: map[string]any{"exp": seconds(exp), "iat": seconds(iat)}, want: want})
	}
	times("exp at the leeway", -60, -120, lti.ReasonTokenExpired)
	times("exp 61 s ago", -61, -120, lti.ReasonTokenExpired)
	times("exp an hour ago", -3600, -7200, lti.ReasonTokenExpired)
	times("exp 59 s ago", -59, -120, "")
	times("exp 59.5 s ago", -59.5, -120, "")
	times("exp before iat", 10, 50, lti.ReasonClaimInvalid)
	times("exp a moment before iat", 9.5, 10, lti.ReasonClaimInvalid)
	times("exp equal to iat", 10, 10, "")
	times("exp in 10 years", 10*365*86400, 0, lti.ReasonClaimInvalid)
	times("exp a day and a second after iat", 86401, 0, lti.ReasonClaimInvalid)
	times("exp a day after iat", 86400, 0, "")
	times("iat 61 s ahead", 300, 61, lti.ReasonTokenNotYetValid)
	times("iat an hour ahead", 7200, 3600, lti.ReasonTokenNotYetValid)
	times("iat 60 s ahead", 300, 60, "")
	times("iat with a fraction", 300, 0.25, "")
	times("iat 20 hours ago", 3600, -20*3600, "")
	times("iat two days ago", 3600, -48*3600, lti.ReasonClaimInvalid)
	for value, want := range map[raw]lti.Reason{"1e-9": lti.ReasonTokenExpired, "0.5": lti.ReasonTokenExpired, "1": lti.ReasonTokenExpired, "1e3": lti.ReasonTokenExpired, "1099511627776": lti.ReasonClaimInvalid} {
		vectors = append(vectors, vector{name: "exp " + string(value), claims: only("exp", value), want: want})
	}
	for offset, want := range map[float64]lti.Reason{61: lti.ReasonTokenNotYetValid, 86400: lti.ReasonTokenNotYetValid, 60: "", 0: "", -1000: ""} {
		vectors = append(vectors, vector{name: fmt.Sprintf("nbf at %+v s", offset), claims: only("nbf", seconds(offset)), want: want})
	}
	return vectors
}

// partyVectors: C04-C08.
func partyVectors() []vector {
	var vectors []vector
	zeroWidth, thousands := "client-1\u200b", slices.Repeat([]string{"client-1"}, 3000)
	for value, want := range map[raw]lti.Reason{
		`["client-1"]`: "", `"client-9"`: lti.ReasonAudienceMismatch, `""`: lti.ReasonAudienceMismatch, `"client-1 "`: lti.ReasonAudienceMismatch, `" client-1"`: lti.ReasonAudienceMismatch,
		`"CLIENT-1"`: lti.ReasonAudienceMismatch, `"Client-1"`: lti.ReasonAudienceMismatch, `"client-1,client-9"`: lti.ReasonAudienceMismatch, `"client-1 client-9"`: lti.ReasonAudienceMismatch,
		`"client-1\u0000"`: lti.ReasonAudienceMismatch, `"client-1\n"`: lti.ReasonAudienceMismatch, `"client"`: lti.ReasonAudienceMismatch, `"client-11"`: lti.ReasonAudienceMismatch,
		`"*"`: lti.ReasonAudienceMismatch, `"ｃlient-1"`: lti.ReasonAudienceMismatch, raw(quoted(zeroWidth)): lti.ReasonAudienceMismatch, `"https://a.example"`: lti.ReasonAudienceMismatch,
		`"client-2"`: lti.ReasonAudienceMismatch, `[]`: lti.ReasonAudienceMismatch, `["client-9"]`: lti.ReasonAudienceMismatch, `["client-1","client-9"]`: lti.ReasonAudienceMismatch,
		`["client-9","client-1"]`: lti.ReasonAudienceMismatch, `["client-1",""]`: lti.ReasonAudienceMismatch, `["client-1 "]`: lti.ReasonAudienceMismatch, `["client-1","client-2"]`: lti.ReasonAudienceMismatch,
		`null`: lti.ReasonClaimInvalid, `true`: lti.ReasonClaimInvalid, `0`: lti.ReasonClaimInvalid, `{}`: lti.ReasonClaimInvalid, `{"0":"client-1"}`: lti.ReasonClaimInvalid,
		`[["client-1"]]`: lti.ReasonClaimInvalid, `["client-1",1]`: lti.ReasonClaimInvalid, `["client-1",null]`: lti.ReasonClaimInvalid, `[1]`: lti.ReasonClaimInvalid, `[{}]`: lti.ReasonClaimInvalid,
		`["client-1","client-1"]`: lti.ReasonAuthorizedPartyMismatch,
	} {
		vectors = append(vectors, vector{name: "aud " + string(value), claims: only("aud", value), want: want})
	}
	for value, want := range map[raw]lti.Reason{
		`"client-1"`: "", `"client-9"`: lti.ReasonAuthorizedPartyMismatch, `""`: lti.ReasonAuthorizedPartyMismatch, `null`: lti.ReasonAuthorizedPartyMismatch, `1`: lti.ReasonAuthorizedPartyMismatch,
		`["client-1"]`: lti.ReasonAuthorizedPartyMismatch, `{}`: lti.ReasonAuthorizedPartyMismatch, `true`: lti.ReasonAuthorizedPartyMismatch, `"CLIENT-1"`: lti.ReasonAuthorizedPartyMismatch,
		`"client-1 "`: lti.ReasonAuthorizedPartyMismatch, `"client-2"`: lti.ReasonAuthorizedPartyMismatch,
	} {
		vectors = append(vectors, vector{name: "azp " + string(value), claims: only("azp", value), want: want})
	}
	vectors = append(vectors,
		vector{name: "aud absent", claims: only("aud", absent{}), want: lti.ReasonClaimMissing, claim: "aud"},
		vector{name: "aud twice, azp names us", claims: map[string]any{"aud": raw(`["client-1","client-1"]`), "azp": "client-1"}},
		vector{name: "aud with a stranger, azp names us", claims: map[string]any{"aud": raw(`["client-1","client-9"]`), "azp": "client-1"}, want: lti.ReasonAudienceMismatch},
		vector{name: "aud with a stranger, azp names him", claims: map[string]any{"aud": raw(`["client-1","client-9"]`), "azp": "client-9"}, want: lti.ReasonAudienceMismatch},
		vector{name: "aud a stranger, azp names us", claims: map[string]any{"aud": "client-9", "azp": "client-1"}, want: lti.ReasonAudienceMismatch},
		vector{name: "aud 3,000 times, no azp", claims: only("aud", thousands), want: lti.ReasonAuthorizedPartyMismatch},
		vector{name: "aud with 3,000 strangers", claims: only("aud", append(slices.Repeat([]string{"x"}, 3000), "client-1")), want: lti.ReasonAudienceMismatch})
	for _, issuer := range []raw{
		`"https://a.example/"`, `"https://a.example//"`, `"https://A.example"`, `"HTTPS://a.example"`, `"http://a.example"`, `"https://a.example:443"`, `"https://a.example/lti"`, `"https://a.example?"`,
		`"https://a.example#"`, `"https://a.example."`, `"https://a.example "`, `" https://a.example"`, `"https://a.example\u0000"`, `"https://a.example\n"`, `"https://a.example\u200b"`,
		`"https://\uff41.example"`, `"https://а.example"`, `"https://xn--80a.example"`, `"https://x@a.example"`, `"//a.example"`, `"a.example"`, `"https://b.example"`, `"https://evil.example"`,
		`"https://a.example.evil.example"`, `"https://a.example@evil.example"`, `"https://a%2eexample"`, `"https://a。example"`, `""`, `"*"`, `"self"`, `"https://self-issued.me"`, `"client-1"`,
	} {
		vectors = append(vectors, vector{name: "iss " + string(issuer), claims: only("iss", issuer), want: lti.ReasonIssuerMismatch})
	}
	for _, issuer := range []raw{`null`, `1`, `true`, `["https://a.example"]`, `{}`, `{"iss":"https://a.example"}`} {
		vectors = append(vectors, vector{name: "iss " + string(issuer), claims: only("iss", issuer), want: lti.ReasonClaimInvalid, claim: "iss"})
	}
	return append(vectors,
		vector{name: "iss absent", claims: only("iss", absent{}), want: lti.ReasonClaimMissing, claim: "iss"},
		vector{name: "iss of 10 KiB", claims: only("iss", "https://a.example/"+strings.Repeat("x", 10<<10)), want: lti.ReasonIssuerMismatch},
		vector{name: "iss with escaped slashes", claims: only("iss", raw(`"https:\/\/a.example"`))},
		vector{name: "iss with an escaped letter", claims: only("iss", raw(`"htt\u0070s://a.example"`))},
		vector{name: "token of platform b, which has our client id too", claims: only("iss", "https://b.example"), sign: func(input string) []byte { return signRS256(secondKey, input) }, want: lti.ReasonIssuerMismatch},
		vector{name: "token of platform b that claims to be a's", sign: func(input string) []byte { return signRS256(secondKey, input) }, want: lti.ReasonSignatureInvalid},
		vector{name: "token of a at a login with b", on: "b", claims: only("iss", "https://a.example"), sign: func(input string) []byte { return signRS256(platformKey, input) }, want: lti.ReasonIssuerMismatch},
		vector{name: "token for the second client id at a login with the first", claims: only("aud", "client-2"), want: lti.ReasonAudienceMismatch},
		vector{name: "token for the first client id at a login with the second", on: "a2", claims: only("aud", "client-1"), want: lti.ReasonAudienceMismatch},
		vector{name: "our own assertion to the token endpoint, posted as a launch", claims: map[string]any{"iss": "client-1", "sub": "client-1", "aud": "https://a.example/token", "jti": "x"}, want: lti.ReasonIssuerMismatch},
		vector{name: "our own answer to deep linking, posted as a launch", claims: map[string]any{"iss": "client-1", "aud": "https://a.example", lti.ClaimMessageType: "LtiDeepLinkingResponse"}, want: lti.ReasonIssuerMismatch})
}

// messageVectors: C09, C14-C16, C22, C23, C25.
func messageVectors() []vector {
	var vectors []vector
	add := func(name string, want lti.Reason, claim string, patch map[string]any) {
		vectors = append(vectors, vector{name: name, want: want, claim: claim, claims: patch})
	}
	short := func(claim string) string { return claim[strings.LastIndexByte(claim, '/')+1:] }
	for _, claim := range []string{"nonce", lti.ClaimVersion, lti.ClaimMessageType, lti.ClaimDeploymentID, lti.ClaimTargetLinkURI, lti.ClaimRoles, lti.ClaimResourceLink} {
		add(short(claim)+" absent", lti.ReasonClaimMissing, claim, only(claim, absent{}))
		upper := strings.ToUpper(claim)
		good := map[string]any{
			"nonce": "x", lti.ClaimVersion: "1.3.0", lti.ClaimMessageType: "LtiResourceLinkRequest", lti.ClaimDeploymentID: "d1",
			lti.ClaimTargetLinkURI: target, lti.ClaimRoles: []any{}, lti.ClaimResourceLink: map[string]any{"id": "x"},
		}[claim]
		add(short(claim)+" only in capitals", lti.ReasonClaimMissing, claim, map[string]any{claim: absent{}, upper: good})
		if claim != "nonce" {
			add(short(claim)+" without the prefix", lti.ReasonClaimMissing, claim, map[string]any{claim: absent{}, short(claim): good})
			add(short(claim)+" of the http prefix", lti.ReasonClaimMissing, claim, map[string]any{claim: absent{}, strings.Replace(claim, "https:", "http:", 1): good})
			add(short(claim)+" inside custom only", lti.ReasonClaimMissing, claim, map[string]any{claim: absent{}, lti.ClaimCustom: map[string]any{claim: good}})
		}
	}
	for _, value := range []raw{`""`, `" "`, `"d3"`, `"D1"`, `"d1 "`, `" d1"`, `"d1\u0000"`, `"d"`, `"d11"`, `"*"`, `"d1,d2"`, `"ｄ1"`, `"d1\u200b"`, `"../d1"`, `"' OR 1=1--"`} {
		want, claim := lti.ReasonDeploymentUnknown, ""
		if strings.TrimSpace(strings.Trim(string(value), `"`)) == "" {
			want, claim = lti.ReasonClaimInvalid, lti.ClaimDeploymentID
		}
		add("deployment_id "+string(value), want, claim, only(lti.ClaimDeploymentID, value))
	}
	wrongKinds := []raw{`null`, `1`, `true`, `[]`, `{}`}
	for claim, more := range map[string][]raw{
		lti.ClaimDeploymentID: {`["d1"]`, `{"id":"d1"}`, raw(quoted(strings.Repeat("d", 256)))}, "sub": {`""`, `" "`, `"\t"`, `["user-1"]`, raw(quoted(strings.Repeat("u", 256)))},
		lti.ClaimTargetLinkURI: {`["https://tool.example/quiz/7"]`}, lti.ClaimRoles: {`"Learner"`, `""`},
	} {
		for _, value := range append(slices.Clone(wrongKinds), more...) {
			if claim == lti.ClaimRoles && value == "[]" {
				continue
			}
			add(fmt.Sprintf("%s %.30s", short(claim), value), lti.ReasonClaimInvalid, claim, only(claim, value))
		}
	}
	for _, value := range []raw{`"x"`, `1`, `true`, `[]`, `[{"id":"link-1"}]`} {
		add("resource_link "+string(value), lti.ReasonClaimInvalid, lti.ClaimResourceLink, only(lti.ClaimResourceLink, value))
		add("context "+string(value), lti.ReasonClaimInvalid, lti.ClaimContext, only(lti.ClaimContext, value))
	}
	add("resource_link null", lti.ReasonClaimMissing, lti.ClaimResourceLink, only(lti.ClaimResourceLink, raw("null")))
	for _, value := range []raw{`""`, `" "`, `1`, `null`, `[]`, `{}`, raw(quoted(strings.Repeat("x", 256)))} {
		for _, claim := range []string{lti.ClaimResourceLink, lti.ClaimContext} {
			add(fmt.Sprintf("%s.id %.20s", short(claim), value), lti.ReasonClaimInvalid, claim+".id", only(claim, raw(`{"id":`+string(value)+`}`)))
		}
	}
	for _, claim := range []string{lti.ClaimResourceLink, lti.ClaimContext} {
		add(short(claim)+".id absent", lti.ReasonClaimMissing, claim+".id", only(claim, raw(`{}`)))
		add(short(claim)+".ID in capitals", lti.ReasonClaimMissing, claim+".id", only(claim, raw(`{"ID":"x"}`)))
	}
	for _, value := range []raw{`"1.3"`, `"1.3.1"`, `"1.3.0 "`, `" 1.3.0"`, `"1.3.0\u0000"`, `"v1.3.0"`, `"1.1"`, `"LTI-1p0"`, `"2.0.0"`, `""`, `1.3`, `1`, `null`, `true`, `[]`, `["1.3.0"]`, `{}`, `"１.3.0"`, `"1,3,0"`} {
		add("version "+string(value), lti.ReasonVersionUnsupported, "", only(lti.ClaimVersion, value))
	}
	for _, value := range []raw{
		`"ltiresourcelinkrequest"`, `"LTIRESOURCELINKREQUEST"`, `"LtiResourceLinkRequest "`, `"LtiResourceLinkRequest\u0000"`, `"basic-lti-launch-request"`, `"LtiDeepLinkingResponse"`, `"ContentItemSelectionRequest"`,
		`"LtiSomething"`, `"LtiHelloWorldNotice"`, `""`, `"*"`, `null`, `1`, `true`, `[]`, `["LtiResourceLinkRequest"]`, `{}`, `"LtiStartAssessment"`,
	} {
		add("message_type "+string(value), lti.ReasonMessageTypeUnknown, "", only(lti.ClaimMessageType, value))
	}
	for _, message := range lti.MessageTypes() {
		if message != lti.MessageResourceLink {
			add("message_type "+string(message)+", not enabled", lti.ReasonMessageTypeNotAccepted, "", only(lti.ClaimMessageType, string(message)))
		}
	}
	add("sub absent", lti.ReasonAnonymousNotAllowed, "", only("sub", absent{}))
	for _, value := range []raw{`""`, `"x"`, `" "`, `"other"`, `1`, `null`, `true`, `[]`, `{}`} {
		add("nonce "+string(value), lti.ReasonNonceMismatch, "", only("nonce", value))
	}
	for name, change := range map[string]func(string) string{
		"shortened": func(n string) string { return n[:len(n)-1] }, "prolonged": func(n string) string { return n + "A" }, "with NUL": func(n string) string { return n + "\x00" },
		"with a blank": func(n string) string { return n + " " }, "padded": func(n string) string { return n + "==" }, "in the other case": swapCase, "without its first": func(n string) string { return n[1:] },
		"in a list": func(n string) string { return `["` + n + `"]` },
	} {
		vectors = append(vectors, vector{name: "nonce " + name, want: lti.ReasonNonceMismatch, payload: func(text string) string {
			before, rest, _ := strings.Cut(text, `"nonce":"`)
			nonce, behind, _ := strings.Cut(rest, `"`)
			return before + `"nonce":` + quoted(change(nonce)) + behind
		}})
	}
	return append(vectors,
		vector{name: "deployment pending", on: "pending", want: lti.ReasonDeploymentPending, spent: true},
		vector{name: "deployment of another platform", on: "pending", claims: only(lti.ClaimDeploymentID, "d2"), want: lti.ReasonDeploymentPending, spent: true},
		vector{name: "deployment other than the login's", login: []string{"lti_deployment_id", "d2"}, want: lti.ReasonDeploymentMismatch, then: only(lti.ClaimDeploymentID, "d2")},
		vector{name: "deployment other than the login's, by its old name", login: []string{"deployment_id", "d2"}, want: lti.ReasonDeploymentMismatch, then: only(lti.ClaimDeploymentID, "d2")},
		vector{name: "a notice, posted as a launch", want: lti.ReasonClaimMissing, claim: "nonce", claims: map[string]any{
			"nonce": absent{}, "sub": absent{}, "https://purl.imsglobal.org/spec/lti/claim/notice": map[string]any{"id": "n1", "timestamp": "2031-05-06T07:08:09Z", "type": "LtiHelloWorldNotice"}}},
		vector{name: "an access token of the platform, posted as a launch", want: lti.ReasonClaimMissing, claim: "nonce", claims: map[string]any{
			"nonce": absent{}, "scope": "openid", lti.ClaimVersion: absent{}, lti.ClaimMessageType: absent{}}},
		vector{name: "roles as a parameter beside the token", claims: only(lti.ClaimRoles, absent{}), want: lti.ReasonClaimMissing, claim: lti.ClaimRoles, request: func(_ *login, r *pb.ValidateLaunchRequest) {
			r.Browser.Parameters = append(r.Browser.Parameters, parameters("roles", "Instructor", lti.ClaimRoles, "Instructor", "sub", "admin")...)
		}})
}

func swapCase(text string) string {
	return strings.Map(func(r rune) rune {
		if upper := strings.ToUpper(string(r)); upper != string(r) {
			return []rune(upper)[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, text)
}

// oddVectors are launches of the kind that platforms really send, which must go through.
func oddVectors() []vector {
	var vectors []vector
	for name, patch := range map[string]map[string]any{
		"roles empty":                    only(lti.ClaimRoles, raw(`[]`)),
		"roles with an empty text":       only(lti.ClaimRoles, raw(`[""]`)),
		"roles with null and numbers":    only(lti.ClaimRoles, raw(`[null,1,{},"Learner"]`)),
		"roles by short names":           only(lti.ClaimRoles, raw(`["Learner","Instructor"]`)),
		"3,000 roles":                    only(lti.ClaimRoles, slices.Repeat([]string{"Learner"}, 3000)),
		"roles nobody knows":             only(lti.ClaimRoles, raw(`["urn:x:y","https://evil.example/role#Administrator"]`)),
		"context null":                   only(lti.ClaimContext, raw("null")),
		"context absent":                 only(lti.ClaimContext, absent{}),
		"context with a bare type":       only(lti.ClaimContext, raw(`{"id":"c","type":"CourseSection"}`)),
		"context with nulls":             only(lti.ClaimContext, raw(`{"id":"c","label":null,"title":null,"type":null}`)),
		"context with numbers":           only(lti.ClaimContext, raw(`{"id":"c","label":1,"title":2,"type":[1]}`)),
		"resource link of nulls":         only(lti.ClaimResourceLink, raw(`{"id":"r","title":null,"description":null}`)),
		"resource link of 255 letters":   only(lti.ClaimResourceLink, map[string]any{"id": strings.Repeat("é", 255)}),
		"sub of 255 letters":             only("sub", strings.Repeat("u", 255)),
		"sub not ASCII":                  only("sub", "ユーザー"),
		"names null":                     map[string]any{"name": raw("null"), "given_name": raw("null"), "email": raw("null"), "picture": raw("null")},
		"names as numbers":               map[string]any{"name": 7, "email": raw("[]"), "locale": raw("{}")},
		"custom null":                    only(lti.ClaimCustom, raw("null")),
		"custom a list":                  only(lti.ClaimCustom, raw("[]")),
		"custom an empty text":           only(lti.ClaimCustom, raw(`""`)),
		"custom of all kinds":            only(lti.ClaimCustom, raw(`{"a":"1","b":2,"c":null,"d":[1],"e":{"f":true},"":"x"}`)),
		"custom like a core claim":       only(lti.ClaimCustom, map[string]any{lti.ClaimRoles: "Instructor", "iss": "x"}),
		"custom with an unsolved name":   only(lti.ClaimCustom, map[string]any{"id": "$Canvas.user.id"}),
		"custom of 40 KiB":               only(lti.ClaimCustom, map[string]any{"x": strings.Repeat("x", 40<<10)}),
		"presentation null":              only("https://purl.imsglobal.org/spec/lti/claim/launch_presentation", raw("null")),
		"presentation with a script URL": only("https://purl.imsglobal.org/spec/lti/claim/launch_presentation", raw(`{"return_url":"javascript:alert(1)","height":"x","width":1e999}`)),
		"platform without guid":          only("https://purl.imsglobal.org/spec/lti/claim/tool_platform", raw(`{"name":"LMS"}`)),
		"platform of nulls":              only("https://purl.imsglobal.org/spec/lti/claim/tool_platform", raw(`{"guid":null,"name":null}`)),
		"lis an empty list":              only("https://purl.imsglobal.org/spec/lti/claim/lis", raw(`[]`)),
		"grades null":                    only("https://purl.imsglobal.org/spec/lti-ags/claim/endpoint", raw(`null`)),
		"grades on a foreign host":       only("https://purl.imsglobal.org/spec/lti-ags/claim/endpoint", raw(`{"lineitem":"https://evil.example/x","scope":["https://purl.imsglobal.org/spec/lti-ags/scope/score"]}`)),
		"grades on no host":              only("https://purl.imsglobal.org/spec/lti-ags/claim/endpoint", raw(`{"lineitem":"javascript:alert(1)","scope":"x"}`)),
		"members on a foreign host":      only("https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice", raw(`{"context_memberships_url":"http://169.254.169.254/","service_versions":["2.0"]}`)),
		"vendor claims":                  map[string]any{"https://www.example.com/claim": raw(`{"a":[1,2,3]}`), "errors": raw(`{"errors":{}}`), "at_hash": "x", "jti": "y", "s_hash": "z"},
		"migration claim of rubbish":     only("https://purl.imsglobal.org/spec/lti/claim/lti1p1", raw(`{"oauth_consumer_key":"x","oauth_consumer_key_sign":"wrong"}`)),
		"exp 60 s after iat":             map[string]any{"exp": seconds(60)},
		"azp beside one aud":             map[string]any{"azp": "client-1"},
		"auth_time and acr":              map[string]any{"auth_time": 1, "acr": "0", "amr": []string{"pwd"}},
		"prototype names":                map[string]any{"__proto__": map[string]any{"sub": "admin"}, "constructor": 1, "toString": raw("null")},
		"the second deployment":          only(lti.ClaimDeploymentID, "d2"),
	} {
		vectors = append(vectors, vector{name: "odd: " + name, claims: patch})
	}
	return append(vectors,
		vector{name: "odd: anonymous, where that is accepted", on: "open", claims: only("sub", absent{})},
		vector{name: "odd: an unknown deployment, where that is accepted", on: "open", claims: only(lti.ClaimDeploymentID, "another")},
		vector{name: "odd: the deployment of the login", login: []string{"lti_deployment_id", "d1"}},
		vector{name: "odd: the deployment of the login by both names", login: []string{"lti_deployment_id", "d1", "deployment_id", "d9"}},
		vector{name: "odd: another target than at the login", claims: only(lti.ClaimTargetLinkURI, "https://tool.example/elsewhere")},
		vector{name: "odd: launched 9 minutes after the login", after: 9 * time.Minute})
}

// TestClaims runs the C family.
func TestClaims(t *testing.T) {
	s := newStack(t, 1)
	var all []vector
	for _, vectors := range [][]vector{timeVectors(), partyVectors(), messageVectors(), oddVectors()} {
		all = append(all, vectors...)
	}
	for i := range all {
		all[i].family = "C"
	}
	// Last, because it moves the clock that the others count on.
	slices.SortStableFunc(all, func(a, b vector) int { return int(a.after - b.after) })
	s.runAll(t, all)
}

// TestNonceIsPerLogin posts each of two logins' tokens with the other's state.
func TestNonceIsPerLogin(t *testing.T) {
	s := newStack(t, 1)
	first, second := must(s.begin(s.parties["a"])), must(s.begin(s.parties["a"]))
	for name, pair := range map[string][2]*login{"second at first": {first, second}, "first at second": {second, first}} {
		crossed := s.good(pair[1], nil)
		crossed.Browser.Parameters[1].Value = pair[0].state
		crossed.Browser.CookieHeader = strings.Join(append(slices.Clone(pair[0].cookies), pair[1].cookies...), "; ")
		reason := infoOf(s.validate(crossed)).GetReason()
		if reason != string(lti.ReasonNonceMismatch) {
			t.Errorf("%s: %q", name, reason)
		}
		record("C", true, reason == string(lti.ReasonNonceMismatch))
	}
	for _, l := range []*login{first, second} {
		if err := s.validate(s.good(l, nil)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// TestAnyOneClaimGarbled puts one value of every kind under each claim: whatever comes out, it is a launch or one of
// the expected reasons, never a defect.
func TestAnyOneClaimGarbled(t *testing.T) {
	s := newStack(t, 1)
	values := []raw{`null`, `true`, `0`, `-1`, `1e308`, `""`, `"x"`, `[]`, `[null]`, `["x"]`, `{}`, `{"id":1}`, `{"":{}}`, `[[[[]]]]`, `"\u0000"`, raw(quoted(strings.Repeat("x", 2000)))}
	l := must(s.begin(s.parties["a"]))
	names := slices.Sorted(maps.Keys(s.claims(l, nil)))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 150 {
		name, value := names[random.IntN(len(names))], values[random.IntN(len(values))]
		l := must(s.begin(s.parties["a"]))
		err := s.validate(s.attack(&vector{claims: only(name, value)}, l))
		if info := infoOf(err); err != nil && (info.GetReason() == string(lti.ReasonInternal) || info.GetReason() == "") {
			t.Errorf("%s %s: %v", name, value, err)
		}
	}
	if s.errors.Load() != 0 {
		t.Error("something was logged as a defect")
	}
}
