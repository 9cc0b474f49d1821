// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

const goldenDirectory = "../testdata/launches"

// goldenPlatform is an entry of platforms.json; testdata/launches/README.md describes it.
type goldenPlatform struct {
	Registration struct {
		Issuer             string   `json:"issuer"`
		ClientID           string   `json:"client_id"`
		Deployments        []string `json:"deployments"`
		UnknownDeployments string   `json:"unknown_deployments"`
		AuthorizationURI   string   `json:"authorization_uri"`
		TokenURI           string   `json:"token_uri"`
		TokenAudience      string   `json:"token_audience"`
		LaunchURIs         []string `json:"launch_uris"`
		LoginURI           string   `json:"login_uri"`
		Anonymous          string   `json:"anonymous"`

		MessageTypes []lti.MessageType `json:"message_types"`
	} `json:"registration"`
	Login struct {
		Method     string      `json:"method"`
		Parameters [][2]string `json:"parameters"`
	} `json:"login"`
	Keys         []map[string]any `json:"keys"`
	Fill         int              `json:"fill"`
	KeySet       string           `json:"key_set"`
	JWKSURI      string           `json:"jwks_uri"`
	CacheControl string           `json:"cache_control"`
}

// goldenCase is one file.
type goldenCase struct {
	name, expect, platform, launch, header, claims string
	given                                          []string
}

func readGoldenCase(t testing.TB, path string) *goldenCase {
	t.Helper()
	c := &goldenCase{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	parts := strings.SplitN(string(must(os.ReadFile(path))), "\n\n", 3)
	if len(parts) != 3 {
		t.Fatalf("%s has not three parts", path)
	}
	c.header, c.claims = strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])
	for line := range strings.SplitSeq(parts[0], "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "expect":
			c.expect = value
		case "platform":
			c.platform = value
		case "given":
			c.given = append(c.given, value)
		case "launch":
			c.launch = value
		case "requirements":
		default:
			t.Fatalf("%s: the line %q is not known", path, line)
		}
	}
	return c
}

var (
	goldenTime    = regexp.MustCompile(`"(exp|iat|nbf)": "([+-][0-9.]+)"`)
	goldenPadding = regexp.MustCompile(`PADDING-([0-9]+)`)
)

func padded(text string) string {
	return goldenPadding.ReplaceAllStringFunc(text, func(match string) string {
		return strings.Repeat("x", must(strconv.Atoi(match[len("PADDING-"):])))
	})
}

// sign returns the id_token of the case: its header and claims as they are written, but for times, nonce and padding.
func (c *goldenCase) sign(key *jose.SigningKey, now time.Time, nonce string) string {
	claims := goldenTime.ReplaceAllStringFunc(padded(c.claims), func(match string) string {
		parts := goldenTime.FindStringSubmatch(match)
		at := float64(now.Unix()) + must(strconv.ParseFloat(parts[2], 64))
		return `"` + parts[1] + `": ` + strconv.FormatFloat(at, 'f', -1, 64)
	})
	claims = strings.ReplaceAll(claims, `"NONCE"`, strconv.Quote(nonce))
	return signHeader(key, c.header, claims)
}

// change applies `NAME=VALUE` (set), `+NAME=VALUE` (add) or `NAME` (remove) to parameters.
func change(list []launch.Parameter, text string) []launch.Parameter {
	name, value, set := strings.Cut(text, "=")
	if added, ok := strings.CutPrefix(name, "+"); ok {
		return append(list, launch.Parameter{Name: added, Value: padded(value)})
	}
	list = slices.DeleteFunc(slices.Clone(list), func(p launch.Parameter) bool { return p.Name == name })
	if set {
		list = append(list, launch.Parameter{Name: name, Value: padded(value)})
	}
	return list
}

// goldenFixture is a validator with the registrations of platforms.json, whose keys come over HTTPS.
type goldenFixture struct {
	*fixture
	platforms map[string]*goldenPlatform
}

