// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// closePatience is how long Close waits for attempts under way before it cuts them off.
const closePatience = 2 * time.Second

// Run works on the backlog until ctx ends. It is to be called once. From then on no attempt begins, and those who wait
// in Submit get their entries as they are.
func (o *Outbox) Run(ctx context.Context) {
	defer o.stop()
	if o.config.Held {
		<-ctx.Done()
		return
	}
	var pruned time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-timer.C:
		}
		again := o.dispatch(ctx)
		if now := o.config.Now(); now.Sub(pruned) >= pruneInterval {
			pruned = now
			o.prune(ctx)
		}
		timer.Reset(again)
	}
}

// Close waits a little for the attempts under way, and then ends them: their entries are ambiguous where bytes had
// left. It may be called more than once.
func (o *Outbox) Close() {
	o.mutex.Lock()
	o.stop() // under the lock: begin looks and counts under it
	o.mutex.Unlock()
	timer := time.AfterFunc(closePatience, o.cancel)
	o.attempts.Wait()
	timer.Stop()
	o.cancel()
}

// begin counts one more attempt, unless the outbox has stopped.
func (o *Outbox) begin() bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.serving.Err() != nil {
		return false
	}
	o.attempts.Add(1)
	return true
}

// dispatch starts attempts for what is due, as many as may run, and says when to look again.
func (o *Outbox) dispatch(ctx context.Context) time.Duration {
	for {
		select {
		case o.background <- struct{}{}:
		default:
			return idleLook // an attempt that ends wakes the outbox
		}
		if !o.begin() {
			<-o.background
			return idleLook
		}
		entry, claimed, again := o.claimBacklog(ctx)
		if claimed == nil {
			o.attempts.Done()
			<-o.background
			return again
		}
		go func() {
			defer o.attempts.Done()
			verdict := o.work(&entry, *claimed)
			o.hosts.leave(entry.Group, false, verdict, o.config.Now())
			<-o.background
			o.look()
		}()
	}
}

// claimBacklog claims what has been due for longest and may be tried, and takes its place at the host.
func (o *Outbox) claimBacklog(ctx context.Context) (records.LaneEntry, *records.Lease, time.Duration) {
	now := o.config.Now()
	skip, free := o.hosts.busy(now)
	again := idleLook
	if !free.IsZero() {
		again = min(again, max(free.Sub(now), time.Millisecond))
	}
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, claimed, err := o.config.Lanes.Claim(bounded, records.Claim{Kind: o.config.Kind, Skip: skip, Lease: leaseTime})
	switch {
	case errors.Is(err, records.ErrNoneDue):
		return records.LaneEntry{}, nil, again
	case err != nil:
		if ctx.Err() == nil {
			o.config.Logger.Error("outbox", "message", "the backlog cannot be read", "error", err)
		}
		return records.LaneEntry{}, nil, idleLook
	}
	o.hosts.enterBackground(entry.Group, now)
	return entry, &claimed, 0
}

// tryNow starts an attempt for what is first in a lane, where that is due and the host has a place, and goes on to the
// entries behind it. It reports whether it could begin; then somebody looks at the lane.
func (o *Outbox) tryNow(group, lane string) bool {
	select {
	case o.interactive <- struct{}{}:
	default:
		return false
	}
	if !o.begin() {
		<-o.interactive
		return false
	}
	if !o.hosts.enterInteractive(group, o.config.Now()) {
		o.attempts.Done()
		<-o.interactive
		return false
	}
	go func() {
		defer o.attempts.Done()
		var verdict *Verdict
		bounded, cancel := context.WithTimeout(o.ctx, storeTimeout)
		entry, claimed, err := o.config.Lanes.Claim(bounded, records.Claim{Kind: o.config.Kind, Lane: lane, Lease: leaseTime})
		cancel()
		if err == nil {
			verdict = o.work(&entry, claimed)
		} else if !errors.Is(err, records.ErrNoneDue) && o.ctx.Err() == nil {
			o.config.Logger.Error("outbox", "message", "a lane cannot be claimed", "error", err)
		}
		o.hosts.leave(group, true, verdict, o.config.Now())
		<-o.interactive
		o.look() // there may be more in the lane
	}()
	return true
}

