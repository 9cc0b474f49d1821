// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"net/http"
	"net/url"
)

// Names of the Course Groups Service.
const (
	ScopeGroups    = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"
	claimGroups    = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"
	mediaGroups    = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
	mediaGroupSets = "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"
)

// GroupRules describe the Course Groups Service.
type GroupRules struct {
	GroupsPath  string
	SetsPath    string // empty: no group sets
	ContentType string // of groups; empty: that of the specification
	ID          func(kind string, n int) string
	Page        func(u *url.URL, total int) pageWindow
	Group       func(p *Platform, g *Group) map[string]any
	OwnID       func(p *Platform, r *http.Request) string // nil: the container has no id
	ShowUser    bool                                      // a list for one user names the user
}

// Group is a group of the course.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Tag     string   `json:"tag"`
	SetID   string   `json:"set_id"`  // empty: it belongs to no set
	Members []string `json:"members"` // user ids
}

// GroupSet is a set of groups.
type GroupSet struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// courseGroup is a group as it is made up: every third student is in the same laboratory, every seventh a tutor.
type courseGroup struct {
	name, tag string
	set       int // 0: none
	has       func(n int) bool
}

var courseGroups = []courseGroup{
	{"Laboratory A", "lab", 1, func(n int) bool { return n%3 == 2 }},
	{"Laboratory B", "lab", 1, func(n int) bool { return n%3 == 0 }},
	{"Laboratory C", "lab", 1, func(n int) bool { return n%3 == 1 }},
	{"Morning", "project", 2, func(n int) bool { return n%2 == 0 }},
	{"Afternoon", "project", 2, func(n int) bool { return n%2 == 1 }},
	{"Tutors", "", 0, func(n int) bool { return n%7 == 2 }},
}

var courseGroupSets = []string{"Laboratories", "Projects"}

func groupID(pf *Profile, n int) string {
	if pf.Groups != nil && pf.Groups.ID != nil {
		return pf.Groups.ID("group", n)
	}
	return derivedUUID(pf.Name + "/group/" + courseGroups[n].name)
}

func groupSetID(pf *Profile, n int) string { // n counts from 1
	if pf.Groups != nil && pf.Groups.ID != nil {
		return pf.Groups.ID("set", n)
	}
	return derivedUUID(pf.Name + "/set/" + courseGroupSets[n-1])
}

// offersGroups reports whether the platform offers the groups service.
func (p *Platform) offersGroups() bool { return p.profile.Groups != nil }

// Groups returns the groups of the course, with their members as they were at the start. It is empty where the platform
// offers no groups service.
func (p *Platform) Groups() []Group {
	list := []Group{}
	if !p.offersGroups() {
		return list
	}
	for i, g := range courseGroups {
		out := Group{ID: groupID(p.profile, i), Name: g.name, Tag: g.tag, Members: []string{}}
		if g.set > 0 {
			out.SetID = groupSetID(p.profile, g.set)
		}
		for n := range p.crowd.size {
			if p.crowd.role(n) == Student && g.has(n) {
				out.Members = append(out.Members, p.crowd.at(n).ID)
			}
		}
		list = append(list, out)
	}
	return list
}

// GroupSets returns the sets of groups; it is empty where the platform offers none.
func (p *Platform) GroupSets() []GroupSet {
	list := []GroupSet{}
	if !p.offersGroups() || p.profile.Groups.SetsPath == "" {
		return list
	}
	for i, name := range courseGroupSets {
		list = append(list, GroupSet{groupSetID(p.profile, i+1), name})
	}
	return list
}

// groupsClaim is nil where the platform offers no groups service.
func (p *Platform) groupsClaim(l *launch) map[string]any {
	rules := p.profile.Groups
	if rules == nil {
		return nil
	}
	claim := map[string]any{
		"context_groups_url": p.expand(rules.GroupsPath, l.tool, ""), "scope": []string{ScopeGroups}, "service_versions": []string{"1.0"},
	}
	if rules.SetsPath != "" {
		claim["context_group_sets_url"] = p.expand(rules.SetsPath, l.tool, "")
	}
	return claim
}

// enrollments lists the groups of a member, as the roster has them.
func (p *Platform) enrollments(pr *Person) []map[string]string {
	list := []map[string]string{}
	for i, g := range courseGroups {
		if pr.Role == Student && g.has(pr.n) {
			list = append(list, map[string]string{"group_id": groupID(p.profile, i)})
		}
	}
	return list
}

func (p *Platform) serveGroups(w http.ResponseWriter, r *http.Request) {
	rules := p.profile.Groups
	p.serveContainer(w, r, "groups", cmp.Or(rules.ContentType, mediaGroups), func(user string) []any {
		pr := p.crowd.byID(user)
		list := []any{}
		for i, g := range courseGroups {
			if user != "" && (pr == nil || pr.Role != Student || !g.has(pr.n)) {
				continue
			}
			one := &Group{ID: groupID(p.profile, i), Name: g.name, Tag: g.tag}
			if g.set > 0 && rules.SetsPath != "" {
				one.SetID = groupSetID(p.profile, g.set)
			}
			list = append(list, rules.Group(p, one))
		}
		return list
	})
}

func (p *Platform) serveGroupSets(w http.ResponseWriter, r *http.Request) {
	p.serveContainer(w, r, "sets", mediaGroupSets, func(string) []any {
		list := []any{}
		for _, set := range p.GroupSets() {
			list = append(list, map[string]string{"id": set.ID, "name": set.Name})
		}
		return list
	})
}

// serveContainer answers with a page of groups or sets.
func (p *Platform) serveContainer(w http.ResponseWriter, r *http.Request, name, media string, list func(user string) []any) {
	f := func() *failure {
		if r.Method != http.MethodGet {
			return refuse(failNoHandler, "No handler found")
		}
		t, f := p.bearer(r, ScopeGroups)
		if f != nil {
			return f
		}
		if f := p.checkPath(t, r); f != nil {
			return f
		}
		rules := p.profile.Groups
		user := r.URL.Query().Get("user_id")
		all := list(user)
		win := rules.Page(p.requestURL(r), len(all))
		if win.link != "" {
			w.Header().Set("Link", win.link)
		}
		body := map[string]any{name: all[win.from:win.to]}
		if rules.OwnID != nil {
			body["id"] = rules.OwnID(p, r)
		}
		if user != "" && rules.ShowUser {
			body["user_id"] = user
		}
		return p.answer(w, http.StatusOK, media, body)
	}()
	if f != nil {
		p.sim.logf("%s: %s refused: %s", p.profile.Name, name, f.text)
		p.profile.Fail(w, r, f, nil)
	}
}

// plainGroup has the members of the specification.
func plainGroup(_ *Platform, g *Group) map[string]any {
	m := map[string]any{"id": g.ID, "name": g.Name}
	if g.Tag != "" {
		m["tag"] = g.Tag
	}
	if g.SetID != "" {
		m["set_ids"] = []string{g.SetID}
	}
	return m
}
