// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// openEdXProfile is Open edX with xblock-lti-consumer 11.4. Ways of it that trip tools up: keys, token endpoint and
// services are per configuration; published keys have neither alg nor use; roles come in another order each time; a score
// is answered with 201 and must be strictly newer; service tokens that are no longer good are answered with 403; the login
// URI gets a second question mark if it has one. The real code can be run as well, see openedx/serve.py.
func openEdXProfile() *Profile {
	const api = "/api/lti_consumer/v1/"
	return &Profile{
		Name:              "openedx",
		Title:             "Open edX",
		Issuer:            func(base string) string { return base },
		AuthorizationPath: api + "launch/",
		TokenPath:         api + "token/{config}",
		JWKSPath:          api + "public_keysets/{config}",
		LineItemsPath:     api + "lti/{tool}/lti-ags",
		LineItemPath:      api + "lti/{tool}/lti-ags/{item}",
		ScoresPath:        api + "lti/{tool}/lti-ags/{item}/scores",
		ResultsPath:       api + "lti/{tool}/lti-ags/{item}/results",
		ResultPath:        api + "lti/{tool}/lti-ags/{item}/results/{result}",
		MembershipsPath:   api + "lti/{tool}/memberships",

		ResultID:     func(_, person string) string { return person },
		ClientID:     func(_ int, seed string) string { return derivedUUID(seed + "/client") },
		DeploymentID: func(int, string) string { return "1" },
		ResourceLinkID: func(_ int, seed string) string {
			return "block-v1:DemoX+BIO1+2031+type@lti_consumer+block@" + derived(32, seed)
		},
		LineItemID: func(n int) string { return strconv.Itoa(1 + n) },
		PersonID:   func(_ string, _ int, seed string) string { return derivedUUID("openedx/" + seed) },
		LoginHint:  func(pr *Person) string { return pr.ID },

		LoginMethod:   http.MethodGet,
		LoginQuery:    "?",
		LaunchID:      func(p *Platform, _ *launch) (string, error) { return p.sim.randomHex(64) },
		MessageHint:   func(_ *Platform, l *launch) (string, error) { return l.id, nil },
		LoginFields:   openEdXLogin,
		LaunchExpires: 10 * time.Minute,

		CheckAuthRequest: openEdXAuthRequest,
		Lifetime:         time.Hour,
		Azp:              true,
		Claims:           openEdXClaims,
		Keys: KeyRules{
			Count: 1, Kid: uuidKid, PerTool: true,
			Headers: map[string]string{"Content-Type": "application/json", "Content-Disposition": "attachment; filename=keyset.json"},
			Without: []string{"alg", "use"},
		},
		Token: TokenRules{
			UserAgent:     "python-requests/2.32 (platformsim)",
			MaxAhead:      30 * time.Second,
			ByPath:        true,
			AnyKey:        true,
			PartialScopes: true,
			EmptyScopes:   true,
			TokenType:     "bearer",
			AccessToken: func(p *Platform, t *tool, scopes []string) (string, error) {
				return rs256Token(p, t, true, map[string]any{"iss": p.base, "scopes": strings.Join(scopes, " ")})
			},
			Answer: tokenJSON,
			Fail:   openEdXTokenFailure,
		},
		AGS: AGSRules{
			CheckAccept: anyMediaAccept,
			CheckScore:  openEdXCheckScore,
			ApplyScore:  plainApplyScore,
			ScoreAnswer: func(w http.ResponseWriter, _ *Platform, _ *LineItem, s *scorePost) {
				w.Header().Set("Content-Type", mediaScore)
				w.WriteHeader(http.StatusCreated)
				write(w, s.raw)
			},
			ScoreMediaExact: true,
			LineItemJSON:    plainLineItem,
			CheckItem: func(in *itemBody, _ *LineItem) *failure {
				if in.ResourceID == "" && in.ResourceLinkID == "" {
					return refuse(failMissing, "resourceId or resourceLinkId is needed")
				}
				if *in.ScoreMaximum != math.Trunc(*in.ScoreMaximum) {
					return refuse(failMalformed, "A valid integer is required.")
				}
				return nil
			},
			CheckDelete: func(*LineItem) *failure {
				return refuse(failForbidden, "You do not have permission to perform this action.")
			},
			Page:            onePage,
			ResultsPage:     oneResultsPage,
			OneResultListed: true,
		},
		NRPS: NRPSRules{
			Versions:    []string{"2.0"},
			ContentType: mediaMembership,
			CheckAccept: anyAccept,
			Role:        func(*Person, string) bool { return true },
			Link:        anyLink,
			Page:        openEdXPage,
			Member: func(_ *Platform, pr *Person) map[string]any {
				roles := []string{roleMember + "Learner"}
				if pr.Role != Student {
					roles = []string{roleMember + "Instructor"}
				}
				return map[string]any{"status": "Active", "user_id": pr.ID, "roles": roles, "name": pr.Name(), "email": pr.Email}
			},
			Message:      plainMessage,
			ContextID:    func(*Platform) string { return openEdXCourse },
			ContextKeys:  []string{"id"},
			OwnID:        wholeURL,
			AlwaysActive: true,
			Refuse: func(p *Platform, members int) *failure {
				if most := p.cfg.ResponseLimit; most > 0 && members > most {
					return refuse(failTooMany, "above_response_limit")
				}
				return nil
			},
		},
		DeepLinking: &DeepLinkingRules{
			ReturnPath: api + "lti/{tool}/lti-dl/response",
			Settings: func(_ *Platform, _ *launch) map[string]any {
				return map[string]any{
					"accept_types": []any{"ltiResourceLink", "link", "html", "image"}, "accept_presentation_document_targets": []string{"iframe", "window", "embed"},
					"accept_multiple": true, "auto_create": true, "title": "", "text": "",
				}
			},
			Without:  []string{claimLTI + "launch_presentation", claimLTI + "tool_platform", claimLTI + "custom", claimAGS, claimNRPS},
			Checks:   DeepLinkingChecks{Type: true, Items: true},
			Replaces: true,
			Fail: func(p *Platform, w http.ResponseWriter, f *deepFailure) {
				status := http.StatusBadRequest
				if f.kind == tokExpired {
					status = http.StatusInternalServerError // nobody catches it
				}
				p.errorPage(w, status, f.text)
			},
		},
		NotOffered: map[string]string{
			"groups":  "no groups service (xblock-lti-consumer 11.4, lti_1p3/constants.py)",
			"caliper": "no Caliper claim (xblock-lti-consumer 11.4, lti_1p3/constants.py)",
		},
		Fail:   openEdXFailure,
		Encode: plainJSON,
	}
}

