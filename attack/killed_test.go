// SPDX-License-Identifier: Apache-2.0

//go:build unix

package attack

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// childOrders names the orders of a child process in its environment.
const childOrders = "ATTACK_CHILD"

// orders tell a child process which sidecar to be.
type orders struct {
	Directory string // of all its files
	Key       []byte // the platforms' private key, PKCS #8
	Dies      string // when it kills itself as kill -9 does: diesBefore or diesAfter the commit of a nonce; "": it does not
}

const (
	diesBefore = "before the commit"
	diesAfter  = "after the commit, before the answer"
)

// TestChildSidecar is a sidecar in a process of its own, and does nothing where TestKilled did not start it. It says on
// its standard output where it listens, and serves until its standard input ends, unless it dies before.
func TestChildSidecar(t *testing.T) {
	text := os.Getenv(childOrders)
	if text == "" {
		return
	}
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	platformKey = must(x509.ParsePKCS8PrivateKey(o.Key)).(*rsa.PrivateKey)
	s := newStackIn(t, o.Directory, badgerstore.Config{Directory: filepath.Join(o.Directory, "nonces"), Instance: [4]byte{1, 2, 3, 4}}, nil)
	die := func() error {
		return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("still alive"))
	}
	switch o.Dies {
	case diesBefore:
		s.nonces.set(func(context.Context, func() error) error { return die() })
	case diesAfter:
		s.nonces.set(func(_ context.Context, redeem func() error) error { return errors.Join(redeem(), die()) })
	}
	fmt.Println("listening:", s.socket)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
}

// child is a sidecar in a process of its own, and the stack's view of it.
type child struct {
	*stack
	command *exec.Cmd
	input   io.Closer
}

// startChild starts a sidecar as ordered. local is the stack whose platforms it has.
func startChild(t *testing.T, local *stack, o orders) *child {
	t.Helper()
	o.Key = must(x509.MarshalPKCS8PrivateKey(platformKey))
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildSidecar$")
	command.Env = append(os.Environ(), childOrders+"="+string(must(json.Marshal(o))), "ATTACK_REPORT=")
	command.Stderr = os.Stderr
	input, output := must(command.StdinPipe()), must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{stack: &stack{t: t, clock: local.clock, parties: local.parties}, command: command, input: input}
	lines := bufio.NewScanner(output)
	for c.socket == "" && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "listening: %s", &c.socket) // other lines are the test's own
	}
	if c.socket == "" {
		t.Fatalf("the child does not listen: %v, %v", lines.Err(), command.Wait())
	}
	connection := must(grpc.NewClient("unix://"+c.socket, grpc.WithTransportCredentials(insecure.NewCredentials())))
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	c.launches = pb.NewLaunchServiceClient(connection)
	return c
}

// died waits until the child is gone, and holds it to have been killed.
func (c *child) died() {
	c.t.Helper()
	err := c.command.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		c.t.Fatalf("it was not killed: %v", err)
	}
}

// stop lets the child stop cleanly.
func (c *child) stop() {
	c.t.Helper()
	if err := c.input.Close(); err != nil {
		c.t.Error(err)
	}
	if err := c.command.Wait(); err != nil {
		c.t.Errorf("it did not stop cleanly: %v", err)
	}
}

// TestKilled: N04: a sidecar that is killed while it accepts a launch, or just after, accepts it no second time once it
// runs again over what is left on disk.
func TestKilled(t *testing.T) {
	for _, dies := range []string{diesBefore, diesAfter, "after the answer"} {
		t.Run(dies, func(t *testing.T) {
			local := newStack(t, 9)
			directory := must(os.MkdirTemp("", "attack"))
			t.Cleanup(func() {
				if err := os.RemoveAll(directory); err != nil {
					t.Error(err)
				}
			})
			o := orders{Directory: directory, Dies: dies}
			victim := startChild(t, local, o)
			l, waiting := must(victim.begin(local.parties["a"])), must(victim.begin(local.parties["a"]))
			request := victim.good(l, nil)
			accepted := 0
			switch err := victim.validate(request); {
			case err == nil:
				accepted++
			case dies != diesBefore && dies != diesAfter:
				t.Fatal(err)
			}
			if dies != diesBefore && dies != diesAfter {
				if err := victim.command.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			victim.died()
			if err := os.Remove(victim.socket); err != nil { // as `sidecar serve` takes over what a crash left
				t.Fatal(err)
			}

			o.Dies = ""
			again := startChild(t, local, o)
			passed := true
			for name, request := range map[string]*pb.ValidateLaunchRequest{"the launch": request, "the launch, signed anew": victim.good(l, nil), "a login that waited": victim.good(waiting, nil)} {
				err := again.validate(request)
				if err == nil {
					accepted++
				}
				if reason := infoOf(err).GetReason(); reason != string(lti.ReasonStateStale) {
					t.Errorf("%s after the restart: %q, want STATE_STALE (%v)", name, reason, err)
					passed = false
				}
			}
			if want := map[bool]int{true: 1}[dies == "after the answer"]; accepted != want {
				t.Errorf("accepted %d times, want %d", accepted, want)
				passed = false
			}
			if err := again.validate(again.good(must(again.begin(local.parties["a"])), nil)); err != nil {
				t.Errorf("a new login: %v", err)
				passed = false
			}
			again.stop()
			record("N", true, passed)
		})
	}
}
