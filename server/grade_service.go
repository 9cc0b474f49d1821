// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// gradeService implements GradeService.
type gradeService struct {
	pb.UnimplementedGradeServiceServer
	*Server
}

var activityProgress = map[pb.ActivityProgress]string{
	pb.ActivityProgress_ACTIVITY_PROGRESS_UNSPECIFIED: lti.ActivityCompleted,
	pb.ActivityProgress_ACTIVITY_PROGRESS_INITIALIZED: lti.ActivityInitialized,
	pb.ActivityProgress_ACTIVITY_PROGRESS_STARTED:     lti.ActivityStarted,
	pb.ActivityProgress_ACTIVITY_PROGRESS_IN_PROGRESS: lti.ActivityInProgress,
	pb.ActivityProgress_ACTIVITY_PROGRESS_SUBMITTED:   lti.ActivitySubmitted,
	pb.ActivityProgress_ACTIVITY_PROGRESS_COMPLETED:   lti.ActivityCompleted,
}

var gradingProgress = map[pb.GradingProgress]string{
	pb.GradingProgress_GRADING_PROGRESS_UNSPECIFIED:    lti.GradingFullyGraded,
	pb.GradingProgress_GRADING_PROGRESS_NOT_READY:      lti.GradingNotReady,
	pb.GradingProgress_GRADING_PROGRESS_FAILED:         lti.GradingFailed,
	pb.GradingProgress_GRADING_PROGRESS_PENDING:        lti.GradingPending,
	pb.GradingProgress_GRADING_PROGRESS_PENDING_MANUAL: lti.GradingPendingManual,
	pb.GradingProgress_GRADING_PROGRESS_FULLY_GRADED:   lti.GradingFullyGraded,
}

// PostScore sends one score.
func (s *gradeService) PostScore(ctx context.Context, request *pb.PostScoreRequest) (*pb.PostScoreResponse, error) {
	if request.Endpoint == nil {
		return nil, lti.FieldError("endpoint", "it is required: hand back the grades of the launch")
	}
	registration, err := s.serviceRegistration(ctx, "endpoint.", request.Endpoint.Registration, request.Endpoint.DeploymentId)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.String("registration", registration.Name))
	score, err := scoreFromProto(request.Score)
	if err != nil {
		return nil, err
	}
	delivery, err := s.config.Grades.PostScore(ctx, registration, lti.GradeEndpoint{
		Registration: registration.Name,
		DeploymentID: request.Endpoint.DeploymentId,
		LineItemURI:  request.Endpoint.LineItemUri,
		LineItemsURI: request.Endpoint.LineItemsUri,
		Scopes:       request.Endpoint.Scopes,
	}, score)
	if err != nil {
		return nil, err
	}
	answer := &pb.ScoreDelivery{State: pb.DeliveryState_DELIVERY_STATE_DELIVERED, ResultUri: delivery.ResultURI}
	if delivery.Superseded {
		answer.State = pb.DeliveryState_DELIVERY_STATE_SUPERSEDED
	} else {
		answer.SentTime = timestamppb.New(delivery.SentTime)
	}
	return &pb.PostScoreResponse{Delivery: answer}, nil
}

func scoreFromProto(score *pb.Score) (lti.Score, error) {
	if score == nil {
		return lti.Score{}, lti.FieldError("score", "it is required")
	}
	activity, ok := activityProgress[score.ActivityProgress]
	if !ok {
		return lti.Score{}, lti.FieldError("score.activity_progress", "%d is not a value of ActivityProgress", score.ActivityProgress)
	}
	grading, ok := gradingProgress[score.GradingProgress]
	if !ok {
		return lti.Score{}, lti.FieldError("score.grading_progress", "%d is not a value of GradingProgress", score.GradingProgress)
	}
	var scored time.Time
	if score.ScoreTime != nil {
		if err := score.ScoreTime.CheckValid(); err != nil {
			return lti.Score{}, lti.FieldError("score.score_time", "it is no valid time")
		}
		scored = score.ScoreTime.AsTime()
	}
	return lti.Score{
		UserID:           score.UserId,
		ScoreGiven:       score.ScoreGiven,
		ScoreMaximum:     score.ScoreMaximum,
		ActivityProgress: activity,
		GradingProgress:  grading,
		ScoreTime:        scored,
		Comment:          score.Comment,
		ScoringUserID:    score.ScoringUserId,
	}, nil
}
