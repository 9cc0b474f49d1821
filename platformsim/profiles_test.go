// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const uuidPattern = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

func with(change func(*PlatformConfig)) func(*PlatformConfig, *Config) {
	return func(p *PlatformConfig, _ *Config) { change(p) }
}

func TestFurtherLoginInitiations(t *testing.T) {
	for name, want := range map[string]struct {
		method string
		fields []string
		hint   string // pattern of login_hint
		second string // pattern of lti_message_hint; empty: there is none
	}{
		"brightspace": {"POST", []string{"iss", "login_hint", "target_link_uri", "lti_deployment_id", "client_id", "lti_message_hint"}, uuidPattern + `_171`, uuidPattern},
		"blackboard":  {"GET", []string{"iss", "login_hint", "target_link_uri", "lti_message_hint", "lti_deployment_id", "client_id", "lti_storage_target"}, `.{80,}`, `[0-9a-f]{96}`},
		"sakai":       {"GET", []string{"iss", "login_hint", "lti_storage_target", "client_id", "lti_deployment_id", "target_link_uri"}, `[\w-]{40,}`, ""},
		"openedx":     {"GET", []string{"iss", "client_id", "lti_deployment_id", "target_link_uri", "login_hint", "lti_message_hint"}, uuidPattern, `[0-9a-f]{64}`},
		"schoology":   {"GET", []string{"iss", "target_link_uri", "login_hint", "lti_message_hint", "client_id"}, `1234567890-\d{10}`, uuidPattern},
	} {
		b := newBench(t, name)
		click := b.click("student")
		click.Storage = true
		form, err := b.browser().LoginInitiation(context.Background(), click)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range form.Fields {
			names = append(names, f.Name)
		}
		if form.Method != want.method || !reflect.DeepEqual(names, want.fields) {
			t.Errorf("%s: %s with %v, want %s with %v", name, form.Method, names, want.method, want.fields)
		}
		for field, pattern := range map[string]string{"login_hint": want.hint, "lti_message_hint": want.second} {
			if !regexp.MustCompile(`^` + pattern + `$`).MatchString(form.Get(field)) {
				t.Errorf("%s: %s %q does not match %s", name, field, form.Get(field), pattern)
			}
		}
		bare := newBench(t, name, with(func(p *PlatformConfig) { p.NoLoginClient = true }))
		_, login := bare.login("student")
		if login.Has("client_id") || login.Has("lti_deployment_id") || !login.Has("login_hint") {
			t.Errorf("%s: fields %v, want no client", name, login)
		}
	}
}

