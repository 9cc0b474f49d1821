// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// LineItems manages line items and reads results.
type LineItems interface {
	ListLineItems(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, filter ags.Filter) ([]lti.LineItem, error)
	GetLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string) (lti.LineItem, error)
	EnsureLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, wanted lti.LineItem) (ags.Ensured, error)
	UpdateLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, item lti.LineItem, mask []string) (lti.LineItem, error)
	DeleteLineItem(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string) error
	ListResults(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string, filter ags.ResultFilter, yield func([]lti.Result) error) (count int64, err error)
}

const (
	maxFilterLength = 1024 // bytes of a resource link id, resource id or tag
	maxMaskPaths    = 32
)

// gradeEndpoint returns the registration that an endpoint names, and the endpoint.
func (s *gradeService) gradeEndpoint(ctx context.Context, endpoint *pb.GradeEndpoint) (*platform.Registration, lti.GradeEndpoint, error) {
	if endpoint == nil {
		return nil, lti.GradeEndpoint{}, lti.FieldError("endpoint", "it is required: hand back the grades of the launch")
	}
	registration, err := s.serviceRegistration(ctx, "endpoint.", endpoint.Registration, endpoint.DeploymentId)
	if err != nil {
		return nil, lti.GradeEndpoint{}, err
	}
	note(ctx, slog.String("registration", registration.Name))
	if err := checkLength("endpoint.line_item_uri", endpoint.LineItemUri, maxURILength); err != nil {
		return nil, lti.GradeEndpoint{}, err
	}
	if err := checkLength("endpoint.line_items_uri", endpoint.LineItemsUri, maxURILength); err != nil {
		return nil, lti.GradeEndpoint{}, err
	}
	return registration, lti.GradeEndpoint{
		Registration: registration.Name, DeploymentID: endpoint.DeploymentId,
		LineItemURI: endpoint.LineItemUri, LineItemsURI: endpoint.LineItemsUri, Scopes: endpoint.Scopes,
	}, nil
}

func checkLength(field, text string, limit int) error {
	if len(text) > limit {
		return lti.FieldError(field, "it is longer than %d bytes", limit)
	}
	return nil
}

// ListLineItems lists the line items of a context.
func (s *gradeService) ListLineItems(ctx context.Context, request *pb.ListLineItemsRequest) (*pb.ListLineItemsResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	for field, text := range map[string]string{"resource_link_id": request.ResourceLinkId, "resource_id": request.ResourceId, "tag": request.Tag} {
		if err := checkLength(field, text, maxFilterLength); err != nil {
			return nil, err
		}
	}
	items, err := s.config.LineItems.ListLineItems(ctx, registration, endpoint, ags.Filter{
		ResourceLinkID: request.ResourceLinkId, ResourceID: request.ResourceId, Tag: request.Tag, PageSizeHint: int(request.PageSizeHint),
	})
	if err != nil {
		return nil, err
	}
	answer := &pb.ListLineItemsResponse{}
	for i := range items {
		answer.Items = append(answer.Items, lineItemToProto(&items[i]))
	}
	return answer, nil
}

// GetLineItem reads one line item.
func (s *gradeService) GetLineItem(ctx context.Context, request *pb.GetLineItemRequest) (*pb.GetLineItemResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := checkLength("line_item_uri", request.LineItemUri, maxURILength); err != nil {
		return nil, err
	}
	item, err := s.config.LineItems.GetLineItem(ctx, registration, endpoint, request.LineItemUri)
	if err != nil {
		return nil, err
	}
	return &pb.GetLineItemResponse{Item: lineItemToProto(&item)}, nil
}

// EnsureLineItem finds a line item, or makes it.
func (s *gradeService) EnsureLineItem(ctx context.Context, request *pb.EnsureLineItemRequest) (*pb.EnsureLineItemResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	wanted, err := lineItemFromProto("wanted", request.Wanted)
	if err != nil {
		return nil, err
	}
	ensured, err := s.config.LineItems.EnsureLineItem(ctx, registration, endpoint, wanted)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.Bool("created", ensured.Created))
	return &pb.EnsureLineItemResponse{Item: lineItemToProto(&ensured.Item), Created: ensured.Created, DifferingFields: ensured.DifferingFields}, nil
}

// UpdateLineItem changes fields of a line item.
func (s *gradeService) UpdateLineItem(ctx context.Context, request *pb.UpdateLineItemRequest) (*pb.UpdateLineItemResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	item, err := lineItemFromProto("item", request.Item)
	if err != nil {
		return nil, err
	}
	mask := request.UpdateMask.GetPaths()
	if len(mask) > maxMaskPaths {
		return nil, lti.FieldError("update_mask", "it names more than %d fields", maxMaskPaths)
	}
	item, err = s.config.LineItems.UpdateLineItem(ctx, registration, endpoint, item, mask)
	if err != nil {
		return nil, err
	}
	return &pb.UpdateLineItemResponse{Item: lineItemToProto(&item)}, nil
}

