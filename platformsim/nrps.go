// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"maps"
	"net/http"
	"slices"
)

func (p *Platform) serveMemberships(w http.ResponseWriter, r *http.Request) {
	p.hit("nrps")
	if p.serviceFault(w) {
		return
	}
	if f := p.listMembers(w, r); f != nil {
		p.sim.logf("%s: memberships refused: %s", p.profile.Name, f.text)
		p.profile.Fail(w, r, f, nil)
	}
}

func (p *Platform) listMembers(w http.ResponseWriter, r *http.Request) *failure {
	rules := p.profile.NRPS
	if r.Method != http.MethodGet {
		return refuse(failNoHandler, "No handler found")
	}
	t, f := p.bearer(r, ScopeMemberships)
	if f != nil {
		return f
	}
	if f := p.checkPath(t, r); f != nil {
		return f
	}
	if !rules.CheckAccept(r) {
		return refuse(failNoHandler, "No handler found")
	}
	q := r.URL.Query()
	withMessage := false
	role := q.Get("role")
	if rlid := q.Get("rlid"); rlid != "" {
		if withMessage, f = rules.Link(p, t, rlid); f != nil {
			return f
		}
		if rules.LinkBeats {
			role = ""
		}
	}
	p.mu.Lock()
	visitors := maps.Clone(t.visitors)
	p.mu.Unlock()
	var who []*Person
	for _, pr := range p.enrolled {
		if p.cfg.EmptyRoster || (rules.OnlyVisitors && !p.cfg.WholeRoster && !visitors[pr.ID]) {
			continue
		}
		if role == "" || rules.Role(pr, role) {
			who = append(who, pr)
		}
	}
	win := rules.Page(p.requestURL(r), len(who))
	if rules.UnknownPages && p.cfg.RosterPage > 0 {
		win = offsetPage(p.requestURL(r), len(who), p.cfg.RosterPage, "offset")
	}
	members := []map[string]any{}
	for _, pr := range who[win.from:win.to] {
		m := rules.Member(p, pr)
		if withMessage {
			m["message"] = rules.Message(p, t, pr)
		}
		members = append(members, m)
	}
	if win.link != "" {
		w.Header().Set("Link", win.link)
	}
	if len(members) == 0 && rules.EmptyBody {
		w.Header().Set("Content-Type", rules.ContentType)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	inContext := map[string]any{"id": rules.ContextID(p), "label": courseLabel, "title": courseTitle}
	if rules.ContextKeys != nil {
		maps.DeleteFunc(inContext, func(name string, _ any) bool { return !slices.Contains(rules.ContextKeys, name) })
	}
	return p.answer(w, http.StatusOK, rules.ContentType, map[string]any{
		"id":      rules.OwnID(p, r),
		"context": inContext,
		"members": members,
	})
}
