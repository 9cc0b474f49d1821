// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/events"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/scores"
	"github.com/ltisidecar/ltisidecar/server"
)

// openedOutbox is where scores and events are kept.
type openedOutbox struct {
	lanes records.Lanes
	risen epoch
	held  bool
}

// openOutbox finds out whether the lanes of the records may be worked on. Where several sidecars share them, there is no
// one last start to compare with: a database that was restored from a backup is for its operator to know of.
func openOutbox(ctx context.Context, config *Config, logger *slog.Logger, flags epochFlags, kept *state) (*openedOutbox, error) {
	if config.Store.engine == inPostgres {
		return &openedOutbox{lanes: kept.lanes}, nil
	}
	risen, held, err := raiseEpoch(ctx, config.Keys.Directory, kept.records, flags, time.Now())
	if err != nil {
		return nil, err
	}
	if held != "" {
		logger.Error("the outbox is held: no score and no kept event is taken or sent", "cause", held,
			"fix", "compare with the platform, then start once with --release-outbox to send what is queued, or with --discard-outbox to drop it")
	}
	return &openedOutbox{lanes: kept.lanes, risen: risen, held: held != ""}, nil
}

// openScores makes the outbox of scores and starts it.
func openScores(ctx context.Context, config *Config, logger *slog.Logger, metrics *server.Metrics, kept *openedOutbox,
	grades *ags.Client, lineItems *ags.LineItemClient, ends *closers) (*scores.Book, error) {
	book, err := scores.New(scores.Config{
		Lanes: kept.lanes, Grades: grades, Registration: config.Registry.ByName, ReadResult: scores.ReadResults(lineItems),
		DiscardBefore: kept.risen.DiscardBefore, DoubtBefore: kept.risen.DoubtBefore, Held: kept.held, MaxOpen: config.Outbox.MaxOpen,
		Logger: logger, Observe: metrics.CountScore,
	})
	if err != nil {
		return nil, err
	}
	if err := metrics.ShowScores(book.Counts, kept.held); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	startOutbox(ctx, book, "outbox of scores", ends)
	return book, nil
}

// openEvents makes the outbox of events and starts it.
func openEvents(ctx context.Context, config *Config, logger *slog.Logger, kept *openedOutbox, client *events.Client, learned *platform.Learned, ends *closers) (*events.Queue, error) {
	queue, err := events.NewQueue(events.QueueConfig{
		Lanes: kept.lanes, Client: client, DiscardBefore: kept.risen.DiscardBefore, DoubtBefore: kept.risen.DoubtBefore, Held: kept.held, Logger: logger,
		Registration: func(ctx context.Context, name, deploymentID string) (*platform.Registration, error) {
			registration, err := config.Registry.ByName(name)
			if err != nil {
				return nil, err
			}
			return registration, learned.CheckDeployment(ctx, registration, deploymentID, false)
		},
	})
	if err != nil {
		return nil, err
	}
	startOutbox(ctx, queue, "outbox of events", ends)
	return queue, nil
}

// startOutbox lets an outbox deliver until ctx ends; what is under way then may end.
func startOutbox(ctx context.Context, outbox interface {
	Run(ctx context.Context)
	Close()
}, name string, ends *closers) {
	running := make(chan struct{})
	stop, cancel := context.WithCancel(ctx)
	go func() {
		defer close(running)
		outbox.Run(stop)
	}()
	ends.add(name, func() error {
		cancel()
		<-running
		outbox.Close()
		return nil
	})
}
