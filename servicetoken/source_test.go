// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

var signingKey = sync.OnceValue(func() *jose.SigningKey {
	key, err := jose.GenerateSigningKey(2048)
	if err != nil {
		panic(err)
	}
	return key
})

const (
	good   = `{"access_token":"t%d","token_type":"Bearer","expires_in":3600,"scope":"a b"}`
	scopeA = "a"
	scopeB = "b"
)

// tokenPlatform is a token endpoint on a real TLS server, and a Source with a clock of its own.
type tokenPlatform struct {
	t            *testing.T
	source       *Source
	registration *platform.Registration
	arrived      chan struct{}

	mutex  sync.Mutex
	now    time.Time
	forms  []url.Values
	header http.Header // to answer with
	status int
	body   string                                          // %d is the number of the request
	decide func(form url.Values) (status int, body string) // nil: status and body
	hold   chan struct{}
}

func newTokenPlatform(t *testing.T) *tokenPlatform {
	t.Helper()
	p := &tokenPlatform{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 500, time.UTC), status: 200, body: good, arrived: make(chan struct{}, 1000)}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s with content type %q", r.Method, r.Header.Get("Content-Type"))
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		p.mutex.Lock()
		p.forms = append(p.forms, r.PostForm)
		for name, values := range p.header {
			w.Header()[name] = values
		}
		status, body, hold := p.status, p.body, p.hold
		if p.decide != nil {
			status, body = p.decide(r.PostForm)
		}
		if strings.Contains(body, "%d") {
			body = fmt.Sprintf(body, len(p.forms))
		}
		p.mutex.Unlock()
		p.arrived <- struct{}{}
		if hold != nil {
			<-hold
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p.source, err = New(Config{Signer: signingKey(), HTTP: client, Now: p.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.source.Close)
	p.registration = &platform.Registration{Name: "school", Issuer: "https://lms.example", ClientID: "client", TokenURI: server.URL + "/token"}
	return p
}

// observed is one answer as Observe was told of it.
type observed struct {
	registration   *platform.Registration
	date           time.Time
	status         int
	sent, received time.Time
}

func TestAnswersAreObserved(t *testing.T) {
	p := newTokenPlatform(t)
	date := time.Date(2026, 1, 1, 1, 2, 3, 0, time.UTC)
	p.header = http.Header{"Date": {date.Format(http.TimeFormat)}}
	var seen []observed
	p.source.config.Observe = func(registration *platform.Registration, answer *outbound.Response, sent, received time.Time) {
		seen = append(seen, observed{registration, answer.Date.UTC(), answer.Status, sent, received})
	}
	token := p.want("t1", 1)
	p.answer(400, "{}")
	p.source.Drop(token)
	if _, err := p.source.Token(t.Context(), p.registration, "d", []string{scopeA, scopeB}); lti.ReasonOf(err) != lti.ReasonTokenRequestRefused {
		t.Errorf("error = %v", err)
	}
	now := p.clock()
	if want := []observed{{p.registration, date, 200, now, now}, {p.registration, date, 400, now, now}}; !slices.Equal(seen, want) {
		t.Errorf("observed %+v, want %+v", seen, want)
	}
}

func (p *tokenPlatform) clock() time.Time {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.now
}

func (p *tokenPlatform) advance(d time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.now = p.now.Add(d)
}

func (p *tokenPlatform) answer(status int, body string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.status, p.body = status, body
}

func (p *tokenPlatform) requests() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.forms)
}

func (p *tokenPlatform) want(text string, requests int) Token {
	p.t.Helper()
	token, err := p.source.Token(p.t.Context(), p.registration, "d", []string{scopeB, scopeA})
	if err != nil {
		p.t.Fatal(err)
	}
	if token.AccessToken.Reveal() != text || p.requests() != requests {
		p.t.Fatalf("token %q after %d requests, want %q after %d", token.AccessToken.Reveal(), p.requests(), text, requests)
	}
	return token
}

func (p *tokenPlatform) wantReason(reason lti.Reason) *lti.Error {
	p.t.Helper()
	_, err := p.source.Token(p.t.Context(), p.registration, "d", []string{scopeA, scopeB})
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		p.t.Fatalf("error = %v, want %s", err, reason)
	}
	for key := range e.Metadata {
		if !slices.Contains(reason.Info().Metadata, key) {
			p.t.Errorf("%s has metadata %q, which its row does not list", reason, key)
		}
	}
	if e.Metadata["registration"] != "school" {
		p.t.Errorf("metadata = %v", e.Metadata)
	}
	return e
}

