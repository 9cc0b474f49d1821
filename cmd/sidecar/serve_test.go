// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

func TestServe(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if code, output := h.run("healthcheck"); code != 1 || !strings.Contains(output, "no sidecar answers") {
		t.Errorf("before the start: %d %s", code, output)
	}
	h.configure("log: {level: debug}\n")
	p := h.serve()
	if code, output := h.run("healthcheck"); code != 0 || output != "healthcheck: ready\n" {
		t.Errorf("healthcheck: %d %s", code, output)
	}
	for path, want := range map[string]os.FileMode{"run": 0o750 | os.ModeDir, "run/sidecar.sock": 0o660 | os.ModeSocket, "run/sidecar-json.sock": 0o660 | os.ModeSocket, "keys": 0o700 | os.ModeDir, "data": 0o700 | os.ModeDir, "data/records.db": 0o600, "keys/token.key": 0o600, "keys/instance": 0o600} {
		if info, err := os.Stat(h.path(path)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %s", path, info.Mode(), err, want)
		}
	}
	if reflects(h) != codes.Unimplemented {
		t.Error("reflection is on without dev: true")
	}

	// All RPCs with both platforms; then nothing of it in the log.
	keys, err := pb.NewKeyServiceClient(h).GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{})
	check(t, err)
	secrets := []string{"eyJ", "PRIVATE"}
	for _, platform := range []string{"canvas", "moodle"} {
		check(t, sim.Platform(platform).SetTool(platformsim.ToolConfig{Name: "quiz", LoginURI: loginURI, LaunchURIs: []string{launchURI}, JWKS: keys.Jwks}))
		a, l := h.launch(platform)
		for _, parameter := range a.request.Browser.Parameters {
			if parameter.Name == "id_token" || parameter.Name == "state" {
				secrets = append(secrets, parameter.Value)
			}
		}
		for pair := range strings.SplitSeq(a.request.Browser.CookieHeader, "; ") {
			_, secret, _ := strings.Cut(pair, "=")
			secrets = append(secrets, secret)
		}
		secrets = append(secrets, l.LaunchToken, l.User.Name, l.User.Email)
		checked, err := pb.NewLaunchServiceClient(h).CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: l.LaunchToken})
		check(t, err)
		token, err := pb.NewTokenServiceClient(h).GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: platform, DeploymentId: l.DeploymentId, Scopes: []string{lti.ScopeScore}})
		check(t, err)
		secrets = append(secrets, checked.GetLaunch().GetLaunchToken(), token.GetAccessToken())
		ten, comment := 10.0, "A private comment"
		secrets = append(secrets, comment)
		_, err = pb.NewGradeServiceClient(h).PostScore(t.Context(), &pb.PostScoreRequest{Endpoint: l.Grades, Score: &pb.Score{UserId: l.User.Id, ScoreGiven: &ten, ScoreMaximum: &ten, Comment: comment}})
		check(t, err)
		stream, err := pb.NewRosterServiceClient(h).ListMembers(t.Context(), &pb.ListMembersRequest{Endpoint: l.Memberships})
		check(t, err)
		for {
			part, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, member := range part.GetBatch().GetMembers() {
				secrets = append(secrets, member.Name, member.Email)
			}
		}
		_, err = a.at(h)
		refused(t, err, lti.ReasonNonceReplayed)
	}
	p.stop()
	log := p.log.String()
	for _, secret := range secrets {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	contains(t, log, `"msg":"ready"`, `"msg":"stopping"`, `"msg":"stopped"`, `"reason":"NONCE_REPLAYED"`, h.path("run/sidecar.sock"))
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if _, err := os.Lstat(h.path("run/sidecar.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if code, _ := h.run("healthcheck"); code != 1 {
		t.Errorf("healthcheck after the end: %d", code)
	}
}

// reflects asks for the services and returns the code.
func reflects(h *home) codes.Code {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(h).ServerReflectionInfo(ctx)
	check(h.t, err)
	err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
	if !errors.Is(err, io.EOF) { // EOF says that the answer is an error, which Recv has
		check(h.t, err)
	}
	_, err = stream.Recv()
	return status.Code(err)
}

func TestDevAndJWKSListener(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := probe.Addr().String()
	check(t, probe.Close())
	h := newHome(t)
	h.configure(fmt.Sprintf("dev: true\nnonce: {store: memory}\nlisten: {socket: run/sidecar.sock, tcp: '127.0.0.1:0', jwks: %q}\n", address))
	p := h.serve()
	if code := reflects(h); code != codes.OK {
		t.Errorf("reflection: %s", code)
	}
	keys, err := pb.NewKeyServiceClient(h).GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{})
	check(t, err)
	response, err := http.Get("http://" + address + "/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != keys.Jwks || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", body, err)
	}
	h.launch("canvas")
	slow, err := net.Dial("tcp", address) // a request that never ends does not hold the stop up
	check(t, err)
	defer slow.Close()
	_, err = io.WriteString(slow, "GET /jwks.json HTTP/1.1\r\nHost: x\r\n")
	check(t, err)
	p.stop()
	contains(t, p.log.String(), `"tcp:127.0.0.1:`)
	if _, err := os.Stat(h.path("data/nonces")); !os.IsNotExist(err) {
		t.Errorf("nonce.store: memory wrote to disk: %v", err)
	}

	// The port is taken: the start fails, says so, and leaves no socket.
	taken, err := net.Listen("tcp", address)
	check(t, err)
	defer taken.Close()
	code, output := h.run("serve")
	if code != 1 {
		t.Errorf("with the port taken: %d", code)
	}
	contains(t, output, address, "address already in use")
}

