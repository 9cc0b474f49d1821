// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/scores"
)

const (
	defaultDeliveries = 100
	maxStates         = 16
	maxDeliveryID     = 64 // bytes, also of a cursor
)

var deliveryStates = map[pb.DeliveryState]scores.State{
	pb.DeliveryState_DELIVERY_STATE_DELIVERED:   scores.StateDelivered,
	pb.DeliveryState_DELIVERY_STATE_QUEUED:      scores.StateQueued,
	pb.DeliveryState_DELIVERY_STATE_SUPERSEDED:  scores.StateSuperseded,
	pb.DeliveryState_DELIVERY_STATE_UNCONFIRMED: scores.StateUnconfirmed,
	pb.DeliveryState_DELIVERY_STATE_DELIVERING:  scores.StateDelivering,
	pb.DeliveryState_DELIVERY_STATE_REFUSED:     scores.StateRefused,
}

// ListScoreDeliveries lists what became of scores.
func (s *gradeService) ListScoreDeliveries(ctx context.Context, request *pb.ListScoreDeliveriesRequest) (*pb.ListScoreDeliveriesResponse, error) {
	registration, err := s.deliveryRegistration(ctx, request.Registration, request.Cursor)
	if err != nil {
		return nil, err
	}
	filter := scores.Filter{
		Registration: registration.Name, DeploymentID: request.DeploymentId, LineItemURI: request.LineItemUri, UserID: request.UserId,
	}
	switch {
	case request.PageSize < 0 || request.PageSize > scores.MaxPageSize:
		return nil, lti.FieldError("page_size", "%d is not between 0 and %d", request.PageSize, scores.MaxPageSize)
	case len(request.States) > maxStates:
		return nil, lti.FieldError("states", "there are %d; at most %d are allowed", len(request.States), maxStates)
	}
	if err := checkLength("line_item_uri", request.LineItemUri, maxURILength); err != nil {
		return nil, err
	}
	for _, state := range request.States {
		known, ok := deliveryStates[state]
		if !ok {
			return nil, lti.FieldError("states", "%d is not a state of deliveries", state)
		}
		filter.States = append(filter.States, known)
	}
	size := int(request.PageSize)
	if size == 0 {
		size = defaultDeliveries
	}
	page, err := s.config.Scores.List(ctx, filter, request.Cursor, size)
	if err != nil {
		return nil, err
	}
	answer := &pb.ListScoreDeliveriesResponse{Cursor: page.Cursor, Complete: page.Complete}
	for i := range page.Deliveries {
		answer.Deliveries = append(answer.Deliveries, deliveryToProto(&page.Deliveries[i]))
	}
	return answer, nil
}

// WatchScoreDeliveries streams deliveries as they change.
func (s *gradeService) WatchScoreDeliveries(request *pb.WatchScoreDeliveriesRequest, stream grpc.ServerStreamingServer[pb.WatchScoreDeliveriesResponse]) error {
	ctx := stream.Context()
	registration, err := s.deliveryRegistration(ctx, request.Registration, request.Cursor)
	if err != nil {
		return err
	}
	return s.config.Scores.Watch(ctx, registration.Name, request.Cursor, func(delivery *scores.Delivery, cursor string) error {
		answer := &pb.WatchScoreDeliveriesResponse{Cursor: cursor}
		if delivery != nil {
			answer.Delivery = deliveryToProto(delivery)
		}
		return stream.Send(answer)
	})
}

// RetryScoreDelivery queues a delivery once more.
func (s *gradeService) RetryScoreDelivery(ctx context.Context, request *pb.RetryScoreDeliveryRequest) (*pb.RetryScoreDeliveryResponse, error) {
	registration, err := s.deliveryRegistration(ctx, request.Registration, "")
	if err != nil {
		return nil, err
	}
	if request.DeliveryId == "" {
		return nil, lti.FieldError("delivery_id", "it is required")
	}
	if err := checkLength("delivery_id", request.DeliveryId, maxDeliveryID); err != nil {
		return nil, err
	}
	note(ctx, slog.String("delivery_id", request.DeliveryId))
	delivery, err := s.config.Scores.Retry(ctx, registration.Name, request.DeliveryId)
	if err != nil {
		return nil, err
	}
	return &pb.RetryScoreDeliveryResponse{Delivery: deliveryToProto(&delivery)}, nil
}

func (s *gradeService) deliveryRegistration(ctx context.Context, name, cursor string) (*platform.Registration, error) {
	registration, err := s.registrationOf("registration", name)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.String("registration", registration.Name))
	return registration, checkLength("cursor", cursor, maxDeliveryID)
}

func deliveryToProto(d *scores.Delivery) *pb.ScoreDelivery {
	answer := &pb.ScoreDelivery{
		SentTime: timeToProto(d.SentTime), ResultUri: d.ResultURI, DeliveryId: d.ID, Registration: d.Registration, DeploymentId: d.DeploymentID,
		LineItemUri: d.LineItemURI, UserId: d.UserID, RequestId: d.RequestID, ScoreTime: timeToProto(d.ScoreTime), CreateTime: timeToProto(d.CreateTime),
		UpdateTime: timeToProto(d.UpdateTime), Attempts: int32(min(d.Attempts, 1<<31-1)), NextAttemptTime: timeToProto(d.NextAttempt),
		Reason: string(d.Reason), PlatformStatus: int32(d.PlatformStatus()), PlatformError: d.Metadata["platform_error"],
	}
	for state, name := range deliveryStates {
		if name == d.State {
			answer.State = state
		}
	}
	return answer
}
