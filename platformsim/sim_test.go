// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// The judge shares no code with the accused.
func TestImportsNothingOfThisModule(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if strings.Contains(i.Path.Value, "ltisidecar") {
				t.Errorf("%s imports %s", f, i.Path.Value)
			}
		}
	}
}

func TestPlatformKeySets(t *testing.T) {
	kids := func(b *bench) (list []string, header http.Header) {
		_, header, body := b.get(b.reg.JWKSURI, nil)
		var doc struct {
			Keys []struct{ Kid, Alg, Use, Kty string }
		}
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		for _, k := range doc.Keys {
			if k.Alg != "RS256" || k.Use != "sig" || k.Kty != "RSA" {
				t.Errorf("key %+v", k)
			}
			list = append(list, k.Kid)
		}
		return list, header
	}
	c := newBench(t, "canvas")
	before, header := kids(c)
	if len(before) != 3 || !strings.HasPrefix(before[1], "2031-01-15T10:00:00Z") || header.Get("Cache-Control") != "max-age=864000" {
		t.Errorf("canvas: %v, %v", before, header)
	}
	for range 2 {
		if err := c.platform().RotateKeys(); err != nil {
			t.Fatal(err)
		}
		after, _ := kids(c)
		if after[0] != before[1] || after[1] != before[2] || after[2] == before[2] {
			t.Errorf("canvas rotated %v to %v", before, after)
		}
		if kid := c.idToken(c.launch("student")).header["kid"]; kid != after[1] {
			t.Errorf("canvas signs with %v of %v", kid, after)
		}
		before = after
	}
	m := newBench(t, "moodle")
	before, header = kids(m)
	if len(before) != 1 || len(before[0]) != 20 || header.Get("Cache-Control") != "" {
		t.Errorf("moodle: %v, %v", before, header)
	}
	if err := m.platform().RotateKeys(); err != nil {
		t.Fatal(err)
	}
	if after, _ := kids(m); len(after) != 1 || after[0] == before[0] {
		t.Errorf("moodle rotated %v to %v", before, after)
	}
}

