// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// REQ-013 REQ-014 REQ-015 REQ-016 REQ-017 REQ-018 REQ-019 REQ-020 REQ-021
func TestAuthRequest(t *testing.T) {
	f := newFixture(t)
	hint := `{"cmid":1,"launchid":"a+b%2B=é"}`
	l := f.begin("lti_message_hint", hint, "canvas_region", "us-east-1")
	for name, want := range map[string]string{
		"tool": "7", "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none", "client_id": clientID,
		"redirect_uri": launchURI, "login_hint": "user 1+2", "lti_message_hint": hint, "state": l.state,
	} {
		if got := l.query.Get(name); got != want || len(l.query[name]) != 1 {
			t.Errorf("%s = %q, want %q", name, l.query[name], want)
		}
	}
	if l.reply.Status != 302 || l.nonce == l.state || len(l.nonce) != 22 || l.query.Has("canvas_region") || len(l.cookies) != 2 {
		t.Errorf("status %d, nonce %q, cookies %q", l.reply.Status, l.nonce, l.cookies)
	}
	for _, header := range l.reply.Headers {
		switch header.Name {
		case "Set-Cookie":
			for _, attribute := range []string{"; Path=/", "; Secure", "; HttpOnly", "; SameSite=None", "; Max-Age=600"} {
				if !strings.Contains(header.Value, attribute) {
					t.Errorf("cookie %q lacks %q", header.Value, attribute)
				}
			}
		case "X-Frame-Options", "Cross-Origin-Opener-Policy":
			t.Errorf("%s blanks frames", header.Name)
		}
	}
	second := f.begin()
	if second.state == l.state || second.nonce == l.nonce || second.cookies[0] == l.cookies[0] {
		t.Error("two logins share a state, a nonce or a secret")
	}
	if plain, _, _ := strings.Cut(l.query.Encode(), "#"); strings.Contains(must(url.Parse(plain)).Path, " ") {
		t.Error("unreachable")
	}
}

func TestLoginRejects(t *testing.T) {
	f := newFixture(t)
	without := func(name string) []launch.Parameter {
		var kept []launch.Parameter
		for _, p := range initiation() {
			if p.Name != name {
				kept = append(kept, p)
			}
		}
		return kept
	}
	with := func(name, value string) []launch.Parameter {
		return append(without(name), launch.Parameter{Name: name, Value: value})
	}
	for _, test := range []struct {
		name    string
		request launch.AuthRequest
		want    lti.Reason
	}{
		{"no iss", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: without("iss")}}, lti.ReasonParameterMissing},
		{"no login_hint", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: without("login_hint")}}, lti.ReasonParameterMissing},
		{"no target", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: without("target_link_uri")}}, lti.ReasonParameterMissing},
		{"unknown iss", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("iss", "https://other.example")}}, lti.ReasonIssuerUnknown},
		{"almost the iss", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("iss", "http://LMS.example/")}}, lti.ReasonIssuerUnknown},
		{"unknown client", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("client_id", "client-2")}}, lti.ReasonClientIDUnknown},
		{"foreign target", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("target_link_uri", "https://evil.example/")}}, lti.ReasonTargetLinkURINotAllowed},
		{"iss twice", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: append(initiation(), launch.Parameter{Name: "iss", Value: issuer})}}, lti.ReasonParameterRepeated},
		{"long hint", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("login_hint", strings.Repeat("x", 8193))}}, lti.ReasonParameterTooLong},
		{"unlisted launch URI", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: initiation()}, LaunchURI: "https://tool.example/lti/launch/"}, lti.ReasonLaunchURINotListed},
		{"unknown registration", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: initiation()}, Registration: "x"}, lti.ReasonRegistrationUnknown},
		{"registration of another iss", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("iss", "https://other.example")}, Registration: "lms"}, lti.ReasonIssuerUnknown},
		{"registration of another client", launch.AuthRequest{Browser: launch.BrowserRequest{Parameters: with("client_id", "client-2")}, Registration: "lms"}, lti.ReasonClientIDUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.request.Browser.Method = "POST"
			_, err := f.BuildAuthRequest(t.Context(), "local", test.request)
			refusal := wantReason(t, err, test.want)
			if test.name == "almost the iss" && refusal.Metadata["expected"] != issuer {
				t.Errorf("metadata = %v", refusal.Metadata)
			}
		})
	}
	_, err := f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "PUT", Parameters: initiation()}})
	wantReason(t, err, lti.ReasonMethodNotAllowed)
}

