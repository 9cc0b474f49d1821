// SPDX-License-Identifier: Apache-2.0

//go:build unix

package redisstore

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/testservers"
)

// TestSuspendedServer stops the server's process. Launches are refused in time, and accepted again when it goes on.
func TestSuspendedServer(t *testing.T) {
	redis := testservers.StartRedis(t)
	store := mustOpen(t, Config{URL: redis.URL()})
	seal := sealOf(t, store)
	redis.Signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	nonce := newNonce()
	wantError(t, store.Redeem(ctx, seal.Generation, nonce), noncestore.ErrUnavailable)
	redis.Signal(syscall.SIGCONT)
	after, err := store.Refresh(t.Context())
	for err != nil && t.Context().Err() == nil { // the connections of before are given up first
		after, err = store.Refresh(t.Context())
	}
	check(t, err)
	check(t, store.Redeem(t.Context(), after.Generation, newNonce()))
	var replay *noncestore.ReplayError
	if err := store.Redeem(t.Context(), seal.Generation, nonce); err != nil && !errors.As(err, &replay) {
		t.Fatal(err)
	}
}
