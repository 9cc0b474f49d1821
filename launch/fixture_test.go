// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

const (
	issuer    = "https://lms.example"
	clientID  = "client-1"
	launchURI = "https://tool.example/lti/launch"
	target    = "https://tool.example/quiz/7"
)

var start = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

// platformKey signs for the fixture's platform; foreignKey for nobody it knows.
var (
	platformKey = must(jose.GenerateSigningKey(2048))
	foreignKey  = must(jose.GenerateSigningKey(2048))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// clock is the fixture's clock. The store watches it from a goroutine of its own.
type clock struct{ nanoseconds atomic.Int64 } // since start

func (c *clock) Now() time.Time { return start.Add(c.elapsed()) }

func (c *clock) elapsed() time.Duration { return time.Duration(c.nanoseconds.Load()) }

func (c *clock) set(now time.Time) { c.nanoseconds.Store(int64(now.Sub(start))) }

// keys gives the keys of a set, and counts who asked.
type keys struct {
	set      *jose.KeySet
	replaced *jose.PublicKey
	calls    atomic.Int32
}

func (k *keys) Key(_ context.Context, _ *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	k.calls.Add(1)
	return k.set.Find(kid, algorithm)
}

func (k *keys) Replaced(context.Context, *platform.Registration, string, string, *jose.PublicKey) (*jose.PublicKey, error) {
	return k.replaced, nil
}

// toolKeys are the tool's keys of all fixtures: making a key takes longer than most tests.
var toolKeys = sync.OnceValue(func() *keystore.ToolKeys {
	directory := must(os.MkdirTemp("", "ltisidecar-keys-"))
	keys := must(keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: directory, Create: true}))
	must(0, os.RemoveAll(directory)) // they are in memory now
	return keys
})

// fixture is a validator over real stores, and a platform's key.
type fixture struct {
	*launch.Validator
	t             testing.TB
	config        launch.Config
	clock         *clock
	keys          *keys
	nonces        noncestore.Store
	records       *boltstore.Store
	registrations []platform.Registration
}

// newFixture makes a fixture whose one registration a test may change first.
func newFixture(t testing.TB, changes ...func(*platform.Registration)) *fixture {
	t.Helper()
	registration := platform.Registration{
		Name: "lms", Issuer: issuer, ClientID: clientID, Deployments: []string{"d1"},
		AuthorizationURI: "https://lms.example/auth?tool=7", TokenURI: "https://lms.example/token", JWKSURI: "https://lms.example/jwks",
		LaunchURIs: []string{launchURI, "https://staging.tool.example/lti/launch"}, LoginURI: "https://tool.example/lti/login",
	}
	for _, change := range changes {
		change(&registration)
	}
	return newFixtureOf(t, registration)
}

func newFixtureOf(t testing.TB, registrations ...platform.Registration) *fixture {
	t.Helper()
	return newFixtureWith(t, func(f *fixture) launch.PlatformKeys { return f.keys }, registrations...)
}

// newFixtureWith makes a fixture whose platform keys come from a source of the test's own.
func newFixtureWith(t testing.TB, platformKeys func(*fixture) launch.PlatformKeys, registrations ...platform.Registration) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{}, keys: &keys{set: must(jose.ParseKeySet(must(jose.PublicKeySet(platformKey))))}}
	f.nonces = must(badgerstore.Open(badgerstore.Config{InMemory: true, Instance: [4]byte{1, 2, 3, 4}, Now: f.clock.Now, Monotonic: f.clock.elapsed}))
	f.records = must(boltstore.Open(boltstore.Config{Path: t.TempDir() + "/records.db"}))
	t.Cleanup(func() {
		if err := errors.Join(f.nonces.Close(), f.records.Close()); err != nil {
			t.Error(err)
		}
	})
	toolKeys := toolKeys()
	f.registrations = registrations
	f.config = launch.Config{
		Registry:    must(platform.NewRegistry(registrations)),
		Keys:        platformKeys(f),
		Nonces:      f.nonces,
		Deployments: must(platform.NewLearned(platform.LearnedConfig{Store: f.records, Now: f.clock.Now})),
		Sealer:      toolKeys,
		Signer:      toolKeys,
		Now:         f.clock.Now,
	}
	f.Validator = must(launch.New(f.config))
	return f
}

