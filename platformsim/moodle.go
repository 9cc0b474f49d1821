// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const moodlePage = "Invalid request"

// moodleProfile is Moodle 4.5.
func moodleProfile() *Profile {
	return &Profile{
		Name:              "moodle",
		Title:             "Moodle",
		Issuer:            func(base string) string { return base },
		AuthorizationPath: "/mod/lti/auth.php",
		TokenPath:         "/mod/lti/token.php",
		JWKSPath:          "/mod/lti/certs.php",
		LineItemsPath:     "/mod/lti/services.php/{course}/lineitems",
		LineItemPath:      "/mod/lti/services.php/{course}/lineitems/{item}/lineitem",
		ScoresPath:        "/mod/lti/services.php/{course}/lineitems/{item}/lineitem/scores",
		ResultsPath:       "/mod/lti/services.php/{course}/lineitems/{item}/lineitem/results",
		MembershipsPath:   "/mod/lti/services.php/CourseSection/{course}/bindings/{tool}/memberships",
		ServiceQuery:      func(t *tool) string { return "type_id=" + t.toolID() },

		ResultID: func(_, person string) string { return person },
		ClientID: func(_ int, seed string) string {
			const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			id := make([]byte, 15)
			for i, c := range []byte(derived(30, seed)[:15]) {
				id[i] = letters[(int(c)*7+i*13)%len(letters)]
			}
			return string(id)
		},
		DeploymentID:   func(n int, _ string) string { return strconv.Itoa(3 + n) },
		ResourceLinkID: func(n int, _ string) string { return strconv.Itoa(57 + n) },
		LineItemID:     func(n int) string { return strconv.Itoa(917 + n) },
		PersonID:       func(_ string, n int, _ string) string { return strconv.Itoa(11 + n) },
		LoginHint: func(pr *Person) string {
			if pr.ID == "" {
				return "0"
			}
			return pr.ID
		},

		LoginMethod:   http.MethodPost,
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.randomDigits() },
		MessageHint:   moodleHint,
		LoginFields:   moodleLogin,
		LaunchExpires: time.Hour,

		CheckAuthRequest: moodleAuthRequest,
		CleanEcho:        func(s string) string { return htmlTag.ReplaceAllString(s, "") },
		Lifetime:         time.Minute,
		Claims:           moodleClaims,
		Keys: KeyRules{
			Count: 1,
			Kid: func(_ time.Time, _ int, random io.Reader) (string, error) {
				b := make([]byte, 10)
				_, err := io.ReadFull(random, b)
				return fmt.Sprintf("%x", b), err
			},
			Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
		},
		Token: TokenRules{
			UserAgent:     "MoodleBot/4.5 (+platformsim)",
			PartialScopes: true,
			AccessToken: func(p *Platform, _ *tool, _ []string) (string, error) {
				return p.sim.randomHex(32)
			},
			Answer: func(w http.ResponseWriter, body []byte) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				write(w, body)
			},
			Fail: moodleTokenFailure,
		},
		AGS: AGSRules{
			CheckAccept: func(r *http.Request, media string) bool {
				accept := r.Header.Get("Accept")
				return accept == "" || accept == media || (accept == "*/*" && media == mediaResults)
			},
			CheckScore:      moodleCheckScore,
			ApplyScore:      moodleApplyScore,
			ScoreAnswer:     func(w http.ResponseWriter, _ *Platform, _ *LineItem, _ *scorePost) { w.WriteHeader(http.StatusOK) },
			ScoreMediaExact: true,
			LineItemJSON: func(p *Platform, t *tool, li *LineItem) map[string]any {
				return map[string]any{
					"id": p.lineItemURI(t, li), "label": li.Label, "scoreMaximum": li.ScoreMaximum, "resourceId": li.ResourceID,
					"tag": li.Tag, "resourceLinkId": li.ResourceLinkID, "ltiLinkId": li.ResourceLinkID,
				}
			},
			CheckDelete: func(*LineItem) *failure { return nil },
			Page:        moodleItemPage,
			ResultsPage: func(u *url.URL, total int) (pageWindow, *failure) {
				if u.Query().Has("limit") {
					return pageWindow{}, refuse(failPlatformError, "Call to a member function out() on null")
				}
				return pageWindow{to: total}, nil
			},
			OneItemOnly: true,
			EchoCreate:  true,
			ForgetsMore: true,
		},
		NRPS: NRPSRules{
			Versions:     []string{"1.0", "2.0"},
			AlwaysActive: true, // who is suspended is missing
			ContentType:  mediaMembership + "; charset=utf-8",
			CheckAccept: func(r *http.Request) bool {
				accept := r.Header.Get("Accept")
				return accept == "" || accept == "*/*" || accept == mediaMembership
			},
			Role: func(pr *Person, role string) bool {
				switch strings.TrimPrefix(role, roleMember) {
				case "Instructor":
					return moodleMemberRole(pr) == "Instructor"
				case "Learner":
					return moodleMemberRole(pr) == "Learner"
				}
				return true
			},
			Link:   ownLink,
			Page:   moodleMemberPage,
			Member: moodleMember,
			Message: func(p *Platform, t *tool, l *Link, pr *Person) []map[string]any {
				return []map[string]any{{claimLTI + "message_type": messageResourceLink, claimOutcome: moodleOutcome(p, t, l, pr)}}
			},
			ContextID: func(*Platform) string { return courseID },
			OwnID: func(p *Platform, r *http.Request) string {
				u := p.requestURL(r)
				u.RawQuery = ""
				return u.String()
			},
		},
		DeepLinking: &DeepLinkingRules{
			ReturnPath: "/mod/lti/contentitem_return.php",
			ReturnQuery: func(_ *Platform, l *launch) (string, error) {
				return "course=" + courseID + "&id=" + l.tool.toolID() + "&sesskey=" + derived(10, "moodle/sesskey"), nil
			},
			Settings: func(p *Platform, l *launch) map[string]any {
				return map[string]any{
					"accept_types": []any{"ltiResourceLink"}, "accept_presentation_document_targets": []string{"frame", "iframe", "window"},
					"accept_copy_advice": false, "accept_multiple": true, "accept_unsigned": false, "auto_create": false, "can_confirm": false,
					"title": l.tool.cfg.Name, "text": "",
				}
			},
			OtherTypes: true,
			ByLine:     true,
			Repost:     true,
			Fail: func(p *Platform, w http.ResponseWriter, f *deepFailure) {
				text := f.text
				if f.kind == tokClient {
					text = "Consumer key is incorrect."
				}
				p.errorPage(w, http.StatusNotFound, text)
			},
		},
		NotOffered: map[string]string{
			"groups":  "Moodle 4.5 has no such service; a service contextgroups exists in its development branch only (mod/lti/service)",
			"caliper": "its id_tokens have no Caliper claim (mod/lti/locallib.php; seen with 4.5.6)",
		},
		Fail:   moodleFailure,
		Encode: moodleJSON,
	}
}

