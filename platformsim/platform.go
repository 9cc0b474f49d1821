// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Scopes of the services that the simulator offers.
const (
	ScopeLineItem         = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
	ScopeLineItemReadonly = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
	ScopeResultReadonly   = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
	ScopeScore            = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
	ScopeMemberships      = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
)

const (
	courseID    = "42"
	courseLabel = "BIO-1"
	courseTitle = "Biology"

	maxLaunches = 10000
	maxTokens   = 10000
	maxJTIs     = 100000
	maxLog      = 1000
	maxItems    = 1000
)

// Platform is one platform of a Sim. Its methods are safe for concurrent use.
type Platform struct {
	sim      *Sim
	profile  *Profile
	cfg      PlatformConfig
	base     string
	secret   []byte
	ring     keyRing
	enrolled []*Person
	byKey    map[string]*Person
	byID     map[string]*Person

	mu       sync.Mutex
	tools    []*tool
	launches map[string]*launch
	faults   map[Fault]*FaultSetting
	hits     map[string]int
	tokens   map[string]*accessToken
	jtis     map[string]time.Time // jti to the time when it may be forgotten
	items    []*LineItem
	itemSeq  int

	tokenLog  []TokenRequest
	scoreLog  []ScoreRequest
	launchLog []LaunchRecord
}

// tool is one installed tool. Its configuration never changes; setting a tool anew makes a new one.
type tool struct {
	cfg        ToolConfig
	n          int // position among the platform's tools
	client     string
	deployment string
	link       string // resource link id
	target     string
	scopes     []string
	keys       toolKeys
	ring       *keyRing        // the platform's keys for this tool, where each tool has its own
	visitors   map[string]bool // ids of those who launched it; guarded by Platform.mu

	// Guarded by Platform.mu: what was posted last.
	lastForm  []Field
	lastNonce string
}

// Registration is what an administrator copies from the platform into the tool.
type Registration struct {
	Platform         string   `json:"platform"`
	Tool             string   `json:"tool"`
	Issuer           string   `json:"issuer"`       // of id_tokens
	LoginIssuer      string   `json:"login_issuer"` // of login initiations: the same, but for odd platforms
	ClientID         string   `json:"client_id"`
	DeploymentID     string   `json:"deployment_id"`
	AuthorizationURI string   `json:"authorization_uri"`
	TokenURI         string   `json:"token_uri"`
	TokenAudience    string   `json:"token_audience"`
	JWKSURI          string   `json:"jwks_uri"`
	LoginURI         string   `json:"login_uri"`
	LaunchURIs       []string `json:"launch_uris"`
	Scopes           []string `json:"scopes"`
	ResourceLinkID   string   `json:"resource_link_id"`
	LineItemsURI     string   `json:"line_items_uri"`
	LineItemURI      string   `json:"line_item_uri"` // the one that belongs to the tool's link; empty if deleted
	MembershipsURI   string   `json:"memberships_uri"`
}

func newPlatform(s *Sim, pf *Profile, cfg PlatformConfig) (*Platform, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Platform{
		sim: s, profile: pf, cfg: cfg, base: s.url + "/" + pf.Name,
		secret:   make([]byte, 32),
		byKey:    map[string]*Person{},
		byID:     map[string]*Person{},
		launches: map[string]*launch{},
		faults:   map[Fault]*FaultSetting{},
		hits:     map[string]int{},
		tokens:   map[string]*accessToken{},
		jtis:     map[string]time.Time{},
	}
	if _, err := io.ReadFull(s.random, p.secret); err != nil {
		return nil, err
	}
	var others []*Person
	p.enrolled, others = roster(pf, p.base, s.cfg.RosterSize)
	for _, pr := range slices.Concat(p.enrolled, others) {
		p.byKey[pr.Key] = pr
		if pr.ID != "" {
			p.byID[pr.ID] = pr
		}
	}
	if !pf.Keys.PerTool {
		if err := p.makeKeys(&p.ring); err != nil {
			return nil, err
		}
	}
	for _, t := range cfg.Tools {
		if p.tool(t.Name) != nil {
			return nil, fmt.Errorf("two tools are named %q", t.Name)
		}
		if err := p.SetTool(t); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// SetTool installs a tool in the course, or changes the one of that name, which keeps its identifiers where the new
// configuration names none. A new tool comes with one graded link.
func (p *Platform) SetTool(cfg ToolConfig) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.tools, func(t *tool) bool { return t.cfg.Name == cfg.Name })
	n := at
	if at < 0 {
		n = len(p.tools)
	}
	if n >= maxTools {
		return errors.New("too many tools")
	}
	seed := p.profile.Name + "/" + cfg.Name
	t := &tool{cfg: cfg, n: n, client: cfg.ClientID, deployment: cfg.DeploymentID, target: cfg.TargetLinkURI, scopes: cfg.Scopes}
	if t.client == "" {
		t.client = p.profile.ClientID(n, seed)
	}
	if t.deployment == "" {
		t.deployment = p.profile.DeploymentID(n, seed)
	}
	if t.target == "" {
		t.target = cfg.LaunchURIs[0]
	}
	if len(t.scopes) == 0 {
		t.scopes = []string{ScopeLineItem, ScopeLineItemReadonly, ScopeResultReadonly, ScopeScore, ScopeMemberships}
	}
	t.link = p.profile.ResourceLinkID(n, seed)
	if at < 0 {
		t.visitors = map[string]bool{}
		if p.profile.Keys.PerTool {
			t.ring = &keyRing{}
			if err := p.makeKeys(t.ring); err != nil {
				return err
			}
		}
	}
	if other := p.findTool(func(o *tool) bool { return o.client == t.client && o.cfg.Name != cfg.Name }); other != nil {
		return fmt.Errorf("tool %s: client_id %q belongs to tool %s", cfg.Name, t.client, other.cfg.Name)
	}
	if at >= 0 {
		old := p.tools[at]
		t.lastForm, t.lastNonce, t.ring, t.visitors = old.lastForm, old.lastNonce, old.ring, old.visitors
		p.tools[at] = t
		return nil
	}
	p.tools = append(p.tools, t)
	if p.profile.AGS.NoLinkItem && !p.cfg.GradedLinks {
		return nil
	}
	p.addItem(&LineItem{Tool: cfg.Name, Label: "Quiz of " + cfg.Name, ScoreMaximum: 100, ResourceLinkID: t.link})
	return nil
}

