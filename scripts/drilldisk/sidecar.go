// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	platformName = "moodle"
	toolName     = "drill"
	patience     = 20 * time.Second // for a start, and for a stop
)

// config is a sidecar that knows one platform of the simulator and keeps everything but its keys on the small disk.
const config = `listen: {socket: %q}
data_dir: %q
keys: {directory: %q}
log: {level: error}
outbound: {ca_file: %q, allow_cidrs: [127.0.0.0/8]}
registrations:
  - {name: school, dialect: moodle, issuer: %q, client_id: %q, deployments: [%q], authorization_uri: %q, token_uri: %q, jwks_uri: %q, launch_uris: [https://tool.example/launch]}
`

// sidecar is a running sidecar, and a client of it.
type sidecar struct {
	command    *exec.Cmd
	ended      chan struct{}
	output     *bytes.Buffer // to be read once it ended
	connection *grpc.ClientConn
	launches   pb.LaunchServiceClient
	grades     pb.GradeServiceClient
}

func startSidecar(ctx context.Context, sim *platformsim.Sim, binary, directory, disk string) (_ *sidecar, failure error) {
	there := sim.Platform(platformName)
	tool := platformsim.ToolConfig{Name: toolName, LoginURI: "https://tool.example/login", LaunchURIs: []string{"https://tool.example/launch"}, JWKS: `{"keys":[]}`}
	if err := there.SetTool(tool); err != nil {
		return nil, err
	}
	r := there.Registration(toolName)
	in := func(name string) string { return filepath.Join(directory, name) }
	text := fmt.Sprintf(config, in("s"), filepath.Join(disk, "data"), in("keys"), in("ca.pem"), r.Issuer, r.ClientID, r.DeploymentID, r.AuthorizationURI, r.TokenURI, r.JWKSURI)
	if err := errors.Join(os.WriteFile(in("ca.pem"), sim.CAPEM(), 0o600), os.WriteFile(in("sidecar.yaml"), []byte(text), 0o600)); err != nil {
		return nil, err
	}
	s := &sidecar{ended: make(chan struct{}), output: new(bytes.Buffer)}
	s.command = exec.Command(binary, "serve", "--config", in("sidecar.yaml"))
	s.command.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+in("runtime"))
	s.command.Stderr = s.output
	var err error
	if s.connection, err = grpc.NewClient("unix:"+in("s"), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	s.launches, s.grades = pb.NewLaunchServiceClient(s.connection), pb.NewGradeServiceClient(s.connection)
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.command.Wait() // how it ended is in ProcessState
		close(s.ended)
	}()
	defer func() {
		if failure != nil {
			failure = errors.Join(failure, s.close(), errors.New(s.output.String()))
		}
	}()
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keys, err := pb.NewKeyServiceClient(s.connection).GetToolKeySet(ready, &pb.GetToolKeySetRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	tool.JWKS = keys.GetJwks()
	return s, there.SetTool(tool)
}

// alive says that the process has ended, where it has.
func (s *sidecar) alive() error {
	select {
	case <-s.ended:
		return fmt.Errorf("the sidecar ended: %s\n%s", s.command.ProcessState, s.output)
	default:
		return nil
	}
}

// stop ends the process as an operator does, and wants it to end well.
func (s *sidecar) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		return errors.New("the sidecar does not stop")
	}
	if !s.command.ProcessState.Success() {
		return s.alive()
	}
	return nil
}

// close ends the process, if it still runs.
func (s *sidecar) close() error {
	err := s.connection.Close()
	if kill := s.command.Process.Kill(); kill != nil && !errors.Is(kill, os.ErrProcessDone) {
		err = errors.Join(err, kill)
	}
	<-s.ended
	return err
}
