// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestTokenGranted(t *testing.T) {
	for _, name := range firstProfiles {
		b := newBench(t, name)
		status, header, body := b.postToken(tokenFormOf(b.sign(b.assertion()), ScopeScore+" "+ScopeMemberships))
		var out struct {
			AccessToken string `json:"access_token"`
			TokenType   string `json:"token_type"`
			ExpiresIn   int    `json:"expires_in"`
			Scope       string `json:"scope"`
		}
		if err := json.Unmarshal(body, &out); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		if out.TokenType != "Bearer" || out.ExpiresIn != 3600 || out.Scope != ScopeScore+" "+ScopeMemberships {
			t.Errorf("%s: %+v", name, out)
		}
		media := map[string]string{"canvas": "application/json; charset=utf-8", "moodle": "text/html; charset=utf-8"}[name]
		if got := header.Get("Content-Type"); got != media {
			t.Errorf("%s: content type %q", name, got)
		}
		if name == "moodle" && len(out.AccessToken) != 32 {
			t.Errorf("moodle's token is %q", out.AccessToken)
		}
		log := b.platform().TokenRequests()
		if len(log) != 1 || log[0].DeploymentID != b.reg.DeploymentID || !log[0].HasDeployment || log[0].Tool != "quiz" || log[0].Granted != out.Scope || log[0].Error != "" {
			t.Errorf("%s: recorded %+v", name, log)
		}
		// An array with the audience is as good, and no deployment claim is no fault.
		claims := b.assertion()
		claims["aud"] = []string{"https://elsewhere.example", b.reg.TokenAudience}
		delete(claims, ClaimDeployment)
		if status, _, body := b.postToken(tokenFormOf(b.sign(claims), ScopeScore)); status != http.StatusOK {
			t.Errorf("%s: audience array: %d %s", name, status, body)
		}
		if log := b.platform().TokenRequests(); len(log) != 2 || log[1].HasDeployment {
			t.Errorf("%s: recorded %+v", name, log)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	set := func(name string, v any) func(*bench, map[string]any) {
		return func(_ *bench, c map[string]any) { c[name] = v }
	}
	drop := func(name string) func(*bench, map[string]any) {
		return func(_ *bench, c map[string]any) { delete(c, name) }
	}
	at := func(name string, offset int64) func(*bench, map[string]any) {
		return func(b *bench, c map[string]any) { c[name] = b.clock.now().Unix() + offset }
	}
	invalid := `"error":"invalid_request"`
	cases := []struct {
		name           string
		claims         func(*bench, map[string]any)
		header         map[string]any
		form           func(url.Values)
		wrongKey       bool
		canvas, moodle string // what the body contains; empty: granted
		lax            string // what a lax Moodle's body contains; "ok": granted
	}{
		{name: "aud with a slash", claims: func(b *bench, c map[string]any) { c["aud"] = b.reg.TokenAudience + "/" }, canvas: `"the 'aud' is invalid"`, moodle: "Strict: the 'aud'", lax: "ok"},
		{name: "aud missing", claims: drop("aud"), canvas: `"the 'aud' is invalid"`, moodle: "Strict: the 'aud'", lax: "ok"},
		{name: "iss of another", claims: set("iss", "x"), canvas: invalid, moodle: "Strict: the 'iss'", lax: "ok"},
		{name: "iss missing", claims: drop("iss"), canvas: invalid, moodle: "Strict: the 'iss'", lax: "ok"},
		{name: "sub unknown", claims: set("sub", "x"), canvas: `"error":"invalid_client"`, moodle: "invalid_client", lax: "invalid_client"},
		{name: "sub missing", claims: drop("sub"), canvas: invalid, moodle: "invalid_request", lax: "invalid_request"},
		{name: "jti missing", claims: drop("jti"), canvas: invalid, moodle: "Strict: the 'jti'", lax: "ok"},
		{name: "exp missing", claims: drop("exp"), canvas: invalid, moodle: "Strict: the 'exp'", lax: "ok"},
		{name: "iat missing", claims: drop("iat"), canvas: invalid, moodle: "Strict: the 'iat'", lax: "ok"},
		{name: "exp as text", claims: set("exp", "1926676800"), canvas: "must be a number", moodle: "must be a number", lax: "must be a number"},
		{name: "exp with a fraction", claims: set("exp", 1926676900.5), canvas: "must be an integer", moodle: "must be an integer", lax: "must be an integer"},
		{name: "expired", claims: at("exp", 0), canvas: "the JWT has expired", moodle: "Expired token", lax: "Expired token"},
		{name: "exp far off", claims: at("exp", 4000), canvas: invalid, moodle: "Strict", lax: "ok"},
		{name: "iat 1 s ahead", claims: at("iat", 1), moodle: "Cannot handle token with iat prior to 2031-01-15T10:00:01", lax: "Cannot handle token with iat"},
		{name: "iat 31 s ahead", claims: at("iat", 31), canvas: "the 'iat' must not be in the future", moodle: "with iat", lax: "with iat"},
		{name: "nbf 5 s ahead", claims: at("nbf", 5), moodle: "Cannot handle token with nbf", lax: "Cannot handle token with nbf"},
		{name: "iat just in time", claims: at("iat", -299)},
		{name: "iat too old", claims: at("iat", -301), canvas: "the 'iat' is too old"},
		{name: "other deployment", claims: set(ClaimDeployment, "x"), canvas: invalid, moodle: "Strict: the deployment", lax: "ok"},
		{name: "kid missing", header: map[string]any{"alg": "RS256"}, canvas: "KidNotFound", moodle: "error/Error: kid must be provided", lax: "kid must be"},
		{name: "kid unknown", header: map[string]any{"alg": "RS256", "kid": "no"}, canvas: "KidNotFound", moodle: `"error": ""kid" invalid`, lax: `"kid" invalid`},
		{name: "alg RS512", header: map[string]any{"alg": "RS512", "kid": "tool-1"}, canvas: invalid, moodle: "Algorithm not supported", lax: "Algorithm"},
		{name: "wrong key", wrongKey: true, canvas: "JWS signature invalid.", moodle: "Signature verification failed", lax: "Signature"},
		{name: "grant type", form: func(f url.Values) { f.Set("grant_type", "password") }, canvas: "unsupported_grant_type", moodle: "unsupported_grant_type", lax: "unsupported_grant_type"},
		{name: "assertion type", form: func(f url.Values) { f.Set("client_assertion_type", "x") }, canvas: invalid, moodle: "invalid_request", lax: "invalid_request"},
		{name: "scope missing", form: func(f url.Values) { f.Del("scope") }, canvas: invalid, moodle: "invalid_request", lax: "invalid_request"},
		{name: "scope repeated", form: func(f url.Values) { f.Add("scope", "x") }, canvas: invalid, moodle: "invalid_request", lax: "invalid_request"},
		{name: "garbage", form: func(f url.Values) { f.Set("client_assertion", "a.b") }, canvas: invalid, moodle: "invalid_request", lax: "invalid_request"},
		{name: "scope unknown", form: func(f url.Values) { f.Set("scope", "x") }, canvas: "invalid_scope", moodle: "invalid_scope", lax: "invalid_scope"},
		{name: "one scope unknown", form: func(f url.Values) { f.Set("scope", ScopeScore+" x") }, canvas: "invalid_scope"},
	}
	try := func(b *bench, c int) (int, []byte) {
		cs := cases[c]
		claims := b.assertion()
		if cs.claims != nil {
			cs.claims(b, claims)
		}
		header := cs.header
		if header == nil {
			header = map[string]any{"typ": "JWT", "alg": "RS256", "kid": "tool-1"}
		}
		key := toolKey()
		if cs.wrongKey {
			key = otherKey()
		}
		s, err := signRS256(header, claims, key)
		if err != nil {
			t.Fatal(err)
		}
		form := tokenFormOf(s, ScopeScore)
		if cs.form != nil {
			cs.form(form)
		}
		status, _, body := b.postToken(form)
		return status, body
	}
	check := func(t *testing.T, name string, status int, body []byte, want string, refusal int) {
		t.Helper()
		if want == "" || want == "ok" {
			if status != http.StatusOK {
				t.Errorf("%s: refused: %d %s", name, status, body)
			}
			return
		}
		if status != refusal || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s, want %d with %s", name, status, body, refusal, want)
		}
	}
	canvas, moodle := newBench(t, "canvas"), newBench(t, "moodle")
	lax := newBench(t, "moodle", func(p *PlatformConfig, _ *Config) { p.Lax = true })
	for i, c := range cases {
		status, body := try(canvas, i)
		refusal := http.StatusBadRequest
		if strings.Contains(c.canvas, "invalid_client") {
			refusal = http.StatusUnauthorized
		}
		check(t, "canvas: "+c.name, status, body, c.canvas, refusal)
		status, body = try(moodle, i)
		check(t, "moodle: "+c.name, status, body, c.moodle, http.StatusBadRequest)
		status, body = try(lax, i)
		check(t, "lax moodle: "+c.name, status, body, c.lax, http.StatusBadRequest)
	}
}

