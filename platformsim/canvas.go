// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names that several platforms use in their tokens.
const (
	claimLTI       = "https://purl.imsglobal.org/spec/lti/claim/"
	claimAGS       = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
	claimNRPS      = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
	roleMember     = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
	roleInst       = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
	roleSystem     = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
	roleAssistant  = "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant"
	courseOffering = "http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"
)

const canvasContext = "canvas/course/" + courseID

// canvasProfile is hosted Canvas.
func canvasProfile() *Profile {
	return &Profile{
		Name:  "canvas",
		Title: "Canvas",
		// The same for every hosted Canvas; it never was the address of one.
		Issuer:            func(string) string { return "https://canvas.instructure.com" },
		AuthorizationPath: "/api/lti/authorize_redirect",
		AuthorizationHop:  "/api/lti/authorize",
		TokenPath:         "/login/oauth2/token",
		JWKSPath:          "/api/lti/security/jwks",
		LineItemsPath:     "/api/lti/courses/{course}/line_items",
		LineItemPath:      "/api/lti/courses/{course}/line_items/{item}",
		ScoresPath:        "/api/lti/courses/{course}/line_items/{item}/scores",
		ResultsPath:       "/api/lti/courses/{course}/line_items/{item}/results",
		ResultPath:        "/api/lti/courses/{course}/line_items/{item}/results/{result}",
		MembershipsPath:   "/api/lti/courses/{course}/names_and_roles",

		ResultID:       func(item, person string) string { return derived(6, item+person) },
		ClientID:       func(n int, _ string) string { return strconv.Itoa(10000000000042 + n) },
		DeploymentID:   func(n int, seed string) string { return strconv.Itoa(17+n) + ":" + derived(40, seed) },
		ResourceLinkID: func(_ int, seed string) string { return derivedUUID(seed + "/link") },
		LineItemID:     func(n int) string { return strconv.Itoa(7 + n) },
		PersonID:       func(_ string, _ int, seed string) string { return derivedUUID("canvas/" + seed) },
		LoginHint:      func(pr *Person) string { return derived(40, "canvas/hint/"+pr.Key) },

		LoginMethod:   http.MethodPost,
		StorageFrame:  "post_message_forwarding",
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.sim.randomHex(128) },
		MessageHint:   canvasHint,
		LoginFields:   canvasLogin,
		LaunchExpires: 5 * time.Minute,

		CheckAuthRequest: canvasAuthRequest,
		Lifetime:         time.Hour,
		Claims:           canvasClaims,
		Azp:              true,
		Keys: KeyRules{
			Count: 3, Signing: 1,
			// Past, present and future key, one a month.
			Kid: func(at time.Time, n int, _ io.Reader) (string, error) {
				return at.UTC().AddDate(0, n-1, 0).Format("2006-01-02T15:04:05Z"), nil
			},
			Headers: map[string]string{"Content-Type": "application/json; charset=utf-8", "Cache-Control": "max-age=864000"},
		},
		Token: TokenRules{
			UserAgent: "Canvas/platformsim",
			MaxAge:    5 * time.Minute,
			MaxAhead:  30 * time.Second,
			Checks:    AssertionChecks{Audience: true, Issuer: true, JTI: true, Times: true},
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				jti, err := p.sim.randomHex(32)
				if err != nil {
					return "", err
				}
				now := p.sim.now().Unix()
				return p.signHS256(map[string]any{
					"iss": "Canvas", "sub": t.client, "aud": p.tokenAudience(t), "iat": now,
					"exp": now + int64(accessTokenLife/time.Second), "jti": jti, "scopes": strings.Join(scopes, " "),
				})
			},
			Answer: func(w http.ResponseWriter, body []byte) {
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.Header().Set("Cache-Control", "no-store")
				write(w, body)
			},
			Fail: canvasTokenFailure,
		},
		AGS: AGSRules{
			PlatformScopes: []string{"https://canvas.instructure.com/lti-ags/progress/scope/show"},
			CheckAccept:    func(*http.Request, string) bool { return true },
			CheckScore:     canvasCheckScore,
			ApplyScore:     canvasApplyScore,
			ScoreAnswer: func(w http.ResponseWriter, p *Platform, li *LineItem, s *scorePost) {
				w.Header().Set("Content-Type", mediaScore)
				write(w, fmt.Appendf(nil, `{"resultUrl":"%s/api/lti/courses/%s/line_items/%s/results/%s"%s}`,
					p.base, courseID, li.ID, p.profile.ResultID(li.ID, s.userID), canvasEcho(p, s)))
			},
			LineItemJSON: func(p *Platform, t *tool, li *LineItem) map[string]any {
				m := map[string]any{"id": p.lineItemURI(t, li), "label": li.Label, "scoreMaximum": li.ScoreMaximum}
				for name, v := range map[string]string{"resourceId": li.ResourceID, "tag": li.Tag, "resourceLinkId": li.ResourceLinkID} {
					if v != "" {
						m[name] = v
					}
				}
				return m
			},
			CheckDelete: func(li *LineItem) *failure {
				if !li.Own && li.ResourceLinkID != "" {
					return refuse(failForbidden, "")
				}
				return nil
			},
			Page: func(u *url.URL, total int) pageWindow { return canvasPage(u, total) },
			ResultsPage: func(u *url.URL, total int) (pageWindow, *failure) {
				return canvasPage(u, total), nil
			},
		},
		NRPS: NRPSRules{
			Versions:    []string{"2.0"},
			ContentType: mediaMembership + "; charset=utf-8",
			CheckAccept: func(*http.Request) bool { return true },
			Role: func(pr *Person, role string) bool {
				return slices.Contains(canvasMemberRoles(pr), role)
			},
			Link: func(p *Platform, t *tool, rlid string) (*Link, *failure) {
				if rlid == derived(40, canvasContext) { // the course itself: everybody
					return p.hasLink(t, t.link), nil
				}
				l := p.hasLink(t, rlid)
				if l == nil {
					return nil, refuse(failMalformed, "Tool does not have access to rlid or rlid does not exist")
				}
				return l, nil
			},
			LinkBeats: true,
			Page:      canvasPage,
			Member: func(_ *Platform, pr *Person) map[string]any {
				return map[string]any{
					"status": "Active", "name": pr.Name(), "picture": nil, "given_name": pr.Given, "family_name": pr.Family,
					"email": pr.Email, "lis_person_sourcedid": nil, "user_id": pr.ID,
					"lti11_legacy_user_id": derived(40, "canvas/legacy/"+pr.Key), "roles": canvasMemberRoles(pr),
				}
			},
			Message: func(_ *Platform, t *tool, l *Link, _ *Person) []map[string]any {
				return []map[string]any{{
					claimLTI + "message_type": messageResourceLink, "locale": "en", claimLTI + "custom": customOf(t, l),
				}}
			},
			ContextID: func(*Platform) string { return derived(40, canvasContext) },
			OwnID:     func(p *Platform, r *http.Request) string { return p.requestURL(r).String() },
		},
		DeepLinking: &DeepLinkingRules{
			ReturnPath: "/courses/{course}/deep_linking_response",
			ReturnQuery: func(p *Platform, l *launch) (string, error) {
				data, err := p.signHS256(map[string]any{"nonce": l.id, "exp": p.sim.now().Add(time.Hour).Unix()})
				return "modal=true&placement=assignment_selection&data=" + data, err
			},
			Settings: func(*Platform, *launch) map[string]any { // those of the placement assignment_selection
				return map[string]any{
					"accept_types": []any{"ltiResourceLink"}, "accept_presentation_document_targets": []string{"iframe", "window"},
					"accept_media_types": "application/vnd.ims.lti.v1.ltilink", "auto_create": false, "accept_multiple": false,
				}
			},
			Checks: DeepLinkingChecks{Audience: true, Nonce: true, Age: true},
			Fail:   canvasDeepFailure,
		},
		NotOffered: map[string]string{
			"groups":  "a group is a context with a roster of its own; there is no groups claim (app/controllers/lti/ims/names_and_roles_controller.rb, lib/lti/messages/jwt_message.rb)",
			"caliper": "no message has a Caliper claim (lib/lti/messages/jwt_message.rb)",
		},
		Concludes: true,
		Throttle: func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("X-Rate-Limit-Remaining", "0.0")
			w.Header().Set("X-Request-Cost", "1.0")
			w.WriteHeader(http.StatusForbidden)
			write(w, []byte("403 Forbidden (Rate Limit Exceeded)\n"))
		},
		Fail:   canvasFailure,
		Encode: plainJSON,
	}
}

