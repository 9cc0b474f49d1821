// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// goodRegistration is the registration of most configurations below; its lines are 2 to 9.
const goodRegistration = `registrations:
  - name: lms
    issuer: https://lms.example
    client_id: c1
    deployments: ["1"]
    authorization_uri: https://lms.example/auth
    token_uri: https://lms.example/token
    jwks_uri: https://lms.example/jwks
    launch_uris: [https://tool.example/launch]
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sidecar.yaml")
	for file, content := range map[string]string{path: text, filepath.Join(filepath.Dir(path), "short.secret"): strings.Repeat("s", 31),
		filepath.Join(filepath.Dir(path), "long.secret"): strings.Repeat("s", 32)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// command runs a subcommand inside the test.
func command(args ...string) (output string, err error) {
	root := newRoot()
	var text bytes.Buffer
	root.SetOut(&text)
	root.SetErr(&text)
	root.SetArgs(args)
	err = root.Execute()
	return text.String(), err
}

func TestConfigCheckRefuses(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) string {
		if !strings.Contains(goodRegistration, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.Replace(goodRegistration, old, new, 1)
	}
	// and adds a second registration that differs from the first one.
	and := func(pairs ...string) string {
		return goodRegistration + strings.NewReplacer(append(pairs, "registrations:\n", "")...).Replace(goodRegistration)
	}
	for _, test := range []struct {
		name, text string
		place      string   // line and column; empty: none
		words      []string // all in the output
	}{
		{"an unknown key", "listen:\n  sokcet: /x\n", "2:3", []string{"sokcet", "docs/config.md"}},
		{"an unknown key in a registration", goodRegistration + "    jwks_url: https://lms.example\n", "10:5", []string{"jwks_url"}},
		{"a key twice", "dev: true\ndev: false\n", "2:1", []string{"dev"}},
		{"a list for a text", "data_dir: [a]\n", "1:11", []string{"data_dir"}},
		{"a text for a bool", "dev: perhaps\n", "1:6", []string{"dev"}},
		{"a text for a list", replace(`["1"]`, `"1"`), "5:18", []string{"deployments"}},
		{"a mapping for a list", "registrations: {name: lms}\n", "1:16", []string{"registrations"}},
		{"a tag before a text", "registrations:\n  !a b\n", "", []string{"look for a tag (!)", "it says: "}},
		{"no YAML", "listen: [\n", "1:", []string{"not a valid configuration"}},
		{"two documents", goodRegistration + "---\ndev: true\n", "", []string{"more than one YAML document"}},
		{"tcp on all addresses", "listen: {tcp: ':50051'}\n", "1:15", []string{"listen.tcp", "use 127.0.0.1"}},
		{"tcp off loopback", "listen: {tcp: '10.0.0.1:50051'}\n", "1:15", []string{"listen.tcp", "loopback"}},
		{"tcp by name", "listen: {tcp: 'tool.example:50051'}\n", "1:15", []string{"listen.tcp", "loopback"}},
		{"tcp without port", "listen:\n  tcp: 127.0.0.1\n", "2:8", []string{"listen.tcp", "write 127.0.0.1:50051"}},
		{"tcp with a bad port", "listen:\n  tcp: 127.0.0.1:99999\n", "2:8", []string{"listen.tcp", "write 127.0.0.1:50051"}},
		{"jwks off loopback", "listen: {jwks: '0.0.0.0:80'}\n", "1:16", []string{"listen.jwks", "loopback"}},
		{"JSON on the socket of gRPC", "listen:\n  socket: /run/s.sock\n  json: /run/s.sock\n", "3:9", []string{"listen.json", "its own"}},
		{"a long JSON socket path", "listen:\n  json: /" + strings.Repeat("s", 107) + "\n", "2:9", []string{"listen.json", "107", "none"}},
		{"JSON off loopback", "listen:\n  json_tcp: 0.0.0.0:8580\n", "2:13", []string{"listen.json_tcp", "loopback"}},
		{"a long socket path", "listen:\n  socket: /" + strings.Repeat("s", 107) + "\n", "2:11", []string{"listen.socket", "107"}},
		{"a grace that is no time", "platform_keys: {stale_if_error: a day}\n", "1:33", []string{"platform_keys.stale_if_error", "12h"}},
		{"a grace without end", "platform_keys: {stale_if_error: 25h}\n", "1:33", []string{"platform_keys.stale_if_error", "0s to 24h"}},
		{"a negative grace", "platform_keys: {stale_if_error: -1s}\n", "1:33", []string{"platform_keys.stale_if_error"}},
		{"an unknown sync", "nonce: {sync: sometimes}\n", "1:15", []string{"nonce.sync", "never, always"}},
		{"a store of no kind", "store: {url: 'mysql://db'}\n", "1:14", []string{"store.url", "redis://HOST:6379", "postgres://"}},
		{"a store without secret", "store: {url: 'redis://db'}\n", "1:", []string{"store.secret_file", "openssl rand -hex 32"}},
		{"a short secret", "store: {url: 'redis://db', secret_file: short.secret}\n", "1:41", []string{"store.secret_file", "fewer than 32"}},
		{"a secret without store", "store: {secret_file: long.secret}\n", "1:22", []string{"store.secret_file", "without store.url"}},
		{"PostgreSQL without encryption key", "store: {url: 'postgres://db', secret_file: long.secret}\n", "", []string{"keys.encryption_key_file", "PostgreSQL"}},
		{"an encryption key for files", "keys: {encryption_key_file: long.secret}\n", "1:29", []string{"keys.encryption_key_file", "PostgreSQL"}},
		{"a CA file with PostgreSQL", "store: {url: 'postgres://db', secret_file: long.secret, ca_file: none.pem}\nkeys: {encryption_key_file: long.secret}\n", "1:66", []string{"store.ca_file", "sslrootcert"}},
		{"no store CA file", "store: {url: 'rediss://db', secret_file: long.secret, ca_file: none.pem}\n", "1:64", []string{"store.ca_file", "no such file"}},
		{"a nonce store beside a shared one", "store: {url: 'rediss://db', secret_file: long.secret}\nnonce: {store: badger}\n", "2:8", []string{"nonce", "store.url"}},
		{"an unknown store", "nonce: {store: redis}\n", "1:16", []string{"nonce.store", "badger"}},
		{"an unknown level", "log: {level: verbose}\n", "1:14", []string{"log.level", "debug, info, warn or error"}},
		{"no CIDR", "outbound: {allow_cidrs: [10.0.0.0/8, 127.0.0.1]}\n", "1:38", []string{"outbound.allow_cidrs[1]", "write 10.0.0.0/8"}},
		{"no CA file", "outbound:\n  ca_file: none.pem\n", "2:12", []string{"outbound.ca_file", "none.pem", "no such file"}},
		{"a CA file without certificate", "outbound:\n  ca_file: sidecar.yaml\n", "2:12", []string{"outbound.ca_file", "no PEM certificate"}},
		{"no name", replace("name: lms", `name: ""`), "2:11", []string{"registrations[0].name", "is not a name"}},
		{"an issuer is missing", replace("    issuer: https://lms.example\n", ""), "2:", []string{"registrations[0].issuer", "it is required"}},
		{"a client id is missing", replace("    client_id: c1\n", ""), "2:", []string{"registrations[0].client_id", "it is required"}},
		{"no deployments", replace(`["1"]`, "[]"), "5:18", []string{"registrations[0].deployments", "unknown_deployments"}},
		{"no authorization URI", replace("    authorization_uri: https://lms.example/auth\n", ""), "2:", []string{"registrations[0].authorization_uri", "it is required"}},
		{"no JWKS URI", replace("    jwks_uri: https://lms.example/jwks\n", ""), "2:", []string{"registrations[0].jwks_uri", "it is required"}},
		{"no launch URI", replace("[https://tool.example/launch]", "[]"), "9:18", []string{"registrations[0].launch_uris", "at least one"}},
		{"an http URI", replace("https://lms.example/token", "http://lms.example/token"), "7:16", []string{"registrations[0].token_uri", "dev: true"}},
		{"an http launch URI", replace("[https://tool", "[http://tool"), "9:19", []string{"registrations[0].launch_uris[0]", "dev: true"}},
		{"an unknown dialect", goodRegistration + "    dialect: lms\n", "10:14", []string{"registrations[0].dialect", "canvas, moodle"}},
		{"an unknown anonymous policy", goodRegistration + "    anonymous: maybe\n", "10:16", []string{"registrations[0].anonymous", "reject, accept"}},
		{"an unknown algorithm", goodRegistration + "    algorithms: [RS256, none]\n", "10:25", []string{"registrations[0].algorithms[1]", "RS256"}},
		{"an unknown message type", goodRegistration + "    message_types: [Other]\n", "10:21", []string{"registrations[0].message_types[0]", "LtiResourceLinkRequest"}},
		{"a message type of tools", goodRegistration + "    message_types: [LtiStartAssessment]\n", "10:21", []string{"registrations[0].message_types[0]", "LtiStartProctoring"}},
		{"no LTI 1.1 consumer key", goodRegistration + "    lti11:\n      - secret_file: x\n", "11:", []string{"registrations[0].lti11[0].secret_file", "no such file"}},
		{"no LTI 1.1 secret file", goodRegistration + "    lti11:\n      - consumer_key: k\n", "11:", []string{"registrations[0].lti11[0].secret_file", "it is required"}},
		{"one name twice", and("c1", "c2"), "2:", []string{`"lms"`, "rename"}},
		{"one issuer and client id twice", and("name: lms", "name: second"), "2:", []string{`"lms" and "second"`, "same issuer and client_id"}},
		{"keys of one issuer on two hosts", and("name: lms", "name: second", "c1", "c2", "https://lms.example/jwks", "https://b.example/jwks"), "2:", []string{"subject_namespace"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := writeConfig(t, test.text)
			output, err := command("config", "check", "--config", path)
			if err == nil {
				t.Fatalf("accepted: %s", output)
			}
			message := err.Error()
			for _, word := range append(test.words, path) {
				if !strings.Contains(message, word) {
					t.Errorf("%q is not in: %s", word, message)
				}
			}
			if test.place != "" && !strings.Contains(message, path+":"+test.place) && !strings.Contains(message, "["+test.place) {
				t.Errorf("the place is not %s: %s", test.place, message)
			}
		})
	}
}

// All problems are told at once, each on a line of its own.
func TestConfigCheckTellsAll(t *testing.T) {
	t.Parallel()
	_, err := LoadConfig(writeConfig(t, "listen: {tcp: 'x'}\nnonce: {store: x}\nlog: {level: x}\nregistrations:\n  - name: lms\n"))
	if err == nil || len(strings.Split(err.Error(), "\n")) < 9 {
		t.Error(err)
	}
}

func TestConfigCheckWarns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, place, words string }{
		{"no registrations", "dev: false\n", "", "there are none"},
		{"an empty file", "", "", "there are none"},
		{"a deployment id equal to the client id", strings.Replace(goodRegistration, `["1"]`, `["c1"]`, 1), "5:19", "equal to client_id"},
		{"a slash after the issuer", strings.Replace(goodRegistration, "issuer: https://lms.example", "issuer: https://lms.example/", 1), "3:13", "ends with a slash"},
		{"an http issuer", strings.Replace(goodRegistration, "issuer: https", "issuer: http", 1), "3:13", "begins with http"},
		{"launch URIs that differ by a slash", strings.Replace(goodRegistration, "[https://tool.example/launch]", "[https://tool.example/launch, https://tool.example/launch/]", 1), "9:48", "trailing slash"},
		{"an http URI in development", "dev: true\n" + strings.Replace(goodRegistration, "jwks_uri: https", "jwks_uri: http", 1), "9:15", "it is http"},
		{"an http launch URI in development", "dev: true\n" + strings.Replace(goodRegistration, "[https://tool", "[http://tool", 1), "10:19", "it is http"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := writeConfig(t, test.text)
			output, err := command("config", "check", "--config", path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(output, "warning: "+path) || !strings.Contains(output, test.words) || !strings.Contains(output, "warnings: 1\n") || test.place != "" && !strings.Contains(output, path+":"+test.place+":") {
				t.Errorf("%s", output)
			}
		})
	}
	output, err := command("config", "check", "--config", writeConfig(t, goodRegistration))
	if err != nil || output != "config: ok, registrations: 1, warnings: 0\n" {
		t.Errorf("%q %v", output, err)
	}
}

func TestConfigFiles(t *testing.T) {
	t.Parallel()
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Error(err)
	}
	if _, err := LoadConfig(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	if _, err := LoadConfig(writeConfig(t, "# "+strings.Repeat("x", 4<<20))); err == nil || !strings.Contains(err.Error(), "4 MiB") {
		t.Error(err)
	}
	if _, err := LoadConfig(writeConfig(t, "---\n"+goodRegistration)); err != nil {
		t.Errorf("a leading ---: %v", err)
	}
}

func TestConfigLTI11(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, goodRegistration+"    message_types: [LtiEulaRequest, LtiDataPrivacyLaunchRequest]\n    lti11: [{consumer_key: k1, secret_file: k1.secret}]\n")
	secret := filepath.Join(filepath.Dir(path), "k1.secret")
	if err := os.WriteFile(secret, []byte("s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	r := config.Registry.All()[0]
	if len(r.LTI11) != 1 || r.LTI11[0].ConsumerKey != "k1" || r.LTI11[0].Secret.Reveal() != "s3cr3t" {
		t.Errorf("%+v", r.LTI11)
	}
	if want := []lti.MessageType{lti.MessageEULA, lti.MessageDataPrivacy}; !slices.Equal(r.MessageTypes, want) {
		t.Errorf("message types %q", r.MessageTypes)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if output, err := command("config", "check", "--config", path); err == nil || !strings.Contains(err.Error(), "lti11[0].secret_file") || strings.Contains(output+err.Error(), "s3cr3t") {
		t.Errorf("a secret that others can read: %q %v", output, err)
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, goodRegistration)
	config, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Listen.Socket != "/run/ltisidecar/sidecar.sock" || config.DataDir != "/var/lib/ltisidecar" || config.Keys.Directory != filepath.Join(filepath.Dir(path), "keys") ||
		config.Nonce.Store != "badger" || config.LogLevel != slog.LevelInfo || config.Dev || config.CAPEM != nil || config.StaleIfError != 24*time.Hour || config.PlatformKeys.WarmStart != nil || len(config.Registry.All()) != 1 {
		t.Errorf("%+v", config)
	}
	config, err = LoadConfig(writeConfig(t, "listen: {tcp: 'localhost:0'}\nlog: {level: warn}\n"))
	if err != nil || config.Listen.Socket != "" || config.Listen.address() != "localhost:0" || config.LogLevel != slog.LevelWarn {
		t.Errorf("%+v %v", config, err)
	}
}

func TestConfigValues(t *testing.T) {
	t.Parallel()
	config, err := LoadConfig(writeConfig(t, `dev: true
