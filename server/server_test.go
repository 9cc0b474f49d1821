// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/nrps"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
)

// scoresFunc is a Scores that posts by a function.
type scoresFunc func(context.Context) (scores.Delivery, error)

func (f scoresFunc) Post(ctx context.Context, _ scores.Request) (scores.Delivery, error) {
	return f(ctx)
}

func (f scoresFunc) List(context.Context, scores.Filter, string, int) (scores.Page, error) {
	return scores.Page{}, errors.New("not asked for")
}

func (f scoresFunc) Watch(context.Context, string, string, func(*scores.Delivery, string) error) error {
	return errors.New("not asked for")
}

func (f scoresFunc) Retry(context.Context, string, string) (scores.Delivery, error) {
	return scores.Delivery{}, errors.New("not asked for")
}

// rostersFunc is a Rosters made of a function.
type rostersFunc func(context.Context, func(nrps.Batch) error) (nrps.End, error)

func (f rostersFunc) Members(ctx context.Context, _ *platform.Registration, _ lti.MembershipEndpoint, _ nrps.Options, yield func(nrps.Batch) error) (nrps.End, error) {
	return f(ctx, yield)
}

func withScores(book scoresFunc) func(*settings) {
	return func(s *settings) { s.wrap = func(config *server.Config) { config.Scores = book } }
}

func withRosters(rosters rostersFunc) func(*settings) {
	return func(s *settings) { s.wrap = func(config *server.Config) { config.Rosters = rosters } }
}

func scoreRequest() *pb.PostScoreRequest {
	return &pb.PostScoreRequest{
		Endpoint: &pb.GradeEndpoint{Registration: "canvas", DeploymentId: registrationAt("canvas", "quiz").Deployments[0]},
		Score:    score("1", 1),
	}
}

func rosterRequest() *pb.ListMembersRequest {
	return &pb.ListMembersRequest{Endpoint: &pb.MembershipEndpoint{Registration: "canvas", DeploymentId: registrationAt("canvas", "quiz").Deployments[0]}}
}

func TestNewNeedsEveryPart(t *testing.T) {
	if _, err := server.New(server.Config{}); err == nil {
		t.Error("made of nothing")
	}
}

// A panic ends one call, not the process, and tells the caller nothing.
func TestPanic(t *testing.T) {
	c := start(t, func(s *settings) {
		s.wrap = func(config *server.Config) {
			config.Scores = scoresFunc(func(context.Context) (scores.Delivery, error) { panic("something private") })
			config.Rosters = rostersFunc(func(_ context.Context, yield func(nrps.Batch) error) (nrps.End, error) {
				_ = yield(nrps.Batch{})
				panic("something private")
			})
		}
	})
	_, err := c.grades.PostScore(t.Context(), scoreRequest())
	if r := refused(t, err, lti.ReasonInternal); strings.Contains(err.Error(), "private") || len(r.info.Metadata) != 1 {
		t.Errorf("%v %v", err, r.info)
	}
	_, err = c.members(rosterRequest())
	refused(t, err, lti.ReasonInternal)
	if log := c.log.String(); strings.Count(log, `"msg":"panic"`) != 2 || !strings.Contains(log, "server_test.go") {
		t.Error("the log does not say where")
	}
	must(c.keys.GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{}))(t)
}

// An error that is none of ours is a defect: its text goes to the log, not to the caller.
func TestUnknownError(t *testing.T) {
	c := start(t, withScores(func(context.Context) (scores.Delivery, error) { return scores.Delivery{}, errors.New("pipe\nburst") }))
	_, err := c.grades.PostScore(t.Context(), scoreRequest())
	r := refused(t, err, lti.ReasonInternal)
	if strings.Contains(err.Error(), "burst") {
		t.Error(err)
	}
	log := c.log.String()
	if !strings.Contains(log, `pipe\\nburst`) || !strings.Contains(log, r.info.Metadata["request_id"]) || !strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("log: %s", log)
	}
}

func TestReasonsReachTheCaller(t *testing.T) {
	retry := &lti.Error{Reason: lti.ReasonPlatformThrottled, RetryAfter: 7 * time.Second, Metadata: map[string]string{"registration": "canvas"}}
	c := start(t, withScores(func(context.Context) (scores.Delivery, error) { return scores.Delivery{}, retry }))
	_, err := c.grades.PostScore(t.Context(), scoreRequest())
	r := refused(t, err, lti.ReasonPlatformThrottled)
	if r.retry.GetRetryDelay().AsDuration() != 7*time.Second || r.message != lti.ReasonPlatformThrottled.Info().Summary {
		t.Errorf("%v %q", r.retry, r.message)
	}
	if retry.Metadata["request_id"] != "" {
		t.Error("the error of another was changed")
	}
}

