// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/platform"
)

// FuzzLoadConfig loads any text as the configuration. An error names the file. What loads is whole, listens for the tool on
// loopback only, and without dev speaks to platforms and redirects browsers over https only.
func FuzzLoadConfig(f *testing.F) {
	f.Add("")
	f.Add("dev: true\nlisten: {socket: s.sock, tcp: 127.0.0.1:1}\nlog: {level: debug}\n")
	f.Add(`{"registrations": [{"name": "a", "issuer": "https://a.example", "client_id": "1", "deployments": ["d"], "authorization_uri": "https://a.example/a", "jwks_uri": "https://a.example/j", "launch_uris": ["https://t.example/l"]}]}`)
	f.Add("registrations:\n  - name: A\n    launch_uris: [x, x]\noutbound: {allow_cidrs: [10.0.0.0/99]}\n")
	f.Add("a: &a [*a]\n")
	f.Add("\tlisten:")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "sidecar.yaml")
		if strings.Contains(text, "ca_file") {
			t.Skip("it would read files of this machine")
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := LoadConfig(path)
		switch {
		case err != nil && (config != nil || !strings.Contains(err.Error(), path)):
			t.Fatalf("%v, beside %+v", err, config)
		case err == nil && (config.Registry == nil || len(config.Registry.All()) != len(config.Registrations) || !filepath.IsAbs(config.DataDir) || config.Nonce.Store == ""):
			t.Fatalf("%+v", config)
		case err != nil:
			return
		}
		for _, address := range []string{config.Listen.TCP, config.Listen.JWKS} {
			host, _, err := net.SplitHostPort(address)
			if address != "" && (err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback()) {
				t.Fatalf("it listens on %q", address)
			}
		}
		for _, r := range config.Registry.All() {
			for _, uri := range append([]string{r.AuthorizationURI, r.JWKSURI, r.TokenURI}, r.LaunchURIs...) {
				parsed, err := url.Parse(uri)
				if uri != "" && (err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "https" && !(config.Dev && parsed.Scheme == "http")) {
					t.Fatalf("the registration %q has the URI %q", r.Name, uri)
				}
			}
			if r.ClientID == "" || r.Issuer == "" || len(r.LaunchURIs) == 0 || len(r.Deployments) == 0 && r.UnknownDeployments != platform.PendDeployments && r.UnknownDeployments != platform.AcceptDeployments {
				t.Fatalf("%+v", r)
			}
		}
	})
}
