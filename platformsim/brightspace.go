// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// brightspaceProfile is D2L Brightspace. Ways of it that trip tools up: nbf is iat, so a clock that runs half a second
// ahead makes a launch "not yet valid"; published keys have no alg; client assertions have an audience of their own; a
// link has no line item; a roster lists only those who have launched the tool.
func brightspaceProfile() *Profile {
	return &Profile{
		Name:              "brightspace",
		Title:             "Brightspace",
		Issuer:            func(base string) string { return base },
		TokenAudience:     func(string) string { return "https://api.brightspace.com/auth/token" },
		CourseID:          "6836", // the org unit
		AuthorizationPath: "/d2l/lti/authenticate",
		TokenPath:         "/core/connect/token",
		JWKSPath:          "/d2l/.well-known/jwks",
		LineItemsPath:     "/d2l/api/lti/ags/2.0/deployment/{deployment}/orgunit/{course}/lineitems",
		LineItemPath:      "/d2l/api/lti/ags/2.0/deployment/{deployment}/orgunit/{course}/lineitems/{item}",
		ScoresPath:        "/d2l/api/lti/ags/2.0/deployment/{deployment}/orgunit/{course}/lineitems/{item}/scores",
		ResultsPath:       "/d2l/api/lti/ags/2.0/deployment/{deployment}/orgunit/{course}/lineitems/{item}/results",
		EventsPath:        "/d2l/api/lti/caliper/deployment/{deployment}/events",
		MembershipsPath:   "/d2l/api/lti/nrps/2.0/deployment/{deployment}/orgunit/{course}/memberships",

		ResultID:       func(_, person string) string { return person },
		ClientID:       func(_ int, seed string) string { return derivedUUID(seed + "/client") },
		DeploymentID:   func(_ int, seed string) string { return derivedUUID(seed + "/deployment") },
		ResourceLinkID: func(n int, _ string) string { return strconv.Itoa(3301 + n) },
		LineItemID:     func(n int) string { return strconv.Itoa(1 + n) },
		PersonID: func(_ string, n int, _ string) string {
			return derivedUUID("brightspace/tenant") + "_" + strconv.Itoa(169+n)
		},
		LoginHint: func(pr *Person) string { return pr.ID },

		LoginMethod:   http.MethodPost,
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.sim.randomUUID() },
		MessageHint:   func(_ *Platform, l *launch) (string, error) { return l.id, nil },
		LoginFields:   brightspaceLogin,
		LaunchExpires: 5 * time.Minute,

		CheckAuthRequest: brightspaceAuthRequest,
		Lifetime:         30 * time.Minute,
		Nbf:              true,
		Claims:           brightspaceClaims,
		Keys: KeyRules{
			Count: 2, Signing: 0,
			Kid:     uuidKid,
			Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
			Without: []string{"alg"},
		},
		Token: TokenRules{
			UserAgent: "Brightspace/platformsim",
			MaxAhead:  30 * time.Second,
			Checks:    AssertionChecks{Audience: true, Issuer: true, JTI: true, Times: true},
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				return rs256Token(p, t, true, map[string]any{"iss": p.base, "scope": scopes})
			},
			Answer: tokenJSON,
			Fail:   brightspaceTokenFailure,
		},
		AGS: AGSRules{
			CheckAccept:  anyMediaAccept,
			CheckScore:   needMaximum,
			ApplyScore:   plainApplyScore,
			ScoreAnswer:  plainScoreAnswer,
			LineItemJSON: plainLineItem,
			CheckDelete:  mayDelete,
			Page:         onePage,
			ResultsPage:  oneResultsPage,
			OneItemOnly:  true,
			NoLinkItem:   true,
		},
		NRPS: NRPSRules{
			Versions:    []string{"2.0"},
			ContentType: mediaMembership + "; charset=utf-8",
			CheckAccept: anyAccept,
			Role:        plainPersonRole,
			Link:        ownLink,
			Page:        onePage,
			Member: func(_ *Platform, pr *Person) map[string]any {
				return map[string]any{
					"status": "Active", "user_id": pr.ID, "roles": []string{plainMemberRole(pr)}, "name": pr.Name(),
					"given_name": pr.Given, "family_name": pr.Family, "email": pr.Email,
				}
			},
			Message:      plainMessage,
			ContextID:    func(p *Platform) string { return p.courseID() },
			OwnID:        wholeURL,
			OnlyVisitors: true,
			UnknownPages: true,
			UnknownDiffs: true,
		},
		DeepLinking: &DeepLinkingRules{ // beyond the kid that it wants in the header, nothing is published
			ReturnPath:  "/d2l/lti/deeplinking/{course}",
			ReturnQuery: func(_ *Platform, l *launch) (string, error) { return "request=" + l.id, nil },
			Settings:    plainSettings("ltiResourceLink", "link", "html", "image"),
			Data:        func(_ *Platform, l *launch) string { return l.id },
			Checks:      DeepLinkingChecks{Audience: true, Nonce: true, Deployment: true, Type: true, Version: true, Data: true, Items: true},
		},
		NotOffered: map[string]string{
			"groups":  "its documentation names no groups service",
			"caliper": "off by default here: guides speak of the claim, no published text or captured launch shows it",
		},
		Fail:   rfc6750Failure,
		Encode: plainJSON,
	}
}

