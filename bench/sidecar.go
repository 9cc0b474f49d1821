// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	launchURI    = "https://tool.example/lti/launch"
	startTimeout = 20 * time.Second
	stopTimeout  = 20 * time.Second
	maxMessage   = 4 << 20 // bytes
)

// settings are what a row changes of the default configuration.
type settings struct {
	nonce  string   // the YAML of the section nonce; empty: the default
	prefix []string // a command that starts the sidecar, such as taskset -c 0
	env    []string
	home   string // a directory that an earlier sidecar has used; empty: a fresh one
	tcp    bool   // over TCP on loopback instead of the Unix socket
}

// sidecar is a running sidecar, a process of its own, and a connection to it.
type sidecar struct {
	home       string
	command    *exec.Cmd
	pid        int
	ended      chan error
	log        *os.File
	metricsURL string
	jsonSocket string
	ready      time.Duration // from its start to its first answer that it serves
	connection *grpc.ClientConn
	launches   pb.LaunchServiceClient
}

func (b *bench) startSidecar(ctx context.Context, s settings) (*sidecar, error) {
	home := s.home
	if home == "" {
		var err error
		if home, err = os.MkdirTemp(b.directory, "home"); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	c := &sidecar{home: home, metricsURL: "http://" + ports[0] + "/metrics", jsonSocket: filepath.Join(home, "run", "json.sock"), ended: make(chan error, 1)}
	target := "unix://" + filepath.Join(home, "run", "sidecar.sock")
	listen := "socket: run/sidecar.sock, json: run/json.sock"
	if s.tcp {
		target = ports[1]
		listen += ", tcp: " + strconv.Quote(ports[1])
	}
	if err := os.WriteFile(filepath.Join(home, "ca.pem"), b.keyServer.caPEM, 0o600); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`listen: {%s, metrics: %q}
data_dir: data
outbound: {ca_file: ca.pem, allow_cidrs: [127.0.0.0/8]}
registrations:
  - name: lms
    issuer: %q
    client_id: %q
    deployments: [%q]
    authorization_uri: %[6]s/auth
    token_uri: %[6]s/token
    jwks_uri: %[6]s/jwks
    launch_uris: [%s]
    dialect: canvas
`, listen, ports[0], workload.Issuer, workload.ClientID, workload.DeploymentID, b.keyServer.url, launchURI)
	if s.nonce != "" {
		config += "nonce: " + s.nonce + "\n"
	}
	path := filepath.Join(home, "sidecar.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	if c.log, err = os.OpenFile(filepath.Join(home, "sidecar.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	arguments := append(append([]string{}, s.prefix...), b.binary, "serve", "--config", path)
	c.command = exec.Command(arguments[0], arguments[1:]...)
	c.command.Stderr, c.command.Stdout = c.log, c.log
	c.command.Env = append(os.Environ(), s.env...)
	// Its own place for the seal: other sidecars of this machine are none of its business.
	c.command.Env = append(c.command.Env, "XDG_RUNTIME_DIR="+b.shm, "RUNTIME_DIRECTORY=")
	begun := time.Now()
	if err := c.command.Start(); err != nil {
		return nil, errors.Join(err, c.log.Close())
	}
	c.pid = c.command.Process.Pid
	go func() { c.ended <- c.command.Wait() }()
	c.connection, err = grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, errors.Join(err, c.kill())
	}
	if err := c.waitReady(ctx, target); err != nil {
		log, _ := os.ReadFile(c.log.Name())
		return nil, errors.Join(fmt.Errorf("the sidecar is not ready: %w\n%s", err, log), c.kill())
	}
	c.ready = time.Since(begun)
	c.launches = pb.NewLaunchServiceClient(c.connection)
	return c, nil
}

// waitReady asks until the sidecar says that it serves.
func (c *sidecar) waitReady(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	network, address := "tcp", target
	if path, unix := strings.CutPrefix(target, "unix://"); unix {
		network, address = "unix", path
	}
	for {
		if connection, err := net.Dial(network, address); err == nil {
			_ = connection.Close() // it has served its purpose
			break
		}
		select {
		case err := <-c.ended:
			c.ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Microsecond):
		}
	}
	answer, err := healthpb.NewHealthClient(c.connection).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	if answer.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("it is %s", answer.Status)
	}
	return nil
}

// stop ends the sidecar cleanly.
func (c *sidecar) stop() error {
	err := c.connection.Close()
	err = errors.Join(err, c.command.Process.Signal(syscall.SIGTERM))
	select {
	case ended := <-c.ended:
		return errors.Join(err, ended, c.log.Close())
	case <-time.After(stopTimeout):
		return errors.Join(err, errors.New("the sidecar does not stop"), c.kill())
	}
}

// kill ends the sidecar as kill -9 does.
func (c *sidecar) kill() error {
	err := c.command.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-c.ended
	if c.connection != nil {
		err = errors.Join(err, c.connection.Close())
	}
	return errors.Join(err, c.log.Close())
}

// counters are what the sidecar counts of its own runtime.
type counters struct {
	allocations, collections float64
}

// counters reads the sidecar's metrics.
func (c *sidecar) counters(ctx context.Context) (counters, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metricsURL, nil)
	if err != nil {
		return counters{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return counters{}, err
	}
	defer response.Body.Close()
	return parseCounters(response.Body)
}

// parseCounters reads the two counters out of Prometheus' text form.
func parseCounters(text io.Reader) (counters, error) {
	var found counters
	missing := map[string]*float64{"go_memstats_mallocs_total": &found.allocations, "go_gc_duration_seconds_count": &found.collections}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		target := missing[name]
		if target == nil {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return counters{}, fmt.Errorf("metrics: %s: %w", name, err)
		}
		*target = number
		delete(missing, name)
	}
	if err := lines.Err(); err != nil {
		return counters{}, fmt.Errorf("metrics: %w", err)
	}
	if len(missing) > 0 {
		return counters{}, fmt.Errorf("metrics: %d of 2 counters are missing", len(missing))
	}
	return found, nil
}

func (c *sidecar) cpu() (time.Duration, error) { return measure.CPU(c.pid) }

// freePorts returns addresses on loopback that were free a moment ago.
func freePorts(count int) ([]string, error) {
	var addresses []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all are held until all are found
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
