// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// eventService implements EventService.
type eventService struct {
	pb.UnimplementedEventServiceServer
	*Server
}

// SendEvents forwards one Caliper envelope.
func (s *eventService) SendEvents(ctx context.Context, request *pb.SendEventsRequest) (*pb.SendEventsResponse, error) {
	if request.Endpoint == nil {
		return nil, lti.FieldError("endpoint", "it is required: hand back the events of the launch")
	}
	registration, err := s.serviceRegistration(ctx, "endpoint.", request.Endpoint.Registration, request.Endpoint.DeploymentId)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.String("registration", registration.Name))
	if len(request.Endpoint.CaliperEndpointUri) > maxURILength {
		return nil, lti.FieldError("endpoint.caliper_endpoint_uri", "it is longer than %d bytes", maxURILength)
	}
	endpoint := lti.EventEndpoint{
		Registration:       registration.Name,
		DeploymentID:       request.Endpoint.DeploymentId,
		URI:                request.Endpoint.CaliperEndpointUri,
		Scopes:             request.Endpoint.Scopes,
		FederatedSessionID: request.Endpoint.FederatedSessionId,
	}
	if request.Durable {
		if err := s.config.Events.Keep(ctx, registration, endpoint, request.EnvelopeJson); err != nil {
			return nil, err
		}
		return &pb.SendEventsResponse{State: pb.EventDeliveryState_EVENT_DELIVERY_STATE_QUEUED}, nil
	}
	taken, err := s.config.Events.Send(ctx, registration, endpoint, request.EnvelopeJson)
	if err != nil {
		return nil, err
	}
	return &pb.SendEventsResponse{State: pb.EventDeliveryState_EVENT_DELIVERY_STATE_DELIVERED, DeliverTime: timestamppb.New(taken)}, nil
}
