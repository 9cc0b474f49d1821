// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// stopTime is how long a sidecar has to stop cleanly.
const stopTime = 20 * time.Second

// sidecar is a node that is a process: the place of it, and the process that runs there now.
type sidecar struct {
	binary     string
	directory  string // data, keys, run and log are in it
	runtime    string // where a clean stop leaves the seal
	connection *grpc.ClientConn
	launches   pb.LaunchServiceClient

	process *exec.Cmd // nil: none
	ended   chan struct{}
}

// ownKeys is the YAML of keys in files.
const ownKeys = "keys: {directory: keys}\n"

// newSidecar makes a place. more is the YAML of its keys and its store.
func newSidecar(binary, directory, runtime, jwksURI, more string) (*sidecar, error) {
	s := &sidecar{binary: binary, directory: directory, runtime: runtime}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`dev: true
listen: {socket: %q}
data_dir: data
outbound: {allow_cidrs: ["127.0.0.0/8"]}
log: {level: error}
registrations:
  - {name: drill, issuer: %q, client_id: %q, deployments: ["1"], authorization_uri: %q, jwks_uri: %q, launch_uris: [%q], algorithms: [ES256]}
%s`, s.socket(), issuer, clientID, issuer+"/auth", jwksURI, launchURI, more)
	if err := os.WriteFile(s.path("sidecar.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	var err error
	s.connection, err = grpc.NewClient("unix://"+s.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond}, MinConnectTimeout: time.Second,
	}))
	if err != nil {
		return nil, err
	}
	s.launches = pb.NewLaunchServiceClient(s.connection)
	return s, nil
}

func (s *sidecar) path(name string) string { return filepath.Join(s.directory, name) }
func (s *sidecar) socket() string          { return s.path("s") }

// start starts a process. Whether it serves is seen by whoever waits for the group to recover.
func (s *sidecar) start() error {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	process := exec.Command(s.binary, "serve", "--config", s.path("sidecar.yaml"))
	process.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+s.runtime)
	process.Stderr = log
	if err := process.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = process.Wait() // how it ended is in ProcessState
		close(ended)
	}()
	s.process, s.ended = process, ended
	return nil
}

// kill ends the process as kill -9 does.
func (s *sidecar) kill() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	s.process = nil
	return nil
}

// stop ends the process as an operator does, and wants it to end well.
func (s *sidecar) stop() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, s.complain("the sidecar had ended"))
	}
	select {
	case <-s.ended:
	case <-time.After(stopTime):
		return s.complain("the sidecar does not stop")
	}
	state := s.process.ProcessState
	s.process = nil
	if !state.Success() {
		return s.complain("the sidecar stopped with " + state.String())
	}
	return nil
}

// ready waits until the process serves.
func (s *sidecar) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	// An empty request is refused by the service itself.
	_, err := s.launches.BuildAuthRequest(ctx, &pb.BuildAuthRequestRequest{}, grpc.WaitForReady(true))
	if ctx.Err() != nil {
		return errors.Join(err, s.complain("the sidecar does not become ready"))
	}
	return nil
}

// signal sends the process a signal.
func (s *sidecar) signal(signal syscall.Signal) error { return s.process.Process.Signal(signal) }

// complain makes an error with the end of the log in it.
func (s *sidecar) complain(what string) error {
	text, err := os.ReadFile(s.path("log"))
	if err != nil {
		return err
	}
	return fmt.Errorf("%s; the end of its log:\n%s", what, text[max(0, len(text)-2000):])
}

func (s *sidecar) close() error {
	return errors.Join(s.kill(), s.connection.Close())
}

func (s *sidecar) now() time.Time { return time.Now() }

func (s *sidecar) login(ctx context.Context) (state, uri string, cookies []string, err error) {
	request := &pb.BrowserRequest{Method: "POST", SecFetchDest: "iframe"}
	for _, p := range loginParameters {
		request.Parameters = append(request.Parameters, &pb.Parameter{Name: p[0], Value: p[1]})
	}
	answer, err := s.launches.BuildAuthRequest(ctx, &pb.BuildAuthRequestRequest{Browser: request})
	if err != nil {
		return "", "", nil, err
	}
	for _, header := range answer.GetReply().GetHeaders() {
		if header.Name == "Set-Cookie" {
			cookies = append(cookies, header.Value)
		}
	}
	return answer.State, answer.AuthorizationUri, cookies, nil
}

func (s *sidecar) launch(ctx context.Context, t *ticket) string {
	answer, err := s.launches.ValidateLaunch(ctx, &pb.ValidateLaunchRequest{Browser: &pb.BrowserRequest{
		Method: "POST", CookieHeader: t.cookies, Origin: issuer, SecFetchSite: "cross-site", SecFetchDest: "iframe",
		Parameters: []*pb.Parameter{{Name: "id_token", Value: t.token}, {Name: "state", Value: t.state}},
	}})
	if err == nil {
		if answer.GetLaunch() == nil {
			return "a page"
		}
		return accepted
	}
	refusal := status.Convert(err)
	for _, detail := range refusal.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	switch refusal.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return lost
	}
	return err.Error()
}
