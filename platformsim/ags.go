// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
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
