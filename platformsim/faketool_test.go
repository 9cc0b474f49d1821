// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firstProfiles are the platforms whose rules the general tests know; profiles_test.go has the others'.
var firstProfiles = []string{"canvas", "moodle"}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a simulator and a small tool beside it, both over real HTTPS.
type bench struct {
	t     *testing.T
	sim   *Sim
	clock *clock
	http  *http.Client
	tool  *httptest.Server
	reg   Registration

	mu      sync.Mutex
	keys    map[string]*rsa.PrivateKey // published by the tool
	fetches int
	posted  url.Values // the last form at /launch
}

var toolKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// keyPool hands out a few keys in turn, so that tests need not make one each time: keys that follow each other differ.
var keyPool = struct {
	sync.Mutex
	keys []*rsa.PrivateKey
	next int
}{}

func pooledKey() (*rsa.PrivateKey, error) {
	keyPool.Lock()
	defer keyPool.Unlock()
	if len(keyPool.keys) < 16 {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keyPool.keys = append(keyPool.keys, k)
		return k, nil
	}
	keyPool.next++
	return keyPool.keys[keyPool.next%len(keyPool.keys)], nil
}

// newBench starts a platform with one tool, "quiz".
func newBench(t *testing.T, platform string, change ...func(*PlatformConfig, *Config)) *bench {
	t.Helper()
	b := &bench{t: t, clock: &clock{t: time.Date(2031, 1, 15, 10, 0, 0, 500e6, time.UTC)}, keys: map[string]*rsa.PrivateKey{"tool-1": toolKey()}}
	pc := PlatformConfig{}
	cfg := Config{Now: b.clock.now, newRSA: pooledKey}
	for _, f := range change {
		f(&pc, &cfg)
	}
	cfg.Platforms = map[string]PlatformConfig{platform: pc}
	sim, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.sim = sim
	sim.Start()
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	b.startTool()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(sim.CAPEM())
	b.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(b.http.CloseIdleConnections)
	if err := b.platform().SetTool(b.toolConfig("quiz")); err != nil {
		t.Fatal(err)
	}
	b.reg = b.platform().Registration("quiz")
	return b
}

func (b *bench) platform() *Platform { return b.sim.platforms[0] }

func (b *bench) toolConfig(name string) ToolConfig {
	return ToolConfig{
		Name: name, LoginURI: b.tool.URL + "/login", LaunchURIs: []string{b.tool.URL + "/launch", b.tool.URL + "/launch2"},
		JWKSURI: b.tool.URL + "/jwks",
	}
}

func (b *bench) startTool() {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "tool_state", Value: "state-1", Path: "/", Secure: true, SameSite: http.SameSiteNoneMode})
		http.Redirect(w, r, b.authURI(r.Form, nil), http.StatusFound)
	})
	mux.HandleFunc("POST /launch", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if c, err := r.Cookie("tool_state"); err != nil || c.Value != "state-1" {
			http.Error(w, "no cookie", http.StatusForbidden)
			return
		}
		b.mu.Lock()
		b.posted = r.PostForm
		b.mu.Unlock()
		http.Redirect(w, r, "/home", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /home", func(w http.ResponseWriter, _ *http.Request) { write(w, []byte("welcome")) })
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.fetches++
		write(w, b.jwks())
	})
	cert, key, err := b.sim.IssueCert()
	if err != nil {
		b.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		b.t.Fatal(err)
	}
	b.tool = httptest.NewUnstartedServer(mux)
	b.tool.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	b.tool.StartTLS()
	b.t.Cleanup(b.tool.Close)
}

// jwks is called with b.mu held.
func (b *bench) jwks() []byte {
	var list []map[string]string
	for kid, k := range b.keys {
		list = append(list, publicJWK(kid, &k.PublicKey))
	}
	body, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		b.t.Error(err)
	}
	return body
}

