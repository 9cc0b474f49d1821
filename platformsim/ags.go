// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Media types of the Assignment and Grade Services.
const (
	mediaLineItem   = "application/vnd.ims.lis.v2.lineitem+json"
	mediaLineItems  = "application/vnd.ims.lis.v2.lineitemcontainer+json"
	mediaResults    = "application/vnd.ims.lis.v2.resultcontainer+json"
	mediaResult     = "application/vnd.ims.lis.v2.result+json"
	mediaScore      = "application/vnd.ims.lis.v1.score+json"
	mediaMembership = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
)

// serveAGS does what all grade endpoints share: the body, the bearer, tool and course in the path.
func (p *Platform) serveAGS(w http.ResponseWriter, r *http.Request, scopes []string, do func(t *tool, body []byte) *failure) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.profile.Fail(w, r, refuse(failMalformed, "unreadable body"), nil)
		return
	}
	t, f := p.bearer(r, scopes...)
	if f == nil {
		f = p.checkPath(t, r)
	}
	if f == nil {
		f = do(t, body)
	}
	if f != nil {
		p.sim.logf("%s: %s of grades refused: %s", p.profile.Name, r.Method, f.text)
		p.profile.Fail(w, r, f, body)
	}
}

// checkPath checks what a service URL says of tool and course.
func (p *Platform) checkPath(t *tool, r *http.Request) *failure {
	if !t.named(r) {
		return refuse(failUnauthorized, "the token is another tool's")
	}
	if course := r.PathValue("course"); course != "" && course != p.courseID() {
		return refuse(failNotFound, "no such course")
	}
	if p.cfg.Concluded && p.profile.Concludes {
		return refuse(failNotFound, "The course has concluded")
	}
	return nil
}

// answer encodes v in the platform's way and sends it.
func (p *Platform) answer(w http.ResponseWriter, status int, media string, v any) *failure {
	body, err := p.profile.Encode(v)
	if err != nil {
		return refuse(failPlatformError, err.Error())
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	write(w, body)
	return nil
}

func hasMedia(r *http.Request, want string) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == want
}

var (
	readItems  = []string{ScopeLineItem, ScopeLineItemReadonly}
	writeItems = []string{ScopeLineItem}
)

func (p *Platform) serveLineItems(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		p.serveAGS(w, r, readItems, func(t *tool, _ []byte) *failure {
			if !p.profile.AGS.CheckAccept(r, mediaLineItems) {
				return refuse(failNoHandler, "No handler found")
			}
			return p.listItems(w, r, t)
		})
	case http.MethodPost:
		p.serveAGS(w, r, writeItems, func(t *tool, body []byte) *failure {
			if !hasMedia(r, mediaLineItem) {
				return refuse(failMediaType, "the content type must be "+mediaLineItem)
			}
			return p.createItem(w, t, body)
		})
	default:
		p.profile.Fail(w, r, refuse(failNoHandler, "No handler found"), nil)
	}
}

func (p *Platform) listItems(w http.ResponseWriter, r *http.Request, t *tool) *failure {
	q := r.URL.Query()
	linkFilter := cmp.Or(p.profile.AGS.LinkFilter, "resource_link_id")
	matches := func(li *LineItem) bool {
		for name, have := range map[string]string{"tag": li.Tag, "resource_id": li.ResourceID, linkFilter: li.ResourceLinkID} {
			if want := q.Get(name); want != "" && want != have {
				return false
			}
		}
		return li.Tool == t.cfg.Name
	}
	list := []map[string]any{}
	p.mu.Lock()
	for _, li := range p.items {
		if matches(li) {
			list = append(list, p.itemJSON(t, li))
		}
	}
	p.mu.Unlock()
	win := p.profile.AGS.Page(p.requestURL(r), len(list))
	if win.link != "" {
		w.Header().Set("Link", win.link)
	}
	return p.answer(w, http.StatusOK, mediaLineItems, list[win.from:win.to])
}

// itemBody is a line item as a tool sends it.
type itemBody struct {
	ID               string          `json:"id"`
	Label            string          `json:"label"`
	ScoreMaximum     *float64        `json:"scoreMaximum"`
	ResourceID       string          `json:"resourceId"`
	Tag              string          `json:"tag"`
	ResourceLinkID   string          `json:"resourceLinkId"`
	StartDateTime    string          `json:"startDateTime"`
	EndDateTime      string          `json:"endDateTime"`
	GradesReleased   *bool           `json:"gradesReleased"`
	SubmissionReview json.RawMessage `json:"submissionReview"`

	extensions map[string]json.RawMessage // members whose names are URLs
}