func TestCleanRestart(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.serve()
	waiting := h.begin("canvas")
	used, l := h.launch("moodle")
	p.stop()
	h.serve()
	_, err := used.at(h)
	if tmpfs() == "" {
		refused(t, err, lti.ReasonStateStale)
		_, err = waiting.at(h)
		refused(t, err, lti.ReasonStateStale)
	} else {
		refused(t, err, lti.ReasonNonceReplayed)
		contains(t, err.Error(), "accepted before")
		if _, err := waiting.at(h); err != nil {
			t.Errorf("a login that was under way: %v", err)
		}
	}
	if _, err := pb.NewLaunchServiceClient(h).CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: l.LaunchToken}); err != nil {
		t.Errorf("the launch token of before: %v", err)
	}
	h.launch("moodle")
}

func TestCrash(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.serve()
	waiting := h.begin("canvas")
	used, _ := h.launch("moodle")
	p.kill()
	if info, err := os.Lstat(h.path("run/sidecar.sock")); err != nil || info.Mode()&os.ModeSocket == 0 {
		t.Fatalf("the crash left no socket to take over: %v", err)
	}
	p = h.serve()
	for name, a := range map[string]*attempt{"used": used, "under way": waiting} {
		_, err := a.at(h)
		refused(t, err, lti.ReasonStateStale)
		if t.Failed() {
			t.Fatalf("the launch %s", name)
		}
	}
	again, _ := h.launch("canvas")
	p.stop()
	h.serve()
	_, err := again.at(h)
	refused(t, err, lti.ReasonNonceReplayed, lti.ReasonStateStale)
	_, err = used.at(h)
	refused(t, err, lti.ReasonStateStale)
}

// A copy of the directory, made while the sidecar was stopped, brings no used launch back, however the run after it
// ended.
func TestRestoredCopy(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process){"after a crash": (*process).kill, "after a clean stop": (*process).stop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			p := h.serve()
			a := h.begin("canvas")
			p.stop()
			aside := filepath.Join(temporary(t, ""), "copy")
			check(t, os.CopyFS(aside, os.DirFS(h.path("data"))))
			p = h.serve()
			if _, err := a.at(h); err != nil && tmpfs() != "" {
				t.Fatalf("a login across a clean restart: %v", err)
			}
			b, _ := h.launch("canvas")
			end(p)
			check(t, os.RemoveAll(h.path("data")))
			check(t, os.CopyFS(h.path("data"), os.DirFS(aside)))
			check(t, os.Chmod(h.path("data"), 0o700))
			h.serve()
			for _, used := range []*attempt{a, b} {
				_, err := used.at(h)
				refused(t, err, lti.ReasonStateStale)
			}
			h.launch("canvas")
		})
	}
}