var htmlTag = regexp.MustCompile(`<[^>]*>`)

func moodleHint(_ *Platform, l *launch) (string, error) {
	b, err := json.Marshal(struct {
		CMID     int    `json:"cmid"`
		LaunchID string `json:"launchid"`
	}{501 + l.link.n, "ltilaunch" + l.link.ID + "_" + l.id})
	return string(b), err
}

func moodleLogin(p *Platform, l *launch) []Field {
	return []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"target_link_uri", l.link.TargetLinkURI},
		{"login_hint", l.person.LoginHint},
		{"lti_message_hint", l.hint},
		{"client_id", l.tool.client},
		{"lti_deployment_id", l.tool.deployment},
	}
}

func moodleAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	page := authOutcome{status: http.StatusNotFound, page: moodlePage}
	if user == nil {
		// The browser keeps its cookie back on a POST from another site: Moodle lets it post once more.
		if !q.Has("repost") {
			return authOutcome{repost: true}
		}
		return page
	}
	for _, name := range []string{"scope", "response_type", "client_id", "redirect_uri", "login_hint", "nonce", "lti_message_hint"} {
		if q.Get(name) == "" {
			return page
		}
	}
	if q.Get("scope") != "openid" || q.Get("response_type") != "id_token" {
		return page
	}
	var hint struct {
		LaunchID string `json:"launchid"`
	}
	if json.Unmarshal([]byte(q.Get("lti_message_hint")), &hint) != nil {
		return page
	}
	_, id, _ := strings.Cut(hint.LaunchID, "_")
	waiting := p.launches[id]
	if waiting == nil || waiting.person != user || user.ID == "" {
		return page // Moodle keeps waiting launches in the user's session
	}
	l, ok := p.takeLaunch(id)
	if !ok || !slices.Contains(l.tool.cfg.LaunchURIs, q.Get("redirect_uri")) {
		return page
	}
	fail := func(code, text string) authOutcome { return authOutcome{code: code, description: text} }
	if q.Get("client_id") != l.tool.client {
		return fail("unauthorized_client", "")
	}
	if q.Get("login_hint") != user.LoginHint {
		return fail("access_denied", "")
	}
	if q.Get("response_mode") != "form_post" {
		return fail("invalid_request", "Invalid response_mode")
	}
	if prompt := q.Get("prompt"); prompt != "" && prompt != "none" {
		return fail("invalid_request", "Invalid prompt")
	}
	return authOutcome{launch: l}
}