func TestSeveralRegistrationsOfOneIssuer(t *testing.T) {
	registration := func(name, client string) platform.Registration {
		return platform.Registration{
			Name: name, Issuer: issuer, ClientID: client, Deployments: []string{"d1"}, AuthorizationURI: "https://lms.example/auth",
			JWKSURI: "https://lms.example/jwks", LaunchURIs: []string{launchURI},
		}
	}
	f := newFixtureOf(t, registration("one", clientID), registration("two", "client-2"))
	anonymous := parameters("iss", issuer, "login_hint", "u", "target_link_uri", target)
	_, err := f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "GET", Parameters: anonymous}})
	wantReason(t, err, lti.ReasonRegistrationAmbiguous)
	l := f.beginWith(launch.AuthRequest{Browser: launch.BrowserRequest{Method: "GET", Parameters: anonymous}, Registration: "one"})
	_, err = f.validate(request(l, sign(f.claims(l, map[string]any{"aud": "client-2"}))))
	wantReason(t, err, lti.ReasonAudienceMismatch) // a token of the second registration with the first one's state
	if _, err := f.validate(request(l, sign(f.claims(l, nil)))); err != nil {
		t.Error(err)
	}
}

// REQ-020 REQ-028 REQ-029
func TestBinding(t *testing.T) {
	f := newFixture(t)
	token := func(l *login) string { return sign(f.claims(l, nil)) }

	t.Run("either cookie counts", func(t *testing.T) {
		for i, want := range []launch.Binding{launch.BindingCookie, launch.BindingPartitionedCookie} {
			l := f.begin()
			sent := request(l, token(l))
			sent.Browser.CookieHeader = "other=1; " + l.cookies[i]
			outcome, err := f.validate(sent)
			if err != nil || outcome.Launch.Binding != want {
				t.Errorf("%s: %+v, %v", want, outcome, err)
			}
		}
	})
	t.Run("parallel logins do not meet", func(t *testing.T) {
		first, second, third := f.begin(), f.begin(), f.begin()
		all := strings.Join(append(append(first.cookies, second.cookies...), third.cookies...), "; ")
		for _, l := range []*login{second, third, first} {
			sent := request(l, token(l))
			sent.Browser.CookieHeader = all
			if _, err := f.validate(sent); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("without cookies a new window is offered", func(t *testing.T) {
		l := f.begin("lti_message_hint", "hint&1")
		sent := request(l, token(l))
		sent.Browser.CookieHeader = "session=1"
		sent.Browser.SecFetchStorageAccess = "none"
		_, err := f.validate(sent)
		refusal := wantReason(t, err, lti.ReasonBindingMissing)
		if refusal.Metadata["sec_fetch_storage_access"] != "none" || refusal.Metadata["sec_fetch_dest"] != "iframe" {
			t.Errorf("metadata = %v", refusal.Metadata)
		}
		restart := err.(*launch.Refusal).RestartURI
		query := must(url.Parse(restart)).Query()
		if !strings.HasPrefix(restart, "https://tool.example/lti/login?") || query.Get("lti_message_hint") != "hint&1" || query.Get("login_hint") != "user 1+2" {
			t.Errorf("restart = %q", restart)
		}
		page := launch.RefusalReply(refusal, "id-1", restart, "")
		if !strings.Contains(page.Body, `target="_blank"`) || !strings.Contains(page.Body, "id-1") {
			t.Errorf("page = %s", page.Body)
		}
		if _, err := f.validate(request(l, token(l))); err != nil {
			t.Errorf("the refused launch used the login up: %v", err)
		}
	})
	t.Run("no new window where a login's hint is good once", func(t *testing.T) {
		f := newFixture(t, func(r *platform.Registration) { r.Dialect = "moodle" })
		l := f.begin()
		sent := request(l, sign(f.claims(l, nil)))
		sent.Browser.CookieHeader = ""
		_, err := f.validate(sent)
		refusal := wantReason(t, err, lti.ReasonBindingMissing)
		if restart := err.(*launch.Refusal).RestartURI; restart != "" {
			t.Errorf("restart = %q", restart)
		}
		if page := launch.RefusalReply(refusal, "id-1", "", ""); strings.Contains(page.Body, "<a ") || !strings.Contains(page.Body, "from your course") {
			t.Errorf("page = %s", page.Body)
		}
	})
	t.Run("another browser's cookie", func(t *testing.T) {
		mine, others := f.begin(), f.begin()
		sent := request(mine, token(mine))
		sent.Browser.CookieHeader = strings.Join(others.cookies, "; ")
		_, err := f.validate(sent)
		wantReason(t, err, lti.ReasonBindingMissing)
		name, _, _ := strings.Cut(mine.cookies[0], "=")
		_, value, _ := strings.Cut(others.cookies[0], "=")
		sent.Browser.CookieHeader = name + "=" + value
		_, err = f.validate(sent)
		wantReason(t, err, lti.ReasonBindingMismatch)
	})
}

// REQ-238 REQ-242 REQ-243
func TestPlatformStorage(t *testing.T) {
	f := newFixture(t)
	l := f.begin("lti_storage_target", "platform_storage")
	if l.reply.Status != 200 || !strings.Contains(l.reply.Body, `"target":"platform_storage"`) || !strings.Contains(l.reply.Body, `"origin":"https://lms.example"`) || len(l.cookies) != 2 {
		t.Fatalf("reply = %+v", l.reply)
	}
	_, secret, _ := strings.Cut(l.cookies[0], "=")
	if !strings.Contains(l.reply.Body, secret) {
		t.Error("the page does not put the secret into the storage")
	}
	token := sign(f.claims(l, nil))
	bare := request(l, token)
	bare.Browser.CookieHeader = ""
	outcome, err := f.validate(bare)
	if err != nil || outcome.Step == nil || outcome.Launch != nil {
		t.Fatalf("outcome %+v, error %v", outcome, err)
	}
	for _, want := range []string{token, l.state, "lti_storage_proof"} {
		if !strings.Contains(outcome.Step.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(outcome.Step.Body, secret) {
		t.Error("the page gives the secret away")
	}
	proof := func(value, site, origin string) (*launch.Outcome, error) {
		sent := request(l, token, "lti_storage_proof", value)
		sent.Browser.CookieHeader, sent.Browser.SecFetchSite, sent.Browser.Origin = "", site, origin
		return f.validate(sent)
	}
	_, err = proof("", "same-origin", "")
	wantReason(t, err, lti.ReasonBindingMissing)
	_, err = proof("0.wrong", "same-origin", "")
	wantReason(t, err, lti.ReasonBindingMismatch)
	for _, site := range []string{"cross-site", "same-site", "none"} {
		_, err = proof(secret, site, "https://tool.example")
		wantReason(t, err, lti.ReasonBindingMissing)
	}
	for _, origin := range []string{"", "null", "https://lms.example", "https://tool.example.evil.example"} {
		_, err = proof(secret, "", origin)
		wantReason(t, err, lti.ReasonBindingMissing)
	}
	outcome, err = proof(secret, "", "https://tool.example")
	if err != nil || outcome.Launch.Binding != launch.BindingPlatformStorage {
		t.Errorf("outcome %+v, error %v", outcome, err)
	}
}

// REQ-240
func TestStorageTargetIsSanitized(t *testing.T) {
	f := newFixture(t)
	for target, offered := range map[string]bool{
		"_parent": true, "lti_storage_frame": true, "a.b-C_9": true,
		"": false, "top": false, "SELF": false, "__proto__": false, "_blank": false, "a b": false, `"><script>`: false, strings.Repeat("x", 65): false,
	} {
		if l := f.begin("lti_storage_target", target); (l.reply.Status == 200) != offered {
			t.Errorf("%q: status %d", target, l.reply.Status)
		}
	}
}

// REQ-241
func TestPagesAreEscaped(t *testing.T) {
	f := newFixture(t)
	l := f.begin("lti_storage_target", "_parent", "lti_message_hint", `</script><script>alert(1)</script>`)
	if strings.Count(l.reply.Body, "<script") != 2 || strings.Contains(l.reply.Body, "alert(1)</script>") {
		t.Errorf("body = %s", l.reply.Body)
	}
	sent := request(l, `</script><b>"'`)
	sent.Browser.CookieHeader = ""
	outcome, err := f.validate(sent)
	if err != nil || strings.Contains(outcome.Step.Body, "</script><b>") {
		t.Errorf("step = %+v, error %v", outcome, err)
	}
	sent.Browser.CSPNonce = "abc123=="
	outcome, err = f.validate(sent)
	if err != nil {
		t.Fatal(err)
	}
	policy := ""
	for _, header := range outcome.Step.Headers {
		if header.Name == "Content-Security-Policy" {
			policy = header.Value
		}
	}
	if !strings.Contains(policy, "'nonce-abc123=='") || !strings.Contains(policy, "form-action 'self'") || strings.Count(outcome.Step.Body, `nonce="abc123=="`) != 2 {
		t.Errorf("policy %q, body %s", policy, outcome.Step.Body)
	}
}

func TestOldLoginCookiesAreDeleted(t *testing.T) {
	f := newFixture(t)
	var cookies []string
	for range 12 {
		f.clock.set(f.clock.Now().Add(time.Second))
		cookies = append(cookies, f.begin().cookies...)
	}
	deletions := func(header string) []string {
		reply, err := f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", Parameters: initiation(), CookieHeader: header}})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, h := range reply.Reply.Headers {
			if h.Name == "Set-Cookie" && strings.Contains(h.Value, "Max-Age=0") {
				name, _, _ := strings.Cut(h.Value, "=")
				names = append(names, name)
			}
		}
		return names
	}
	got := deletions(strings.Join(cookies, "; "))
	if len(got) != 10 { // five of twelve pairs: the newest seven and the new one stay
		t.Fatalf("deleted %q", got)
	}
	for _, kept := range cookies[10:] {
		for _, name := range got {
			if strings.HasPrefix(kept, name+"=") {
				t.Errorf("deleted %s, which is one of the newest", name)
			}
		}
	}
	if got := deletions(strings.Join(cookies[:14], "; ")); len(got) != 0 {
		t.Errorf("deleted %q of seven", got)
	}
	var forged []string
	for i := range 200 {
		forged = append(forged, fmt.Sprintf("__Host-lti-%07x;=x; __Host-lti-zzzzzzz%d=1", i, i%10))
	}
	if got := deletions(strings.Join(forged, "; ")); len(got) > 20 {
		t.Errorf("%d deletions in one answer", len(got))
	}
}
