// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestLaunchThroughABrowser(t *testing.T) {
	for _, name := range ProfileNames() {
		for _, method := range []string{"", "GET", "POST"} {
			t.Run(name+method, func(t *testing.T) {
				b := newBench(t, name, func(p *PlatformConfig, _ *Config) { p.LoginMethod = method })
				br := b.browser()
				page, err := br.Launch(context.Background(), b.click("student"))
				if err != nil {
					t.Fatal(err)
				}
				if page.Status != http.StatusOK || string(page.Body) != "welcome" || page.URL != b.tool.URL+"/home" {
					t.Fatalf("the launch ended at %s with %d %s", page.URL, page.Status, page.Body)
				}
				b.mu.Lock()
				posted := b.posted
				b.mu.Unlock()
				if posted.Get("state") != "state-1" || posted.Has("lti_storage_target") {
					t.Errorf("posted %v", posted)
				}
				tok := b.idToken(&Form{Fields: []Field{{"id_token", posted.Get("id_token")}}})
				for claim, want := range map[string]any{
					"iss": b.reg.Issuer, "sub": b.person("student").ID, "nonce": "nonce-1",
					ClaimDeployment: b.reg.DeploymentID, claimLTI + "version": "1.3.0",
					claimLTI + "message_type": "LtiResourceLinkRequest", claimLTI + "target_link_uri": b.tool.URL + "/launch",
				} {
					if tok.claims[claim] != want {
						t.Errorf("%s = %v, want %v", claim, tok.claims[claim], want)
					}
				}
				if !tok.audienceIs(b.reg.ClientID) {
					t.Errorf("aud = %v, want %v", tok.claims["aud"], b.reg.ClientID)
				}
				if n := b.platform().Hits()["authorize"]; n != 1 {
					t.Errorf("%d authentication requests were counted, want 1", n)
				}
				cookies, err := br.Cookies(b.tool.URL + "/launch")
				if err != nil || cookies != "tool_state=state-1" {
					t.Errorf("cookies for the tool: %q, %v", cookies, err)
				}
			})
		}
	}
}

