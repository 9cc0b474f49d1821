// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// results reads a stream of results to its end.
func (c *sidecar) results(request *pb.ListResultsRequest) (results []*pb.Result, err error) {
	c.t.Helper()
	stream := must(c.grades.ListResults(c.t.Context(), request))(c.t)
	for {
		message, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			c.t.Fatal("the stream ended without an End")
		case err != nil:
			return results, err
		}
		results = append(results, message.GetBatch().GetResults()...)
		if end := message.GetEnd(); end != nil {
			if end.ResultCount != int64(len(results)) {
				c.t.Errorf("%d results, counted as %d", len(results), end.ResultCount)
			}
			return results, nil
		}
	}
}

func TestLineItemsOfAPlatform(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l, who := c.launchAt(name, "student"), person(t, name, "student")
		wanted := &pb.LineItem{Label: "Essay", ScoreMaximum: proto.Float64(10), ResourceId: "essay", Tag: name, ResourceLinkId: l.ResourceLink.Id}
		ensured := must(c.grades.EnsureLineItem(t.Context(), &pb.EnsureLineItemRequest{Endpoint: l.Grades, Wanted: wanted}))(t)
		if !ensured.Created || len(ensured.DifferingFields) != 0 || ensured.Item.Uri == "" || ensured.Item.Label != "Essay" || ensured.Item.GetScoreMaximum() != 10 || ensured.Item.ResourceLinkId != l.ResourceLink.Id {
			t.Errorf("made %v", ensured)
		}
		wanted.Label = "Other"
		again := must(c.grades.EnsureLineItem(t.Context(), &pb.EnsureLineItemRequest{Endpoint: l.Grades, Wanted: wanted}))(t)
		if again.Created || again.Item.Uri != ensured.Item.Uri || !slices.Equal(again.DifferingFields, []string{"label"}) {
			t.Errorf("found %v", again)
		}
		listed := must(c.grades.ListLineItems(t.Context(), &pb.ListLineItemsRequest{Endpoint: l.Grades, ResourceLinkId: l.ResourceLink.Id, ResourceId: "essay", Tag: name, PageSizeHint: 1}))(t)
		if len(listed.Items) != 1 || listed.Items[0].Uri != ensured.Item.Uri {
			t.Errorf("listed %v", listed)
		}
		updated := must(c.grades.UpdateLineItem(t.Context(), &pb.UpdateLineItemRequest{
			Endpoint: l.Grades, Item: &pb.LineItem{Uri: ensured.Item.Uri, Label: "Long essay", Tag: "-"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"label"}},
		}))(t)
		got := must(c.grades.GetLineItem(t.Context(), &pb.GetLineItemRequest{Endpoint: l.Grades, LineItemUri: ensured.Item.Uri}))(t)
		if updated.Item.Label != "Long essay" || got.Item.Label != "Long essay" || got.Item.Tag != name {
			t.Errorf("updated to %v, read as %v", updated.Item, got.Item)
		}
		graded := proto.CloneOf(l.Grades)
		graded.LineItemUri = ensured.Item.Uri
		must(c.post(graded, score(who.ID, 7.5)))(t)
		for _, user := range []string{"", who.ID} {
			results := must(c.results(&pb.ListResultsRequest{Endpoint: graded, UserId: user, PageSizeHint: 50}))(t)
			if len(results) != 1 || results[0].UserId != who.ID || results[0].UserKey != l.User.Key || results[0].GetScore() != 7.5 || results[0].ScoreMaximum != 10 || results[0].LineItemUri != ensured.Item.Uri {
				t.Errorf("results of %q: %v", user, results)
			}
		}
		if results := must(c.results(&pb.ListResultsRequest{Endpoint: graded, UserId: "nobody"}))(t); len(results) != 0 {
			t.Errorf("results of nobody: %v", results)
		}
		if name == "canvas" { // it lets no tool delete the line item of an assignment
			_, err := c.grades.DeleteLineItem(t.Context(), &pb.DeleteLineItemRequest{Endpoint: l.Grades, LineItemUri: l.Grades.LineItemUri})
			refused(t, err, lti.ReasonServiceRefused)
		}
		must(c.grades.DeleteLineItem(t.Context(), &pb.DeleteLineItemRequest{Endpoint: l.Grades, LineItemUri: ensured.Item.Uri}))(t)
		_, err := c.grades.DeleteLineItem(t.Context(), &pb.DeleteLineItemRequest{Endpoint: l.Grades, LineItemUri: ensured.Item.Uri})
		refused(t, err, lti.ReasonLineItemNotFound)
		_, err = c.results(&pb.ListResultsRequest{Endpoint: graded})
		refused(t, err, lti.ReasonLineItemNotFound)
	})
}

