// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

const (
	launchWorkers = 4
	scoredUsers   = 40                      // each with a worker
	scorePause    = 1100 * time.Millisecond // between two scores of a user: platforms tell them apart by the second
	refusalPause  = 100 * time.Millisecond  // after a refused launch
	callTime      = 20 * time.Second        // of one call
	poll          = 10 * time.Millisecond   // between two looks at the counts
	keptLaunches  = 50                      // that are repeated after each round
	maxScore      = 100                     // of the line item
	scoreStep     = 0.01                    // between two scores of a user
)

// The outcomes of a launch or score that are allowed.
const (
	taken = "taken"
	full  = "STORE_FULL"
)

// counts are what was answered so far.
type counts struct{ launches, launchesRefused, scores, scoresRefused, replays int }

// load is launches and scores that arrive all the time.
type load struct {
	sim      *platformsim.Sim
	sidecar  *sidecar
	endpoint *pb.GradeEndpoint
	browser  *platformsim.Browser
	cancel   context.CancelFunc
	running  sync.WaitGroup
	ended    atomic.Bool

	mutex        sync.Mutex
	now          counts
	failures     []error
	launches     []*pb.ValidateLaunchRequest // accepted ones
	acknowledged map[string]float64          // the newest score by user
}

// startLoad launches once, for the grade endpoint, and starts the load.
func startLoad(ctx context.Context, sim *platformsim.Sim, s *sidecar) (*load, error) {
	browser, err := sim.NewBrowser()
	if err != nil {
		return nil, err
	}
	l := &load{sim: sim, sidecar: s, browser: browser, acknowledged: map[string]float64{}}
	launched, outcome, err := l.launch(ctx)
	if err != nil || launched == nil {
		browser.Close()
		return nil, fmt.Errorf("the first launch: %s %w", outcome, err)
	}
	l.endpoint = launched.Grades
	var users []string
	for _, person := range sim.Platform(platformName).People() {
		if person.Role == platformsim.Student && len(users) < scoredUsers {
			users = append(users, person.ID)
		}
	}
	working, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	for range launchWorkers {
		l.running.Go(func() {
			for working.Err() == nil {
				_, outcome, err := l.launch(working)
				l.note(working, outcome, err, &l.now.launches, &l.now.launchesRefused)
				if outcome == full { // a login that leads nowhere waits at the platform, which has room for few
					pause(working, refusalPause)
				}
			}
		})
	}
	for _, user := range users {
		l.running.Go(func() { l.score(working, user) })
	}
	return l, nil
}

// note counts an outcome. What is neither taken nor full is a failure.
func (l *load) note(ctx context.Context, outcome string, err error, takenCount, fullCount *int) {
	if ctx.Err() != nil {
		return // the load ends
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case err != nil:
		l.failures = append(l.failures, err)
	case outcome == taken:
		*takenCount++
	case outcome == full:
		*fullCount++
	default:
		l.failures = append(l.failures, fmt.Errorf("something was answered with %s", outcome))
	}
}

// launch makes a whole launch.
func (l *load) launch(ctx context.Context) (*pb.Launch, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	login, err := l.browser.LoginInitiation(ctx, platformsim.Click{Platform: platformName, Tool: toolName})
	if err != nil {
		return nil, "", err
	}
	answer, err := l.sidecar.launches.BuildAuthRequest(ctx, &pb.BuildAuthRequestRequest{Browser: relay(login)})
	if err != nil {
		return nil, reason(err), nil
	}
	form, err := l.browser.Authorize(ctx, answer.AuthorizationUri)
	if err != nil {
		return nil, "", err
	}
	request := &pb.ValidateLaunchRequest{Browser: relay(form)}
	var pairs []string
	for _, header := range answer.GetReply().GetHeaders() {
		if header.Name == "Set-Cookie" {
			pair, _, _ := strings.Cut(header.Value, ";")
			pairs = append(pairs, pair)
		}
	}
	request.Browser.CookieHeader = strings.Join(pairs, "; ")
	validated, err := l.sidecar.launches.ValidateLaunch(ctx, request)
	if err != nil {
		return nil, reason(err), nil
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.launches = append(l.launches, request)
	return validated.GetLaunch(), taken, nil
}

func relay(form *platformsim.Form) *pb.BrowserRequest {
	request := &pb.BrowserRequest{Method: form.Method}
	for _, field := range form.Fields {
		request.Parameters = append(request.Parameters, &pb.Parameter{Name: field.Name, Value: field.Value})
	}
	return request
}

// reason returns the reason of a refusal, or its words where it has none.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return err.Error()
}

