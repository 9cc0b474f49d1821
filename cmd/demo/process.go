// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const stopTimeout = 15 * time.Second

// process is a program that runs until it is stopped. Its output goes to a log in the demo's directory.
type process struct {
	name    string
	command *exec.Cmd
	ended   chan struct{} // closed when it has ended
	err     error         // set before
}

// startProcess starts a program with more variables in its environment. tap, if not nil, gets a copy of its output.
func (d *demo) startProcess(name, directory string, environment []string, tap io.Writer, program string, arguments ...string) (*process, error) {
	log, err := os.Create(filepath.Join(d.directory, name+".log"))
	if err != nil {
		return nil, err
	}
	var output io.Writer = log
	if tap != nil {
		output = io.MultiWriter(log, tap)
	}
	p := &process{name: name, command: exec.Command(program, arguments...), ended: make(chan struct{})}
	p.command.Dir = directory
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = output, output
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	go func() {
		p.err = errors.Join(p.command.Wait(), log.Close())
		close(p.ended)
	}()
	d.processes = append(d.processes, p)
	return p, nil
}

// stop asks the program to end, and ends it where it does not.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended by itself: %w", p.name, p.err)
	default:
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		if err := p.command.Process.Kill(); err != nil {
			return fmt.Errorf("kill %s: %w", p.name, err)
		}
		<-p.ended
		return fmt.Errorf("%s did not stop within %s", p.name, stopTimeout)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && !exit.Exited() {
		return nil // ended by our signal, as interpreters do
	}
	return p.err
}

// waitFor asks until a check passes, the program ends, or the time is up.
func (p *process) waitFor(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended while it started: %w", p.name, p.err)
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w", p.name, err)
		case <-ticker.C:
		}
	}
}

// answers checks that an HTTPS address answers 200.
func answers(client *http.Client, uri string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s", uri, response.Status)
		}
		return nil
	}
}