// claimsOf decodes the client assertion of a request.
func (p *tokenPlatform) claimsOf(i int) (header, claims map[string]any) {
	p.t.Helper()
	parts := strings.Split(p.forms[i].Get("client_assertion"), ".")
	for j, target := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[j])
		if err != nil {
			p.t.Fatal(err)
		}
		if err := json.Unmarshal(raw, target); err != nil {
			p.t.Fatal(err)
		}
	}
	return header, claims
}

// REQ-181 REQ-182 REQ-183 REQ-187 REQ-188 REQ-189 REQ-190
func TestRequest(t *testing.T) {
	p := newTokenPlatform(t)
	token := p.want("t1", 1)
	form := p.forms[0]
	if len(form) != 4 || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "a b" ||
		form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("form = %v", form)
	}
	header, claims := p.claimsOf(0)
	if header["alg"] != "RS256" || header["typ"] != "JWT" || header["kid"] != signingKey().KeyID() {
		t.Errorf("header = %v", header)
	}
	jti, _ := claims["jti"].(string)
	delete(claims, "jti")
	now := float64(p.now.Unix())
	for name, want := range map[string]any{
		"iss": "client", "sub": "client", "aud": p.registration.TokenURI, "iat": now - 30, "exp": now + 240,
		"https://purl.imsglobal.org/spec/lti/claim/deployment_id": "d",
	} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
		delete(claims, name)
	}
	if len(claims) != 0 || len(jti) != 32 {
		t.Errorf("further claims %v, jti %q", claims, jti)
	}
	if want := p.now.Add(time.Hour - time.Minute); !token.ExpireTime.Equal(want) || !slices.Equal(token.Scopes, []string{"a", "b"}) {
		t.Errorf("expires %v, want %v; scopes %q", token.ExpireTime, want, token.Scopes)
	}
}

// REQ-184 REQ-185 REQ-186
func TestRegistrationDecidesAudienceAndDeploymentClaim(t *testing.T) {
	p := newTokenPlatform(t)
	p.registration.TokenAudience, p.registration.OmitDeploymentClaim = "https://aud.example", true
	p.want("t1", 1)
	_, first := p.claimsOf(0)
	p.source.Drop(p.want("t1", 1))
	p.want("t2", 2)
	_, second := p.claimsOf(1)
	if first["aud"] != "https://aud.example" || first["https://purl.imsglobal.org/spec/lti/claim/deployment_id"] != nil {
		t.Errorf("claims = %v", first)
	}
	if first["jti"] == second["jti"] {
		t.Error("a jti came twice")
	}
}

func TestDeploymentsHaveTokensOfTheirOwn(t *testing.T) {
	for _, omit := range []bool{false, true} {
		p := newTokenPlatform(t)
		p.registration.OmitDeploymentClaim = omit
		for i, deployment := range []string{"d1", "d2", "d1", "d2"} {
			token, err := p.source.Token(t.Context(), p.registration, deployment, []string{scopeA, scopeB})
			if want := fmt.Sprintf("t%d", i%2+1); err != nil || token.AccessToken.Reveal() != want {
				t.Fatalf("token %q, %v, want %q", token.AccessToken.Reveal(), err, want)
			}
		}
		for i, want := range []any{"d1", "d2"} {
			if omit {
				want = nil
			}
			if _, claims := p.claimsOf(i); claims[lti.ClaimDeploymentID] != want {
				t.Errorf("deployment claim %v, want %v", claims[lti.ClaimDeploymentID], want)
			}
		}
	}
}

func TestNamedDialectDecidesTheAudience(t *testing.T) {
	p := newTokenPlatform(t)
	p.registration.Dialect = "brightspace"
	p.want("t1", 1)
	p.registration.TokenAudience = "https://aud.example"
	p.want("t2", 2)
	_, first := p.claimsOf(0)
	_, second := p.claimsOf(1)
	if first["aud"] != "https://api.brightspace.com/auth/token" || second["aud"] != "https://aud.example" {
		t.Errorf("audiences %v and %v", first["aud"], second["aud"])
	}
}

// REQ-194
func TestCache(t *testing.T) {
	p := newTokenPlatform(t)
	first := p.want("t1", 1)
	p.advance(57 * time.Minute)
	p.want("t1", 1)
	p.advance(time.Minute) // one minute before it is no longer handed out
	p.want("t1", 1)
	p.source.running.Wait()
	p.want("t2", 2)
	p.source.Drop(first) // not the one that is kept
	p.want("t2", 2)
	p.advance(59 * time.Minute)
	p.want("t3", 3)
}