func TestLoginInitiationFields(t *testing.T) {
	want := map[string][]string{
		"canvas": {"iss", "login_hint", "client_id", "lti_deployment_id", "target_link_uri", "lti_message_hint", "canvas_environment", "canvas_region", "lti_storage_target"},
		"moodle": {"iss", "target_link_uri", "login_hint", "lti_message_hint", "client_id", "lti_deployment_id"},
	}
	for name, fields := range want {
		for _, method := range []string{"", "GET"} {
			b := newBench(t, name, func(p *PlatformConfig, _ *Config) { p.LoginMethod = method })
			c := b.click("student")
			c.Storage = true
			form, err := b.browser().LoginInitiation(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range form.Fields {
				got = append(got, f.Name)
			}
			if !reflect.DeepEqual(got, fields) {
				t.Errorf("%s: fields %v, want %v", name, got, fields)
			}
			wantMethod := "POST"
			if method != "" {
				wantMethod = method
			}
			if form.Method != wantMethod || form.Action != b.tool.URL+"/login" {
				t.Errorf("%s: %s %s", name, form.Method, form.Action)
			}
			if form.Get("iss") != b.reg.Issuer || form.Get("client_id") != b.reg.ClientID || form.Get("lti_deployment_id") != b.reg.DeploymentID {
				t.Errorf("%s: %v", name, form.Fields)
			}
			hint := form.Get("lti_message_hint")
			if name == "moodle" && !json.Valid([]byte(hint)) {
				t.Errorf("moodle's hint is not JSON: %q", hint)
			}
			if name == "canvas" && (strings.Count(hint, ".") != 2 || len(hint) < 400) {
				t.Errorf("canvas's hint is no long JWT: %q", hint)
			}
		}
	}
}

func TestStorageIsOfferedAndServed(t *testing.T) {
	b := newBench(t, "canvas")
	c := b.click("student")
	c.Storage = true
	br := b.browser()
	login, err := br.LoginInitiation(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	form, err := br.Authorize(context.Background(), b.authURI(login.Values(), nil))
	if err != nil {
		t.Fatal(err)
	}
	frame := login.Get("lti_storage_target")
	if frame == "" || form.Get("lti_storage_target") != frame {
		t.Fatalf("login says %q, launch says %q", frame, form.Get("lti_storage_target"))
	}
	_, _, course := b.get(b.platform().URL()+"/course", nil)
	if !strings.Contains(string(course), `name="`+frame+`"`) {
		t.Error("the course page has no frame of that name")
	}
	status, _, page := b.get(b.platform().URL()+"/"+frame, nil)
	if status != http.StatusOK || !strings.Contains(string(page), "lti.put_data") {
		t.Errorf("the frame's page: %d", status)
	}
	none := newBench(t, "canvas", func(p *PlatformConfig, _ *Config) { p.NoStorage = true })
	login, err = none.browser().LoginInitiation(context.Background(), Click{Platform: "canvas", Tool: "quiz", Storage: true})
	if err != nil {
		t.Fatal(err)
	}
	if login.Get("lti_storage_target") != "" {
		t.Error("storage is offered though switched off")
	}
	if _, _, course := none.get(none.platform().URL()+"/course", nil); strings.Contains(string(course), frame) {
		t.Error("the frame is there though switched off")
	}
}

func TestAuthRequestRules(t *testing.T) {
	cases := []struct {
		platform, name string
		change         map[string]string
		user           string // signed in as; empty: the student who clicked
		code, text     string // OIDC error
		page           int    // status of an error page
	}{
		{platform: "canvas", name: "good"},
		{platform: "canvas", name: "no state", change: map[string]string{"state": ""}},
		{platform: "canvas", name: "prompt missing", change: map[string]string{"prompt": ""}, code: "invalid_request_object", text: "The following parameters are missing: prompt"},
		{platform: "canvas", name: "two missing", change: map[string]string{"response_mode": "", "nonce": ""}, code: "invalid_request_object", text: "The following parameters are missing: nonce,response_mode"},
		{platform: "canvas", name: "client id missing", change: map[string]string{"client_id": ""}, code: "invalid_request_object", text: "The following parameters are missing: client_id"},
		{platform: "canvas", name: "scope", change: map[string]string{"scope": "openid email"}, code: "invalid_request_object", text: "The 'scope' must be 'openid'"},
		{platform: "canvas", name: "wrong user", user: "teacher", code: "login_required", text: "The user is not logged in"},
		{platform: "canvas", name: "wrong login hint", change: map[string]string{"login_hint": "x"}, code: "login_required", text: "The user is not logged in"},
		{platform: "canvas", name: "unknown client", change: map[string]string{"client_id": "10000000009999"}, page: 400},
		{platform: "canvas", name: "foreign redirect", change: map[string]string{"redirect_uri": "https://localhost/evil"}, page: 400},
		{platform: "canvas", name: "forged hint", change: map[string]string{"lti_message_hint": "a.b.c"}, page: 400},
		{platform: "canvas", name: "redirect with a query", change: map[string]string{"redirect_uri": "+?x=1"}},
		{platform: "moodle", name: "good"},
		{platform: "moodle", name: "no prompt", change: map[string]string{"prompt": ""}},
		{platform: "moodle", name: "prompt login", change: map[string]string{"prompt": "login"}, code: "invalid_request", text: "Invalid prompt"},
		{platform: "moodle", name: "no response_mode", change: map[string]string{"response_mode": ""}, code: "invalid_request", text: "Invalid response_mode"},
		{platform: "moodle", name: "wrong client", change: map[string]string{"client_id": "x"}, code: "unauthorized_client"},
		{platform: "moodle", name: "wrong login hint", change: map[string]string{"login_hint": "12"}, code: "access_denied"},
		{platform: "moodle", name: "no scope", change: map[string]string{"scope": ""}, page: 404},
		{platform: "moodle", name: "more scope", change: map[string]string{"scope": "openid email"}, page: 404},
		{platform: "moodle", name: "response_type", change: map[string]string{"response_type": "code"}, page: 404},
		{platform: "moodle", name: "no nonce", change: map[string]string{"nonce": ""}, page: 404},
		{platform: "moodle", name: "no hint", change: map[string]string{"lti_message_hint": ""}, page: 404},
		{platform: "moodle", name: "unknown hint", change: map[string]string{"lti_message_hint": `{"cmid":501,"launchid":"ltilaunch57_1"}`}, page: 404},
		{platform: "moodle", name: "redirect with a query", change: map[string]string{"redirect_uri": "+?x=1"}, page: 404},
		{platform: "moodle", name: "wrong user", user: "teacher", page: 404},
	}
	benches := map[string]*bench{"canvas": newBench(t, "canvas"), "moodle": newBench(t, "moodle")}
	for _, c := range cases {
		t.Run(c.platform+"/"+c.name, func(t *testing.T) {
			b := benches[c.platform]
			br, login := b.login("student")
			if c.user != "" {
				if _, err := br.LoginInitiation(context.Background(), b.click(c.user)); err != nil {
					t.Fatal(err)
				}
			}
			if rest, ok := strings.CutPrefix(c.change["redirect_uri"], "+"); ok {
				c.change["redirect_uri"] = b.tool.URL + "/launch" + rest
			}
			form, err := br.Authorize(context.Background(), b.authURI(login, c.change))
			var pe *PageError
			switch {
			case errors.As(err, &pe):
				if pe.Page.Status != c.page {
					t.Fatalf("page %d, want %d: %s", pe.Page.Status, c.page, pe.Page.Body)
				}
			case err != nil:
				t.Fatal(err)
			case c.page != 0:
				t.Fatalf("a form came instead of a page: %v", form.Fields)
			default:
				if form.Get("error") != c.code || form.Get("error_description") != c.text {
					t.Fatalf("error %q %q, want %q %q", form.Get("error"), form.Get("error_description"), c.code, c.text)
				}
				if (c.code == "") != (form.Get("id_token") != "") {
					t.Errorf("fields %v", form.Fields)
				}
				if _, changed := c.change["state"]; !changed && form.Get("state") != "state-1" {
					t.Errorf("state %q", form.Get("state"))
				}
			}
		})
	}
}

func TestAuthRequestIsOneShot(t *testing.T) {
	for _, name := range ProfileNames() {
		b := newBench(t, name)
		br, login := b.login("student")
		if _, err := br.Authorize(context.Background(), b.authURI(login, nil)); err != nil {
			t.Fatal(err)
		}
		form, err := br.Authorize(context.Background(), b.authURI(login, nil))
		switch name {
		case "canvas":
			if err != nil || form.Get("error") != "launch_no_longer_valid" {
				t.Errorf("second request: %v, %v", form, err)
			}
			br, login = b.login("student")
			b.clock.add(5*time.Minute + time.Second)
			form, err = br.Authorize(context.Background(), b.authURI(login, nil))
			if err != nil || form.Get("error") != "launch_no_longer_valid" {
				t.Errorf("late request: %v, %v", form, err)
			}
		case "moodle":
			var pe *PageError
			if !errors.As(err, &pe) || pe.Page.Status != http.StatusNotFound {
				t.Errorf("second request: %v, %v", form, err)
			}
		}
	}
}

func TestWithoutTheSessionCookie(t *testing.T) {
	b := newBench(t, "moodle")
	_, login := b.login("student")
	status, _, body := b.get(b.authURI(login, nil), nil)
	form := autoForm(body)
	if status != http.StatusOK || form == nil || form.Get("repost") != "true" || form.Get("nonce") != "nonce-1" {
		t.Fatalf("Moodle does not ask to post once more: %d %s", status, body)
	}
	status, _, _ = b.do(http.MethodPost, form.Action, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form.encode()))
	if status != http.StatusNotFound {
		t.Errorf("reposted without a session: %d", status)
	}
	br, login := b.login("student")
	page, err := br.submit(context.Background(), &Form{Method: "POST", Action: b.reg.AuthorizationURI, Fields: fieldsOf(b.authURI(login, nil))}, "cross-site", false)
	if err != nil {
		t.Fatal(err)
	}
	if form := autoForm(page.Body); form == nil || form.Get("id_token") == "" {
		t.Errorf("POST to the authorization endpoint: %d %s", page.Status, page.Body)
	}
}

func fieldsOf(uri string) []Field {
	u, err := url.Parse(uri)
	if err != nil {
		panic(err)
	}
	var f []Field
	for k, v := range u.Query() {
		f = append(f, Field{k, v[0]})
	}
	return f
}

func TestMoodleStripsTags(t *testing.T) {
	b := newBench(t, "moodle")
	br, login := b.login("student")
	form, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"nonce": "x<b>y", "state": `s<i>é"+%`}))
	if err != nil {
		t.Fatal(err)
	}
	if n := b.idToken(form).claims["nonce"]; n != "xy" || form.Get("state") != `sé"+%` {
		t.Errorf("nonce %q, state %q", n, form.Get("state"))
	}
}

