// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// launch is a click on a link of the course, or on the button to pick content, that waits for its authentication request.
type launch struct {
	id      string
	tool    *tool
	link    *Link // never nil; without an id where content is picked
	message string
	person  *Person
	view    string // "iframe" or "window"
	storage bool   // postMessage storage was offered
	hint    string
	started time.Time
}

var errBusy = errors.New("too many launches are waiting")

// startLaunch notes a click on the link and returns the login initiation.
func (p *Platform) startLaunch(l *launch, storage bool) (*Form, error) {
	l.started = p.sim.now()
	l.storage = storage && p.profile.StorageFrame != "" && !p.cfg.NoStorage
	id, err := p.launchID(l)
	if err != nil {
		return nil, err
	}
	l.id = id
	if hint := p.profile.MessageHint; hint != nil {
		if l.hint, err = hint(p, l); err != nil {
			return nil, err
		}
	}
	fields := p.profile.LoginFields(p, l)
	if p.cfg.NoLoginClient {
		fields = slices.DeleteFunc(fields, func(f Field) bool { return f.Name == "client_id" || f.Name == "lti_deployment_id" })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.launches) >= maxLaunches {
		for id, old := range p.launches {
			if p.sim.now().Sub(old.started) > p.profile.LaunchExpires {
				delete(p.launches, id)
			}
		}
		if len(p.launches) >= maxLaunches {
			return nil, errBusy
		}
	}
	p.launches[l.id] = l
	return &Form{Method: p.loginMethod(), Action: l.tool.cfg.LoginURI, Fields: fields}, nil
}

// launchID makes a name that no waiting launch has: Moodle's are short enough to meet.
func (p *Platform) launchID(l *launch) (string, error) {
	for range 10 {
		id, err := "", error(nil)
		if p.profile.LaunchID != nil {
			id, err = p.profile.LaunchID(p, l)
		} else {
			id, err = p.sim.randomHex(32)
		}
		if err != nil {
			return "", err
		}
		p.mu.Lock()
		_, taken := p.launches[id]
		p.mu.Unlock()
		if !taken || p.profile.OneLaunch {
			return id, nil
		}
	}
	return "", errBusy
}

func (p *Platform) loginMethod() string {
	if p.cfg.LoginMethod != "" {
		return p.cfg.LoginMethod
	}
	return p.profile.LoginMethod
}

// takeLaunch finds a waiting launch and consumes it. It is called with p.mu held.
func (p *Platform) takeLaunch(id string) (*launch, bool) {
	l, ok := p.launches[id]
	delete(p.launches, id)
	if !ok || p.sim.now().Sub(l.started) > p.profile.LaunchExpires {
		return nil, false
	}
	return l, true
}

// findLaunch finds a waiting launch and leaves it, for platforms that take a hint again until it expires, or that nobody
// knows not to; PlatformConfig.OneShot makes them consume it. It is called with p.mu held.
func (p *Platform) findLaunch(id string) (*launch, bool) {
	if p.cfg.OneShot {
		return p.takeLaunch(id)
	}
	l, ok := p.launches[id]
	if !ok || p.sim.now().Sub(l.started) > p.profile.LaunchExpires {
		return nil, false
	}
	return l, true
}

// serveLaunch is the course's link: it signs the chosen user in and starts the login.
func (p *Platform) serveLaunch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	t := p.tool(q.Get("tool"))
	pr := p.crowd.byKey(q.Get("user"))
	if t == nil || pr == nil {
		p.errorPage(w, http.StatusNotFound, "No such tool or user.")
		return
	}
	l := &launch{tool: t, person: pr, message: messageResourceLink, view: "iframe"}
	if q.Get("view") == "window" {
		l.view = "window"
	}
	switch id := q.Get("link"); {
	case q.Get("message") == MessageDeepLinking:
		if pr.Role == Student || pr.Role == Anonymous {
			p.errorPage(w, http.StatusForbidden, "Only teachers pick content.")
			return
		}
		l.message, l.link = MessageDeepLinking, &Link{Tool: t.cfg.Name, TargetLinkURI: t.target}
	case id != "":
		l.link = p.hasLink(t, id)
	default:
		l.link = p.hasLink(t, t.link)
	}
	if l.link == nil {
		p.errorPage(w, http.StatusNotFound, "No such link.")
		return
	}
	form, err := p.startLaunch(l, q.Get("storage") != "off")
	if err != nil {
		p.errorPage(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(), Value: pr.Key, Path: "/" + p.profile.Name, Secure: true, HttpOnly: true,
		SameSite: http.SameSiteNoneMode,
	})
	if form.Method == http.MethodGet {
		w.Header().Set("Cache-Control", "no-store")
		uri := form.getURL()
		if join := p.profile.LoginQuery; join != "" {
			uri = form.Action + join + form.encode()
		}
		http.Redirect(w, r, uri, http.StatusFound)
		return
	}
	p.autoSubmit(w, form)
}

