// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/http"
	"slices"
	"time"
)

// Names of deep linking.
const (
	MessageDeepLinking = "LtiDeepLinkingRequest"

	messageResourceLink = "LtiResourceLinkRequest"
	messageDeepResponse = "LtiDeepLinkingResponse"
	claimDL             = "https://purl.imsglobal.org/spec/lti-dl/claim/"
	maxDeepRequests     = 1000
)

// DeepLinkingRules describe how content is picked.
type DeepLinkingRules struct {
	ReturnPath  string                                       // may have {course}, {tool} and the like
	ReturnQuery func(p *Platform, l *launch) (string, error) // nil: none
	// Settings are the members of deep_linking_settings but for the return URL and data.
	Settings func(p *Platform, l *launch) map[string]any
	Data     func(p *Platform, l *launch) string // nil: there is no data
	Without  []string                            // claims that the request lacks, besides resource_link
	KeepLink bool                                // resource_link is there

	Checks     DeepLinkingChecks // what the real platform looks at besides signature, iss and exp; in strict mode all
	NeedSub    bool              // sub must be the client id
	AudText    bool              // aud must be text
	NeedURL    bool              // a link without a URL is broken
	OtherTypes bool              // lax: types that were not offered are taken, too
	NoLineItem bool              // lineItem is refused
	ByLine     bool              // custom is kept as lines of name=value, so that a line break ends a value
	Replaces   bool              // the links of earlier responses go
	Repost     bool              // without a session the page posts once more
	// Fail shows what is wrong. Nil means a page with status 400.
	Fail func(p *Platform, w http.ResponseWriter, f *deepFailure)
}

// DeepLinkingChecks name the checks of a response that the real platform makes.
type DeepLinkingChecks struct {
	Audience, Nonce, Age, Deployment, Type, Version, Data, Items bool
}

// deepRequest is a request to pick content that waits for its response.
type deepRequest struct {
	tool     *tool
	person   *Person
	query    string // of the return URL
	data     string
	hasData  bool
	accept   []any
	multiple bool
}

// DeepLinkingResponse is one response that came, and what became of it.
type DeepLinkingResponse struct {
	Time   time.Time         `json:"time"`
	Tool   string            `json:"tool,omitempty"`
	User   string            `json:"user,omitempty"`
	Header map[string]any    `json:"header,omitempty"`
	Claims map[string]any    `json:"claims,omitempty"`
	Items  []json.RawMessage `json:"items,omitempty"`
	Links  []string          `json:"links,omitempty"` // ids of the links that were made
	Error  string            `json:"error,omitempty"` // why it was refused
}

type deepFailure struct {
	kind tokenFault
	text string
}

func deepRefusal(kind tokenFault, text string) *deepFailure { return &deepFailure{kind, text} }

// deepLinking turns the claims of a launch into those of a request to pick content, and notes it.
func (p *Platform) deepLinking(l *launch, c map[string]any) error {
	rules := p.profile.DeepLinking
	for _, name := range rules.Without {
		delete(c, name)
	}
	if !rules.KeepLink {
		delete(c, claimLTI+"resource_link")
	}
	settings := rules.Settings(p, l)
	req := &deepRequest{tool: l.tool, person: l.person}
	req.accept = settings["accept_types"].([]any)
	req.multiple, _ = settings["accept_multiple"].(bool)
	uri := p.expand(rules.ReturnPath, l.tool, "")
	if rules.ReturnQuery != nil {
		var err error
		if req.query, err = rules.ReturnQuery(p, l); err != nil {
			return err
		}
		uri += "?" + req.query
	}
	settings["deep_link_return_url"] = uri
	if rules.Data != nil {
		req.data, req.hasData = rules.Data(p, l), true
		settings["data"] = req.data
	}
	c[claimDL+"deep_linking_settings"] = settings
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.deepRequests) >= maxDeepRequests {
		p.deepRequests = slices.Delete(p.deepRequests, 0, 1)
	}
	p.deepRequests = append(p.deepRequests, req)
	return nil
}