outbound: {allow_cidrs: [127.0.0.1/8, "fd00::/8"]}
nonce: {store: memory}
platform_keys: {stale_if_error: 0s, warm_start: false}
registrations:
  - name: lms
    issuer: http://lms.example
    client_id: "10000000000001"
    deployments: ["1", "2"]
    unknown_deployments: pending
    authorization_uri: http://lms.example/auth
    token_uri: http://lms.example/token
    token_audience: audience
    jwks_uri: http://lms.example/jwks
    launch_uris: [http://tool.example/launch]
    login_uri: http://tool.example/login
    target_origins: [http://a.example]
    service_origins: [http://b.example]
    message_types: [LtiResourceLinkRequest]
    algorithms: [PS256]
    anonymous: accept
    dialect: moodle
    deployment_claim: false
    subject_namespace: n
`))
	if err != nil {
		t.Fatal(err)
	}
	r := config.Registry.All()[0]
	want := platform.Registration{
		Name: "lms", Issuer: "http://lms.example", ClientID: "10000000000001", Deployments: []string{"1", "2"}, UnknownDeployments: platform.PendDeployments,
		AuthorizationURI: "http://lms.example/auth", TokenURI: "http://lms.example/token", TokenAudience: "audience", JWKSURI: "http://lms.example/jwks",
		LaunchURIs: []string{"http://tool.example/launch"}, LoginURI: "http://tool.example/login", TargetOrigins: []string{"http://a.example"}, ServiceOrigins: []string{"http://b.example"},
		MessageTypes: []lti.MessageType{lti.MessageResourceLink}, Algorithms: []string{"PS256"}, AllowAnonymous: true, Dialect: "moodle", OmitDeploymentClaim: true, SubjectNamespace: "n",
	}
	if !reflect.DeepEqual(*r, want) {
		t.Errorf("got  %+v\nwant %+v", *r, want)
	}
	if !slices.Equal(config.AllowCIDRs, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}) || config.Nonce.Store != "memory" ||
		config.StaleIfError != 0 || config.PlatformKeys.WarmStart == nil || *config.PlatformKeys.WarmStart {
		t.Errorf("%+v", config)
	}
}

// A configuration named by a relative path means the same as by its absolute one.
func TestConfigOfARelativePath(t *testing.T) {
	path := writeConfig(t, "listen: {socket: s.sock}\ndata_dir: data\nkeys: {directory: k}\n")
	t.Chdir(filepath.Dir(path))
	config, err := LoadConfig("sidecar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{config.Listen.Socket, config.DataDir, config.Keys.Directory} {
		if !filepath.IsAbs(got) {
			t.Errorf("%q is relative", got)
		}
	}
	if !strings.HasPrefix(config.Listen.address(), "unix:///") {
		t.Errorf("healthcheck asks at %s", config.Listen.address())
	}
}

func TestConfigVariable(t *testing.T) {
	path := writeConfig(t, goodRegistration)
	t.Setenv(configVariable, path)
	if output, err := command("config", "check"); err != nil || !strings.HasPrefix(output, "config: ok") {
		t.Error(output, err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	output, err := command("version")
	if err != nil || !regexp.MustCompile(`^sidecar \S+ \(go1\.\S+ \w+/\w+\)\n$`).MatchString(output) {
		t.Errorf("%q %v", output, err)
	}
	for _, args := range [][]string{{"nonsense"}, {"version", "extra"}, {"config", "check", "extra"}, {"serve", "--nonsense"}} {
		if output, err := command(args...); err == nil {
			t.Errorf("%v: %s", args, output)
		}
	}
}