const claimOutcome = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"

func moodleOutcome(p *Platform, t *tool, l *Link, pr *Person) map[string]any {
	return map[string]any{
		"lis_result_sourcedid": fmt.Sprintf(`{"data":{"instanceid":"%s","userid":"%s","typeid":"%s","launchid":%d},"hash":"%s"}`,
			l.ID, pr.ID, t.toolID(), 918273645, derived(64, "moodle/outcome/"+l.ID+pr.Key)),
		"lis_outcome_service_url": p.base + "/mod/lti/service.php",
	}
}

func moodleClaims(p *Platform, l *launch) map[string]any {
	target, container := "iframe", "3"
	if l.view == "window" {
		target, container = "window", "4"
	}
	endpoint := map[string]any{"scope": agsScopes(l.tool), "lineitems": p.lineItemsURI(l.tool)}
	if own := p.linkItems(l.tool, l.link); len(own) == 1 || (len(own) > 0 && !p.profile.AGS.OneItemOnly) {
		endpoint["lineitem"] = p.lineItemURI(l.tool, own[0])
	}
	custom := map[string]string{
		"context_memberships_url": p.membershipsURI(l.tool),
		"system_setting_url":      p.base + "/mod/lti/services.php/tool/" + l.tool.toolID() + "/custom",
		"context_setting_url":     p.base + "/mod/lti/services.php/CourseSection/" + courseID + "/bindings/tool/" + l.tool.toolID() + "/custom",
		"link_setting_url":        p.base + "/mod/lti/services.php/links/{link_id}/custom",
	}
	for k, v := range customOf(l.tool, l.link) {
		custom[k] = v
		// Keys with capitals or blanks come twice, as they are and folded.
		custom[strings.ToLower(strings.ReplaceAll(k, " ", "_"))] = v
	}
	return map[string]any{
		"given_name": l.person.Given, "family_name": l.person.Family, "name": l.person.Name(), "email": l.person.Email,
		claimLTI + "roles":         moodleRoles(l.person),
		claimLTI + "context":       map[string]any{"id": courseID, "label": courseLabel, "title": courseTitle, "type": []string{"CourseSection"}},
		claimLTI + "resource_link": map[string]any{"id": l.link.ID, "title": l.link.Title, "description": ""},
		claimLTI + "lis":           map[string]any{"person_sourcedid": "", "course_section_sourcedid": ""},
		claimLTI + "launch_presentation": map[string]any{
			"locale": "en", "document_target": target,
			"return_url": p.base + "/mod/lti/return.php?course=" + courseID + "&launch_container=" + container + "&instanceid=" + l.link.ID + "&sesskey=" + derived(10, "moodle/sesskey"),
		},
		claimLTI + "tool_platform": map[string]any{
			"product_family_code": "moodle", "version": "2024100706", "guid": derived(32, "moodle/guid"), "name": "Uni", "description": "University",
		},
		claimLTI + "custom": custom,
		claimLTI + "ext":    map[string]any{"user_username": l.person.Username, "lms": "moodle-2"},
		claimOutcome:        moodleOutcome(p, l.tool, l.link, l.person),
		claimAGS:            endpoint,
		claimNRPS: map[string]any{
			"context_memberships_url": p.membershipsURI(l.tool), "service_versions": p.profile.NRPS.Versions,
		},
	}
}

// moodleRoles are the roles of a launch, sorted; a non-editing teacher is an Instructor here, but not in the roster.
func moodleRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleMember + "Learner"}
	case Admin:
		return []string{roleInst + "Administrator", roleMember + "Instructor", roleSystem + "Administrator"}
	default:
		return []string{roleMember + "Instructor"}
	}
}

func moodleMemberRole(pr *Person) string {
	if pr.Role == Teacher {
		return "Instructor"
	}
	return "Learner"
}

func moodleMember(_ *Platform, pr *Person) map[string]any {
	return map[string]any{
		"status": "Active", "roles": []string{moodleMemberRole(pr)}, "user_id": pr.ID, "lis_person_sourcedid": "",
		"name": pr.Name(), "given_name": pr.Given, "family_name": pr.Family, "email": pr.Email, "ext_user_username": pr.Username,
	}
}
