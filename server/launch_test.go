// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

func person(t *testing.T, name, key string) platformsim.Person {
	t.Helper()
	for _, p := range sim.Platform(name).People() {
		if p.Key == key {
			return p
		}
	}
	t.Fatalf("%s has no %s", name, key)
	return platformsim.Person{}
}

func TestLaunch(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		a := c.begin(platformsim.Click{Platform: name})
		if a.login.Registration != name || a.login.Reply.Status != 302 || !slices.Equal(header(a.login.Reply.Headers, "Location"), []string{a.login.AuthorizationUri}) {
			t.Errorf("login: %v", a.login)
		}
		if left := time.Until(a.login.ExpireTime.AsTime()); left < 9*time.Minute || left > 10*time.Minute {
			t.Errorf("the state expires in %s", left)
		}
		if cookies := header(a.login.Reply.Headers, "Set-Cookie"); len(cookies) != 2 {
			t.Errorf("cookies: %q", cookies)
		}
		answer := must(a.validate())(t)
		l, who, reg := answer.GetLaunch(), person(t, name, "student"), sim.Platform(name).Registration("quiz")
		if l.Registration != name || l.Issuer != reg.Issuer || l.ClientId != reg.ClientID || l.DeploymentId != reg.DeploymentID || l.TargetLinkUri != launchURI {
			t.Errorf("parties: %v", l)
		}
		if l.MessageType != pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK || l.MessageTypeName != "LtiResourceLinkRequest" || l.BrowserBinding != pb.BrowserBinding_BROWSER_BINDING_COOKIE {
			t.Errorf("message: %v", l)
		}
		if l.User.GetId() != who.ID || l.User.GetName() != who.Name() || l.User.GetEmail() != who.Email || l.User.GetKey() != lti.UserKey("", reg.Issuer, who.ID) {
			t.Errorf("user: %v, want %+v", l.User, who)
		}
		if !l.RoleSummary.Learner || l.RoleSummary.Instructor || len(l.Roles) == 0 {
			t.Errorf("roles: %v %v", l.RoleSummary, l.Roles)
		}
		if l.Context.GetTitle() != "Biology" || l.ResourceLink.GetId() != reg.ResourceLinkID || len(l.ResourceLink.GetKey()) != 32 || l.Custom["level"] != "3" {
			t.Errorf("place: %v %v %v", l.Context, l.ResourceLink, l.Custom)
		}
		if l.ToolPlatform.GetProductFamilyCode() != name {
			t.Errorf("platform: %v", l.ToolPlatform)
		}
		if g := l.Grades; g.GetRegistration() != name || g.GetLineItemUri() != reg.LineItemURI || !g.GetCanPostScore() || g.GetDeploymentId() != reg.DeploymentID {
			t.Errorf("grades: %v, want %s", g, reg.LineItemURI)
		}
		if m := l.Memberships; m.GetContextMembershipsUri() != reg.MembershipsURI || m.GetRegistration() != name {
			t.Errorf("memberships: %v", m)
		}
		var claims map[string]any
		check(t, json.Unmarshal([]byte(l.ClaimsJson), &claims))
		if claims["sub"] != who.ID || claims["iss"] != reg.Issuer {
			t.Error("claims_json are not the claims")
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(l.LaunchId) || time.Since(l.LaunchTime.AsTime()).Abs() > time.Minute {
			t.Errorf("launch %q of %s", l.LaunchId, l.LaunchTime.AsTime())
		}
		deletions := header(answer.Headers, "Set-Cookie")
		if len(deletions) != 2 || !strings.Contains(deletions[0], "Max-Age=0") || !strings.Contains(deletions[1], "; Partitioned") {
			t.Errorf("headers: %v", answer.Headers)
		}
		if line := c.log.String(); !strings.Contains(line, l.LaunchId) || !strings.Contains(line, `"binding":"cookie"`) {
			t.Error("the log does not name the launch")
		}

		// The same launch again: it names the first one.
		_, err := a.validate()
		replay := refused(t, err, lti.ReasonNonceReplayed)
		if replay.info.Metadata["launch_id"] != l.LaunchId || replay.info.Metadata["first_used_time"] == "" || replay.page == nil {
			t.Errorf("replay: %v", replay.info)
		}
	})
}

