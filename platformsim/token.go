// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ClaimDeployment is the name of the deployment claim, in id_tokens and in client assertions.
const ClaimDeployment = claimLTI + "deployment_id"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// TokenRequest is one request that reached the token endpoint. Time is when it came.
type TokenRequest struct {
	Time          time.Time      `json:"time"`
	Tool          string         `json:"tool,omitempty"` // empty if the client was not found
	Header        map[string]any `json:"header,omitempty"`
	Claims        map[string]any `json:"claims,omitempty"`
	DeploymentID  string         `json:"deployment_id"` // the deployment claim
	HasDeployment bool           `json:"has_deployment"`
	Scope         string         `json:"scope"`
	Granted       string         `json:"granted,omitempty"`
	Error         string         `json:"error,omitempty"` // why it was refused
}

// accessToken is a service token that was given out.
type accessToken struct {
	tool    string
	scopes  []string
	expires time.Time
}

const accessTokenLife = time.Hour

// tokenFault names what is wrong with a token request.
type tokenFault int

const (
	tokRequest tokenFault = iota // method, content type, a parameter
	tokGrantType
	tokParse
	tokAlg
	tokKidMissing
	tokKidUnknown
	tokKeySet
	tokSignature
	tokClient
	tokExpired
	tokIssuedAhead
	tokNotBefore
	tokTooOld
	tokTimes
	tokAudience
	tokIssuer
	tokJTI
	tokReplay
	tokDeployment
	tokScope
)

type tokenFailure struct {
	kind tokenFault
	text string
	at   time.Time // iat or nbf, where these are too far ahead
}

func tokenRefusal(kind tokenFault, text string) *tokenFailure {
	return &tokenFailure{kind: kind, text: text}
}

func (p *Platform) serveToken(w http.ResponseWriter, r *http.Request) {
	if _, strikes := p.takeFault(FaultTokenUnavailable); strikes {
		p.errorPage(w, http.StatusServiceUnavailable, "The site is being upgraded.")
		return
	}
	rec := TokenRequest{Time: p.sim.now()}
	body, f := p.grant(r, &rec)
	if f != nil {
		rec.Error = f.text
		p.sim.logf("%s: token refused: %s", p.profile.Name, f.text)
	}
	p.mu.Lock()
	p.tokenLog.add(rec)
	p.mu.Unlock()
	if f != nil {
		if p.cfg.HTMLTokenFailure {
			p.errorPage(w, http.StatusBadGateway, "Something went wrong.")
			return
		}
		p.profile.Token.Fail(w, f)
		return
	}
	p.profile.Token.Answer(w, body)
}

// grant checks a token request and makes the answer's body.
func (p *Platform) grant(r *http.Request, rec *TokenRequest) ([]byte, *tokenFailure) {
	form, f := tokenForm(r)
	if f != nil {
		return nil, f
	}
	rec.Scope = form.Get("scope")
	if form.Get("grant_type") != "client_credentials" {
		return nil, tokenRefusal(tokGrantType, "grant_type must be client_credentials")
	}
	if form.Get("client_assertion_type") != assertionType {
		return nil, tokenRefusal(tokRequest, "client_assertion_type is missing or wrong")
	}
	tok, err := parseJWT(form.Get("client_assertion"))
	if err != nil {
		return nil, tokenRefusal(tokParse, "client_assertion: "+err.Error())
	}
	rec.Header, rec.Claims = tok.header, tok.claims
	rec.DeploymentID, rec.HasDeployment = tok.text(ClaimDeployment)
	t, f := p.authenticate(r, tok)
	if t != nil {
		rec.Tool = t.cfg.Name
	}
	if f != nil {
		return nil, f
	}
	granted, f := p.grantScopes(t, strings.Fields(rec.Scope))
	if f != nil {
		return nil, f
	}
	token, err := p.profile.Token.AccessToken(p, t, granted)
	if err != nil {
		return nil, tokenRefusal(tokRequest, err.Error())
	}
	rec.Granted = strings.Join(granted, " ")
	if !p.remember(token, &accessToken{tool: t.cfg.Name, scopes: granted, expires: p.sim.now().Add(accessTokenLife)}) {
		return nil, tokenRefusal(tokRequest, "too many tokens are in use")
	}
	body, err := p.profile.Encode(map[string]any{
		"access_token": token, "token_type": cmp.Or(p.profile.Token.TokenType, "Bearer"), "expires_in": int(accessTokenLife / time.Second), "scope": rec.Granted,
	})
	if err != nil {
		return nil, tokenRefusal(tokRequest, err.Error())
	}
	return body, nil
}