func TestTokenReplay(t *testing.T) {
	for _, name := range firstProfiles {
		b := newBench(t, name)
		form := tokenFormOf(b.sign(b.assertion()), ScopeScore)
		if status, _, body := b.postToken(form); status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		if status, _, body := b.postToken(form); status != http.StatusBadRequest || !strings.Contains(string(body), "the 'jti' was used before") {
			t.Errorf("%s: replayed: %d %s", name, status, body)
		}
		if log := b.platform().TokenRequests(); len(log) != 2 || !strings.Contains(log[1].Error, "used before") {
			t.Errorf("%s: recorded %+v", name, log)
		}
		lax := newBench(t, name, func(p *PlatformConfig, _ *Config) { p.Lax = true })
		form = tokenFormOf(lax.sign(lax.assertion()), ScopeScore)
		for range 2 {
			if status, _, body := lax.postToken(form); status != http.StatusOK {
				t.Errorf("lax %s: %d %s", name, status, body)
			}
		}
	}
}

func TestTokenTransport(t *testing.T) {
	b := newBench(t, "canvas")
	form := []byte(tokenFormOf(b.sign(b.assertion()), ScopeScore).Encode())
	status, _, _ := b.do(http.MethodPost, b.reg.TokenURI, map[string]string{"Content-Type": "application/json"}, form)
	if status != http.StatusBadRequest {
		t.Errorf("JSON content type: %d", status)
	}
	status, _, _ = b.get(b.reg.TokenURI+"?"+string(form), nil)
	if status != http.StatusBadRequest {
		t.Errorf("GET: %d", status)
	}
	status, _, _ = b.do(http.MethodPost, b.reg.TokenURI+"?"+string(form), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, nil)
	if status != http.StatusBadRequest {
		t.Errorf("parameters in the URL: %d", status)
	}
	status, _, body := b.do(http.MethodPost, b.reg.TokenURI, map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}, form)
	if status != http.StatusOK {
		t.Errorf("charset: %d %s", status, body)
	}
}

