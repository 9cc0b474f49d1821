// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// canvasTokenFailure words refusals of the token endpoint as Canvas does.
func canvasTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	status, code, text := http.StatusBadRequest, "invalid_request", f.text
	switch f.kind {
	case tokGrantType:
		code, text = "unsupported_grant_type", "The grant_type you requested is not currently supported by Canvas"
	case tokClient:
		status, code, text = http.StatusUnauthorized, "invalid_client", "unknown client"
	case tokScope:
		code, text = "invalid_scope", "A requested scope is invalid, unknown, malformed, or exceeds the scope granted by the resource owner."
	case tokSignature:
		text = "JWS signature invalid."
	case tokKidUnknown, tokKidMissing:
		text = "JWK Error: JSON::JWK::Set::KidNotFound"
	case tokExpired:
		text = "the JWT has expired"
	}
	body, err := plainJSON(map[string]string{"error": code, "error_description": text})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	write(w, body)
}

// canvasFailure words refusals of the services as Canvas does: everything about tokens and scopes is 401.
func canvasFailure(w http.ResponseWriter, _ *http.Request, f *failure, _ []byte) {
	status, kind := http.StatusBadRequest, "bad_request"
	switch f.kind {
	case failUnauthorized, failScope:
		status, kind = http.StatusUnauthorized, "unauthorized"
	case failForbidden: // an assignment's own line item: 401 and nothing else
		if f.text == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		status, kind = http.StatusNotFound, "not_found"
	case failNotFound:
		status, kind = http.StatusNotFound, "not_found"
	case failNoHandler:
		status, kind = http.StatusMethodNotAllowed, "method_not_allowed"
	case failMediaType:
		status, kind = http.StatusUnsupportedMediaType, "unsupported_media_type"
	case failMaximum, failNotGradable:
		status, kind = http.StatusUnprocessableEntity, "unprocessable_entity"
	case failMismatch:
		status, kind = http.StatusPreconditionFailed, "precondition_failed"
	case failPlatformError, failLocked:
		status, kind = http.StatusInternalServerError, "internal_server_error"
	}
	body, err := plainJSON(map[string]any{"errors": map[string]string{"type": kind, "message": f.text}})
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	write(w, body)
}

