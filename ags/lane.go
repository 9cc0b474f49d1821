// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// lane is the order of one user's scores for one line item. Scores of a lane are sent one after the other: Moodle fails
// when two first scores race.
type lane struct {
	turn chan struct{} // holds one element while nobody sends
	last attempt       // guarded by the turn
}

// attempt is the last score of a lane that the platform has, or may have.
type attempt struct {
	event     time.Time         // score_time
	sent      time.Time         // the timestamp it carried; zero: none was sent
	content   [sha256.Size]byte // hash of all but the timestamp
	ambiguous bool              // whether the platform has it is not known
}

// enter waits for the turn in a lane. The caller must call leave.
func (c *Client) enter(ctx context.Context, key string) (*lane, error) {
	fresh := &lane{turn: make(chan struct{}, 1)}
	fresh.turn <- struct{}{}
	present, known, _ := c.lanes.PeekOrAdd(key, fresh)
	if !known {
		present = fresh
	} else {
		c.lanes.Get(key) // marks it as used
	}
	select {
	case <-present.turn:
		return present, nil
	case <-ctx.Done():
		return nil, contextError(ctx, "The caller's time was over while earlier scores of this user were being sent.")
	}
}

func (l *lane) leave() { l.turn <- struct{}{} }

// next decides what becomes of a score in its lane: the attempt to make, or that a newer one makes it superfluous.
// explicit says that the tool named the score time. A repeat of an attempt whose outcome is not known carries the same
// timestamp, so that the platform can tell it from a new score.
func (l *lane) next(event time.Time, explicit bool, content [sha256.Size]byte, grain time.Duration) (try attempt, superseded bool) {
	last := l.last
	switch {
	case last.sent.IsZero():
		return attempt{event: event, sent: event, content: content}, false
	case explicit && event.Before(last.event):
		return attempt{}, true
	case explicit && last.ambiguous && event.Equal(last.event) && content == last.content:
		return attempt{event: event, sent: last.sent, content: content, ambiguous: true}, false
	}
	try = attempt{event: event, sent: event, content: content}
	if earliest := last.sent.Add(grain); try.sent.Before(earliest) {
		try.sent = earliest
	}
	if try.event.Before(last.event) { // the clock was set back
		try.event = last.event
	}
	return try, false
}

func contextError(ctx context.Context, message string) *lti.Error {
	reason := lti.ReasonDeadlineExceeded
	if ctx.Err() == context.Canceled {
		reason = lti.ReasonCanceled
	}
	return &lti.Error{Reason: reason, Message: message, Cause: ctx.Err()}
}
