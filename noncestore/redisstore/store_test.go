// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	"github.com/ltisidecar/ltisidecar/noncestore/noncestoretest"
	"github.com/ltisidecar/ltisidecar/testservers"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

const fenceKey = "{ltisidecar}:fence"

func TestConformance(t *testing.T) {
	noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
		redis := testservers.StartRedis(t)
		config := Config{URL: redis.URL(), Secret: secret}
		return noncestoretest.Memory{
			Open: func() (noncestore.Store, error) { return opened(Open(t.Context(), config)) },
			OpenSkewed: func(ahead time.Duration) (noncestore.Store, error) {
				skewed := config
				skewed.Now = func() time.Time { return time.Now().Add(ahead) }
				return opened(Open(t.Context(), skewed))
			},
			Advance: func(d time.Duration) { age(redis, d) },
			Losses:  losses(t, redis),
		}
	})
}

// opened keeps a nil *fence.Store from becoming a Store that is not nil.
func opened(store *fence.Store, err error) (noncestore.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

// age lets time pass for the redemptions: each is forgotten that much sooner.
func age(redis *testservers.Redis, d time.Duration) {
	for _, key := range strings.Fields(redis.Do("EVAL", "return table.concat(redis.call('KEYS', '*:nonce:*'), ' ')", "0")) {
		at, err := strconv.ParseInt(redis.Do("PEXPIRETIME", key), 10, 64)
		if err != nil {
			panic(err)
		}
		redis.Do("PEXPIREAT", key, strconv.FormatInt(at-d.Milliseconds(), 10))
	}
}

// losses are the ways in which one server, at one address, can lose its memory under open handles.
func losses(t *testing.T, redis *testservers.Redis) map[string]func() {
	return map[string]func(){
		"flushed": func() { redis.Do("FLUSHALL") },
		"killed, with an older snapshot": func() {
			redis.Do("SAVE")
			redis.Kill()
			redis.Restart()
		},
		"an older copy brought back into the running server": func() {
			copied := copyFence(t, redis)
			redis.Do("FLUSHALL")
			redis.Do(copied...)
		},
		"an older copy brought back after the seal was replaced": func() {
			copied := copyFence(t, redis)
			before := redis.Do("HGET", fenceKey, "generation")
			redis.Do("FLUSHALL")
			for begun := time.Now(); redis.Do("EXISTS", fenceKey) == "0" || redis.Do("HGET", fenceKey, "generation") == before; {
				if time.Since(begun) > 30*time.Second {
					t.Fatal("nobody replaces the fence")
				}
			}
			redis.Do(copied...)
		},
		"replica and primary again": func() {
			other := testservers.StartRedis(t)
			redis.Follow(other)
			redis.Promote()
		},
		"replica of one that lagged, and primary again": func() {
			other := testservers.StartRedis(t)
			other.Follow(redis)
			other.Promote() // it has the fence, and misses every redemption from now on
			redis.Follow(other)
			redis.Promote()
		},
	}
}

// copyFence returns a command that brings the fence back as it was four seconds ago, which is longer than any sidecar's
// view of it lives. The redemptions since then are the ones that a copy lacks.
func copyFence(t *testing.T, redis *testservers.Redis) []string {
	t.Helper()
	copied := strings.Fields(redis.Do("EVAL", "return table.concat(redis.call('HGETALL', KEYS[1]), ' ')", "1", fenceKey))
	seen, err := strconv.ParseInt(redis.Do("HGET", fenceKey, "seen"), 10, 64)
	check(t, err)
	return slices.Concat([]string{"HSET", fenceKey}, copied, []string{"seen", strconv.FormatInt(seen-4000, 10)})
}

func mustOpen(t *testing.T, config Config) *fence.Store {
	t.Helper()
	if config.Secret == nil {
		config.Secret = secret
	}
	store, err := Open(t.Context(), config)
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	return store
}

func sealOf(t *testing.T, store noncestore.Store) noncestore.Seal {
	t.Helper()
	seal, err := store.Seal(t.Context())
	check(t, err)
	return seal
}

func newNonce() (nonce noncestore.Nonce) {
	rand.Read(nonce[:]) // never fails
	return nonce
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// TestFailover promotes a replica that missed a redemption: whoever asks it knows that the seal is another one.
func TestFailover(t *testing.T) {
	primary, replica := testservers.StartRedis(t), testservers.StartRedis(t)
	before := mustOpen(t, Config{URL: primary.URL()})
	seal := sealOf(t, before)
	replica.Follow(primary)
	// Attaching the first replica gives the primary another replication id.
	seal, err := before.Refresh(t.Context())
	check(t, err)
	replica.Do("REPLICAOF", "NO", "ONE")
	nonce := newNonce()
	check(t, before.Redeem(t.Context(), seal.Generation, nonce))
	primary.Kill()

	after := mustOpen(t, Config{URL: replica.URL()})
	if sealOf(t, after).Key == seal.Key {
		t.Fatal("the seal outlived the failover")
	}
	if !sealOf(t, after).Generation.SameInstance(seal.Generation) {
		t.Error("the instance changed with the failover: users would be told of another sidecar")
	}
	wantError(t, after.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrStale)
	wantError(t, before.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrUnavailable)
}

// TestUnsafeServers opens stores on servers that cannot keep what is promised.
func TestUnsafeServers(t *testing.T) {
	replica := testservers.StartRedis(t)
	replica.Follow(testservers.StartRedis(t))
	for _, c := range []struct {
		what, url string
		config    Config
		want      string
	}{
		{"a replica", replica.URL(), Config{}, "address of the primary"},
		{"keys may be evicted", testservers.StartRedis(t, "--maxmemory-policy", "volatile-ttl").URL(), Config{}, "noeviction"},
		{"not there", "redis://127.0.0.1:1", Config{}, "connect"},
		{"no password", testservers.StartRedis(t, "--requirepass", "right").URL(), Config{}, "NOAUTH"},
		{"a short secret", testservers.StartRedis(t).URL(), Config{Secret: secret[:31]}, "32"},
		{"another scheme", "http://127.0.0.1", Config{}, "redis://"},
		{"an odd parameter", "redis://127.0.0.1?max_retries=3", Config{}, "max_retries"},
		{"an odd name", "redis://127.0.0.1", Config{Name: "a{b}"}, "a-z"},
	} {
		t.Run(c.what, func(t *testing.T) {
			config := c.config
			config.URL = c.url
			if config.Secret == nil {
				config.Secret = secret
			}
			store, err := Open(t.Context(), config)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it opened"), store.Close()))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v does not name %q", err, c.want)
			}
		})
	}
}