// authURI is the authentication request a good tool makes; change overrides parameters, an empty value removes one.
func (b *bench) authURI(login url.Values, change map[string]string) string {
	q := url.Values{
		"scope": {"openid"}, "response_type": {"id_token"}, "response_mode": {"form_post"}, "prompt": {"none"},
		"client_id": {login.Get("client_id")}, "redirect_uri": {login.Get("target_link_uri")}, "login_hint": {login.Get("login_hint")},
		"lti_message_hint": {login.Get("lti_message_hint")}, "state": {"state-1"}, "nonce": {"nonce-1"},
	}
	for k, v := range change {
		q.Set(k, v)
		if v == "" {
			q.Del(k)
		}
	}
	return b.platform().Registration("quiz").AuthorizationURI + "?" + q.Encode()
}

func (b *bench) browser() *Browser {
	b.t.Helper()
	br, err := b.sim.NewBrowser()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(br.Close)
	return br
}

func (b *bench) click(user string) Click {
	return Click{Platform: b.platform().Name(), Tool: "quiz", User: user}
}

// login is a login initiation of that user in a fresh browser.
func (b *bench) login(user string) (*Browser, url.Values) {
	b.t.Helper()
	br := b.browser()
	form, err := br.LoginInitiation(context.Background(), b.click(user))
	if err != nil {
		b.t.Fatal(err)
	}
	return br, form.Values()
}

// launch returns the form that the platform posts for that user.
func (b *bench) launch(user string) *Form {
	b.t.Helper()
	br, login := b.login(user)
	form, err := br.Authorize(context.Background(), b.authURI(login, nil))
	if err != nil {
		b.t.Fatal(err)
	}
	return form
}

// idToken verifies the id_token of a form with the published keys.
func (b *bench) idToken(form *Form) *jwt {
	b.t.Helper()
	tok, err := parseJWT(form.Get("id_token"))
	if err != nil {
		b.t.Fatalf("id_token %q: %v", form.Get("id_token"), err)
	}
	_, _, body := b.get(b.reg.JWKSURI, nil)
	set, err := parseJWKS(body)
	if err != nil {
		b.t.Fatal(err)
	}
	kid, _ := tok.header["kid"].(string)
	pub := set[kid]
	if pub == nil {
		b.t.Fatalf("kid %q is not published", kid)
	}
	if err := tok.verify(pub); err != nil {
		b.t.Fatal(err)
	}
	return tok
}

func (b *bench) do(method, uri string, header map[string]string, body []byte) (int, http.Header, []byte) {
	b.t.Helper()
	req, err := http.NewRequest(method, uri, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, out
}

func (b *bench) get(uri string, header map[string]string) (int, http.Header, []byte) {
	b.t.Helper()
	return b.do(http.MethodGet, uri, header, nil)
}

// assertion holds the claims of a good client assertion, before signing.
func (b *bench) assertion() map[string]any {
	b.t.Helper()
	now := b.clock.now().Unix()
	jti, err := b.sim.randomHex(32)
	if err != nil {
		b.t.Fatal(err)
	}
	return map[string]any{
		"iss": b.reg.ClientID, "sub": b.reg.ClientID, "aud": b.reg.TokenAudience, "iat": now - 30, "exp": now + 270,
		"jti": jti, ClaimDeployment: b.reg.DeploymentID,
	}
}

func (b *bench) sign(claims map[string]any) string {
	b.t.Helper()
	s, err := signRS256(map[string]any{"typ": "JWT", "alg": "RS256", "kid": "tool-1"}, claims, toolKey())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func tokenFormOf(assertion, scope string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType},
		"client_assertion": {assertion}, "scope": {scope},
	}
}

func (b *bench) postToken(form url.Values) (int, http.Header, []byte) {
	b.t.Helper()
	return b.do(http.MethodPost, b.reg.TokenURI, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form.Encode()))
}

// token gets a service token with the scopes.
func (b *bench) token(scopes ...string) string {
	b.t.Helper()
	status, _, body := b.postToken(tokenFormOf(b.sign(b.assertion()), strings.Join(scopes, " ")))
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil || status != http.StatusOK || out.AccessToken == "" {
		b.t.Fatalf("token: %d %s", status, body)
	}
	return out.AccessToken
}

// person returns the platform's user of that key.
func (b *bench) person(key string) *Person { return b.platform().crowd.byKey(key) }