func newGoldenFixture(t *testing.T) *goldenFixture {
	g := &goldenFixture{platforms: map[string]*goldenPlatform{}}
	if err := json.Unmarshal(must(os.ReadFile(goldenDirectory+"/platforms.json")), &g.platforms); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := g.platforms[strings.TrimPrefix(r.URL.Path, "/jwks/")]
		w.Header().Set("Cache-Control", p.CacheControl)
		w.Write(p.keySet())
	}))
	t.Cleanup(server.Close)
	var registrations []platform.Registration
	for name, p := range g.platforms {
		r := p.Registration
		registration := platform.Registration{
			Name: name, Issuer: r.Issuer, ClientID: r.ClientID, Deployments: r.Deployments, UnknownDeployments: platform.UnknownDeployments(r.UnknownDeployments),
			AuthorizationURI: r.AuthorizationURI, TokenURI: r.TokenURI, TokenAudience: r.TokenAudience, JWKSURI: p.JWKSURI,
			LaunchURIs: r.LaunchURIs, LoginURI: r.LoginURI, AllowAnonymous: r.Anonymous == "accept", MessageTypes: r.MessageTypes,
		}
		if p.JWKSURI == "" {
			registration.JWKSURI = server.URL + "/jwks/" + name
		}
		for _, problem := range registration.Check(false, jose.Algorithms()) {
			if !problem.Warning {
				t.Fatalf("%s: %+v", name, problem)
			}
		}
		registrations = append(registrations, registration)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := must(outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}))
	g.fixture = newFixtureWith(t, func(f *fixture) launch.PlatformKeys {
		keys := must(keystore.NewPlatformKeys(keystore.PlatformKeysConfig{Fetcher: client, Now: f.clock.Now}))
		t.Cleanup(keys.Close)
		return keys
	}, registrations...)
	return g
}

// keySet is the document that a platform publishes.
func (p *goldenPlatform) keySet() []byte {
	if p.KeySet != "" {
		return []byte(p.KeySet)
	}
	var own, foreign struct{ Keys []map[string]any }
	for key, document := range map[*jose.SigningKey]any{platformKey: &own, foreignKey: &foreign} {
		if err := json.Unmarshal(must(jose.PublicKeySet(key)), document); err != nil {
			panic(err)
		}
	}
	list := slices.Clone(p.Keys)
	for i := range p.Fill {
		list = append(list, map[string]any{"kid": fmt.Sprintf("fill-%d", i), "material": "foreign"})
	}
	published := make([]map[string]any, 0, len(list))
	for _, members := range list {
		material := own.Keys[0]
		if members["material"] == "foreign" {
			material = foreign.Keys[0]
		}
		key := map[string]any{"kty": "RSA", "n": material["n"], "e": material["e"]}
		for name, value := range members {
			if name != "material" {
				key[name] = value
			}
		}
		published = append(published, key)
	}
	return must(json.Marshal(map[string]any{"keys": published}))
}

// run plays a case and returns the error of whichever step refused it.
func (g *goldenFixture) run(t *testing.T, c *goldenCase) (*launch.Outcome, error) {
	p := g.platforms[c.platform]
	if p == nil {
		t.Fatalf("no platform %q", c.platform)
	}
	begin := launch.AuthRequest{Browser: launch.BrowserRequest{Method: p.Login.Method, SecFetchDest: "iframe"}}
	for _, pair := range p.Login.Parameters {
		begin.Browser.Parameters = append(begin.Browser.Parameters, launch.Parameter{Name: pair[0], Value: pair[1]})
	}
	send := launch.Request{Browser: launch.BrowserRequest{Method: "POST", Origin: "https://lms.example", SecFetchSite: "cross-site", SecFetchDest: "iframe"}}
	key, cookies, proof, stateByte, delay, repeat := platformKey, "all", "", -1, time.Duration(0), false
	var form []string
	for _, given := range c.given {
		verb, value, _ := strings.Cut(given, " ")
		switch verb {
		case "login":
			begin.Browser.Parameters = change(begin.Browser.Parameters, value)
		case "login-method":
			begin.Browser.Method = value
		case "registration":
			begin.Registration = value
		case "method":
			send.Browser.Method = value
		case "launch-uri":
			send.LaunchURI = value
		case "accept":
			for name := range strings.FieldsSeq(value) {
				send.Accept = append(send.Accept, goldenMessages[name])
			}
		case "form":
			form = append(form, value)
		case "cookies":
			cookies = value
		case "proof":
			cookies, proof = "none", value
		case "key":
			key = map[string]*jose.SigningKey{"foreign": foreignKey}[value]
		case "state":
			stateByte = must(strconv.Atoi(strings.TrimPrefix(value, "byte ")))
		case "delay":
			delay = time.Duration(must(strconv.Atoi(value))) * time.Second
		case "repeat":
			repeat = true
		default:
			t.Fatalf("%q is not in the vocabulary", given)
		}
	}
	if _, err := g.BuildAuthRequest(t.Context(), "local", begin); err != nil {
		return nil, err
	}
	l := g.beginWith(begin)
	g.clock.set(g.clock.Now().Add(delay))
	send.Browser.Parameters = parameters("id_token", c.sign(key, g.clock.Now(), l.nonce), "state", flipped(l.state, stateByte))
	for _, text := range form {
		send.Browser.Parameters = change(send.Browser.Parameters, text)
	}
	switch cookies {
	case "all":
		send.Browser.CookieHeader = strings.Join(l.cookies, "; ")
	case "plain":
		send.Browser.CookieHeader = "other=1; " + l.cookies[0]
	case "partitioned":
		send.Browser.CookieHeader = l.cookies[1]
	case "altered":
		send.Browser.CookieHeader = l.cookies[0] + "x"
	}
	if proof != "" {
		_, secret, _ := strings.Cut(l.cookies[0], "=")
		if proof == "altered" {
			secret += "x"
		}
		if proof != "cross-site" {
			send.Browser.Origin, send.Browser.SecFetchSite = "https://tool.example", "same-origin"
		}
		send.Browser.Parameters = append(send.Browser.Parameters, launch.Parameter{Name: "lti_storage_proof", Value: secret})
	}
	if repeat {
		if _, err := g.validate(send); err != nil {
			t.Fatalf("the first of two equal launches: %v", err)
		}
	}
	return g.validate(send)
}

