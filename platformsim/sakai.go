// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sakaiProfile is Sakai 25. Ways of it that trip tools up: login initiations have no lti_message_hint, and one login may
// be used again; kids are negative numbers; a redirect URI that is not registered is ignored and the launch goes to the
// tool's launch URL; service tokens that are no longer good are answered with 403, missing scopes with 400; an empty
// roster has no body.
func sakaiProfile() *Profile {
	return &Profile{
		Name:   "sakai",
		Title:  "Sakai",
		Issuer: func(base string) string { return base },
		TokenIssuer: func(p *Platform) string {
			if p.cfg.SiteIssuer {
				return p.base + "/site/" + p.courseID()
			}
			return p.base
		},
		CourseID:          derivedUUID("sakai/site"),
		AuthorizationPath: "/imsoidc/lti13/oidc_auth",
		TokenPath:         "/imsblis/lti13/token/{tool}",
		JWKSPath:          "/imsblis/lti13/keyset",
		LineItemsPath:     "/imsblis/lti13/lineitems/{course}",
		LineItemPath:      "/imsblis/lti13/lineitems/{course}/{item}",
		ScoresPath:        "/imsblis/lti13/lineitems/{course}/{item}/scores",
		ResultsPath:       "/imsblis/lti13/lineitems/{course}/{item}/results",
		SignedItemPath:    "/imsblis/lti13/lineitem/{signed}",
		MembershipsPath:   "/imsblis/lti13/namesandroles/{course}",

		ResultID:       func(_, person string) string { return person },
		ClientID:       func(_ int, seed string) string { return derivedUUID(seed + "/client") },
		DeploymentID:   func(int, string) string { return "1" }, // one for the whole server
		ResourceLinkID: func(n int, _ string) string { return sakaiContent + strconv.Itoa(7+n) },
		LineItemID:     func(n int) string { return strconv.Itoa(12 + n) },
		PersonID:       func(base string, _ int, seed string) string { return base + "/user/" + derivedUUID("sakai/"+seed) },
		LoginHint:      func(*Person) string { return "" }, // it names the link, not the person

		LoginMethod:  http.MethodGet,
		StorageFrame: parentFrame,
		StorageFirst: true,
		// The session remembers where a person is; the last click on a link counts.
		OneLaunch:     true,
		LaunchID:      func(_ *Platform, l *launch) (string, error) { return sakaiLaunch(l.tool, l.link, l.person), nil },
		LoginFields:   sakaiLogin,
		LaunchExpires: time.Hour,

		CheckAuthRequest: sakaiAuthRequest,
		Lifetime:         time.Hour,
		NoTyp:            true,
		Claims:           sakaiClaims,
		Keys: KeyRules{
			Count: 2, Signing: 0,
			// A Java hash code. Real ones are negative half of the time, these always.
			Kid: func(_ time.Time, _ int, random io.Reader) (string, error) {
				var b [4]byte
				_, err := io.ReadFull(random, b[:])
				return strconv.Itoa(-1 - int(binary.BigEndian.Uint32(b[:])>>1)), err
			},
			Headers:   map[string]string{"Content-Type": sakaiJSON},
			SortByKid: true,
			KeepOld:   true,
		},
		Token: TokenRules{
			UserAgent: "Sakai/platformsim",
			MaxAhead:  time.Minute,
			MaxLate:   time.Minute,
			ByPath:    true,
			Widen: func(scope string) []string { // scopes are looked for inside the text
				if scope == ScopeLineItemReadonly {
					return []string{ScopeLineItem}
				}
				return nil
			},
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				return rs256Token(p, t, false, map[string]any{"scope": strings.Join(scopes, " ")})
			},
			Answer: func(w http.ResponseWriter, body []byte) {
				w.Header().Set("Content-Type", sakaiJSON)
				w.Header().Set("Cache-Control", "no-store")
				write(w, body)
			},
			Fail: sakaiTokenFailure,
		},
		AGS: AGSRules{
			CheckAccept: anyMediaAccept,
			CheckScore:  sakaiCheckScore,
			ApplyScore: func(p *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade {
				if s.given == nil {
					return nil
				}
				return plainApplyScore(p, li, s, prev)
			},
			ScoreAnswer: func(w http.ResponseWriter, _ *Platform, _ *LineItem, _ *scorePost) {
				w.Header().Set("Content-Type", sakaiJSON)
				w.WriteHeader(http.StatusOK)
			},
			LineItemJSON: plainLineItem,
			CreateStatus: http.StatusOK,
			LinkFilter:   "lti_link_id",
			CheckItem: func(_ *itemBody, li *LineItem) *failure {
				if li != nil && !li.Own {
					return refuse(failMalformed, "an on-demand line item cannot be changed")
				}
				return nil
			},
			CheckDelete: mayDelete,
			Page:        onePage,
			ResultsPage: oneResultsPage,
			OneItemOnly: true,
		},
		NRPS: NRPSRules{
			Versions:    []string{"2.0"},
			ContentType: "application/json; charset=utf-8",
			CheckAccept: anyAccept,
			Role:        func(*Person, string) bool { return true },
			Link:        anyLink,
			Page:        sakaiPage,
			Member: func(_ *Platform, pr *Person) map[string]any {
				return map[string]any{
					"status": "Active", "user_id": pr.ID, "lti11_legacy_user_id": derivedUUID("sakai/" + pr.Key), "lis_person_sourcedid": pr.Username,
					"roles": []string{plainMemberRole(pr)}, "name": pr.Name(), "given_name": pr.Given, "family_name": pr.Family, "email": pr.Email,
					"sakai_ext": map[string]any{"sakai_role": "access"},
				}
			},
			Message:      plainMessage,
			ContextID:    func(p *Platform) string { return p.courseID() },
			ContextKeys:  []string{"id", "title"},
			OwnID:        pathURL,
			EmptyBody:    true,
			AlwaysActive: true,
			Enrollments:  func(url.Values) bool { return true },
		},
		DeepLinking: &DeepLinkingRules{
			ReturnPath: "/portal/site/{course}/tool/content",
			ReturnQuery: func(p *Platform, l *launch) (string, error) {
				return "eventSubmit_doContentItemPut=Save&panel=PostContentItem&tool_id=" + l.tool.toolID() + "&sakai.site=" + p.courseID() +
					"&sakai_csrf_token=" + derived(32, "sakai/csrf"), nil
			},
			Settings: func(_ *Platform, _ *launch) map[string]any {
				return map[string]any{
					"accept_types": []any{"ltiResourceLink"}, "accept_media_types": "application/vnd.ims.lti.v1.ltilink",
					"accept_presentation_document_targets": []string{"iframe", "window"}, "accept_multiple": false, "accept_lineitem": true,
					"auto_create": false, "can_confirm": false, "sakai_placement": "assessment_selection",
				}
			},
			Data: func(_ *Platform, l *launch) string {
				return `{"panel":"PostContentItem","request":"` + derived(32, "sakai/data/"+l.tool.cfg.Name+l.person.Key) + `"}`
			},
		},
		Groups: &GroupRules{
			GroupsPath: "/imsblis/lti13/groupservice/{course}",
			// The next page's address is misspelt, and nobody lives there; so is the container's id.
			Page: func(u *url.URL, total int) pageWindow {
				win := sakaiPage(u, total)
				win.link = strings.Replace(win.link, "/groupservice/", "/groupsservice/", 1)
				return win
			},
			Group: func(_ *Platform, g *Group) map[string]any {
				return map[string]any{"id": g.ID, "name": g.Name, "tag": "whatever"}
			},
			OwnID: func(p *Platform, _ *http.Request) string {
				return p.base + "/imsblis/lti13/groupsservice/" + p.courseID()
			},
			ShowUser: true,
		},
		NotOffered: map[string]string{
			"caliper": "its id_tokens have no Caliper claim (lti-common, SakaiLTIUtil.java)",
		},
		Fail:   sakaiFailure,
		Encode: plainJSON,
	}
}

