// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Brightspace, Blackboard and Schoology do not publish how they answer in every case. What is not known of them is what
// the specifications say (RFC 6750 for refused service tokens, AGS for scores), and switches of PlatformConfig change it.

// rfc6750Failure refuses as RFC 6750 has it, with a problem in JSON.
func rfc6750Failure(w http.ResponseWriter, r *http.Request, f *failure, _ []byte) {
	status := http.StatusBadRequest
	switch f.kind {
	case failUnauthorized:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	case failScope:
		status = http.StatusForbidden
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
	case failForbidden, failLocked:
		status = http.StatusForbidden
	case failNotFound, failMismatch:
		status = http.StatusNotFound
	case failNoHandler:
		status = http.StatusMethodNotAllowed
		if r.Method == http.MethodGet {
			status = http.StatusNotAcceptable
		}
	case failMediaType:
		status = http.StatusUnsupportedMediaType
	case failNotGradable:
		status = http.StatusUnprocessableEntity
	case failStale:
		status = http.StatusConflict
	case failPlatformError:
		status = http.StatusInternalServerError
	}
	jsonFailure(w, status, map[string]any{"status": status, "message": f.text})
}

func jsonFailure(w http.ResponseWriter, status int, v any) {
	body, err := plainJSON(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	write(w, body)
}

// tokenJSON is the answer of a token endpoint.
func tokenJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	write(w, body)
}

// oauthFailure refuses a token request in the words of RFC 6749.
func oauthFailure(w http.ResponseWriter, f *tokenFailure) {
	status, code := http.StatusBadRequest, "invalid_grant"
	switch f.kind {
	case tokRequest, tokParse:
		code = "invalid_request"
	case tokGrantType:
		code = "unsupported_grant_type"
	case tokScope:
		code = "invalid_scope"
	case tokClient, tokIssuer:
		code = "invalid_client"
	}
	w.Header().Set("Cache-Control", "no-store")
	jsonFailure(w, status, map[string]string{"error": code, "error_description": f.text})
}

// plainCheckScore has the rules of the specification. Whether an older score is refused is not known: a switch.
func plainCheckScore(p *Platform, _ *LineItem, s *scorePost, prev *Grade) *failure {
	if name := s.missing(); name != "" {
		return refuse(failMissing, name+" is missing")
	}
	at, ok := parseISO8601(s.timestamp)
	if !ok {
		return refuse(failMalformed, "timestamp is not a date and time with a zone")
	}
	if !p.gradable(s.userID) {
		return refuse(failNotGradable, "the user cannot have a grade")
	}
	if s.given != nil && s.maximum != nil && *s.maximum <= 0 {
		return refuse(failMaximum, "scoreMaximum must be above 0")
	}
	if prev != nil && p.cfg.NewerScoresOnly && !at.After(prev.Timestamp) {
		return refuse(failStale, "a score that is not older is stored")
	}
	return nil
}

// gradable reports whether somebody is a student of the course.
func (p *Platform) gradable(user string) bool {
	pr := p.crowd.byID(user)
	return pr != nil && pr.Role == Student && p.crowd.enrolled(pr)
}

// needMaximum is plainCheckScore for platforms that rescale scores.
func needMaximum(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
	if f := plainCheckScore(p, li, s, prev); f != nil {
		return f
	}
	if s.given != nil && s.maximum == nil {
		return refuse(failMaximum, "scoreMaximum is missing")
	}
	if li.Locked {
		return refuse(failLocked, "the line item is locked")
	}
	return nil
}

