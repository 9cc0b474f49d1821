// SPDX-License-Identifier: Apache-2.0

// Command platformsim runs the platform simulator: several learning platforms on one HTTPS port of this machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/ltisidecar/ltisidecar/platformsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(os.Stdout).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "platformsim:", err)
		os.Exit(1)
	}
}

type options struct {
	dir, listen, config string
	certs               []string
	verbose             bool
}

func command(out io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "platformsim",
		Short: "Play Canvas, Moodle and five more on one port of this machine",
		Long: `platformsim plays several learning platforms on one HTTPS port of this machine, for tests and for looking around.
Open the printed address in a browser. It is not for real people's data.

A configuration names the tools of each platform; identifiers that are left out are made up, the same at every start:

  platforms:
    canvas:
      tools:
        - name: quiz
          login_uri: https://localhost:9443/lti/login
          launch_uris: [https://localhost:9443/lti/launch]
          jwks_uri: https://localhost:9443/lti/keys
    moodle: {}`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o, out) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "directory to keep the certificate authority in (ca.pem); empty: a new one at each start")
	f.StringVar(&o.listen, "listen", "", "loopback address to listen on (default 127.0.0.1:0, any free port)")
	f.StringVar(&o.config, "config", "", "YAML file with platforms and tools; empty: all platforms, no tools")
	f.StringArrayVar(&o.certs, "issue-cert", nil, "write NAME.pem and NAME-key.pem, a certificate for localhost under the authority, into --dir; may be repeated")
	f.BoolVar(&o.verbose, "verbose", false, "print a line for each refusal")
	return c
}

var certName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func run(ctx context.Context, o options, out io.Writer) (err error) {
	cfg, err := readConfig(o.config)
	if err != nil {
		return err
	}
	cfg.Dir = o.dir
	if o.listen != "" {
		cfg.Listen = o.listen
	}
	if o.verbose {
		cfg.Logf = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	}
	if len(o.certs) > 0 && o.dir == "" {
		return errors.New("--issue-cert needs --dir")
	}
	sim, err := platformsim.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	for _, name := range o.certs {
		if err := writeCert(sim, o.dir, name); err != nil {
			return err
		}
	}
	sim.Start()
	line, err := json.Marshal(map[string]string{"event": "ready", "url": sim.URL()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-sim.Done():
	}
	return nil
}

func readConfig(file string) (platformsim.Config, error) {
	var cfg platformsim.Config
	if file == "" {
		return cfg, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return cfg, err
	}
	if err := yaml.UnmarshalWithOptions(b, &cfg, yaml.Strict()); err != nil {
		return cfg, fmt.Errorf("%s: %w", file, err)
	}
	return cfg, nil
}

func writeCert(sim *platformsim.Sim, dir, name string) error {
	if !certName.MatchString(name) || name == "ca" {
		return fmt.Errorf("--issue-cert %q: letters, digits, '-' and '_' are allowed, and not ca", name)
	}
	cert, key, err := sim.IssueCert()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+"-key.pem"), key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".pem"), cert, 0o644)
}