const (
	sakaiContent = "content:"
	sakaiJSON    = "application/json;charset=UTF-8"
)

// sakaiPlace is what a login hint names: a link, or the tool where content is picked.
func sakaiPlace(t *tool, l *Link) string {
	if l.ID == "" {
		return "tool:" + t.toolID()
	}
	return l.ID
}

func sakaiLaunch(t *tool, l *Link, pr *Person) string {
	return t.cfg.Name + "/" + sakaiPlace(t, l) + "/" + pr.Key
}

func sakaiHint(p *Platform, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("/access/lti/site/" + p.courseID() + "/" + place))
}

func sakaiLogin(p *Platform, l *launch) []Field {
	f := []Field{{"iss", p.profile.Issuer(p.base)}, {"login_hint", sakaiHint(p, sakaiPlace(l.tool, l.link))}}
	if l.storage {
		f = append(f, Field{"lti_storage_target", parentFrame})
	}
	return append(f, Field{"client_id", l.tool.client}, Field{"lti_deployment_id", l.tool.deployment}, Field{"target_link_uri", l.link.TargetLinkURI})
}

// sakaiAuthRequest looks at state, login_hint and nonce, and at nothing else.
func sakaiAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	if user == nil {
		// A page attaches the session once more.
		if !q.Has("repost") {
			return authOutcome{repost: true}
		}
		return authOutcome{status: http.StatusForbidden, page: "Not signed in"}
	}
	refusal := func(text string) authOutcome {
		return authOutcome{status: http.StatusBadRequest, json: fmt.Sprintf(`{"error":%q}`, text)}
	}
	if q.Get("login_hint") == "" || q.Get("nonce") == "" || q.Get("state") == "" {
		return refusal("Missing login_hint, nonce or state parameter")
	}
	if !q.Has("redirect_uri") {
		return authOutcome{status: http.StatusInternalServerError, page: "NullPointerException"}
	}
	t, link := sakaiHinted(p, q.Get("login_hint"))
	if t == nil || user.ID == "" {
		return refusal("Bad login_hint")
	}
	l, ok := p.findLaunch(sakaiLaunch(t, link, user))
	if !ok {
		if p.cfg.OneShot || link.ID == "" {
			return refusal("The launch was used")
		}
		l = &launch{tool: t, link: link, message: messageResourceLink, person: user, view: "iframe", storage: !p.cfg.NoStorage, started: p.sim.now()}
	}
	out := authOutcome{launch: l}
	// Part of the list is enough; another URI is not refused but ignored.
	if !strings.Contains(strings.Join(t.cfg.LaunchURIs, ","), q.Get("redirect_uri")) || q.Get("redirect_uri") == "" {
		out.redirect = t.cfg.LaunchURIs[0]
	}
	return out
}

