// SPDX-License-Identifier: Apache-2.0

package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	"github.com/ltisidecar/ltisidecar/postgres"
)

// Inspect looks at the server without changing anything on it. Sidecars may be using it.
func Inspect(ctx context.Context, config Config) ([]fence.Finding, error) {
	config.Database.MaxConnections = 1
	database, err := postgres.Connect(ctx, config.Database)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", err)
	}
	defer database.Close()
	var version, standbys, fsync, pages string
	var standby, encrypted, local bool
	var now time.Time
	sent := time.Now()
	err = database.QueryRow(ctx, `SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('synchronous_standby_names'),
		current_setting('fsync'), current_setting('full_page_writes'), clock_timestamp(),
		coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
		coalesce(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1', true)`).
		Scan(&version, &standby, &standbys, &fsync, &pages, &now, &encrypted, &local)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", postgres.Explain(err))
	}
	found := []fence.Finding{fence.Findf(fence.OK, "PostgreSQL %s", version)}
	add := func(wrong bool, level fence.Level, bad, good string) {
		if wrong {
			found = append(found, fence.Findf(level, "%s", bad))
		} else if good != "" {
			found = append(found, fence.Findf(fence.OK, "%s", good))
		}
	}
	add(standby, fence.Wrong, "it is a standby: name the primary in store.url, or several hosts and target_session_attrs=read-write", "it is a primary")
	add(fsync != "on", fence.Wrong, "it does not write to disk (fsync is off): a crash of its host loses scores that were acknowledged, and may damage the database", "it writes to disk (fsync on)")
	add(pages != "on", fence.Warning, "full_page_writes is off: a crash of its host may damage the database", "")
	add(standbys == "", fence.Warning, "replication is not synchronous (synchronous_standby_names is empty): should a standby take over, it may lack the last scores that were acknowledged; no launch is accepted twice in any case", "replication is synchronous: "+standbys)
	add(!encrypted && !local, fence.Warning, "the connection is not encrypted: write sslmode=verify-full", "")
	found = append(found, fence.FindClock(now, sent))
	user, err := findFence(ctx, database, now, config.Secret)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: %w", postgres.Explain(err))
	}
	return append(found, user), nil
}

func findFence(ctx context.Context, database *postgres.Database, now time.Time, secret []byte) (fence.Finding, error) {
	var seen time.Time
	var check []byte
	err := database.QueryRow(ctx, "SELECT seen, secret_check FROM "+database.Schema+".fence WHERE generation <> ''").Scan(&seen, &check)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) && !postgres.TablesGone(err) {
		return fence.Finding{}, err
	}
	return fence.FindFence(seen, now, check, secret)
}
