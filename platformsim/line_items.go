// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

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
		out, f := p.oneItem(t, r, body)
		if f != nil {
			return f
		}
		if out == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return p.answer(w, http.StatusOK, mediaLineItem, out)
	})
}

// oneItem reads, changes or deletes a line item, and returns it as the platform answers it; nil where it is deleted.
func (p *Platform) oneItem(t *tool, r *http.Request, body []byte) (map[string]any, *failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	li := p.ownItem(t, r)
	if li == nil {
		return nil, refuse(failNotFound, "no such line item")
	}
	switch r.Method {
	case http.MethodDelete:
		if f := p.profile.AGS.CheckDelete(li); f != nil {
			return nil, f
		}
		p.items = slices.DeleteFunc(p.items, func(o *LineItem) bool { return o == li })
		return nil, nil
	case http.MethodPut:
		in, f := p.readItem(t, body, li)
		if f != nil {
			return nil, f
		}
		if in.ResourceLinkID != "" && in.ResourceLinkID != li.ResourceLinkID {
			return nil, refuse(failMismatch, "resourceLinkId cannot be changed")
		}
		li.fill(in)
	}
	return p.itemJSON(t, li), nil
}
