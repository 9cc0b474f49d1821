// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// One binary and one simulator serve all tests.
var (
	binary string
	sim    *platformsim.Sim
)

const (
	launchURI = "https://tool.example/lti/launch"
	loginURI  = "https://tool.example/lti/login"
	patience  = 20 * time.Second // for a start or a stop on a busy machine
)

func TestMain(m *testing.M) {
	flag.Parse()
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		os.Exit(m.Run()) // no fuzz target needs a process, and each worker would build one
	}
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
	binary = filepath.Join(directory, "sidecar")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the sidecar: %w\n%s", err, output)
	}
	if sim, err = platformsim.New(platformsim.Config{}); err != nil {
		return 0, err
	}
	sim.Start()
	defer func() { err = errors.Join(err, sim.Close()) }()
	for _, name := range []string{"canvas", "moodle"} {
		if err := sim.Platform(name).SetTool(platformsim.ToolConfig{Name: "quiz", LoginURI: loginURI, LaunchURIs: []string{launchURI}}); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// home is where a sidecar lives: configuration, keys and data below one directory, and the place of its seal.
type home struct {
	t         *testing.T
	directory string // short: the path of a Unix socket has at most 107 bytes
	runtime   string // tmpfs where the host has one
	*grpc.ClientConn
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, directory: temporary(t, ""), runtime: temporary(t, tmpfs())}
	h.write("ca.pem", string(sim.CAPEM()))
	h.configure("")
	h.dial()
	t.Cleanup(func() { check(t, h.ClientConn.Close()) })
	return h
}

// dial makes a new connection: one that saw its sidecar killed may fail once more before it notices.
func (h *home) dial() {
	h.t.Helper()
	if h.ClientConn != nil {
		check(h.t, h.ClientConn.Close())
	}
	connection, err := grpc.NewClient("unix://"+h.path("run/sidecar.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1, MaxDelay: 10 * time.Millisecond},
			MinConnectTimeout: patience, // unset it is the delay, and a busy host needs longer to say hello
		}))
	check(h.t, err)
	h.ClientConn = connection
}

// tmpfs is a directory where a clean stop can leave the seal, or "".
func tmpfs() string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		return shared
	}
	return ""
}

func temporary(t *testing.T, parent string) string {
	t.Helper()
	directory, err := os.MkdirTemp(parent, "lti")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(directory)) })
	return directory
}

func (h *home) path(name string) string { return filepath.Join(h.directory, name) }

func (h *home) write(name, content string) {
	h.t.Helper()
	check(h.t, os.WriteFile(h.path(name), []byte(content), 0o600))
}

// configure writes the configuration: two registrations, paths relative to the file, and more lines before them.
func (h *home) configure(more string) {
	h.t.Helper()
	text := "outbound: {ca_file: ca.pem, allow_cidrs: [127.0.0.0/8]}\ndata_dir: data\n" + more
	if !strings.Contains(more, "listen:") {
		text += "listen: {socket: run/sidecar.sock}\n"
	}
	text += "registrations:\n"
	for _, name := range []string{"canvas", "moodle"} {
		r := sim.Platform(name).Registration("quiz")
		text += fmt.Sprintf("  - {name: %s, issuer: %q, client_id: %q, deployments: [%q], authorization_uri: %q, token_uri: %q, token_audience: %q, jwks_uri: %q, launch_uris: [%q], login_uri: %q}\n",
			name, r.Issuer, r.ClientID, r.DeploymentID, r.AuthorizationURI, r.TokenURI, r.TokenAudience, r.JWKSURI, launchURI, loginURI)
	}
	h.write("sidecar.yaml", text)
}

func (h *home) command(args ...string) *exec.Cmd {
	command := exec.Command(binary, args...)
	command.Dir = h.directory
	command.Env = append(os.Environ(), "LTISIDECAR_CONFIG=sidecar.yaml", "RUNTIME_DIRECTORY="+h.runtime)
	return command
}

// run runs the binary to its end and returns exit code and output.
func (h *home) run(args ...string) (code int, output string) {
	h.t.Helper()
	command := h.command(args...)
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	check(h.t, command.Start())
	timer := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	if err := command.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		h.t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), text.String()
}

// process is a sidecar that serves.
type process struct {
	*home
	command *exec.Cmd
	log     *bytes.Buffer // read after the end only
	ended   bool
}

