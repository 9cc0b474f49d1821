// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ltisidecar/ltisidecar/noncestore/fence"
	noncepostgres "github.com/ltisidecar/ltisidecar/noncestore/postgresstore"
	"github.com/ltisidecar/ltisidecar/noncestore/redisstore"
)

// storeCheckTime is how long a store may take to answer.
const storeCheckTime = 15 * time.Second

// guarantees says what each engine promises, for people.
var guarantees = map[storeEngine]string{
	embedded: `store: embedded, in data_dir, for one sidecar alone
  launches   none is accepted twice. After a crash, or where data_dir was changed, restored or copied, logins under way
             are refused once and users click again.
  replicas   none: a second sidecar with a store of its own refuses the logins that the first one began, with
             STATE_OTHER_INSTANCE. For several, set store.url.
  scores     one that was acknowledged survives a crash of the process and of the host, as long as the disk does.
  keys       files in keys.directory.
`,
	inRedis: `store: used launches in Redis, for several sidecars; the rest embedded, in each one's data_dir
  launches   none is accepted twice, whatever Redis loses. After a restart or failover of Redis, a flush, or a restored
             backup, logins under way are refused once and users click again.
  replicas   a login that one began may end at any other.
  scores     lie with the sidecar that took them, which alone delivers them. For an outbox that all share, use PostgreSQL.
  keys       files in keys.directory, which you copy to each sidecar: tool-*.pem and token.key.
`,
	inPostgres: `store: all in PostgreSQL, for several sidecars
  launches   none is accepted twice, whatever PostgreSQL loses. After a restart or failover, or a restored backup, logins
             under way are refused once and users click again.
  replicas   a login that one began may end at any other; any of them delivers a score.
  scores     one that was acknowledged survives a crash of sidecar and server, and a failover where replication is
             synchronous.
  keys       in the database, encrypted under keys.encryption_key_file, which is not in it.
`,
}

// newStore returns `sidecar store`.
func newStore() *cobra.Command {
	store := &cobra.Command{Use: "store", Short: "Work with the store"}
	store.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Say what the configured store guarantees, and what is misconfigured in it, without changing anything",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := configOf(command)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), storeCheckTime)
			defer cancel()
			return checkStore(ctx, config, command.OutOrStdout())
		},
	})
	return store
}

func checkStore(ctx context.Context, config *Config, out io.Writer) error {
	fmt.Fprint(out, guarantees[config.Store.engine])
	var found []fence.Finding
	var err error
	switch config.Store.engine {
	case inRedis:
		found, err = redisstore.Inspect(ctx, config.Store.redis())
	case inPostgres:
		found, err = noncepostgres.Inspect(ctx, noncepostgres.Config{Database: config.Store.postgres(), Secret: []byte(config.Store.secret)})
	}
	if err != nil {
		return fmt.Errorf("store.url: %w", err)
	}
	wrong := 0
	for _, finding := range found {
		fmt.Fprintf(out, "%s: %s\n", finding.Level, finding.Text)
		if finding.Level == fence.Wrong {
			wrong++
		}
	}
	if wrong > 0 {
		return errors.New("the store cannot be used as it is: see the lines that begin with wrong")
	}
	fmt.Fprintln(out, "store: ok")
	return nil
}