func TestLineItemMistakes(t *testing.T) {
	c := start(t)
	l := c.launchAt("moodle", "student")
	item := func(change func(*pb.LineItem)) *pb.LineItem {
		i := &pb.LineItem{Label: "Q", ScoreMaximum: proto.Float64(1), Tag: "t"}
		change(i)
		return i
	}
	grades := func(change func(*pb.GradeEndpoint)) *pb.GradeEndpoint {
		endpoint := proto.CloneOf(l.Grades)
		change(endpoint)
		return endpoint
	}
	long := strings.Repeat("x", 5000)
	list := func(request *pb.ListLineItemsRequest) error {
		_, err := c.grades.ListLineItems(t.Context(), request)
		return err
	}
	ensure := func(wanted *pb.LineItem) error {
		_, err := c.grades.EnsureLineItem(t.Context(), &pb.EnsureLineItemRequest{Endpoint: l.Grades, Wanted: wanted})
		return err
	}
	update := func(item *pb.LineItem, paths ...string) error {
		_, err := c.grades.UpdateLineItem(t.Context(), &pb.UpdateLineItemRequest{Endpoint: l.Grades, Item: item, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	results := func(request *pb.ListResultsRequest) error {
		_, err := c.results(request)
		return err
	}
	for _, test := range []struct {
		err    error
		reason lti.Reason
		field  string
	}{
		{list(&pb.ListLineItemsRequest{}), lti.ReasonRequestInvalid, "endpoint"},
		{results(&pb.ListResultsRequest{}), lti.ReasonRequestInvalid, "endpoint"},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.Registration = "nobody" })}), lti.ReasonRegistrationUnknown, "endpoint.registration"},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.DeploymentId = "" })}), lti.ReasonRequestInvalid, "endpoint.deployment_id"},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.DeploymentId = "other" })}), lti.ReasonDeploymentUnknown, ""},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.LineItemsUri = long })}), lti.ReasonRequestInvalid, "endpoint.line_items_uri"},
		{list(&pb.ListLineItemsRequest{Endpoint: l.Grades, Tag: long}), lti.ReasonRequestInvalid, "tag"},
		{list(&pb.ListLineItemsRequest{Endpoint: l.Grades, PageSizeHint: 1001}), lti.ReasonRequestInvalid, "page_size_hint"},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.LineItemsUri = "" })}), lti.ReasonServiceNotOffered, ""},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.Scopes = nil })}), lti.ReasonServiceNotOffered, ""},
		{list(&pb.ListLineItemsRequest{Endpoint: grades(func(e *pb.GradeEndpoint) { e.LineItemsUri = "https://evil.example/" })}), lti.ReasonServiceOriginPending, ""},
		{ensure(nil), lti.ReasonRequestInvalid, "wanted"},
		{ensure(item(func(i *pb.LineItem) { i.Uri = "https://h/1" })), lti.ReasonRequestInvalid, "wanted.uri"},
		{ensure(item(func(i *pb.LineItem) { i.Uri = long })), lti.ReasonRequestInvalid, "wanted.uri"},
		{ensure(item(func(i *pb.LineItem) { i.StartTime = &timestamppb.Timestamp{Nanos: -1} })), lti.ReasonRequestInvalid, "wanted.start_time"},
		{ensure(item(func(i *pb.LineItem) { i.EndTime = timestamppb.New(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)) })), lti.ReasonRequestInvalid, "wanted.end_time"},
		{ensure(item(func(i *pb.LineItem) { i.SubmissionReview = &pb.SubmissionReview{ReviewableStatus: []string{"x"}} })), lti.ReasonRequestInvalid, "wanted.submission_review"},
		{ensure(item(func(i *pb.LineItem) { i.ExtensionsJson = "{" })), lti.ReasonRequestInvalid, "wanted.extensions_json"},
		{update(nil), lti.ReasonRequestInvalid, "item"},
		{update(&pb.LineItem{Uri: l.Grades.LineItemUri}, "nonsense"), lti.ReasonRequestInvalid, "update_mask"},
		{update(&pb.LineItem{Uri: l.Grades.LineItemUri}, make([]string, 33)...), lti.ReasonRequestInvalid, "update_mask"},
		{results(&pb.ListResultsRequest{Endpoint: l.Grades, LineItemUri: long}), lti.ReasonRequestInvalid, "line_item_uri"},
		{results(&pb.ListResultsRequest{Endpoint: l.Grades, UserId: long}), lti.ReasonRequestInvalid, "user_id"},
		{results(&pb.ListResultsRequest{Endpoint: l.Grades, PageSizeHint: -1}), lti.ReasonRequestInvalid, "page_size_hint"},
	} {
		r := refused(t, test.err, test.reason)
		if r.field() != test.field && test.field != "" {
			t.Errorf("%s names the field %q, want %q", r.message, r.field(), test.field)
		}
		if test.reason == lti.ReasonServiceNotOffered && !strings.Contains(r.message, "In Moodle") {
			t.Errorf("it does not say what to switch on: %s", r.message)
		}
	}
	_, err := c.grades.DeleteLineItem(t.Context(), &pb.DeleteLineItemRequest{Endpoint: l.Grades})
	refused(t, err, lti.ReasonRequestInvalid)
}

