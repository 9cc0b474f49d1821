// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// oddProfile has what the other platforms of this world have and Canvas and Moodle have not.
func oddProfile() *Profile {
	pf := moodleProfile()
	pf.Name, pf.Title = "odd", "Odd"
	pf.LoginMethod, pf.StorageFrame, pf.StorageSilent = http.MethodGet, parentFrame, true
	pf.TokenIssuer = func(p *Platform) string { return p.base + "/site/42" }
	pf.TokenAudience = func(string) string { return "https://api.odd.example/auth/token" }
	pf.TokenPath, pf.JWKSPath = "/token/{tool}", "/keys/{tool}"
	pf.AudArray, pf.Nbf, pf.NoTyp = true, true, true
	pf.Keys.Without = []string{"alg", "use"}
	pf.Keys.Headers = map[string]string{"Content-Disposition": "attachment; filename=keyset.json"}
	pf.Keys.Kid = func(_ time.Time, n int, _ io.Reader) (string, error) { return "-1184302965", nil }
	pf.Token.TokenType, pf.Token.EmptyScopes = "bearer", true
	pf.AGS.CreateStatus = http.StatusOK
	pf.NRPS.EmptyBody = true
	pf.NRPS.Role = func(*Person, string) bool { return false }
	check := pf.CheckAuthRequest
	pf.CheckAuthRequest = func(p *Platform, q url.Values, user *Person) authOutcome {
		out := check(p, q, user)
		if out.launch != nil && strings.HasSuffix(q.Get("redirect_uri"), "/launch2") {
			out.redirect = out.launch.tool.cfg.LaunchURIs[0]
		}
		return out
	}
	return pf
}

func TestAnotherPlatformIsAnotherProfile(t *testing.T) {
	b := newBench(t, "odd", func(_ *PlatformConfig, c *Config) { c.profiles = []*Profile{oddProfile()} })
	c := b.click("student")
	c.Storage = true
	br := b.browser()
	login, err := br.LoginInitiation(context.Background(), c)
	if err != nil || login.Method != http.MethodGet || login.Get("iss") != b.platform().URL() {
		t.Fatalf("%+v, %v", login, err)
	}
	form, err := br.Authorize(context.Background(), b.authURI(login.Values(), map[string]string{"redirect_uri": b.tool.URL + "/launch2"}))
	if err != nil || form.Action != b.tool.URL+"/launch" || form.Get("lti_storage_target") != "" {
		t.Fatalf("%+v, %v", form, err)
	}
	_, header, keys := b.get(b.reg.JWKSURI, nil)
	if strings.Contains(string(keys), "alg") || header.Get("Content-Disposition") == "" || !strings.HasSuffix(b.reg.JWKSURI, "/keys/3") {
		t.Errorf("key set at %s: %v %s", b.reg.JWKSURI, header, keys)
	}
	tok := b.idToken(form)
	if !reflect.DeepEqual(tok.claims["aud"], []any{b.reg.ClientID}) || tok.claims["nbf"] != tok.claims["iat"] ||
		tok.claims["iss"] != b.platform().URL()+"/site/42" || b.reg.Issuer != tok.claims["iss"] || b.reg.LoginIssuer != b.platform().URL() {
		t.Errorf("claims %v", tok.claims)
	}
	if !reflect.DeepEqual(tok.header, map[string]any{"alg": "RS256", "kid": "-1184302965"}) {
		t.Errorf("header %v", tok.header)
	}
	_, _, course := b.get(b.platform().URL()+"/course", nil)
	if !strings.Contains(string(course), "lti.put_data.response") && !strings.Contains(string(course), "storage_exhaustion") {
		t.Error("the course page does not serve the storage")
	}

	if b.reg.TokenAudience != "https://api.odd.example/auth/token" {
		t.Errorf("audience %s", b.reg.TokenAudience)
	}
	status, _, body := b.postToken(tokenFormOf(b.sign(b.assertion()), "nothing"))
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil || status != 200 || out["token_type"] != "bearer" || out["scope"] != "" {
		t.Errorf("token: %d %s", status, body)
	}
	if err := b.platform().SetTool(b.toolConfig("other")); err != nil {
		t.Fatal(err)
	}
	own := b.reg.TokenURI
	b.reg.TokenURI = b.platform().Registration("other").TokenURI
	if status, _, body := b.postToken(tokenFormOf(b.sign(b.assertion()), ScopeScore)); status != 400 || b.reg.TokenURI == own {
		t.Errorf("another tool's token endpoint: %d %s", status, body)
	}
	b.reg.TokenURI = own
	auth := map[string]string{"Authorization": "Bearer " + b.token(ScopeLineItem, ScopeMemberships), "Content-Type": mediaLineItem}
	if status, _, body := b.do(http.MethodPost, b.reg.LineItemsURI, auth, []byte(`{"label":"x","scoreMaximum":1}`)); status != 200 {
		t.Errorf("line item: %d %s", status, body)
	}
	if status, _, body := b.get(b.reg.MembershipsURI+"?role=x", auth); status != 200 || len(body) != 0 {
		t.Errorf("empty roster: %d %q", status, body)
	}
}