func canvasHint(p *Platform, l *launch) (string, error) {
	return p.signHS256(map[string]any{
		"verifier": l.id, "canvas_domain": strings.TrimPrefix(p.base, "https://"), "context_type": "Course",
		"context_id": 10000000000042, "include_storage_target": l.storage,
		"exp": l.started.Add(p.profile.LaunchExpires).Unix(),
	})
}

func canvasLogin(p *Platform, l *launch) []Field {
	f := []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"login_hint", l.person.LoginHint},
		{"client_id", l.tool.client},
		{"lti_deployment_id", l.tool.deployment},
		{"target_link_uri", l.link.TargetLinkURI},
		{"lti_message_hint", l.hint},
		{"canvas_environment", "production"},
		{"canvas_region", "us-east-1"},
	}
	if l.storage {
		f = append(f, Field{"lti_storage_target", p.profile.StorageFrame})
	}
	return f
}

func canvasAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	page := func(text string) authOutcome {
		return authOutcome{status: http.StatusBadRequest, page: text}
	}
	t := p.findTool(func(t *tool) bool { return t.client == q.Get("client_id") })
	if q.Get("client_id") != "" && t == nil {
		return page("Unknown client_id.")
	}
	// An error is posted only to an address that is registered with some tool: with this one where it is named.
	registered := func(t *tool) bool {
		return slices.ContainsFunc(t.cfg.LaunchURIs, func(u string) bool { return canvasRedirectFits(u, q.Get("redirect_uri")) })
	}
	if (t != nil && !registered(t)) || (t == nil && p.findTool(registered) == nil) {
		return page("Invalid redirect_uri.")
	}
	var missing []string
	for _, name := range []string{
		"client_id", "login_hint", "lti_message_hint", "nonce", "prompt", "redirect_uri", "response_mode", "response_type", "scope",
	} {
		if q.Get(name) == "" {
			missing = append(missing, name)
		}
	}
	fail := func(code, text string) authOutcome { return authOutcome{code: code, description: text} }
	if len(missing) > 0 {
		return fail("invalid_request_object", "The following parameters are missing: "+strings.Join(missing, ","))
	}
	if q.Get("scope") != "openid" {
		return fail("invalid_request_object", "The 'scope' must be 'openid'")
	}
	var hint struct {
		Verifier string `json:"verifier"`
		Exp      int64  `json:"exp"`
	}
	if p.openHS256(q.Get("lti_message_hint"), &hint) != nil {
		return page("Invalid lti_message_hint.")
	}
	const gone = "The launch has either expired or already been consumed"
	if p.sim.now().Unix() > hint.Exp {
		return fail("launch_no_longer_valid", gone)
	}
	waiting := p.launches[hint.Verifier]
	if waiting != nil {
		// A visitor without an account is signed in nowhere.
		signedIn := user == waiting.person || waiting.person.ID == ""
		if !signedIn || q.Get("login_hint") != waiting.person.LoginHint {
			return fail("login_required", "The user is not logged in")
		}
		if waiting.tool.client != t.client {
			return fail("unauthorized_client", "Client not authorized in requested context")
		}
	}
	l, ok := p.takeLaunch(hint.Verifier)
	if !ok {
		return fail("launch_no_longer_valid", gone)
	}
	return authOutcome{launch: l}
}