// tokenForm reads the body of a token request; parameters in the URL do not count, repeated ones are refused.
func tokenForm(r *http.Request) (url.Values, *tokenFailure) {
	if r.Method != http.MethodPost {
		return nil, tokenRefusal(tokRequest, "the method must be POST")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, tokenRefusal(tokRequest, "the content type must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, tokenRefusal(tokRequest, "the body cannot be read")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, tokenRefusal(tokRequest, "the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, tokenRefusal(tokRequest, name+" is repeated")
		}
	}
	for _, name := range []string{"grant_type", "client_assertion_type", "client_assertion", "scope"} {
		if form.Get(name) == "" {
			return nil, tokenRefusal(tokRequest, name+" is missing")
		}
	}
	return form, nil
}

// authenticate finds the tool and checks its assertion. The tool is returned beside a failure if it was found.
func (p *Platform) authenticate(r *http.Request, tok *jwt) (*tool, *tokenFailure) {
	rules := p.profile.Token
	checks := rules.Checks
	if !p.cfg.Lax {
		checks = AssertionChecks{Audience: true, Issuer: true, JTI: true, Replay: true, Times: true, Deployment: true}
	}
	sub, _ := tok.text("sub")
	t, f := p.tokenTool(r, sub, checks)
	if f != nil {
		return nil, f
	}
	if alg := tok.header["alg"]; alg != "RS256" {
		return t, tokenRefusal(tokAlg, "the 'alg' must be RS256")
	}
	kid, _ := tok.header["kid"].(string)
	if kid == "" && !(rules.AnyKey && p.cfg.Lax) {
		return t, tokenRefusal(tokKidMissing, "the header's 'kid' is missing")
	}
	switch err := p.verifyAssertion(r.Context(), t, tok, kid); {
	case errors.Is(err, errKidUnknown):
		return t, tokenRefusal(tokKidUnknown, "the header's 'kid' is not in the tool's key set")
	case errors.Is(err, errSignature):
		return t, tokenRefusal(tokSignature, "the signature does not fit")
	case err != nil:
		return t, tokenRefusal(tokKeySet, err.Error())
	}
	exp, f := p.checkTimes(tok, checks.Times)
	if f != nil {
		return t, f
	}
	if iss, _ := tok.text("iss"); checks.Issuer && iss != sub {
		return t, tokenRefusal(tokIssuer, "the 'iss' must be the client id, as the 'sub'")
	}
	if checks.Audience && !tok.audienceIs(p.tokenAudience(t)) {
		return t, tokenRefusal(tokAudience, "the 'aud' is invalid")
	}
	if v, present := tok.claims[ClaimDeployment]; checks.Deployment && present && v != any(t.deployment) {
		return t, tokenRefusal(tokDeployment, "the deployment claim names a deployment that the tool does not have")
	}
	jti, _ := tok.text("jti")
	if checks.JTI && jti == "" {
		return t, tokenRefusal(tokJTI, "the 'jti' is missing")
	}
	if checks.Replay && !p.firstUse(t.client+"\x00"+jti, exp) {
		return t, tokenRefusal(tokReplay, "the 'jti' was used before")
	}
	return t, nil
}

// tokenTool finds the tool that asks for a token, by the sub or by the path.
func (p *Platform) tokenTool(r *http.Request, sub string, checks AssertionChecks) (*tool, *tokenFailure) {
	byPath := p.profile.Token.ByPath
	if sub == "" && (!byPath || checks.Issuer) {
		return nil, tokenRefusal(tokRequest, "the 'sub' is missing")
	}
	p.mu.Lock()
	t := p.findTool(func(t *tool) bool {
		if byPath {
			return t.named(r) && (t.client == sub || !checks.Issuer)
		}
		return t.client == sub
	})
	p.mu.Unlock()
	if t == nil {
		return nil, tokenRefusal(tokClient, "the 'sub' is no known client")
	}
	if !t.named(r) {
		return nil, tokenRefusal(tokClient, "this is the token endpoint of another tool")
	}
	return t, nil
}

