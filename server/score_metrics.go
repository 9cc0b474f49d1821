// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ltisidecar/ltisidecar/records"
)

// countTimeout is how long counting scores may take when metrics are read.
const countTimeout = 5 * time.Second

// scoreStates are all values of the label state.
var scoreStates = []records.EntryState{records.StateQueued, records.StateDelivered, records.StateSuperseded, records.StateUnconfirmed, records.StateRefused}

// CountScore counts a score that ended, by its state.
func (m *Metrics) CountScore(state records.EntryState) {
	m.outcomes.WithLabelValues(string(state)).Inc()
}

// ShowScores adds what counts says, whenever metrics are read. held says that the outbox waits for the operator.
func (m *Metrics) ShowScores(counts func(context.Context) (records.LaneCounts, error), held bool) error {
	collector := &scoreCollector{
		counts: counts,
		kept:   prometheus.NewDesc("ltisidecar_scores", "Scores that are kept, by state.", []string{"state"}, nil),
		open:   prometheus.NewDesc("ltisidecar_scores_open", "Scores that are still to be delivered.", nil, nil),
		oldest: prometheus.NewDesc("ltisidecar_scores_oldest_open_seconds", "Age of the oldest score that is still to be delivered; 0 where there is none.", nil, nil),
		read:   prometheus.NewDesc("ltisidecar_scores_readable", "1 where the scores that are kept could be counted, else 0, and the others are missing.", nil, nil),
		held:   prometheus.NewDesc("ltisidecar_scores_held", "1 where the outbox waits for the operator, else 0.", nil, nil),
	}
	if held {
		collector.isHeld = 1
	}
	return m.registry.Register(collector)
}

// scoreCollector reads the outbox when metrics are read.
type scoreCollector struct {
	counts                         func(context.Context) (records.LaneCounts, error)
	kept, open, oldest, read, held *prometheus.Desc
	isHeld                         float64
}

// Describe implements prometheus.Collector.
func (c *scoreCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{c.kept, c.open, c.oldest, c.read, c.held} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *scoreCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	metrics <- prometheus.MustNewConstMetric(c.held, prometheus.GaugeValue, c.isHeld)
	counts, err := c.counts(ctx)
	if err != nil {
		metrics <- prometheus.MustNewConstMetric(c.read, prometheus.GaugeValue, 0) // all other metrics are shown all the same
		return
	}
	metrics <- prometheus.MustNewConstMetric(c.read, prometheus.GaugeValue, 1)
	age := 0.0
	if !counts.OldestOpen.IsZero() {
		age = max(time.Since(counts.OldestOpen).Seconds(), 0)
	}
	metrics <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(counts.Open))
	metrics <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age)
	for _, state := range scoreStates {
		metrics <- prometheus.MustNewConstMetric(c.kept, prometheus.GaugeValue, float64(counts.States[state]), string(state))
	}
}
