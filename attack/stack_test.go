// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
	"github.com/ltisidecar/ltisidecar/servicetoken"
)

const (
	launchURI = "https://tool.example/lti/launch"
	target    = "https://tool.example/quiz/7"
	goodKID   = "k1"

	lti11Secret = "lti 1.1 secret"
)

// The keys of the platforms. Each signs with crypto/rsa or crypto/ecdsa, not with the code under attack.
var (
	platformKey = must(rsa.GenerateKey(rand.Reader, 2048)) // of every platform but b
	secondKey   = must(rsa.GenerateKey(rand.Reader, 2048)) // of platform b, under the same kid
	attackerKey = must(rsa.GenerateKey(rand.Reader, 2048)) // of nobody
	curveKey    = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// clock is the one clock of a stack. Its wall and monotonic times move together.
type clock struct{ passed atomic.Int64 }

var begin = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

func (c *clock) now() time.Time         { return begin.Add(c.elapsed()) }
func (c *clock) elapsed() time.Duration { return time.Duration(c.passed.Load()) }
func (c *clock) add(d time.Duration)    { c.passed.Add(int64(d)) }

// party is a platform as the sidecar has registered it, and its key set as it serves it.
type party struct {
	registration platform.Registration
	key          *rsa.PrivateKey
	mutex        sync.Mutex
	serve        http.HandlerFunc // guarded by mutex
}

func (p *party) set(serve http.HandlerFunc) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.serve = serve
}

func (p *party) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	serve := p.serve
	p.mutex.Unlock()
	serve(w, r)
}

// document serves a text as a key set, for as short a time as the sidecar keeps one.
func document(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, text) // the fetcher stops reading a document that is too long
	}
}

var segmentEncoding = base64.RawURLEncoding

func base64url(data []byte) string { return segmentEncoding.EncodeToString(data) }

// rsaKey is the JWK of a public key. more is put behind its members.
func rsaKey(kid string, key *rsa.PublicKey, more string) string {
	return numbersKey(kid, base64url(key.N.Bytes()), base64url(big.NewInt(int64(key.E)).Bytes()), more)
}