// plainApplyScore stores a score as it came, out of the line item's maximum. Without scoreMaximum it is out of that.
func plainApplyScore(p *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade {
	at, _ := parseISO8601(s.timestamp) // checked before, where it counts
	g := &Grade{ScoreMaximum: li.ScoreMaximum, Comment: s.comment, Activity: s.activity, Grading: s.grading, Timestamp: at, Posts: 1}
	if prev != nil {
		g.Posts = prev.Posts + 1
	}
	if s.given != nil {
		v := *s.given
		if s.maximum != nil && *s.maximum > 0 {
			v = v / *s.maximum * li.ScoreMaximum
		}
		g.Score = &v
	}
	return g
}

// plainScoreAnswer has no body.
func plainScoreAnswer(w http.ResponseWriter, p *Platform, _ *LineItem, _ *scorePost) {
	w.WriteHeader(cmp.Or(p.cfg.ScoreStatus, http.StatusOK))
}

// plainLineItem leaves out what is empty.
func plainLineItem(p *Platform, t *tool, li *LineItem) map[string]any {
	m := map[string]any{"id": p.lineItemURI(t, li), "label": li.Label, "scoreMaximum": li.ScoreMaximum}
	for name, v := range map[string]string{"resourceId": li.ResourceID, "tag": li.Tag, "resourceLinkId": li.ResourceLinkID} {
		if v != "" {
			m[name] = v
		}
	}
	return m
}

func anyAccept(*http.Request) bool              { return true }
func anyMediaAccept(*http.Request, string) bool { return true }
func mayDelete(*LineItem) *failure              { return nil }
func plainPersonRole(pr *Person, role string) bool {
	return role == plainMemberRole(pr)
}

func plainMemberRole(pr *Person) string {
	if pr.Role == Student {
		return roleMember + "Learner"
	}
	return roleMember + "Instructor"
}

// onePage is a list that does not page.
func onePage(_ *url.URL, total int) pageWindow { return pageWindow{to: total} }

func oneResultsPage(_ *url.URL, total int) (pageWindow, *failure) { return pageWindow{to: total}, nil }

// offsetPage is a list whose next link carries where to go on, under that name.
func offsetPage(u *url.URL, total, size int, name string) pageWindow {
	if size <= 0 {
		return pageWindow{to: total}
	}
	from := min(atoiOr(u.Query().Get(name), 0), total)
	w := pageWindow{from: from, to: min(total, from+size)}
	if w.to < total {
		q := u.Query()
		q.Set(name, strconv.Itoa(w.to))
		next := *u
		next.RawQuery = q.Encode()
		w.link = "<" + next.String() + `>; rel="next"`
	}
	return w
}

// limitPage is a list that pages where a limit is asked for.
func limitPage(u *url.URL, total int) pageWindow {
	return offsetPage(u, total, atoiOr(u.Query().Get("limit"), 0), "offset")
}

// plainSettings are deep linking settings as the specification has them.
func plainSettings(types ...any) func(*Platform, *launch) map[string]any {
	return func(*Platform, *launch) map[string]any {
		return map[string]any{
			"accept_types": types, "accept_presentation_document_targets": []string{"iframe", "window", "embed"},
			"accept_multiple": true, "accept_lineitem": true, "auto_create": true,
		}
	}
}

// ownLink takes only links of the tool as rlid.
func ownLink(p *Platform, t *tool, rlid string) (*Link, *failure) {
	l := p.hasLink(t, rlid)
	if l == nil {
		return nil, refuse(failNotFound, "no such resource link")
	}
	return l, nil
}

// anyLink ignores rlid.
func anyLink(*Platform, *tool, string) (*Link, *failure) { return nil, nil }

func plainMessage(_ *Platform, t *tool, l *Link, _ *Person) []map[string]any {
	return []map[string]any{{claimLTI + "message_type": messageResourceLink, claimLTI + "custom": customOf(t, l)}}
}

// wholeURL is a container id with query, pathURL one without.
func wholeURL(p *Platform, r *http.Request) string { return p.requestURL(r).String() }

func pathURL(p *Platform, r *http.Request) string {
	u := p.requestURL(r)
	u.RawQuery = ""
	return u.String()
}

// gradesClaim is the AGS claim; it names the line item while the link has exactly one.
func gradesClaim(p *Platform, l *launch) map[string]any {
	t := l.tool
	c := map[string]any{"scope": agsScopes(t), "lineitems": p.lineItemsURI(t)}
	if own := p.linkItems(t, l.link); len(own) == 1 || (len(own) > 0 && !p.profile.AGS.OneItemOnly) {
		c["lineitem"] = p.lineItemURI(t, own[0])
	}
	return c
}

func rosterClaim(p *Platform, t *tool) map[string]any {
	return map[string]any{"context_memberships_url": p.membershipsURI(t), "service_versions": p.profile.NRPS.Versions}
}

// checkRequest has the rules that most authorization endpoints share: the named parameters are there, the client is
// known, and the redirect URI is registered character for character. It returns the tool, or what is wrong.
func checkRequest(p *Platform, q url.Values, required ...string) (t *tool, wrong string) {
	for _, name := range required {
		if q.Get(name) == "" {
			return nil, name + " is missing"
		}
	}
	t = p.findTool(func(t *tool) bool { return t.client == q.Get("client_id") })
	if t == nil {
		return nil, "unknown client_id"
	}
	for _, u := range t.cfg.LaunchURIs {
		if u == q.Get("redirect_uri") {
			return t, ""
		}
	}
	return nil, "redirect_uri is not registered"
}

// hintedLaunch finds the launch of a message hint and checks that it belongs to the user, the hint and the tool.
func hintedLaunch(p *Platform, q url.Values, user *Person, t *tool) (l *launch, wrong string) {
	waiting := p.launches[q.Get("lti_message_hint")]
	switch {
	case waiting == nil:
		return nil, "the launch is unknown or has expired"
	case waiting.tool.client != t.client:
		return nil, "the launch is another tool's"
	case user == nil || waiting.person != user || user.ID == "":
		return nil, "the user is not signed in"
	case q.Get("login_hint") != loginHintOf(p, waiting):
		return nil, "login_hint does not fit"
	}
	l, ok := p.findLaunch(waiting.id)
	if !ok {
		return nil, "the launch is unknown or has expired"
	}
	return l, ""
}

// loginHintOf returns the login_hint that went out with a launch.
func loginHintOf(p *Platform, l *launch) string {
	for _, f := range p.profile.LoginFields(p, l) {
		if f.Name == "login_hint" {
			return f.Value
		}
	}
	return ""
}

// rs256Token is an access token that the platform's own key signs. kid says whether the header names the key.
func rs256Token(p *Platform, t *tool, kid bool, claims map[string]any) (string, error) {
	jti, err := p.sim.randomHex(32)
	if err != nil {
		return "", err
	}
	now := p.sim.now().Unix()
	all := map[string]any{"sub": t.client, "iat": now, "exp": now + int64(accessTokenLife/time.Second), "jti": jti}
	for name, v := range claims {
		all[name] = v
	}
	key := p.signingKey(t)
	header := map[string]any{"typ": "JWT", "alg": "RS256"}
	if kid {
		header["kid"] = key.kid
	}
	return signRS256(header, all, key.key)
}

// learnID is an identifier in Blackboard's style.
func learnID(n int) string { return fmt.Sprintf("_%d_1", n) }
