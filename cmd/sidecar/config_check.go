// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newConfig returns `sidecar config`.
func newConfig() *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Work with the configuration"}
	config.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check the configuration and warn of the usual slips, without starting anything",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			loaded, err := configOf(command)
			if err != nil {
				return fmt.Errorf("the configuration has errors:\n%w", err)
			}
			out := command.OutOrStdout()
			for _, warning := range loaded.Warnings {
				fmt.Fprintln(out, "warning: "+warning)
			}
			fmt.Fprintf(out, "config: ok, registrations: %d, warnings: %d\n", len(loaded.Registrations), len(loaded.Warnings))
			return nil
		},
	})
	return config
}