func TestLaunchRoles(t *testing.T) {
	c := start(t, func(s *settings) { s.registrations[0].AllowAnonymous = true })
	teacher, admin, guest := c.launchAt("canvas", "teacher"), c.launchAt("moodle", "admin"), c.launchAt("canvas", "anonymous")
	if !teacher.RoleSummary.Instructor || teacher.RoleSummary.Learner {
		t.Errorf("teacher: %v", teacher.RoleSummary)
	}
	if admin.RoleSummary.Learner || !admin.RoleSummary.AdministratorElsewhere {
		t.Errorf("admin: %v", admin.RoleSummary)
	}
	if guest.User != nil {
		t.Errorf("guest: %v", guest.User)
	}
	_, err := start(t).begin(platformsim.Click{Platform: "canvas", User: "anonymous"}).validate()
	if r := refused(t, err, lti.ReasonAnonymousNotAllowed); r.page == nil {
		t.Error("no page")
	}
}

// A bad launch is refused with its reason and a page, consumes nothing, and the next one is accepted.
func TestSpoiledLaunches(t *testing.T) {
	for _, test := range []struct {
		fault  platformsim.Fault
		value  string
		reason lti.Reason
	}{
		{platformsim.FaultExpired, "", lti.ReasonTokenExpired},
		{platformsim.FaultClockAhead, "", lti.ReasonTokenNotYetValid},
		{platformsim.FaultClockBehind, "", lti.ReasonTokenExpired},
		{platformsim.FaultWrongIssuer, "", lti.ReasonIssuerMismatch},
		{platformsim.FaultWrongAudience, "", lti.ReasonAudienceMismatch},
		{platformsim.FaultAlteredNonce, "", lti.ReasonNonceMismatch},
		{platformsim.FaultReusedNonce, "", lti.ReasonNonceMismatch},
		{platformsim.FaultUnknownKid, "", lti.ReasonKIDUnknown},
		{platformsim.FaultMissingKid, "", lti.ReasonKIDMissing},
		{platformsim.FaultBadSignature, "", lti.ReasonSignatureInvalid},
		{platformsim.FaultAlgNone, "", lti.ReasonAlgorithmNotAllowed},
		{platformsim.FaultMissingClaim, lti.ClaimVersion, lti.ReasonClaimMissing},
		{platformsim.FaultWrongState, "", lti.ReasonStateForged},
		{platformsim.FaultMissingState, "", lti.ReasonParameterMissing},
		{platformsim.FaultLaunchError, "login_required", lti.ReasonPlatformDenied},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			c := start(t)
			eachPlatform(t, func(t *testing.T, name string) {
				c.launchAt(name, "student") // the one before, whose nonce is reused
				fault(t, name, platformsim.FaultSetting{Fault: test.fault, Value: test.value})
				_, err := c.begin(platformsim.Click{Platform: name}).validate()
				if r := refused(t, err, test.reason); r.page == nil {
					t.Error("no page")
				}
				c.launchAt(name, "student")
			})
		})
	}
}

func TestRefusedLaunchConsumesNothing(t *testing.T) {
	c := start(t)
	a := c.begin(platformsim.Click{Platform: "canvas"})
	token := slices.IndexFunc(a.launch.Browser.Parameters, func(p *pb.Parameter) bool { return p.Name == "id_token" })
	whole := a.launch.Browser.Parameters[token].Value
	a.launch.Browser.Parameters[token].Value = whole[:len(whole)-4] + "AAAA"
	_, err := a.validate()
	refused(t, err, lti.ReasonSignatureInvalid)
	a.launch.Browser.Parameters[token].Value = whole
	a.launch.Browser.CookieHeader = ""
	_, err = a.validate()
	refused(t, err, lti.ReasonBindingMissing)
	a.launch.Browser.CookieHeader = a.cookies
	if must(a.validate())(t).GetLaunch() == nil {
		t.Error("refused at last")
	}
}

func TestDeployments(t *testing.T) {
	for _, test := range []struct {
		policy platform.UnknownDeployments
		reason lti.Reason
	}{{"", lti.ReasonDeploymentUnknown}, {platform.PendDeployments, lti.ReasonDeploymentPending}, {platform.AcceptDeployments, ""}} {
		c := start(t, func(s *settings) {
			for i := range s.registrations {
				s.registrations[i].Deployments, s.registrations[i].UnknownDeployments = []string{"elsewhere"}, test.policy
			}
		})
		_, err := c.begin(platformsim.Click{Platform: "moodle"}).validate()
		if test.reason == "" {
			check(t, err)
		} else if r := refused(t, err, test.reason); r.page == nil || r.info.Metadata["deployment_id"] == "" {
			t.Error(r)
		}
		_, err = c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "canvas", DeploymentId: "new", Scopes: []string{lti.ScopeScore}})
		if test.reason != "" {
			refused(t, err, test.reason)
		}
	}
}

