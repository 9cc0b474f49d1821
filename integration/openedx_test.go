// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// What platformsim/openedx/serve.py is asked for, and what it puts into its launches.
const (
	edxLoginURI  = "https://tool.example/lti/login"
	edxLaunchURI = "https://tool.example/lti/launch"
	edxCourse    = "course-v1:DemoX+LTI.101+2026_T3"
	edxBlock     = "block-v1:DemoX+LTI.101+2026_T3+type@lti_consumer+block@5f0c7a1e9b3d4c2a8e6f1d0b7a9c3e5f"
	edxUser      = "3a1c9f52-7d84-4f0e-9b6a-2c5d8e7f1a90"
)

const (
	scopeLineItem = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
	scopeResult   = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
	scopeScore    = "https://purl.imsglobal.org/spec/lti-ags/scope/score"

	rolePrefix = "http://purl.imsglobal.org/vocab/lis/v2/"
)

// openEdX is Open edX's own released LTI platform code in a process of its own. The exported fields are what it says
// when it is ready.
type openEdX struct {
	Version          string `json:"version"`
	Issuer           string `json:"issuer"`
	ClientID         string `json:"client_id"`
	DeploymentID     string `json:"deployment_id"`
	AuthorizationURI string `json:"authorization_uri"`
	TokenURI         string `json:"token_uri"`
	JWKSURI          string `json:"jwks_uri"`
	LoginURI         string `json:"login_uri"`

	http *http.Client
}

func startOpenEdX(t *testing.T, ca *authority, toolJWKSURI string) *openEdX {
	t.Helper()
	python := os.Getenv("OPENEDX_PYTHON")
	if python == "" {
		message := "OPENEDX_PYTHON is not set: it names the Python of a virtual environment with platformsim/openedx/requirements.txt"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip("NOT TESTED against Open edX: " + message)
	}
	command := exec.Command(python, "../platformsim/openedx/serve.py",
		"--cert", ca.certFile, "--key", ca.keyFile, "--ca", ca.caFile,
		"--login-uri", edxLoginURI, "--launch-uri", edxLaunchURI, "--tool-jwks-uri", toolJWKSURI)
	stdin := must(command.StdinPipe())(t)
	stdout := must(command.StdoutPipe())(t)
	startProcess(t, "Open edX", command, func(*exec.Cmd) error { return stdin.Close() })

	// A platform that never gets ready is killed, which ends the read.
	kill := time.AfterFunc(time.Minute, func() { command.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	kill.Stop()
	if err != nil {
		t.Fatalf("Open edX did not get ready: %v", err)
	}
	platform := &openEdX{http: ca.httpClient(t)}
	if err := json.Unmarshal(line, platform); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	t.Logf("Open edX's lti-consumer-xblock %s at %s", platform.Version, platform.Issuer)
	return platform
}

// get returns the answer to a GET request, which must have the status.
func (p *openEdX) get(t *testing.T, uri string, header http.Header, wantStatus int) (*http.Response, []byte) {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil))(t)
	for name, values := range header {
		request.Header[name] = values
	}
	response := must(p.http.Do(request))(t)
	defer response.Body.Close()
	body := must(io.ReadAll(io.LimitReader(response.Body, 1<<20)))(t)
	if response.StatusCode != wantStatus {
		t.Fatalf("GET %s: status %d, want %d\n%s", uri, response.StatusCode, wantStatus, body)
	}
	return response, body
}

// login plays the browser from the user's click in the course to the platform's page that posts the launch. It
// returns what the browser then sends to the tool.
func (p *openEdX) login(t *testing.T, launches ltisidecarv1.LaunchServiceClient, role string) *ltisidecarv1.BrowserRequest {
	t.Helper()
	click, _ := p.get(t, p.LoginURI+"?"+url.Values{"role": {role}}.Encode(), nil, http.StatusFound)
	return p.loginAt(t, launches, must(click.Location())(t))
}

