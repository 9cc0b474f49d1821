// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// BuildDeepLinkingResponse signs the message that takes chosen content to the platform.
func (s *launchService) BuildDeepLinkingResponse(ctx context.Context, request *pb.BuildDeepLinkingResponseRequest) (*pb.BuildDeepLinkingResponseResponse, error) {
	refuse := func(err error) error {
		return &browserError{err: err, cspNonce: pageNonce(launch.BrowserRequest{CSPNonce: request.CspNonce}, err)}
	}
	items := make([]launch.ContentItem, len(request.Items))
	for i, item := range request.Items {
		var err error
		if items[i], err = contentItemFromProto(fmt.Sprintf("items[%d]", i), item); err != nil {
			return nil, refuse(err)
		}
	}
	message, err := s.config.Launches.BuildDeepLinkingResponse(ctx, localCaller, launch.DeepLinkingRequest{
		Token: request.DeepLinkingToken, Items: items, Message: request.Message, Log: request.Log,
		ErrorMessage: request.ErrorMessage, ErrorLog: request.ErrorLog, CSPNonce: request.CspNonce,
	})
	if err != nil {
		return nil, refuse(err)
	}
	note(ctx, slog.String("registration", message.Registration), slog.Int("items", len(items)))
	return &pb.BuildDeepLinkingResponseResponse{Reply: replyToProto(message.Reply), ReturnUri: message.URI, Jwt: message.JWT}, nil
}

// contentItemFromProto reads an item. What the API cannot say twice needs no check; the rest is checked where it is
// known what the platform accepts.
func contentItemFromProto(path string, p *pb.ContentItem) (launch.ContentItem, error) {
	item := launch.ContentItem{
		Title: p.GetTitle(), Text: p.GetText(), Extensions: p.GetExtensionsJson(), Icon: imageFromProto(p.GetIcon()), Thumbnail: imageFromProto(p.GetThumbnail()),
	}
	var err error
	switch kind := p.GetKind().(type) {
	case *pb.ContentItem_Link:
		item.Type, item.URI, item.EmbedHTML = launch.ItemLink, kind.Link.GetUri(), kind.Link.GetEmbedHtml()
		item.Window, item.Iframe = windowFromProto(kind.Link.GetWindow()), iframeFromProto(kind.Link.GetIframe())
	case *pb.ContentItem_ResourceLink:
		err = resourceLinkFromProto(path+".resource_link", kind.ResourceLink, &item)
	case *pb.ContentItem_File:
		item.Type, item.URI, item.MediaType = launch.ItemFile, kind.File.GetUri(), kind.File.GetMediaType()
		item.ExpireTime, err = timeFromProto(path+".file.expire_time", kind.File.GetExpireTime())
	case *pb.ContentItem_Html:
		item.Type, item.HTML = launch.ItemHTML, kind.Html.GetHtml()
	case *pb.ContentItem_Image:
		item.Type, item.URI = launch.ItemImage, kind.Image.GetUri()
		item.Width, item.Height = int(kind.Image.GetWidth()), int(kind.Image.GetHeight())
	case *pb.ContentItem_AssetProcessor:
		item.Type, item.URI = launch.ItemAssetProcessor, kind.AssetProcessor.GetUri()
		item.Custom, item.Report = kind.AssetProcessor.GetCustom(), kind.AssetProcessor.GetReportJson()
	case *pb.ContentItem_Other:
		item.Type, item.Members = kind.Other.GetType(), kind.Other.GetMembersJson()
		if launch.IsTypedItem(item.Type) {
			err = lti.FieldError(path+".other.type", "items of the type %q have a field of their own", item.Type)
		}
	default:
		err = lti.FieldError(path+".kind", "it is required")
	}
	return item, err
}

func resourceLinkFromProto(path string, p *pb.ResourceLinkItem, item *launch.ContentItem) error {
	item.Type, item.URI, item.Custom = launch.ItemResourceLink, p.GetUri(), p.GetCustom()
	item.Window, item.Iframe = windowFromProto(p.GetWindow()), iframeFromProto(p.GetIframe())
	var err error
	if item.LineItem, err = itemLineItemFromProto(path+".line_item", p.GetLineItem()); err != nil {
		return err
	}
	if item.Available, err = timeWindowFromProto(path+".available", p.GetAvailable()); err != nil {
		return err
	}
	item.Submission, err = timeWindowFromProto(path+".submission", p.GetSubmission())
	return err
}

// itemLineItemFromProto reads what a content item can say of its line item, and refuses the rest.
func itemLineItemFromProto(path string, l *pb.LineItem) (*launch.ContentLineItem, error) {
	if l == nil {
		return nil, nil
	}
	for _, extra := range []struct {
		name string
		set  bool
	}{
		{"uri", l.Uri != ""}, {"resource_link_id", l.ResourceLinkId != ""}, {"start_time", l.StartTime != nil}, {"end_time", l.EndTime != nil}, {"extensions_json", l.ExtensionsJson != ""},
	} {
		if extra.set {
			return nil, lti.FieldError(path+"."+extra.name, "a line item of a content item has none; leave it out")
		}
	}
	converted := &launch.ContentLineItem{Label: l.Label, ScoreMaximum: l.GetScoreMaximum(), ResourceID: l.ResourceId, Tag: l.Tag, GradesReleased: l.GradesReleased}
	if r := l.SubmissionReview; r != nil {
		converted.Review = &launch.ContentReview{Statuses: r.ReviewableStatus, Label: r.Label, URI: r.Uri, Custom: r.Custom}
	}
	return converted, nil
}

func imageFromProto(p *pb.ContentImage) *launch.ContentImage {
	if p == nil {
		return nil
	}
	return &launch.ContentImage{URI: p.Uri, Width: int(p.Width), Height: int(p.Height)}
}

func windowFromProto(p *pb.ContentWindow) *launch.ContentWindow {
	if p == nil {
		return nil
	}
	return &launch.ContentWindow{TargetName: p.TargetName, Width: int(p.Width), Height: int(p.Height), Features: p.WindowFeatures}
}

func iframeFromProto(p *pb.ContentIframe) *launch.ContentIframe {
	if p == nil {
		return nil
	}
	return &launch.ContentIframe{SourceURI: p.SrcUri, Width: int(p.Width), Height: int(p.Height)}
}

func timeWindowFromProto(path string, p *pb.TimeWindow) (*launch.TimeWindow, error) {
	if p == nil {
		return nil, nil
	}
	begin, err := timeFromProto(path+".start_time", p.StartTime)
	if err != nil {
		return nil, err
	}
	end, err := timeFromProto(path+".end_time", p.EndTime)
	return &launch.TimeWindow{Start: begin, End: end}, err
}

// timeFromProto returns the zero time for nil.
func timeFromProto(path string, p *timestamppb.Timestamp) (time.Time, error) {
	if p == nil {
		return time.Time{}, nil
	}
	if err := p.CheckValid(); err != nil {
		return time.Time{}, lti.FieldError(path, "it is no valid time")
	}
	return p.AsTime(), nil
}