// What the tool sets wrongly is INVALID_ARGUMENT and names the field.
func TestToolMistakes(t *testing.T) {
	c := start(t)
	form := must(newBrowser(t).LoginInitiation(t.Context(), platformsim.Click{Platform: "canvas", Tool: "quiz"}))(t)
	login := func(change func(*pb.BuildAuthRequestRequest)) error {
		request := &pb.BuildAuthRequestRequest{Browser: relay(form)}
		change(request)
		_, err := c.launches.BuildAuthRequest(t.Context(), request)
		return err
	}
	a := c.begin(platformsim.Click{Platform: "canvas"})
	validate := func(change func(*pb.ValidateLaunchRequest)) error {
		request := &pb.ValidateLaunchRequest{Browser: relay(&platformsim.Form{Method: "POST"})}
		request.Browser.Parameters, request.Browser.CookieHeader = a.launch.Browser.Parameters, a.cookies
		change(request)
		_, err := c.launches.ValidateLaunch(t.Context(), request)
		return err
	}
	for _, test := range []struct {
		name   string
		err    error
		reason lti.Reason
		field  string
	}{
		{"login without browser", login(func(r *pb.BuildAuthRequestRequest) { r.Browser = nil }), lti.ReasonRequestInvalid, "browser"},
		{"login at an unlisted URI", login(func(r *pb.BuildAuthRequestRequest) { r.LaunchUri = "https://tool.example/other" }), lti.ReasonLaunchURINotListed, "launch_uri"},
		{"login of no registration", login(func(r *pb.BuildAuthRequestRequest) { r.Registration = "none" }), lti.ReasonRegistrationUnknown, "registration"},
		{"login with a bad nonce", login(func(r *pb.BuildAuthRequestRequest) { r.Browser.CspNonce = "a b'" }), lti.ReasonRequestInvalid, "browser.csp_nonce"},
		{"launch without browser", validate(func(r *pb.ValidateLaunchRequest) { r.Browser = nil }), lti.ReasonRequestInvalid, "browser"},
		{"launch at an unlisted URI", validate(func(r *pb.ValidateLaunchRequest) { r.LaunchUri = "https://tool.example/other" }), lti.ReasonLaunchURINotListed, "launch_uri"},
		{"launch with a bad nonce", validate(func(r *pb.ValidateLaunchRequest) { r.Browser.CspNonce = "<" }), lti.ReasonRequestInvalid, "browser.csp_nonce"},
		{"launch of no message type", validate(func(r *pb.ValidateLaunchRequest) { r.AcceptMessageTypes = []pb.MessageType{0} }), lti.ReasonRequestInvalid, "accept_message_types"},
		{"launch of an unknown message type", validate(func(r *pb.ValidateLaunchRequest) { r.AcceptMessageTypes = []pb.MessageType{99} }), lti.ReasonRequestInvalid, "accept_message_types"},
		{"no launch token", func() error {
			_, err := c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{})
			return err
		}(), lti.ReasonRequestInvalid, "launch_token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := refused(t, test.err, test.reason)
			if r.field() != test.field || r.code.String() != "InvalidArgument" {
				t.Errorf("%s: field %q, want %q", r.code, r.field(), test.field)
			}
		})
	}
	if must(a.validate())(t).GetLaunch() == nil {
		t.Error("the launch was consumed")
	}
}