// loginAt goes from a login initiation to the launch that the platform has the browser post.
func (p *openEdX) loginAt(t *testing.T, launches ltisidecarv1.LaunchServiceClient, initiation *url.URL) *ltisidecarv1.BrowserRequest {
	t.Helper()
	if got := initiation.Scheme + "://" + initiation.Host + initiation.Path; got != edxLoginURI {
		t.Fatalf("the platform begins the login at %s, want %s", got, edxLoginURI)
	}
	built, err := launches.BuildAuthRequest(t.Context(), &ltisidecarv1.BuildAuthRequestRequest{
		Browser: &ltisidecarv1.BrowserRequest{
			Method: http.MethodGet, Parameters: parameters(t, initiation.RawQuery),
			SecFetchSite: "cross-site", SecFetchDest: "iframe",
		},
	})
	if err != nil {
		t.Fatalf("BuildAuthRequest: %v", err)
	}
	redirect := http.Response{Header: http.Header{}}
	for _, header := range built.GetReply().GetHeaders() {
		redirect.Header.Add(header.GetName(), header.GetValue())
	}
	if got := redirect.Header.Get("Location"); built.GetReply().GetStatus() != http.StatusFound || got != built.GetAuthorizationUri() {
		t.Fatalf("reply has status %d and Location %q, want 302 and %q", built.GetReply().GetStatus(), got, built.GetAuthorizationUri())
	}
	jar := must(cookiejar.New(nil))(t)
	jar.SetCookies(must(url.Parse(edxLoginURI))(t), redirect.Cookies())

	_, page := p.get(t, redirect.Header.Get("Location"), nil, http.StatusOK)
	action, fields := form(t, page)
	if action != edxLaunchURI {
		t.Fatalf("the platform posts the launch to %s, want %s", action, edxLaunchURI)
	}
	var cookies []string
	for _, cookie := range jar.Cookies(must(url.Parse(edxLaunchURI))(t)) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	return &ltisidecarv1.BrowserRequest{
		Method: http.MethodPost, Parameters: fields, CookieHeader: strings.Join(cookies, "; "),
		Origin: p.Issuer, SecFetchSite: "cross-site", SecFetchDest: "iframe",
	}
}

// parameters splits a query string in its order.
func parameters(t *testing.T, query string) []*ltisidecarv1.Parameter {
	t.Helper()
	var list []*ltisidecarv1.Parameter
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		list = append(list, &ltisidecarv1.Parameter{
			Name: must(url.QueryUnescape(name))(t), Value: must(url.QueryUnescape(value))(t),
		})
	}
	return list
}

// form returns the action and the named fields of the one form of a page.
func form(t *testing.T, page []byte) (action string, fields []*ltisidecarv1.Parameter) {
	t.Helper()
	for node := range must(html.Parse(strings.NewReader(string(page))))(t).Descendants() {
		attributes := make(map[string]string)
		for _, attribute := range node.Attr {
			attributes[attribute.Key] = attribute.Val
		}
		switch {
		case node.Type != html.ElementNode:
		case node.Data == "form":
			action = attributes["action"]
		case node.Data == "input" && attributes["name"] != "":
			fields = append(fields, &ltisidecarv1.Parameter{Name: attributes["name"], Value: attributes["value"]})
		}
	}
	if action == "" || len(fields) == 0 {
		t.Fatalf("no form in the platform's page:\n%s", page)
	}
	return action, fields
}

func TestOpenEdX(t *testing.T) {
	ca := newAuthority(t)
	tool := newSidecar(t)
	keys := ltisidecarv1.NewKeyServiceClient(tool)

	// The route that a tool offers for its public keys. Open edX fetches it for every client assertion.
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
	jwks.TLS = &tls.Config{Certificates: []tls.Certificate{ca.server}}
	jwks.StartTLS()
	t.Cleanup(jwks.Close)

	platform := startOpenEdX(t, ca, jwks.URL+"/jwks")
	tool.start(t, buildSidecar(t), ca, map[string]string{
		"name":              "openedx",
		"issuer":            platform.Issuer,
		"client_id":         platform.ClientID,
		"deployments":       `["` + platform.DeploymentID + `"]`,
		"authorization_uri": platform.AuthorizationURI,
		"token_uri":         platform.TokenURI,
		"jwks_uri":          platform.JWKSURI,
		"launch_uris":       `["` + edxLaunchURI + `"]`,
		"login_uri":         edxLoginURI,
	})
	launches := ltisidecarv1.NewLaunchServiceClient(tool)
	tokens := ltisidecarv1.NewTokenServiceClient(tool)

	t.Run("a learner's launch, typed", func(t *testing.T) { testEdXLearner(t, platform, launches) })
	t.Run("every kind of role", func(t *testing.T) { testEdXRoles(t, platform, launches) })
	t.Run("a changed id_token, then the true one, then a replay", func(t *testing.T) { testEdXReplay(t, platform, launches) })
	t.Run("a login of another browser", func(t *testing.T) { testEdXOtherBrowser(t, platform, launches) })
	t.Run("a service token", func(t *testing.T) { testEdXServiceToken(t, platform, launches, tokens) })
	t.Run("a scope that is silently dropped", func(t *testing.T) { testEdXDroppedScope(t, platform, tokens) })
	t.Run("two scores in a row", func(t *testing.T) {
		testEdXScores(t, platform, launches, tokens, ltisidecarv1.NewGradeServiceClient(tool))
	})
}