func numbersKey(kid, n, e, more string) string {
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q%s}`, kid, n, e, more)
}

func ecKey(kid string, key *ecdsa.PublicKey, more string) string {
	point := must(key.Bytes())
	return fmt.Sprintf(`{"kty":"EC","kid":%q,"crv":"P-256","x":%q,"y":%q%s}`, kid, base64url(point[1:33]), base64url(point[33:]), more)
}

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// errorLog counts what is logged as an error: a panic, or a defect of ours.
type errorLog struct {
	slog.Handler
	errors *atomic.Int64
}

func (l errorLog) Enabled(context.Context, slog.Level) bool { return true }

func (l errorLog) Handle(_ context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError {
		l.errors.Add(1)
	}
	return nil
}

// tripwire listens where only attacks point to, and counts who comes.
type tripwire struct {
	address string
	visits  atomic.Int64
}

func newTripwire(t *testing.T, address string) *tripwire {
	t.Helper()
	listener := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", address))
	wire := &tripwire{address: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // closed at the end of the test
			}
			wire.visits.Add(1)
			connection.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return wire
}

// stack is a whole sidecar, wired as its binary wires it, with platforms around it.
type stack struct {
	t         *testing.T
	clock     *clock
	validator *launch.Validator
	metrics   *server.Metrics
	errors    *atomic.Int64
	tripwire  *tripwire
	parties   map[string]*party
	services  *services
	nonces    *faultyStore
	toolKeys  *keystore.ToolKeys
	socket    string
	launches  pb.LaunchServiceClient
	grades    pb.GradeServiceClient
	rosters   pb.RosterServiceClient
	tokens    pb.TokenServiceClient
	events    pb.EventServiceClient
}

// newStack starts a sidecar with the platforms that all families share, and one platform of its own for each name. It
// remembers nonces in memory.
func newStack(t *testing.T, instance byte, more ...string) *stack {
	t.Helper()
	return newStackOf(t, instance, func(s *stack, add addParty) {
		for _, name := range more {
			add(name, platformKey, nil)
		}
	})
}

// addParty adds a platform with a key; change may be nil.
type addParty func(name string, key *rsa.PrivateKey, change func(*platform.Registration))

// newStackOf starts a sidecar with the platforms that all families share, and those that more adds. It remembers nonces
// in memory.
func newStackOf(t *testing.T, instance byte, more func(s *stack, add addParty)) *stack {
	t.Helper()
	directory := must(os.MkdirTemp("", "attack")) // short: the path of a Unix socket has at most 107 bytes
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	return newStackIn(t, directory, badgerstore.Config{InMemory: true, Instance: [4]byte{instance, 2, 3, 4}}, more)
}

// newStackIn starts a sidecar that keeps its files in a directory. The stack sets the clocks of its nonce store. more may
// be nil.
func newStackIn(t *testing.T, directory string, nonces badgerstore.Config, more func(s *stack, add addParty)) *stack {
	t.Helper()
	s := &stack{t: t, clock: new(clock), metrics: server.NewMetrics(), errors: new(atomic.Int64), tripwire: newTripwire(t, "127.0.0.1:0"), parties: map[string]*party{}}
	keys := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.parties[strings.TrimPrefix(r.URL.Path, "/")]; p != nil {
			p.ServeHTTP(w, r)
			return
		}
		s.services.ServeHTTP(w, r)
	}))
	s.services = &services{url: keys.URL}
	t.Cleanup(keys.Close)
	keys.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	add := func(name string, key *rsa.PrivateKey, change func(*platform.Registration)) {
		p := &party{key: key, serve: document(keySet(rsaKey(goodKID, &key.PublicKey, "")))}
		p.registration = platform.Registration{
			Name: name, Issuer: "https://" + name + ".example", ClientID: "client-1", Deployments: []string{"d1", "d2"},
			AuthorizationURI: "https://" + name + ".example/auth?tool=7", TokenURI: "https://" + name + ".example/token",
			JWKSURI: keys.URL + "/" + name, LaunchURIs: []string{launchURI, "https://staging.tool.example/lti/launch"},
			LoginURI: "https://tool.example/lti/login",
		}
		if change != nil {
			change(&p.registration)
		}
		s.parties[name] = p
	}
	add("a", platformKey, nil)
	add("b", secondKey, nil)
	add("a2", platformKey, func(r *platform.Registration) { r.Issuer, r.ClientID = "https://a.example", "client-2" })
	add("all", platformKey, func(r *platform.Registration) { r.Algorithms = []string{"RS256", "PS256", "ES256"} })
	s.parties["all"].set(document(keySet(rsaKey(goodKID, &platformKey.PublicKey, ""), ecKey("ec", &curveKey.PublicKey, ""))))
	add("pending", platformKey, func(r *platform.Registration) {
		r.Deployments, r.UnknownDeployments = nil, platform.PendDeployments
	})
	add("open", platformKey, func(r *platform.Registration) {
		r.AllowAnonymous, r.UnknownDeployments = true, platform.AcceptDeployments
		r.TargetOrigins = []string{"https://media.tool.example:8443", "https://[2001:db8::1]"}
	})
	add("messages", platformKey, func(r *platform.Registration) {
		r.MessageTypes = lti.MessageTypes()
		r.LTI11 = []platform.LTI11Key{{ConsumerKey: "consumer-1", Secret: platform.NewSecret(lti11Secret)}, {ConsumerKey: "consumer-2", Secret: platform.NewSecret("another")}}
	})
	if more != nil {
		more(s, add)
	}
	s.serve(keys, directory, nonces)
	return s
}

// serve makes the parts, lowest first, and serves them over a Unix socket until the test ends.
func (s *stack) serve(keys *httptest.Server, directory string, memory badgerstore.Config) {
	t := s.t
	t.Helper()
	logger := slog.New(errorLog{slog.DiscardHandler, s.errors})
	var registrations []platform.Registration
	for _, name := range slices.Sorted(maps.Keys(s.parties)) {
		registrations = append(registrations, s.parties[name].registration)
	}
	registry := must(platform.NewRegistry(registrations))
	records := must(boltstore.Open(boltstore.Config{Path: filepath.Join(directory, "records.db")}))
	memory.Now, memory.Monotonic = s.clock.now, s.clock.elapsed
	nonces := must(badgerstore.Open(memory))
	s.nonces = &faultyStore{Store: nonces}
	toolKeys := must(keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: filepath.Join(directory, "keys"), Create: true}))
	s.toolKeys = toolKeys
	roots := keys.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client := must(outbound.New(outbound.Config{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, RootCAs: roots, Now: s.clock.now}))
	platformKeys := must(keystore.NewPlatformKeys(keystore.PlatformKeysConfig{Fetcher: client, StaleIfError: keystore.DefaultStaleIfError, Now: s.clock.now, Logger: logger}))
	learned := must(platform.NewLearned(platform.LearnedConfig{Store: records, Now: s.clock.now}))
	s.validator = must(launch.New(launch.Config{
		Registry: registry, Keys: platformKeys, Nonces: s.nonces, Deployments: learned, Sealer: toolKeys, Signer: toolKeys, Now: s.clock.now,
	}))
	tokens := must(servicetoken.New(servicetoken.Config{HTTP: client, Signer: toolKeys, Now: s.clock.now}))
	reader := must(pages.NewReader(pages.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect}))
	lanes := must(records.Lanes(boltstore.LanesConfig{Now: s.clock.now}))
	book := must(scores.New(scores.Config{
		Lanes: lanes, Registration: registry.ByName, Logger: logger, Now: s.clock.now,
		Grades: must(ags.New(ags.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect})),
	}))
	queue := must(events.NewQueue(events.QueueConfig{
		Lanes: lanes, Logger: logger, Now: s.clock.now,
		Client:       must(events.New(events.Config{HTTP: client, Tokens: tokens, Allowed: learned.CheckOrigin, Dialect: learned.Dialect})),
		Registration: func(_ context.Context, name, _ string) (*platform.Registration, error) { return registry.ByName(name) },
	}))
	api := must(server.New(server.Config{
		Registry: registry, Launches: s.validator, Learned: learned, Tokens: tokens,
		Scores:    book,
		LineItems: must(ags.NewLineItemClient(ags.LineItemConfig{HTTP: client, Tokens: must(servicetoken.NewShared(tokens)), Pages: reader, Allowed: learned.CheckOrigin})),
		Rosters:   must(nrps.New(nrps.Config{Pages: reader})),
		Groups:    must(groups.New(groups.Config{Pages: reader})),
		Events:    queue,
		ToolKeys:  toolKeys, Logger: logger, Metrics: s.metrics, Now: s.clock.now,
	}))
	grpcServer := grpc.NewServer(api.Options()...)
	api.Register(grpcServer)
	s.socket = filepath.Join(directory, "sidecar.sock")
	listener := must((&net.ListenConfig{}).Listen(t.Context(), "unix", s.socket))
	var running sync.WaitGroup
	running.Go(func() {
		if err := grpcServer.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	connection := must(grpc.NewClient("unix://"+s.socket, grpc.WithTransportCredentials(insecure.NewCredentials())))
	s.launches, s.grades = pb.NewLaunchServiceClient(connection), pb.NewGradeServiceClient(connection)
	s.rosters, s.tokens, s.events = pb.NewRosterServiceClient(connection), pb.NewTokenServiceClient(connection), pb.NewEventServiceClient(connection)
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
		grpcServer.Stop()
		running.Wait()
		book.Close()
		tokens.Close()
		platformKeys.Close()
		client.Close()
		if err := errors.Join(nonces.Close(), records.Close()); err != nil {
			t.Error(err)
		}
	})
}

// refusals reads the counters of reasons.
func (s *stack) refusals() map[string]float64 {
	families := must(s.metrics.Gatherer().Gather())
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "ltisidecar_refusals_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

// login is a login that was begun: what the browser and the platform got.
type login struct {
	party        *party
	state, nonce string
	cookies      []string
}

func parameters(pairs ...string) []*pb.Parameter {
	var list []*pb.Parameter
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, &pb.Parameter{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

// authRequest returns a good login initiation of a platform.
func (s *stack) authRequest(p *party, more ...string) *pb.BuildAuthRequestRequest {
	pairs := append([]string{"iss", p.registration.Issuer, "login_hint", "user 1+2", "target_link_uri", target, "client_id", p.registration.ClientID}, more...)
	return &pb.BuildAuthRequestRequest{Browser: &pb.BrowserRequest{Method: "POST", Parameters: parameters(pairs...), SecFetchDest: "iframe"}}
}

// begin begins a login at a platform, with further parameters.
func (s *stack) begin(p *party, more ...string) (*login, error) {
	answer, err := s.launches.BuildAuthRequest(s.t.Context(), s.authRequest(p, more...))
	if err != nil {
		return nil, err
	}
	l := &login{party: p, state: answer.State, nonce: must(url.Parse(answer.AuthorizationUri)).Query().Get("nonce")}
	for _, header := range answer.Reply.Headers {
		if header.Name == "Set-Cookie" && !strings.Contains(header.Value, "Max-Age=0") {
			pair, _, _ := strings.Cut(header.Value, ";")
			l.cookies = append(l.cookies, pair)
		}
	}
	return l, nil
}

// raw is JSON text that goes into a token as it is, valid or not.
type raw string

// absent removes a claim.
type absent struct{}

// claims returns the members of a good launch, changed by a patch.
func (s *stack) claims(l *login, patch map[string]any) map[string]any {
	now := s.clock.now().Unix()
	members := map[string]any{
		"iss": l.party.registration.Issuer, "aud": l.party.registration.ClientID, "sub": "user-1",
		"exp": now + 300, "iat": now, "nonce": l.nonce, "name": "Sam Student", "email": "sam@example.org",
		lti.ClaimVersion:       "1.3.0",
		lti.ClaimMessageType:   "LtiResourceLinkRequest",
		lti.ClaimDeploymentID:  "d1",
		lti.ClaimTargetLinkURI: target,
		lti.ClaimRoles:         []any{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"},
		lti.ClaimResourceLink:  map[string]any{"id": "link-1", "title": "Quiz", "description": nil},
		lti.ClaimContext:       map[string]any{"id": "course-1", "label": "BIO-1", "title": "Biology", "type": []any{"CourseSection"}},
	}
	for name, value := range patch {
		if _, gone := value.(absent); gone {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
	return members
}

// payload writes members as JSON, in the order of their names.
func payload(members map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, isRaw := members[name].(raw)
		if !isRaw {
			value = raw(must(json.Marshal(members[name])))
		}
		parts = append(parts, string(must(json.Marshal(name)))+":"+string(value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// signRS256 signs as the platform does.
func signRS256(key *rsa.PrivateKey, input string) []byte {
	digest := sha256.Sum256([]byte(input))
	return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]))
}

// launchRequest returns the browser's request with an id_token, with all cookies of the login.
func launchRequest(l *login, token string) *pb.ValidateLaunchRequest {
	return &pb.ValidateLaunchRequest{Browser: &pb.BrowserRequest{
		Method: "POST", Parameters: parameters("id_token", token, "state", l.state),
		CookieHeader: strings.Join(l.cookies, "; "), Origin: l.party.registration.Issuer, SecFetchSite: "cross-site", SecFetchDest: "iframe",
	}}
}

// good returns the request of a good launch of a login, with claims changed by a patch.
func (s *stack) good(l *login, patch map[string]any) *pb.ValidateLaunchRequest {
	input := base64url([]byte(`{"typ":"JWT","alg":"RS256","kid":"`+goodKID+`"}`)) + "." + base64url([]byte(payload(s.claims(l, patch))))
	return launchRequest(l, input+"."+base64url(signRS256(l.party.key, input)))
}

func (s *stack) validate(request *pb.ValidateLaunchRequest) error {
	answer, err := s.launches.ValidateLaunch(s.t.Context(), request)
	if err == nil && answer.GetLaunch() == nil {
		return errors.New("a page for the browser instead of a launch")
	}
	return err
}

// infoOf returns the ErrorInfo of an answer, and an empty one where it has none.
func infoOf(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return &errdetails.ErrorInfo{}
}