const openEdXCourse = "course-v1:DemoX+BIO1+2031"

func openEdXLogin(p *Platform, l *launch) []Field {
	return []Field{
		{"iss", p.profile.Issuer(p.base)},
		{"client_id", l.tool.client},
		{"lti_deployment_id", l.tool.deployment},
		{"target_link_uri", l.link.TargetLinkURI},
		{"login_hint", l.person.LoginHint},
		{"lti_message_hint", l.hint},
	}
}

// openEdXAuthRequest shows a page for whatever is wrong and posts nothing.
func openEdXAuthRequest(p *Platform, q url.Values, user *Person) authOutcome {
	t, wrong := checkRequest(p, q, "client_id", "redirect_uri", "login_hint", "lti_message_hint", "nonce", "state")
	var l *launch
	if wrong == "" {
		l, wrong = hintedLaunch(p, q, user, t)
	}
	if wrong != "" {
		return authOutcome{status: http.StatusBadRequest, page: "There was an error preparing the LTI launch: " + wrong}
	}
	return authOutcome{launch: l}
}

func openEdXClaims(p *Platform, l *launch) map[string]any {
	return map[string]any{
		"name": l.person.Name(), "email": l.person.Email, "preferred_username": l.person.Username,
		claimLTI + "roles":               openEdXRoles(l.person),
		claimLTI + "context":             map[string]any{"id": openEdXCourse, "title": courseTitle, "label": openEdXCourse, "type": []string{courseOffering}},
		claimLTI + "resource_link":       map[string]any{"id": l.link.ID},
		claimLTI + "launch_presentation": map[string]any{},
		claimLTI + "tool_platform":       map[string]any{"guid": derivedUUID("openedx/guid"), "name": "Open edX"},
		claimLTI + "custom":              customOf(l.tool, l.link),
		claimAGS:                         gradesClaim(p, l),
		claimNRPS:                        rosterClaim(p, l.tool),
	}
}