func TestToolKeysAreCachedAndRefetched(t *testing.T) {
	b := newBench(t, "moodle")
	for range 3 {
		b.token(ScopeScore)
	}
	fetches := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.fetches
	}
	if n := fetches(); n != 1 {
		t.Errorf("%d fetches for three good assertions", n)
	}
	b.mu.Lock()
	b.keys["tool-2"] = otherKey()
	b.mu.Unlock()
	s, err := signRS256(map[string]any{"alg": "RS256", "kid": "tool-2"}, b.assertion(), otherKey())
	if err != nil {
		t.Fatal(err)
	}
	if status, _, body := b.postToken(tokenFormOf(s, ScopeScore)); status != http.StatusOK {
		t.Errorf("a new kid: %d %s", status, body)
	}
	if n := fetches(); n != 2 || b.platform().Hits()["tool_jwks_fetch"] != 2 {
		t.Errorf("%d fetches after a new kid; counted %v", n, b.platform().Hits())
	}
	cfg := b.toolConfig("static")
	b.mu.Lock()
	cfg.JWKSURI, cfg.JWKS = "", string(b.jwks())
	b.mu.Unlock()
	if err := b.platform().SetTool(cfg); err != nil {
		t.Fatal(err)
	}
	b.reg = b.platform().Registration("static")
	b.token(ScopeScore)
	if n := fetches(); n != 2 {
		t.Errorf("a static key set was fetched")
	}
}

func TestServiceTokenEnds(t *testing.T) {
	for _, name := range firstProfiles {
		b := newBench(t, name)
		token := b.token(ScopeMemberships)
		ask := func() int {
			status, header, body := b.get(b.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + token})
			if status == http.StatusUnauthorized {
				if header.Get("WWW-Authenticate") != "" || !json.Valid(body) {
					t.Errorf("%s: 401 with %v %s", name, header, body)
				}
				marker := map[string]string{"canvas": `{"errors":{"message":`, "moodle": `"reason":"Unauthorized"`}[name]
				if !bytes.Contains(body, []byte(marker)) {
					t.Errorf("%s: 401 body %s", name, body)
				}
			}
			return status
		}
		if s := ask(); s != http.StatusOK {
			t.Fatalf("%s: %d", name, s)
		}
		if err := b.platform().SetFault(FaultSetting{Fault: FaultTokenRejected}); err != nil {
			t.Fatal(err)
		}
		if s := ask(); s != http.StatusUnauthorized {
			t.Errorf("%s: rejected token: %d", name, s)
		}
		if s := ask(); s != http.StatusOK {
			t.Errorf("%s: after the fault: %d", name, s)
		}
		b.clock.add(time.Hour)
		if s := ask(); s != http.StatusUnauthorized {
			t.Errorf("%s: expired token: %d", name, s)
		}
		token = b.token(ScopeScore)
		if s := ask(); s != http.StatusUnauthorized {
			t.Errorf("%s: wrong scope: %d", name, s)
		}
		token = b.token(ScopeMemberships)
		b.platform().RevokeTokens()
		if s := ask(); s != http.StatusUnauthorized {
			t.Errorf("%s: revoked token: %d", name, s)
		}
		if status, _, _ := b.get(b.reg.MembershipsURI, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: no token: %d", name, status)
		}
	}
}
