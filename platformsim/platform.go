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
	maxItems    = 1000
)

// Platform is one platform of a Sim. Its methods are safe for concurrent use.
type Platform struct {
	sim     *Sim
	profile *Profile
	cfg     PlatformConfig
	base    string
	secret  []byte
	ring    keyRing
	crowd   *crowd

	mu       sync.Mutex
	tools    []*tool
	launches map[string]*launch
	faults   map[faultKey]*fault
	hits     map[string]int
	tokens   map[string]*accessToken
	jtis     map[string]time.Time // jti to the time when it may be forgotten
	items    []*LineItem
	itemSeq  int
	scoreSeq int

	links        []*Link
	deepLinkSeq  int
	deepRequests []*deepRequest

	tokenLog   record[TokenRequest]
	scoreLog   record[ScoreRequest]
	launchLog  record[LaunchRecord]
	deepLog    record[DeepLinkingResponse]
	eventLog   record[EventRequest]
	requestLog record[ServiceRequest]
}

// tool is one installed tool. Its configuration never changes; setting a tool anew makes a new one.
type tool struct {
	cfg        ToolConfig
	n          int // position among the platform's tools
	client     string
	deployment string
	link       string // id of the resource link that it comes with
	target     string
	scopes     []string
	keys       toolKeys
	ring       *keyRing        // the platform's keys for this tool, where each tool has its own
	visitors   map[string]bool // keys of those who launched it; guarded by Platform.mu

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
		launches: map[string]*launch{},
		faults:   map[faultKey]*fault{},
		hits:     map[string]int{},
		tokens:   map[string]*accessToken{},
		jtis:     map[string]time.Time{},
	}
	limit := s.cfg.RecordLimit
	p.tokenLog.limit, p.scoreLog.limit, p.launchLog.limit, p.deepLog.limit, p.eventLog.limit, p.requestLog.limit = limit, limit, limit, limit, limit, limit
	if _, err := io.ReadFull(s.random, p.secret); err != nil {
		return nil, err
	}
	p.crowd = newCrowd(pf, p.base, s.cfg.RosterSize)
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
		t.scopes = p.offeredScopes()
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
	p.setLink(&Link{ID: t.link, Tool: cfg.Name, Title: "Quiz of " + cfg.Name, TargetLinkURI: t.target, n: n})
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

// offeredScopes are those of all services that the platform offers.
func (p *Platform) offeredScopes() []string {
	scopes := []string{ScopeLineItem, ScopeLineItemReadonly, ScopeResultReadonly, ScopeScore, ScopeMemberships}
	if p.offersGroups() {
		scopes = append(scopes, ScopeGroups)
	}
	if p.offersEvents() {
		scopes = append(scopes, ScopeEvents)
	}
	return scopes
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

// NotOffered says why the platform lacks a service, "groups" or "caliper", in one sentence with the source. It is empty
// where the platform offers it.
func (p *Platform) NotOffered(service string) string {
	if service == "caliper" && p.offersEvents() {
		return ""
	}
	return p.profile.NotOffered[service]
}

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
	if own := p.linkItems(t, p.toolLink(t, t.link)); len(own) > 0 {
		r.LineItemURI = p.lineItemURI(t, own[0])
	}
	return r
}

// People returns everybody who can launch: the course as it was at the start, then those who are not in it.
func (p *Platform) People() []Person {
	list := make([]Person, 0, p.crowd.size+2)
	for n := range p.crowd.size + 2 {
		list = append(list, *p.crowd.at(n))
	}
	return list
}

// Hits returns how often each endpoint was asked: jwks, authorize, deep_linking and those of Endpoints; and
// tool_jwks_fetch, how often the platform fetched a tool's key set.
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
	get(p.profile.JWKSPath, p.serveJWKS)
	p.serviceRoutes(func(path, endpoint string, h http.HandlerFunc) { handle(path, p.service(endpoint, h)) })
	handle(p.profile.DeepLinking.ReturnPath, p.serveDeepLinkReturn)

	get("/course", p.serveCourse)
	get("/course/launch", p.serveLaunch)
	post("/course/faults", p.serveFaultForm)
	if f := p.profile.StorageFrame; f != "" && f != parentFrame {
		get("/"+p.profile.StorageFrame, p.serveStorageFrame)
	}
	p.controlRoutes(get, post, func(path string, h http.HandlerFunc) { mux.HandleFunc("DELETE "+prefix+path, h) })
}

// serviceRoutes names the paths of the services that the platform offers.
func (p *Platform) serviceRoutes(handle func(path, endpoint string, h http.HandlerFunc)) {
	pf := p.profile
	handle(pf.TokenPath, EndpointToken, p.serveToken)
	handle(pf.LineItemsPath, EndpointLineItems, p.serveLineItems)
	handle(pf.LineItemPath, EndpointLineItem, p.serveLineItem)
	handle(pf.ScoresPath, EndpointScores, p.serveScores)
	handle(pf.ResultsPath, EndpointResults, p.serveResults)
	handle(pf.MembershipsPath, EndpointRoster, p.serveMemberships)
	if path := pf.ResultPath; path != "" {
		handle(path, EndpointResults, p.serveResults)
	}
	if path := pf.SignedItemPath; path != "" {
		handle(path, EndpointLineItem, p.serveLineItem)
		handle(path+"/scores", EndpointScores, p.serveScores)
		handle(path+"/results", EndpointResults, p.serveResults)
	}
	if p.offersGroups() {
		handle(pf.Groups.GroupsPath, EndpointGroups, p.serveGroups)
		if path := pf.Groups.SetsPath; path != "" {
			handle(path, EndpointGroupSets, p.serveGroupSets)
		}
	}
	if p.offersEvents() {
		handle(pf.EventsPath, EndpointEvents, p.serveEvents)
	}
}

// errorPage is the platform's own error page: the tool hears nothing of it.
func (p *Platform) errorPage(w http.ResponseWriter, status int, text string) {
	p.sim.logf("%s: page %d: %s", p.profile.Name, status, text)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	write(w, []byte("<!DOCTYPE html>\n<html lang=\"en\"><title>Error</title><h1>"+html.EscapeString(p.profile.Title)+
		"</h1><p class=\"errormessage\">"+html.EscapeString(text)+"</p></html>\n"))
}
