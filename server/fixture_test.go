// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/events"
	"github.com/ltisidecar/ltisidecar/groups"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/nrps"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
	"github.com/ltisidecar/ltisidecar/servicetoken"
)

// One simulator and one set of tool keys serve all tests: RSA keys are dear. The simulator's faults are those of a whole
// platform, so the tests that use it run one after the other.
var (
	sim      *platformsim.Sim
	toolKeys *keystore.ToolKeys
)

const (
	launchURI  = "https://tool.example/lti/launch"
	stagingURI = "https://staging.tool.example/lti/launch"
	loginURI   = "https://tool.example/lti/login"
)

var platforms = []string{"canvas", "moodle"}

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	directory, err := os.MkdirTemp("", "lti")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if toolKeys, err = keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: directory + "/keys", Create: true}); err != nil {
		return 0, err
	}
	if sim, err = platformsim.New(platformsim.Config{Platforms: everyPlatform()}); err != nil {
		return 0, err
	}
	sim.Start()
	defer func() { err = errors.Join(err, sim.Close()) }()
	document, _ := toolKeys.KeySet()
	for _, name := range platformsim.ProfileNames() {
		if err := sim.Platform(name).SetTool(toolConfig("quiz", string(document))); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// everyPlatform is a configuration with all profiles; the one that can offer a Caliper endpoint does.
func everyPlatform() map[string]platformsim.PlatformConfig {
	all := map[string]platformsim.PlatformConfig{}
	for _, name := range platformsim.ProfileNames() {
		all[name] = platformsim.PlatformConfig{Caliper: name == "brightspace"}
	}
	return all
}

func toolConfig(name, jwks string) platformsim.ToolConfig {
	return platformsim.ToolConfig{Name: name, LoginURI: loginURI, LaunchURIs: []string{launchURI, stagingURI}, JWKS: jwks, Custom: map[string]string{"level": "3"}}
}

// registrationAt returns how a tool is registered with a platform, under the name of the platform.
func registrationAt(name, tool string) platform.Registration {
	r := sim.Platform(name).Registration(tool)
	return platform.Registration{
		Name: name, Issuer: r.Issuer, ClientID: r.ClientID, Deployments: []string{r.DeploymentID},
		AuthorizationURI: r.AuthorizationURI, TokenURI: r.TokenURI, TokenAudience: r.TokenAudience, JWKSURI: r.JWKSURI,
		LaunchURIs: []string{launchURI, stagingURI}, LoginURI: loginURI,
	}
}

// logBuffer collects log lines.
type logBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// sidecar is all of the sidecar but its process, and a client of it. Its whole log is searched for secrets and personal
// data when the test ends.
type sidecar struct {
	t          *testing.T
	log        *logBuffer
	server     *server.Server
	connection *grpc.ClientConn
	launches   pb.LaunchServiceClient
	tokens     pb.TokenServiceClient
	grades     pb.GradeServiceClient
	rosters    pb.RosterServiceClient
	events     pb.EventServiceClient
	keys       pb.KeyServiceClient
	secrets    map[string]string // what it is, by its text
}

// settings are what a test may change of a sidecar before it starts.
type settings struct {
	registrations []platform.Registration
	wrap          func(*server.Config)
	blind         bool // platforms are not asked for results
	held          bool // the outbox waits for the operator
}

func start(t *testing.T, changes ...func(*settings)) *sidecar {
	t.Helper()
	s := &settings{}
	for _, name := range platforms {
		s.registrations = append(s.registrations, registrationAt(name, "quiz"))
	}
	for _, change := range changes {
		change(s)
	}
	c := &sidecar{t: t, log: &logBuffer{}, secrets: map[string]string{}}
	logger := slog.New(slog.NewJSONHandler(c.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	directory, err := os.MkdirTemp("", "lti") // short: the path of a Unix socket has at most 107 bytes
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(directory)) })

	registry := must(platform.NewRegistry(s.registrations))(t)
	store := must(boltstore.Open(boltstore.Config{Path: filepath.Join(directory, "records.db")}))(t)
	nonces := must(badgerstore.Open(badgerstore.Config{Directory: filepath.Join(directory, "nonces"), Instance: [4]byte{1, 2, 3, 4}, SealDirectories: []string{}, Logger: logger}))(t)
	client := must(outbound.New(outbound.Config{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: must(outbound.RootsWith(sim.CAPEM()))(t)}))(t)
	platformKeys := must(keystore.NewPlatformKeys(keystore.PlatformKeysConfig{Fetcher: client, Logger: logger}))(t)
	learned := must(platform.NewLearned(platform.LearnedConfig{Store: store}))(t)
	tokens := must(servicetoken.New(servicetoken.Config{HTTP: client, Signer: toolKeys}))(t)
	reader := must(pages.NewReader(pages.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect}))(t)
	lineItems := must(ags.NewLineItemClient(ags.LineItemConfig{HTTP: client, Tokens: must(servicetoken.NewShared(tokens))(t), Pages: reader, Allowed: learned.CheckOrigin}))(t)
	lanes := must(store.Lanes(boltstore.LanesConfig{}))(t)
	bookConfig := scores.Config{
		Lanes: lanes, Registration: registry.ByName, Held: s.held, Logger: logger,
		Grades: must(ags.New(ags.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect}))(t),
	}
	if !s.blind {
		bookConfig.ReadResult = scores.ReadResults(lineItems)
	}
	book := must(scores.New(bookConfig))(t)
	queue := must(events.NewQueue(events.QueueConfig{
		Lanes: lanes, Held: s.held, Logger: logger,
		Client:       must(events.New(events.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect}))(t),
		Registration: func(_ context.Context, name, _ string) (*platform.Registration, error) { return registry.ByName(name) },
	}))(t)
	running, stop := context.WithCancel(context.Background())
	var ran sync.WaitGroup
	ran.Go(func() { book.Run(running) })
	ran.Go(func() { queue.Run(running) })
	t.Cleanup(func() {
		stop()
		ran.Wait()
		book.Close()
		queue.Close()
		tokens.Close()
		platformKeys.Close()
		client.Close()
		check(t, errors.Join(nonces.Close(), store.Close()))
	})
	config := server.Config{
		Registry:  registry,
		Launches:  must(launch.New(launch.Config{Registry: registry, Keys: platformKeys, Nonces: nonces, Deployments: learned, Sealer: toolKeys, Signer: toolKeys}))(t),
		Learned:   learned,
		Tokens:    tokens,
		Scores:    book,
		LineItems: lineItems,
		Rosters:   must(nrps.New(nrps.Config{Pages: reader}))(t),
		Groups:    must(groups.New(groups.Config{Pages: reader}))(t),
		Events:    queue,
		ToolKeys:  toolKeys,
		Logger:    logger,
	}
	if s.wrap != nil {
		s.wrap(&config)
	}
	c.server = must(server.New(config))(t)
	grpcServer := grpc.NewServer(c.server.Options()...)
	c.server.Register(grpcServer)
	healthpb.RegisterHealthServer(grpcServer, health.NewServer())
	socket := filepath.Join(directory, "s")
	listener := must(net.Listen("unix", socket))(t)
	served := make(chan error, 1)
	go func() { served <- grpcServer.Serve(listener) }()
	c.connection = must(grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials())))(t)
	t.Cleanup(func() {
		check(t, c.connection.Close())
		grpcServer.GracefulStop()
		check(t, <-served)
		c.searchLog()
	})
	c.launches, c.tokens = pb.NewLaunchServiceClient(c.connection), pb.NewTokenServiceClient(c.connection)
	c.grades, c.rosters, c.events = pb.NewGradeServiceClient(c.connection), pb.NewRosterServiceClient(c.connection), pb.NewEventServiceClient(c.connection)
	c.keys = pb.NewKeyServiceClient(c.connection)
	return c
}