func TestFailingRefreshLeavesTheTokenInUse(t *testing.T) {
	p := newTokenPlatform(t)
	p.want("t1", 1)
	p.answer(400, `{"error":"invalid_client"}`)
	p.advance(58 * time.Minute)
	p.want("t1", 1)
	p.source.running.Wait()
	p.want("t1", 2) // and the refusal is not asked for again at once
	p.source.running.Wait()
	p.advance(time.Minute)
	p.wantReason(lti.ReasonTokenRequestRefused)
}

// REQ-195
func TestCacheKey(t *testing.T) {
	base := func() request {
		return request{registration: &platform.Registration{Name: "n", Issuer: "i", ClientID: "c", TokenURI: "u", TokenAudience: "a"}, deploymentID: "d", scopes: []string{"x", "y"}}
	}
	keys := map[string]string{base().cacheKey(): "base"}
	for name, change := range map[string]func(*request){
		"name": func(r *request) { r.registration.Name += "2" }, "issuer": func(r *request) { r.registration.Issuer += "2" },
		"client": func(r *request) { r.registration.ClientID += "2" }, "token URI": func(r *request) { r.registration.TokenURI += "2" },
		"audience": func(r *request) { r.registration.TokenAudience += "2" }, "deployment": func(r *request) { r.deploymentID += "2" },
		"no deployment claim": func(r *request) { r.registration.OmitDeploymentClaim = true }, "union": func(r *request) { r.union = true },
		"fewer scopes": func(r *request) { r.scopes = r.scopes[:1] }, "joined scopes": func(r *request) { r.scopes = []string{"xy"} },
		"moved border": func(r *request) { r.deploymentID, r.scopes = "dx", []string{"y"} },
	} {
		changed := base()
		change(&changed)
		if other, taken := keys[changed.cacheKey()]; taken {
			t.Errorf("%s has the key of %s", name, other)
		}
		keys[changed.cacheKey()] = name
	}
	one, _ := scopeSet([]string{"b", "a", "b"})
	two, _ := scopeSet([]string{"a", "b"})
	if !slices.Equal(one, two) {
		t.Errorf("%q and %q are not one set", one, two)
	}
}

// REQ-194
func TestHerdCausesOneRequestThatNoCallerCanCancel(t *testing.T) {
	p := newTokenPlatform(t)
	p.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	firstDone := make(chan error, 1)
	go func() {
		_, err := p.source.Token(ctx, p.registration, "d", []string{scopeA, scopeB})
		firstDone <- err
	}()
	<-p.arrived
	cancel()
	if err := <-firstDone; lti.ReasonOf(err) != lti.ReasonCanceled {
		t.Errorf("the cancelled caller got %v", err)
	}
	results := make(chan error, 50)
	for range 50 {
		go func() {
			_, err := p.source.Token(t.Context(), p.registration, "d", []string{scopeA, scopeB})
			results <- err
		}()
	}
	close(p.hold)
	for range 50 {
		if err := <-results; err != nil {
			t.Errorf("a waiting caller got %v", err)
		}
	}
	p.want("t1", 1)
}

// REQ-191 REQ-193 REQ-201
func TestAnswersTaken(t *testing.T) {
	for name, test := range map[string]struct {
		body     string
		lifetime time.Duration
		scopes   string
	}{
		"no expires_in":      {`{"access_token":"t","token_type":"bearer"}`, 5 * time.Minute, "a b"},
		"text expires_in":    {`{"access_token":"t","token_type":"BEARER","expires_in":"600"}`, 10 * time.Minute, "a b"},
		"zero expires_in":    {`{"access_token":"t","token_type":"bearer","expires_in":0}`, 5 * time.Minute, "a b"},
		"negative":           {`{"access_token":"t","token_type":"bearer","expires_in":-5}`, 5 * time.Minute, "a b"},
		"garbage":            {`{"access_token":"t","token_type":"bearer","expires_in":{"x":1}}`, 5 * time.Minute, "a b"},
		"fraction":           {`{"access_token":"t","token_type":"bearer","expires_in":600.9}`, 10 * time.Minute, "a b"},
		"endless":            {`{"access_token":"t","token_type":"bearer","expires_in":1e300}`, time.Hour, "a b"},
		"not a number":       {`{"access_token":"t","token_type":"bearer","expires_in":"NaN"}`, 5 * time.Minute, "a b"},
		"null scope":         {`{"access_token":"t","token_type":"bearer","expires_in":600,"scope":null}`, 10 * time.Minute, "a b"},
		"more scopes":        {`{"access_token":"t","token_type":"bearer","expires_in":600,"scope":" c  b a a"}`, 10 * time.Minute, "a b c"},
		"no token_type":      {`{"access_token":"t","stenotype":"bearer","expires_in":600}`, 10 * time.Minute, "a b"},
		"byte order mark":    {"\ufeff" + `{"access_token":"t","token_type":"bearer","expires_in":600}`, 10 * time.Minute, "a b"},
		"repeated member":    {`{"x":1,"x":2,"access_token":"t","token_type":"bearer","expires_in":600}`, 10 * time.Minute, "a b"},
		"a refresh token":    {`{"access_token":"t","token_type":"bearer","expires_in":600,"refresh_token":"r"}`, 10 * time.Minute, "a b"},
		"labelled as a page": {`{"access_token":"t","token_type":"bearer","expires_in":600}`, 10 * time.Minute, "a b"},
	} {
		p := newTokenPlatform(t)
		p.answer(200, test.body)
		p.header = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		token := p.want("t", 1)
		if got := strings.Join(token.Scopes, " "); got != test.scopes {
			t.Errorf("%s: scopes %q, want %q", name, got, test.scopes)
		}
		if want := p.now.Add(test.lifetime - marginOf(test.lifetime)); !token.ExpireTime.Equal(want) {
			t.Errorf("%s: expires %v, want %v", name, token.ExpireTime, want)
		}
	}
}