// sibling returns a fixture over the same stores and keys whose first registration is changed, as after a restart with
// another configuration.
func (f *fixture) sibling(change func(*platform.Registration)) *fixture {
	f.t.Helper()
	later := *f
	later.registrations = slices.Clone(f.registrations)
	change(&later.registrations[0])
	later.config.Registry = must(platform.NewRegistry(later.registrations))
	later.Validator = must(launch.New(later.config))
	return &later
}

// login is a login that was begun: what the platform and the browser got.
type login struct {
	state, nonce string
	cookies      []string // name=value
	reply        *launch.Reply
	query        url.Values
}

func parameters(pairs ...string) []launch.Parameter {
	var list []launch.Parameter
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, launch.Parameter{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func initiation(more ...string) []launch.Parameter {
	return parameters(append([]string{"iss", issuer, "login_hint", "user 1+2", "target_link_uri", target, "client_id", clientID, "lti_deployment_id", "d1"}, more...)...)
}

// begin begins a login, by default as a frame does.
func (f *fixture) begin(more ...string) *login {
	f.t.Helper()
	return f.beginWith(launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", Parameters: initiation(more...), SecFetchDest: "iframe"}})
}

func (f *fixture) beginWith(request launch.AuthRequest) *login {
	f.t.Helper()
	reply, err := f.BuildAuthRequest(f.t.Context(), "local", request)
	if err != nil {
		f.t.Fatal(err)
	}
	uri := must(url.Parse(reply.AuthorizationURI))
	l := &login{state: reply.State, nonce: uri.Query().Get("nonce"), reply: reply.Reply, query: uri.Query()}
	for _, header := range reply.Reply.Headers {
		if header.Name == "Set-Cookie" && !strings.Contains(header.Value, "Max-Age=0") {
			pair, _, _ := strings.Cut(header.Value, ";")
			l.cookies = append(l.cookies, pair)
		}
	}
	return l
}

// claims returns the claims of a good launch of a login. patch replaces members; a nil value removes one.
func (f *fixture) claims(l *login, patch map[string]any) map[string]any {
	now := f.clock.Now().Unix()
	claims := map[string]any{
		"iss": issuer, "aud": clientID, "sub": "user-1", "exp": now + 300, "iat": now, "nonce": l.nonce,
		"name": "Sam Student", "email": "sam@example.org", "locale": "en",
		lti.ClaimVersion:       "1.3.0",
		lti.ClaimMessageType:   "LtiResourceLinkRequest",
		lti.ClaimDeploymentID:  "d1",
		lti.ClaimTargetLinkURI: target,
		lti.ClaimRoles:         []any{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"},
		lti.ClaimResourceLink:  map[string]any{"id": "link-1", "title": "Quiz", "description": nil},
		lti.ClaimContext:       map[string]any{"id": "course-1", "label": "BIO-1", "title": "Biology", "type": []any{"CourseSection"}},
	}
	for name, value := range patch {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	return claims
}

// request returns the launch request of a login with an id_token, sent with all its cookies.
func request(l *login, token string, more ...string) launch.Request {
	return launch.Request{Browser: launch.BrowserRequest{
		Method: "POST", Parameters: parameters(append([]string{"id_token", token, "state", l.state}, more...)...),
		CookieHeader: strings.Join(l.cookies, "; "), Origin: "https://lms.example", SecFetchSite: "cross-site", SecFetchDest: "iframe",
	}}
}

// signHeader signs claims under a header of the test's own, with the standard library.
func signHeader(key *jose.SigningKey, header, claims string) string {
	block, _ := pem.Decode(must(key.PEM()))
	private := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(input))
	return input + "." + encode(must(rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])))
}

func sign(claims map[string]any) string { return must(platformKey.Sign(must(json.Marshal(claims)))) }

func (f *fixture) validate(request launch.Request) (*launch.Outcome, error) {
	f.t.Helper()
	return f.Validate(f.t.Context(), "local", request)
}

// wantReason fails the test unless the error has a reason, and returns it.
func wantReason(t *testing.T, err error, want lti.Reason) *lti.Error {
	t.Helper()
	var refusal *lti.Error
	if !errors.As(err, &refusal) || refusal.Reason != want {
		t.Fatalf("error = %v, want reason %s", err, want)
	}
	return refusal
}
