// SPDX-License-Identifier: Apache-2.0

// Command demo shows the whole thing at work: the sidecar, the platform simulator, and both example tools, all on this
// machine. A scripted browser launches each tool from each platform, posts a score and asks what became of it, reads a
// roster, and picks content. It is run by `make demo`, which builds what it needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

// platforms are the simulator's profiles that the demo shows, in this order.
var platforms = []string{"canvas", "moodle"}

const startTimeout = 60 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1)
	}
}

// run starts everything, walks through the launches, and stops everything again.
func run(ctx context.Context) (failure error) {
	directory, err := os.MkdirTemp("", "ltisidecar-demo-")
	if err != nil {
		return err
	}
	d := &demo{directory: directory}
	defer func() {
		failure = errors.Join(failure, d.stop())
		if failure != nil {
			failure = fmt.Errorf("%w\ndemo: logs are in %s", failure, directory)
			return
		}
		failure = os.RemoveAll(directory)
	}()
	if err := d.start(ctx); err != nil {
		return err
	}
	for _, tool := range d.tools {
		for _, platform := range platforms {
			if err := d.walk(ctx, tool, platform); err != nil {
				return fmt.Errorf("%s %s: %w", tool.name, platform, err)
			}
		}
	}
	if os.Getenv("KEEP") == "" {
		fmt.Println("demo: all launches done. Try next:")
		fmt.Println("  make demo KEEP=1     stays up: click through the course pages and break things")
		fmt.Println("  make test            everything that is tested, on this machine")
		fmt.Println("  examples/python, examples/node, docs/config.md: a tool of your own")
		return nil
	}
	d.invite()
	<-ctx.Done()
	fmt.Println("demo: stopping")
	return nil
}

// demo is everything that runs.
type demo struct {
	directory string
	sim       *platformsim.Sim
	tools     []*tool
	sidecar   *process
	processes []*process // in the order they were started
	calls     *callLog
}

// start starts simulator, sidecar and tools.
func (d *demo) start(ctx context.Context) error {
	fmt.Println("demo: starting the platform simulator, the sidecar and the two tools")
	certificates := filepath.Join(d.directory, "certificates")
	if err := os.Mkdir(certificates, 0o700); err != nil {
		return err
	}
	var err error
	if d.sim, err = platformsim.New(platformsim.Config{Dir: certificates}); err != nil {
		return err
	}
	d.sim.Start()
	certificate, key, err := d.sim.IssueCert()
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(certificates, "tool.pem"), certificate, 0o644),
		os.WriteFile(filepath.Join(certificates, "tool-key.pem"), key, 0o600),
	); err != nil {
		return err
	}
	if d.tools, err = d.installTools(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.directory, "sidecar.yaml"), []byte(d.configuration()), 0o600); err != nil {
		return err
	}
	if err := d.startSidecar(ctx); err != nil {
		return err
	}
	for _, tool := range d.tools {
		if err := d.startTool(ctx, tool); err != nil {
			return err
		}
	}
	return nil
}

// configuration is the sidecar's: one registration for each tool and platform.
func (d *demo) configuration() string {
	var text strings.Builder
	fmt.Fprintf(&text, "listen:\n  socket: %s\ndata_dir: %s\nkeys:\n  directory: %s\noutbound:\n  ca_file: %s\n  allow_cidrs: [127.0.0.0/8]\nregistrations:\n",
		d.socket(), filepath.Join(d.directory, "data"), filepath.Join(d.directory, "keys"), d.caFile())
	for _, tool := range d.tools {
		for _, platform := range platforms {
			r := d.sim.Platform(platform).Registration(tool.name)
			fmt.Fprintf(&text, "  - name: %s\n    issuer: %s\n    client_id: %q\n    deployments: [%q]\n", tool.registration(platform), r.Issuer, r.ClientID, r.DeploymentID)
			fmt.Fprintf(&text, "    authorization_uri: %s\n    token_uri: %s\n    jwks_uri: %s\n", r.AuthorizationURI, r.TokenURI, r.JWKSURI)
			fmt.Fprintf(&text, "    launch_uris: [%s/lti/launch]\n    login_uri: %s/lti/login\n    dialect: %s\n    message_types: [LtiResourceLinkRequest, LtiDeepLinkingRequest]\n", tool.origin, tool.origin, platform)
		}
	}
	return text.String()
}

func (d *demo) socket() string { return filepath.Join(d.directory, "sidecar.sock") }
func (d *demo) caFile() string { return filepath.Join(d.directory, "certificates", "ca.pem") }

// stop ends all processes, the last one first, and the simulator.
func (d *demo) stop() error {
	var failures []error
	for _, p := range slices.Backward(d.processes) {
		failures = append(failures, p.stop())
	}
	if d.sim != nil {
		failures = append(failures, d.sim.Close())
	}
	return errors.Join(failures...)
}

// invite says what can be tried while everything stays up.
func (d *demo) invite() {
	fmt.Println("demo: everything stays up. Open one of these, choose who you are, and launch:")
	for _, platform := range platforms {
		fmt.Printf("  %s/%s/course\n", d.sim.URL(), platform)
	}
	fmt.Println("Tools:")
	for _, tool := range d.tools {
		fmt.Printf("  %s (%s)\n", tool.origin, tool.name)
	}
	fmt.Printf("The certificate authority, for your browser to trust: %s\n", d.caFile())
	fmt.Printf("The sidecar: unix://%s, its log: %s\n", d.socket(), filepath.Join(d.directory, "sidecar.log"))
	fmt.Println("Ctrl-C stops it all.")
}