// goldenMessages has the message types by their names in the API.
var goldenMessages = map[string]lti.MessageType{
	"RESOURCE_LINK": lti.MessageResourceLink, "DEEP_LINKING": lti.MessageDeepLinking, "SUBMISSION_REVIEW": lti.MessageSubmissionReview,
	"DATA_PRIVACY": lti.MessageDataPrivacy, "START_PROCTORING": lti.MessageStartProctoring, "END_ASSESSMENT": lti.MessageEndAssessment,
	"ASSET_PROCESSOR_SETTINGS": lti.MessageAssetProcessorSettings, "REPORT_REVIEW": lti.MessageReportReview, "EULA": lti.MessageEULA,
}

// flipped changes one byte of a state.
func flipped(state string, at int) string {
	if at < 0 {
		return state
	}
	data := must(base64.RawURLEncoding.DecodeString(state))
	data[at] ^= 1
	return base64.RawURLEncoding.EncodeToString(data)
}

// factsOf says what a launch amounts to, as the `launch:` line does.
func factsOf(l *launch.Launch) string {
	user, context, link := "-", "-", "-"
	if l.ResourceLink != nil {
		link = l.ResourceLink.ID
	}
	if l.User != nil {
		user = l.User.ID
	}
	if l.Context != nil {
		context = l.Context.ID
	}
	var flags map[string]bool
	if err := json.Unmarshal(must(json.Marshal(l.RoleSummary)), &flags); err != nil {
		panic(err)
	}
	var roles []string
	for name, set := range flags {
		if set {
			roles = append(roles, name)
		}
	}
	sort.Strings(roles)
	if roles == nil {
		roles = []string{"-"}
	}
	return fmt.Sprintf("user=%s context=%s link=%s roles=%s", user, context, link, strings.Join(roles, "+"))
}

// TestGoldenLaunches plays every file of testdata/launches. The Python and Node clients play the same files against
// the sidecar's binary.
func TestGoldenLaunches(t *testing.T) {
	g := newGoldenFixture(t)
	paths := must(filepath.Glob(goldenDirectory + "/*.txt"))
	count := map[string]int{}
	for _, path := range paths {
		c := readGoldenCase(t, path)
		count[c.expect]++
		t.Run(c.name, func(t *testing.T) {
			outcome, err := g.run(t, c)
			got := string(lti.ReasonOf(err))
			switch {
			case err == nil && outcome.Step != nil:
				got = "BROWSER_STEP"
			case err == nil:
				got = "ACCEPTED"
				if facts := factsOf(outcome.Launch); facts != c.launch {
					t.Errorf("launch: %s\n  want: %s", facts, c.launch)
				}
				var claims bytes.Buffer
				if json.Compact(&claims, []byte(outcome.Launch.ClaimsJSON)) != nil || claims.Len() == 0 {
					t.Error("the claims are no JSON")
				}
			}
			if got != c.expect {
				t.Errorf("got %s, want %s (%v)", got, c.expect, err)
			}
		})
	}
	if count["ACCEPTED"] < 100 {
		t.Errorf("%d accepted launches, want at least 100", count["ACCEPTED"])
	}
	// What a login or a launch can be refused for has a file, but for what needs more than a request.
	elsewhere := map[lti.Reason]string{
		lti.ReasonLaunchTokenInvalid: "TestLaunchToken",
		lti.ReasonLaunchTokenExpired: "TestLaunchToken",
	}
	for _, info := range lti.Reasons() {
		if info.Code == lti.CodePermissionDenied && count[string(info.Reason)] == 0 && elsewhere[info.Reason] == "" {
			t.Errorf("no file expects %s", info.Reason)
		}
	}
	t.Logf("%d files, %d accepted", len(paths), count["ACCEPTED"])
}