func (p *Platform) cookieName() string { return "platformsim_" + p.profile.Name }

// user returns who is signed in, by the cookie; nil if nobody is.
func (p *Platform) user(r *http.Request) *Person {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return nil
	}
	return p.crowd.byKey(c.Value)
}

// authOutcome is what the authorization endpoint decided. One of launch, code, page, json and repost is set.
type authOutcome struct {
	launch      *launch
	redirect    string // where to post; empty: the redirect URI asked for
	code        string // OIDC error, posted there
	description string
	status      int // of the error page
	page        string
	json        string // body of an error in JSON, instead of the page
	repost      bool   // ask the browser to post once more, so that its cookie comes along
}

// serveHop sends the browser to the second authorization endpoint, parameters unchanged.
func (p *Platform) serveHop(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.errorPage(w, http.StatusBadRequest, "unreadable request")
		return
	}
	http.Redirect(w, r, p.base+p.profile.AuthorizationHop+"?"+r.Form.Encode(), http.StatusFound)
}

func (p *Platform) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p.hit("authorize")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		p.errorPage(w, http.StatusMethodNotAllowed, "GET or POST")
		return
	}
	if err := r.ParseForm(); err != nil {
		p.errorPage(w, http.StatusBadRequest, "unreadable request")
		return
	}
	q := r.Form
	for name, values := range q {
		if len(values) > 1 {
			p.errorPage(w, http.StatusBadRequest, "The parameter "+name+" is repeated.")
			return
		}
	}
	user := p.user(r)
	p.mu.Lock()
	out := p.profile.CheckAuthRequest(p, q, user)
	p.mu.Unlock()
	state, nonce := q.Get("state"), q.Get("nonce")
	if clean := p.profile.CleanEcho; clean != nil {
		state, nonce = clean(state), clean(nonce)
	}
	redirect := q.Get("redirect_uri")
	if out.redirect != "" {
		redirect = out.redirect
	}
	if out.launch != nil {
		if code, strikes := p.takeFault(FaultLaunchError); strikes {
			if code == "" {
				code = "server_error"
			}
			out = authOutcome{code: code, description: "An error was asked for."}
		}
	}
	switch {
	case out.repost:
		fields := []Field{}
		for _, name := range authParameters {
			if q.Has(name) {
				fields = append(fields, Field{name, q.Get(name)})
			}
		}
		p.autoSubmit(w, &Form{Method: http.MethodPost, Action: p.base + p.profile.AuthorizationPath, Fields: append(fields, Field{"repost", "true"})})
	case out.json != "":
		p.sim.logf("%s: answer %d: %s", p.profile.Name, out.status, out.json)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(out.status)
		write(w, []byte(out.json))
	case out.page != "":
		p.errorPage(w, out.status, out.page)
	case out.code != "":
		p.sim.logf("%s: OIDC error %s: %s", p.profile.Name, out.code, out.description)
		fields := []Field{{"error", out.code}}
		if out.description != "" {
			fields = append(fields, Field{"error_description", out.description})
		}
		p.autoSubmit(w, &Form{Method: http.MethodPost, Action: redirect, Fields: append(fields, Field{"state", state})})
	default:
		form, err := p.respond(out.launch, redirect, state, nonce)
		if err != nil {
			p.errorPage(w, http.StatusInternalServerError, err.Error())
			return
		}
		p.autoSubmit(w, form)
	}
}