// What a browser can cause is PERMISSION_DENIED, with a page.
func TestBrowserMistakes(t *testing.T) {
	c := start(t)
	form := must(newBrowser(t).LoginInitiation(t.Context(), platformsim.Click{Platform: "moodle", Tool: "quiz"}))(t)
	login := func(change func(*pb.BrowserRequest)) error {
		request := relay(form)
		change(request)
		_, err := c.launches.BuildAuthRequest(t.Context(), &pb.BuildAuthRequestRequest{Browser: request})
		return err
	}
	set := func(r *pb.BrowserRequest, name, value string) {
		r.Parameters = slices.DeleteFunc(r.Parameters, func(p *pb.Parameter) bool { return p.Name == name })
		r.Parameters = append(r.Parameters, &pb.Parameter{Name: name, Value: value})
	}
	a := c.begin(platformsim.Click{Platform: "moodle"})
	validate := func(change func(*pb.BrowserRequest)) error {
		request := &pb.BrowserRequest{Method: "POST", Parameters: slices.Clone(a.launch.Browser.Parameters), CookieHeader: a.cookies}
		change(request)
		_, err := c.launches.ValidateLaunch(t.Context(), &pb.ValidateLaunchRequest{Browser: request})
		return err
	}
	for _, test := range []struct {
		name   string
		err    error
		reason lti.Reason
	}{
		{"login by PUT", login(func(r *pb.BrowserRequest) { r.Method = "PUT" }), lti.ReasonMethodNotAllowed},
		{"no method", login(func(r *pb.BrowserRequest) { r.Method = "" }), lti.ReasonMethodNotAllowed},
		{"no parameters", login(func(r *pb.BrowserRequest) { r.Parameters = nil }), lti.ReasonParameterMissing},
		{"issuer unknown", login(func(r *pb.BrowserRequest) { set(r, "iss", "https://evil.example") }), lti.ReasonIssuerUnknown},
		{"client id unknown", login(func(r *pb.BrowserRequest) { set(r, "client_id", "evil") }), lti.ReasonClientIDUnknown},
		{"target elsewhere", login(func(r *pb.BrowserRequest) { set(r, "target_link_uri", "https://evil.example/") }), lti.ReasonTargetLinkURINotAllowed},
		{"issuer twice", login(func(r *pb.BrowserRequest) {
			r.Parameters = append(r.Parameters, &pb.Parameter{Name: "iss", Value: "x"})
		}), lti.ReasonParameterRepeated},
		{"login hint too long", login(func(r *pb.BrowserRequest) { set(r, "login_hint", strings.Repeat("x", 9000)) }), lti.ReasonParameterTooLong},
		{"65 parameters", login(func(r *pb.BrowserRequest) {
			for i := range 65 {
				set(r, fmt.Sprint("p", i), "")
			}
		}), lti.ReasonParameterTooLong},
		{"a huge cookie header", login(func(r *pb.BrowserRequest) { r.CookieHeader = strings.Repeat("a=b; ", 8000) }), lti.ReasonParameterTooLong},
		{"a huge method", login(func(r *pb.BrowserRequest) { r.Method = strings.Repeat("G", 4000) }), lti.ReasonMethodNotAllowed},
		{"launch by GET", validate(func(r *pb.BrowserRequest) { r.Method = "GET" }), lti.ReasonMethodNotAllowed},
		{"nothing", validate(func(r *pb.BrowserRequest) { r.Parameters = nil }), lti.ReasonParameterMissing},
		{"state twice", validate(func(r *pb.BrowserRequest) {
			r.Parameters = append(r.Parameters, &pb.Parameter{Name: "state", Value: "x"})
		}), lti.ReasonParameterRepeated},
		{"id_token too large", validate(func(r *pb.BrowserRequest) { set(r, "id_token", strings.Repeat("a", 70_000)) }), lti.ReasonTokenTooLarge},
		{"id_token no token", validate(func(r *pb.BrowserRequest) { set(r, "id_token", "a.b") }), lti.ReasonTokenMalformed},
		{"id_token empty", validate(func(r *pb.BrowserRequest) { set(r, "id_token", "") }), lti.ReasonParameterMissing},
		{"no cookies", validate(func(r *pb.BrowserRequest) { r.CookieHeader = "" }), lti.ReasonBindingMissing},
		{"the cookie of another login", validate(func(r *pb.BrowserRequest) {
			name, _, _ := strings.Cut(a.cookies, "=")
			r.CookieHeader = name + "=00000000.AAAAAAAAAAAAAAAAAAAAAA"
		}), lti.ReasonBindingMismatch},
		{"a broken token", func() error {
			_, err := c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: "AAAA"})
			return err
		}(), lti.ReasonLaunchTokenInvalid},
		{"a huge token", func() error {
			_, err := c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: strings.Repeat("A", 9000)})
			return err
		}(), lti.ReasonParameterTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := refused(t, test.err, test.reason)
			if r.code.String() != "PermissionDenied" || r.page == nil {
				t.Errorf("%s, page %v", r.code, r.page)
			}
		})
	}
	if must(a.validate())(t).GetLaunch() == nil {
		t.Error("the launch was consumed")
	}
}