func TestFurtherAuthRequestRules(t *testing.T) {
	none := func(name string) map[string]string { return map[string]string{name: ""} }
	other := func(name, value string) map[string]string { return map[string]string{name: value} }
	cases := []struct {
		platform, name string
		change         map[string]string
		user           string // signed in instead of the student who clicked
		status         int    // of the page; zero: a launch
	}{
		{platform: "brightspace", name: "good"},
		{platform: "brightspace", name: "no state", change: none("state"), status: 404},
		{platform: "brightspace", name: "no nonce", change: none("nonce"), status: 404},
		{platform: "brightspace", name: "no prompt", change: none("prompt"), status: 404},
		{platform: "brightspace", name: "no response_mode", change: none("response_mode"), status: 404},
		{platform: "brightspace", name: "no message hint", change: none("lti_message_hint"), status: 404},
		{platform: "brightspace", name: "part of a redirect", change: other("redirect_uri", "-"), status: 404},
		{platform: "brightspace", name: "other client", change: other("client_id", "x"), status: 404},
		{platform: "brightspace", name: "other user", user: "teacher", status: 404},
		{platform: "brightspace", name: "hint altered", change: other("login_hint", "x"), status: 404},
		{platform: "blackboard", name: "good"},
		{platform: "blackboard", name: "no prompt", change: none("prompt")},
		{platform: "blackboard", name: "no response_mode", change: none("response_mode")},
		{platform: "blackboard", name: "no state", change: none("state")},
		{platform: "blackboard", name: "message hint altered", change: other("lti_message_hint", "x"), status: 400},
		{platform: "blackboard", name: "login hint altered", change: other("login_hint", "x"), status: 400},
		{platform: "blackboard", name: "foreign redirect", change: other("redirect_uri", "https://localhost/evil"), status: 400},
		{platform: "sakai", name: "good"},
		{platform: "sakai", name: "no client_id, prompt, scope", change: map[string]string{"client_id": "", "prompt": "", "scope": "", "response_mode": ""}},
		{platform: "sakai", name: "no state", change: none("state"), status: 400},
		{platform: "sakai", name: "no nonce", change: none("nonce"), status: 400},
		{platform: "sakai", name: "no login_hint", change: none("login_hint"), status: 400},
		{platform: "sakai", name: "no redirect_uri", change: none("redirect_uri"), status: 500},
		{platform: "sakai", name: "login_hint of nothing", change: other("login_hint", "eA"), status: 400},
		{platform: "openedx", name: "good"},
		{platform: "openedx", name: "no scope, prompt, response_type", change: map[string]string{"scope": "", "prompt": "", "response_type": "", "response_mode": ""}},
		{platform: "openedx", name: "no state", change: none("state"), status: 400},
		{platform: "openedx", name: "no nonce", change: none("nonce"), status: 400},
		{platform: "openedx", name: "other client", change: other("client_id", "x"), status: 400},
		{platform: "openedx", name: "part of a redirect", change: other("redirect_uri", "-"), status: 400},
		{platform: "openedx", name: "unknown hint", change: other("lti_message_hint", "x"), status: 400},
		{platform: "schoology", name: "good"},
		{platform: "schoology", name: "no state", change: none("state")},
		{platform: "schoology", name: "foreign redirect", change: other("redirect_uri", "https://localhost/evil"), status: 400},
		{platform: "schoology", name: "other client", change: other("client_id", "x"), status: 400},
		{platform: "schoology", name: "other user", user: "teacher", status: 400},
	}
	benches := map[string]*bench{}
	for _, c := range cases {
		if benches[c.platform] == nil {
			benches[c.platform] = newBench(t, c.platform)
		}
	}
	for _, c := range cases {
		t.Run(c.platform+"/"+c.name, func(t *testing.T) {
			b := benches[c.platform]
			br, login := b.login("student")
			if c.user != "" {
				if _, err := br.LoginInitiation(context.Background(), b.click(c.user)); err != nil {
					t.Fatal(err)
				}
			}
			if c.change["redirect_uri"] == "-" {
				c.change["redirect_uri"] = strings.TrimSuffix(b.tool.URL+"/launch", "h")
			}
			form, err := br.Authorize(context.Background(), b.authURI(login, c.change))
			var pe *PageError
			switch {
			case errors.As(err, &pe):
				if pe.Page.Status != c.status {
					t.Errorf("status %d, want %d: %s", pe.Page.Status, c.status, pe.Page.Body)
				}
				if c.platform == "sakai" && c.status == 400 && !json.Valid(pe.Page.Body) {
					t.Errorf("no JSON: %s", pe.Page.Body)
				}
			case err != nil:
				t.Fatal(err)
			case c.status != 0:
				t.Errorf("a launch came, want status %d", c.status)
			default:
				b.idToken(form)
			}
		})
	}
}

func TestSakaiMissingStateText(t *testing.T) {
	b := newBench(t, "sakai")
	br, login := b.login("student")
	_, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"state": ""}))
	var pe *PageError
	if !errors.As(err, &pe) {
		t.Fatalf("no page to read: %v", err)
	}
	if string(pe.Page.Body) != `{"error":"Missing login_hint, nonce or state parameter"}` {
		t.Errorf("%s", pe.Page.Body)
	}
}

func TestSakaiIgnoresAForeignRedirect(t *testing.T) {
	b := newBench(t, "sakai")
	for redirect, want := range map[string]string{
		"https://localhost/evil":                      b.tool.URL + "/launch",
		b.tool.URL + "/launch2":                       b.tool.URL + "/launch2",
		strings.TrimSuffix(b.tool.URL+"/launch", "h"): b.tool.URL + "/launc", // part of the list is enough
	} {
		br, login := b.login("student")
		form, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"redirect_uri": redirect}))
		if err != nil {
			t.Fatal(err)
		}
		if form.Action != want || form.Get("id_token") == "" {
			t.Errorf("%s: posted to %s, want %s", redirect, form.Action, want)
		}
	}
}