func TestMargin(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		time.Hour: time.Minute, 10 * time.Minute: time.Minute, 8 * time.Minute: 48 * time.Second, 5 * time.Minute: 30 * time.Second,
		time.Minute: 30 * time.Second, 20 * time.Second: 10 * time.Second,
	} {
		if got := marginOf(lifetime); got != want {
			t.Errorf("marginOf(%v) = %v, want %v", lifetime, got, want)
		}
	}
}

// REQ-191 REQ-192 REQ-198 REQ-199 REQ-201
func TestAnswersRefused(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"
	for name, test := range map[string]struct {
		status int
		body   string
		reason lti.Reason
		words  string // platform_error or detail
	}{
		"OAuth error":           {400, `{"error":"invalid_client","error_description":"no such tool"}`, lti.ReasonTokenRequestRefused, "invalid_client: no such tool"},
		"401":                   {401, `{"error":"invalid_client"}`, lti.ReasonTokenRequestRefused, "invalid_client"},
		"error in a 200":        {200, `{"error":"invalid_scope"}`, lti.ReasonTokenRequestRefused, "invalid_scope"},
		"Moodle's broken JSON":  {400, `{"error": "kid "x" unknown"}`, lti.ReasonTokenRequestRefused, `{"error": "kid "x" unknown"}`},
		"a page":                {403, "<html>\r\n\x00no</html>", lti.ReasonTokenRequestRefused, `<html>\r\n\x00no</html>`},
		"an assertion quoted":   {400, `{"error":"bad ` + jwt + ` sorry"}`, lti.ReasonTokenRequestRefused, "bad [token] sorry"},
		"empty":                 {404, "", lti.ReasonTokenRequestRefused, ""},
		"redirect":              {302, "", lti.ReasonTokenRequestRefused, ""},
		"throttled":             {429, "", lti.ReasonPlatformThrottled, ""},
		"500":                   {500, "<html>", lti.ReasonPlatformUnavailable, ""},
		"503":                   {503, "", lti.ReasonPlatformUnavailable, ""},
		"page with 200":         {200, "<html>", lti.ReasonPlatformAnswerInvalid, "is not a JSON object"},
		"list":                  {200, "[]", lti.ReasonPlatformAnswerInvalid, "is not a JSON object"},
		"empty 204":             {204, "", lti.ReasonPlatformAnswerInvalid, "is not a JSON object"},
		"no token":              {200, `{"token_type":"bearer"}`, lti.ReasonPlatformAnswerInvalid, "has no access_token"},
		"token no string":       {200, `{"access_token":7}`, lti.ReasonPlatformAnswerInvalid, "has no access_token"},
		"token with line feed":  {200, `{"access_token":"a\r\nX: y","token_type":"bearer"}`, lti.ReasonPlatformAnswerInvalid, "has an access_token with characters that a header cannot carry"},
		"token with blank":      {200, `{"access_token":"a b","token_type":"bearer"}`, lti.ReasonPlatformAnswerInvalid, "has an access_token with characters that a header cannot carry"},
		"huge token":            {200, `{"access_token":"` + strings.Repeat("a", maxTokenLength+1) + `"}`, lti.ReasonPlatformAnswerInvalid, "has an access_token of more than 16384 bytes"},
		"MAC":                   {200, `{"access_token":"t","token_type":"MAC"}`, lti.ReasonPlatformAnswerInvalid, "has a token_type that is not bearer"},
		"scope no string":       {200, `{"access_token":"t","token_type":"bearer","scope":["a","b"]}`, lti.ReasonPlatformAnswerInvalid, "has a scope that is not a string"},
		"fewer scopes":          {200, `{"access_token":"t","token_type":"bearer","scope":"a"}`, lti.ReasonScopeNotGranted, ""},
		"no scope (Open edX)":   {200, `{"access_token":"t","token_type":"bearer","scope":""}`, lti.ReasonScopeNotGranted, ""},
		"longer than the limit": {200, strings.Repeat(" ", outbound.DefaultMaxBody+1), lti.ReasonPlatformAnswerInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTokenPlatform(t)
			p.answer(test.status, test.body)
			e := p.wantReason(test.reason)
			if got := e.Metadata["platform_error"] + e.Metadata["detail"]; test.words != "" && got != test.words {
				t.Errorf("words = %q, want %q", got, test.words)
			}
			if strings.Contains(e.Error(), "eyJ") {
				t.Errorf("the error quotes a token: %v", e)
			}
		})
	}
}