func TestDeadlines(t *testing.T) {
	limits := make(chan time.Duration, 1)
	c := start(t, withScores(func(ctx context.Context) (scores.Delivery, error) {
		deadline, limited := ctx.Deadline()
		if !limited {
			return scores.Delivery{}, errors.New("no deadline")
		}
		limits <- time.Until(deadline)
		return scores.Delivery{}, nil
	}))
	must(c.grades.PostScore(t.Context(), scoreRequest()))(t)
	if limit := <-limits; limit < 25*time.Second || limit > 30*time.Second {
		t.Errorf("without the caller's deadline: %s", limit)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	must(c.grades.PostScore(ctx, scoreRequest()))(t)
	if limit := <-limits; limit > 5*time.Second {
		t.Errorf("with a deadline of 5 s: %s", limit)
	}
}

// A caller that goes away ends the work for it.
func TestCancelledCalls(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan error, 1)
	wait := func(ctx context.Context) error {
		entered <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	c := start(t, func(s *settings) {
		s.wrap = func(config *server.Config) {
			config.Scores = scoresFunc(func(ctx context.Context) (scores.Delivery, error) { return scores.Delivery{}, wait(ctx) })
			config.Rosters = rostersFunc(func(ctx context.Context, yield func(nrps.Batch) error) (nrps.End, error) {
				return nrps.End{}, wait(ctx)
			})
		}
	})
	for name, call := range map[string]func(context.Context) error{
		"unary": func(ctx context.Context) error { _, err := c.grades.PostScore(ctx, scoreRequest()); return err },
		"stream": func(ctx context.Context) error {
			stream, err := c.rosters.ListMembers(ctx, rosterRequest())
			check(t, err)
			_, err = stream.Recv()
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- call(ctx) }()
		<-entered
		cancel()
		if err := <-result; status.Code(err) != codes.Canceled {
			t.Errorf("%s: the caller got %v", name, err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the handler got %v", name, err)
		}
	}
}

// A context that ends inside a handler answers with the reason for it.
func TestContextErrorsHaveReasons(t *testing.T) {
	for cause, want := range map[error]lti.Reason{context.DeadlineExceeded: lti.ReasonDeadlineExceeded, context.Canceled: lti.ReasonCanceled} {
		c := start(t, withScores(func(context.Context) (scores.Delivery, error) { return scores.Delivery{}, cause }))
		_, err := c.grades.PostScore(t.Context(), scoreRequest())
		refused(t, err, want)
	}
}

// A roster that fails after some batches ends with the error.
func TestRosterEndsWithItsError(t *testing.T) {
	c := start(t, withRosters(func(_ context.Context, yield func(nrps.Batch) error) (nrps.End, error) {
		for _, id := range []string{"1", "2"} { // the context stands in the first batch only
			if err := yield(nrps.Batch{Members: []lti.Member{{UserID: id, Status: lti.StatusInactive}}}); err != nil {
				return nrps.End{}, err
			}
		}
		return nrps.End{}, &lti.Error{Reason: lti.ReasonPlatformUnavailable}
	}))
	r, err := c.members(rosterRequest())
	refused(t, err, lti.ReasonPlatformUnavailable)
	if r.end != nil || len(r.members) != 2 || r.members[0].Status != pb.MemberStatus_MEMBER_STATUS_INACTIVE {
		t.Errorf("%+v", r)
	}
}

func TestLimits(t *testing.T) {
	c := start(t)
	_, err := c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: strings.Repeat("x", 264<<10)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("over 264 KiB: %v", err)
	}
	_, err = c.launches.CheckLaunchToken(t.Context(), &pb.CheckLaunchTokenRequest{LaunchToken: strings.Repeat("x", 255<<10)})
	refused(t, err, lti.ReasonParameterTooLong)
	large := metadata.AppendToOutgoingContext(t.Context(), "x-large", strings.Repeat("x", 17<<10))
	if _, err = c.keys.GetToolKeySet(large, &pb.GetToolKeySetRequest{}); err == nil {
		t.Error("a header list over 16 KiB was taken")
	}
	must(c.keys.GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{}))(t)
}

func TestUnknownMethods(t *testing.T) {
	c := start(t)
	for _, method := range []string{"/ltisidecar.v1.LaunchService/Other", "/ltisidecar.v1.AdminService/GetRegistration", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"} {
		err := c.connection.Invoke(t.Context(), method, &pb.GetToolKeySetRequest{}, &pb.GetToolKeySetResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
	stream, err := c.connection.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/ltisidecar.v1.RosterService/Other")
	check(t, err)
	if err := stream.RecvMsg(&pb.ListMembersResponse{}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}

// Each call is one line; probes that succeed are none.
func TestLogLines(t *testing.T) {
	c := start(t)
	must(healthpb.NewHealthClient(c.connection).Check(t.Context(), &healthpb.HealthCheckRequest{}))(t)
	if log := c.log.String(); strings.Contains(log, "Health") {
		t.Errorf("a probe was logged: %s", log)
	}
	before := len(c.log.String())
	must(c.keys.GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{}))(t)
	line := c.log.String()[before:]
	for _, part := range []string{`"msg":"call"`, `"method":"/ltisidecar.v1.KeyService/GetToolKeySet"`, `"request_id":"`, `"duration":`, `"code":"OK"`} {
		if !strings.Contains(line, part) {
			t.Errorf("%s is not in %s", part, line)
		}
	}
	if strings.Count(line, "\n") != 1 {
		t.Errorf("lines: %s", line)
	}
}
