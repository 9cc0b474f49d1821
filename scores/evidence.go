// SPDX-License-Identifier: Apache-2.0

package scores

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbox"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records"
)

// ResultLister reads results. An *ags.LineItemClient is one.
type ResultLister interface {
	ListResults(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, uri string, filter ags.ResultFilter, yield func([]lti.Result) error) (count int64, err error)
}

// ReadResults makes a Config's ReadResult.
func ReadResults(lister ResultLister) func(context.Context, *platform.Registration, lti.GradeEndpoint, string) (*lti.Result, error) {
	return func(ctx context.Context, registration *platform.Registration, endpoint lti.GradeEndpoint, userID string) (*lti.Result, error) {
		var found *lti.Result
		_, err := lister.ListResults(ctx, registration, endpoint, "", ags.ResultFilter{UserID: userID}, func(results []lti.Result) error {
			found = &results[0] // each user comes once, and others were filtered out
			return nil
		})
		return found, err
	}
}

// evidence asks the platform what it has, where it was granted that we may.
func (b *Book) evidence(ctx context.Context, entry *records.LaneEntry) outbox.Proof {
	kept, registration, err := b.open(entry)
	if err != nil || !slices.Contains(kept.Endpoint.Scopes, lti.ScopeResultReadOnly) {
		return outbox.NoProof
	}
	var sent struct {
		ScoreGiven      *float64 `json:"scoreGiven"`
		ScoreMaximum    *float64 `json:"scoreMaximum"`
		Comment         string   `json:"comment"`
		GradingProgress string   `json:"gradingProgress"`
	}
	if err := json.Unmarshal(kept.Body, &sent); err != nil || sent.ScoreGiven == nil || sent.ScoreMaximum == nil || sent.GradingProgress != lti.GradingFullyGraded {
		return outbox.NoProof // such a score leaves nothing that could be read
	}
	result, err := b.config.ReadResult(ctx, registration, kept.Endpoint, kept.UserID)
	if err != nil {
		switch problemOf(err).Reason.Info().Code {
		case lti.CodeUnavailable, lti.CodeResourceExhausted, lti.CodeDeadlineExceeded, lti.CodeCanceled:
			return outbox.NotYet
		}
		return outbox.NoProof
	}
	if result == nil || result.Score == nil {
		return outbox.Missing
	}
	switch {
	case !sameShare(*result.Score, result.ScoreMaximum, *sent.ScoreGiven, *sent.ScoreMaximum):
		return outbox.Missing
	case sent.Comment != "" && result.Comment != sent.Comment:
		return outbox.NoProof // the same score may be an earlier one
	}
	return outbox.Arrived
}

// sameShare compares two scores as shares of their maxima, as far as platforms keep them apart. More than the maximum
// counts as the maximum: some platforms cut it off.
func sameShare(a, aMaximum, b, bMaximum float64) bool {
	if aMaximum <= 0 || bMaximum <= 0 {
		return false
	}
	difference := min(a/aMaximum, 1) - min(b/bMaximum, 1)
	return difference < 1e-4 && difference > -1e-4
}