// readItem reads a new line item (li is nil) or a change of one.
func (p *Platform) readItem(t *tool, body []byte, li *LineItem) (*itemBody, *failure) {
	var in itemBody
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse(failMalformed, "the body is not a line item")
	}
	if strings.TrimSpace(in.Label) == "" || in.ScoreMaximum == nil || *in.ScoreMaximum < 0 {
		return nil, refuse(failMissing, "label or scoreMaximum is missing")
	}
	if !p.cfg.Lax && *in.ScoreMaximum == 0 {
		return nil, refuse(failMissing, "scoreMaximum must be above 0")
	}
	for _, at := range []string{in.StartDateTime, in.EndDateTime} {
		if _, ok := parseISO8601(at); at != "" && !ok {
			return nil, refuse(failMalformed, "startDateTime or endDateTime is not a date and time with a zone")
		}
	}
	if in.ResourceLinkID != "" && p.toolLink(t, in.ResourceLinkID) == nil {
		return nil, refuse(failForbidden, "resourceLinkId belongs to another tool, or to nothing")
	}
	if check := p.profile.AGS.CheckItem; check != nil {
		if f := check(&in, li); f != nil {
			return nil, f
		}
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, refuse(failMalformed, "the body is not a line item")
	}
	for name, v := range all {
		if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
			if in.extensions == nil {
				in.extensions = map[string]json.RawMessage{}
			}
			in.extensions[name] = v
		}
	}
	return &in, nil
}

// fill writes what a tool may say of a line item.
func (li *LineItem) fill(in *itemBody) {
	li.Label, li.ScoreMaximum, li.ResourceID, li.Tag = in.Label, *in.ScoreMaximum, in.ResourceID, in.Tag
	li.StartDateTime, li.EndDateTime, li.GradesReleased = in.StartDateTime, in.EndDateTime, in.GradesReleased
	li.SubmissionReview, li.Extensions = in.SubmissionReview, in.extensions
}

func (p *Platform) createItem(w http.ResponseWriter, t *tool, body []byte) *failure {
	p.mu.Lock()
	out, f := p.makeItem(t, body)
	p.mu.Unlock()
	if f != nil {
		return f
	}
	return p.answer(w, cmp.Or(p.profile.AGS.CreateStatus, http.StatusCreated), mediaLineItem, out)
}

// makeItem is called with p.mu held. It returns what is answered.
func (p *Platform) makeItem(t *tool, body []byte) (any, *failure) {
	in, f := p.readItem(t, body, nil)
	if f != nil {
		return nil, f
	}
	if len(p.items) >= maxItems {
		return nil, refuse(failPlatformError, "too many line items")
	}
	li := &LineItem{Tool: t.cfg.Name, ResourceLinkID: in.ResourceLinkID, Own: true}
	li.fill(in)
	p.addItem(li)
	if !p.profile.AGS.EchoCreate {
		return p.itemJSON(t, li), nil
	}
	var echo map[string]any
	if err := decodeNumbers(body, &echo); err != nil {
		return nil, refuse(failMalformed, "the body is not a line item")
	}
	echo["id"] = p.lineItemURI(t, li)
	return echo, nil
}

// itemJSON is a line item as the platform answers it.
func (p *Platform) itemJSON(t *tool, li *LineItem) map[string]any {
	m := p.profile.AGS.LineItemJSON(p, t, li)
	if p.profile.AGS.ForgetsMore {
		return m
	}
	for name, v := range map[string]string{"startDateTime": li.StartDateTime, "endDateTime": li.EndDateTime} {
		if v != "" {
			m[name] = v
		}
	}
	if li.GradesReleased != nil {
		m["gradesReleased"] = *li.GradesReleased
	}
	if li.SubmissionReview != nil {
		m["submissionReview"] = li.SubmissionReview
	}
	for name, v := range li.Extensions {
		m[name] = v
	}
	return m
}

