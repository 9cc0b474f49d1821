// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/ltisidecar/ltisidecar/platformsim"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// results reads all results of a line item.
func (c *campus) results(t *testing.T, endpoint *ltisidecarv1.GradeEndpoint, uri, user string) []*ltisidecarv1.Result {
	t.Helper()
	stream := must(c.grades.ListResults(t.Context(), &ltisidecarv1.ListResultsRequest{Endpoint: endpoint, LineItemUri: uri, UserId: user, PageSizeHint: 2}))(t)
	var results []*ltisidecarv1.Result
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			t.Fatal("the stream ended without an end message")
		}
		if err != nil {
			t.Fatalf("ListResults: %v", err)
		}
		results = append(results, message.GetBatch().GetResults()...)
		if end := message.GetEnd(); end != nil {
			if end.GetResultCount() != int64(len(results)) {
				t.Errorf("the end counts %d results, %d came", end.GetResultCount(), len(results))
			}
			return results
		}
	}
}

// TestLineItems takes every simulated platform through the life of two columns: made once, found again, changed, graded,
// read, deleted; with a lost service token before each call.
func TestLineItems(t *testing.T) {
	binary := buildSidecar(t)
	platforms := map[string]platformsim.PlatformConfig{}
	for _, name := range platformsim.ProfileNames() {
		platforms[name] = platformsim.PlatformConfig{}
	}
	platforms["brightspace"] = platformsim.PlatformConfig{GradedLinks: true}
	c := newCampus(t, binary, platforms)
	for _, name := range platformsim.ProfileNames() {
		t.Run(name, func(t *testing.T) { testLineItems(t, c, name) })
	}
}

