// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/scores"
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

// answerMargin is how long before the caller's deadline PostScore answers: a score that is kept must not look lost.
const answerMargin = 100 * time.Millisecond

// PostScore takes one score.
func (s *gradeService) PostScore(ctx context.Context, request *pb.PostScoreRequest) (*pb.PostScoreResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	score, err := scoreFromProto(request.Score)
	if err != nil {
		return nil, err
	}
	wait := scores.DefaultWait
	if request.MaxWait != nil {
		if err := request.MaxWait.CheckValid(); err != nil {
			return nil, lti.FieldError("max_wait", "it is no valid duration")
		}
		if wait = request.MaxWait.AsDuration(); wait < 0 || wait > scores.MaxWait {
			return nil, lti.FieldError("max_wait", "it is not from 0 to %v", scores.MaxWait)
		}
	}
	if deadline, limited := ctx.Deadline(); limited && wait > 0 {
		wait = min(wait, max(time.Until(deadline)-answerMargin, 0))
	}
	delivery, err := s.config.Scores.Post(ctx, scores.Request{
		Caller: localCaller, Registration: registration, Endpoint: endpoint, Score: score, RequestID: request.RequestId, Wait: wait,
	})
	if delivery.ID != "" {
		note(ctx, slog.String("delivery_id", delivery.ID), slog.String("delivery_state", string(delivery.State)))
	}
	if err != nil {
		return nil, err
	}
	return &pb.PostScoreResponse{Delivery: deliveryToProto(&delivery)}, nil
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
	var scored, begun, submitted time.Time
	for _, t := range []struct {
		field string
		from  *timestamppb.Timestamp
		to    *time.Time
	}{
		{"score.score_time", score.ScoreTime, &scored},
		{"score.submission_start_time", score.SubmissionStartTime, &begun},
		{"score.submission_time", score.SubmissionTime, &submitted},
	} {
		var err error
		if *t.to, err = timeFromProto(t.field, t.from); err != nil {
			return lti.Score{}, err
		}
	}
	canvas, err := canvasFromProto(score.CanvasSubmission)
	if err != nil {
		return lti.Score{}, err
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
		SubmissionStart:  begun,
		SubmissionTime:   submitted,
		Canvas:           canvas,
		ExtensionsJSON:   score.ExtensionsJson,
	}, nil
}

func canvasFromProto(submission *pb.CanvasSubmission) (*lti.CanvasSubmission, error) {
	if submission == nil {
		return nil, nil
	}
	submitted, err := timeFromProto("score.canvas_submission.submission_time", submission.SubmissionTime)
	if err != nil {
		return nil, err
	}
	canvas := &lti.CanvasSubmission{
		NewSubmission: submission.NewSubmission, SubmissionType: submission.SubmissionType, SubmissionData: submission.SubmissionData,
		SubmissionTime: submitted, PrioritizeNonToolGrade: submission.PrioritizeNonToolGrade, PreserveScore: submission.PreserveScore,
	}
	for _, file := range submission.Files {
		canvas.Files = append(canvas.Files, lti.CanvasFile{URI: file.Uri, Title: file.Title, MediaType: file.MediaType})
	}
	return canvas, nil
}
