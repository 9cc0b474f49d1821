// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"

	"google.golang.org/grpc"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/nrps"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// rosterService implements RosterService.
type rosterService struct {
	pb.UnimplementedRosterServiceServer
	*Server
}

var memberStatus = map[string]pb.MemberStatus{
	lti.StatusActive:   pb.MemberStatus_MEMBER_STATUS_ACTIVE,
	lti.StatusInactive: pb.MemberStatus_MEMBER_STATUS_INACTIVE,
	lti.StatusDeleted:  pb.MemberStatus_MEMBER_STATUS_DELETED,
}

const (
	maxPageSize  = 1000
	maxURILength = 4 << 10 // bytes
)

// ListMembers streams a roster and ends it with its End; an error ends it with a status instead.
func (s *rosterService) ListMembers(request *pb.ListMembersRequest, stream grpc.ServerStreamingServer[pb.ListMembersResponse]) error {
	ctx := stream.Context()
	if request.Endpoint == nil {
		return lti.FieldError("endpoint", "it is required: hand back the memberships of the launch")
	}
	registration, err := s.serviceRegistration(ctx, "endpoint.", request.Endpoint.Registration, request.Endpoint.DeploymentId)
	if err != nil {
		return err
	}
	note(ctx, slog.String("registration", registration.Name))
	if err := checkRosterRequest(request); err != nil {
		return err
	}
	first := true
	end, err := s.config.Rosters.Members(ctx, registration, lti.MembershipEndpoint{
		Registration:          registration.Name,
		DeploymentID:          request.Endpoint.DeploymentId,
		ContextMembershipsURI: request.Endpoint.ContextMembershipsUri,
		ServiceVersions:       request.Endpoint.ServiceVersions,
	}, nrps.Options{
		Role:           request.Role,
		ResourceLinkID: request.ResourceLinkId,
		PageSizeHint:   int(request.PageSizeHint),
		Groups:         request.Groups,
		DifferencesURI: request.DifferencesUri,
	}, func(batch nrps.Batch) error {
		message := &pb.MemberBatch{Members: make([]*pb.Member, 0, len(batch.Members))}
		if first {
			message.Context = &pb.RosterContext{Id: batch.Context.ID, Label: batch.Context.Label, Title: batch.Context.Title}
			first = false
		}
		for i := range batch.Members {
			message.Members = append(message.Members, memberToProto(registration, &batch.Members[i]))
		}
		return stream.Send(&pb.ListMembersResponse{Part: &pb.ListMembersResponse_Batch{Batch: message}})
	})
	if err != nil {
		return err
	}
	note(ctx, slog.Int64("members", end.MemberCount))
	return stream.Send(&pb.ListMembersResponse{Part: &pb.ListMembersResponse_End{End: &pb.RosterEnd{
		MemberCount: end.MemberCount, DifferencesUri: end.DifferencesURI,
	}}})
}

func checkRosterRequest(request *pb.ListMembersRequest) error {
	switch {
	case request.PageSizeHint < 0 || request.PageSizeHint > maxPageSize:
		return lti.FieldError("page_size_hint", "%d is not between 0 and %d", request.PageSizeHint, maxPageSize)
	case len(request.Role) > maxURILength:
		return lti.FieldError("role", "it is longer than %d bytes", maxURILength)
	case request.Role != "" && lti.ParseRole(request.Role).Kind != lti.RoleContext:
		return lti.FieldError("role", "%q is not a context role: use one such as Learner or Instructor, or its URI", lti.Excerpt(request.Role))
	case len(request.ResourceLinkId) > 4*lti.MaxIDLength:
		return lti.FieldError("resource_link_id", "it is longer than %d characters", lti.MaxIDLength)
	case len(request.DifferencesUri) > maxURILength:
		return lti.FieldError("differences_uri", "it is longer than %d bytes", maxURILength)
	case len(request.Endpoint.ContextMembershipsUri) > maxURILength:
		return lti.FieldError("endpoint.context_memberships_uri", "it is longer than %d bytes", maxURILength)
	}
	return nil
}

func memberToProto(registration *platform.Registration, m *lti.Member) *pb.Member {
	return &pb.Member{
		UserKey:           lti.UserKey(registration.SubjectNamespace, registration.Issuer, m.UserID),
		UserId:            m.UserID,
		Status:            memberStatus[m.Status],
		Roles:             m.Roles,
		Name:              m.Name,
		GivenName:         m.GivenName,
		FamilyName:        m.FamilyName,
		MiddleName:        m.MiddleName,
		Email:             m.Email,
		Picture:           m.Picture,
		PersonSourcedid:   m.PersonSourcedID,
		Lti11LegacyUserId: m.LTI11LegacyUserID,
		MessageJson:       m.MessageJSON,
		GroupIds:          m.GroupIDs,
	}
}