// DeleteLineItem deletes a line item.
func (s *gradeService) DeleteLineItem(ctx context.Context, request *pb.DeleteLineItemRequest) (*pb.DeleteLineItemResponse, error) {
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return nil, err
	}
	if err := checkLength("line_item_uri", request.LineItemUri, maxURILength); err != nil {
		return nil, err
	}
	if err := s.config.LineItems.DeleteLineItem(ctx, registration, endpoint, request.LineItemUri); err != nil {
		return nil, err
	}
	return &pb.DeleteLineItemResponse{}, nil
}

// ListResults streams the results of a line item and ends them with their End; an error ends them with a status instead.
func (s *gradeService) ListResults(request *pb.ListResultsRequest, stream grpc.ServerStreamingServer[pb.ListResultsResponse]) error {
	ctx := stream.Context()
	registration, endpoint, err := s.gradeEndpoint(ctx, request.Endpoint)
	if err != nil {
		return err
	}
	if err := checkLength("line_item_uri", request.LineItemUri, maxURILength); err != nil {
		return err
	}
	if err := checkLength("user_id", request.UserId, 4*lti.MaxIDLength); err != nil {
		return err
	}
	count, err := s.config.LineItems.ListResults(ctx, registration, endpoint, request.LineItemUri, ags.ResultFilter{
		UserID: request.UserId, PageSizeHint: int(request.PageSizeHint),
	}, func(results []lti.Result) error {
		batch := &pb.ResultBatch{}
		for i := range results {
			batch.Results = append(batch.Results, resultToProto(registration, &results[i]))
		}
		return stream.Send(&pb.ListResultsResponse{Part: &pb.ListResultsResponse_Batch{Batch: batch}})
	})
	if err != nil {
		return err
	}
	note(ctx, slog.Int64("results", count))
	return stream.Send(&pb.ListResultsResponse{Part: &pb.ListResultsResponse_End{End: &pb.ResultsEnd{ResultCount: count}}})
}

func lineItemToProto(item *lti.LineItem) *pb.LineItem {
	p := &pb.LineItem{
		Uri: item.URI, Label: item.Label, ScoreMaximum: item.ScoreMaximum, ResourceLinkId: item.ResourceLinkID, ResourceId: item.ResourceID, Tag: item.Tag,
		StartTime: timeToProto(item.StartTime), EndTime: timeToProto(item.EndTime), GradesReleased: item.GradesReleased, ExtensionsJson: item.ExtensionsJSON,
	}
	if review := item.SubmissionReview; review != nil {
		p.SubmissionReview = &pb.SubmissionReview{ReviewableStatus: review.ReviewableStatus, Label: review.Label, Uri: review.URI, Custom: review.Custom}
	}
	return p
}

// lineItemFromProto reads a line item; field is where it stands in the request.
func lineItemFromProto(field string, p *pb.LineItem) (lti.LineItem, error) {
	if p == nil {
		return lti.LineItem{}, lti.FieldError(field, "it is required")
	}
	if err := checkLength(field+".uri", p.Uri, maxURILength); err != nil {
		return lti.LineItem{}, err
	}
	item := lti.LineItem{
		URI: p.Uri, Label: p.Label, ScoreMaximum: p.ScoreMaximum, ResourceLinkID: p.ResourceLinkId, ResourceID: p.ResourceId, Tag: p.Tag,
		GradesReleased: p.GradesReleased, ExtensionsJSON: p.ExtensionsJson,
	}
	for _, moment := range []struct {
		name string
		from *timestamppb.Timestamp
		to   *time.Time
	}{{"start_time", p.StartTime, &item.StartTime}, {"end_time", p.EndTime, &item.EndTime}} {
		if moment.from == nil {
			continue
		}
		if err := moment.from.CheckValid(); err != nil {
			return lti.LineItem{}, lti.FieldError(field+"."+moment.name, "it is no valid time")
		}
		*moment.to = moment.from.AsTime()
	}
	if review := p.SubmissionReview; review != nil {
		item.SubmissionReview = &lti.SubmissionReview{ReviewableStatus: review.ReviewableStatus, Label: review.Label, URI: review.Uri, Custom: review.Custom}
	}
	return item, nil
}

func resultToProto(registration *platform.Registration, result *lti.Result) *pb.Result {
	return &pb.Result{
		Uri: result.URI, LineItemUri: result.LineItemURI,
		UserKey: lti.UserKey(registration.SubjectNamespace, registration.Issuer, result.UserID), UserId: result.UserID,
		Score: result.Score, ScoreMaximum: result.ScoreMaximum, ScoringUserId: result.ScoringUserID, Comment: result.Comment, ExtensionsJson: result.ExtensionsJSON,
	}
}
