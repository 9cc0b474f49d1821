// SPDX-License-Identifier: Apache-2.0

// Package redisstore remembers redeemed nonces in Redis 7 or Valkey, for several sidecars.
//
// All keys have one hash tag, so that they lie in one slot of a cluster. A redemption is one Lua script, one round trip:
// it reads the server's run id and replication id, compares them and the generation with the fence, and sets the nonce
// with NX and PX. A server that restarted has another run id; one that was promoted, or that was primary, replica and
// primary again, has another replication id; a flush takes the fence away. The ids are read in the script and not once
// for a connection, because a held connection outlives all of that.
//
// So no durability is asked of Redis: what it loses, it loses together with the fence. Eviction would lose redemptions
// alone, so maxmemory-policy must be noeviction, which each poll looks at.
//
// # What is excluded
//
// Active-active replication, which has several primaries. Keys that are deleted or evicted one by one, and a server
// whose clock is set forward and back within a second.
package redisstore

import (
	"context"
	_ "embed" // for the scripts
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/fence"
)

//go:embed fence.lua
var fenceText string

//go:embed redeem.lua
var redeemText string

var (
	fenceScript  = rueidis.NewLuaScript(fenceText)
	redeemScript = rueidis.NewLuaScript(redeemText)
)

// Open connects and takes the fence. It fails where the server cannot be reached, is a replica, or may evict keys, and
// says what to change.
func Open(ctx context.Context, config Config) (*fence.Store, error) {
	e, err := connect(&config)
	if err != nil {
		return nil, err
	}
	store, err := fence.Open(ctx, fence.Config{Engine: e, Secret: config.Secret, Now: config.Now, Monotonic: config.Monotonic,
		Rand: config.Rand, Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return store, nil
}

// engine implements fence.Engine.
type engine struct {
	client rueidis.Client
	name   string
}

func connect(config *Config) (*engine, error) {
	option, err := config.options()
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("redisstore: connect to Redis: %w", err)
	}
	return &engine{client: client, name: config.Name}, nil
}

func (e *engine) fenceKey() string { return "{" + e.name + "}:fence" }

func (e *engine) nonceKey(nonce noncestore.Nonce) string {
	return "{" + e.name + "}:nonce:" + base64.RawURLEncoding.EncodeToString(nonce[:])
}

// Poll implements fence.Engine.
func (e *engine) Poll(ctx context.Context, p fence.Proposal) (fence.Fence, error) {
	replace := ""
	if p.Replace != (noncestore.Generation{}) {
		replace = hex.EncodeToString(p.Replace[:])
	}
	result, err := fenceScript.Exec(ctx, e.client, []string{e.fenceKey()}, []string{
		hex.EncodeToString(p.Instance[:]), hex.EncodeToString(p.Suffix[:]), hex.EncodeToString(p.Random[:]),
		hex.EncodeToString(p.Check[:]), p.Known.Incarnation, milliseconds(p.Known.Seen), replace,
		strconv.FormatInt(fence.OtherSecretAfter.Milliseconds(), 10),
	}).AsStrSlice()
	if err != nil {
		return fence.Fence{}, explain(err)
	}
	return readFence(result)
}

// readFence reads the answer of fence.lua.
func readFence(answer []string) (f fence.Fence, err error) {
	word := ""
	if len(answer) > 0 {
		word = answer[0]
	}
	switch {
	case word == "role" && len(answer) == 2:
		return f, fmt.Errorf("this Redis server is a %s, and only a primary can say what was redeemed: put the address of the primary into the URL, or those of the Sentinels with master_set", answer[1])
	case word == "policy" && len(answer) == 2:
		return f, fmt.Errorf("this Redis server may evict keys (maxmemory-policy is %s), and an evicted redemption could be repeated: set maxmemory-policy to noeviction (redis.conf; a managed service has it in its parameter group or configuration, under that name), or use a server of its own", answer[1])
	case word == "ids":
		return f, errors.New("this server does not tell its run_id and master_replid in INFO, so it cannot prove that it forgot nothing: use Redis 7 or Valkey itself, without a proxy or an imitation")
	case word == "secret":
		return f, errors.New("another sidecar uses this store with another shared secret: give all of them the same one; to change it, stop all sidecars first")
	case word != "fence" || len(answer) != 7:
		return f, errors.New("the Redis server answered otherwise than the script")
	}
	generation, err1 := hex.DecodeString(answer[1])
	random, err2 := hex.DecodeString(answer[2])
	seen, err3 := readMilliseconds(answer[4])
	now, err4 := readMilliseconds(answer[5])
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(generation) != len(f.Generation) || len(random) != len(f.Random) {
		return f, errors.New("the fence in Redis is damaged: delete the key that ends in :fence")
	}
	return fence.Fence{Generation: noncestore.Generation(generation), Random: [32]byte(random), Incarnation: answer[3],
		Seen: seen, Now: now, Replaced: answer[6]}, nil
}

var verdicts = map[string]fence.Verdict{"accepted": fence.Accepted, "used": fence.Used, "stale": fence.Stale}

// Redeem implements fence.Engine. An answer with an error in it (MOVED, READONLY, LOADING, OOM and the like) is never an
// acceptance; NOSCRIPT has the client send the whole script.
func (e *engine) Redeem(ctx context.Context, r fence.Redemption) (fence.Answer, error) {
	answer, err := redeemScript.Exec(ctx, e.client, []string{e.fenceKey(), e.nonceKey(r.Nonce)}, []string{
		hex.EncodeToString(r.Generation[:]), hex.EncodeToString(r.Owner[:]), r.Incarnation, milliseconds(r.Seen),
		strconv.FormatInt(noncestore.Retention.Milliseconds(), 10),
	}).AsStrSlice()
	if err != nil {
		if _, answered := rueidis.IsRedisErr(err); !answered {
			err = fmt.Errorf("%w: %w", fence.ErrUnknown, err)
		}
		return fence.Answer{}, explain(err)
	}
	if len(answer) < 2 || verdicts[answer[0]] == 0 || (len(answer) == 3) != (answer[0] != "stale") {
		return fence.Answer{}, errors.New("the Redis server answered otherwise than the script")
	}
	read := fence.Answer{Verdict: verdicts[answer[0]]}
	if read.Now, err = readMilliseconds(answer[1]); err != nil {
		return fence.Answer{}, err
	}
	if len(answer) == 3 {
		if read.FirstUsed, err = readMilliseconds(answer[2]); err != nil {
			return fence.Answer{}, err
		}
	}
	return read, nil
}

// Close implements fence.Engine.
func (e *engine) Close() error {
	e.client.Close()
	return nil
}

// explain adds to an error what to do about it.
func explain(err error) error {
	answer, ok := rueidis.IsRedisErr(err)
	switch {
	case !ok:
		return fmt.Errorf("the Redis server does not answer: %w", err)
	case hasPrefix(answer, "NOPERM"):
		return fmt.Errorf("the Redis user may not do what is needed; docs/operations.md has its ACL rule: %w", err)
	case hasPrefix(answer, "OOM"):
		return fmt.Errorf("%w: the Redis server has no memory left: raise maxmemory: %w", noncestore.ErrFull, err)
	}
	return fmt.Errorf("the Redis server refuses: %w", err)
}

func hasPrefix(err *rueidis.RedisError, prefix string) bool {
	return strings.HasPrefix(err.Error(), prefix)
}

func milliseconds(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func readMilliseconds(text string) (time.Time, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("a time in Redis is not a number")
	}
	return time.UnixMilli(ms), nil
}
