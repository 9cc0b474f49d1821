// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	lanesEach   = 3 // line items and users of one worker
	scoreOf     = 1e9
	callTimeout = 5 * time.Second
	retryPause  = 50 * time.Millisecond
	scopeScore  = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
)

// load is the tool: workers that post scores, each of lanes of its own, and repeat a call until it is answered.
type load struct {
	drill   *drill
	sidecar *sidecar
	lms     *lms
	book    *book
	stop    chan struct{}
	running sync.WaitGroup
}

func startLoad(ctx context.Context, d *drill, s *sidecar, p *lms, b *book) *load {
	l := &load{drill: d, sidecar: s, lms: p, book: b, stop: make(chan struct{})}
	for worker := range d.workers {
		l.running.Go(func() { l.work(ctx, worker) })
	}
	return l
}

// end waits until each worker has finished its call: a score that was not acknowledged may be anywhere.
func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}

func (l *load) work(ctx context.Context, worker int) {
	random := rand.New(rand.NewPCG(l.drill.seed, uint64(worker)+10))
	earned := map[string]time.Time{}
	for {
		item, user := fmt.Sprint(worker%7), fmt.Sprintf("user-%d-%d", worker, random.IntN(lanesEach))
		number := l.book.number()
		lane := item + "/" + user
		at := time.Now().Truncate(time.Millisecond)
		switch random.IntN(20) {
		case 0:
			at = at.Add(-time.Hour) // it comes late
		case 1:
			if before, ok := earned[lane]; ok {
				at = before // earned at the same time as the one before
			}
		default:
			earned[lane] = at
		}
		score := &pb.Score{UserId: user, ScoreGiven: proto.Float64(float64(number)), ScoreMaximum: proto.Float64(scoreOf), ScoreTime: timestamppb.New(at)}
		if random.IntN(2) == 0 {
			score.Comment = fmt.Sprint("score ", number) // then no newer one replaces it
		}
		request := &pb.PostScoreRequest{
			Endpoint: &pb.GradeEndpoint{Registration: registration, DeploymentId: "1", LineItemUri: l.lms.url + "/items/" + item, Scopes: []string{scopeScore}},
			Score:    score, RequestId: strconv.Itoa(number),
			MaxWait: []*durationpb.Duration{nil, durationpb.New(0), durationpb.New(3 * time.Second)}[random.IntN(3)],
		}
		if delivery := l.post(ctx, request); delivery != nil {
			if err := l.book.acknowledge(acknowledgement{Lane: lane, Score: number, Earned: at, Delivery: delivery.DeliveryId}); err != nil {
				panic(err) // without its own book the drill proves nothing
			}
		}
		if l.pause(ctx, l.drill.pace) {
			return
		}
	}
}

// post repeats a call until the sidecar has taken the score, or the drill is over.
func (l *load) post(ctx context.Context, request *pb.PostScoreRequest) *pb.ScoreDelivery {
	for {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		answer, err := l.sidecar.grades.PostScore(bounded, request, grpc.WaitForReady(true))
		cancel()
		if err == nil {
			return answer.Delivery
		}
		if status.Code(err) == codes.FailedPrecondition { // this platform refuses nothing
			l.book.refuse(request.RequestId, err)
			return nil
		}
		if l.pause(ctx, retryPause) {
			return nil
		}
	}
}

// pause reports whether the drill is over.
func (l *load) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-l.stop:
		return true
	case <-ctx.Done():
		return true
	}
}
