// SPDX-License-Identifier: Apache-2.0

// Command size measures a sidecar binary from outside: its size, the time from start to ready with an empty nonce
// store and its keys present (the median of five starts), and its memory when idle. It exits with status 1 when a
// limit is passed. Memory is measured on Linux only.
//
//	size bin/sidecar
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// The limits.
const (
	maxBytes = 40_000_000
	maxReady = 100 * time.Millisecond
	maxRSS   = 40_000_000 // bytes, idle
)

const (
	starts   = 5
	patience = 20 * time.Second // for one start, and for one stop
	idle     = 2 * time.Second  // after ready, before memory is read
)

// config is a sidecar as small as one can be: one registration, a socket, everything below one directory.
const config = `listen: {socket: %[1]q}
data_dir: %[2]q
keys: {directory: %[3]q}
log: {level: error}
registrations:
  - name: platform
    issuer: https://platform.example
    client_id: "1"
    deployments: ["1"]
    authorization_uri: https://platform.example/authorize
    token_uri: https://platform.example/token
    jwks_uri: https://platform.example/jwks
    launch_uris: [https://tool.example/launch]
    login_uri: https://tool.example/login
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: size BINARY")
		os.Exit(2)
	}
	ok, err := measure(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// measure prints the three figures and reports whether all are within their limits.
func measure(binary string) (bool, error) {
	info, err := os.Stat(binary)
	if err != nil {
		return false, err
	}
	ok := report("binary", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "40 MB", info.Size() < maxBytes)

	dir, err := os.MkdirTemp("", "size")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	place, err := newPlace(dir)
	if err != nil {
		return false, err
	}

	// The first start makes the keys and is not measured.
	var ready []time.Duration
	var rss int64
	for i := range starts + 1 {
		run, err := place.start(binary)
		if err != nil {
			return false, err
		}
		if i > 0 {
			ready = append(ready, run.ready)
		}
		if i == starts && runtime.GOOS == "linux" {
			time.Sleep(idle)
			if rss, err = residentBytes(run.command.Process.Pid); err != nil {
				return false, errors.Join(err, run.stop())
			}
		}
		if err := run.stop(); err != nil {
			return false, err
		}
	}
	slices.Sort(ready)
	median := ready[starts/2]
	ok = report("ready", fmt.Sprintf("%.0f ms (%.0f to %.0f)", ms(median), ms(ready[0]), ms(ready[starts-1])), "100 ms", median < maxReady) && ok
	if runtime.GOOS != "linux" {
		fmt.Println("size: idle memory is measured on Linux only")
		return ok, nil
	}
	return report("idle RSS", fmt.Sprintf("%.1f MB", float64(rss)/1e6), "40 MB", rss < maxRSS) && ok, nil
}

func report(what, value, limit string, within bool) bool {
	verdict := "ok"
	if !within {
		verdict = "TOO MUCH"
	}
	fmt.Printf("size: %-9s %-24s limit %-7s %s\n", what, value, limit, verdict)
	return within
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A place is where one sidecar keeps its files.
type place struct{ config, socket string }

func newPlace(dir string) (*place, error) {
	p := &place{config: filepath.Join(dir, "sidecar.yaml"), socket: filepath.Join(dir, "run", "sidecar.sock")}
	if err := os.Mkdir(filepath.Dir(p.socket), 0o750); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(config, p.socket, filepath.Join(dir, "data"), filepath.Join(dir, "keys"))
	return p, os.WriteFile(p.config, []byte(text), 0o600)
}

// A run is one sidecar that is ready.
type run struct {
	command *exec.Cmd
	ready   time.Duration // from before the process was made until health said SERVING
	ended   chan error
	output  *bytes.Buffer // to be read once it ended
}

// start starts a sidecar and waits until it is ready. What it printed is in the error.
func (p *place) start(binary string) (*run, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := &run{command: exec.Command(binary, "serve", "--config", p.config), ended: make(chan error, 1), output: new(bytes.Buffer)}
	r.command.Stdout, r.command.Stderr = r.output, r.output

	began := time.Now()
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() { r.ended <- r.command.Wait() }()
	serving := make(chan error, 1)
	go func() { serving <- waitServing(ctx, p.socket) }()
	select {
	case err := <-serving:
		r.ready = time.Since(began)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("not ready after %v: %w", patience, err), r.stop())
		}
		return r, nil
	case err := <-r.ended:
		return nil, fmt.Errorf("%s ended before it was ready: %w\n%s", binary, err, r.output)
	}
}

// stop asks the sidecar to end, and makes it end when it does not.
func (r *run) stop() error {
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-r.ended:
		if err != nil {
			return fmt.Errorf("it did not end cleanly: %w\n%s", err, r.output)
		}
		return nil
	case <-time.After(patience):
		killed := r.command.Process.Kill()
		<-r.ended
		return errors.Join(fmt.Errorf("it did not end within %v\n%s", patience, r.output), killed)
	}
}

// waitServing returns once the health service behind the socket says SERVING.
func waitServing(ctx context.Context, socket string) error {
	for {
		err := checkHealth(ctx, socket)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Millisecond):
		}
	}
}

func checkHealth(ctx context.Context, socket string) error {
	// Without a socket there is nobody to ask, and gRPC would wait for a second before it tried again.
	if _, err := os.Stat(socket); err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err == nil && answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("health is %s", answer.GetStatus())
	}
	return err
}

// residentBytes is the resident set size of a process, in bytes.
func residentBytes(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}