// sakaiHinted finds what a login hint names. It is called with p.mu held.
func sakaiHinted(p *Platform, hint string) (*tool, *Link) {
	for _, t := range p.tools {
		for _, l := range append([]*Link{{Tool: t.cfg.Name, TargetLinkURI: t.target}}, p.links...) {
			if l.Tool == t.cfg.Name && sakaiHint(p, sakaiPlace(t, l)) == hint {
				return t, l
			}
		}
	}
	return nil, nil
}

func sakaiClaims(p *Platform, l *launch) map[string]any {
	return map[string]any{
		"name": l.person.Name(), "given_name": l.person.Given, "family_name": l.person.Family, "email": l.person.Email, "locale": "en-US",
		claimLTI + "roles":         sakaiRoles(l.person),
		claimLTI + "context":       map[string]any{"id": p.courseID(), "label": courseLabel, "title": courseTitle, "type": []string{courseOffering}},
		claimLTI + "resource_link": map[string]any{"id": l.link.ID, "title": l.link.Title, "description": ""},
		claimLTI + "lis": map[string]any{
			"person_sourcedid": l.person.Username, "course_section_sourcedid": p.courseID(), "version": []string{"1.0.0", "1.1.0"},
		},
		claimLTI + "launch_presentation": map[string]any{
			"document_target": "iframe", "return_url": p.base + "/imsblis/service/return-url/site/" + p.courseID(), "locale": "en-US",
			"css_url": p.base + "/library/skin/tool_base.css",
		},
		claimLTI + "tool_platform": map[string]any{
			"guid": "guid-missing-42", "name": "Sakai", "description": "Sakai", "product_family_code": "sakailms.org", "version": "25.0",
		},
		claimLTI + "for_user": map[string]any{"user_id": l.person.ID, "roles": sakaiRoles(l.person)},
		claimLTI + "custom":   customOf(l.tool, l.link),
		claimAGS:              gradesClaim(p, l),
		claimNRPS:             rosterClaim(p, l.tool),
	}
}

func sakaiRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleMember + "Learner"}
	case Assistant:
		return []string{roleMember + "Instructor", roleAssistant}
	case Admin:
		return []string{roleMember + "Instructor", roleInst + "Administrator", roleSystem + "Administrator"}
	default:
		return []string{roleMember + "Instructor"}
	}
}

// sakaiCheckScore does not look at the timestamp: what comes last counts.
func sakaiCheckScore(p *Platform, li *LineItem, s *scorePost, _ *Grade) *failure {
	if pr := p.crowd.byID(s.userID); pr == nil || !p.crowd.enrolled(pr) {
		return refuse(failNotGradable, "User does not belong to site")
	}
	if li.Locked {
		return refuse(failLocked, "the gradebook does not take it")
	}
	return nil
}

// sakaiPage names start and limit in its next link, and nothing else.
func sakaiPage(u *url.URL, total int) pageWindow {
	q := u.Query()
	size := atoiOr(q.Get("limit"), 0)
	from := min(atoiOr(q.Get("start"), 0), total)
	if size == 0 {
		return pageWindow{from: from, to: total}
	}
	w := pageWindow{from: from, to: min(total, from+size)}
	if w.to < total {
		w.link = fmt.Sprintf(`<%s://%s%s?start=%d&limit=%d>; rel="next"`, u.Scheme, u.Host, u.Path, w.to, size)
	}
	return w
}

// sakaiTokenFailure words refusals as free text; what goes wrong with the signature is a crash.
func sakaiTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	w.Header().Set("Cache-Control", "no-store")
	status, text := http.StatusBadRequest, f.text
	switch f.kind {
	case tokExpired, tokSignature, tokParse, tokNotBefore, tokIssuedAhead:
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		write(w, []byte("<!doctype html><html lang=\"en\"><head><title>HTTP Status 500 – Internal Server Error</title></head><body><h1>HTTP Status 500 – Internal Server Error</h1></body></html>"))
		return
	case tokScope:
		text = "invalid_scope"
		w.Header().Set("X-Tsugi-LTI13-Error-Detail", f.text)
	case tokClient:
		status = http.StatusNotFound
	}
	jsonFailure(w, status, map[string]string{"error": text})
}

// sakaiFailure: tokens are 403, scopes 400, and what the gradebook refuses is a success.
func sakaiFailure(w http.ResponseWriter, _ *http.Request, f *failure, _ []byte) {
	w.Header().Set("Cache-Control", "no-store")
	status, text := http.StatusBadRequest, f.text
	switch f.kind {
	case failUnauthorized:
		status, text = http.StatusForbidden, "signature_error"
	case failScope:
		text = "invalid_scope"
	case failNumber, failLocked:
		w.Header().Set("Content-Type", sakaiJSON)
		w.WriteHeader(http.StatusOK)
		return
	case failNotFound:
		status = http.StatusNotFound
	case failForbidden, failMismatch:
		status = http.StatusForbidden
	case failNoHandler:
		status = http.StatusMethodNotAllowed
	case failPlatformError:
		status = http.StatusInternalServerError
	}
	jsonFailure(w, status, map[string]string{"error": text})
}
