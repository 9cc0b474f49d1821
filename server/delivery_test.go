// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// awaitDelivery watches a delivery until it has a state.
func (c *sidecar) awaitDelivery(delivery *pb.ScoreDelivery, want pb.DeliveryState) *pb.ScoreDelivery {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cursor := ""
	for { // from the beginning: it may have it already
		page := must(c.grades.ListScoreDeliveries(ctx, &pb.ListScoreDeliveriesRequest{Registration: delivery.Registration, Cursor: cursor}))(c.t)
		for _, found := range page.Deliveries {
			if found.DeliveryId == delivery.DeliveryId && found.State == want {
				return found
			}
		}
		if cursor = page.Cursor; page.Complete {
			break
		}
	}
	stream := must(c.grades.WatchScoreDeliveries(ctx, &pb.WatchScoreDeliveriesRequest{Registration: delivery.Registration, Cursor: cursor}))(c.t)
	for {
		change := must(stream.Recv())(c.t)
		if found := change.Delivery; found.GetDeliveryId() == delivery.DeliveryId && found.State == want {
			return found
		}
	}
}

func TestDeliveries(t *testing.T) {
	c := start(t)
	const name = "moodle"
	l := c.launchAt(name, "student2")
	watch := must(c.grades.WatchScoreDeliveries(t.Context(), &pb.WatchScoreDeliveriesRequest{Registration: name}))(t)
	first := must(watch.Recv())(t)
	if first.Delivery != nil || first.Cursor == "" {
		t.Fatalf("the watch begins with %v", first)
	}
	earned := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	wanted := score(l.User.Id, 7)
	wanted.ScoreTime, wanted.Comment = timestamppb.New(earned), "well done"
	request := &pb.PostScoreRequest{Endpoint: l.Grades, Score: wanted, RequestId: "attempt 1/ä"}
	_, err := c.grades.PostScore(t.Context(), request)
	if r := refused(t, err, lti.ReasonRequestInvalid); r.field() != "request_id" {
		t.Error(r.info)
	}
	request.RequestId = "attempt 1/a"
	got := must(c.grades.PostScore(t.Context(), request))(t).Delivery
	if got.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED || len(got.DeliveryId) != 32 || got.Registration != name || got.DeploymentId != l.Grades.DeploymentId ||
		got.LineItemUri != l.Grades.LineItemUri || got.UserId != l.User.Id || got.RequestId != "attempt 1/a" || !got.ScoreTime.AsTime().Equal(earned) ||
		!got.SentTime.AsTime().Equal(earned) || got.CreateTime == nil || got.UpdateTime == nil || got.Attempts != 1 || got.NextAttemptTime != nil || got.Reason != "" {
		t.Fatalf("%v", got)
	}
	if change := must(watch.Recv())(t); change.Delivery.GetDeliveryId() != got.DeliveryId || change.Cursor == "" {
		t.Errorf("%v", change)
	}

	// The same request gets the same delivery, and sends nothing.
	posts := grade(t, name, "quiz", l.User.Id).Posts
	again := must(c.grades.PostScore(t.Context(), request))(t).Delivery
	if !proto.Equal(again, got) || grade(t, name, "quiz", l.User.Id).Posts != posts {
		t.Errorf("%v, was %v", again, got)
	}
	for _, change := range []func(*pb.PostScoreRequest){
		func(r *pb.PostScoreRequest) { r.Score.ScoreGiven = proto.Float64(8) },
		func(r *pb.PostScoreRequest) { r.Score.ScoreTime = nil },
		func(r *pb.PostScoreRequest) { r.Score.Comment = "" },
	} {
		other := proto.CloneOf(request)
		change(other)
		_, err := c.grades.PostScore(t.Context(), other)
		if r := refused(t, err, lti.ReasonRequestIDReused); r.info.Metadata["delivery_id"] != got.DeliveryId || r.info.Metadata["request_id"] == "" {
			t.Error(r.info)
		}
	}

	// A refusal is an error each time it is asked for, and a dead letter that can be tried again.
	fault(t, name, platformsim.FaultSetting{Fault: platformsim.FaultTokenRejected, Sticky: true})
	request = &pb.PostScoreRequest{Endpoint: l.Grades, Score: score(l.User.Id, 9), RequestId: "attempt 2"}
	_, err = c.grades.PostScore(t.Context(), request)
	r := refused(t, err, lti.ReasonServiceRefused)
	_, err = c.grades.PostScore(t.Context(), request)
	if again := refused(t, err, lti.ReasonServiceRefused); again.info.Metadata["delivery_id"] != r.info.Metadata["delivery_id"] || again.message != r.message {
		t.Errorf("%v, was %v", again.info, r.info)
	}
	list := func(change func(*pb.ListScoreDeliveriesRequest)) *pb.ListScoreDeliveriesResponse {
		t.Helper()
		request := &pb.ListScoreDeliveriesRequest{Registration: name}
		change(request)
		return must(c.grades.ListScoreDeliveries(t.Context(), request))(t)
	}
	dead := list(func(r *pb.ListScoreDeliveriesRequest) {
		r.States = []pb.DeliveryState{pb.DeliveryState_DELIVERY_STATE_REFUSED}
	})
	if len(dead.Deliveries) != 1 || !dead.Complete || dead.Deliveries[0].Reason != string(lti.ReasonServiceRefused) || dead.Deliveries[0].PlatformStatus != 401 {
		t.Fatalf("%v", dead)
	}
	sim.Platform(name).ClearFaults()
	driven := must(c.grades.RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: name, DeliveryId: dead.Deliveries[0].DeliveryId}))(t)
	if driven.Delivery.State != pb.DeliveryState_DELIVERY_STATE_QUEUED {
		t.Errorf("%v", driven)
	}
	c.awaitDelivery(driven.Delivery, pb.DeliveryState_DELIVERY_STATE_DELIVERED)
	if answer := must(c.grades.PostScore(t.Context(), request))(t); answer.Delivery.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED {
		t.Errorf("%v", answer)
	}
	still := must(c.grades.RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: name, DeliveryId: driven.Delivery.DeliveryId}))(t)
	if still.Delivery.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED {
		t.Errorf("%v", still)
	}

	// Filters and pages.
	for _, test := range []struct {
		change func(*pb.ListScoreDeliveriesRequest)
		want   int
	}{
		{func(*pb.ListScoreDeliveriesRequest) {}, 2},
		{func(r *pb.ListScoreDeliveriesRequest) { r.UserId = l.User.Id }, 2},
		{func(r *pb.ListScoreDeliveriesRequest) { r.UserId = "nobody" }, 0},
		{func(r *pb.ListScoreDeliveriesRequest) { r.LineItemUri = l.Grades.LineItemUri }, 2},
		{func(r *pb.ListScoreDeliveriesRequest) { r.LineItemUri, r.UserId = l.Grades.LineItemUri, l.User.Id }, 2},
		{func(r *pb.ListScoreDeliveriesRequest) { r.LineItemUri = l.Grades.LineItemUri + "0" }, 0},
		{func(r *pb.ListScoreDeliveriesRequest) { r.DeploymentId = "other" }, 0},
		{func(r *pb.ListScoreDeliveriesRequest) { r.Registration = "canvas" }, 0},
		{func(r *pb.ListScoreDeliveriesRequest) {
			r.States = []pb.DeliveryState{pb.DeliveryState_DELIVERY_STATE_QUEUED}
		}, 0},
		{func(r *pb.ListScoreDeliveriesRequest) { r.PageSize = 1 }, 1},
		{func(r *pb.ListScoreDeliveriesRequest) { r.Cursor = dead.Cursor }, 1}, // what has changed since
	} {
		if page := list(test.change); len(page.Deliveries) != test.want || page.Cursor == "" {
			t.Errorf("%d deliveries, want %d: %v", len(page.Deliveries), test.want, page)
		}
	}
	for _, test := range []struct {
		change func(*pb.ListScoreDeliveriesRequest)
		reason lti.Reason
		field  string
	}{
		{func(r *pb.ListScoreDeliveriesRequest) { r.Registration = "" }, lti.ReasonRequestInvalid, "registration"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.PageSize = 201 }, lti.ReasonRequestInvalid, "page_size"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.PageSize = -1 }, lti.ReasonRequestInvalid, "page_size"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.States = []pb.DeliveryState{0} }, lti.ReasonRequestInvalid, "states"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.LineItemUri = strings.Repeat("a", 5000) }, lti.ReasonRequestInvalid, "line_item_uri"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.Cursor = strings.Repeat("a", 65) }, lti.ReasonRequestInvalid, "cursor"},
		{func(r *pb.ListScoreDeliveriesRequest) { r.Cursor = "none" }, lti.ReasonDeliveryUnknown, ""},
	} {
		request := &pb.ListScoreDeliveriesRequest{Registration: name}
		test.change(request)
		_, err := c.grades.ListScoreDeliveries(t.Context(), request)
		if r := refused(t, err, test.reason); r.field() != test.field {
			t.Errorf("field %q, want %q", r.field(), test.field)
		}
	}
	for id, reason := range map[string]lti.Reason{"": lti.ReasonRequestInvalid, strings.Repeat("0", 65): lti.ReasonRequestInvalid, strings.Repeat("0", 32): lti.ReasonDeliveryUnknown} {
		_, err := c.grades.RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: name, DeliveryId: id})
		refused(t, err, reason)
	}
	_, err = c.grades.RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: "canvas", DeliveryId: got.DeliveryId}) // another's
	refused(t, err, lti.ReasonDeliveryUnknown)
}