func validate(t *testing.T, launches ltisidecarv1.LaunchServiceClient, browser *ltisidecarv1.BrowserRequest) *ltisidecarv1.Launch {
	t.Helper()
	response, err := launches.ValidateLaunch(t.Context(), &ltisidecarv1.ValidateLaunchRequest{Browser: browser})
	if err != nil {
		t.Fatalf("ValidateLaunch: %v", err)
	}
	if response.GetLaunch() == nil {
		t.Fatalf("ValidateLaunch answered a browser step, want a launch: %v", response)
	}
	return response.GetLaunch()
}

func testEdXLearner(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient) {
	got := validate(t, launches, platform.login(t, launches, "student"))
	slices.Sort(got.GetRoles()) // Open edX lists them in an order that changes from launch to launch
	want := &ltisidecarv1.Launch{
		Registration:    "openedx",
		Issuer:          platform.Issuer,
		ClientId:        platform.ClientID,
		DeploymentId:    "1",
		TargetLinkUri:   edxLaunchURI,
		MessageType:     ltisidecarv1.MessageType_MESSAGE_TYPE_RESOURCE_LINK,
		MessageTypeName: "LtiResourceLinkRequest",
		User:            &ltisidecarv1.User{Id: edxUser, Name: "Ada Lovelace", Email: "ada@example.com"},
		Roles:           []string{rolePrefix + "institution/person#None", rolePrefix + "membership#Learner", rolePrefix + "system/person#None"},
		RoleSummary:     &ltisidecarv1.RoleSummary{Learner: true},
		Context: &ltisidecarv1.Context{
			Id: edxCourse, Label: edxCourse, Title: "Learning Tools - DemoX",
			Types: []string{"http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"},
		},
		ResourceLink:       &ltisidecarv1.ResourceLink{Id: edxBlock},
		Custom:             map[string]string{"chapter": "3", "note": "a+b @ c"},
		LaunchPresentation: &ltisidecarv1.LaunchPresentation{DocumentTarget: "iframe"},
		// Open edX makes the guid of its name: the version 5 UUID of "Example Open edX" in the DNS namespace.
		ToolPlatform: &ltisidecarv1.ToolPlatform{Guid: "203aed66-0439-5121-905c-af3a948cc71d", Name: "Example Open edX"},
		Grades: &ltisidecarv1.GradeEndpoint{
			Registration: "openedx", DeploymentId: "1",
			LineItemUri:  platform.Issuer + "/api/lti_consumer/v1/lti/1/lti-ags/1",
			LineItemsUri: platform.Issuer + "/api/lti_consumer/v1/lti/1/lti-ags",
			Scopes:       []string{scopeLineItem, scopeResult, scopeScore},
			CanPostScore: true,
		},
		BrowserBinding: ltisidecarv1.BrowserBinding_BROWSER_BINDING_COOKIE,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform(),
		protocmp.IgnoreFields(&ltisidecarv1.Launch{}, "launch_id", "launch_token", "launch_time", "claims_json"),
		protocmp.IgnoreFields(&ltisidecarv1.User{}, "key"),
		protocmp.IgnoreFields(&ltisidecarv1.Context{}, "key"),
		protocmp.IgnoreFields(&ltisidecarv1.ResourceLink{}, "key"),
	); diff != "" {
		t.Errorf("launch (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"launch_id": got.GetLaunchId(), "launch_token": got.GetLaunchToken(), "user.key": got.GetUser().GetKey(),
		"context.key": got.GetContext().GetKey(), "resource_link.key": got.GetResourceLink().GetKey(),
	} {
		if value == "" {
			t.Errorf("%s is empty", name)
		}
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(got.GetClaimsJson()), &claims); err != nil || claims["preferred_username"] != "ada" {
		t.Errorf("claims_json %s has no preferred_username ada (%v)", got.GetClaimsJson(), err)
	}
	if age := time.Since(got.GetLaunchTime().AsTime()); age < -time.Second || age > time.Minute {
		t.Errorf("launch_time is %v ago, want about now", age)
	}

	again := validate(t, launches, platform.login(t, launches, "student"))
	if again.GetLaunchId() == got.GetLaunchId() {
		t.Error("two launches have the same launch_id")
	}
	if again.GetUser().GetKey() != got.GetUser().GetKey() || again.GetResourceLink().GetKey() != got.GetResourceLink().GetKey() {
		t.Error("the keys of user and resource link are not the same in a second launch")
	}
}

func testEdXRoles(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient) {
	for role, want := range map[string]*ltisidecarv1.RoleSummary{
		"student":      {Learner: true},
		"staff":        {Instructor: true},
		"instructor":   {Instructor: true, Administrator: true},
		"global_staff": {Instructor: true, Administrator: true, AdministratorElsewhere: true},
		"Community TA": {Learner: true, Instructor: true, TeachingAssistant: true},
	} {
		got := validate(t, launches, platform.login(t, launches, role)).GetRoleSummary()
		if !proto.Equal(got, want) {
			t.Errorf("%s: summary {%v}, want {%v}", role, got, want)
		}
	}
}

func testEdXReplay(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient) {
	browser := platform.login(t, launches, "student")
	request := &ltisidecarv1.ValidateLaunchRequest{Browser: browser}

	// A learner who would rather be an instructor.
	changed := proto.CloneOf(request)
	for _, parameter := range changed.GetBrowser().GetParameters() {
		if parameter.GetName() == "id_token" {
			parameter.Value = promote(t, parameter.GetValue())
		}
	}
	_, err := launches.ValidateLaunch(t.Context(), changed)
	if reason, _ := reasonOf(t, err); reason != "SIGNATURE_INVALID" {
		t.Errorf("a changed id_token: %v, want SIGNATURE_INVALID", err)
	}

	// The refusal must not have consumed anything.
	accepted := validate(t, launches, browser)

	_, err = launches.ValidateLaunch(t.Context(), request)
	reason, metadata := reasonOf(t, err)
	if reason != "NONCE_REPLAYED" {
		t.Fatalf("the same launch again: %v, want NONCE_REPLAYED", err)
	}
	if metadata["launch_id"] != accepted.GetLaunchId() {
		t.Errorf("the replay names launch %q, want %q", metadata["launch_id"], accepted.GetLaunchId())
	}
}

// promote makes a learner's id_token an instructor's and leaves its signature.
func promote(t *testing.T, idToken string) string {
	t.Helper()
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		t.Fatalf("id_token has %d parts, want 3", len(parts))
	}
	claims := string(must(base64.RawURLEncoding.DecodeString(parts[1]))(t))
	changed := strings.Replace(claims, "membership#Learner", "membership#Instructor", 1)
	if changed == claims {
		t.Fatalf("no learner in %s", claims)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
	return strings.Join(parts, ".")
}

var newWindow = regexp.MustCompile(`<a class="button" href="([^"]+)" target="_blank">`)

// replyOf returns the page that an error carries for the browser.
func replyOf(t *testing.T, err error) *ltisidecarv1.BrowserReply {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if reply, ok := detail.(*ltisidecarv1.BrowserReply); ok {
			return reply
		}
	}
	t.Fatalf("%v carries no page", err)
	return nil
}