var iso8601 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`)

// parseISO8601 takes full dates with seconds and a zone.
func parseISO8601(s string) (time.Time, bool) {
	if !iso8601.MatchString(s) {
		return time.Time{}, false
	}
	layout := "2006-01-02T15:04:05Z07:00"
	if !strings.HasSuffix(s, "Z") && s[len(s)-3] != ':' {
		layout = "2006-01-02T15:04:05Z0700"
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}

func canvasCheckScore(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
	if name := s.missing(); name != "" {
		return refuse(failMissing, "Missing required parameter: "+name)
	}
	at, ok := parseISO8601(s.timestamp)
	if !ok {
		return refuse(failMalformed, "Provided timestamp of "+s.timestamp+" not a valid timestamp")
	}
	if !slices.Contains(activities, s.activity) || !slices.Contains(gradings, s.grading) {
		return refuse(failMalformed, "activityProgress or gradingProgress is not a known value")
	}
	if s.numberText && !p.cfg.Lax {
		return refuse(failMalformed, "scoreGiven and scoreMaximum must be numbers")
	}
	if !p.gradable(s.userID) {
		return refuse(failNotGradable, "User not found in course or is not a student")
	}
	if s.given != nil && (s.maximum == nil || *s.maximum <= 0) {
		return refuse(failMaximum, "ScoreMaximum must be greater than 0 if scoreGiven is set")
	}
	// Equal is accepted; fractions of a second count.
	if prev != nil && at.Before(prev.Timestamp) {
		return refuse(failStale, "Provided timestamp of "+s.timestamp+" before last updated timestamp of "+prev.Timestamp.Format(time.RFC3339Nano))
	}
	if prev != nil && li.Attempts > 0 && prev.Posts >= li.Attempts {
		return refuse(failNotGradable, "The maximum number of allowed attempts has been reached for this submission")
	}
	if li.Locked {
		return refuse(failLocked, "grading is closed")
	}
	return canvasCheckSubmission(p, s)
}

// canvasSubmission is the extension of a score that brings what the student handed in.
const canvasSubmission = "https://canvas.instructure.com/lti/submission"

var canvasSubmissionTypes = []string{
	"", "none", "basic_lti_launch", "online_text_entry", "online_url", "external_tool", "online_upload",
}

type canvasHandedIn struct {
	New         *bool                        `json:"new_submission"`
	Type        string                       `json:"submission_type"`
	SubmittedAt string                       `json:"submitted_at"`
	Items       []map[string]json.RawMessage `json:"content_items"`
}

func canvasCheckSubmission(p *Platform, s *scorePost) *failure {
	raw := s.members[canvasSubmission]
	if raw == nil {
		return nil
	}
	var in canvasHandedIn
	if json.Unmarshal(raw, &in) != nil {
		return refuse(failMalformed, "The submission is malformed")
	}
	if !slices.Contains(canvasSubmissionTypes, in.Type) {
		return refuse(failMalformed, "submission_type "+in.Type+" is not known")
	}
	if at, ok := parseISO8601(in.SubmittedAt); in.SubmittedAt != "" && (!ok || at.After(p.sim.now().Add(time.Minute))) {
		return refuse(failMalformed, "Provided submitted_at timestamp of "+in.SubmittedAt+" not a valid timestamp")
	}
	return nil
}

// canvasEcho repeats a submission, with a URL for the progress of each file.
func canvasEcho(p *Platform, s *scorePost) string {
	raw := s.members[canvasSubmission]
	var in map[string]any
	if raw == nil || json.Unmarshal(raw, &in) != nil {
		return ""
	}
	if items, ok := in["content_items"].([]any); ok {
		for i, item := range items {
			if item, ok := item.(map[string]any); ok {
				item["progress"] = fmt.Sprintf("%s/api/lti/progress/%d", p.base, i+1)
			}
		}
	}
	echo, err := plainJSON(in)
	if err != nil {
		return ""
	}
	return `,"` + canvasSubmission + `":` + string(echo)
}

// canvasDeepFailure words refusals of a deep linking response as Canvas does.
func canvasDeepFailure(_ *Platform, w http.ResponseWriter, f *deepFailure) {
	text := f.text
	if f.kind == tokKidMissing || f.text == errKidUnknown.Error() {
		text = "JSON::JWK::Set::KidNotFound"
	}
	jsonFailure(w, http.StatusBadRequest, map[string]any{
		"errors": map[string]any{"jwt": []any{map[string]string{"attribute": "jwt", "type": "JWT verification failure", "message": text}}},
	})
}

func canvasApplyScore(_ *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade {
	at, _ := parseISO8601(s.timestamp) // checked before
	g := &Grade{ScoreMaximum: li.ScoreMaximum, Comment: s.comment, Activity: s.activity, Grading: s.grading, Timestamp: at, Posts: 1, Submission: s.members[canvasSubmission]}
	if prev != nil {
		g.Posts = prev.Posts + 1
	}
	switch s.grading {
	case "NotReady", "Failed", "Pending":
		if prev != nil {
			g.Score = prev.Score
		}
	default:
		if s.given != nil {
			v := *s.given / *s.maximum * li.ScoreMaximum
			g.Score = &v
		}
	}
	return g
}

// canvasPage: limit is honoured, but the links carry page and per_page instead.
func canvasPage(u *url.URL, total int) pageWindow {
	q := u.Query()
	size := 50
	for _, name := range []string{"limit", "per_page"} {
		if n, err := strconv.Atoi(q.Get(name)); err == nil && n > 0 {
			size = min(n, 50)
		}
	}
	page := 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 && n < 1<<20 {
		page = n
	}
	last := max(1, (total+size-1)/size)
	link := func(n int, rel string) string {
		v := u.Query()
		v.Del("limit")
		v.Set("page", strconv.Itoa(n))
		v.Set("per_page", strconv.Itoa(size))
		c := *u
		c.RawQuery = v.Encode()
		return "<" + c.String() + `>; rel="` + rel + `"`
	}
	links := []string{link(page, "current")}
	if page < last {
		links = append(links, link(page+1, "next"))
	}
	if page > 1 {
		links = append(links, link(page-1, "prev"))
	}
	links = append(links, link(1, "first"), link(last, "last"))
	from := min(total, (page-1)*size)
	return pageWindow{from: from, to: min(total, from+size), link: strings.Join(links, ",")}
}