// work makes one attempt and records what came of it. The verdict is nil where the host was not spoken to.
func (o *Outbox) work(entry *records.LaneEntry, claimed records.Lease) *Verdict {
	defer o.tell(entry.Lane)
	ctx, cancel := context.WithTimeout(o.ctx, attemptTimeout)
	defer cancel()
	s := situation{entry: entry, first: entry.Attempts == 0 && o.isAwaited(entry.ID), now: o.config.Now(), jitter: o.config.Jitter()}
	var err error
	if s.record, err = recordOf(entry); err != nil {
		o.config.Logger.Error("outbox", "message", "an entry's record is damaged; it goes on without", "entry", entry.ID, "error", err)
	}
	switch {
	case entry.AppendTime.Before(o.config.DiscardBefore):
		r := record{Report: Report{Reason: lti.ReasonOutboxHeld, Message: "The operator discarded it with the rest of a restored or copied outbox."}}
		o.finish(claimed, records.Outcome{State: records.StateRefused}, r)
		return nil
	case entry.AppendTime.Before(o.config.DoubtBefore):
		entry.Ambiguous = true
	}
	if s.ambiguous() {
		proof := NoProof
		if o.config.Evidence != nil {
			proof = o.config.Evidence(ctx, entry)
		}
		s.evidence = proof != NoProof
		outcome, r, again := o.policy.interrupted(s, proof)
		if !again {
			o.finish(claimed, outcome, r)
			return nil
		}
	}
	began := false
	verdict := o.config.Deliver(ctx, &Attempt{Entry: entry, Ambiguous: s.ambiguous(), Begin: func(ctx context.Context) error {
		if began {
			return nil // the same attempt, as with a fresh token
		}
		err := o.config.Lanes.Start(ctx, claimed)
		began = err == nil
		return err
	}})
	if !began && (verdict.Kind == Failed || verdict.Kind == Unknown) {
		verdict.Kind = NotTaken // nothing left, so nothing arrived
	}
	if verdict.Kind == Unknown && o.config.Evidence != nil {
		proof := o.config.Evidence(ctx, entry)
		s.evidence = proof != NoProof
		if proof == Arrived {
			verdict.Kind = Delivered
		}
	}
	s.now = o.config.Now()
	outcome, r := o.policy.outcome(s, verdict)
	o.finish(claimed, outcome, r)
	return &verdict
}

// finish records an outcome. Where that fails the entry stays as it is, and is ambiguous where it had started.
func (o *Outbox) finish(claimed records.Lease, outcome records.Outcome, r record) {
	result, err := json.Marshal(r)
	if err == nil {
		outcome.Result = result
		ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), storeTimeout)
		defer cancel()
		_, err = o.config.Lanes.Finish(ctx, claimed, outcome)
	}
	if err != nil {
		o.config.Logger.Error("outbox", "message", "an outcome cannot be recorded", "entry", claimed.ID, "state", string(outcome.State), "error", err)
		return
	}
	if outcome.Due.IsZero() {
		o.config.Observe(outcome.State)
	}
}

// prune forgets what is old.
func (o *Outbox) prune(ctx context.Context) {
	now := o.config.Now()
	for more := true; more; {
		bounded, cancel := context.WithTimeout(ctx, storeTimeout)
		var err error
		_, more, err = o.config.Lanes.Prune(bounded, records.Prune{
			Kind: o.config.Kind, Requests: now.Add(-RequestMemory), Entries: now.Add(-Retention), Lanes: now.Add(-laneRetention), Limit: pruneBatch,
		})
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				o.config.Logger.Error("outbox", "message", "old entries cannot be removed", "error", err)
			}
			return
		}
	}
}