func testEdXOtherBrowser(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient) {
	browser := platform.login(t, launches, "student")
	browser.CookieHeader = ""
	_, err := launches.ValidateLaunch(t.Context(), &ltisidecarv1.ValidateLaunchRequest{Browser: browser})
	if reason, _ := reasonOf(t, err); reason != "BINDING_MISSING" {
		t.Errorf("a launch without cookies: %v, want BINDING_MISSING", err)
	}
	// The page's link begins the login anew in a window, where the cookies come back. Open edX takes its hint again.
	link := newWindow.FindStringSubmatch(replyOf(t, err).GetBody())
	if link == nil {
		t.Fatal("the page offers no new window")
	}
	validate(t, launches, platform.loginAt(t, launches, must(url.Parse(html.UnescapeString(link[1])))(t)))

	browser.CookieHeader = platform.login(t, launches, "student").GetCookieHeader()
	_, err = launches.ValidateLaunch(t.Context(), &ltisidecarv1.ValidateLaunchRequest{Browser: browser})
	if reason, _ := reasonOf(t, err); reason != "BINDING_MISSING" && reason != "BINDING_MISMATCH" {
		t.Errorf("a launch with the cookies of another login: %v, want a BINDING reason", err)
	}
}

func serviceToken(t *testing.T, tokens ltisidecarv1.TokenServiceClient, scopes ...string) *ltisidecarv1.GetServiceTokenResponse {
	t.Helper()
	token, err := tokens.GetServiceToken(t.Context(), &ltisidecarv1.GetServiceTokenRequest{
		Registration: "openedx", DeploymentId: "1", Scopes: scopes,
	})
	if err != nil {
		t.Fatalf("GetServiceToken: %v", err)
	}
	return token
}