// searchLog fails the test where the log holds a secret that the test came across, or a person.
func (c *sidecar) searchLog() {
	c.t.Helper()
	log := c.log.String()
	for secret, what := range c.secrets {
		if strings.Contains(log, secret) {
			c.t.Errorf("the log holds the %s", what)
		}
	}
	for _, name := range platforms {
		for _, person := range sim.Platform(name).People() {
			for what, text := range map[string]string{"name": person.Name(), "e-mail address": person.Email} {
				if text != "" && strings.Contains(log, text) {
					c.t.Errorf("the log holds the %s of %s", what, person.Key)
				}
			}
		}
	}
	if strings.Contains(log, "eyJ") {
		c.t.Error("the log holds what looks like a token")
	}
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			c.t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if c.t.Failed() && testing.Verbose() {
		c.t.Logf("log:\n%s", log)
	}
}

// secret remembers a text that the log must not hold.
func (c *sidecar) secret(what, text string) {
	if text != "" {
		c.secrets[text] = what
	}
}

func newBrowser(t *testing.T) *platformsim.Browser {
	t.Helper()
	browser := must(sim.NewBrowser())(t)
	t.Cleanup(browser.Close)
	return browser
}

// attempt is a launch on its way, as the tool sees it.
type attempt struct {
	*sidecar
	click   platformsim.Click
	browser *platformsim.Browser
	login   *pb.BuildAuthRequestResponse
	cookies string
	launch  *pb.ValidateLaunchRequest
}