// It takes the time, so nothing else runs beside it.
func TestSecondSidecar(t *testing.T) {
	h := newHome(t)
	p := h.serve()
	other := newHome(t)
	other.configure(fmt.Sprintf("listen: {socket: run/other.sock}\nkeys: {directory: %s}\n", h.path("keys")))
	rewrite(t, other, "data_dir: data", "data_dir: "+h.path("data"))
	same := newHome(t)
	rewrite(t, same, "run/sidecar.sock", h.path("run/sidecar.sock"))
	for name, test := range map[string]struct {
		home  *home
		words []string
	}{
		"the same data directory": {other, []string{"in use by process " + fmt.Sprint(p.command.Process.Pid), "data"}},
		"the same socket":         {same, []string{"already listens on " + h.path("run/sidecar.sock")}},
		"the same configuration":  {h, []string{"in use by process " + fmt.Sprint(p.command.Process.Pid)}},
	} {
		begun := time.Now()
		code, output := test.home.run("serve")
		if taken := time.Since(begun); code != 1 || taken > 2*time.Second {
			t.Errorf("%s: exit %d after %s", name, code, taken)
		}
		contains(t, output, test.words...)
	}
	h.launch("canvas") // undisturbed
}

// rewrite changes a home's configuration.
func rewrite(t *testing.T, h *home, old, new string) {
	t.Helper()
	text, err := os.ReadFile(h.path("sidecar.yaml"))
	check(t, err)
	if !strings.Contains(string(text), old) {
		t.Fatalf("%q is not in the configuration", old)
	}
	h.write("sidecar.yaml", strings.Replace(string(text), old, new, 1))
}

func TestTwoSidecars(t *testing.T) {
	t.Parallel()
	a, b := newHome(t), newHome(t)
	a.serve()
	b.serve()
	astray := a.begin("canvas")
	_, err := astray.at(b)
	refused(t, err, lti.ReasonStateOtherInstance)
	contains(t, err.Error(), "two sidecars need one shared store")
	if _, err := astray.at(a); err != nil {
		t.Errorf("at its own sidecar: %v", err)
	}
}

func entries(t *testing.T, directory string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(directory)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

// Lost keys or records are never replaced in silence; --accept-loss does so once.
func TestLoss(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		lose     func(*home)
		words    []string
		repaired bool // by --accept-loss
	}{
		{"the key directory", func(h *home) { check(h.t, os.RemoveAll(h.path("keys"))) }, []string{"is gone", "restore the key directory", "--accept-loss"}, true},
		{"the data directory", func(h *home) { check(h.t, os.RemoveAll(h.path("data"))) }, []string{"records in data_dir are gone", "restore data_dir", "--accept-loss"}, true},
		{"the key files", func(h *home) {
			for _, name := range entries(h.t, h.path("keys")) {
				if name != instanceFile {
					check(h.t, os.Remove(h.path("keys/"+name)))
				}
			}
		}, []string{"no tool key", "restore it from a backup"}, true},
		{"the instance file", func(h *home) { check(h.t, os.Remove(h.path("keys/instance"))) }, []string{"keys/instance is gone", "--accept-loss"}, true},
		{"a whole instance file", func(h *home) { h.write("keys/instance", "xyz\n") }, []string{"of two sidecars"}, false},
		{"the records' own instance", func(h *home) { h.write("keys/instance", "00112233\n") }, []string{"of two sidecars", "00112233"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			p := h.serve()
			old, _ := h.launch("canvas")
			p.stop()
			test.lose(h)
			before := strings.Join(entries(t, h.path("keys")), " ")
			for range 2 { // a refused start changes nothing for the next one
				code, output := h.run("serve")
				if code != 1 {
					t.Fatalf("exit %d: %s", code, output)
				}
				contains(t, output, test.words...)
			}
			if after := strings.Join(entries(t, h.path("keys")), " "); after != before {
				t.Errorf("the refused start made keys: %q, was %q", after, before)
			}
			if !test.repaired {
				code, output := h.run("serve", "--accept-loss")
				if code != 1 {
					t.Errorf("exit %d: %s", code, output)
				}
				contains(t, output, test.words...)
				return
			}
			p = h.serve("--accept-loss")
			_, err := old.at(h)
			refused(t, err, lti.ReasonStateStale, lti.ReasonNonceReplayed)
			h.launch("canvas")
			p.stop()
			h.serve() // without the flag
			h.launch("canvas")
		})
	}
}