// What a browser writes does not reach the log as it is: a platform's words can quote people and tokens.
func TestPlatformWordsStayOutOfTheLog(t *testing.T) {
	c := start(t)
	a := c.beginLogin(platformsim.Click{Platform: "canvas"})
	c.secret("platform's description", "Ada.L@example.net is locked\nbearer abc123")
	c.secret("platform's address", "Ada.L@example.net")
	_, err := c.launches.ValidateLaunch(t.Context(), &pb.ValidateLaunchRequest{Browser: &pb.BrowserRequest{Method: "POST", CookieHeader: a.cookies, Parameters: []*pb.Parameter{
		{Name: "state", Value: a.login.State}, {Name: "error", Value: "access_denied"}, {Name: "error_description", Value: "Ada.L@example.net is locked\nbearer abc123"},
	}}})
	if r := refused(t, err, lti.ReasonPlatformDenied); r.info.Metadata["platform_error"] != "access_denied" || r.page == nil {
		t.Error(r.info)
	}
}

func TestLaunchURIs(t *testing.T) {
	c := start(t)
	form := must(newBrowser(t).LoginInitiation(t.Context(), platformsim.Click{Platform: "canvas", Tool: "quiz"}))(t)
	staging := must(c.launches.BuildAuthRequest(t.Context(), &pb.BuildAuthRequestRequest{Browser: relay(form), LaunchUri: stagingURI, Registration: "canvas"}))(t)
	if !strings.Contains(staging.AuthorizationUri, "staging.tool.example") {
		t.Error(staging.AuthorizationUri)
	}
	a := c.begin(platformsim.Click{Platform: "canvas"})
	a.launch.LaunchUri = stagingURI
	_, err := a.validate()
	refused(t, err, lti.ReasonStateMismatch)
	a.launch.LaunchUri = launchURI
	check(t, func() error { _, err := a.validate(); return err }())
	moodle := must(newBrowser(t).LoginInitiation(t.Context(), platformsim.Click{Platform: "moodle", Tool: "quiz"}))(t)
	_, err = c.launches.BuildAuthRequest(t.Context(), &pb.BuildAuthRequestRequest{Browser: relay(moodle), Registration: "canvas"})
	refused(t, err, lti.ReasonIssuerUnknown)
}

func TestCheckLaunchToken(t *testing.T) {
	c := start(t)
	l := c.launchAt("moodle", "teacher")
	answer := must(c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: l.LaunchToken}))(t)
	got := answer.Launch
	c.secret("fresh launch token", got.LaunchToken)
	if got.LaunchId != l.LaunchId || got.User.GetId() != l.User.GetId() || got.Grades.GetLineItemUri() != l.Grades.GetLineItemUri() || !got.RoleSummary.GetInstructor() {
		t.Errorf("another launch: %v", got)
	}
	if got.ClaimsJson != "" || got.LaunchToken == l.LaunchToken || got.LaunchToken == "" {
		t.Error("claims, or no fresh token")
	}
	if left := time.Until(answer.ExpireTime.AsTime()); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it expires in %s", left)
	}
	must(c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: got.LaunchToken}))(t)

	// A sidecar that no longer has the deployment, or the registration, refuses it.
	gone := start(t, func(s *settings) { s.registrations = s.registrations[:1] })
	_, err := gone.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: l.LaunchToken})
	if r := refused(t, err, lti.ReasonLaunchTokenInvalid); r.page == nil {
		t.Error("no page")
	}
	disabled := start(t, func(s *settings) { s.registrations[1].Deployments = []string{"other"} })
	_, err = disabled.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: l.LaunchToken})
	refused(t, err, lti.ReasonDeploymentUnknown)
}

// jsonBlock reads the data of a storage page.
func jsonBlock(t *testing.T, page *pb.BrowserReply) (block struct {
	Target, Origin, Key, Value, Next string
	ProofName                        string `json:"proof_name"`
	Parameters                       []struct{ Name, Value string }
}) {
	t.Helper()
	match := regexp.MustCompile(`<script type="application/json" id="ltisidecar">(.*?)</script>`).FindStringSubmatch(page.GetBody())
	if match == nil {
		t.Fatalf("no data in the page:\n%s", page.GetBody())
	}
	check(t, json.Unmarshal([]byte(match[1]), &block))
	return block
}