func TestMaxWait(t *testing.T) {
	c := start(t)
	l := c.launchAt("canvas", "student3")
	post := func(ctx context.Context, wait *durationpb.Duration) (*pb.ScoreDelivery, error) {
		answer, err := c.grades.PostScore(ctx, &pb.PostScoreRequest{Endpoint: l.Grades, Score: score(l.User.Id, 3), MaxWait: wait})
		return answer.GetDelivery(), err
	}
	queued := must(post(t.Context(), durationpb.New(0)))(t)
	if queued.State != pb.DeliveryState_DELIVERY_STATE_QUEUED || queued.Attempts != 0 {
		t.Errorf("%v", queued)
	}
	c.awaitDelivery(queued, pb.DeliveryState_DELIVERY_STATE_DELIVERED)
	for _, wait := range []*durationpb.Duration{durationpb.New(-1), durationpb.New(30*time.Second + 1), {Nanos: 2e9}} {
		_, err := post(t.Context(), wait)
		if r := refused(t, err, lti.ReasonRequestInvalid); r.field() != "max_wait" {
			t.Error(r.info)
		}
	}
	// A caller with little time gets its answer within it, however long the platform takes.
	fault(t, "canvas", platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true})
	defer sim.Platform("canvas").ClearFaults()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	late, err := post(ctx, durationpb.New(30*time.Second))
	if status.Code(err) != codes.OK || late.State != pb.DeliveryState_DELIVERY_STATE_QUEUED || late.NextAttemptTime == nil {
		t.Errorf("%v, %v", late, err)
	}
}

// A held outbox takes nothing and sends nothing, and says so.
func TestHeldOutbox(t *testing.T) {
	c := start(t, func(s *settings) { s.held = true })
	l := c.launchAt("canvas", "student4")
	_, err := c.post(l.Grades, score(l.User.Id, 3))
	refused(t, err, lti.ReasonOutboxHeld)
	_, err = c.grades.RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: "canvas", DeliveryId: strings.Repeat("0", 32)})
	refused(t, err, lti.ReasonOutboxHeld)
	must(c.grades.ListScoreDeliveries(t.Context(), &pb.ListScoreDeliveriesRequest{Registration: "canvas"}))(t)
}
