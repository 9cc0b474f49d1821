// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"

	"github.com/ltisidecar/ltisidecar/groups"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// ListGroups lists the groups of a context, and their sets.
func (s *rosterService) ListGroups(ctx context.Context, request *pb.ListGroupsRequest) (*pb.ListGroupsResponse, error) {
	if request.Endpoint == nil {
		return nil, lti.FieldError("endpoint", "it is required: hand back the groups of the launch")
	}
	registration, err := s.serviceRegistration(ctx, "endpoint.", request.Endpoint.Registration, request.Endpoint.DeploymentId)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.String("registration", registration.Name))
	for field, uri := range map[string]string{
		"endpoint.context_groups_uri": request.Endpoint.ContextGroupsUri, "endpoint.context_group_sets_uri": request.Endpoint.ContextGroupSetsUri,
	} {
		if len(uri) > maxURILength {
			return nil, lti.FieldError(field, "it is longer than %d bytes", maxURILength)
		}
	}
	endpoint := lti.GroupEndpoint{
		Registration:    registration.Name,
		DeploymentID:    request.Endpoint.DeploymentId,
		GroupsURI:       request.Endpoint.ContextGroupsUri,
		GroupSetsURI:    request.Endpoint.ContextGroupSetsUri,
		Scopes:          request.Endpoint.Scopes,
		ServiceVersions: request.Endpoint.ServiceVersions,
	}
	options := groups.Options{UserID: request.UserId, PageSizeHint: int(request.PageSizeHint)}
	found, err := s.config.Groups.Groups(ctx, registration, endpoint, options)
	if err != nil {
		return nil, err
	}
	sets, err := s.config.Groups.Sets(ctx, registration, endpoint, options)
	if err != nil {
		return nil, err
	}
	response := &pb.ListGroupsResponse{}
	for i := range found {
		g := &found[i]
		response.Groups = append(response.Groups, &pb.Group{Id: g.ID, Name: g.Name, Tag: g.Tag, SetIds: g.SetIDs, Hidden: g.Hidden})
	}
	for i := range sets {
		set := &sets[i]
		response.Sets = append(response.Sets, &pb.GroupSet{Id: set.ID, Name: set.Name, Tag: set.Tag, Hidden: set.Hidden})
	}
	note(ctx, slog.Int("groups", len(found)), slog.Int("sets", len(sets)))
	return response, nil
}
