// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// faultyStore is a store that fails when a test wants it to. Without a fault it is the store.
type faultyStore struct {
	noncestore.Store
	mutex sync.Mutex
	fault func(ctx context.Context, redeem func() error) error // guarded by mutex; nil: none
}

func (s *faultyStore) set(fault func(ctx context.Context, redeem func() error) error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.fault = fault
}

// Redeem redeems as the fault wants it.
func (s *faultyStore) Redeem(ctx context.Context, generation noncestore.Generation, nonce noncestore.Nonce) error {
	s.mutex.Lock()
	fault := s.fault
	s.mutex.Unlock()
	redeem := func() error { return s.Store.Redeem(ctx, generation, nonce) }
	if fault == nil {
		return redeem()
	}
	return fault(ctx, redeem)
}

// TestStoreFaults: N11, N12: whatever becomes of the commit, the launch is accepted at most once, and never by the call
// whose commit is in doubt.
func TestStoreFaults(t *testing.T) {
	s := newStack(t, 1)
	broken := errors.Join(noncestore.ErrUnavailable, errors.New("input/output error"))
	lost := func(ctx context.Context, redeem func() error) error { // the write is done, its answer never comes
		if err := redeem(); err != nil {
			return err
		}
		return broken
	}
	hangs := func(ctx context.Context, _ func() error) error {
		<-ctx.Done()
		return errors.Join(noncestore.ErrUnavailable, ctx.Err())
	}
	for _, test := range []struct {
		name    string
		fault   func(ctx context.Context, redeem func() error) error
		timeout time.Duration // the caller's; 0: none of its own
		want    lti.Reason    // of the call; "": the caller has gone and is told nothing
		after   lti.Reason    // of the same launch, once the store works again; "": accepted
	}{
		{"the write fails", func(context.Context, func() error) error { return broken }, 0, lti.ReasonStoreUnavailable, ""},
		{"the store is full", func(context.Context, func() error) error {
			return fmt.Errorf("%w: no space left on device", noncestore.ErrUnavailable)
		}, 0, lti.ReasonStoreUnavailable, ""},
		{"the store is read-only", func(context.Context, func() error) error {
			return fmt.Errorf("%w: read-only file system", noncestore.ErrUnavailable)
		}, 0, lti.ReasonStoreUnavailable, ""},
		{"the store fails with an error of its own", func(context.Context, func() error) error { return errors.New("unheard of") }, 0, lti.ReasonStoreUnavailable, ""},
		{"the write is done and its answer lost", lost, 0, lti.ReasonStoreUnavailable, lti.ReasonNonceReplayed},
		{"the seal was replaced meanwhile", func(context.Context, func() error) error { return noncestore.ErrStale }, 0, lti.ReasonStateStale, ""},
		{"another one was faster", func(_ context.Context, redeem func() error) error { return errors.Join(redeem(), redeem()) }, 0, lti.ReasonNonceReplayed, lti.ReasonNonceReplayed},
		{"the store panics", func(context.Context, func() error) error { panic("store") }, 0, lti.ReasonInternal, ""},
		{"the commit hangs until the caller gives up", hangs, 50 * time.Millisecond, "", ""},
		{"the commit is done when the caller gives up", func(ctx context.Context, redeem func() error) error {
			return errors.Join(redeem(), hangs(ctx, nil))
		}, 50 * time.Millisecond, "", lti.ReasonNonceReplayed},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := s.good(must(s.begin(s.parties["a"])), nil)
			before := s.refusals()
			ended := make(chan struct{})
			s.nonces.set(func(ctx context.Context, redeem func() error) error {
				defer close(ended)
				return test.fault(ctx, redeem)
			})
			ctx, cancel := t.Context(), func() {}
			if test.timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, test.timeout)
			}
			answer, err := s.launches.ValidateLaunch(ctx, request)
			cancel()
			<-ended
			for test.want == "" && s.refusals()[string(lti.ReasonDeadlineExceeded)]+s.refusals()[string(lti.ReasonCanceled)] ==
				before[string(lti.ReasonDeadlineExceeded)]+before[string(lti.ReasonCanceled)] {
				runtime.Gosched() // the caller is gone before the call is
			}
			passed := err != nil && answer.GetLaunch() == nil && infoOf(err).GetReason() == string(test.want)
			if test.want != "" && s.refusals()[string(test.want)] != before[string(test.want)]+1 {
				passed = false
			}
			if !passed {
				t.Errorf("%v, %v, want %q, counted", answer, err, test.want)
			}
			record("N", true, passed)
			s.nonces.set(nil)
			expect(t, s, "the same launch, once the store works again", request, test.after)
			expect(t, s, "and once more", request, lti.ReasonNonceReplayed)
		})
	}
}

// launch returns the launch that a request came to.
func (s *stack) launch(request *pb.ValidateLaunchRequest) (*pb.Launch, error) {
	answer, err := s.launches.ValidateLaunch(s.t.Context(), request)
	return answer.GetLaunch(), err
}