// uuidKid is a random UUID as key id.
func uuidKid(_ time.Time, _ int, random io.Reader) (string, error) { return uuidFrom(random) }

func brightspaceLogin(p *Platform, l *launch) []Field {
	return []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"login_hint", l.person.LoginHint},
		{"target_link_uri", l.link.TargetLinkURI},
		{"lti_deployment_id", l.tool.deployment},
		{"client_id", l.tool.client},
		{"lti_message_hint", l.hint},
	}
}

// brightspaceAuthRequest shows "not found" for whatever is missing or wrong.
func brightspaceAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	t, wrong := checkRequest(p, q, "scope", "response_type", "response_mode", "prompt", "client_id", "redirect_uri",
		"login_hint", "lti_message_hint", "state", "nonce")
	var l *launch
	if wrong == "" {
		l, wrong = hintedLaunch(p, q, user, t)
	}
	if wrong != "" {
		return authOutcome{status: http.StatusNotFound, page: "Not found: " + wrong}
	}
	return authOutcome{launch: l}
}

func brightspaceClaims(p *Platform, l *launch) map[string]any {
	custom := customOf(l.tool, l.link)
	custom["user_id"] = "$User.Id" // a variable that nobody fills in stays as it is
	section := "sec-" + p.courseID()
	return map[string]any{
		"name": l.person.Name(), "given_name": l.person.Given, "family_name": l.person.Family,
		"email":                           "", // not released, and yet there
		claimLTI + "lti11_legacy_user_id": l.person.ID,
		claimLTI + "roles":                brightspaceRoles(l.person),
		claimLTI + "context":              map[string]any{"id": p.courseID(), "label": courseLabel, "title": courseTitle, "type": []string{courseOffering}},
		claimLTI + "resource_link":        map[string]any{"id": l.link.ID, "title": l.link.Title, "description": ""},
		claimLTI + "lis":                  map[string]any{"person_sourcedid": l.person.Username, "course_section_sourcedid": section},
		claimLTI + "launch_presentation":  map[string]any{"locale": "en-US", "document_target": "iframe", "return_url": p.base + "/d2l/lti/return"},
		claimLTI + "custom":               custom,
		claimAGS:                          gradesClaim(p, l),
		claimNRPS:                         rosterClaim(p, l.tool),
	}
}

func brightspaceRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleInst + "Student", roleMember + "Learner"}
	case Assistant:
		return []string{roleInst + "Instructor", roleMember + "Instructor", roleAssistant}
	case Admin:
		return []string{roleInst + "Administrator", roleMember + "Administrator"}
	default:
		return []string{roleInst + "Instructor", roleMember + "Instructor"}
	}
}

func brightspaceTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	answer := map[string]string{"error": "invalid_grant"}
	switch f.kind {
	case tokKidMissing:
		answer["error_description"] = "Error validating assertion: KeyId not found in token"
	case tokClient, tokIssuer:
		answer["error"] = "invalid_client"
	case tokRequest, tokParse, tokGrantType, tokScope:
		oauthFailure(w, f)
		return
	default:
		answer["error_description"] = "Error validating assertion: " + f.text
	}
	w.Header().Set("Cache-Control", "no-store")
	jsonFailure(w, http.StatusBadRequest, answer)
}
