// SPDX-License-Identifier: Apache-2.0

// Command sidecar runs beside a learning tool and does its LTI 1.3: see the README.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sidecar: "+err.Error())
		os.Exit(1)
	}
}

// newRoot returns the command with its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "sidecar",
		Short:         "LTI 1.3 for the tool beside it: launches, service tokens, grades and rosters over gRPC",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().String("config", defaultConfigPath(), "configuration file; also $"+configVariable)
	root.AddCommand(newServe(), newConfig(), newStore(), newExplain(), newInspect(), newHealthcheck(), newVersion())
	return root
}

// configOf loads the configuration that a command was given.
func configOf(command *cobra.Command) (*Config, error) {
	path, err := command.Flags().GetString("config")
	if err != nil {
		return nil, err
	}
	return LoadConfig(path)
}
