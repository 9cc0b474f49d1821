// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const registration = "drill"

// sidecar is one sidecar's place, and the process that runs there now.
type sidecar struct {
	binary, config string
	log            *os.File
	connection     *grpc.ClientConn
	grades         pb.GradeServiceClient

	process *exec.Cmd
	read    chan struct{} // closed once all of the process's log was read
}

func newSidecar(binary, directory, socket string, p *lms) (*sidecar, error) {
	s := &sidecar{binary: binary, config: filepath.Join(directory, "sidecar.yaml")}
	config := fmt.Sprintf(`listen: {socket: %q}
data_dir: %q
keys: {directory: %q}
nonce: {store: memory}
outbound: {ca_file: %q, allow_cidrs: ["127.0.0.0/8"]}
registrations:
  - {name: %s, issuer: %q, client_id: c, deployments: ["1"], authorization_uri: %q, token_uri: %q, jwks_uri: %q, launch_uris: ["https://tool.example/lti"]}
`, socket, filepath.Join(directory, "data"), filepath.Join(directory, "keys"), p.caFile, registration, p.url, p.url+"/auth", p.url+"/token", p.url+"/jwks")
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		return nil, err
	}
	var err error
	if s.log, err = os.OpenFile(filepath.Join(directory, "sidecar.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	s.connection, err = grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 200 * time.Millisecond}, MinConnectTimeout: time.Second,
	}))
	if err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	s.grades = pb.NewGradeServiceClient(s.connection)
	return s, nil
}

// start starts a process and waits until it says that it is ready.
func (s *sidecar) start(ctx context.Context) error {
	process := exec.Command(s.binary, "serve", "--config", s.config)
	output, err := process.StderrPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	s.process, s.read = process, make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(s.read)
		seen := false
		for lines := bufio.NewScanner(output); lines.Scan(); {
			line := lines.Text()
			if !seen && strings.Contains(line, `"msg":"ready"`) {
				seen = true
				close(ready)
			}
			if !strings.Contains(line, `"level":"INFO"`) {
				_, _ = fmt.Fprintln(s.log, line) // for whoever looks for the cause of a failure
			}
		}
	}()
	select {
	case <-ready:
		return nil
	case <-s.read:
		err = errors.New("the sidecar ended before it was ready; see sidecar.log")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, s.kill())
}

// kill ends the process as a power cut does.
func (s *sidecar) kill() error {
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.read
	var ended *exec.ExitError
	if err := s.process.Wait(); err != nil && !errors.As(err, &ended) {
		return err
	}
	s.process = nil
	return nil
}

// stop ends the process as an operator does, and wants it to end well.
func (s *sidecar) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.read
	err := s.process.Wait()
	s.process = nil
	return err
}

func (s *sidecar) close() error {
	var err error
	if s.process != nil {
		err = s.kill()
	}
	return errors.Join(err, s.connection.Close(), s.log.Close())
}

// deliveries lists what became of all scores.
func (s *sidecar) deliveries(ctx context.Context) (map[string]*pb.ScoreDelivery, string, error) {
	found := map[string]*pb.ScoreDelivery{}
	cursor := ""
	for {
		page, err := s.grades.ListScoreDeliveries(ctx, &pb.ListScoreDeliveriesRequest{Registration: registration, PageSize: 200, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		for _, d := range page.Deliveries {
			found[d.DeliveryId] = d
		}
		if cursor = page.Cursor; page.Complete {
			return found, cursor, nil
		}
	}
}

// drained waits until nothing is queued any more, and returns what became of all scores.
func (s *sidecar) drained(ctx context.Context) (map[string]*pb.ScoreDelivery, error) {
	found, cursor, err := s.deliveries(ctx)
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	note := func(d *pb.ScoreDelivery) {
		found[d.DeliveryId] = d
		delete(open, d.DeliveryId)
		if d.State == pb.DeliveryState_DELIVERY_STATE_QUEUED || d.State == pb.DeliveryState_DELIVERY_STATE_DELIVERING || d.NextAttemptTime != nil {
			open[d.DeliveryId] = true
		}
	}
	for _, d := range found {
		note(d)
	}
	watch, err := s.grades.WatchScoreDeliveries(ctx, &pb.WatchScoreDeliveriesRequest{Registration: registration, Cursor: cursor})
	if err != nil {
		return nil, err
	}
	for len(open) > 0 {
		change, err := watch.Recv()
		if err != nil {
			return nil, fmt.Errorf("%d are open: %w", len(open), err)
		}
		if change.Delivery != nil {
			note(change.Delivery)
		}
	}
	return found, nil
}