// findTool is called with p.mu held.
func (p *Platform) findTool(match func(*tool) bool) *tool {
	if i := slices.IndexFunc(p.tools, match); i >= 0 {
		return p.tools[i]
	}
	return nil
}

func (p *Platform) tool(name string) *tool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.findTool(func(t *tool) bool { return t.cfg.Name == name })
}

// Name returns the profile's name, which is also the path prefix.
func (p *Platform) Name() string { return p.profile.Name }

// URL returns the platform's base URL, without a trailing slash.
func (p *Platform) URL() string { return p.base }

// Tools returns the names of the installed tools.
func (p *Platform) Tools() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := []string{}
	for _, t := range p.tools {
		names = append(names, t.cfg.Name)
	}
	return names
}

// Registration returns what the tool has to know of the platform. An unknown tool gives an empty Registration.
func (p *Platform) Registration(toolName string) Registration {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.findTool(func(t *tool) bool { return t.cfg.Name == toolName })
	if t == nil {
		return Registration{}
	}
	r := Registration{
		Platform: p.profile.Name, Tool: toolName,
		Issuer:           p.tokenIssuer(),
		LoginIssuer:      p.profile.Issuer(p.base),
		ClientID:         t.client,
		DeploymentID:     t.deployment,
		AuthorizationURI: p.base + p.profile.AuthorizationPath,
		TokenURI:         p.expand(p.profile.TokenPath, t, ""),
		TokenAudience:    p.tokenAudience(t),
		JWKSURI:          p.expand(p.profile.JWKSPath, t, ""),
		LoginURI:         t.cfg.LoginURI,
		LaunchURIs:       slices.Clone(t.cfg.LaunchURIs),
		Scopes:           slices.Clone(t.scopes),
		ResourceLinkID:   t.link,
		LineItemsURI:     p.lineItemsURI(t),
		MembershipsURI:   p.membershipsURI(t),
	}
	if own := p.linkItems(t); len(own) > 0 {
		r.LineItemURI = p.lineItemURI(t, own[0])
	}
	return r
}

// People returns everybody who can launch: the roster, then those who are not in it.
func (p *Platform) People() []Person {
	list := []Person{}
	for _, pr := range p.enrolled {
		list = append(list, *pr)
	}
	return append(list, *p.byKey[string(Admin)], *p.byKey[string(Anonymous)])
}

// Hits returns how often each endpoint was asked: jwks, authorize, token, nrps, ags_lineitems, ags_lineitem,
// ags_scores, ags_results; and tool_jwks_fetch, how often the platform fetched a tool's key set.
func (p *Platform) Hits() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

func (p *Platform) hit(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[name]++
}

func (p *Platform) routes(mux *http.ServeMux) {
	prefix := "/" + p.profile.Name
	handle := func(path string, h http.HandlerFunc) { mux.HandleFunc(prefix+path, h) }
	get := func(path string, h http.HandlerFunc) { mux.HandleFunc("GET "+prefix+path, h) }
	post := func(path string, h http.HandlerFunc) { mux.HandleFunc("POST "+prefix+path, h) }

	if hop := p.profile.AuthorizationHop; hop != "" {
		handle(p.profile.AuthorizationPath, p.serveHop)
		handle(hop, p.serveAuthorize)
	} else {
		handle(p.profile.AuthorizationPath, p.serveAuthorize)
	}
	handle(p.profile.TokenPath, p.serveToken)
	get(p.profile.JWKSPath, p.serveJWKS)
	handle(p.profile.LineItemsPath, p.serveLineItems)
	handle(p.profile.LineItemPath, p.serveLineItem)
	handle(p.profile.ScoresPath, p.serveScores)
	handle(p.profile.ResultsPath, p.serveResults)
	handle(p.profile.MembershipsPath, p.serveMemberships)

	get("/course", p.serveCourse)
	get("/course/launch", p.serveLaunch)
	post("/course/faults", p.serveFaultForm)
	if f := p.profile.StorageFrame; f != "" && f != parentFrame {
		get("/"+p.profile.StorageFrame, p.serveStorageFrame)
	}
	p.controlRoutes(get, post, func(path string, h http.HandlerFunc) { mux.HandleFunc("DELETE "+prefix+path, h) })
}

// errorPage is the platform's own error page: the tool hears nothing of it.
func (p *Platform) errorPage(w http.ResponseWriter, status int, text string) {
	p.sim.logf("%s: page %d: %s", p.profile.Name, status, text)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	write(w, []byte("<!DOCTYPE html>\n<html lang=\"en\"><title>Error</title><h1>"+html.EscapeString(p.profile.Title)+
		"</h1><p class=\"errormessage\">"+html.EscapeString(text)+"</p></html>\n"))
}

// appendCapped appends and drops the oldest entries beyond maxLog.
func appendCapped[T any](list []T, v T) []T {
	if len(list) >= maxLog {
		list = slices.Delete(list, 0, len(list)-maxLog+1)
	}
	return append(list, v)
}
