// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

// tool is one of the example tools.
type tool struct {
	name      string // of the tool, and of its registration at each platform
	origin    string
	port      string
	directory string   // of its program
	program   []string // how it is started
	client    *http.Client
}

// registration is the name of the tool's registration of a platform at the sidecar.
func (t *tool) registration(platform string) string { return t.name + "-" + platform }

// installTools describes the tools and installs them at each platform.
func (d *demo) installTools() ([]*tool, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	python := os.Getenv("DEMO_PYTHON")
	if python == "" {
		return nil, errors.New("DEMO_PYTHON is not set: run this by `make demo`")
	}
	tools := []*tool{
		{name: "python", directory: filepath.Join(root, "examples", "python"), program: []string{python, "app.py"}},
		{name: "node", directory: filepath.Join(root, "examples", "node"), program: []string{"node", "server.mjs"}},
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.sim.CAPEM())
	for _, t := range tools {
		if t.port, err = freePort(); err != nil {
			return nil, err
		}
		t.origin = "https://localhost:" + t.port
		t.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
		for _, platform := range platforms {
			err := d.sim.Platform(platform).SetTool(platformsim.ToolConfig{
				Name: t.name, LoginURI: t.origin + "/lti/login", LaunchURIs: []string{t.origin + "/lti/launch"}, JWKSURI: t.origin + "/lti/jwks",
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return tools, nil
}

// freePort finds a port for a tool. Another program could take it before the tool does; then the tool says so.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// startSidecar starts the sidecar and waits until it is ready.
func (d *demo) startSidecar(ctx context.Context) error {
	d.calls = newCallLog()
	binary := filepath.Join("bin", "sidecar")
	var err error
	d.sidecar, err = d.startProcess("sidecar", "", nil, d.calls, binary, "serve", "--config", filepath.Join(d.directory, "sidecar.yaml"))
	if err != nil {
		return err
	}
	return d.sidecar.waitFor(ctx, func(context.Context) error {
		if d.calls.isReady() {
			return nil
		}
		return errors.New("it has not said that it is ready")
	})
}

// startTool starts a tool and waits until it serves its keys.
func (d *demo) startTool(ctx context.Context, t *tool) error {
	certificates := filepath.Join(d.directory, "certificates")
	p, err := d.startProcess(t.name, t.directory, []string{
		"LTISIDECAR_ADDRESS=unix://" + d.socket(),
		"TOOL_PORT=" + t.port,
		"TOOL_CERT=" + filepath.Join(certificates, "tool.pem"),
		"TOOL_KEY=" + filepath.Join(certificates, "tool-key.pem"),
	}, nil, t.program[0], t.program[1:]...)
	if err != nil {
		return err
	}
	if err := p.waitFor(ctx, answers(t.client, t.origin+"/lti/jwks")); err != nil {
		return fmt.Errorf("the %s tool: %w", t.name, err)
	}
	return nil
}