// openEdXRoles come from a set, in an order that changes from launch to launch, as that of a Go map does.
func openEdXRoles(pr *Person) []string {
	set := map[string]bool{roleSystem + "None": true, roleInst + "None": true}
	switch pr.Role {
	case Student:
		set[roleMember+"Learner"] = true
	case Admin:
		set = map[string]bool{roleSystem + "Administrator": true, roleInst + "Administrator": true, roleMember + "Instructor": true}
	default:
		set[roleMember+"Instructor"] = true
	}
	return slices.Collect(maps.Keys(set))
}

func openEdXCheckScore(_ *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
	if name := s.missing(); name != "" {
		return &failure{failMissing, name}
	}
	at, ok := parseISO8601(s.timestamp)
	if !ok {
		return refuse(failMalformed, "timestamp has the wrong format")
	}
	if !slices.Contains(activities, s.activity) || !slices.Contains(gradings, s.grading) {
		return refuse(failMalformed, "activityProgress or gradingProgress is not a valid choice")
	}
	if s.given != nil && s.maximum == nil {
		return refuse(failMaximum, "scoreMaximum is required with scoreGiven")
	}
	if prev != nil && !at.After(prev.Timestamp) {
		return refuse(failStale, "Score already exists for the provided timestamp")
	}
	if li.Locked {
		return refuse(failLocked, "the course is closed")
	}
	return nil
}

// openEdXPage: all in one page without limit; else limit and page.
func openEdXPage(u *url.URL, total int) pageWindow {
	q := u.Query()
	size := atoiOr(q.Get("limit"), 0)
	if size == 0 {
		return pageWindow{to: total}
	}
	page := max(1, atoiOr(q.Get("page"), 1))
	from := total
	if page-1 <= total/size {
		from = min(total, (page-1)*size)
	}
	w := pageWindow{from: from, to: min(total, from+size)}
	if w.to < total {
		q.Set("page", strconv.Itoa(page+1))
		next := *u
		next.RawQuery = q.Encode()
		w.link = "<" + next.String() + `>; rel="next"`
	}
	return w
}

func openEdXTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	code := "invalid_grant"
	switch f.kind {
	case tokRequest:
		code = "invalid_request"
	case tokGrantType:
		code = "unsupported_grant_type"
	case tokClient, tokSignature, tokKidUnknown, tokKidMissing, tokKeySet:
		code = "invalid_client"
	case tokExpired, tokNotBefore, tokIssuedAhead:
		code = "unidentified_error" // nobody catches these
	}
	jsonFailure(w, http.StatusBadRequest, map[string]string{"error": code})
}

func openEdXFailure(w http.ResponseWriter, _ *http.Request, f *failure, _ []byte) {
	status := http.StatusBadRequest
	var body any = map[string]string{"detail": f.text}
	switch f.kind {
	case failUnauthorized:
		status, body = http.StatusForbidden, map[string]string{"detail": "Invalid token signature."}
	case failScope, failForbidden, failLocked:
		status = http.StatusForbidden
	case failNotFound:
		status = http.StatusNotFound
	case failNoHandler:
		status = http.StatusMethodNotAllowed
	case failMediaType:
		status = http.StatusUnsupportedMediaType
	case failTooMany:
		status, body = http.StatusForbidden, map[string]string{"error": f.text}
	case failPlatformError:
		status = http.StatusInternalServerError
	case failStale:
		body = map[string]any{"timestamp": []string{f.text}}
	case failMissing:
		body = map[string]any{f.text: []string{"This field is required."}}
	}
	jsonFailure(w, status, body)
}