func TestSakaiWithoutTheSessionCookie(t *testing.T) {
	b := newBench(t, "sakai")
	_, login := b.login("student")
	status, _, body := b.get(b.authURI(login, nil), nil)
	form := autoForm(body)
	if status != http.StatusOK || form == nil || form.Get("repost") != "true" || form.Get("nonce") != "nonce-1" {
		t.Fatalf("Sakai does not ask to come once more: %d %s", status, body)
	}
	status, _, _ = b.do(http.MethodPost, form.Action, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form.encode()))
	if status != http.StatusForbidden {
		t.Errorf("without a session: %d", status)
	}
}

// Open edX and Sakai take a login again, and of the closed platforms it is not known: a switch.
func TestLoginsUsedAgain(t *testing.T) {
	for _, name := range ProfileNames()[2:] {
		again := newBench(t, name)
		once := newBench(t, name, with(func(p *PlatformConfig) { p.OneShot = true }))
		for _, b := range []*bench{again, once} {
			br, login := b.login("student")
			if _, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"state": "state-1"})); err != nil {
				t.Fatal(err)
			}
			form, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"state": "state-2", "nonce": "nonce-2"}))
			if b == once {
				if !errors.As(err, new(*PageError)) {
					t.Errorf("%s, one shot: a second launch came, %v", name, err)
				}
				continue
			}
			if err != nil || form.Get("state") != "state-2" || b.idToken(form).claims["nonce"] != "nonce-2" {
				t.Errorf("%s: second request: %v", name, err)
			}
		}
		if name == "sakai" {
			continue // its login has no end of its own
		}
		br, login := again.login("student")
		again.clock.add(10*time.Minute + time.Second)
		if _, err := br.Authorize(context.Background(), again.authURI(login, nil)); !errors.As(err, new(*PageError)) {
			t.Errorf("%s: a late request was answered: %v", name, err)
		}
	}
}

func TestOpenEdXJoinsWithAQuestionMark(t *testing.T) {
	b := newBench(t, "openedx")
	cfg := b.toolConfig("second")
	cfg.LoginURI += "?from=edx"
	if err := b.platform().SetTool(cfg); err != nil {
		t.Fatal(err)
	}
	_, header, _ := b.get(b.platform().URL()+"/course/launch?tool=second&user=student", nil)
	if location := header.Get("Location"); !strings.HasPrefix(location, b.tool.URL+"/login?from=edx?iss=https") {
		t.Errorf("Location %q", location)
	}
}

