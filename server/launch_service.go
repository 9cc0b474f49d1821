// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// launchService implements LaunchService.
type launchService struct {
	pb.UnimplementedLaunchServiceServer
	*Server
}

// BuildAuthRequest answers a login initiation.
func (s *launchService) BuildAuthRequest(ctx context.Context, request *pb.BuildAuthRequestRequest) (*pb.BuildAuthRequestResponse, error) {
	browser, err := browserFromProto(request.Browser)
	if err != nil {
		return nil, err
	}
	reply, err := s.config.Launches.BuildAuthRequest(ctx, localCaller, launch.AuthRequest{
		Browser: browser, LaunchURI: request.LaunchUri, Registration: request.Registration,
	})
	if err != nil {
		return nil, &browserError{err: err, cspNonce: pageNonce(browser, err)}
	}
	note(ctx, slog.String("registration", reply.Registration))
	return &pb.BuildAuthRequestResponse{
		Reply:            replyToProto(reply.Reply),
		AuthorizationUri: reply.AuthorizationURI,
		State:            reply.State,
		ExpireTime:       timestamppb.New(reply.ExpireTime),
		Registration:     reply.Registration,
	}, nil
}

// ValidateLaunch validates an authentication response and, once it is redeemed, notes what it tells of the platform.
func (s *launchService) ValidateLaunch(ctx context.Context, request *pb.ValidateLaunchRequest) (*pb.ValidateLaunchResponse, error) {
	browser, err := browserFromProto(request.Browser)
	if err != nil {
		return nil, err
	}
	accept, err := messageTypesFromProto(request.AcceptMessageTypes)
	if err != nil {
		return nil, err
	}
	outcome, err := s.config.Launches.Validate(ctx, localCaller, launch.Request{Browser: browser, LaunchURI: request.LaunchUri, Accept: accept})
	if err != nil {
		answer := &browserError{err: err, cspNonce: pageNonce(browser, err)}
		var refusal *launch.Refusal
		if errors.As(err, &refusal) {
			answer.restartURI = refusal.RestartURI
		}
		return nil, answer
	}
	if outcome.Step != nil {
		note(ctx, slog.String("step", "platform storage"))
		return &pb.ValidateLaunchResponse{Outcome: &pb.ValidateLaunchResponse_BrowserStep{BrowserStep: replyToProto(outcome.Step)}}, nil
	}
	l := outcome.Launch
	note(ctx, slog.String("registration", l.Registration), slog.String("launch_id", l.ID), slog.String("binding", string(l.Binding)), slog.Bool("target_changed", l.TargetChanged))
	if len(l.Remarks) > 0 {
		note(ctx, slog.Any("remarks", l.Remarks))
	}
	s.learn(ctx, l)
	return &pb.ValidateLaunchResponse{
		Outcome: &pb.ValidateLaunchResponse_Launch{Launch: launchToProto(l)},
		Headers: headersToProto(outcome.Headers),
	}, nil
}

// learn notes the platform's service origins and product. The launch stands whether or not that succeeds.
func (s *launchService) learn(ctx context.Context, l *launch.Launch) {
	registration, err := s.config.Registry.ByName(l.Registration)
	if err != nil {
		return // a launch of a registration that was removed while it ran
	}
	var uris []string
	if l.Grades != nil {
		uris = append(uris, l.Grades.LineItemsURI, l.Grades.LineItemURI)
	}
	if l.Memberships != nil {
		uris = append(uris, l.Memberships.ContextMembershipsURI)
	}
	if l.Groups != nil {
		uris = append(uris, l.Groups.GroupsURI, l.Groups.GroupSetsURI)
	}
	if l.Events != nil {
		uris = append(uris, l.Events.URI)
	}
	if l.Notices != nil {
		uris = append(uris, l.Notices.URI)
	}
	family := ""
	if l.Platform != nil {
		family = l.Platform.ProductFamily
	}
	if err := s.config.Learned.Learn(ctx, registration, l.DeploymentID, family, uris...); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "the launch's service origins could not be recorded", slog.String("registration", registration.Name), slog.String("cause", lti.Excerpt(err.Error())))
	}
}

// CheckLaunchToken opens a launch token.
func (s *launchService) CheckLaunchToken(ctx context.Context, request *pb.CheckLaunchTokenRequest) (*pb.CheckLaunchTokenResponse, error) {
	l, expires, err := s.config.Launches.CheckToken(ctx, localCaller, request.LaunchToken)
	if err != nil {
		return nil, &browserError{err: err}
	}
	note(ctx, slog.String("registration", l.Registration), slog.String("launch_id", l.ID))
	return &pb.CheckLaunchTokenResponse{Launch: launchToProto(l), ExpireTime: timestamppb.New(expires)}, nil
}

// BuildStartAssessment signs the message that lets a proctored user begin.
func (s *launchService) BuildStartAssessment(ctx context.Context, request *pb.BuildStartAssessmentRequest) (*pb.BuildStartAssessmentResponse, error) {
	message, err := s.config.Launches.BuildStartAssessment(ctx, localCaller, launch.StartAssessmentRequest{
		Token: request.ProctoringToken, EndAssessmentReturn: request.EndAssessmentReturn,
		VerifiedUser: verifiedUserFromProto(request.VerifiedUser), CSPNonce: request.CspNonce,
	})
	if err != nil {
		return nil, &browserError{err: err, cspNonce: pageNonce(launch.BrowserRequest{CSPNonce: request.CspNonce}, err)}
	}
	note(ctx, slog.String("registration", message.Registration))
	return &pb.BuildStartAssessmentResponse{Reply: replyToProto(message.Reply), StartAssessmentUri: message.URI, Jwt: message.JWT}, nil
}

// ValidateNotices validates the notices that a platform posted.
func (s *launchService) ValidateNotices(ctx context.Context, request *pb.ValidateNoticesRequest) (*pb.ValidateNoticesResponse, error) {
	if len(request.Body) == 0 {
		return nil, lti.FieldError("body", "it is required: relay the body that the platform posted")
	}
	results, err := s.config.Launches.ValidateNotices(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	response := &pb.ValidateNoticesResponse{}
	refused := map[string]int{}
	for _, result := range results {
		if result.Refusal != nil {
			refused[string(result.Refusal.Reason)]++
			s.config.Metrics.refused(result.Refusal.Reason)
			s.logRefusedNotice(ctx, result.Refusal)
		}
		response.Results = append(response.Results, noticeResultToProto(result))
	}
	note(ctx, slog.Int("notices", len(results)), slog.Any("refused", refused))
	return response, nil
}

// logRefusedNotice logs why a notice was refused. A defect of ours is an error; what a sender did is not, and anybody
// can send.
func (s *launchService) logRefusedNotice(ctx context.Context, refusal *lti.Error) {
	level := slog.LevelDebug
	if isOurs(refusal) {
		level = slog.LevelError
	}
	cause := ""
	if refusal.Cause != nil {
		cause = lti.Excerpt(refusal.Cause.Error())
	}
	s.log.LogAttrs(ctx, level, "notice refused", slog.String("reason", string(refusal.Reason)), slog.String("registration", refusal.Metadata["registration"]),
		slog.String("message", refusal.Message), slog.String("cause", cause))
}

// pageNonce returns the CSP nonce for the page of a refusal: none where the nonce itself was refused.
func pageNonce(browser launch.BrowserRequest, err error) string {
	if lti.ReasonOf(err) == lti.ReasonRequestInvalid {
		return ""
	}
	return browser.CSPNonce
}