var authParameters = []string{
	"scope", "response_type", "response_mode", "prompt", "client_id", "redirect_uri", "login_hint", "lti_message_hint", "state", "nonce",
}

// respond makes the form with the id_token, spoiled by whatever faults are on.
func (p *Platform) respond(l *launch, redirect, state, nonce string) (*Form, error) {
	p.mu.Lock()
	lastForm, lastNonce := l.tool.lastForm, l.tool.lastNonce
	p.mu.Unlock()
	if _, strikes := p.takeFault(FaultReplayedForm); strikes {
		if lastForm == nil {
			return nil, errors.New("there is no earlier launch of this tool to replay: launch once, then ask for the replay")
		}
		return &Form{Method: http.MethodPost, Action: redirect, Fields: lastForm}, nil
	}
	claims, err := p.claims(l, nonce)
	if err != nil {
		return nil, err
	}
	token, err := p.spoilAndSign(l, claims, lastNonce)
	if err != nil {
		return nil, err
	}
	if _, strikes := p.takeFault(FaultWrongState); strikes {
		state = flipLast(state)
	}
	fields := []Field{{"id_token", token}, {"state", state}}
	if _, strikes := p.takeFault(FaultMissingState); strikes {
		fields = fields[:1]
	}
	if l.storage && !p.profile.StorageSilent {
		at := len(fields)
		if p.profile.StorageFirst {
			at = 1
		}
		fields = slices.Insert(fields, at, Field{"lti_storage_target", p.profile.StorageFrame})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.tool.visitors[l.person.Key] = true
	l.tool.lastForm, l.tool.lastNonce = fields, nonce
	p.launchLog.add(LaunchRecord{
		Time: p.sim.now(), Tool: l.tool.cfg.Name, User: l.person.Key, RedirectURI: redirect, State: state, Claims: claims,
	})
	return &Form{Method: http.MethodPost, Action: redirect, Fields: fields}, nil
}

// LaunchRecord is one id_token that was sent.
type LaunchRecord struct {
	Time        time.Time      `json:"time"`
	Tool        string         `json:"tool"`
	User        string         `json:"user"`
	RedirectURI string         `json:"redirect_uri"`
	State       string         `json:"state"`
	Claims      map[string]any `json:"claims"`
}

func (p *Platform) audience(client string) any {
	if p.profile.AudArray || p.cfg.AudienceArray {
		return []string{client}
	}
	return client
}

// claims puts the core claims on top of the platform's own.
func (p *Platform) claims(l *launch, nonce string) (map[string]any, error) {
	now := p.sim.now().Unix()
	p.mu.Lock()
	c := p.profile.Claims(p, l)
	p.mu.Unlock()
	for name, claim := range map[string]map[string]any{claimGroups: p.groupsClaim(l), claimEvents: p.eventsClaim(l)} {
		if claim != nil && c[claimLTI+"context"] != nil {
			c[name] = claim
		}
	}
	if l.message == MessageDeepLinking {
		if err := p.deepLinking(l, c); err != nil {
			return nil, err
		}
	}
	c["iss"] = p.tokenIssuer()
	c["aud"] = p.audience(l.tool.client)
	if p.profile.Azp {
		c["azp"] = l.tool.client
	}
	if l.person.ID != "" {
		c["sub"] = l.person.ID
	}
	c["iat"] = now
	if p.profile.Nbf {
		c["nbf"] = now
	}
	c["exp"] = now + int64(p.profile.Lifetime/time.Second)
	c["nonce"] = nonce
	c[claimLTI+"message_type"] = l.message
	c[claimLTI+"version"] = "1.3.0"
	c[claimLTI+"deployment_id"] = l.tool.deployment
	c[claimLTI+"target_link_uri"] = l.link.TargetLinkURI
	return c, nil
}

// randomDigits returns a decimal number of at most nine digits as text.
func (p *Platform) randomDigits() (string, error) {
	h, err := p.sim.randomHex(8)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(h, 16, 32)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(100000000+n%900000000, 10), nil
}