func TestControlAPI(t *testing.T) {
	b := newBench(t, "moodle")
	base := b.platform().URL() + "/sim/"
	b.launch("student")
	for path, marker := range map[string]string{
		"gradebook": `"label":"Quiz of quiz"`, "people": `"key":"student60"`, "registrations": `"deployment_id":"3"`, "launches": `"user":"student"`,
		"tokens": "[]", "scores": "[]", "hits": `"authorize":1`, "faults": "[]",
	} {
		status, header, body := b.get(base+path, nil)
		if status != 200 || header.Get("Content-Type") != "application/json" || !strings.Contains(string(body), marker) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	post := func(path, body string, want int) {
		t.Helper()
		if status, _, answer := b.do(http.MethodPost, base+path, nil, []byte(body)); status != want {
			t.Errorf("%s %s: %d %s", path, body, status, answer)
		}
	}
	post("faults", `{"fault":"expired","times":2}`, 204)
	if f := b.platform().Faults(); len(f) != 1 || f[0].Times != 2 {
		t.Errorf("faults %+v", f)
	}
	post("faults", `{"fault":"nonsense"}`, 400)
	post("faults", `{"falut":"expired"}`, 400)
	if status, _, _ := b.do(http.MethodDelete, base+"faults", nil, nil); status != 204 || len(b.platform().Faults()) != 0 {
		t.Errorf("DELETE faults: %d", status)
	}
	post("gradebook", `{"line_item":"917","user":"student","override":55}`, 204)
	if g := b.grade("student"); g == nil || *g.Score != 55 {
		t.Errorf("override: %+v", g)
	}
	post("gradebook", `{"line_item":"1"}`, 400)
	post("tools", `{"name":"second","login_uri":"https://localhost:1/login","launch_uris":["https://localhost:1/launch"]}`, 204)
	if r := b.platform().Registration("second"); r.DeploymentID != "4" || r.ClientID == b.reg.ClientID || len(r.ClientID) != 15 {
		t.Errorf("second tool: %+v", r)
	}
	post("tools", `{"name":"Bad Name","login_uri":"https://localhost:1/login","launch_uris":["https://localhost:1/launch"]}`, 400)
	kid := b.platform().signingKey(nil).kid
	post("keys/rotate", "", 204)
	if b.platform().signingKey(nil).kid == kid {
		t.Error("the key was not rotated")
	}
	post("tokens/revoke", "", 204)
}

func TestPages(t *testing.T) {
	b := newBench(t, "canvas")
	_, _, index := b.get(b.sim.URL()+"/", nil)
	if !bytes.Contains(index, []byte(`href="/canvas/course"`)) {
		t.Errorf("index: %s", index)
	}
	token := b.token(ScopeScore)
	if s, _, _ := b.postScore(token, b.reg.LineItemURI, b.score(map[string]any{"comment": "<b>well done</b>"})); s != 200 {
		t.Fatal(s)
	}
	_, _, course := b.get(b.platform().URL()+"/course", nil)
	for _, want := range []string{`name="tool_content"`, b.reg.ClientID, "&lt;b&gt;well done&lt;/b&gt;", "<td>80</td>", "Replay the last launch form", "student60@example.org"} {
		if !bytes.Contains(course, []byte(want)) {
			t.Errorf("the course page has no %s", want)
		}
	}
	status, header, _ := b.do(http.MethodPost, b.platform().URL()+"/course/faults", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte("fault=expired&sticky=1"))
	if status != 303 || header.Get("Location") != "/canvas/course" {
		t.Errorf("%d %v", status, header)
	}
	if f := b.platform().Faults(); len(f) != 1 || !f[0].Sticky {
		t.Errorf("faults %+v", f)
	}
	if _, _, course := b.get(b.platform().URL()+"/course", nil); !bytes.Contains(course, []byte("expired  (until cleared)")) {
		t.Error("the course page does not show the fault")
	}
	if status, _, _ := b.get(b.platform().URL()+"/course/launch?tool=quiz&user=nobody", nil); status != 404 {
		t.Errorf("unknown user: %d", status)
	}
	if _, header, ca := b.get(b.sim.URL()+"/ca.pem", nil); !bytes.Equal(ca, b.sim.CAPEM()) || header.Get("Content-Type") != "application/x-pem-file" {
		t.Error("ca.pem is not the authority's")
	}
}

func TestAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	var pems [2][]byte
	for i := range pems {
		s, err := New(Config{Dir: dir, Platforms: map[string]PlatformConfig{"moodle": {}}})
		if err != nil {
			t.Fatal(err)
		}
		pems[i] = s.CAPEM()
		if err := s.Close(); err != nil { // never started
			t.Error(err)
		}
	}
	if !bytes.Equal(pems[0], pems[1]) {
		t.Error("the authority changed from run to run")
	}
	a, err := openAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.issue()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pems[0])
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "example.org"}); err == nil {
		t.Error("the certificate is good for example.org")
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := ToolConfig{Name: "a", LoginURI: "https://localhost/login", LaunchURIs: []string{"https://localhost/launch"}}
	tool := func(change func(*ToolConfig)) Config {
		c := good
		change(&c)
		return Config{Platforms: map[string]PlatformConfig{"moodle": {Tools: []ToolConfig{c}}}}
	}
	for name, cfg := range map[string]Config{
		"not loopback":    {Listen: "0.0.0.0:0"},
		"small roster":    {RosterSize: 2},
		"large roster":    {RosterSize: 200001},
		"platform":        {Platforms: map[string]PlatformConfig{"webct": {}}},
		"login method":    {Platforms: map[string]PlatformConfig{"moodle": {LoginMethod: "PUT"}}},
		"two tools":       {Platforms: map[string]PlatformConfig{"moodle": {Tools: []ToolConfig{good, good}}}},
		"tool name":       tool(func(c *ToolConfig) { c.Name = "A b" }),
		"no launch URIs":  tool(func(c *ToolConfig) { c.LaunchURIs = nil }),
		"login URI":       tool(func(c *ToolConfig) { c.LoginURI = "/login" }),
		"key set on http": tool(func(c *ToolConfig) { c.JWKSURI = "http://example.org/jwks" }),
		"key set":         tool(func(c *ToolConfig) { c.JWKS = "{" }),
		"roots":           {ExtraRoots: []byte("x"), Platforms: map[string]PlatformConfig{"moodle": {}}},
	} {
		if s, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	b := newBench(t, "canvas", func(_ *PlatformConfig, c *Config) { c.RosterSize = 3 })
	if n := len(b.platform().People()); n != 5 {
		t.Errorf("%d people", n)
	}
	if r := b.platform().Registration("none"); r.ClientID != "" {
		t.Errorf("a tool that is not there has %+v", r)
	}
}
