// SPDX-License-Identifier: Apache-2.0

package fence

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// maxSkew is how far the server's clock may be from ours. A state lives for noncestore.StateLifetime by our clock and a
// redemption for noncestore.Retention by the server's: what is between them is twice this.
const maxSkew = (noncestore.Retention - noncestore.StateLifetime) / 2

// maxJump is how far the server's clock may move against our monotonic clock from one poll to the next.
const maxJump = 5 * time.Second

// view is what a poll saw.
type view struct {
	fence  Fence
	seal   noncestore.Seal
	begun  time.Duration // by the monotonic clock
	offset time.Duration // the server's clock minus our monotonic clock, too large by up to took
	took   time.Duration // how long the poll took
	err    error         // why the store cannot be used; the rest is then that of the last good view
}

// poll is a poll under way.
type poll struct {
	begun time.Duration // by the monotonic clock; set, as view is, when done is closed
	view  *view
	done  chan struct{}
}

// watch polls each second until Close.
func (s *Store) watch() {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			s.begin()
		}
	}
}

// recent returns the newest view where it still says something, and polls otherwise.
func (s *Store) recent(ctx context.Context) (*view, error) {
	if v := s.view.Load(); v.err == nil && s.config.Monotonic()-v.begun < viewLife {
		return v, nil
	}
	return s.refresh(ctx, 0)
}

// refresh waits for a poll that begins after a moment of the monotonic clock; zero: for any that ends from now on.
func (s *Store) refresh(ctx context.Context, after time.Duration) (*view, error) {
	for {
		p := s.begin()
		if p == nil {
			return nil, unavailable(errClosed)
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
		if p.begun >= after {
			return p.view, p.view.err
		}
	}
}

// begin returns the poll under way, or begins one. It returns nil where the store is closed.
func (s *Store) begin() *poll {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return nil
	}
	if s.running != nil {
		return s.running
	}
	p := &poll{done: make(chan struct{})}
	s.running = p
	s.polls.Go(func() {
		defer close(p.done)
		pause := time.Duration(0)
		if last := s.view.Load(); last != nil {
			pause = last.begun + pollPause - s.config.Monotonic()
		}
		select {
		case <-time.After(pause):
		case <-s.closing:
		}
		p.begun = s.config.Monotonic()
		p.view = s.look()
		s.view.Store(p.view)
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
	})
	return p
}

// look polls the fence, and once more where that is not to stay.
func (s *Store) look() *view {
	ctx, cancel := context.WithTimeout(s.context, pollTime)
	defer cancel()
	last := s.view.Load()
	now, err := s.see(ctx, last, noncestore.Generation{})
	if err == nil && last != nil && now.fence.Generation == last.fence.Generation {
		if jump := (now.offset - last.offset).Abs(); jump > maxJump+now.took+last.took {
			if now, err = s.see(ctx, last, now.fence.Generation); err == nil && now.fence.Replaced != "" {
				now.fence.Replaced = fmt.Sprintf("the store's clock moved by %s against ours", jump.Round(time.Second))
			}
		}
	}
	if err != nil {
		return s.lost(last, err)
	}
	if reason := now.fence.Replaced; reason != "" {
		s.config.Logger.Info("new seal: logins under way must be started again", "reason", reason)
	}
	s.tell(last, now)
	return now
}

// lost makes a view of a poll that failed.
func (s *Store) lost(last *view, err error) *view {
	v := &view{begun: s.config.Monotonic(), err: unavailable(err)}
	if last != nil {
		v.fence, v.offset, v.took = last.fence, last.offset, last.took
	}
	s.tell(last, v)
	return v
}

// tell logs where the store can or cannot be used any more.
func (s *Store) tell(last, now *view) {
	switch {
	case last == nil || s.context.Err() != nil:
	case last.err == nil && now.err != nil:
		s.config.Logger.Error("the nonce store cannot be used: launches are refused", "error", now.err)
	case last.err != nil && now.err == nil:
		s.config.Logger.Info("the nonce store can be used again")
	}
}

// see polls the fence once.
func (s *Store) see(ctx context.Context, last *view, replace noncestore.Generation) (*view, error) {
	proposal := Proposal{Instance: s.instance, Check: s.check, Replace: replace}
	if last != nil {
		proposal.Known = last.fence
	}
	if known := proposal.Known.Generation; known != (noncestore.Generation{}) {
		copy(proposal.Instance[:], known[:])
	}
	for _, random := range [][]byte{proposal.Suffix[:], proposal.Random[:]} {
		if _, err := io.ReadFull(s.config.Rand, random); err != nil {
			return nil, fmt.Errorf("no randomness: %w", err)
		}
	}
	v := &view{begun: s.config.Monotonic()}
	sent := s.config.Now()
	var err error
	if v.fence, err = s.config.Engine.Poll(ctx, proposal); err != nil {
		return nil, err
	}
	if v.took = s.config.Monotonic() - v.begun; v.took > pollTime {
		return nil, fmt.Errorf("the poll took %s", v.took.Round(time.Millisecond)) // its offset says nothing
	}
	v.offset = time.Duration(v.fence.Now.UnixNano()) - v.begun
	v.err = s.checkSkew(v.fence.Now, sent)
	v.seal, err = s.sealOf(v.fence)
	return v, err
}

// checkSkew compares the server's clock with ours. sent is ours when the question was sent.
func (s *Store) checkSkew(server, sent time.Time) error {
	received := s.config.Now()
	if skew := server.Sub(sent); skew < -maxSkew {
		return &noncestore.ClockSkewError{Ahead: skew}
	}
	if skew := server.Sub(received); skew > maxSkew {
		return &noncestore.ClockSkewError{Ahead: skew}
	}
	return nil
}

// sealOf derives the seal of a fence.
func (s *Store) sealOf(f Fence) (noncestore.Seal, error) {
	key, err := hkdf.Key(sha256.New, s.config.Secret, f.Random[:], "ltisidecar seal "+string(f.Generation[:]), 32)
	if err != nil {
		return noncestore.Seal{}, fmt.Errorf("derive the seal: %w", err)
	}
	return noncestore.Seal{Generation: f.Generation, Key: [32]byte(key)}, nil
}

// checkOf derives what tells the sidecars that they share a secret.
func checkOf(secret []byte) ([16]byte, error) {
	check, err := hkdf.Key(sha256.New, secret, nil, "ltisidecar shared secret check", 16)
	if err != nil {
		return [16]byte{}, fmt.Errorf("fence: derive the check of the secret: %w", err)
	}
	return [16]byte(check), nil
}
