// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"context"
	_ "embed" // for the script
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/ltisidecar/ltisidecar/noncestore/fence"
)

//go:embed inspect.lua
var inspectText string

var inspectScript = rueidis.NewLuaScript(inspectText)

// Inspect looks at the server without changing anything on it. Sidecars may be using it.
func Inspect(ctx context.Context, config Config) ([]fence.Finding, error) {
	e, err := connect(&config)
	if err != nil {
		return nil, err
	}
	defer e.client.Close()
	sent := time.Now()
	answer, err := inspectScript.Exec(ctx, e.client, []string{e.fenceKey()}, nil).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", explain(err))
	}
	if len(answer) != 5 {
		return nil, errors.New("redisstore: the Redis server answered otherwise than the script")
	}
	seconds, err1 := strconv.ParseInt(answer[1], 10, 64)
	micros, err2 := strconv.ParseInt(answer[2], 10, 64)
	check, err3 := hex.DecodeString(answer[4])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	now := time.Unix(seconds, micros*1000)
	seen := time.Time{}
	if answer[3] != "" {
		if seen, err = readMilliseconds(answer[3]); err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
	}
	found := findInfo(fields(answer[0]))
	found = append(found, fence.FindClock(now, sent))
	user, err := fence.FindFence(seen, now, check, config.Secret)
	if err != nil {
		return nil, err
	}
	found = append(found, user)
	if plain, err := url.Parse(config.URL); err == nil && plain.Scheme == "redis" && !isLoopback(plain.Hostname()) {
		found = append(found, fence.Findf(fence.Warning, "the connection is not encrypted: write rediss://"))
	}
	return found, nil
}

// fields reads the text of INFO.
func fields(info string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[name] = value
		}
	}
	return found
}

func findInfo(info map[string]string) []fence.Finding {
	found := []fence.Finding{fence.Findf(fence.OK, "Redis %s, %s", info["redis_version"], info["redis_mode"])}
	if info["role"] == "master" {
		found = append(found, fence.Findf(fence.OK, "it is a primary with %s replicas", info["connected_slaves"]))
	} else {
		found = append(found, fence.Findf(fence.Wrong, "it is a %s: name the primary in store.url, or the Sentinels with ?master_set=NAME", info["role"]))
	}
	if policy := info["maxmemory_policy"]; policy == "noeviction" {
		found = append(found, fence.Findf(fence.OK, "it evicts nothing (maxmemory-policy noeviction)"))
	} else {
		found = append(found, fence.Findf(fence.Wrong, "it may evict used launches (maxmemory-policy %s): set noeviction", policy))
	}
	if info["run_id"] == "" || info["master_replid"] == "" {
		found = append(found, fence.Findf(fence.Wrong, "it does not tell run_id and master_replid in INFO: use Redis 7 or Valkey itself, without a proxy or an imitation"))
	}
	used, err1 := strconv.ParseInt(info["used_memory"], 10, 64)
	most, err2 := strconv.ParseInt(info["maxmemory"], 10, 64)
	switch {
	case err1 != nil || err2 != nil || most == 0:
		found = append(found, fence.Findf(fence.OK, "it has no memory limit of its own"))
	case used > most/10*9:
		found = append(found, fence.Findf(fence.Warning, "%d of %d bytes are used: when it is full, launches are refused with STORE_FULL", used, most))
	default:
		found = append(found, fence.Findf(fence.OK, "%d of %d bytes are used; a used launch takes about 200 for 12 minutes", used, most))
	}
	return found
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
