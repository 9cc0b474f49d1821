// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const patience = 20 * time.Second // for a start, and for a stop

// config is a sidecar that knows one platform of the simulator.
const config = `listen: {socket: %q}
data_dir: %q
keys: {directory: %q}
log: {level: warn}
outbound: {ca_file: %q, allow_cidrs: [127.0.0.0/8]}
registrations:
  - name: school
    dialect: %q
    issuer: %q
    client_id: %q
    deployments: [%q]
    authorization_uri: %q
    token_uri: %q
    token_audience: %q
    jwks_uri: %q
    launch_uris: [https://tool.example/launch]
    login_uri: https://tool.example/login
`

// sidecar is a running sidecar, and a client of it.
type sidecar struct {
	command    *exec.Cmd
	ended      chan error
	output     *bytes.Buffer // to be read once it ended
	directory  string
	connection *grpc.ClientConn
	endpoint   *pb.MembershipEndpoint
}

// startSidecar starts a sidecar, makes it known to the platform, and waits until it answers.
func startSidecar(ctx context.Context, sim *platformsim.Sim, name, binary string) (_ *sidecar, failure error) {
	there := sim.Platform(name)
	tool := platformsim.ToolConfig{Name: "drill", LoginURI: "https://tool.example/login", LaunchURIs: []string{"https://tool.example/launch"}, JWKS: `{"keys":[]}`}
	if err := there.SetTool(tool); err != nil {
		return nil, err
	}
	r := there.Registration(tool.Name)
	directory, err := os.MkdirTemp("", "drill")
	if err != nil {
		return nil, err
	}
	s := &sidecar{ended: make(chan error, 1), output: new(bytes.Buffer), directory: directory}
	defer func() {
		if failure != nil {
			failure = errors.Join(failure, s.stop())
		}
	}()
	in := func(name string) string { return filepath.Join(directory, name) }
	text := fmt.Sprintf(config, in("s"), in("data"), in("keys"), in("ca.pem"), name, r.Issuer, r.ClientID, r.DeploymentID, r.AuthorizationURI, r.TokenURI, r.TokenAudience, r.JWKSURI)
	if err := errors.Join(os.WriteFile(in("ca.pem"), sim.CAPEM(), 0o600), os.WriteFile(in("sidecar.yaml"), []byte(text), 0o600)); err != nil {
		return nil, err
	}
	s.command = exec.CommandContext(ctx, binary, "serve", "--config", in("sidecar.yaml"))
	s.command.Stdout, s.command.Stderr = s.output, s.output
	if err := s.command.Start(); err != nil {
		s.command = nil
		return nil, err
	}
	go func() { s.ended <- s.command.Wait() }()
	if s.connection, err = grpc.NewClient("unix:"+in("s"), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keys, err := pb.NewKeyServiceClient(s.connection).GetToolKeySet(limited, &pb.GetToolKeySetRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	tool.JWKS = keys.GetJwks()
	s.endpoint = &pb.MembershipEndpoint{Registration: "school", DeploymentId: r.DeploymentID, ContextMembershipsUri: r.MembershipsURI}
	return s, there.SetTool(tool)
}

// stop ends the sidecar and removes its files. What it printed is in the error.
func (s *sidecar) stop() error {
	var failures []error
	if s.connection != nil {
		failures = append(failures, s.connection.Close())
	}
	if s.command != nil {
		failures = append(failures, s.command.Process.Signal(syscall.SIGTERM))
		select {
		case err := <-s.ended:
			if err != nil {
				failures = append(failures, fmt.Errorf("the sidecar did not end cleanly: %w\n%s", err, s.output))
			}
		case <-time.After(patience):
			failures = append(failures, fmt.Errorf("the sidecar did not end within %v", patience), s.command.Process.Kill())
			<-s.ended
		}
	}
	return errors.Join(append(failures, os.RemoveAll(s.directory))...)
}

// roster is what came of a roster.
type roster struct {
	users   map[string]struct{}
	members int
	batches int
	count   int64 // as the End says
}

// roster reads the roster to its End.
func (s *sidecar) roster(ctx context.Context, pageSize int32) (*roster, error) {
	stream, err := pb.NewRosterServiceClient(s.connection).ListMembers(ctx, &pb.ListMembersRequest{Endpoint: s.endpoint, PageSizeHint: pageSize})
	if err != nil {
		return nil, err
	}
	r := &roster{users: map[string]struct{}{}, count: -1}
	for {
		part, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && r.count >= 0:
			return r, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("the stream ended without an End")
		case err != nil:
			return nil, err
		}
		if end := part.GetEnd(); end != nil {
			r.count = end.MemberCount
			continue
		}
		r.batches++
		for _, member := range part.GetBatch().GetMembers() {
			r.members++
			r.users[member.UserId] = struct{}{}
		}
	}
}

// memory returns a figure of a process's memory in bytes: VmRSS is what is resident, VmHWM the most that ever was. It is
// 0 where the system does not say.
func memory(pid int, figure string) (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, figure+":"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, figure)
}