func (p *Platform) serveLineItem(w http.ResponseWriter, r *http.Request) {
	scopes := writeItems
	switch r.Method {
	case http.MethodGet:
		scopes = readItems
	case http.MethodPut, http.MethodDelete:
	default:
		p.profile.Fail(w, r, refuse(failNoHandler, "No handler found"), nil)
		return
	}
	p.serveAGS(w, r, scopes, func(t *tool, body []byte) *failure {
		if r.Method == http.MethodGet && !p.profile.AGS.CheckAccept(r, mediaLineItem) {
			return refuse(failNoHandler, "No handler found")
		}
		if r.Method == http.MethodPut && !hasMedia(r, mediaLineItem) {
			return refuse(failMediaType, "the content type must be "+mediaLineItem)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		li := p.ownItem(t, r)
		if li == nil {
			return refuse(failNotFound, "no such line item")
		}
		switch r.Method {
		case http.MethodDelete:
			if f := p.profile.AGS.CheckDelete(li); f != nil {
				return f
			}
			p.items = slices.DeleteFunc(p.items, func(o *LineItem) bool { return o == li })
			w.WriteHeader(http.StatusNoContent)
			return nil
		case http.MethodPut:
			in, f := p.readItem(t, body, li)
			if f != nil {
				return f
			}
			if in.ResourceLinkID != "" && in.ResourceLinkID != li.ResourceLinkID {
				return refuse(failMismatch, "resourceLinkId cannot be changed")
			}
			li.fill(in)
		}
		return p.answer(w, http.StatusOK, mediaLineItem, p.itemJSON(t, li))
	})
}

func (p *Platform) serveResults(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		p.profile.Fail(w, r, refuse(failNoHandler, "No handler found"), nil)
		return
	}
	p.serveAGS(w, r, []string{ScopeResultReadonly}, func(t *tool, _ []byte) *failure {
		if !p.profile.AGS.CheckAccept(r, mediaResults) {
			return refuse(failNoHandler, "No handler found")
		}
		list := []map[string]any{}
		p.mu.Lock()
		li := p.ownItem(t, r)
		if li == nil {
			p.mu.Unlock()
			return refuse(failNotFound, "no such line item")
		}
		one := r.PathValue("result")
		for _, g := range li.sorted() {
			id := p.profile.ResultID(li.ID, g.UserID)
			if only := r.URL.Query().Get("user_id"); (only == "" || only == g.UserID) && (one == "" || one == id) {
				list = append(list, g.result(p.withQuery(p.expand(p.profile.ResultsPath, t, li.ID), t), p.lineItemURI(t, li), id))
			}
		}
		p.mu.Unlock()
		if one != "" && !p.profile.AGS.OneResultListed {
			if len(list) == 0 {
				return refuse(failNotFound, "no such result")
			}
			return p.answer(w, http.StatusOK, mediaResult, list[0])
		}
		win, f := p.profile.AGS.ResultsPage(p.requestURL(r), len(list))
		if f != nil {
			return f
		}
		if win.link != "" {
			w.Header().Set("Link", win.link)
		}
		return p.answer(w, http.StatusOK, mediaResults, list[win.from:win.to])
	})
}

// ScoreRequest is one score that reached the platform, and what it was answered.
type ScoreRequest struct {
	Seq         int             `json:"seq"` // counts from 1
	Time        time.Time       `json:"time"`
	Tool        string          `json:"tool"`
	LineItem    string          `json:"line_item"`
	ContentType string          `json:"content_type"`
	Body        json.RawMessage `json:"body,omitempty"`
	Stored      bool            `json:"stored"`
	Error       string          `json:"error,omitempty"`
}

func (p *Platform) serveScores(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		p.profile.Fail(w, r, refuse(failNoHandler, "No handler found"), nil)
		return
	}
	p.serveAGS(w, r, []string{ScopeScore}, func(t *tool, body []byte) *failure {
		rec := ScoreRequest{Time: p.sim.now(), Tool: t.cfg.Name, LineItem: r.PathValue("item"), ContentType: r.Header.Get("Content-Type")}
		if json.Valid(body) {
			rec.Body = bytes.Clone(body)
		}
		li, s, f := p.storeScore(t, r, body)
		if f != nil {
			rec.Error = f.text
		}
		rec.Stored = f == nil
		p.mu.Lock()
		p.scoreSeq++
		rec.Seq = p.scoreSeq
		p.scoreLog.add(rec)
		p.mu.Unlock()
		if f != nil {
			return f
		}
		if _, strikes := p.takeFault(FaultScoreAnswerLost); strikes {
			panic(http.ErrAbortHandler) // the documented way to cut the connection
		}
		p.profile.AGS.ScoreAnswer(w, p, li, s)
		return nil
	})
}

func (p *Platform) storeScore(t *tool, r *http.Request, body []byte) (*LineItem, *scorePost, *failure) {
	known := hasMedia(r, mediaScore) || slices.ContainsFunc(p.profile.AGS.ScoreMedia, func(media string) bool { return hasMedia(r, media) })
	if !known && (p.profile.AGS.ScoreMediaExact || !p.cfg.Lax) {
		return nil, nil, refuse(failMediaType, "the content type must be "+mediaScore)
	}
	s, err := parseScore(body)
	if errors.Is(err, errNumber) {
		return nil, nil, refuse(failNumber, err.Error())
	}
	if err != nil {
		return nil, nil, refuse(failMalformed, err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	li := p.ownItem(t, r)
	if li == nil {
		return nil, nil, refuse(failNotFound, "no such line item")
	}
	prev := li.Grades[s.userID]
	if f := p.profile.AGS.CheckScore(p, li, s, prev); f != nil {
		return nil, nil, f
	}
	if prev != nil && prev.Overridden {
		return li, s, nil // a teacher's own grade stays, and the tool is not told
	}
	g := p.profile.AGS.ApplyScore(p, li, s, prev)
	if g == nil {
		delete(li.Grades, s.userID)
		return li, s, nil
	}
	g.UserID = s.userID
	if pr := p.crowd.byID(s.userID); pr != nil {
		g.n = pr.n
	}
	li.Grades[s.userID] = g
	return li, s, nil
}
