// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"sync"

	"github.com/ltisidecar/ltisidecar/lti"
)

// turns lets one call at a time work on a key. Its zero value is ready.
type turns struct {
	mutex sync.Mutex
	taken map[string]*turn
}

// turn is one key that a call works on or waits for.
type turn struct {
	free  chan struct{} // holds one element while nobody works
	calls int           // that work or wait; guarded by the mutex of turns
}

// enter waits for the turn of a key. done must be called where the error is nil.
func (t *turns) enter(ctx context.Context, key string) (done func(), err error) {
	t.mutex.Lock()
	if t.taken == nil {
		t.taken = map[string]*turn{}
	}
	mine := t.taken[key]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.taken[key] = mine
	}
	mine.calls++
	t.mutex.Unlock()
	leave := func() {
		t.mutex.Lock()
		defer t.mutex.Unlock()
		if mine.calls--; mine.calls == 0 {
			delete(t.taken, key)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, contextError(ctx, "The caller's time was over while another call was making the same line item.")
	}
}

func contextError(ctx context.Context, message string) *lti.Error {
	reason := lti.ReasonDeadlineExceeded
	if ctx.Err() == context.Canceled {
		reason = lti.ReasonCanceled
	}
	return &lti.Error{Reason: reason, Message: message, Cause: ctx.Err()}
}
