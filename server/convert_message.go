// SPDX-License-Identifier: Apache-2.0

package server

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// What launches and notices have in common, and what single message types carry. Each of these returns nil for nil.

func userToProto(u *launch.User) *pb.User {
	if u == nil {
		return nil
	}
	return &pb.User{Key: u.Key, Id: u.ID, Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Email: u.Email, Picture: u.Picture, Locale: u.Locale}
}

func contextToProto(c *launch.Context) *pb.Context {
	if c == nil {
		return nil
	}
	return &pb.Context{Key: c.Key, Id: c.ID, Label: c.Label, Title: c.Title, Types: c.Types}
}

func deepLinkingToProto(d *launch.DeepLinkingSettings) *pb.DeepLinkingSettings {
	if d == nil {
		return nil
	}
	return &pb.DeepLinkingSettings{
		ReturnUri: d.ReturnURI, AcceptTypes: d.AcceptTypes, AcceptPresentationDocumentTargets: d.AcceptTargets,
		AcceptMediaTypes: d.AcceptMedia, AcceptMultiple: d.AcceptMultiple, AcceptLineItem: d.AcceptLineItem,
		AutoCreate: d.AutoCreate, Title: d.Title, Text: d.Text, DeepLinkingToken: d.Token,
	}
}

func forUserToProto(u *launch.ForUser) *pb.ForUser {
	if u == nil {
		return nil
	}
	return &pb.ForUser{
		Key: u.Key, Id: u.ID, PersonSourcedid: u.PersonSourcedID, Name: u.Name, GivenName: u.GivenName,
		FamilyName: u.FamilyName, Email: u.Email, Roles: u.Roles,
	}
}

func proctoringToProto(l *launch.Launch) *pb.Proctoring {
	p := l.Proctoring
	if p == nil {
		return nil
	}
	converted := &pb.Proctoring{
		ProctoringToken: p.Token, AttemptNumber: p.AttemptNumber, StartAssessmentUri: p.StartAssessmentURI,
		SettingsData: p.Settings, ErrorMessage: p.ErrorMessage, ErrorLog: p.ErrorLog,
	}
	if c := p.Control; c != nil {
		converted.Control = &pb.AssessmentControl{Registration: l.Registration, DeploymentId: l.DeploymentID, ControlUri: c.URI, Actions: c.Actions}
	}
	return converted
}

func activityToProto(a *launch.Activity) *pb.Activity {
	if a == nil {
		return nil
	}
	return &pb.Activity{Id: a.ID, Title: a.Title}
}

func submissionToProto(s *launch.Submission) *pb.Submission {
	if s == nil {
		return nil
	}
	return &pb.Submission{Id: s.ID}
}

func assetServiceToProto(registration, deploymentID string, s *launch.AssetService) *pb.AssetService {
	if s == nil {
		return nil
	}
	converted := &pb.AssetService{Registration: registration, DeploymentId: deploymentID, Scopes: s.Scopes}
	for _, a := range s.Assets {
		converted.Assets = append(converted.Assets, &pb.Asset{
			Id: a.ID, Uri: a.URI, Sha256Checksum: a.Checksum, AssetTime: timeToProto(a.Time), Size: a.Size,
			ContentType: a.ContentType, Title: a.Title, FileName: a.FileName,
		})
	}
	return converted
}

func reportServiceToProto(registration, deploymentID string, s *launch.AssetReportService) *pb.AssetReportService {
	if s == nil {
		return nil
	}
	return &pb.AssetReportService{Registration: registration, DeploymentId: deploymentID, ReportUri: s.URI, Scopes: s.Scopes}
}

func migrationToProto(m *launch.Migration) *pb.Migration {
	if m == nil {
		return nil
	}
	return &pb.Migration{
		Verified: m.Verified, ConsumerKey: m.ConsumerKey, UserId: m.UserID, ContextId: m.ContextID,
		ToolConsumerInstanceGuid: m.ToolConsumerInstanceGUID, ResourceLinkId: m.ResourceLinkID,
	}
}

// timeToProto returns nil for the zero time.
func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func verifiedUserFromProto(u *pb.VerifiedUser) *launch.VerifiedUser {
	if u == nil {
		return nil
	}
	return &launch.VerifiedUser{GivenName: u.GivenName, MiddleName: u.MiddleName, FamilyName: u.FamilyName, FullName: u.FullName, Picture: u.Picture}
}

func noticeResultToProto(result launch.NoticeResult) *pb.NoticeResult {
	if result.Refusal != nil {
		return &pb.NoticeResult{Outcome: &pb.NoticeResult_Refusal{Refusal: noticeRefusalToProto(result.Refusal)}}
	}
	n := result.Notice
	return &pb.NoticeResult{Outcome: &pb.NoticeResult_Notice{Notice: &pb.Notice{
		Id:                 n.ID,
		Type:               n.Type,
		NoticeTime:         timeToProto(n.Time),
		Duplicate:          n.Duplicate,
		Registration:       n.Registration,
		Issuer:             n.Issuer,
		ClientId:           n.ClientID,
		DeploymentId:       n.DeploymentID,
		User:               userToProto(n.User),
		Context:            contextToProto(n.Context),
		OriginContextIds:   n.OriginContexts,
		Custom:             n.Custom,
		ForUser:            forUserToProto(n.ForUser),
		Activity:           activityToProto(n.Activity),
		Submission:         submissionToProto(n.Submission),
		AssetService:       assetServiceToProto(n.Registration, n.DeploymentID, n.AssetService),
		AssetReportService: reportServiceToProto(n.Registration, n.DeploymentID, n.Reports),
		ClaimsJson:         n.ClaimsJSON,
	}}}
}

func noticeRefusalToProto(refusal *lti.Error) *pb.NoticeRefusal {
	message := refusal.Message
	if message == "" {
		message = refusal.Reason.Info().Summary
	}
	return &pb.NoticeRefusal{Reason: string(refusal.Reason), Message: message, Metadata: refusal.Metadata}
}