func testEdXServiceToken(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient, tokens ltisidecarv1.TokenServiceClient) {
	endpoint := validate(t, launches, platform.login(t, launches, "student")).GetGrades()
	token := serviceToken(t, tokens, scopeScore, scopeLineItem)

	granted := slices.Sorted(slices.Values(token.GetScopes()))
	if want := []string{scopeLineItem, scopeScore}; !slices.Equal(granted, want) {
		t.Errorf("scopes %q, want %q", granted, want)
	}
	if !slices.Contains(token.GetAllowedOrigins(), platform.Issuer) {
		t.Errorf("allowed origins %q lack %s", token.GetAllowedOrigins(), platform.Issuer)
	}
	if left := time.Until(token.GetExpireTime().AsTime()); left < 30*time.Second || left > time.Hour {
		t.Errorf("the token expires in %v, want 30 s to 1 h", left)
	}

	// Open edX itself is asked whether the token is good, and for what.
	header := http.Header{"Accept": {"application/vnd.ims.lis.v2.lineitemcontainer+json"}}
	platform.get(t, endpoint.GetLineItemsUri(), withBearer(header, "x"+token.GetAccessToken()), http.StatusForbidden)
	platform.get(t, endpoint.GetLineItemUri()+"/results", withBearer(header, token.GetAccessToken()), http.StatusForbidden)
	_, body := platform.get(t, endpoint.GetLineItemsUri(), withBearer(header, token.GetAccessToken()), http.StatusOK)
	var items []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &items); err != nil || len(items) != 1 || items[0].ID != endpoint.GetLineItemUri() {
		t.Errorf("line items %s, want the one with id %s (%v)", body, endpoint.GetLineItemUri(), err)
	}
}

func withBearer(header http.Header, token string) http.Header {
	header = header.Clone()
	header.Set("Authorization", "Bearer "+token)
	return header
}

// Open edX answers 200 with fewer scopes than asked, even none.
func testEdXDroppedScope(t *testing.T, _ *openEdX, tokens ltisidecarv1.TokenServiceClient) {
	for _, scopes := range [][]string{
		{"https://purl.imsglobal.org/spec/lti/scope/noticehandlers"},
		{scopeScore, "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"},
	} {
		_, err := tokens.GetServiceToken(t.Context(), &ltisidecarv1.GetServiceTokenRequest{
			Registration: "openedx", DeploymentId: "1", Scopes: scopes,
		})
		if reason, _ := reasonOf(t, err); reason != "SCOPE_NOT_GRANTED" {
			t.Errorf("asking for %q: %v, want SCOPE_NOT_GRANTED", scopes, err)
		}
	}
}

// Open edX refuses a score that is not newer than the last one of the same user.
func testEdXScores(t *testing.T, platform *openEdX, launches ltisidecarv1.LaunchServiceClient, tokens ltisidecarv1.TokenServiceClient, grades ltisidecarv1.GradeServiceClient) {
	endpoint := validate(t, launches, platform.login(t, launches, "student")).GetGrades()
	for _, given := range []float64{3, 8.5} {
		posted, err := grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
			Endpoint: endpoint,
			Score:    &ltisidecarv1.Score{UserId: edxUser, ScoreGiven: proto.Float64(given), ScoreMaximum: proto.Float64(10), Comment: "Seen."},
		})
		if err != nil {
			t.Fatalf("PostScore of %v: %v", given, err)
		}
		if got := posted.GetDelivery().GetState(); got != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Fatalf("PostScore of %v: state %v, want delivered", given, got)
		}
	}

	token := serviceToken(t, tokens, scopeResult).GetAccessToken()
	_, body := platform.get(t, endpoint.GetLineItemUri()+"/results/"+edxUser, withBearer(http.Header{}, token), http.StatusOK)
	type result struct {
		UserID  string  `json:"userId"`
		Score   float64 `json:"resultScore"`
		Maximum float64 `json:"resultMaximum"`
		Comment string  `json:"comment"`
	}
	var got []result
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if want := []result{{edxUser, 8.5, 10, "Seen."}}; !slices.Equal(got, want) {
		t.Errorf("Open edX has the results %v, want %v", got, want)
	}
}