// TestPolicyChanged has the operator allow eviction while the store is open. What was evicted is not known, so the seal
// does not come back when he forbids it again.
func TestPolicyChanged(t *testing.T) {
	redis := testservers.StartRedis(t)
	store := mustOpen(t, Config{URL: redis.URL()})
	seal, nonce := sealOf(t, store), newNonce()
	check(t, store.Redeem(t.Context(), seal.Generation, nonce))
	redis.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	_, err := store.Refresh(t.Context())
	wantError(t, err, noncestore.ErrUnavailable)
	wantError(t, store.Redeem(t.Context(), seal.Generation, newNonce()), noncestore.ErrUnavailable)
	redis.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	after, err := store.Refresh(t.Context())
	check(t, err)
	if after == seal {
		t.Fatal("the seal came back")
	}
	wantError(t, store.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrStale)
}

// TestSharedSecret gives one of two sidecars another secret.
func TestSharedSecret(t *testing.T) {
	redis := testservers.StartRedis(t)
	first := mustOpen(t, Config{URL: redis.URL()})
	seal := sealOf(t, first)
	other := []byte("another secret of more than 32 bytes")
	_, err := Open(t.Context(), Config{URL: redis.URL(), Secret: other})
	if err == nil || !strings.Contains(err.Error(), "another shared secret") {
		t.Fatalf("two secrets: %v", err)
	}
	check(t, first.Redeem(t.Context(), seal.Generation, newNonce()))
	check(t, first.Close())
	// Once nobody has polled for a while, the other secret takes over, with another seal.
	long := time.Now().Add(-fence.OtherSecretAfter).UnixMilli()
	redis.Do("HSET", fenceKey, "seen", strconv.FormatInt(long, 10))
	second := mustOpen(t, Config{URL: redis.URL(), Secret: other})
	if after := sealOf(t, second); after.Key == seal.Key || after.Generation == seal.Generation {
		t.Fatal("the seal did not change with the secret")
	}
}

// TestNamesAreApart has two tools share a server.
func TestNamesAreApart(t *testing.T) {
	redis := testservers.StartRedis(t)
	one, two := mustOpen(t, Config{URL: redis.URL(), Name: "one"}), mustOpen(t, Config{URL: redis.URL(), Name: "two"})
	if sealOf(t, one).Generation.SameInstance(sealOf(t, two).Generation) {
		t.Fatal("two names have one instance")
	}
	nonce := newNonce()
	check(t, one.Redeem(t.Context(), sealOf(t, one).Generation, nonce))
	wantError(t, two.Redeem(t.Context(), sealOf(t, one).Generation, nonce), noncestore.ErrStale)
	check(t, two.Redeem(t.Context(), sealOf(t, two).Generation, nonce))
}

// TestRetention reads how long Redis remembers.
func TestRetention(t *testing.T) {
	redis := testservers.StartRedis(t)
	store := mustOpen(t, Config{URL: redis.URL()})
	check(t, store.Redeem(t.Context(), sealOf(t, store).Generation, noncestore.Nonce{}))
	left, err := strconv.ParseInt(redis.Do("PTTL", "{ltisidecar}:nonce:AAAAAAAAAAAAAAAAAAAAAA"), 10, 64)
	check(t, err)
	if want := noncestore.Retention.Milliseconds(); left > want || left < want-30_000 {
		t.Fatalf("Redis remembers for %d ms, want %d", left, want)
	}
}

func redemption(generation noncestore.Generation, nonce noncestore.Nonce) fence.Redemption {
	r := fence.Redemption{Generation: generation, Nonce: nonce}
	rand.Read(r.Owner[:]) // never fails
	return r
}

func verdictName(v fence.Verdict) string {
	for name, verdict := range verdicts {
		if verdict == v {
			return name
		}
	}
	return "none"
}