// canvasRedirectFits compares the part before "?"; a registered query must be contained in the asked one.
func canvasRedirectFits(registered, asked string) bool {
	rBase, rQuery, _ := strings.Cut(registered, "?")
	aBase, aQuery, _ := strings.Cut(asked, "?")
	if rBase != aBase {
		return false
	}
	want, err1 := url.ParseQuery(rQuery)
	have, err2 := url.ParseQuery(aQuery)
	if err1 != nil || err2 != nil {
		return false
	}
	for name, values := range want {
		for _, v := range values {
			if !slices.Contains(have[name], v) {
				return false
			}
		}
	}
	return true
}

func canvasClaims(p *Platform, l *launch) map[string]any {
	returnURL := p.base + "/courses/" + courseID + "/external_content/success/external_tool_redirect"
	legacy := ""
	if l.person.ID != "" {
		legacy = derived(40, "canvas/legacy/"+l.person.Key)
	}
	endpoint := map[string]any{
		"scope":     append(agsScopes(l.tool), p.profile.AGS.PlatformScopes...),
		"lineitems": p.lineItemsURI(l.tool),
		// What Rails leaves behind when it turns a model into JSON.
		"errors": map[string]any{"errors": map[string]any{}}, "validation_context": nil,
	}
	if own := p.linkItems(l.tool, l.link); len(own) > 0 {
		endpoint["lineitem"] = p.lineItemURI(l.tool, own[0])
	}
	c := map[string]any{
		claimLTI + "roles": canvasRoles(l.person),
		claimLTI + "context": map[string]any{
			"id": derived(40, canvasContext), "label": courseLabel, "title": courseTitle, "type": []string{courseOffering},
			"errors": map[string]any{"errors": map[string]any{}}, "validation_context": nil,
		},
		claimLTI + "resource_link": map[string]any{
			"id": l.link.ID, "title": l.link.Title, "description": nil,
			"errors": map[string]any{"errors": map[string]any{}}, "validation_context": nil,
		},
		claimLTI + "tool_platform": map[string]any{
			"guid": derived(40, "canvas/guid") + ":canvas-lms", "name": "University", "version": "cloud", "product_family_code": "canvas",
		},
		claimLTI + "launch_presentation": map[string]any{
			"document_target": "iframe", "return_url": returnURL, "locale": "en", "height": 400, "width": 800,
		},
		claimLTI + "lti11_legacy_user_id": legacy,
		claimLTI + "lis":                  map[string]any{"person_sourcedid": "$Person.sourcedId", "course_offering_sourcedid": "$CourseSection.sourcedId"},
		claimLTI + "custom":               customOf(l.tool, l.link),
		claimAGS:                          endpoint,
		claimNRPS: map[string]any{
			"context_memberships_url": p.membershipsURI(l.tool), "service_versions": p.profile.NRPS.Versions,
		},
		"locale":                                     "en",
		"https://www.instructure.com/placement":      nil,
		"https://www.instructure.com/lti_student_id": derived(12, "canvas/student/"+l.person.Key),
	}
	if l.person.ID != "" {
		c["name"], c["given_name"], c["family_name"] = l.person.Name(), l.person.Given, l.person.Family
		c["email"], c["picture"] = l.person.Email, p.base+"/images/messages/avatar-50.png"
	}
	return c
}

func agsScopes(t *tool) []string {
	var list []string
	for _, s := range t.scopes {
		if strings.Contains(s, "/lti-ags/") {
			list = append(list, s)
		}
	}
	return list
}

func canvasRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleInst + "Student", roleMember + "Learner", roleSystem + "User"}
	case Teacher:
		return []string{roleInst + "Instructor", roleMember + "Instructor", roleSystem + "User"}
	case Assistant:
		return []string{roleInst + "Instructor", roleMember + "Instructor", roleAssistant, roleSystem + "User"}
	case Admin:
		return []string{roleInst + "Administrator", roleMember + "Instructor", roleSystem + "User"}
	default:
		return []string{roleSystem + "None"}
	}
}

func canvasMemberRoles(pr *Person) []string {
	switch pr.Role {
	case Teacher:
		return []string{roleMember + "Instructor"}
	case Assistant:
		return []string{roleMember + "Instructor", roleAssistant}
	default:
		return []string{roleMember + "Learner"}
	}
}