func TestMoodleKnowsNoVisitors(t *testing.T) {
	b := newBench(t, "moodle")
	br, login := b.login("anonymous")
	if login.Get("login_hint") != "0" {
		t.Errorf("login_hint %q", login.Get("login_hint"))
	}
	var pe *PageError
	if form, err := br.Authorize(context.Background(), b.authURI(login, nil)); !errors.As(err, &pe) || pe.Page.Status != 404 {
		t.Errorf("%v, %v", form, err)
	}
}

func TestLoginURIWithAQuery(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		b := newBench(t, "moodle", func(p *PlatformConfig, _ *Config) { p.LoginMethod = method })
		cfg := b.toolConfig("quiz")
		cfg.LoginURI += "?region=eu"
		if err := b.platform().SetTool(cfg); err != nil {
			t.Fatal(err)
		}
		form, err := b.browser().LoginInitiation(context.Background(), b.click("student"))
		if err != nil || form.Action != cfg.LoginURI || len(form.Fields) != 6 || form.Fields[0].Name != "iss" {
			t.Errorf("%s: %+v, %v", method, form, err)
		}
		page, err := b.browser().Launch(context.Background(), b.click("student"))
		if err != nil || string(page.Body) != "welcome" {
			t.Errorf("%s: %v, %v", method, page, err)
		}
	}
}

func TestStoresAreBounded(t *testing.T) {
	b := newBench(t, "moodle")
	p := b.platform()
	start := func() error {
		_, err := p.startLaunch(&launch{tool: p.tool("quiz"), link: &Link{}, person: b.person("student"), view: "iframe"}, false)
		return err
	}
	for range maxLaunches {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := start(); !errors.Is(err, errBusy) {
		t.Errorf("one launch too many: %v", err)
	}
	b.clock.add(p.profile.LaunchExpires + time.Second)
	if err := start(); err != nil {
		t.Errorf("after the others expired: %v", err)
	}
	now := b.clock.now()
	for i := range maxTokens {
		p.tokens[string(rune(i))] = &accessToken{expires: now.Add(time.Minute)}
	}
	if p.remember("more", &accessToken{}) {
		t.Error("one token too many was remembered")
	}
	for i := range maxJTIs {
		if !p.firstUse(time.Duration(i).String(), now.Add(time.Minute)) {
			t.Fatal("a fresh jti was refused")
		}
	}
	if p.firstUse("more", now.Add(time.Minute)) {
		t.Error("one jti too many was taken")
	}
	b.clock.add(2 * time.Minute)
	if !p.firstUse("more", now) || !p.remember("more", &accessToken{}) {
		t.Error("what expired still fills the stores")
	}
}
