// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

func TestRecentNonces(t *testing.T) {
	t.Parallel()
	r := &recentNonces{}
	now := time.Unix(1_900_000_000, 5)
	first, same, other := noncestore.Nonce{1, 2, 3}, noncestore.Nonce{1, 2, 4}, noncestore.Nonce{9, 2, 3}
	r.add(first, now)
	var replay *noncestore.ReplayError
	if err := r.find(first, now.Add(noncestore.Retention)); !errors.As(err, &replay) || !replay.FirstUsed.Equal(now) {
		t.Errorf("at the end of its retention: %v", err)
	}
	for what, err := range map[string]error{
		"after its retention": r.find(first, now.Add(noncestore.Retention+1)), "another one in its place": r.find(same, now),
		"another one": r.find(other, now), "the zero nonce": r.find(noncestore.Nonce{}, now),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.add(same, now) // it takes the place
	if r.find(first, now) != nil || r.find(same, now) == nil {
		t.Error("of two in one place, the newer counts")
	}
}

// TestRedeemedKnowsTheNewest: what was redeemed is known at once, and what was refused is not.
func TestRedeemedKnowsTheNewest(t *testing.T) {
	t.Parallel()
	s, err := Open(Config{InMemory: true, Instance: [4]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	seal, err := s.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nonce, stale := newNonce(), newNonce()
	if err := s.Redeem(t.Context(), noncestore.Generation{9}, stale); !errors.Is(err, noncestore.ErrStale) {
		t.Errorf("under another seal: %v", err)
	}
	if err := s.Redeem(t.Context(), seal.Generation, nonce); err != nil {
		t.Fatal(err)
	}
	var replay *noncestore.ReplayError
	if err := s.Redeemed(t.Context(), nonce); !errors.As(err, &replay) {
		t.Errorf("the redeemed one: %v", err)
	}
	if err := s.Redeemed(t.Context(), stale); err != nil {
		t.Errorf("the refused one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
