// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ltisidecar/ltisidecar/platformsim"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	profileLogin  = "https://tool.example/lti/login"
	profileLaunch = "https://tool.example/lti/launch"
	profileRoster = 230 // three pages of Schoology's, five of Canvas's
)

// campus is a simulator with several platforms, one tool in each, and a sidecar that knows all of them.
type campus struct {
	sim      *platformsim.Sim
	launches ltisidecarv1.LaunchServiceClient
	grades   ltisidecarv1.GradeServiceClient
	rosters  ltisidecarv1.RosterServiceClient
	events   ltisidecarv1.EventServiceClient
	tokens   ltisidecarv1.TokenServiceClient
}

// loginIssuer is the iss of the platform's logins where it is not the one of its launches: Sakai's with a site's issuer.
func loginIssuer(platform *platformsim.Platform, r platformsim.Registration) string {
	if r.Issuer != platform.URL() && strings.HasPrefix(r.Issuer, platform.URL()) {
		return platform.URL()
	}
	return `""`
}

// newCampus starts a simulator and a sidecar.
func newCampus(t *testing.T, binary string, platforms map[string]platformsim.PlatformConfig) *campus {
	t.Helper()
	sim := must(platformsim.New(platformsim.Config{Platforms: platforms, RosterSize: profileRoster}))(t)
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	sim.Start()
	tool := newSidecar(t)
	keys := ltisidecarv1.NewKeyServiceClient(tool)
	jwks := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		set, err := keys.GetToolKeySet(ctx, &ltisidecarv1.GetToolKeySetRequest{})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", set.GetContentType())
		io.WriteString(w, set.GetJwks())
	}))
	cert, key, err := sim.IssueCert()
	if err != nil {
		t.Fatal(err)
	}
	jwks.TLS = &tls.Config{Certificates: []tls.Certificate{must(tls.X509KeyPair(cert, key))(t)}}
	jwks.StartTLS()
	t.Cleanup(jwks.Close)

	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, sim.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	var registrations []map[string]string
	for _, name := range slices.Sorted(maps.Keys(platforms)) {
		platform := sim.Platform(name)
		if err := platform.SetTool(platformsim.ToolConfig{
			Name: "quiz", LoginURI: profileLogin, LaunchURIs: []string{profileLaunch}, JWKSURI: jwks.URL + "/jwks",
			Custom: map[string]string{"chapter": "3"},
		}); err != nil {
			t.Fatal(err)
		}
		r := platform.Registration("quiz")
		fields := map[string]string{
			"name": name, "issuer": r.Issuer, "login_issuer": loginIssuer(platform, r), "client_id": `"` + r.ClientID + `"`, "deployments": `["` + r.DeploymentID + `"]`,
			"authorization_uri": r.AuthorizationURI, "token_uri": r.TokenURI, "token_audience": r.TokenAudience, "jwks_uri": r.JWKSURI,
			"launch_uris": `["` + profileLaunch + `"]`, "dialect": name, "message_types": "[LtiResourceLinkRequest, LtiDeepLinkingRequest]",
		}
		registrations = append(registrations, fields)
	}
	tool.start(t, binary, &authority{caFile: caFile}, registrations...)
	return &campus{
		sim: sim, launches: ltisidecarv1.NewLaunchServiceClient(tool), grades: ltisidecarv1.NewGradeServiceClient(tool),
		rosters: ltisidecarv1.NewRosterServiceClient(tool), events: ltisidecarv1.NewEventServiceClient(tool),
		tokens: ltisidecarv1.NewTokenServiceClient(tool),
	}
}

// login plays a fresh browser from the click in the course up to what it then sends to the tool.
func (c *campus) login(t *testing.T, platform, user string) (*ltisidecarv1.BrowserRequest, error) {
	t.Helper()
	browser := must(c.sim.NewBrowser())(t)
	defer browser.Close()
	return c.loginBy(t, browser, platformsim.Click{Platform: platform, Tool: "quiz", User: user})
}