func relay(form *platformsim.Form) *pb.BrowserRequest {
	request := &pb.BrowserRequest{Method: form.Method, SecFetchSite: "cross-site", SecFetchDest: "iframe"}
	for _, field := range form.Fields {
		request.Parameters = append(request.Parameters, &pb.Parameter{Name: field.Name, Value: field.Value})
	}
	return request
}

func header(headers []*pb.Header, name string) (values []string) {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// begin goes as far as the platform's answer: the launch is ready to be validated, with the login cookies.
func (c *sidecar) begin(click platformsim.Click) *attempt {
	c.t.Helper()
	a := c.beginLogin(click)
	a.authorize()
	return a
}

// beginLogin clicks and has the authentication request built.
func (c *sidecar) beginLogin(click platformsim.Click) *attempt {
	c.t.Helper()
	if click.Tool == "" {
		click.Tool = "quiz"
	}
	a := &attempt{sidecar: c, click: click, browser: newBrowser(c.t)}
	form := must(a.browser.LoginInitiation(c.t.Context(), click))(c.t)
	a.login = must(c.launches.BuildAuthRequest(c.t.Context(), &pb.BuildAuthRequestRequest{Browser: relay(form)}))(c.t)
	var pairs []string
	for _, cookie := range header(a.login.Reply.Headers, "Set-Cookie") {
		pair, _, _ := strings.Cut(cookie, ";")
		pairs = append(pairs, pair)
		_, secret, _ := strings.Cut(pair, "=")
		c.secret("binding secret", secret)
	}
	a.cookies = strings.Join(pairs, "; ")
	return a
}

func (a *attempt) authorize() {
	a.t.Helper()
	answer := must(a.browser.Authorize(a.t.Context(), a.login.AuthorizationUri))(a.t)
	request := relay(answer)
	request.CookieHeader = a.cookies
	a.secret("id_token", answer.Get("id_token"))
	a.secret("state", answer.Get("state"))
	a.launch = &pb.ValidateLaunchRequest{Browser: request}
}

func (a *attempt) validate() (*pb.ValidateLaunchResponse, error) {
	answer, err := a.launches.ValidateLaunch(a.t.Context(), a.launch)
	if l := answer.GetLaunch(); l != nil {
		a.secret("launch token", l.LaunchToken)
	}
	return answer, err
}

// launchAt launches the quiz and returns the launch.
func (c *sidecar) launchAt(name, user string) *pb.Launch {
	c.t.Helper()
	return c.launchTool(platformsim.Click{Platform: name, User: user})
}

func (c *sidecar) launchTool(click platformsim.Click) *pb.Launch {
	c.t.Helper()
	answer := must(c.begin(click).validate())(c.t)
	if answer.GetLaunch() == nil {
		c.t.Fatalf("no launch, but %v", answer)
	}
	return answer.GetLaunch()
}

// refusal is an error status taken apart.
type refusal struct {
	code    codes.Code
	message string
	info    *errdetails.ErrorInfo
	retry   *errdetails.RetryInfo
	page    *pb.BrowserReply
	help    *errdetails.Help
}

// refused takes an error apart and holds it to the error model: exactly one ErrorInfo of our domain, a reason of the
// table with its code, a request id, metadata that the reason's row allows, one link to the reason's explanation, and at
// most one RetryInfo and one page.
func refused(t *testing.T, err error, want lti.Reason) *refusal {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	s := status.Convert(err)
	r := &refusal{code: s.Code(), message: s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if r.info != nil {
				t.Error("two ErrorInfo")
			}
			r.info = d
		case *errdetails.RetryInfo:
			if r.retry != nil || d.RetryDelay.AsDuration() <= 0 {
				t.Errorf("two RetryInfo, or one without delay: %v", d)
			}
			r.retry = d
		case *pb.BrowserReply:
			if r.page != nil {
				t.Error("two pages")
			}
			r.page = d
		case *errdetails.Help:
			if r.help != nil {
				t.Error("two Help")
			}
			r.help = d
		default:
			t.Errorf("a detail of type %T", d)
		}
	}
	if r.info == nil {
		t.Fatalf("no ErrorInfo in %v, want %s", err, want)
	}
	row := want.Info()
	if r.info.Reason != string(want) || r.info.Domain != "ltisidecar" || r.code != codes.Code(row.Code) {
		t.Errorf("got %s %s %q (%s), want %s", r.code, r.info.Reason, r.message, r.info.Domain, want)
	}
	if len(r.info.Metadata["request_id"]) != 16 {
		t.Errorf("%s: request id %q", want, r.info.Metadata["request_id"])
	}
	for key := range r.info.Metadata {
		if key != "request_id" && key != "launch_id" && key != "delivery_id" && key != "registration" && key != "field" && !slices.Contains(row.Metadata, key) {
			t.Errorf("%s: metadata %q is not in its row", want, key)
		}
	}
	const page = "https://github.com/ltisidecar/ltisidecar/blob/main/docs/errors.md#"
	if len(r.help.GetLinks()) != 1 || r.help.Links[0].Url != page+strings.ToLower(string(want)) || r.help.Links[0].Description == "" {
		t.Errorf("%s: help %v", want, r.help)
	}
	if r.page != nil {
		r.checkPage(t)
	}
	return r
}