func testLineItems(t *testing.T, c *campus, name string) {
	launched := c.launch(t, name, "student")
	endpoint, student := launched.GetGrades(), launched.GetUser().GetId()
	if endpoint.GetLineItemsUri() == "" {
		t.Fatalf("the launch offers no line items: %v", endpoint)
	}
	ensure := func(tag string, maximum float64) *ltisidecarv1.EnsureLineItemResponse {
		t.Helper()
		c.sim.Platform(name).RevokeTokens()
		return must(c.grades.EnsureLineItem(t.Context(), &ltisidecarv1.EnsureLineItemRequest{Endpoint: endpoint, Wanted: &ltisidecarv1.LineItem{
			Label: "Column " + tag, ScoreMaximum: proto.Float64(maximum), ResourceId: "chapter-3", Tag: tag,
		}}))(t)
	}
	list := func(tag string) []*ltisidecarv1.LineItem {
		t.Helper()
		c.sim.Platform(name).RevokeTokens()
		return must(c.grades.ListLineItems(t.Context(), &ltisidecarv1.ListLineItemsRequest{Endpoint: endpoint, ResourceId: "chapter-3", Tag: tag, PageSizeHint: 1}))(t).GetItems()
	}
	first, second := ensure("grade", 20), ensure("bonus", 5)
	if !first.GetCreated() || !second.GetCreated() || first.GetItem().GetLabel() != "Column grade" || first.GetItem().GetScoreMaximum() != 20 {
		t.Fatalf("made %v and %v", first, second)
	}
	again := ensure("grade", 30)
	if again.GetCreated() || again.GetItem().GetUri() != first.GetItem().GetUri() || !slices.Equal(again.GetDifferingFields(), []string{"score_maximum"}) {
		t.Errorf("found %v, want %s and that the maximum differs", again, first.GetItem().GetUri())
	}
	if items := list(""); len(items) != 2 {
		t.Errorf("%d line items of the chapter, want 2", len(items))
	}
	if items := list("bonus"); len(items) != 1 || items[0].GetUri() != second.GetItem().GetUri() || items[0].GetTag() != "bonus" || items[0].GetResourceId() != "chapter-3" {
		t.Errorf("by tag: %v", items)
	}

	// Of a link of its own: where the platform does not keep that, nothing is left behind.
	linked := &ltisidecarv1.EnsureLineItemRequest{Endpoint: endpoint, Wanted: &ltisidecarv1.LineItem{
		Label: "Linked", ScoreMaximum: proto.Float64(1), ResourceLinkId: launched.GetResourceLink().GetId(), ResourceId: "linked", Tag: "linked",
	}}
	before := len(c.sim.Platform(name).Gradebook())
	made, err := c.grades.EnsureLineItem(t.Context(), linked)
	if name == "blackboard" {
		if reason, _ := reasonOf(t, err); reason != "PLATFORM_ANSWER_INVALID" || len(c.sim.Platform(name).Gradebook()) != before {
			t.Errorf("EnsureLineItem: %v, with %d columns after %d", err, len(c.sim.Platform(name).Gradebook()), before)
		}
	} else if err != nil || !made.GetCreated() || must(c.grades.EnsureLineItem(t.Context(), linked))(t).GetCreated() {
		t.Errorf("EnsureLineItem: %v, %v, and again", made, err)
	}

	c.sim.Platform(name).RevokeTokens()
	changed := must(c.grades.UpdateLineItem(t.Context(), &ltisidecarv1.UpdateLineItemRequest{
		Endpoint: endpoint, Item: &ltisidecarv1.LineItem{Uri: first.GetItem().GetUri(), Label: "Renamed", Tag: "not named by the mask"},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"label"}},
	}))(t).GetItem()
	if changed.GetLabel() != "Renamed" || changed.GetTag() != "grade" || changed.GetScoreMaximum() != 20 || changed.GetUri() != first.GetItem().GetUri() {
		t.Errorf("changed to %v", changed)
	}
	got := must(c.grades.GetLineItem(t.Context(), &ltisidecarv1.GetLineItemRequest{Endpoint: endpoint, LineItemUri: first.GetItem().GetUri()}))(t).GetItem()
	if got.GetLabel() != "Renamed" || got.GetTag() != "grade" || got.GetResourceId() != "chapter-3" {
		t.Errorf("read as %v", got)
	}

	graded := proto.CloneOf(endpoint)
	graded.LineItemUri = first.GetItem().GetUri()
	must(c.grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
		Endpoint: graded, Score: &ltisidecarv1.Score{UserId: student, ScoreGiven: proto.Float64(8), ScoreMaximum: proto.Float64(10)},
	}))(t)
	c.sim.Platform(name).RevokeTokens()
	for _, user := range []string{"", student} {
		results := c.results(t, endpoint, first.GetItem().GetUri(), user)
		if len(results) != 1 || results[0].GetUserId() != student || results[0].GetUserKey() != launched.GetUser().GetKey() || results[0].GetScore() != 16 || results[0].GetScoreMaximum() != 20 {
			t.Errorf("results of %q: %v", user, results)
		}
	}
	if results := c.results(t, endpoint, second.GetItem().GetUri(), ""); len(results) != 0 {
		t.Errorf("results of the other column: %v", results)
	}

	_, err = c.grades.DeleteLineItem(t.Context(), &ltisidecarv1.DeleteLineItemRequest{Endpoint: endpoint, LineItemUri: second.GetItem().GetUri()})
	if name == "openedx" { // it lets no tool delete
		if reason, _ := reasonOf(t, err); reason != "SERVICE_REFUSED" {
			t.Errorf("DeleteLineItem: %v, want SERVICE_REFUSED", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("DeleteLineItem: %v", err)
	}
	if _, err = c.grades.GetLineItem(t.Context(), &ltisidecarv1.GetLineItemRequest{Endpoint: endpoint, LineItemUri: second.GetItem().GetUri()}); err == nil {
		t.Error("a deleted line item was read")
	} else if reason, _ := reasonOf(t, err); reason != "LINE_ITEM_NOT_FOUND" {
		t.Errorf("GetLineItem: %v, want LINE_ITEM_NOT_FOUND", err)
	}
	if made := ensure("bonus", 5); !made.GetCreated() {
		t.Errorf("after it was deleted: %v", made)
	}
}
