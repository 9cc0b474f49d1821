// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// prepareConcurrency is how many logins are begun at once while launches are prepared.
const prepareConcurrency = 32

// launchRequest is a launch that is ready to be sent, once.
type launchRequest struct {
	*pb.ValidateLaunchRequest
	token, state, nonce string
}

// prepare begins logins and signs their tokens.
func (b *bench) prepare(ctx context.Context, launches pb.LaunchServiceClient, count int) ([]launchRequest, error) {
	requests := make([]launchRequest, count)
	var group errgroup.Group
	group.SetLimit(prepareConcurrency)
	for i := range requests {
		group.Go(func() error {
			var err error
			requests[i], err = b.login(ctx, launches)
			return err
		})
	}
	return requests, group.Wait()
}

// login begins a login as a platform's frame does, and makes the launch that answers it.
func (b *bench) login(ctx context.Context, launches pb.LaunchServiceClient) (launchRequest, error) {
	reply, err := launches.BuildAuthRequest(ctx, &pb.BuildAuthRequestRequest{Browser: &pb.BrowserRequest{
		Method: "POST", SecFetchDest: "iframe", SecFetchSite: "cross-site", Origin: workload.Issuer,
		Parameters: []*pb.Parameter{
			{Name: "iss", Value: workload.Issuer}, {Name: "client_id", Value: workload.ClientID}, {Name: "login_hint", Value: "user"},
			{Name: "target_link_uri", Value: workload.TargetURI}, {Name: "lti_deployment_id", Value: workload.DeploymentID},
		},
	}})
	if err != nil {
		return launchRequest{}, fmt.Errorf("begin a login: %w", err)
	}
	authorization, err := url.Parse(reply.AuthorizationUri)
	if err != nil {
		return launchRequest{}, err
	}
	var cookies []string
	for _, header := range reply.Reply.Headers {
		if pair, _, _ := strings.Cut(header.Value, ";"); header.Name == "Set-Cookie" {
			cookies = append(cookies, pair)
		}
	}
	nonce := authorization.Query().Get("nonce")
	token := b.key.Token(nonce, time.Now())
	return launchRequest{token: token, state: reply.State, nonce: nonce, ValidateLaunchRequest: &pb.ValidateLaunchRequest{Browser: &pb.BrowserRequest{
		Method: "POST", SecFetchDest: "iframe", SecFetchSite: "cross-site", Origin: workload.Issuer, CookieHeader: strings.Join(cookies, "; "),
		Parameters: []*pb.Parameter{{Name: "id_token", Value: token}, {Name: "state", Value: reply.State}},
	}}}, nil
}

// caller sends one request, the i-th, and returns an error unless the answer is the right one.
type caller func(ctx context.Context, i int) error

// validate returns a caller that sends launches over gRPC. A page or an answer without the claims is an error.
func validate(launches pb.LaunchServiceClient, requests []launchRequest) caller {
	return func(ctx context.Context, i int) error {
		answer, err := launches.ValidateLaunch(ctx, requests[i].ValidateLaunchRequest)
		if err != nil {
			return err
		}
		if answer.GetLaunch().GetClaimsJson() == "" {
			return errors.New("the answer holds no launch")
		}
		return nil
	}
}

// outcome is what a loop saw.
type outcome struct {
	latencies measure.Histogram // of the calls that were answered as they should be
	elapsed   time.Duration
	failed    int
	failure   error // one of them
}

// closed sends requests 0 to count-1, always as many at once as concurrency says: each worker sends its next one when
// its last was answered.
func closed(ctx context.Context, count, concurrency int, call caller) *outcome {
	var next atomic.Int64
	return workers(concurrency, func(own *outcome) {
		for {
			i := int(next.Add(1)) - 1
			if i >= count || ctx.Err() != nil {
				return
			}
			own.time(ctx, time.Now(), i, call)
		}
	})
}

