// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LineItem is a column of the grade book.
type LineItem struct {
	ID             string  `json:"id"`
	Tool           string  `json:"tool"`
	Label          string  `json:"label"`
	ScoreMaximum   float64 `json:"score_maximum"`
	ResourceID     string  `json:"resource_id"`
	Tag            string  `json:"tag"`
	ResourceLinkID string  `json:"resource_link_id"`
	Own            bool    `json:"created_by_tool"`

	StartDateTime    string                     `json:"start_date_time"`
	EndDateTime      string                     `json:"end_date_time"`
	GradesReleased   *bool                      `json:"grades_released"`
	SubmissionReview json.RawMessage            `json:"submission_review,omitempty"`
	Extensions       map[string]json.RawMessage `json:"extensions,omitempty"` // members whose names are URLs

	Locked   bool              `json:"locked"`
	Attempts int               `json:"attempts"` // scores that each student may get; 0: any number
	Grades   map[string]*Grade `json:"grades"`   // by user id
}

// Grade is one cell of the grade book.
type Grade struct {
	UserID       string    `json:"user_id"`
	Score        *float64  `json:"score"` // nil: no grade
	ScoreMaximum float64   `json:"score_maximum"`
	Comment      string    `json:"comment"`
	Activity     string    `json:"activity_progress"`
	Grading      string    `json:"grading_progress"`
	Timestamp    time.Time `json:"timestamp"` // what a later score is compared with
	Posts        int       `json:"posts"`     // how many scores were stored for this person
	Overridden   bool      `json:"overridden"`

	Submission json.RawMessage `json:"submission,omitempty"` // Canvas's extension, as it came

	n int // position of the person in the course
}

func (g *Grade) clone() *Grade {
	c := *g
	if g.Score != nil {
		v := *g.Score
		c.Score = &v
	}
	return &c
}

func (g *Grade) result(results, scoreOf, id string) map[string]any {
	base, query, _ := strings.Cut(results, "?")
	own := base + "/" + url.PathEscape(id)
	if query != "" {
		own += "?" + query
	}
	m := map[string]any{"id": own, "userId": g.UserID}
	if g.Score == nil {
		return m
	}
	m["resultScore"], m["resultMaximum"], m["scoreOf"] = *g.Score, g.ScoreMaximum, scoreOf
	m["timestamp"] = g.Timestamp.UTC().Format(time.RFC3339)
	if g.Comment != "" {
		m["comment"] = g.Comment
	}
	return m
}

// addItem is called with p.mu held, or before the platform is shared.
func (p *Platform) addItem(li *LineItem) {
	li.ID = p.profile.LineItemID(p.itemSeq)
	li.Grades = map[string]*Grade{}
	p.itemSeq++
	p.items = append(p.items, li)
}

// ownItem finds the line item that a path names, by its id or in its signed form. It is called with p.mu held.
func (p *Platform) ownItem(t *tool, r *http.Request) *LineItem {
	id, signed := r.PathValue("item"), r.PathValue("signed")
	i := slices.IndexFunc(p.items, func(li *LineItem) bool {
		named := li.ID == id
		if signed != "" {
			named = p.signedItem(li) == signed
		}
		return named && li.Tool == t.cfg.Name
	})
	if i < 0 {
		return nil
	}
	return p.items[i]
}

// sorted lists the grades of a line item in the order of the course.
func (li *LineItem) sorted() []*Grade {
	return slices.SortedFunc(maps.Values(li.Grades), func(a, b *Grade) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.UserID, b.UserID)) })
}

// linkItems lists the line items that belong to a link of the tool; none for nil, or a link without an id. It is called
// with p.mu held.
func (p *Platform) linkItems(t *tool, l *Link) []*LineItem {
	var own []*LineItem
	for _, li := range p.items {
		if l != nil && l.ID != "" && li.Tool == t.cfg.Name && li.ResourceLinkID == l.ID {
			own = append(own, li)
		}
	}
	return own
}

// Gradebook returns a copy of all line items with their grades.
func (p *Platform) Gradebook() []LineItem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []LineItem{}
	for _, li := range p.items {
		c := *li
		c.Grades = map[string]*Grade{}
		for id, g := range li.Grades {
			c.Grades[id] = g.clone()
		}
		list = append(list, c)
	}
	return list
}