// With the platform's storage: the login answers with a page that puts the secret there; a launch without cookies is
// answered with a page that gets it and posts the launch again.
func TestPlatformStorage(t *testing.T) {
	c := start(t)
	a := c.beginLogin(platformsim.Click{Platform: "canvas", Storage: true})
	put := jsonBlock(t, a.login.Reply)
	c.secret("storage value", put.Value)
	if a.login.Reply.Status != 200 || put.Value == "" || put.Next != a.login.AuthorizationUri || put.Target != "post_message_forwarding" || !strings.HasPrefix(sim.URL(), put.Origin) {
		t.Errorf("login page: %+v", put)
	}
	if policy := header(a.login.Reply.Headers, "Content-Security-Policy"); len(policy) != 1 || !strings.Contains(policy[0], "script-src 'sha256-") {
		t.Errorf("policy %q", policy)
	}
	a.authorize()
	a.launch.Browser.CookieHeader = ""
	step := must(a.validate())(t)
	get := jsonBlock(t, step.GetBrowserStep())
	if step.GetLaunch() != nil || get.Key != put.Key || get.Value != "" || get.Target != put.Target {
		t.Fatalf("step: %v", step)
	}
	repost := func(site, origin, proof string) error {
		request := &pb.BrowserRequest{Method: "POST", SecFetchSite: site, Origin: origin}
		for _, p := range get.Parameters {
			request.Parameters = append(request.Parameters, &pb.Parameter{Name: p.Name, Value: p.Value})
		}
		request.Parameters = append(request.Parameters, &pb.Parameter{Name: get.ProofName, Value: proof})
		answer, err := c.launches.ValidateLaunch(t.Context(), &pb.ValidateLaunchRequest{Browser: request})
		if l := answer.GetLaunch(); l != nil && l.BrowserBinding != pb.BrowserBinding_BROWSER_BINDING_PLATFORM_STORAGE {
			t.Errorf("bound by %s", l.BrowserBinding)
		}
		return err
	}
	refused(t, repost("cross-site", "https://tool.example", put.Value), lti.ReasonBindingMissing)
	refused(t, repost("same-site", "", put.Value), lti.ReasonBindingMissing)
	refused(t, repost("", "https://evil.example", put.Value), lti.ReasonBindingMissing)
	refused(t, repost("", "null", put.Value), lti.ReasonBindingMissing)
	refused(t, repost("", "", put.Value), lti.ReasonBindingMissing)
	refused(t, repost("same-origin", "", put.Value+"x"), lti.ReasonBindingMismatch)
	empty := refused(t, repost("same-origin", "", ""), lti.ReasonBindingMissing)
	if empty.page == nil || !strings.Contains(empty.page.Body, `target="_blank"`) {
		t.Error("storage did not answer, and no new window is offered")
	}
	check(t, repost("same-origin", "", put.Value))
	refused(t, repost("same-origin", "", put.Value), lti.ReasonNonceReplayed)

	// A browser without Sec-Fetch-Site is known by its Origin.
	b := c.beginLogin(platformsim.Click{Platform: "canvas", Storage: true})
	put = jsonBlock(t, b.login.Reply)
	b.authorize()
	b.launch.Browser.CookieHeader = ""
	get = jsonBlock(t, must(b.validate())(t).GetBrowserStep())
	check(t, repost("", "https://tool.example", put.Value))
}

// Nothing came back, and there is no storage: a link begins the login anew in a new window.
func TestNewWindowLink(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		a := c.begin(platformsim.Click{Platform: name})
		a.launch.Browser.CookieHeader = "unrelated=1"
		_, err := a.validate()
		r := refused(t, err, lti.ReasonBindingMissing)
		if r.page == nil || !strings.Contains(r.page.Body, `href="`+loginURI+`?`) || !strings.Contains(r.page.Body, `target="_blank"`) {
			t.Errorf("no link to a new window: %v", r.page)
		}
		if r.info.Metadata["launch_id"] == "" || r.info.Metadata["cookies"] == "" || r.info.Metadata["sec_fetch_dest"] != "iframe" {
			t.Errorf("metadata: %v", r.info.Metadata)
		}
	})
}