// loginBy is login with a browser and a click of the caller's.
func (c *campus) loginBy(t *testing.T, browser *platformsim.Browser, click platformsim.Click) (*ltisidecarv1.BrowserRequest, error) {
	t.Helper()
	platform := click.Platform
	initiation := must(browser.LoginInitiation(t.Context(), click))(t)
	built, err := c.launches.BuildAuthRequest(t.Context(), &ltisidecarv1.BuildAuthRequestRequest{
		Browser: &ltisidecarv1.BrowserRequest{
			Method: initiation.Method, Parameters: fieldsToParameters(initiation.Fields),
			SecFetchSite: "cross-site", SecFetchDest: "iframe",
		},
	})
	if err != nil {
		return nil, err
	}
	jar := must(cookiejar.New(nil))(t)
	redirect := http.Response{Header: http.Header{}}
	for _, header := range built.GetReply().GetHeaders() {
		redirect.Header.Add(header.GetName(), header.GetValue())
	}
	jar.SetCookies(must(url.Parse(profileLogin))(t), redirect.Cookies())
	posted, err := browser.Authorize(t.Context(), redirect.Header.Get("Location"))
	if err != nil {
		t.Fatalf("%s: the platform refuses the authentication request %s: %v", platform, redirect.Header.Get("Location"), err)
	}
	if posted.Action != profileLaunch || posted.Get("error") != "" {
		t.Fatalf("%s: the platform posts to %s with error %q", platform, posted.Action, posted.Get("error"))
	}
	var cookies []string
	for _, cookie := range jar.Cookies(must(url.Parse(profileLaunch))(t)) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	return &ltisidecarv1.BrowserRequest{
		Method: http.MethodPost, Parameters: fieldsToParameters(posted.Fields), CookieHeader: strings.Join(cookies, "; "),
		Origin: c.sim.URL(), SecFetchSite: "cross-site", SecFetchDest: "iframe",
	}, nil
}

func fieldsToParameters(fields []platformsim.Field) []*ltisidecarv1.Parameter {
	var list []*ltisidecarv1.Parameter
	for _, field := range fields {
		list = append(list, &ltisidecarv1.Parameter{Name: field.Name, Value: field.Value})
	}
	return list
}

func (c *campus) launch(t *testing.T, platform, user string) *ltisidecarv1.Launch {
	t.Helper()
	return validate(t, c.launches, must(c.login(t, platform, user))(t))
}

// roster reads a whole roster.
func (c *campus) roster(t *testing.T, endpoint *ltisidecarv1.MembershipEndpoint) []*ltisidecarv1.Member {
	t.Helper()
	return c.members(t, &ltisidecarv1.ListMembersRequest{Endpoint: endpoint})
}

func (c *campus) members(t *testing.T, request *ltisidecarv1.ListMembersRequest) []*ltisidecarv1.Member {
	t.Helper()
	stream := must(c.rosters.ListMembers(t.Context(), request))(t)
	var members []*ltisidecarv1.Member
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			t.Fatal("the stream ended without an end message")
		}
		if err != nil {
			t.Fatalf("ListMembers: %v", err)
		}
		members = append(members, message.GetBatch().GetMembers()...)
		if end := message.GetEnd(); end != nil {
			if end.GetMemberCount() != int64(len(members)) {
				t.Errorf("the end counts %d members, %d came", end.GetMemberCount(), len(members))
			}
			return members
		}
	}
}

func (c *campus) person(t *testing.T, platform, key string) platformsim.Person {
	t.Helper()
	for _, person := range c.sim.Platform(platform).People() {
		if person.Key == key {
			return person
		}
	}
	t.Fatalf("%s has no %s", platform, key)
	return platformsim.Person{}
}

// TestProfiles takes every simulated platform through a launch of each role, two scores with a lost service token
// between them, and the whole roster.
func TestProfiles(t *testing.T) {
	binary := buildSidecar(t)
	t.Run("as they are", func(t *testing.T) {
		platforms := map[string]platformsim.PlatformConfig{}
		for _, name := range platformsim.ProfileNames() {
			platforms[name] = platformsim.PlatformConfig{}
		}
		// As an administrator has to set it up, and with a key set of more than 64 KiB.
		platforms["brightspace"] = platformsim.PlatformConfig{GradedLinks: true, WholeRoster: true, RosterPage: 50, ExtraKeys: 200}
		platforms["blackboard"] = platformsim.PlatformConfig{RosterPage: 40}
		c := newCampus(t, binary, platforms)
		for _, name := range platformsim.ProfileNames() {
			t.Run(name, func(t *testing.T) { testProfile(t, c, name) })
		}
	})
	t.Run("with their switches", func(t *testing.T) { testProfileVariants(t, binary) })
}