func TestClaimShapes(t *testing.T) {
	b := newBench(t, "canvas")
	tok := b.idToken(b.launch("student"))
	iat, _ := tok.seconds("iat")
	exp, _ := tok.seconds("exp")
	if exp-iat != 3600 || tok.claims["azp"] != b.reg.ClientID || b.reg.Issuer != "https://canvas.instructure.com" {
		t.Errorf("canvas: life %d, azp %v, iss %s", exp-iat, tok.claims["azp"], b.reg.Issuer)
	}
	endpoint := tok.claims[claimAGS].(map[string]any)
	if v, there := endpoint["validation_context"]; !there || v != nil || endpoint["errors"] == nil {
		t.Errorf("canvas: no artefacts in %v", endpoint)
	}
	if endpoint["lineitem"] != b.reg.LineItemURI || strings.Contains(b.reg.LineItemURI, "?") {
		t.Errorf("canvas: line item %v", endpoint["lineitem"])
	}
	if v, there := tok.claims[claimLTI+"resource_link"].(map[string]any)["description"]; !there || v != nil {
		t.Error("canvas: the description is not null")
	}
	anonymous := b.idToken(b.launch("anonymous"))
	if _, there := anonymous.claims["sub"]; there || anonymous.claims[claimLTI+"lti11_legacy_user_id"] != "" {
		t.Error("canvas: an anonymous launch has a sub, or a legacy id")
	}

	m := newBench(t, "moodle")
	tok = m.idToken(m.launch("ta"))
	iat, _ = tok.seconds("iat")
	exp, _ = tok.seconds("exp")
	if exp-iat != 60 || tok.claims["azp"] != nil || m.reg.Issuer != m.sim.URL()+"/moodle" {
		t.Errorf("moodle: life %d, azp %v, iss %s", exp-iat, tok.claims["azp"], m.reg.Issuer)
	}
	if got := tok.claims[claimLTI+"context"].(map[string]any)["type"]; !reflect.DeepEqual(got, []any{"CourseSection"}) {
		t.Errorf("moodle: context type %v", got)
	}
	if tok.claims[claimLTI+"lis"].(map[string]any)["person_sourcedid"] != "" || tok.claims[claimOutcome] == nil || tok.claims[claimLTI+"ext"] == nil {
		t.Error("moodle: lis, outcome or ext is not as it should be")
	}
	if got := tok.claims[claimLTI+"roles"]; !reflect.DeepEqual(got, []any{roleMember + "Instructor"}) {
		t.Errorf("moodle: a non-editing teacher has %v", got)
	}
	if uri, _ := tok.claims[claimAGS].(map[string]any)["lineitem"].(string); !strings.HasSuffix(uri, "/lineitem?type_id=3") {
		t.Errorf("moodle: line item %q", uri)
	}
}

