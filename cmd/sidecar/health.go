// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// healthService is the library's, but that a watch ends once it has told that the process stops: open streams hold a
// stop up.
type healthService struct{ *health.Server }

// Watch tells the health and its changes.
func (s healthService) Watch(request *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx, end := context.WithCancel(stream.Context())
	defer end()
	return s.Server.Watch(request, &healthWatch{Health_WatchServer: stream, ctx: ctx, end: end})
}

// healthWatch is the stream of one watch. Its context ends after NOT_SERVING, which comes at the stop only.
type healthWatch struct {
	healthpb.Health_WatchServer
	ctx context.Context
	end context.CancelFunc
}

func (w *healthWatch) Context() context.Context { return w.ctx }

func (w *healthWatch) Send(answer *healthpb.HealthCheckResponse) error {
	err := w.Health_WatchServer.Send(answer)
	if answer.Status == healthpb.HealthCheckResponse_NOT_SERVING {
		w.end()
	}
	return err
}