// score sends ever better scores of one user.
func (l *load) score(ctx context.Context, user string) {
	for given := scoreStep; ctx.Err() == nil; given += scoreStep {
		maximum := float64(maxScore)
		call, cancel := context.WithTimeout(ctx, callTime)
		_, err := l.sidecar.grades.PostScore(call, &pb.PostScoreRequest{Endpoint: l.endpoint, Score: &pb.Score{UserId: user, ScoreGiven: &given, ScoreMaximum: &maximum}})
		cancel()
		outcome := taken
		if err != nil {
			outcome = reason(err)
		} else {
			l.mutex.Lock()
			l.acknowledged[user] = given
			l.mutex.Unlock()
		}
		l.note(ctx, outcome, nil, &l.now.scores, &l.now.scoresRefused)
		pause(ctx, scorePause)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (l *load) counts() counts {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.now
}

func (l *load) failure() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return errors.Join(l.failures[:min(len(l.failures), 5)]...)
}

// end stops the load. It may be called again.
func (l *load) end() {
	if l.ended.Swap(true) {
		return
	}
	l.cancel()
	l.running.Wait()
	l.browser.Close()
}

// both waits until another launch and another score had an outcome.
func (l *load) both(ctx context.Context, outcome string, patience time.Duration) error {
	return l.await(ctx, outcome, true, patience)
}

// await waits until another launch, and another score where scores is true, had an outcome.
func (l *load) await(ctx context.Context, outcome string, scores bool, patience time.Duration) error {
	before := l.counts()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		now := l.counts()
		launches, posts := now.launches > before.launches, now.scores > before.scores
		if outcome == full {
			launches, posts = now.launchesRefused > before.launchesRefused, now.scoresRefused > before.scoresRefused
		}
		if launches && (posts || !scores) {
			return nil
		}
		if err := l.failure(); err != nil {
			return err
		}
		select {
		case <-time.After(poll):
		case <-timer.C:
			return fmt.Errorf("within %s, launches %s: %t, scores: %t", patience, outcome, launches, posts)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round fills the disk and empties it. It returns how long it then took until launches and scores were taken.
func (l *load) round(ctx context.Context, f filler, directory string, recovery time.Duration) (time.Duration, error) {
	if err := os.Mkdir(directory, 0o700); err != nil {
		return 0, err
	}
	if err := f.fill(directory); err != nil {
		return 0, errors.Join(err, os.RemoveAll(directory))
	}
	err := l.await(ctx, full, f.scores, refusalTime)
	if err == nil {
		pause(ctx, fullTime)
	}
	if err = errors.Join(err, os.RemoveAll(directory)); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := l.both(ctx, taken, recovery); err != nil {
		return time.Since(begun), err
	}
	return time.Since(begun), l.replay(ctx)
}

// replay repeats the newest launches that were accepted.
func (l *load) replay(ctx context.Context) error {
	l.mutex.Lock()
	requests := l.launches[max(0, len(l.launches)-keptLaunches):]
	l.launches = append([]*pb.ValidateLaunchRequest(nil), requests...)
	l.mutex.Unlock()
	for _, request := range requests {
		call, cancel := context.WithTimeout(ctx, callTime)
		_, err := l.sidecar.launches.ValidateLaunch(call, request)
		cancel()
		if err == nil {
			return errors.New("a launch was accepted twice")
		}
		if again := reason(err); again != "NONCE_REPLAYED" {
			return fmt.Errorf("a launch that was accepted is answered with %s the second time", again)
		}
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.now.replays += len(requests)
	return nil
}

// missing waits until the platform has the newest score that was acknowledged for each user, or a better one, and else
// lists what it lacks.
func (l *load) missing(ctx context.Context, sim *platformsim.Sim) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for {
		got := map[string]float64{}
		for _, item := range sim.Platform(platformName).Gradebook() {
			for user, grade := range item.Grades {
				if grade.Score != nil {
					got[user] = max(got[user], *grade.Score)
				}
			}
		}
		var lacks []string
		for user, score := range l.acknowledged {
			if got[user] < score-scoreStep/2 {
				lacks = append(lacks, fmt.Sprintf("user %s has %g, and %g was acknowledged", user, got[user], score))
			}
		}
		if len(lacks) == 0 {
			return "", nil
		}
		select {
		case <-ctx.Done():
			return strings.Join(lacks, "; "), errors.New("an acknowledged score is lost")
		case <-time.After(poll):
		}
	}
}
