// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
)

// openScores makes the outbox of scores and starts it. Until ctx ends it delivers; what is under way then may end.
func openScores(ctx context.Context, config *Config, logger *slog.Logger, metrics *server.Metrics, flags epochFlags, held *state,
	grades *ags.Client, lineItems *ags.LineItemClient, ends *closers) (*scores.Book, error) {
	var risen epoch
	doubt := ""
	if config.Store.engine != inPostgres { // several sidecars have no one last start to compare with
		var err error
		if risen, doubt, err = raiseEpoch(ctx, config.Keys.Directory, held.records, flags, time.Now()); err != nil {
			return nil, err
		}
	}
	if doubt != "" {
		logger.Error("the outbox is held: no score is taken or sent", "cause", doubt,
			"fix", "compare with the platform, then start once with --release-outbox to send what is queued, or with --discard-outbox to drop it")
	}
	book, err := scores.New(scores.Config{
		Lanes: held.lanes, Grades: grades, Registration: config.Registry.ByName, ReadResult: resultReader{lineItems}.read,
		DiscardBefore: risen.DiscardBefore, DoubtBefore: risen.DoubtBefore, Held: doubt != "", MaxOpen: config.Outbox.MaxOpen,
		Logger: logger, Observe: metrics.CountScore,
	})
	if err != nil {
		return nil, err
	}
	if err := metrics.ShowScores(book.Counts, doubt != ""); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	running := make(chan struct{})
	stop, cancel := context.WithCancel(ctx)
	go func() {
		defer close(running)
		book.Run(stop)
	}()
	ends.add("outbox", func() error {
		cancel()
		<-running
		book.Close()
		return nil
	})
	return book, nil
}

// resultReader reads one user's result.
type resultReader struct{ lineItems *ags.LineItemClient }

func (r resultReader) read(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, userID string) (*scores.Result, error) {
	var found *scores.Result
	_, err := r.lineItems.ListResults(ctx, registration, endpoint, "", ags.ResultFilter{UserID: userID}, func(results []lti.Result) error {
		for i := range results {
			found = &scores.Result{Score: results[i].Score, Maximum: &results[i].ScoreMaximum, Comment: results[i].Comment}
		}
		return nil
	})
	return found, err
}
