// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// openSigned verifies a message of the fixture's tool and returns its claims.
func (f *fixture) openSigned(jwt string) object {
	f.t.Helper()
	token, err := jose.Parse(jwt, []string{jose.RS256})
	if err != nil {
		f.t.Fatal(err)
	}
	document, _ := toolKeys().KeySet()
	if err := token.Verify(must(must(jose.ParseKeySet(document)).Find(token.KeyID, token.Algorithm))); err != nil {
		f.t.Fatal(err)
	}
	var claims object
	if err := json.Unmarshal(token.Payload, &claims); err != nil {
		f.t.Fatal(err)
	}
	return claims
}

func headerOf(reply *launch.Reply, name string) string {
	for _, header := range reply.Headers {
		if header.Name == name {
			return header.Value
		}
	}
	return ""
}

func hashOf(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func TestStartAssessment(t *testing.T) {
	f := messageFixture(t)
	started := f.mustMessage(lti.MessageStartProctoring, object{
		lti.ClaimSessionData:  `s"<&'é`,
		lti.ClaimResourceLink: object{"id": "link-1", "title": "Quiz", "description": nil, "https://lms.example/extra": []any{1.5}},
	})
	build := func(request launch.StartAssessmentRequest) *launch.StartAssessment {
		t.Helper()
		request.Token = started.Proctoring.Token
		message, err := f.BuildStartAssessment(t.Context(), "local", request)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	f.clock.set(start.Add(time.Hour))
	message := build(launch.StartAssessmentRequest{})
	claims := f.openSigned(message.JWT)
	now := float64(f.clock.Now().Unix())
	wanted := object{
		"iss": clientID, "aud": issuer, "iat": now - 30, "exp": now + 300, lti.ClaimVersion: "1.3.0", lti.ClaimDeploymentID: "d1",
		lti.ClaimMessageType: "LtiStartAssessment", lti.ClaimSessionData: `s"<&'é`, lti.ClaimAttemptNumber: 2.0,
	}
	for name, want := range wanted {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	link, _ := claims[lti.ClaimResourceLink].(object)
	if extra, _ := link["https://lms.example/extra"].([]any); len(link) != 4 || link["id"] != "link-1" || len(extra) != 1 {
		t.Errorf("resource link = %v, not as the platform wrote it", link)
	}
	if _, sent := claims[lti.ClaimEndAssessmentReturn]; sent || claims[lti.ClaimVerifiedUser] != nil || len(claims) != 11 {
		t.Errorf("claims = %v", claims)
	}
	if nonce, _ := claims["nonce"].(string); len(nonce) != 22 || nonce == f.openSigned(build(launch.StartAssessmentRequest{}).JWT)["nonce"] {
		t.Errorf("nonce = %q, and it must differ each time", nonce)
	}

	full := f.openSigned(build(launch.StartAssessmentRequest{EndAssessmentReturn: true, VerifiedUser: &launch.VerifiedUser{GivenName: "Ada", Picture: "https://x"}}).JWT)
	user, _ := full[lti.ClaimVerifiedUser].(object)
	if full[lti.ClaimEndAssessmentReturn] != true || len(user) != 2 || user["given_name"] != "Ada" {
		t.Errorf("claims = %v", full)
	}

	body := message.Reply.Body
	field := regexp.MustCompile(`<form method="post" action="([^"]*)"><input type="hidden" name="JWT" value="([^"]*)">`).FindStringSubmatch(body)
	if field == nil || html.UnescapeString(field[1]) != "https://lms.example/start?x=1&y=2" || html.UnescapeString(field[2]) != message.JWT || message.Reply.Status != 200 {
		t.Errorf("page = %s", body)
	}
	policy := headerOf(message.Reply, "Content-Security-Policy")
	script := regexp.MustCompile(`<script>(.*)</script>`).FindStringSubmatch(body)
	if script == nil || !strings.Contains(policy, "script-src "+hashOf(script[1])) || !strings.Contains(policy, "form-action https://lms.example https:") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy = %s", policy)
	}
	if headerOf(message.Reply, "Cache-Control") != "no-store" || headerOf(message.Reply, "X-Frame-Options") != "" {
		t.Errorf("headers = %v", message.Reply.Headers)
	}
	if withNonce := build(launch.StartAssessmentRequest{CSPNonce: "bm9u"}).Reply; !strings.Contains(withNonce.Body, `<script nonce="bm9u">`) || !strings.Contains(headerOf(withNonce, "Content-Security-Policy"), "'nonce-bm9u'") {
		t.Errorf("page = %s", withNonce.Body)
	}
}

func TestStartAssessmentPageEscapes(t *testing.T) {
	f := messageFixture(t)
	for _, uri := range []string{`https://lms.example/"><script>alert(1)</script>`, `https://lms.example/?x='onfocus='a`} {
		l, err := f.message(f.begin(), lti.MessageStartProctoring, object{lti.ClaimStartAssessmentURL: uri})
		if err != nil {
			wantReason(t, err, lti.ReasonClaimInvalid) // not even sealed
			continue
		}
		message, err := f.BuildStartAssessment(t.Context(), "local", launch.StartAssessmentRequest{Token: l.Proctoring.Token})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(message.Reply.Body, "alert(1)<") || strings.Contains(message.Reply.Body, "'onfocus") {
			t.Errorf("page = %s", message.Reply.Body)
		}
	}
}

func TestStartAssessmentRefuses(t *testing.T) {
	f := messageFixture(t)
	started := f.mustMessage(lti.MessageStartProctoring, nil)
	token := started.Proctoring.Token
	call := func(caller string, request launch.StartAssessmentRequest) error {
		_, err := f.BuildStartAssessment(t.Context(), caller, request)
		return err
	}
	tampered := []byte(token)
	tampered[len(tampered)/2] ^= 1
	other := messageFixture(t)
	other.config.Sealer = must(keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: t.TempDir() + "/keys", Create: true}))
	other.Validator = must(launch.New(other.config))
	foreign := other.mustMessage(lti.MessageStartProctoring, nil)
	long := strings.Repeat("x", 1025)
	for name, test := range map[string]struct {
		caller  string
		request launch.StartAssessmentRequest
		want    lti.Reason
	}{
		"no token":           {"local", launch.StartAssessmentRequest{}, lti.ReasonRequestInvalid},
		"long token":         {"local", launch.StartAssessmentRequest{Token: strings.Repeat("A", 192<<10+1)}, lti.ReasonParameterTooLong},
		"tampered token":     {"local", launch.StartAssessmentRequest{Token: string(tampered)}, lti.ReasonLaunchTokenInvalid},
		"token with a break": {"local", launch.StartAssessmentRequest{Token: token + "\n"}, lti.ReasonLaunchTokenInvalid},
		"another sidecar's":  {"local", launch.StartAssessmentRequest{Token: foreign.Proctoring.Token}, lti.ReasonLaunchTokenInvalid},
		"another caller":     {"other", launch.StartAssessmentRequest{Token: token}, lti.ReasonLaunchTokenInvalid},
		"launch token":       {"local", launch.StartAssessmentRequest{Token: started.Token}, lti.ReasonLaunchTokenInvalid},
		"CSP nonce":          {"local", launch.StartAssessmentRequest{Token: token, CSPNonce: `"><script>`}, lti.ReasonRequestInvalid},
		"long name":          {"local", launch.StartAssessmentRequest{Token: token, VerifiedUser: &launch.VerifiedUser{FullName: long}}, lti.ReasonRequestInvalid},
		"long picture":       {"local", launch.StartAssessmentRequest{Token: token, VerifiedUser: &launch.VerifiedUser{Picture: long}}, lti.ReasonRequestInvalid},
	} {
		wantReasonNamed(t, name, call(test.caller, test.request), test.want)
	}
	if _, _, err := f.CheckToken(t.Context(), "local", token); lti.ReasonOf(err) != lti.ReasonLaunchTokenInvalid && lti.ReasonOf(err) != lti.ReasonParameterTooLong {
		t.Errorf("a proctoring token as launch token: %v", err)
	}
	f.clock.set(start.Add(8*time.Hour - time.Second))
	wantReasonNamed(t, "just before the end", call("local", launch.StartAssessmentRequest{Token: token}), "")
	f.clock.set(start.Add(8 * time.Hour))
	wantReasonNamed(t, "at the end", call("local", launch.StartAssessmentRequest{Token: token}), lti.ReasonLaunchTokenExpired)
}

func TestStartAssessmentEndsWithItsDeployment(t *testing.T) {
	f := messageFixture(t)
	token := f.mustMessage(lti.MessageStartProctoring, nil).Proctoring.Token
	for want, change := range map[lti.Reason]func(*platform.Registration){
		lti.ReasonDeploymentUnknown:  func(r *platform.Registration) { r.Deployments = []string{"d2"} },
		lti.ReasonLaunchTokenInvalid: func(r *platform.Registration) { r.ClientID = "client-2" },
	} {
		later := f.sibling(change)
		_, err := later.BuildStartAssessment(t.Context(), "local", launch.StartAssessmentRequest{Token: token})
		wantReasonNamed(t, string(want), err, want)
	}
}