func TestFaults(t *testing.T) {
	b := newBench(t, "canvas")
	first := b.launch("student")
	good := b.idToken(first)
	iatOf := func(tok *jwt) int64 { n, _ := tok.seconds("iat"); return n }
	now := b.clock.now().Unix()
	parse := func(f *Form) *jwt {
		tok, err := parseJWT(f.Get("id_token"))
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	claim := func(name string, want any) func(*Form) bool {
		return func(f *Form) bool { return b.idToken(f).claims[name] == want }
	}
	cases := map[Fault]struct {
		value string
		check func(*Form) bool
	}{
		FaultExpired:         {"", func(f *Form) bool { exp, _ := b.idToken(f).seconds("exp"); return exp < now }},
		FaultClockAhead:      {"90s", func(f *Form) bool { return iatOf(b.idToken(f)) == now+90 }},
		FaultClockBehind:     {"", func(f *Form) bool { return iatOf(b.idToken(f)) == now-7200 }},
		FaultWrongIssuer:     {"", claim("iss", "https://somebody-else.example.org")},
		FaultWrongAudience:   {"", claim("aud", "another-tool")},
		FaultAlteredNonce:    {"", claim("nonce", "nonce-2")},
		FaultReusedNonce:     {"", claim("nonce", "nonce-1")},
		FaultUnknownKid:      {"", func(f *Form) bool { return parse(f).header["kid"] != good.header["kid"] }},
		FaultMissingKid:      {"", func(f *Form) bool { return parse(f).header["kid"] == nil }},
		FaultBadSignature:    {"", func(f *Form) bool { return parse(f).verify(&b.platform().signingKey(nil).key.PublicKey) != nil }},
		FaultAlgNone:         {"", func(f *Form) bool { return strings.HasSuffix(f.Get("id_token"), ".") }},
		FaultWrongDeployment: {"", func(f *Form) bool { return b.idToken(f).claims[ClaimDeployment] != b.reg.DeploymentID }},
		FaultMissingClaim:    {"nonce", func(f *Form) bool { _, there := b.idToken(f).claims["nonce"]; return !there }},
		FaultReplayedForm:    {"", func(f *Form) bool { return reflect.DeepEqual(f.Fields, first.Fields) }},
		FaultWrongState:      {"", func(f *Form) bool { return f.Get("state") == "state-2" }},
		FaultMissingState:    {"", func(f *Form) bool { return len(f.Fields) == 1 }},
		FaultLaunchError:     {"access_denied", func(f *Form) bool { return f.Get("error") == "access_denied" && f.Get("state") == "state-1" }},
	}
	// The replay first: it repeats the launch before it.
	order := []Fault{FaultReplayedForm}
	for _, i := range faultTable {
		if i.Launch && i.Fault != FaultReplayedForm {
			order = append(order, i.Fault)
		}
	}
	for _, fault := range order {
		c, ok := cases[fault]
		if !ok {
			t.Errorf("fault %s has no test", fault)
			continue
		}
		if err := b.platform().SetFault(FaultSetting{Fault: fault, Value: c.value}); err != nil {
			t.Fatal(err)
		}
		if f := b.launch("student"); !c.check(f) {
			t.Errorf("fault %s did not strike: %v", fault, f.Fields)
		}
		if left := b.platform().Faults(); len(left) > 0 {
			t.Errorf("fault %s is still on: %v", fault, left)
		}
		b.idToken(b.launch("student")) // and the next launch is good again
	}
	if err := b.platform().SetFault(FaultSetting{Fault: FaultWrongState, Sticky: true}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if s := b.launch("student").Get("state"); s != "state-2" {
			t.Errorf("a sticky fault went away: state %q", s)
		}
	}
	b.platform().ClearFaults()
	if s := b.launch("student").Get("state"); s != "state-1" {
		t.Errorf("a cleared fault is still on: state %q", s)
	}
	if err := b.platform().SetFault(FaultSetting{Fault: "nonsense"}); err == nil {
		t.Error("an unknown fault was taken")
	}
}

func TestReusedNonceIsTheOneBefore(t *testing.T) {
	b := newBench(t, "moodle")
	br, login := b.login("student")
	if _, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"nonce": "nonce-before"})); err != nil {
		t.Fatal(err)
	}
	if err := b.platform().SetFault(FaultSetting{Fault: FaultReusedNonce}); err != nil {
		t.Fatal(err)
	}
	if n := b.idToken(b.launch("student")).claims["nonce"]; n != "nonce-before" {
		t.Errorf("nonce %v", n)
	}
}