// GradeChange is what a teacher does by hand in the grade book.
type GradeChange struct {
	LineItem string   `json:"line_item"`
	Lock     *bool    `json:"lock,omitempty"`     // lock or unlock the line item
	Attempts *int     `json:"attempts,omitempty"` // how many scores Canvas takes for each student; 0: any number
	User     string   `json:"user,omitempty"`     // key of a student
	Override *float64 `json:"override,omitempty"` // the teacher's own grade for User; scores no longer change it
}

// ChangeGrades does what a teacher does by hand.
func (p *Platform) ChangeGrades(c GradeChange) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.items, func(li *LineItem) bool { return li.ID == c.LineItem })
	if i < 0 {
		return fmt.Errorf("there is no line item %q", c.LineItem)
	}
	li := p.items[i]
	if c.Override != nil {
		pr := p.crowd.byKey(c.User)
		if pr == nil || pr.ID == "" {
			return fmt.Errorf("there is no user %q", c.User)
		}
		v := *c.Override
		g := Grade{UserID: pr.ID, ScoreMaximum: li.ScoreMaximum, n: pr.n}
		if old := li.Grades[pr.ID]; old != nil {
			g = *old
		}
		g.Score, g.Overridden = &v, true
		li.Grades[pr.ID] = &g
	}
	if c.Attempts != nil {
		li.Attempts = *c.Attempts
	}
	if c.Lock != nil {
		li.Locked = *c.Lock
	}
	return nil
}

// scorePost is a score as a tool sent it. Numbers may come as text; each platform decides what it takes.
type scorePost struct {
	raw        []byte
	userID     string
	hasUserID  bool
	activity   string
	grading    string
	timestamp  string
	given      *float64
	maximum    *float64
	comment    string
	hasComment bool // there is one, and it is not null
	numberText bool // a score came as text

	members map[string]json.RawMessage // all of them
}

var (
	errScore  = errors.New("the body is not a score")
	errNumber = errors.New("must be a number")
)

func parseScore(body []byte) (*scorePost, error) {
	var in map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&in); err != nil || in == nil {
		return nil, errScore
	}
	s := &scorePost{raw: body, members: in}
	var id string
	if raw, ok := in["userId"]; ok && string(raw) != "null" {
		s.hasUserID = true
		if json.Unmarshal(raw, &id) != nil {
			var n json.Number
			if json.Unmarshal(raw, &n) != nil {
				return nil, errScore
			}
			id = n.String()
		}
		s.userID = strings.TrimSpace(id)
	}
	for name, dst := range map[string]*string{
		"activityProgress": &s.activity, "gradingProgress": &s.grading, "timestamp": &s.timestamp, "comment": &s.comment,
	} {
		raw, ok := in[name]
		if !ok || string(raw) == "null" {
			continue
		}
		if json.Unmarshal(raw, dst) != nil {
			return nil, fmt.Errorf("%s must be text", name)
		}
		s.hasComment = s.hasComment || name == "comment"
	}
	for name, dst := range map[string]**float64{"scoreGiven": &s.given, "scoreMaximum": &s.maximum} {
		raw, ok := in[name]
		if !ok || string(raw) == "null" {
			continue
		}
		var v float64
		if json.Unmarshal(raw, &v) != nil {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				return nil, fmt.Errorf("%s %w", name, errNumber)
			}
			var err error
			if v, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("%s %w", name, errNumber)
			}
			s.numberText = true
		}
		*dst = &v
	}
	return s, nil
}

// missing names the first required member that is absent, or "".
func (s *scorePost) missing() string {
	switch {
	case !s.hasUserID || s.userID == "":
		return "userId"
	case s.activity == "":
		return "activityProgress"
	case s.grading == "":
		return "gradingProgress"
	case s.timestamp == "":
		return "timestamp"
	}
	return ""
}

var (
	activities = []string{"Initialized", "Started", "InProgress", "Submitted", "Completed"}
	gradings   = []string{"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"}
)

// requestURL is the absolute URL of a request, as the platform repeats it in links.
func (p *Platform) requestURL(r *http.Request) *url.URL {
	u := *r.URL
	u.Scheme = "https"
	u.Host = strings.TrimPrefix(p.sim.url, "https://")
	return &u
}
