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
	"github.com/ltisidecar/ltisidecar/records/boltstore"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
)

// openScores makes the outbox of scores and starts it. Until ctx ends it delivers; what is under way then may end.
func openScores(ctx context.Context, config *Config, logger *slog.Logger, metrics *server.Metrics, flags epochFlags, store *boltstore.Store,
	grades *ags.Client, lineItems *ags.LineItemClient, ends *closers) (*scores.Book, error) {
	risen, held, err := raiseEpoch(ctx, config.Keys.Directory, store, flags, time.Now())
	if err != nil {
		return nil, err
	}
	if held != "" {
		logger.Error("the outbox is held: no score is taken or sent", "cause", held,
			"fix", "compare with the platform, then start once with --release-outbox to send what is queued, or with --discard-outbox to drop it")
	}
	lanes, err := store.Lanes(boltstore.LanesConfig{})
	if err != nil {
		return nil, err
	}
	book, err := scores.New(scores.Config{
		Lanes: lanes, Grades: grades, Registration: config.Registry.ByName, ReadResult: resultReader{lineItems}.read,
		DiscardBefore: risen.DiscardBefore, DoubtBefore: risen.DoubtBefore, Held: held != "", MaxOpen: config.Outbox.MaxOpen,
		Logger: logger, Observe: metrics.CountScore,
	})
	if err != nil {
		return nil, err
	}
	if err := metrics.ShowScores(book.Counts, held != ""); err != nil {
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
