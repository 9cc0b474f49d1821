// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// TestDrill is a short run, interrupted between two cycles and gone on with.
func TestDrill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sidecar")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/sidecar")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the sidecar: %v\n%s", err, output)
	}
	directory := t.TempDir()
	for _, cycles := range []int{2, 4} {
		var report strings.Builder
		d := drill{
			binary: binary, cycles: cycles, directory: directory, seed: uint64(time.Now().UnixNano()), out: &report,
			life: time.Second, workers: 8, pace: 100 * time.Millisecond,
		}
		err := d.run(t.Context())
		t.Log("\n" + report.String())
		if err != nil || !strings.Contains(report.String(), " 0 lost, 0 doubled in effect, 0 out of order, ") || strings.Contains(report.String(), " 0 acknowledged") {
			t.Fatal(err)
		}
	}
}

// A drill that cannot fail would prove nothing.
func TestJudge(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	delivery := func(id, request string, state pb.DeliveryState, after time.Duration) *pb.ScoreDelivery {
		return &pb.ScoreDelivery{DeliveryId: id, RequestId: request, State: state, LineItemUri: "https://p.example/items/1", UserId: "u", ScoreTime: timestamppb.New(at.Add(after))}
	}
	const (
		delivered   = pb.DeliveryState_DELIVERY_STATE_DELIVERED
		superseded  = pb.DeliveryState_DELIVERY_STATE_SUPERSEDED
		unconfirmed = pb.DeliveryState_DELIVERY_STATE_UNCONFIRMED
		queued      = pb.DeliveryState_DELIVERY_STATE_QUEUED
	)
	ack := func(score int, id string, after time.Duration) acknowledgement {
		return acknowledgement{Lane: "1/u", Score: score, Earned: at.Add(after), Delivery: id}
	}
	stored := func(score int) effect { return effect{Lane: "1/u", Score: score} }
	for _, test := range []struct {
		name       string
		acks       []acknowledgement
		effects    []effect
		deliveries []*pb.ScoreDelivery
		want       [4]int // lost, doubled, disordered, unconfirmed
	}{
		{"well", []acknowledgement{ack(1, "a", 0), ack(2, "b", 0)}, []effect{stored(1), stored(2)}, []*pb.ScoreDelivery{delivery("a", "1", delivered, 0), delivery("b", "2", delivered, 0)}, [4]int{}},
		{"unknown to the sidecar", []acknowledgement{ack(1, "a", 0)}, nil, nil, [4]int{1}},
		{"not at the platform", []acknowledgement{ack(1, "a", 0)}, nil, []*pb.ScoreDelivery{delivery("a", "1", delivered, 0)}, [4]int{1}},
		{"still queued", []acknowledgement{ack(1, "a", 0)}, nil, []*pb.ScoreDelivery{delivery("a", "1", queued, 0)}, [4]int{1}},
		{"superseded by nothing", []acknowledgement{ack(1, "a", 0)}, nil, []*pb.ScoreDelivery{delivery("a", "1", superseded, 0)}, [4]int{1}},
		{"superseded by an older one", []acknowledgement{ack(2, "b", time.Second)}, []effect{stored(1)},
			[]*pb.ScoreDelivery{delivery("a", "1", delivered, 0), delivery("b", "2", superseded, time.Second)}, [4]int{1}},
		{"superseded by a newer one", []acknowledgement{ack(1, "a", 0)}, []effect{stored(2)},
			[]*pb.ScoreDelivery{delivery("a", "1", superseded, 0), delivery("b", "2", delivered, time.Second)}, [4]int{}},
		{"stored twice", []acknowledgement{ack(1, "a", 0)}, []effect{stored(1), stored(1)}, []*pb.ScoreDelivery{delivery("a", "1", delivered, 0)}, [4]int{0, 1}},
		{"older after newer", nil, []effect{stored(2), stored(1)}, []*pb.ScoreDelivery{delivery("a", "1", delivered, 0), delivery("b", "2", delivered, time.Second)}, [4]int{0, 0, 1}},
		{"equal ones swapped", nil, []effect{stored(2), stored(1)}, []*pb.ScoreDelivery{delivery("a", "1", delivered, 0), delivery("b", "2", delivered, 0)}, [4]int{0, 0, 1}},
		{"unconfirmed", []acknowledgement{ack(1, "a", 0)}, nil, []*pb.ScoreDelivery{delivery("a", "1", unconfirmed, 0)}, [4]int{0, 0, 0, 1}},
		{"out of nowhere", nil, []effect{stored(1)}, nil, [4]int{1}},
	} {
		b := &book{acks: test.acks, effects: test.effects}
		deliveries := map[string]*pb.ScoreDelivery{}
		for _, d := range test.deliveries {
			deliveries[d.DeliveryId] = d
		}
		v := b.judge(deliveries)
		if got := [4]int{v.lost, v.doubled, v.disordered, v.unconfirmed}; got != test.want || len(v.problems) != v.lost+v.doubled+v.disordered {
			t.Errorf("%s: %v, want %v: %q", test.name, got, test.want, v.problems)
		}
	}
	refused := &book{refused: []string{"score 1 was refused"}}
	if v := refused.judge(nil); v.lost != 1 {
		t.Errorf("a refusal: %+v", v)
	}
}