// checkTimes checks exp, iat and nbf, and returns exp. A platform that is not strict takes missing ones.
func (p *Platform) checkTimes(tok *jwt, required bool) (time.Time, *tokenFailure) {
	now := p.sim.now()
	times := map[string]time.Time{}
	for _, name := range []string{"exp", "iat", "nbf"} {
		if _, present := tok.claims[name]; !present && (!required || name == "nbf") {
			continue
		}
		n, err := tok.seconds(name)
		if err != nil {
			return time.Time{}, tokenRefusal(tokTimes, err.Error())
		}
		times[name] = time.Unix(n, 0)
	}
	exp, hasExp := times["exp"]
	iat, hasIat := times["iat"]
	nbf, hasNbf := times["nbf"]
	ahead := now.Add(p.profile.Token.MaxAhead)
	switch {
	case hasNbf && nbf.After(ahead):
		return exp, &tokenFailure{tokNotBefore, "the 'nbf' is in the future", nbf}
	case hasIat && iat.After(ahead):
		return exp, &tokenFailure{tokIssuedAhead, "the 'iat' must not be in the future", iat}
	case hasExp && !exp.After(now.Add(-p.profile.Token.MaxLate)):
		return exp, tokenRefusal(tokExpired, "the JWT has expired")
	case hasIat && p.profile.Token.MaxAge > 0 && iat.Before(now.Add(-p.profile.Token.MaxAge)):
		return exp, tokenRefusal(tokTooOld, "the 'iat' is too old")
	case required && exp.After(now.Add(time.Hour)):
		return exp, tokenRefusal(tokTimes, "the 'exp' is more than an hour ahead")
	}
	return exp, nil
}

// firstUse notes a jti until its assertion expires. When too many are noted it refuses, rather than forget one.
func (p *Platform) firstUse(jti string, exp time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.sim.now()
	if len(p.jtis) >= maxJTIs {
		for k, until := range p.jtis {
			if until.Before(now) {
				delete(p.jtis, k)
			}
		}
	}
	if _, used := p.jtis[jti]; used || len(p.jtis) >= maxJTIs {
		return false
	}
	p.jtis[jti] = exp
	return true
}

func (p *Platform) grantScopes(t *tool, asked []string) ([]string, *tokenFailure) {
	var granted []string
	for _, s := range asked {
		switch {
		case slices.Contains(granted, s):
		case slices.Contains(t.scopes, s):
			granted = append(granted, s)
			if widen := p.profile.Token.Widen; widen != nil {
				granted = append(granted, widen(s)...)
			}
		case !p.profile.Token.PartialScopes:
			return nil, tokenRefusal(tokScope, "a requested scope is not allowed for this tool")
		}
	}
	if len(granted) == 0 && !p.profile.Token.EmptyScopes {
		return nil, tokenRefusal(tokScope, "no requested scope is allowed for this tool")
	}
	return granted, nil
}

func (p *Platform) remember(token string, a *accessToken) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tokens) >= maxTokens {
		now := p.sim.now()
		for k, old := range p.tokens {
			if old.expires.Before(now) {
				delete(p.tokens, k)
			}
		}
		if len(p.tokens) >= maxTokens {
			return false
		}
	}
	p.tokens[token] = a
	return true
}

// bearer finds the tool behind a service request and checks its scope. Any one of the scopes is enough.
func (p *Platform) bearer(r *http.Request, scopes ...string) (*tool, *failure) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, refuse(failUnauthorized, "Invalid access token")
	}
	if _, strikes := p.takeFault(FaultTokenRejected); strikes {
		return nil, refuse(failUnauthorized, "Invalid access token")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.tokens[token]
	if a == nil || !a.expires.After(p.sim.now()) {
		return nil, refuse(failUnauthorized, "Access token is invalid or expired")
	}
	if !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(a.scopes, s) }) {
		return nil, refuse(failScope, "Insufficient permissions")
	}
	t := p.findTool(func(t *tool) bool { return t.cfg.Name == a.tool })
	if t == nil {
		return nil, refuse(failUnauthorized, "Unknown tool")
	}
	return t, nil
}

// RevokeTokens forgets all service tokens, as a platform does that was restarted.
func (p *Platform) RevokeTokens() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tokens)
}
