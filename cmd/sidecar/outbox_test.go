// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

func (h *home) post(l *pb.Launch, given float64) (*pb.ScoreDelivery, error) {
	answer, err := pb.NewGradeServiceClient(h).PostScore(h.t.Context(), &pb.PostScoreRequest{
		Endpoint: l.Grades, Score: &pb.Score{UserId: l.User.Id, ScoreGiven: proto.Float64(given), ScoreMaximum: proto.Float64(10), Comment: "kept"},
		MaxWait: durationpb.New(0),
	})
	return answer.GetDelivery(), err
}

// ends waits until a delivery has ended, and returns it.
func (h *home) ends(id string) *pb.ScoreDelivery {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	grades := pb.NewGradeServiceClient(h)
	page, err := grades.ListScoreDeliveries(ctx, &pb.ListScoreDeliveriesRequest{Registration: "moodle"})
	check(h.t, err)
	for _, d := range page.Deliveries {
		if d.DeliveryId == id && d.NextAttemptTime == nil {
			return d
		}
	}
	var last *pb.ScoreDelivery
	watch, err := grades.WatchScoreDeliveries(ctx, &pb.WatchScoreDeliveriesRequest{Registration: "moodle", Cursor: page.Cursor})
	check(h.t, err)
	for {
		change, err := watch.Recv()
		if err != nil {
			h.t.Fatalf("%v; last: %v", err, last)
		}
		last = change.Delivery
		if d := change.Delivery; d.GetDeliveryId() == id && d.NextAttemptTime == nil {
			return d
		}
	}
}

// What is queued survives a stop and a crash. A copy of it from an earlier time waits for the operator, who sends it or
// drops it.
func TestOutboxAcrossStarts(t *testing.T) {
	moodle := sim.Platform("moodle")
	check(t, moodle.SetFault(platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true}))
	defer moodle.ClearFaults()
	h := newHome(t)
	p := h.serve()
	keys, err := pb.NewKeyServiceClient(h).GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{})
	check(t, err)
	check(t, moodle.SetTool(platformsim.ToolConfig{Name: "quiz", LoginURI: loginURI, LaunchURIs: []string{launchURI}, JWKS: keys.Jwks}))
	_, l := h.launch("moodle")
	first, err := h.post(l, 1)
	check(t, err)
	p.stop()
	p = h.serve()
	second, err := h.post(l, 2)
	check(t, err)
	p.kill()
	backup, err := os.ReadFile(h.path("data/records.db"))
	check(t, err)
	p = h.serve()
	third, err := h.post(l, 3)
	check(t, err)
	p.stop()

	check(t, os.WriteFile(h.path("data/records.db"), backup, 0o600))
	p = h.serve()
	_, err = h.post(l, 4)
	refused(t, err, lti.ReasonOutboxHeld)
	_, err = pb.NewGradeServiceClient(h).RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: "moodle", DeliveryId: first.DeliveryId})
	refused(t, err, lti.ReasonOutboxHeld)
	moodle.ClearFaults()
	h.launch("moodle") // all else works
	p.stop()
	contains(t, p.log.String(), "the outbox is held", "the records are the older ones", "--release-outbox", "--discard-outbox")

	p = h.serve("--release-outbox")
	for _, delivery := range []*pb.ScoreDelivery{first, second} {
		if got := h.ends(delivery.DeliveryId); got.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Errorf("%v", got)
		}
	}
	if _, err := pb.NewGradeServiceClient(h).RetryScoreDelivery(t.Context(), &pb.RetryScoreDeliveryRequest{Registration: "moodle", DeliveryId: third.DeliveryId}); err == nil {
		t.Error("the backup knows what came after it")
	}
	p.stop()

	check(t, os.WriteFile(h.path("data/records.db"), backup, 0o600))
	p = h.serve("--discard-outbox")
	if got := h.ends(first.DeliveryId); got.State != pb.DeliveryState_DELIVERY_STATE_REFUSED || got.Reason != string(lti.ReasonOutboxHeld) {
		t.Errorf("%v", got)
	}
	_, l = h.launch("moodle")
	fresh, err := h.post(l, 5)
	check(t, err)
	if got := h.ends(fresh.DeliveryId); got.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED {
		t.Errorf("%v", got)
	}
	p.stop()
}
