// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

// portAttempts is how often a server is started anew because somebody else took its port.
const portAttempts = 5

// Redis is a Redis server.
type Redis struct {
	Addr string // 127.0.0.1:port

	t         testing.TB
	directory string
	arguments []string
	process   *process
	starts    int
	password  string
}

// TLS as the first argument of StartRedis has the port speak TLS only. The files follow as arguments of Redis.
const TLS = "--tls"

// StartRedis starts a Redis server with further arguments, such as "--maxmemory-policy", "allkeys-lru". Without any it
// keeps nothing on disk.
func StartRedis(t testing.TB, arguments ...string) *Redis {
	t.Helper()
	r := &Redis{t: t, directory: directory(t, "redis"), arguments: arguments}
	for range portAttempts {
		r.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
		if r.start() {
			t.Cleanup(func() { r.process.kill(t) })
			return r
		}
		if !strings.Contains(r.process.log(), "already in use") {
			break
		}
	}
	t.Fatalf("redis-server does not start:\n%s", r.process.log())
	return nil
}

// start starts the process. It returns false where that ended at once.
func (r *Redis) start() bool {
	r.t.Helper()
	program := find(r.t, "redis-server", "redis-server", "/usr/bin/redis-server")
	_, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		r.t.Fatal(err)
	}
	listen := []string{"--bind", "127.0.0.1", "--port", port}
	further := r.arguments
	if len(further) > 0 && further[0] == TLS {
		listen, further = []string{"--bind", "127.0.0.1", "--port", "0", "--tls-port", port}, further[1:]
	}
	r.starts++
	r.process = launch(r.t, r.directory, program, slices.Concat(listen, []string{"--save", "", "--dir", r.directory,
		"--repl-diskless-sync-delay", "0", "--repl-timeout", "5"}, further)...)
	return r.process.ready(r.t, func(context.Context) error {
		if strings.Count(r.process.log(), "Ready to accept connections") < r.starts {
			return errors.New("it is not ready")
		}
		return nil
	})
}

// Auth gives the password that Do is to use.
func (r *Redis) Auth(password string) *Redis {
	r.password = password
	return r
}

// URL returns redis://127.0.0.1:port.
func (r *Redis) URL() string { return "redis://" + r.Addr }

// Do runs a command on a connection of its own and returns the answer as text. It fails the test where that fails.
func (r *Redis) Do(words ...string) string {
	r.t.Helper()
	answer, err := r.Try(words...)
	if err != nil {
		r.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return answer
}

// Try runs a command as Do does.
func (r *Redis) Try(words ...string) (string, error) {
	r.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr}, ForceSingleClient: true, DisableCache: true,
		AlwaysRESP2: true, Password: r.password})
	if err != nil {
		return "", err
	}
	defer client.Close()
	answer, err := client.Do(context.Background(), client.B().Arbitrary(words...).Build()).ToAny()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(answer), nil
}

// Info returns one field of INFO.
func (r *Redis) Info(field string) string {
	r.t.Helper()
	for _, line := range strings.Split(r.Do("INFO", "everything"), "\r\n") {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return value
		}
	}
	r.t.Fatalf("INFO has no field %s", field)
	return ""
}

// Await waits until a field of INFO has a value.
func (r *Redis) Await(field, value string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for r.Info(field) != value {
		if ctx.Err() != nil {
			r.t.Fatalf("%s stays %s, want %s", field, r.Info(field), value)
		}
	}
}

// Follow makes the server a replica of another and waits until it has all data.
func (r *Redis) Follow(primary *Redis) {
	r.t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Do("REPLICAOF", host, port)
	r.Await("master_link_status", "up")
}

// Promote makes a replica a primary.
func (r *Redis) Promote() {
	r.t.Helper()
	r.Do("REPLICAOF", "NO", "ONE")
}

// Kill ends the server at once, as kill -9 does.
func (r *Redis) Kill() {
	r.t.Helper()
	r.process.kill(r.t)
}

// Restart starts the server again after Kill, on the same port and with the same files.
func (r *Redis) Restart() {
	r.t.Helper()
	if !r.start() {
		r.t.Fatalf("redis-server does not start again:\n%s", r.process.log())
	}
}

// Signal sends the server a signal: SIGSTOP and SIGCONT suspend and resume it.
func (r *Redis) Signal(signal os.Signal) {
	r.t.Helper()
	r.process.signal(r.t, signal)
}

// StartSentinel starts a Sentinel that watches a primary under a name and declares it down after the milliseconds given.
func StartSentinel(t testing.TB, name string, primary *Redis, downAfter int) *Redis {
	t.Helper()
	s := &Redis{t: t, directory: directory(t, "sentinel"), Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))}
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	host, primaryPort, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.directory, "sentinel.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor %s %s %s 1\nsentinel down-after-milliseconds %s %d\nsentinel failover-timeout %s 10000\n",
		port, s.directory, name, host, primaryPort, name, downAfter, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	give(t, path)
	s.process = launch(t, s.directory, find(t, "redis-server", "redis-server", "/usr/bin/redis-server"), path, "--sentinel")
	t.Cleanup(func() { s.process.kill(t) })
	if !s.process.ready(t, func(context.Context) error { _, err := s.Try("PING"); return err }) {
		t.Fatalf("the Sentinel does not start:\n%s", s.process.log())
	}
	return s
}