// open sends requests 0 to count-1 at a rate, whether or not the earlier ones were answered, as many browsers do. A
// latency counts from the moment that a request was due. At most limit are under way at once, as a tool has so many
// workers; what is due while all are busy fails at once. patience is how long after its moment anybody waits for an
// answer; 0: for ever.
func open(ctx context.Context, count int, rate float64, limit int, patience time.Duration, call caller) *outcome {
	begun := time.Now()
	due := make(chan int, limit)
	var underWay atomic.Int64
	busy := 0
	finished := make(chan *outcome, 1)
	go func() {
		finished <- workers(limit, func(own *outcome) {
			for i := range due {
				at := begun.Add(time.Duration(float64(i) / rate * float64(time.Second)))
				limited, cancel := ctx, context.CancelFunc(func() {})
				if patience > 0 {
					limited, cancel = context.WithDeadline(ctx, at.Add(patience))
				}
				own.time(limited, at, i, call)
				cancel()
				underWay.Add(-1)
			}
		})
	}()
	for i := range count {
		if wait := time.Until(begun.Add(time.Duration(float64(i) / rate * float64(time.Second)))); wait > 0 {
			time.Sleep(wait)
		}
		if ctx.Err() != nil {
			break
		}
		if underWay.Load() >= int64(limit) {
			busy++
			continue
		}
		underWay.Add(1)
		due <- i
	}
	close(due)
	o := <-finished
	if busy > 0 {
		o.failed += busy
		o.failure = errBusy
	}
	return o
}

var errBusy = errors.New("all workers of the tool are busy")

func (o *outcome) time(ctx context.Context, due time.Time, i int, call caller) {
	if err := call(ctx, i); err != nil {
		o.failed++
		o.failure = err
		return
	}
	o.latencies.Add(time.Since(due))
}

func workers(count int, work func(own *outcome)) *outcome {
	begun := time.Now()
	each := make([]outcome, count)
	var group sync.WaitGroup
	for i := range each {
		group.Go(func() { work(&each[i]) })
	}
	group.Wait()
	whole := &outcome{elapsed: time.Since(begun)}
	for i := range each {
		whole.latencies.Merge(&each[i].latencies)
		whole.failed += each[i].failed
		if each[i].failure != nil {
			whole.failure = each[i].failure
		}
	}
	return whole
}

// err returns an error where a call was not answered as it should be.
func (o *outcome) err() error {
	if o.failed > 0 {
		return fmt.Errorf("%d calls failed, one with: %w", o.failed, o.failure)
	}
	return nil
}

// cost is what a load cost, per call.
type cost struct {
	*outcome
	unit           time.Duration // R, as it was around the load
	server, client float64       // CPU in R
	login          float64       // CPU of a login in R, where it was measured
	allocations    float64
	collections    float64 // of garbage, in all
	memory         measure.Memory
}

// measured runs a load of count calls and says what it cost the sidecar and us.
func (b *bench) measured(ctx context.Context, c *sidecar, count int, load func() *outcome) (*cost, error) {
	runtime.GC() // what the preparation left is not the load's
	before, err := b.verification.Cost(unitCount)
	if err != nil {
		return nil, err
	}
	counted, err := c.counters(ctx)
	if err != nil {
		return nil, err
	}
	server, err := c.cpu()
	if err != nil {
		return nil, err
	}
	client, err := measure.OwnCPU()
	if err != nil {
		return nil, err
	}
	result := &cost{outcome: load()}
	clientAfter, err := measure.OwnCPU()
	if err != nil {
		return nil, err
	}
	serverAfter, err := c.cpu()
	if err != nil {
		return nil, err
	}
	countedAfter, err := c.counters(ctx)
	if err != nil {
		return nil, err
	}
	if result.memory, err = measure.MemoryOf(c.pid); err != nil {
		return nil, err
	}
	after, err := b.verification.Cost(unitCount)
	if err != nil {
		return nil, err
	}
	if err := result.err(); err != nil {
		return nil, err
	}
	result.unit = (before + after) / 2
	per := float64(count) * float64(result.unit)
	result.server = float64(serverAfter-server) / per
	result.client = float64(clientAfter-client) / per
	result.allocations = (countedAfter.allocations - counted.allocations) / float64(count)
	result.collections = countedAfter.collections - counted.collections
	return result, nil
}

func (r *cost) String() string {
	return fmt.Sprintf("R %s, server %.2f R, client %.2f R, %.0f/s, p50 %s, p99 %s, %.0f allocations, %.0f collections, %d MB",
		r.unit, r.server, r.client, float64(r.latencies.Count())/r.elapsed.Seconds(), r.latencies.Quantile(0.5).Round(10*time.Microsecond),
		r.latencies.Quantile(0.99).Round(10*time.Microsecond), r.allocations, r.collections, r.memory.Resident>>20)
}
