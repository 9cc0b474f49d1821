// SPDX-License-Identifier: Apache-2.0

package lti

import "time"

// ActivityProgress values (Assignment and Grade Services 2.0, section 3.4.7).
const (
	ActivityInitialized = "Initialized"
	ActivityStarted     = "Started"
	ActivityInProgress  = "InProgress"
	ActivitySubmitted   = "Submitted"
	ActivityCompleted   = "Completed"
)

// GradingProgress values (section 3.4.8).
const (
	GradingNotReady      = "NotReady"
	GradingFailed        = "Failed"
	GradingPending       = "Pending"
	GradingPendingManual = "PendingManual"
	GradingFullyGraded   = "FullyGraded"
)

// Score is one user's score for one line item (section 3.4).
type Score struct {
	UserID           string
	ScoreGiven       *float64 // nil: none, which is not 0
	ScoreMaximum     *float64 // above 0; required with ScoreGiven
	ActivityProgress string
	GradingProgress  string
	ScoreTime        time.Time // zero: now
	Comment          string
	ScoringUserID    string
}

// GradeEndpoint is where grades of a launch go (section 3.1).
type GradeEndpoint struct {
	Registration string   `json:"registration,omitzero"`
	DeploymentID string   `json:"deployment_id,omitzero"`
	LineItemURI  string   `json:"line_item_uri,omitzero"`
	LineItemsURI string   `json:"line_items_uri,omitzero"`
	Scopes       []string `json:"scopes,omitzero"`
}

// CanPostScore reports whether a line item and the score scope are there.
func (e *GradeEndpoint) CanPostScore() bool {
	if e.LineItemURI == "" {
		return false
	}
	for _, scope := range e.Scopes {
		if scope == ScopeScore {
			return true
		}
	}
	return false
}