func TestFurtherTokenShapes(t *testing.T) {
	type shape struct {
		kid      string // pattern
		typ      bool
		life     float64
		sub      string // pattern; {base} is the platform's
		present  []string
		absent   []string
		issuer   string
		audience any
	}
	for name, want := range map[string]shape{
		"brightspace": {
			kid: uuidPattern, typ: true, life: 1800, sub: uuidPattern + `_171`, issuer: "{base}",
			present: []string{"nbf", "email", claimLTI + "lti11_legacy_user_id"}, absent: []string{"azp"},
		},
		"blackboard": {
			kid: uuidPattern, life: 3600, sub: `[0-9a-f]{32}`, issuer: "https://blackboard.com", absent: []string{"azp", "nbf"},
			present: []string{
				"https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice", "https://blackboard.com/lti/claim/one_time_session_token",
				"https://blackboard.com/webapps/foundations-connector/foundations-ids",
			},
		},
		"sakai": {
			kid: `-[1-9]\d*`, life: 3600, sub: `{base}/user/` + uuidPattern, issuer: "{base}",
			present: []string{claimLTI + "for_user", claimLTI + "tool_platform"}, absent: []string{"azp", "nbf"},
		},
		"openedx": {
			kid: uuidPattern, typ: true, life: 3600, sub: uuidPattern, issuer: "{base}",
			present: []string{"azp", "preferred_username"}, absent: []string{"given_name", "family_name", "locale", claimLTI + "lis", "nbf"},
		},
		"schoology": {
			kid: `[0-9a-f]{16}`, typ: true, life: 600, sub: `7::[0-9a-f]{32}`, issuer: "https://schoology.schoology.com",
			audience: []any{"1234567890"}, absent: []string{"azp", "nbf"},
		},
	} {
		b := newBench(t, name)
		tok := b.idToken(b.launch("student"))
		match := func(what, pattern string, value any) {
			t.Helper()
			s, _ := value.(string)
			pattern = strings.ReplaceAll(pattern, "{base}", regexp.QuoteMeta(b.platform().URL()))
			if !regexp.MustCompile(`^` + pattern + `$`).MatchString(s) {
				t.Errorf("%s: %s %v does not match %s", name, what, value, pattern)
			}
		}
		match("kid", want.kid, tok.header["kid"])
		match("sub", want.sub, tok.claims["sub"])
		match("iss", want.issuer, tok.claims["iss"])
		if _, typ := tok.header["typ"]; typ != want.typ {
			t.Errorf("%s: header %v", name, tok.header)
		}
		if want.audience == nil {
			want.audience = b.reg.ClientID
		}
		if !reflect.DeepEqual(tok.claims["aud"], want.audience) {
			t.Errorf("%s: aud %v", name, tok.claims["aud"])
		}
		number := func(claim string) float64 {
			n, _ := tok.claims[claim].(json.Number)
			v, err := n.Float64()
			if err != nil {
				t.Errorf("%s: %s: %v", name, claim, err)
			}
			return v
		}
		if number("exp")-number("iat") != want.life {
			t.Errorf("%s: lives for %v s, want %v", name, number("exp")-number("iat"), want.life)
		}
		if name == "brightspace" && number("nbf") != number("iat") {
			t.Error("brightspace: nbf is not iat")
		}
		for _, claim := range want.present {
			if _, ok := tok.claims[claim]; !ok {
				t.Errorf("%s: no %s", name, claim)
			}
		}
		for _, claim := range want.absent {
			if _, ok := tok.claims[claim]; ok {
				t.Errorf("%s: has %s", name, claim)
			}
		}
		if _, member := tok.claims[claimAGS].(map[string]any)["lineitem"]; member != (name != "brightspace") {
			t.Errorf("%s: grades %v", name, tok.claims[claimAGS])
		}
	}
}

func TestFurtherClaimDetails(t *testing.T) {
	claims := func(name string, change ...func(*PlatformConfig, *Config)) (map[string]any, *bench) {
		b := newBench(t, name, change...)
		return b.idToken(b.launch("student")).claims, b
	}
	inside := func(c map[string]any, claim string) map[string]any { m, _ := c[claim].(map[string]any); return m }

	c, _ := claims("brightspace")
	if c["email"] != "" || inside(c, claimLTI+"custom")["user_id"] != "$User.Id" || c[claimLTI+"lti11_legacy_user_id"] != c["sub"] {
		t.Errorf("brightspace: %v", c)
	}
	c, b := claims("brightspace", with(func(p *PlatformConfig) { p.GradedLinks = true }))
	if inside(c, claimAGS)["lineitem"] != b.reg.LineItemURI || b.reg.LineItemURI == "" {
		t.Errorf("brightspace with a grade item: %v", inside(c, claimAGS))
	}
	c, b = claims("blackboard", with(func(p *PlatformConfig) { p.AudienceArray = true }))
	if !reflect.DeepEqual(c["aud"], []any{b.reg.ClientID}) {
		t.Errorf("blackboard: aud %v", c["aud"])
	}
	if inside(c, claimNRPS)["scope"] == nil || !strings.HasSuffix(b.reg.MembershipsURI, "?placement_id=_553_1") || !strings.HasSuffix(b.reg.LineItemsURI, "/lineItems") {
		t.Errorf("blackboard: %v, %+v", inside(c, claimNRPS), b.reg)
	}
	c, b = claims("sakai", with(func(p *PlatformConfig) { p.SiteIssuer = true }))
	_, login := b.login("student")
	if want := login.Get("iss") + "/site/" + b.platform().courseID(); c["iss"] != want || b.reg.Issuer != want {
		t.Errorf("sakai: id_token's iss %v, registration's %v, want %s", c["iss"], b.reg.Issuer, want)
	}
	if inside(c, claimLTI+"tool_platform")["product_family_code"] != "sakailms.org" || b.reg.DeploymentID != "1" {
		t.Errorf("sakai: %v", c)
	}
	c, _ = claims("openedx")
	if link := inside(c, claimLTI+"resource_link"); len(link) != 1 || !strings.HasPrefix(link["id"].(string), "block-v1:DemoX+BIO1+2031+type@lti_consumer+block@") {
		t.Errorf("openedx: resource link %v", link)
	}
	if p := inside(c, claimLTI+"launch_presentation"); p == nil || len(p) != 0 {
		t.Errorf("openedx: launch_presentation %v", p)
	}
	c, _ = claims("schoology", with(func(p *PlatformConfig) { p.AppMenu = true }))
	for _, claim := range []string{claimLTI + "context", claimAGS, claimNRPS} {
		if _, ok := c[claim]; ok {
			t.Errorf("schoology's app menu: %s is there", claim)
		}
	}
	b = newBench(t, "schoology")
	cfg := b.toolConfig("quiz")
	cfg.Custom = map[string]string{"ChapterNo": "3"}
	if err := b.platform().SetTool(cfg); err != nil {
		t.Fatal(err)
	}
	if custom := inside(b.idToken(b.launch("student")).claims, claimLTI+"custom"); !reflect.DeepEqual(custom, map[string]any{"chapterno": "3"}) {
		t.Errorf("schoology: custom %v", custom)
	}
}