func TestScopeNotGrantedNamesBoth(t *testing.T) {
	p := newTokenPlatform(t)
	p.answer(200, `{"access_token":"t","token_type":"bearer","scope":"a z"}`)
	if e := p.wantReason(lti.ReasonScopeNotGranted); e.Metadata["expected"] != "b" || e.Metadata["actual"] != "a z" {
		t.Errorf("metadata = %v", e.Metadata)
	}
}

func TestRefusalIsRememberedAndForgotten(t *testing.T) {
	p := newTokenPlatform(t)
	p.answer(400, `{"error":"invalid_client"}`)
	for range 20 {
		p.wantReason(lti.ReasonTokenRequestRefused)
	}
	if p.requests() != 1 {
		t.Errorf("%d requests", p.requests())
	}
	p.answer(200, good)
	p.advance(refusalMemory)
	p.want("t2", 2)
}

func TestThrottlingIsObeyed(t *testing.T) {
	p := newTokenPlatform(t)
	p.answer(429, "")
	p.header = http.Header{"Retry-After": {"40"}}
	if e := p.wantReason(lti.ReasonPlatformThrottled); e.RetryAfter != 40*time.Second {
		t.Errorf("RetryAfter = %v", e.RetryAfter)
	}
	p.advance(30 * time.Second)
	if e := p.wantReason(lti.ReasonPlatformThrottled); e.RetryAfter != 10*time.Second || p.requests() != 1 {
		t.Errorf("RetryAfter = %v after %d requests", e.RetryAfter, p.requests())
	}
	p.answer(200, good)
	p.advance(10 * time.Second)
	p.want("t2", 2)
}

func TestOutageIsNotRemembered(t *testing.T) {
	p := newTokenPlatform(t)
	p.answer(503, "")
	p.wantReason(lti.ReasonPlatformUnavailable)
	p.answer(200, good)
	p.want("t2", 2)
	p.registration.TokenURI = "https://127.0.0.1:1/"
	p.wantReason(lti.ReasonPlatformUnreachable)
}

func TestClockDifferenceIsNamed(t *testing.T) {
	p := newTokenPlatform(t)
	p.answer(400, `{"error":"Expired token"}`)
	p.header = http.Header{"Date": {p.now.Add(95 * time.Second).Format(http.TimeFormat)}}
	if e := p.wantReason(lti.ReasonTokenRequestRefused); !strings.Contains(e.Message, "1m35s") {
		t.Errorf("message = %q", e.Message)
	}
}

func TestRequestsUnderWayAreLimited(t *testing.T) {
	p := newTokenPlatform(t)
	p.source.fetches = maxFetches
	if e := p.wantReason(lti.ReasonPlatformThrottled); e.RetryAfter != time.Second || p.requests() != 0 {
		t.Errorf("%v after %d requests", e, p.requests())
	}
}

func TestFieldsAreChecked(t *testing.T) {
	p := newTokenPlatform(t)
	for name, scopes := range map[string][]string{
		"none": nil, "empty": {""}, "blank": {"a b"}, "quote": {`a"b`}, "line feed": {"a\nb"}, "not ASCII": {"ä"},
		"long": {strings.Repeat("a", maxScopeLength+1)}, "many": make([]string, MaxScopes+1),
	} {
		if _, err := p.source.Token(t.Context(), p.registration, "d", scopes); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.registration.TokenURI = ""
	if e := p.wantReason(lti.ReasonServiceNotOffered); e.Metadata["missing"] != "token_uri" {
		t.Errorf("metadata = %v", e.Metadata)
	}
	if p.requests() != 0 {
		t.Errorf("%d requests", p.requests())
	}
}