// What the API has of a line item comes through to the platform and back.
func TestLineItemFieldsComeThrough(t *testing.T) {
	c := start(t)
	l := c.launchAt("moodle", "student")
	begin, end := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC), time.Date(2031, 3, 4, 5, 6, 7, 0, time.UTC)
	wanted := &pb.LineItem{
		Label: "Project", ScoreMaximum: proto.Float64(12.5), Tag: "everything", StartTime: timestamppb.New(begin), EndTime: timestamppb.New(end), GradesReleased: proto.Bool(false),
		SubmissionReview: &pb.SubmissionReview{ReviewableStatus: []string{"Completed"}, Label: "See", Uri: "https://tool.example/review", Custom: map[string]string{"a": "b"}},
		ExtensionsJson:   `{"https://v.example/x":{"y":[1]}}`,
	}
	made := must(c.grades.EnsureLineItem(t.Context(), &pb.EnsureLineItemRequest{Endpoint: l.Grades, Wanted: wanted}))(t)
	wanted.Uri = made.Item.Uri
	wanted.ResourceLinkId = made.Item.ResourceLinkId
	if !made.Created || !proto.Equal(made.Item, wanted) {
		t.Errorf("made\n%v, want\n%v", made.Item, wanted)
	}
	fault(t, "moodle", platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true})
	_, err := c.grades.GetLineItem(t.Context(), &pb.GetLineItemRequest{Endpoint: l.Grades, LineItemUri: made.Item.Uri})
	if r := refused(t, err, lti.ReasonPlatformUnavailable); r.retry.GetRetryDelay().AsDuration() != time.Second {
		t.Errorf("retry %v", r.retry)
	}
}

// A host that keeps failing is spared, and the callers are told for how long.
func TestFailingPlatformIsSpared(t *testing.T) {
	c := start(t)
	l := c.launchAt("canvas", "student")
	get := func() error {
		_, err := c.grades.GetLineItem(t.Context(), &pb.GetLineItemRequest{Endpoint: l.Grades})
		return err
	}
	check(t, get())
	fault(t, "canvas", platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true})
	for range 5 {
		refused(t, get(), lti.ReasonPlatformUnavailable)
	}
	sim.Platform("canvas").ClearFaults()
	hits := sim.Platform("canvas").Hits()["ags_lineitem"]
	r := refused(t, get(), lti.ReasonPlatformUnavailable)
	if wait := r.retry.GetRetryDelay().AsDuration(); wait <= 0 || wait > 5*time.Second || sim.Platform("canvas").Hits()["ags_lineitem"] != hits {
		t.Errorf("%v: it was asked %d times", r.retry, sim.Platform("canvas").Hits()["ags_lineitem"]-hits)
	}
}