func testProfile(t *testing.T, c *campus, name string) {
	student := c.person(t, name, "student")
	got := c.launch(t, name, "student")
	if got.GetRegistration() != name || got.GetUser().GetId() != student.ID {
		t.Errorf("registration %q, user %q; want %q, %q", got.GetRegistration(), got.GetUser().GetId(), name, student.ID)
	}
	registration := c.sim.Platform(name).Registration("quiz")
	if got.GetResourceLink().GetId() != registration.ResourceLinkID || got.GetCustom()["chapter"] != "3" || got.GetContext().GetId() == "" {
		t.Errorf("resource link %q, custom %v, context %v", got.GetResourceLink().GetId(), got.GetCustom(), got.GetContext())
	}
	if summary := got.GetRoleSummary(); !summary.GetLearner() || summary.GetInstructor() {
		t.Errorf("student: %v", summary)
	}
	teacher := c.launch(t, name, "teacher")
	if summary := teacher.GetRoleSummary(); !summary.GetInstructor() || summary.GetLearner() {
		t.Errorf("teacher: %v", summary)
	}
	if name == "brightspace" && got.GetUser().GetEmail() != "" {
		t.Errorf("email %q", got.GetUser().GetEmail())
	}

	endpoint := got.GetGrades()
	if endpoint.GetLineItemUri() != registration.LineItemURI || !endpoint.GetCanPostScore() {
		t.Fatalf("grades %v, want line item %q", endpoint, registration.LineItemURI)
	}
	for _, given := range []float64{3, 8.5} {
		posted, err := c.grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
			Endpoint: endpoint,
			Score:    &ltisidecarv1.Score{UserId: student.ID, ScoreGiven: proto.Float64(given), ScoreMaximum: proto.Float64(10)},
		})
		if err != nil {
			t.Fatalf("PostScore of %v: %v", given, err)
		}
		if state := posted.GetDelivery().GetState(); state != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Fatalf("PostScore of %v: %v, want delivered", given, state)
		}
		// The sidecar has to notice that its token is no longer good, and how this platform says so.
		c.sim.Platform(name).RevokeTokens()
	}
	book := c.sim.Platform(name).Gradebook()
	if grade := book[0].Grades[student.ID]; grade == nil || grade.Score == nil || *grade.Score != 85 {
		t.Errorf("the platform has %+v, want 85 of 100", grade)
	}

	members := c.roster(t, got.GetMemberships())
	if len(members) != profileRoster {
		t.Fatalf("%d members, want %d", len(members), profileRoster)
	}
	var me *ltisidecarv1.Member
	seen := map[string]bool{}
	for _, member := range members {
		seen[member.GetUserId()] = true
		if member.GetUserId() == student.ID {
			me = member
		}
	}
	if len(seen) != profileRoster || me == nil {
		t.Fatalf("%d different members; the student is %v", len(seen), me)
	}
	if me.GetUserKey() != got.GetUser().GetKey() || me.GetName() != student.Name() || len(me.GetRoles()) == 0 {
		t.Errorf("the student in the roster is %v, in the launch %v", me, got.GetUser())
	}
}

