// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// childOrders names the orders in the environment of a child process of these tests.
const childOrders = "BADGERSTORE_TEST_CHILD"

// orders say what a child process does: it opens the store, redeems a nonce, prints both, and waits for its standard
// input to end. Then it stops cleanly, unless it was killed before.
type orders struct {
	Directory     string
	SealDirectory string
	FullAtStop    bool // let the disk be full when it closes the store
}

// account is what a child process did.
type account struct {
	Seal  noncestore.Seal
	Nonce noncestore.Nonce
}

func childMain(text string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var o orders
	fail(json.Unmarshal([]byte(text), &o))
	h := thisHost()
	var full atomic.Bool
	h.free = func(string) (room, error) {
		if full.Load() {
			return room{0, math.MaxUint64}, nil
		}
		return room{math.MaxUint64, math.MaxUint64}, nil
	}
	s, err := open(Config{Directory: o.Directory, Instance: [4]byte{1, 2, 3, 4}, SealDirectories: []string{o.SealDirectory}}, h)
	fail(err)
	seal, err := s.Seal(context.Background())
	fail(err)
	done := account{Seal: seal, Nonce: newNonce()}
	fail(s.Redeem(context.Background(), seal.Generation, done.Nonce))
	fail(json.NewEncoder(os.Stdout).Encode(done))
	_, err = io.Copy(io.Discard, os.Stdin)
	fail(err)
	full.Store(o.FullAtStop)
	fail(s.Close())
}

// childProcess is a child at work.
type childProcess struct {
	*testing.T
	command *exec.Cmd
	input   io.Closer
	account
}

// startChild starts a child and returns once it has redeemed its nonce.
func startChild(t *testing.T, o orders) *childProcess {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childOrders+"="+string(text))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	c := &childProcess{T: t, command: command, input: input}
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	if err := json.Unmarshal(line, &c.account); err != nil {
		t.Fatal(err)
	}
	return c
}

// kill kills the child as kill -9 does, and waits until it is gone.
func (c *childProcess) kill() {
	c.Helper()
	if err := c.command.Process.Kill(); err != nil {
		c.Fatal(err)
	}
	if err := c.command.Wait(); err == nil {
		c.Fatal("the child ended by itself")
	}
}

// stop lets the child stop cleanly, and waits until it is gone.
func (c *childProcess) stop() {
	c.Helper()
	if err := c.input.Close(); err != nil {
		c.Fatal(err)
	}
	if err := c.command.Wait(); err != nil {
		c.Fatalf("the child did not stop cleanly: %v", err)
	}
}
