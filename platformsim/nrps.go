// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bufio"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (p *Platform) serveMemberships(w http.ResponseWriter, r *http.Request) {
	if f := p.listMembers(w, r); f != nil {
		p.sim.logf("%s: memberships refused: %s", p.profile.Name, f.text)
		p.profile.Fail(w, r, f, nil)
	}
}

// memberQuery is what a request for members asks for.
type memberQuery struct {
	tool        *tool
	role        string
	since       int   // -1: everybody
	link        *Link // the one that rlid names, where members come with a message; nil: none
	enrollments bool
}

func (p *Platform) listMembers(w http.ResponseWriter, r *http.Request) *failure {
	ask, f := p.memberQuery(r)
	if f != nil {
		return f
	}
	rules := p.profile.NRPS
	who := p.wanted(ask)
	if rules.Refuse != nil {
		if f := rules.Refuse(p, len(who)); f != nil {
			return f
		}
	}
	win := rules.Page(p.requestURL(r), len(who))
	if rules.UnknownPages && p.cfg.RosterPage > 0 {
		win = offsetPage(p.requestURL(r), len(who), p.cfg.RosterPage, "offset")
	}
	if link := joinLinks(win.link, p.differencesLink(ask.tool)); link != "" {
		w.Header().Set("Link", link)
	}
	w.Header().Set("Content-Type", rules.ContentType)
	if win.from == win.to && rules.EmptyBody {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return p.sendMembers(w, r, ask, who[win.from:win.to])
}

func (p *Platform) memberQuery(r *http.Request) (ask memberQuery, f *failure) {
	rules := p.profile.NRPS
	if r.Method != http.MethodGet {
		return ask, refuse(failNoHandler, "No handler found")
	}
	t, f := p.bearer(r, ScopeMemberships)
	if f != nil {
		return ask, f
	}
	if f := p.checkPath(t, r); f != nil {
		return ask, f
	}
	if !rules.CheckAccept(r) {
		return ask, refuse(failNoHandler, "No handler found")
	}
	q := r.URL.Query()
	ask = memberQuery{tool: t, role: q.Get("role"), since: -1}
	ask.enrollments = rules.Enrollments != nil && rules.Enrollments(q)
	if p.cfg.Differences && rules.UnknownDiffs && q.Has("since") {
		ask.since = atoiOr(q.Get("since"), 0)
	}
	if rlid := q.Get("rlid"); rlid != "" {
		if ask.link, f = rules.Link(p, t, rlid); f != nil {
			return ask, f
		}
		if rules.LinkBeats {
			ask.role = ""
		}
	}
	return ask, nil
}

// wanted lists the numbers of those that a request asks for.
func (p *Platform) wanted(ask memberQuery) []int32 {
	if p.cfg.EmptyRoster {
		return nil
	}
	rules := p.profile.NRPS
	var visitors map[string]bool
	if rules.OnlyVisitors && !p.cfg.WholeRoster {
		visitors = map[string]bool{}
		p.mu.Lock()
		for key := range ask.tool.visitors {
			visitors[key] = true
		}
		p.mu.Unlock()
	}
	c := p.crowd
	return c.members(ask.since, func(n int, status string) bool {
		return (status == statusActive || !rules.AlwaysActive) &&
			(visitors == nil || visitors[c.key(n)]) &&
			(ask.role == "" || rules.Role(&Person{Role: c.role(n)}, ask.role))
	})
}

// differencesLink is where to ask later for what has changed; empty where it is not offered.
func (p *Platform) differencesLink(t *tool) string {
	if !p.cfg.Differences || !p.profile.NRPS.UnknownDiffs {
		return ""
	}
	_, seq := p.crowd.state(0)
	uri, join := p.membershipsURI(t), "?"
	if strings.Contains(uri, "?") {
		join = "&"
	}
	return "<" + uri + join + "since=" + strconv.Itoa(seq) + `>; rel="differences"`
}

func joinLinks(links ...string) string {
	return strings.Join(slices.DeleteFunc(links, func(l string) bool { return l == "" }), ", ")
}

// sendMembers writes the container, one member after the other: a page of 100,000 is never held in memory.
func (p *Platform) sendMembers(w http.ResponseWriter, r *http.Request, ask memberQuery, who []int32) *failure {
	rules := p.profile.NRPS
	inContext := map[string]any{}
	for name, value := range map[string]string{"id": rules.ContextID(p), "label": courseLabel, "title": courseTitle} {
		if rules.ContextKeys == nil || slices.Contains(rules.ContextKeys, name) {
			inContext[name] = value
		}
	}
	id, err := p.profile.Encode(rules.OwnID(p, r))
	if err != nil {
		return refuse(failPlatformError, err.Error())
	}
	where, err := p.profile.Encode(inContext)
	if err != nil {
		return refuse(failPlatformError, err.Error())
	}
	out := bufio.NewWriterSize(w, 32<<10)
	// An error of a write means that the client has gone; the last Flush reports it, and there is nobody to tell.
	out.WriteString(`{"id":` + string(id) + `,"context":` + string(where) + `,"members":[`)
	for i, n := range who {
		if i > 0 {
			out.WriteByte(',')
		}
		member, err := p.profile.Encode(p.member(ask, int(n)))
		if err != nil {
			panic(http.ErrAbortHandler) // half a roster must not look whole
		}
		if _, err := out.Write(member); err != nil {
			return nil
		}
		if i%1000 == 999 { // as long as the client reads on; what keeps the answer back has no deadline to move
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
		}
	}
	out.WriteString("]}")
	_ = out.Flush()
	return nil
}

func (p *Platform) member(ask memberQuery, n int) map[string]any {
	rules := p.profile.NRPS
	pr := p.crowd.at(n)
	m := rules.Member(p, pr)
	if !rules.AlwaysActive {
		m["status"], _ = p.crowd.state(n)
	}
	if ask.link != nil {
		m["message"] = rules.Message(p, ask.tool, ask.link, pr)
	}
	if ask.enrollments {
		m["group_enrollments"] = p.enrollments(pr)
	}
	return m
}