func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(*home)
		words []string
	}{
		{"a key that others can read", func(h *home) {
			for _, name := range entries(h.t, h.path("keys")) {
				if strings.HasSuffix(name, ".pem") {
					check(h.t, os.Chmod(h.path("keys/"+name), 0o644))
				}
			}
		}, []string{"can be read by others", "chmod 600"}},
		{"token.key that others can read", func(h *home) { check(h.t, os.Chmod(h.path("keys/token.key"), 0o640)) }, []string{"token.key can be read by others", "chmod 600"}},
		{"a key directory that others can read", func(h *home) { check(h.t, os.Chmod(h.path("keys"), 0o755)) }, []string{"can be read by others", "chmod 700 " + "/"}},
		{"a file where the socket goes", func(h *home) { h.write("run/sidecar.sock", "precious") }, []string{"run/sidecar.sock is there and is no socket", "move it away"}},
		{"a link where the socket goes", func(h *home) { check(h.t, os.Symlink(h.path("ca.pem"), h.path("run/sidecar.sock"))) }, []string{"is no socket"}},
		{"a socket directory that all can write to", func(h *home) { check(h.t, os.Chmod(h.path("run"), 0o777)) }, []string{"anyone can write", "chmod o-w"}},
		{"damaged records", func(h *home) { h.write("data/records.db", "nonsense") }, []string{"damaged", "restore it from a backup"}},
		{"a CA file without certificate", func(h *home) { h.write("ca.pem", "nonsense") }, []string{"sidecar.yaml:1:", "outbound.ca_file", "no PEM certificate"}},
		{"no CA file", func(h *home) { check(h.t, os.Remove(h.path("ca.pem"))) }, []string{"sidecar.yaml:1:", "outbound.ca_file", "no such file"}},
		{"no configuration", func(h *home) { check(h.t, os.Remove(h.path("sidecar.yaml"))) }, []string{"there is no configuration", "docs/config.md"}},
		{"an unknown key", func(h *home) { h.configure("dve: true\n") }, []string{"sidecar.yaml", "3:1", "dve"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.serve().stop()
			test.spoil(h)
			code, output := h.run("serve")
			if code != 1 {
				t.Errorf("exit %d", code)
			}
			contains(t, output, test.words...)
			if content, err := os.ReadFile(h.path("run/sidecar.sock")); err == nil && string(content) != "precious" && string(content) != string(sim.CAPEM()) {
				t.Errorf("the file was changed: %q", content)
			}
		})
	}
}

func TestConfigCheckExits(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if code, output := h.run("config", "check"); code != 0 || !strings.Contains(output, "config: ok, registrations: 2") {
		t.Errorf("%d %s", code, output)
	}
	h.configure("nonce: {store: redis}\n")
	code, output := h.run("config", "check")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	contains(t, output, "sidecar.yaml:3:16: nonce.store", "use badger")
	if got := entries(t, h.directory); len(got) != 2 {
		t.Errorf("config check left %q", got)
	}
}

// A client that watches the health, as many do, does not hold a stop up beyond its limit.
func TestStopWithAnOpenStream(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.serve()
	stream, err := healthpb.NewHealthClient(h).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	check(t, err)
	if state, err := stream.Recv(); err != nil || state.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v %v", state, err)
	}
	p.stop()
	if state, err := stream.Recv(); err != nil || state.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("before the end: %v %v", state, err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream goes on")
	}
}

// An interrupt from the keyboard is a clean stop.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.serve()
	p.ended = true
	check(t, p.command.Process.Signal(syscall.SIGINT))
	check(t, p.command.Wait())
	contains(t, p.log.String(), `"msg":"stopped"`)
}

// TestJSONListeners: the same calls over the second socket and over TCP, and neither where they are switched off.
func TestJSONListeners(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := probe.Addr().String()
	check(t, probe.Close())
	h := newHome(t)
	h.configure(fmt.Sprintf("listen: {socket: run/sidecar.sock, json_tcp: %q}\n", address))
	p := h.serve()
	keys, err := pb.NewKeyServiceClient(h).GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{})
	check(t, err)
	for _, network := range []string{"unix", "tcp"} {
		place := map[string]string{"unix": h.path("run/sidecar-json.sock"), "tcp": address}[network]
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, place)
		}}}
		response, err := client.Post("http://ltisidecar/ltisidecar.v1.KeyService/GetToolKeySet", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ JWKS string }
		check(t, json.NewDecoder(response.Body).Decode(&answer))
		check(t, response.Body.Close())
		if answer.JWKS != keys.Jwks {
			t.Errorf("over %s: %q", network, answer.JWKS)
		}
	}
	p.stop() // while two connections are idle
	contains(t, p.log.String(), h.path("run/sidecar-json.sock"), address)

	h.configure("listen: {socket: run/sidecar.sock, json: none}\n")
	h.serve()
	if _, err := os.Lstat(h.path("run/sidecar-json.sock")); !os.IsNotExist(err) {
		t.Errorf("listen.json: none, and there is a socket: %v", err)
	}
}
