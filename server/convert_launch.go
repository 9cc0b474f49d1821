// SPDX-License-Identifier: Apache-2.0

package server

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// messageTypes pairs the message types of the API with those of the trade.
var messageTypes = map[pb.MessageType]lti.MessageType{
	pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK:            lti.MessageResourceLink,
	pb.MessageType_MESSAGE_TYPE_DEEP_LINKING:             lti.MessageDeepLinking,
	pb.MessageType_MESSAGE_TYPE_SUBMISSION_REVIEW:        lti.MessageSubmissionReview,
	pb.MessageType_MESSAGE_TYPE_DATA_PRIVACY:             lti.MessageDataPrivacy,
	pb.MessageType_MESSAGE_TYPE_START_PROCTORING:         lti.MessageStartProctoring,
	pb.MessageType_MESSAGE_TYPE_END_ASSESSMENT:           lti.MessageEndAssessment,
	pb.MessageType_MESSAGE_TYPE_ASSET_PROCESSOR_SETTINGS: lti.MessageAssetProcessorSettings,
	pb.MessageType_MESSAGE_TYPE_REPORT_REVIEW:            lti.MessageReportReview,
	pb.MessageType_MESSAGE_TYPE_EULA:                     lti.MessageEULA,
}

func messageTypesFromProto(types []pb.MessageType) ([]lti.MessageType, error) {
	var converted []lti.MessageType
	for _, t := range types {
		message, ok := messageTypes[t]
		if !ok {
			return nil, lti.FieldError("accept_message_types", "%s is not a message type that can be accepted", t)
		}
		converted = append(converted, message)
	}
	return converted, nil
}

func messageTypeToProto(message lti.MessageType) pb.MessageType {
	for t, m := range messageTypes {
		if m == message {
			return t
		}
	}
	return pb.MessageType_MESSAGE_TYPE_UNSPECIFIED
}

var bindings = map[launch.Binding]pb.BrowserBinding{
	launch.BindingCookie:            pb.BrowserBinding_BROWSER_BINDING_COOKIE,
	launch.BindingPartitionedCookie: pb.BrowserBinding_BROWSER_BINDING_PARTITIONED_COOKIE,
	launch.BindingPlatformStorage:   pb.BrowserBinding_BROWSER_BINDING_PLATFORM_STORAGE,
}

func launchToProto(l *launch.Launch) *pb.Launch {
	p := &pb.Launch{
		LaunchId:        l.ID,
		LaunchToken:     l.Token,
		Registration:    l.Registration,
		Issuer:          l.Issuer,
		ClientId:        l.ClientID,
		DeploymentId:    l.DeploymentID,
		TargetLinkUri:   l.TargetLinkURI,
		MessageType:     messageTypeToProto(l.MessageType),
		MessageTypeName: l.MessageName,
		Roles:           l.Roles,
		RoleSummary:     roleSummaryToProto(l.RoleSummary),
		Custom:          l.Custom,
		BrowserBinding:  bindings[l.Binding],
		ClaimsJson:      l.ClaimsJSON,
		LaunchTime:      timestamppb.New(l.Time),
		MentoredUserIds: l.MentoredUsers,
		User:            userToProto(l.User),
		Context:         contextToProto(l.Context),

		DeepLinking:        deepLinkingToProto(l.DeepLinking),
		ForUser:            forUserToProto(l.ForUser),
		Proctoring:         proctoringToProto(l),
		Activity:           activityToProto(l.Activity),
		Submission:         submissionToProto(l.Submission),
		AssetId:            l.AssetID,
		AssetReportType:    l.ReportType,
		AssetService:       assetServiceToProto(l.Registration, l.DeploymentID, l.AssetService),
		AssetReportService: reportServiceToProto(l.Registration, l.DeploymentID, l.Reports),
		Migration:          migrationToProto(l.Migration),
		Lti11LegacyUserId:  l.LTI11UserID,
	}
	if e := l.EULA; e != nil {
		p.EulaService = &pb.EulaService{Registration: l.Registration, DeploymentId: l.DeploymentID, EulaUri: e.URI, Scopes: e.Scopes}
	}
	if n := l.Notices; n != nil {
		p.NoticeService = &pb.NoticeService{
			Registration: l.Registration, DeploymentId: l.DeploymentID, NoticeHandlersUri: n.URI,
			ServiceVersions: n.ServiceVersions, Scopes: n.Scopes, NoticeTypes: n.Types,
		}
	}
	if r := l.ResourceLink; r != nil {
		p.ResourceLink = &pb.ResourceLink{Key: r.Key, Id: r.ID, Title: r.Title, Description: r.Description}
	}
	if r := l.Presentation; r != nil {
		p.LaunchPresentation = &pb.LaunchPresentation{DocumentTarget: r.DocumentTarget, Height: r.Height, Width: r.Width, ReturnUri: r.ReturnURI, Locale: r.Locale}
	}
	if t := l.Platform; t != nil {
		p.ToolPlatform = &pb.ToolPlatform{Guid: t.GUID, Name: t.Name, ProductFamilyCode: t.ProductFamily, Version: t.Version, Description: t.Description, Uri: t.URI, ContactEmail: t.ContactEmail}
	}
	if i := l.LIS; i != nil {
		p.Lis = &pb.Lis{PersonSourcedid: i.PersonSourcedID, CourseOfferingSourcedid: i.CourseOfferingSourcedID, CourseSectionSourcedid: i.CourseSectionSourcedID}
	}
	if g := l.Grades; g != nil {
		p.Grades = &pb.GradeEndpoint{Registration: g.Registration, DeploymentId: g.DeploymentID, LineItemUri: g.LineItemURI, LineItemsUri: g.LineItemsURI, Scopes: g.Scopes, CanPostScore: g.CanPostScore()}
	}
	if m := l.Memberships; m != nil {
		p.Memberships = &pb.MembershipEndpoint{Registration: m.Registration, DeploymentId: m.DeploymentID, ContextMembershipsUri: m.ContextMembershipsURI, ServiceVersions: m.ServiceVersions}
	}
	if g := l.Groups; g != nil {
		p.Groups = &pb.GroupEndpoint{
			Registration: g.Registration, DeploymentId: g.DeploymentID, ContextGroupsUri: g.GroupsURI, ContextGroupSetsUri: g.GroupSetsURI,
			ServiceVersions: g.ServiceVersions, Scopes: g.Scopes,
		}
	}
	if e := l.Events; e != nil {
		p.Events = &pb.EventEndpoint{
			Registration: e.Registration, DeploymentId: e.DeploymentID, CaliperEndpointUri: e.URI, FederatedSessionId: e.FederatedSessionID, Scopes: e.Scopes,
		}
	}
	return p
}

func roleSummaryToProto(s lti.RoleSummary) *pb.RoleSummary {
	return &pb.RoleSummary{
		Learner: s.Learner, Instructor: s.Instructor, ContentDeveloper: s.ContentDeveloper, Mentor: s.Mentor,
		Administrator: s.Administrator, TeachingAssistant: s.TeachingAssistant,
		AdministratorElsewhere: s.AdministratorElsewhere, TestUser: s.TestUser,
	}
}
