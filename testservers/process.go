// SPDX-License-Identifier: Apache-2.0

// Package testservers starts real database servers for tests: Redis and PostgreSQL from the system's packages, each in a
// temporary directory, on a loopback port that is free. They end with the test that started them. Nothing is assumed to
// be running, and no other server on the machine is touched.
//
// Where the programs are not installed, the test is skipped and says which package to install; with CI=true it fails.
// On Debian and Ubuntu scripts/setup.sh installs them.
package testservers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a server may take to start on a busy machine.
const patience = 30 * time.Second

// find returns the path of a program: the newest that one of the patterns matches, or the one on the PATH.
func find(t testing.TB, name, pack string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(matches) > 0 {
			return slices.MaxFunc(matches, func(a, b string) int { return versionIn(a) - versionIn(b) })
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	message := fmt.Sprintf("%s is not installed: install the package %s to run this test", name, pack)
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip("SKIPPED: " + message)
	return ""
}

// versionIn returns the number that is a directory of a path such as /usr/lib/postgresql/15/bin/initdb.
func versionIn(path string) int {
	for _, part := range strings.Split(path, "/") {
		if version, err := strconv.Atoi(part); err == nil {
			return version
		}
	}
	return 0
}

// account is who the servers run as: the user nobody where this is root, whom PostgreSQL refuses, and else ourselves.
type account struct {
	uid, gid uint32
	other    bool // not ourselves
}

func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return account{}, err
	}
	uid, err1 := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(nobody.Gid, 10, 32)
	return account{uid: uint32(uid), gid: uint32(gid), other: true}, errors.Join(err1, err2)
}

// directory makes a directory for a server, owned by the account that it runs as. It is gone at the end of the test.
func directory(t testing.TB, name string) string {
	t.Helper()
	path, err := os.MkdirTemp("", "lti-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	})
	give(t, path)
	return path
}

// give hands a file or directory to the account of the servers.
func give(t testing.TB, path string) {
	t.Helper()
	who, err := unprivileged()
	if err == nil && who.other {
		err = os.Chown(path, int(who.uid), int(who.gid))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port of loopback that nobody listened on a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// process is a server under way. Its output is in a file.
type process struct {
	command *exec.Cmd
	output  string
	ended   chan struct{}
}

// launch starts a program as the unprivileged account. The kernel kills it should this process end first.
func launch(t testing.TB, directory, program string, arguments ...string) *process {
	t.Helper()
	p := &process{output: filepath.Join(directory, filepath.Base(program)+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.command = exec.Command(program, arguments...)
	p.command.Dir = directory
	p.command.Env = append(os.Environ(), "LC_ALL=C", "HOME="+directory)
	p.command.Stdout, p.command.Stderr = log, log
	confine(t, p.command)
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // how it ended is for the test to say
		close(p.ended)
	}()
	return p
}

// signal sends a signal to the process alone.
func (p *process) signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// kill ends the process at once and waits for that.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.signal(t, os.Kill)
	p.wait(t)
}

// wait waits until the process has ended.
func (p *process) wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.command.Path)
	}
}

// ready calls probe until it succeeds. It returns false where the process ended first.
func (p *process) ready(t testing.TB, probe func(context.Context) error) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return true
		}
		select {
		case <-p.ended:
			return false
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v\n%s", p.command.Path, err, p.log())
		}
	}
}

// log returns what the process wrote.
func (p *process) log() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
