// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// schoologyProfile is Schoology. Ways of it that trip tools up: aud is an array of one; iss and client id, ten digits, are
// the same for every district; the deployment is not named at login (and on older ones not the client either); a launch
// from the app menu has no context; a score needs a comment; the roster has pages of 100.
func schoologyProfile() *Profile {
	const services = "/lti-service/tool/{client}/services/"
	return &Profile{
		Name:              "schoology",
		Title:             "Schoology",
		Issuer:            func(string) string { return "https://schoology.schoology.com" },
		CourseID:          "6543217890",
		AuthorizationPath: "/lti-service/authorize-redirect",
		TokenPath:         "/lti-service/access-token",
		JWKSPath:          "/lti-service/.well-known/jwks",
		LineItemsPath:     services + "assignment-grade/v2p0/sections/{course}/lineitems",
		LineItemPath:      services + "assignment-grade/v2p0/sections/{course}/lineitems/{item}",
		ScoresPath:        services + "assignment-grade/v2p0/sections/{course}/lineitems/{item}/scores",
		ResultsPath:       services + "assignment-grade/v2p0/sections/{course}/lineitems/{item}/results",
		MembershipsPath:   services + "names-roles/v2p0/membership/{course}",

		ResultID:       func(_, person string) string { return person },
		ClientID:       func(n int, _ string) string { return strconv.Itoa(1234567890 + n) },
		DeploymentID:   func(_ int, seed string) string { return "7-" + derived(16, seed) },
		ResourceLinkID: func(n int, _ string) string { return strconv.Itoa(7654321098 + n) },
		LineItemID:     func(n int) string { return strconv.Itoa(8765432109 + n) },
		PersonID:       func(_ string, _ int, seed string) string { return "7::" + derived(32, "schoology/"+seed) },
		LoginHint: func(pr *Person) string { // the user's number; the app's goes before it
			return strconv.Itoa(1000000000 + derivedNumber("schoology/user/"+pr.Key))
		},

		LoginMethod:   http.MethodGet,
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.sim.randomUUID() },
		MessageHint:   func(_ *Platform, l *launch) (string, error) { return l.id, nil },
		LoginFields:   schoologyLogin,
		LaunchExpires: 10 * time.Minute,

		CheckAuthRequest: schoologyAuthRequest,
		Lifetime:         10 * time.Minute,
		AudArray:         true,
		Claims:           schoologyClaims,
		Keys: KeyRules{
			Count: 1,
			Kid: func(_ time.Time, _ int, random io.Reader) (string, error) {
				var b [8]byte
				_, err := io.ReadFull(random, b[:])
				return hex.EncodeToString(b[:]), err
			},
			Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
		},
		Token: TokenRules{
			UserAgent: "Schoology/platformsim",
			MaxAhead:  30 * time.Second,
			Checks:    AssertionChecks{Audience: true, Times: true},
			TokenType: "bearer",
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				return rs256Token(p, t, true, map[string]any{"imsglobal.org.security.scope": strings.Join(scopes, " ")})
			},
			Answer: tokenJSON,
			Fail:   oauthFailure,
		},
		AGS: AGSRules{
			CheckAccept: anyMediaAccept,
			CheckScore: func(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
				if !s.hasComment {
					return refuse(failMissing, "comment must not be null")
				}
				return needMaximum(p, li, s, prev)
			},
			ApplyScore:   plainApplyScore,
			ScoreAnswer:  plainScoreAnswer,
			LineItemJSON: plainLineItem,
			CheckDelete:  mayDelete,
			Page:         onePage,
			ResultsPage:  oneResultsPage,
			OneItemOnly:  true,
		},
		NRPS: NRPSRules{
			Versions:    []string{"2.0"},
			ContentType: mediaMembership,
			CheckAccept: func(r *http.Request) bool { return r.Header.Get("Accept") == mediaMembership },
			Role:        plainPersonRole,
			Link:        ownLink,
			Page: func(u *url.URL, total int) pageWindow {
				const most = 100
				size := atoiOr(u.Query().Get("limit"), most)
				if size == 0 || size > most {
					size = most
				}
				return offsetPage(u, total, size, "offset")
			},
			Member: func(_ *Platform, pr *Person) map[string]any {
				return map[string]any{
					"status": "Active", "user_id": pr.ID, "roles": []string{plainMemberRole(pr)}, "name": pr.Name(),
					"given_name": pr.Given, "family_name": pr.Family, "email": pr.Email,
				}
			},
			UnknownDiffs: true,
			Message:      plainMessage,
			ContextID:    func(p *Platform) string { return p.courseID() },
			OwnID:        wholeURL,
		},
		DeepLinking: &DeepLinkingRules{ // from Add Materials; what of a response is checked is not published
			ReturnPath:  "/lti-service/tool/{client}/deep-linking",
			ReturnQuery: func(_ *Platform, l *launch) (string, error) { return "launch=" + l.id, nil },
			Settings:    plainSettings("ltiResourceLink", "link"),
			Data:        func(_ *Platform, l *launch) string { return l.id },
			Checks:      DeepLinkingChecks{Audience: true, Nonce: true, Deployment: true, Type: true, Version: true, Data: true, Items: true},
		},
		NotOffered: map[string]string{
			"groups":  "its documentation names no groups service (developers.schoology.com, LTI apps)",
			"caliper": "its documentation names no Caliper claim (developers.schoology.com, LTI apps)",
		},
		Fail:   rfc6750Failure,
		Encode: plainJSON,
	}
}

func schoologyLogin(p *Platform, l *launch) []Field {
	return []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"target_link_uri", l.link.TargetLinkURI},
		{"login_hint", l.tool.client + "-" + l.person.LoginHint},
		{"lti_message_hint", l.hint},
		{"client_id", l.tool.client},
	}
}

func schoologyAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	t, wrong := checkRequest(p, q, "scope", "response_type", "client_id", "redirect_uri", "login_hint", "lti_message_hint", "nonce")
	var l *launch
	if wrong == "" {
		l, wrong = hintedLaunch(p, q, user, t)
	}
	if wrong != "" {
		return authOutcome{status: http.StatusBadRequest, page: wrong}
	}
	return authOutcome{launch: l}
}

func schoologyClaims(p *Platform, l *launch) map[string]any {
	custom := map[string]string{}
	all := customOf(l.tool, l.link)
	if l.link.DeepLinked {
		all = l.link.Custom // the tool's own stay away
	}
	for k, v := range all {
		custom[strings.ToLower(k)] = v
	}
	c := map[string]any{
		"name": l.person.Name(), "given_name": l.person.Given, "family_name": l.person.Family, "email": l.person.Email,
		claimLTI + "roles":               schoologyRoles(l.person),
		claimLTI + "resource_link":       map[string]any{"id": l.link.ID, "title": l.link.Title},
		claimLTI + "launch_presentation": map[string]any{"document_target": "iframe", "locale": "en"},
		claimLTI + "custom":              custom,
	}
	if !p.cfg.AppMenu {
		c[claimLTI+"context"] = map[string]any{"id": p.courseID(), "label": courseLabel, "title": courseTitle, "type": []string{courseOffering}}
		c[claimAGS] = gradesClaim(p, l)
		c[claimNRPS] = rosterClaim(p, l.tool)
	}
	return c
}

func schoologyRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleInst + "Student", roleMember + "Learner"}
	case Admin:
		return []string{roleInst + "Administrator"}
	default:
		return []string{roleInst + "Instructor", roleMember + "Instructor"}
	}
}