// checkPage: a person reads one sentence that names no check, and a number for the support.
func (r *refusal) checkPage(t *testing.T) {
	t.Helper()
	id := r.info.Metadata["launch_id"]
	if id == "" {
		id = r.info.Metadata["request_id"]
	}
	if !strings.Contains(r.page.Body, id) {
		t.Errorf("the page does not hold the id %s:\n%s", id, r.page.Body)
	}
	_, text, _ := strings.Cut(r.page.Body, "<body>")
	text = regexp.MustCompile(`href="[^"]*"`).ReplaceAllString(text, "")
	for _, word := range []string{r.info.Reason, "nonce", "signature", "issuer", "audience", "client_id", "claim", "kid", "id_token", "state", "cookie", "deployment", "expired", "JWKS", "algorithm", "store"} {
		if word == "cookie" && r.info.Reason == string(lti.ReasonBindingMissing) {
			continue // the one word that a user can act on
		}
		if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			t.Errorf("the page of %s says %q:\n%s", r.info.Reason, word, text)
		}
	}
	if r.page.Status < 400 || r.page.Status > 599 || r.code == codes.PermissionDenied && r.page.Status != 403 {
		t.Errorf("the page of %s has status %d", r.info.Reason, r.page.Status)
	}
	if got := header(r.page.Headers, "Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control %q", got)
	}
	for _, name := range []string{"X-Frame-Options", "Cross-Origin-Opener-Policy", "Set-Cookie", "Location"} {
		if got := header(r.page.Headers, name); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// field is the field that an INVALID_ARGUMENT names.
func (r *refusal) field() string { return r.info.Metadata["field"] }

// fault switches a fault on until the test ends.
func fault(t *testing.T, name string, setting platformsim.FaultSetting) {
	t.Helper()
	p := sim.Platform(name)
	check(t, p.SetFault(setting))
	t.Cleanup(p.ClearFaults)
}

// tripwire is a server at an origin of its own, with a certificate that the sidecar trusts. No request may reach it.
func tripwire(t *testing.T) (origin string) {
	t.Helper()
	return serveTLS(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request reached %s", r.URL.Path) })
}

func eachPlatform(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	for _, name := range platforms {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// must takes a function's results and returns a function that yields the value or fails the test.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
