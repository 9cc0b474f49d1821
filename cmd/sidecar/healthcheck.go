// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const healthTimeout = 3 * time.Second

// newHealthcheck returns `sidecar healthcheck`, for probes that can run a command.
func newHealthcheck() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running sidecar whether it is ready; exit 0 if so",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := configOf(command)
			if err != nil {
				return err
			}
			if err := checkHealth(command.Context(), config.Listen.address()); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), "healthcheck: ready")
			return nil
		},
	}
}

// address returns where the sidecar can be asked, in gRPC's form.
func (l ListenConfig) address() string {
	if l.Socket != "" {
		return "unix://" + l.Socket
	}
	return l.TCP
}

func checkHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer connection.Close()
	answer, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return fmt.Errorf("no sidecar answers at %s: %w", address, err)
	}
	if answer.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("the sidecar at %s is not ready: %s", address, answer.Status)
	}
	return nil
}