func TestOpenEdXRolesChangeTheirOrder(t *testing.T) {
	b := newBench(t, "openedx")
	orders := map[string]bool{}
	for range 60 {
		roles := openEdXRoles(b.person("student"))
		orders[strings.Join(roles, " ")] = true
		slices.Sort(roles)
		if want := []string{roleInst + "None", roleMember + "Learner", roleSystem + "None"}; !slices.Equal(roles, want) {
			t.Fatalf("roles %q", roles)
		}
	}
	if len(orders) < 2 {
		t.Error("60 launches had their roles in one order")
	}
}

func TestStorageOfFurtherPlatforms(t *testing.T) {
	for name, want := range map[string]struct{ atLogin, atLaunch string }{
		"brightspace": {}, "openedx": {}, "schoology": {},
		"blackboard": {atLogin: "lti_storage_frame"},
		"sakai":      {"_parent", "_parent"},
	} {
		b := newBench(t, name)
		br := b.browser()
		click := b.click("student")
		click.Storage = true
		login, err := br.LoginInitiation(context.Background(), click)
		if err != nil {
			t.Fatal(err)
		}
		form, err := br.Authorize(context.Background(), b.authURI(login.Values(), nil))
		if err != nil {
			t.Fatal(err)
		}
		if login.Get("lti_storage_target") != want.atLogin || form.Get("lti_storage_target") != want.atLaunch {
			t.Errorf("%s: login says %q, launch says %q", name, login.Get("lti_storage_target"), form.Get("lti_storage_target"))
		}
		_, _, course := b.get(b.platform().URL()+"/course", nil)
		// At Sakai the window around the tool answers by itself.
		if got := bytes.Contains(course, []byte("storage_exhaustion")); got != (name == "sakai") {
			t.Errorf("%s: the course page keeps values: %t", name, got)
		}
		if got := bytes.Contains(course, []byte(`name="lti_storage_frame"`)); got != (name == "blackboard") {
			t.Errorf("%s: the course page has a frame: %t", name, got)
		}
	}
	b := newBench(t, "sakai")
	click := b.click("student")
	click.Storage = true
	br := b.browser()
	login, err := br.LoginInitiation(context.Background(), click)
	if err != nil {
		t.Fatal(err)
	}
	form, err := br.Authorize(context.Background(), b.authURI(login.Values(), nil))
	if err != nil || len(form.Fields) != 3 || form.Fields[0].Name != "id_token" || form.Fields[1].Name != "lti_storage_target" || form.Fields[2].Name != "state" {
		t.Errorf("sakai posts %v, %v", form, err)
	}
}

func TestAnonymousVisitorsAreRefused(t *testing.T) {
	for _, name := range ProfileNames()[2:] {
		b := newBench(t, name)
		br, login := b.login("anonymous")
		_, err := br.Authorize(context.Background(), b.authURI(login, map[string]string{"login_hint": cmp.Or(login.Get("login_hint"), "x")}))
		if !errors.As(err, new(*PageError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