func (p *Platform) serveDeepLinkReturn(w http.ResponseWriter, r *http.Request) {
	p.hit("deep_linking")
	rules := p.profile.DeepLinking
	if user := p.user(r); user == nil && rules.Repost && r.Method == http.MethodPost && !r.URL.Query().Has("repost") && r.ParseForm() == nil && !r.PostForm.Has("repost") {
		// The browser keeps its cookie back on a POST from another site: it is asked to post once more.
		p.autoSubmit(w, &Form{Method: http.MethodPost, Action: p.requestURL(r).String(), Fields: []Field{{"JWT", r.PostForm.Get("JWT")}, {"repost", "true"}}})
		return
	}
	rec := DeepLinkingResponse{Time: p.sim.now()}
	f := p.takeDeepLinks(r, &rec)
	if f != nil {
		rec.Error = f.text
		p.sim.logf("%s: deep linking refused: %s", p.profile.Name, f.text)
	}
	p.mu.Lock()
	p.deepLog.add(rec)
	p.mu.Unlock()
	switch {
	case f == nil:
		p.deepLinkPage(w, rec)
	case rules.Fail != nil:
		rules.Fail(p, w, f)
	default:
		p.errorPage(w, http.StatusBadRequest, f.text)
	}
}

// deepLinkPage says what was added. What the tool says to the author is shown as text.
func (p *Platform) deepLinkPage(w http.ResponseWriter, rec DeepLinkingResponse) {
	said := ""
	for _, name := range []string{"msg", "errormsg"} {
		if text, ok := rec.Claims[claimDL+name].(string); ok && text != "" {
			said += "<p class=\"" + name + "\">" + html.EscapeString(text) + "</p>"
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	write(w, fmt.Appendf(nil, "<!DOCTYPE html>\n<html lang=\"en\"><title>Content</title><h1>%s</h1><p>%d items came, %d links were made.</p>%s"+
		"<p><a href=\"/%s/course\" target=\"_top\">Back to the course</a></p></html>\n",
		html.EscapeString(p.profile.Title), len(rec.Items), len(rec.Links), said, p.profile.Name))
}

// takeDeepLinks checks a response and adds what it brings.
func (p *Platform) takeDeepLinks(r *http.Request, rec *DeepLinkingResponse) *deepFailure {
	user := p.user(r)
	if user == nil {
		return deepRefusal(tokRequest, "Not signed in")
	}
	rec.User = user.Key
	tok, f := deepForm(r)
	if f != nil {
		return f
	}
	rec.Header, rec.Claims = tok.header, tok.claims
	t, f := p.checkDeepToken(r, tok)
	if t != nil {
		rec.Tool = t.cfg.Name
	}
	if f != nil {
		return f
	}
	req, f := p.deepRequestOf(r, t, user, tok)
	if f != nil {
		return f
	}
	items, f := p.checkItems(req, tok)
	if f != nil {
		return f
	}
	for _, item := range items {
		rec.Items = append(rec.Items, item.raw)
	}
	rec.Links = p.addItems(t, items)
	return nil
}

// deepForm reads the one field of a response.
func deepForm(r *http.Request) (*jwt, *deepFailure) {
	if r.Method != http.MethodPost {
		return nil, deepRefusal(tokRequest, "the method must be POST")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, deepRefusal(tokRequest, "the content type must be application/x-www-form-urlencoded")
	}
	if err := r.ParseForm(); err != nil {
		return nil, deepRefusal(tokRequest, "the body is not a form")
	}
	if len(r.PostForm["JWT"]) != 1 {
		return nil, deepRefusal(tokRequest, "the form must have one field JWT")
	}
	tok, err := parseJWT(r.PostForm.Get("JWT"))
	if err != nil {
		return nil, deepRefusal(tokParse, "JWT format is invalid")
	}
	return tok, nil
}

// checkDeepToken finds the tool and checks what a response says of itself.
func (p *Platform) checkDeepToken(r *http.Request, tok *jwt) (*tool, *deepFailure) {
	rules := p.profile.DeepLinking
	checks := rules.Checks
	if !p.cfg.Lax {
		checks = DeepLinkingChecks{Audience: true, Nonce: true, Age: true, Deployment: true, Type: true, Version: true, Data: true, Items: true}
	}
	if alg := tok.header["alg"]; alg != "RS256" {
		return nil, deepRefusal(tokAlg, "unexpected alg")
	}
	iss, _ := tok.text("iss")
	p.mu.Lock()
	t := p.findTool(func(t *tool) bool { return t.client == iss && t.named(r) })
	p.mu.Unlock()
	if t == nil {
		return nil, deepRefusal(tokClient, "Client not found: the 'iss' must be the client id")
	}
	kid, _ := tok.header["kid"].(string)
	if kid == "" {
		return t, deepRefusal(tokKidMissing, "the header's 'kid' is missing")
	}
	if err := p.verifyAssertion(r.Context(), t, tok, kid); err != nil {
		return t, deepRefusal(tokSignature, err.Error())
	}
	if _, f := p.checkTimes(tok, !p.cfg.Lax); f != nil {
		return t, deepRefusal(f.kind, f.text)
	}
	iat, _ := tok.seconds("iat") // checked above
	if checks.Age && time.Unix(iat, 0).Before(p.sim.now().Add(-5*time.Minute)) {
		return t, deepRefusal(tokTooOld, "the 'iat' is too old")
	}
	if checks.Audience {
		if _, text := tok.text("aud"); !tok.audienceIs(p.tokenIssuer()) || (rules.AudText && !text) {
			return t, deepRefusal(tokAudience, "the 'aud' must be the platform's issuer")
		}
	}
	if sub, _ := tok.text("sub"); rules.NeedSub && sub != t.client {
		return t, deepRefusal(tokIssuer, "the 'sub' must be the client id")
	}
	for _, m := range []struct {
		check      bool
		name, want string
	}{
		{checks.Deployment, "deployment_id", t.deployment},
		{checks.Type, "message_type", messageDeepResponse},
		{checks.Version, "version", "1.3.0"},
	} {
		if got, _ := tok.text(claimLTI + m.name); m.check && got != m.want {
			return t, deepRefusal(tokDeployment, fmt.Sprintf("%s is %q, expected %q", m.name, got, m.want))
		}
	}
	nonce, _ := tok.text("nonce")
	if checks.Nonce {
		exp, _ := tok.seconds("exp") // checked above
		switch {
		case nonce == "":
			return t, deepRefusal(tokJTI, "the 'nonce' is missing")
		case !p.cfg.Lax && !p.firstUse("deep\x00"+t.client+"\x00"+nonce, time.Unix(exp, 0)):
			return t, deepRefusal(tokReplay, "the 'nonce' was used before")
		}
	}
	return t, nil
}

// deepRequestOf finds the request that a response answers: the person's last one with that return URL, and with its data.
func (p *Platform) deepRequestOf(r *http.Request, t *tool, user *Person, tok *jwt) (*deepRequest, *deepFailure) {
	data, hasData := tok.text(claimDL + "data")
	_, present := tok.claims[claimDL+"data"]
	checkData := !p.cfg.Lax || p.profile.DeepLinking.Checks.Data
	p.mu.Lock()
	defer p.mu.Unlock()
	wrong := "no content was asked for"
	for _, req := range slices.Backward(p.deepRequests) {
		switch {
		case req.tool.cfg.Name != t.cfg.Name || req.person != user:
		case req.query != r.URL.RawQuery && r.URL.RawQuery != req.query+"&repost=true":
			wrong = "the return URL is not the one that was sent"
		case checkData && (present != req.hasData || hasData != req.hasData || data != req.data):
			wrong = "data is not what was sent"
		default:
			return req, nil
		}
	}
	return nil, deepRefusal(tokRequest, wrong)
}

// DeepLinkingResponses returns the last responses that came, refused ones too, oldest first.
func (p *Platform) DeepLinkingResponses() []DeepLinkingResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deepLog.last(0)
}