// serve starts a sidecar and returns once it answers.
func (h *home) serve(args ...string) *process {
	h.t.Helper()
	p := h.start(args...)
	h.answers()
	return p
}

// start starts a sidecar and does not wait for it.
func (h *home) start(args ...string) *process {
	h.t.Helper()
	p := &process{home: h, command: h.command(append([]string{"serve"}, args...)...), log: &bytes.Buffer{}}
	p.command.Stderr = p.log
	check(h.t, p.command.Start())
	h.dial()
	h.t.Cleanup(func() {
		if !p.ended {
			p.kill()
		}
		if h.t.Failed() {
			h.t.Logf("log:\n%s", p.log)
		}
	})
	return p
}

// answers waits until the sidecar answers.
func (h *home) answers() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if _, err := pb.NewKeyServiceClient(h).GetToolKeySet(ctx, &pb.GetToolKeySetRequest{}); err != nil {
		h.t.Fatalf("it does not answer: %v", err)
	}
}

// stop ends the process by SIGTERM, which must be clean.
func (p *process) stop() {
	p.t.Helper()
	p.ended = true
	begun := time.Now()
	check(p.t, p.command.Process.Signal(syscall.SIGTERM))
	timer := time.AfterFunc(patience, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("not stopped cleanly: %v", err)
	}
	if taken := time.Since(begun); taken > 10*time.Second {
		p.t.Errorf("stopping took %s", taken)
	}
}

// kill ends the process as a crash does.
func (p *process) kill() {
	p.t.Helper()
	p.ended = true
	check(p.t, p.command.Process.Signal(syscall.SIGKILL))
	_ = p.command.Wait() // it says that the process was killed
}

// attempt is a launch that can be validated, more than once if need be.
type attempt struct {
	*home
	request *pb.ValidateLaunchRequest
}

func relay(form *platformsim.Form) *pb.BrowserRequest {
	request := &pb.BrowserRequest{Method: form.Method}
	for _, field := range form.Fields {
		request.Parameters = append(request.Parameters, &pb.Parameter{Name: field.Name, Value: field.Value})
	}
	return request
}

var students atomic.Int32

// student is the next one of the course: the grade book outlives a test.
func student() string { return fmt.Sprintf("student%d", 2+students.Add(1)%58) }

// begin takes a browser as far as the platform's answer.
func (h *home) begin(platform string) *attempt {
	h.t.Helper()
	browser, err := sim.NewBrowser()
	check(h.t, err)
	defer browser.Close()
	login, err := browser.LoginInitiation(h.t.Context(), platformsim.Click{Platform: platform, Tool: "quiz", User: student()})
	check(h.t, err)
	answer, err := pb.NewLaunchServiceClient(h).BuildAuthRequest(h.t.Context(), &pb.BuildAuthRequestRequest{Browser: relay(login)})
	if err != nil {
		h.t.Fatal(err)
	}
	form, err := browser.Authorize(h.t.Context(), answer.AuthorizationUri)
	if err != nil {
		h.t.Fatal(err)
	}
	request := relay(form)
	var pairs []string
	for _, header := range answer.Reply.Headers {
		if header.Name == "Set-Cookie" {
			pair, _, _ := strings.Cut(header.Value, ";")
			pairs = append(pairs, pair)
		}
	}
	request.CookieHeader = strings.Join(pairs, "; ")
	return &attempt{home: h, request: &pb.ValidateLaunchRequest{Browser: request}}
}

// at hands the launch to another sidecar, or to one that started anew.
func (a *attempt) at(h *home) (*pb.Launch, error) {
	answer, err := pb.NewLaunchServiceClient(h).ValidateLaunch(h.t.Context(), a.request)
	return answer.GetLaunch(), err
}

// launch makes a whole new launch, which must be accepted.
func (h *home) launch(platform string) (*attempt, *pb.Launch) {
	h.t.Helper()
	a := h.begin(platform)
	l, err := a.at(h)
	if err != nil || l == nil {
		h.t.Fatalf("a new login is refused: %v", err)
	}
	return a, l
}

// refused holds an error to one of several reasons.
func refused(t *testing.T, err error, reasons ...lti.Reason) {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			for _, reason := range reasons {
				if info.Reason == string(reason) {
					return
				}
			}
		}
	}
	t.Errorf("got %v, want one of %s", err, reasons)
}

// contains holds a text to all of some words.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in: %s", word, text)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
