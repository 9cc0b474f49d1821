// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"time"
)

// blackboardProfile is Blackboard Learn. Ways of it that trip tools up: iss and client id are the same for every
// customer, only the deployment tells them apart; the header of id_tokens has no typ; storage is offered at login and not
// named again at launch; the roster's URL has a query; lineItems is written in camel case.
func blackboardProfile() *Profile {
	return &Profile{
		Name:              "blackboard",
		Title:             "Blackboard",
		Issuer:            func(string) string { return "https://blackboard.com" },
		CourseID:          learnID(4),
		AuthorizationPath: "/api/v1/gateway/oidcauth",
		TokenPath:         "/api/v1/gateway/oauth2/jwttoken",
		JWKSPath:          "/api/v1/management/applications/{client}/jwks.json",
		LineItemsPath:     "/learn/api/v1/lti/courses/{course}/lineItems",
		LineItemPath:      "/learn/api/v1/lti/courses/{course}/lineItems/{item}",
		ScoresPath:        "/learn/api/v1/lti/courses/{course}/lineItems/{item}/scores",
		ResultsPath:       "/learn/api/v1/lti/courses/{course}/lineItems/{item}/results",
		MembershipsPath:   "/learn/api/v1/lti/external/namesandroles/{course}",
		RosterQuery:       "placement_id=_553_1",

		// A result has a number of its own, not the user's id.
		ResultID:       func(item, person string) string { return learnID(derivedNumber("blackboard/result/" + item + person)) },
		ClientID:       func(_ int, seed string) string { return derivedUUID(seed + "/application") },
		DeploymentID:   func(_ int, seed string) string { return derivedUUID(seed + "/deployment") },
		ResourceLinkID: func(n int, _ string) string { return learnID(44 + n) },
		LineItemID:     func(n int) string { return learnID(40 + n) },
		PersonID:       func(_ string, _ int, seed string) string { return derived(32, "blackboard/"+seed) },
		LoginHint: func(pr *Person) string {
			return base64.StdEncoding.EncodeToString([]byte("blackboard/" + pr.Key + "/" + derived(64, pr.Key)))
		},

		LoginMethod:   http.MethodGet,
		StorageFrame:  "lti_storage_frame",
		StorageSilent: true,
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.sim.randomHex(96) },
		MessageHint:   func(_ *Platform, l *launch) (string, error) { return l.id, nil },
		LoginFields:   blackboardLogin,
		LaunchExpires: 5 * time.Minute,

		CheckAuthRequest: blackboardAuthRequest,
		Lifetime:         time.Hour,
		NoTyp:            true,
		Claims:           blackboardClaims,
		Keys:             KeyRules{Count: 1, Kid: uuidKid, Headers: map[string]string{"Content-Type": "application/json"}, PerTool: true},
		Token: TokenRules{
			UserAgent: "Blackboard/platformsim",
			MaxAhead:  30 * time.Second,
			Checks:    AssertionChecks{Audience: true, JTI: true, Times: true},
			TokenType: "bearer",
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				return rs256Token(p, t, true, map[string]any{"imsglobal.org.security.scope": scopes})
			},
			Answer: tokenJSON,
			Fail:   blackboardTokenFailure,
		},
		AGS: AGSRules{
			CheckAccept: anyMediaAccept,
			CheckScore:  blackboardCheckScore,
			ApplyScore: func(p *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade {
				if s.given == nil && s.activity == "Initialized" && s.grading == "NotReady" {
					return nil // the documented way to delete a grade
				}
				return plainApplyScore(p, li, s, prev)
			},
			ScoreAnswer: plainScoreAnswer,
			// The documentation wants the type of line items even here.
			ScoreMedia:   []string{mediaLineItem},
			LineItemJSON: plainLineItem,
			CheckItem: func(in *itemBody, li *LineItem) *failure {
				if in.ID != "" && li != nil {
					return refuse(failMalformed, "id must not be in the body")
				}
				if *in.ScoreMaximum != math.Trunc(*in.ScoreMaximum) {
					return refuse(failMalformed, "scoreMaximum must be an integer")
				}
				if li == nil {
					in.ResourceLinkID = "" // cannot be set
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
			ContentType: mediaMembership + "; charset=utf-8",
			CheckAccept: anyAccept,
			Role:        plainPersonRole,
			Link:        ownLink,
			Page:        onePage,
			Member: func(_ *Platform, pr *Person) map[string]any {
				return map[string]any{
					"status": "Active", "user_id": pr.ID, "roles": blackboardMemberRoles(pr), "name": pr.Name(), "given_name": pr.Given,
					"middle_name": "", "family_name": pr.Family, "email": pr.Email, "lis_person_sourcedid": pr.Username,
				}
			},
			Enrollments:  func(q url.Values) bool { return q.Get("groups") == "true" },
			Message:      plainMessage,
			ContextID:    func(*Platform) string { return derived(32, "blackboard/context") },
			OwnID:        wholeURL,
			UnknownPages: true,
			UnknownDiffs: true,
		},
		DeepLinking: &DeepLinkingRules{
			ReturnPath: "/webapps/blackboard/controller/lti/v2/deeplinking",
			Settings: func(_ *Platform, _ *launch) map[string]any {
				return map[string]any{
					"accept_types": []any{"link", "file", "html", "ltiResourceLink", "image"}, "accept_media_types": "*/*",
					"accept_presentation_document_targets": []string{"embed", "iframe", "window"}, "accept_copy_advice": false,
					"accept_multiple": true, "auto_create": true,
				}
			},
			Data: func(p *Platform, l *launch) string {
				return p.courseID() + "::_14_1::2::false::" + derived(32, "blackboard/data/"+l.id)
			},
			KeepLink: true,
			Checks:   DeepLinkingChecks{Audience: true, Deployment: true, Type: true, Version: true, Data: true},
			NeedSub:  true,
			AudText:  true,
			NeedURL:  true,
		},
		Groups: &GroupRules{
			GroupsPath: "/learn/api/v1/lti/courses/{course}/groups",
			SetsPath:   "/learn/api/v1/lti/courses/{course}/groupsets",
			ID: func(kind string, n int) string {
				if kind == "set" {
					return learnID(200 + n)
				}
				return learnID(100 + n)
			},
			Page:  limitPage,
			Group: plainGroup,
			OwnID: wholeURL,
		},
		NotOffered: map[string]string{
			"caliper": "only custom parameters that an administrator sets lead to its event store, no claim (Anthology's documentation of Caliper)",
		},
		Fail:   rfc6750Failure,
		Encode: plainJSON,
	}
}

func blackboardLogin(p *Platform, l *launch) []Field {
	f := []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"login_hint", l.person.LoginHint},
		{"target_link_uri", l.link.TargetLinkURI},
		{"lti_message_hint", l.hint},
		{"lti_deployment_id", l.tool.deployment},
		{"client_id", l.tool.client},
	}
	if l.storage {
		f = append(f, Field{"lti_storage_target", p.profile.StorageFrame})
	}
	return f
}

func blackboardAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	t, wrong := checkRequest(p, q, "scope", "response_type", "client_id", "redirect_uri", "login_hint", "lti_message_hint")
	var l *launch
	if wrong == "" {
		l, wrong = hintedLaunch(p, q, user, t)
	}
	if wrong != "" {
		return authOutcome{status: http.StatusBadRequest, page: wrong}
	}
	return authOutcome{launch: l}
}

func blackboardClaims(p *Platform, l *launch) map[string]any {
	roster := rosterClaim(p, l.tool)
	roster["scope"] = []string{ScopeMemberships}
	return map[string]any{
		"name": l.person.Name(), "given_name": l.person.Given, "family_name": l.person.Family, "email": l.person.Email, "locale": "en-US",
		claimLTI + "roles":         blackboardRoles(l.person),
		claimLTI + "context":       map[string]any{"id": p.profile.NRPS.ContextID(p), "label": courseLabel, "title": courseTitle, "type": []string{courseOffering}},
		claimLTI + "resource_link": map[string]any{"id": l.link.ID, "title": l.link.Title},
		claimLTI + "lis":           map[string]any{"person_sourcedid": l.person.Username, "course_section_sourcedid": courseLabel},
		claimLTI + "launch_presentation": map[string]any{
			"locale": "en-US", "document_target": l.view,
			"return_url": p.base + "/webapps/blackboard/execute/blti/launchReturn?course_id=" + p.courseID() + "&content_id=_14_1&toGC=false&nonce=" +
				derived(32, "blackboard/nonce") + "&launch_id=" + derivedUUID("blackboard/launch") + "&link_id=" + l.link.ID,
		},
		claimLTI + "custom": customOf(l.tool, l.link),
		claimAGS:            gradesClaim(p, l),
		claimNRPS:           roster,
		"https://blackboard.com/lti/claim/one_time_session_token": derived(32, "blackboard/session"),
		"https://blackboard.com/webapps/foundations-connector/foundations-ids": map[string]any{
			"site-id": derivedUUID("blackboard/site"), "tenant-id": derivedUUID("blackboard/tenant"),
		},
	}
}

func blackboardRoles(pr *Person) []string {
	system := roleSystem + "User"
	if pr.Role == Admin {
		system = roleSystem + "Administrator"
	}
	return append(blackboardMemberRoles(pr), system)
}

func blackboardMemberRoles(pr *Person) []string {
	switch pr.Role {
	case Student:
		return []string{roleMember + "Learner", roleInst + "Student"}
	case Assistant:
		return []string{roleMember + "Instructor", roleAssistant, roleInst + "Faculty"}
	default:
		return []string{roleMember + "Instructor", roleInst + "Faculty"}
	}
}

func blackboardCheckScore(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
	if f := plainCheckScore(p, li, s, prev); f != nil {
		return f
	}
	if li.Locked {
		return refuse(failLocked, "the line item is locked")
	}
	return nil
}

func blackboardTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	switch f.kind {
	case tokSignature, tokKidUnknown, tokKidMissing, tokKeySet, tokAlg, tokExpired:
		w.Header().Set("Cache-Control", "no-store")
		jsonFailure(w, http.StatusBadRequest, map[string]string{
			"error": "invalid_jwt_token", "error_description": "Invalid JWT signature java.lang.IllegalArgumentException: " + f.text,
		})
	default:
		oauthFailure(w, f)
	}
}