// testProfileVariants switches on what only some installations do.
func testProfileVariants(t *testing.T, binary string) {
	c := newCampus(t, binary, map[string]platformsim.PlatformConfig{
		"brightspace": {},
		"blackboard":  {AudienceArray: true},
		"sakai":       {EmptyRoster: true},
		"openedx":     {EmptyRoster: true},
		"schoology":   {NoLoginClient: true, AppMenu: true},
	})
	t.Run("brightspace lists visitors and has no line item", func(t *testing.T) {
		got := c.launch(t, "brightspace", "student")
		if got.GetGrades().GetLineItemUri() != "" || got.GetGrades().GetLineItemsUri() == "" {
			t.Errorf("grades %v, want no line item", got.GetGrades())
		}
		_, err := c.grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
			Endpoint: got.GetGrades(),
			Score:    &ltisidecarv1.Score{UserId: got.GetUser().GetId(), ScoreGiven: proto.Float64(1), ScoreMaximum: proto.Float64(1)},
		})
		if reason, _ := reasonOf(t, err); reason != "SERVICE_NOT_OFFERED" {
			t.Errorf("PostScore: %v, want SERVICE_NOT_OFFERED", err)
		}
		members := c.roster(t, got.GetMemberships())
		if len(members) != 1 || members[0].GetUserId() != got.GetUser().GetId() {
			t.Errorf("%d members, want the one who has launched", len(members))
		}
	})
	t.Run("blackboard with an array as audience", func(t *testing.T) {
		got := c.launch(t, "blackboard", "teacher")
		if members := c.roster(t, got.GetMemberships()); len(members) != profileRoster {
			t.Errorf("%d members", len(members))
		}
	})
	t.Run("openedx with an empty roster", func(t *testing.T) {
		if members := c.roster(t, c.launch(t, "openedx", "student").GetMemberships()); len(members) != 0 {
			t.Errorf("%d members, want none", len(members))
		}
	})
	t.Run("schoology without client_id, from the app menu", func(t *testing.T) {
		got := c.launch(t, "schoology", "student")
		if got.GetContext() != nil || got.GetMemberships() != nil || got.GetGrades() != nil {
			t.Errorf("context %v, memberships %v, grades %v; want none", got.GetContext(), got.GetMemberships(), got.GetGrades())
		}
	})
	t.Run("sakai with an empty roster, which has no body", func(t *testing.T) {
		if members := c.roster(t, c.launch(t, "sakai", "student").GetMemberships()); len(members) != 0 {
			t.Errorf("%d members, want none", len(members))
		}
	})
	t.Run("sakai with signed line items, which have colons inside", func(t *testing.T) {
		c := newCampus(t, binary, map[string]platformsim.PlatformConfig{"sakai": {SignedLineItems: true}})
		got := c.launch(t, "sakai", "student")
		if !strings.Contains(got.GetGrades().GetLineItemUri(), ":::") {
			t.Errorf("line item %q", got.GetGrades().GetLineItemUri())
		}
		posted, err := c.grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
			Endpoint: got.GetGrades(),
			Score:    &ltisidecarv1.Score{UserId: got.GetUser().GetId(), ScoreGiven: proto.Float64(1), ScoreMaximum: proto.Float64(4)},
		})
		if state := posted.GetDelivery().GetState(); err != nil || state != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Errorf("PostScore: %v, %v", state, err)
		}
		if grade := c.sim.Platform("sakai").Gradebook()[0].Grades[got.GetUser().GetId()]; grade == nil || *grade.Score != 25 {
			t.Errorf("the platform has %+v, want 25 of 100", grade)
		}
	})
	t.Run("openedx with a limit", func(t *testing.T) {
		c := newCampus(t, binary, map[string]platformsim.PlatformConfig{"openedx": {ResponseLimit: profileRoster - 1}})
		_, whole, err := c.readRoster(t, c.launch(t, "openedx", "student").GetMemberships())
		if reason, _ := reasonOf(t, err); whole || reason != "SERVICE_REFUSED" {
			t.Errorf("whole %t, %v, want SERVICE_REFUSED", whole, err)
		}
	})
	t.Run("schoology with differences", func(t *testing.T) {
		c := newCampus(t, binary, map[string]platformsim.PlatformConfig{"schoology": {Differences: true}})
		endpoint := c.launch(t, "schoology", "student").GetMemberships()
		read := func(uri string) (members []*ltisidecarv1.Member, differences string) {
			stream := must(c.rosters.ListMembers(t.Context(), &ltisidecarv1.ListMembersRequest{Endpoint: endpoint, DifferencesUri: uri}))(t)
			for {
				message := must(stream.Recv())(t)
				members = append(members, message.GetBatch().GetMembers()...)
				if end := message.GetEnd(); end != nil {
					return members, end.GetDifferencesUri()
				}
			}
		}
		all, differences := read("")
		if len(all) != profileRoster || differences == "" {
			t.Fatalf("%d members, differences %q", len(all), differences)
		}
		for user, status := range map[string]string{"student7": "Deleted", "student8": "Inactive"} {
			if err := c.sim.Platform("schoology").ChangeRoster(platformsim.RosterChange{User: user, Status: status}); err != nil {
				t.Fatal(err)
			}
		}
		changed, _ := read(differences)
		want := map[string]ltisidecarv1.MemberStatus{
			c.person(t, "schoology", "student7").ID: ltisidecarv1.MemberStatus_MEMBER_STATUS_DELETED,
			c.person(t, "schoology", "student8").ID: ltisidecarv1.MemberStatus_MEMBER_STATUS_INACTIVE,
		}
		for _, member := range changed {
			if want[member.GetUserId()] != member.GetStatus() {
				t.Errorf("changed: %v", member)
			}
		}
		if len(changed) != len(want) {
			t.Errorf("%d changed, want %d", len(changed), len(want))
		}
	})
	// This Sakai has two issuers: the server's at login, the site's in the launch.
	t.Run("sakai with a site's issuer", func(t *testing.T) {
		c := newCampus(t, binary, map[string]platformsim.PlatformConfig{"sakai": {SiteIssuer: true}})
		if got := c.launch(t, "sakai", "student"); got.GetIssuer() == c.sim.Platform("sakai").URL() {
			t.Errorf("the launch is of %s, want the site's issuer", got.GetIssuer())
		}
	})
}
