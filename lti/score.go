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
	SubmissionStart  time.Time         // when the student began; zero: none
	SubmissionTime   time.Time         // when the student submitted; zero: none
	Canvas           *CanvasSubmission // nil: none
	ExtensionsJSON   string            // an object whose names are absolute URIs; empty: none
}

// CanvasSubmission is the extension of Canvas to a score.
type CanvasSubmission struct {
	NewSubmission          *bool
	SubmissionType         string // empty: none
	SubmissionData         string // empty: none
	SubmissionTime         time.Time
	Files                  []CanvasFile
	PrioritizeNonToolGrade *bool
	PreserveScore          *bool
}

// CanvasFile is one file of a Canvas submission.
type CanvasFile struct {
	URI, Title, MediaType string // MediaType is empty where Canvas is to guess it
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
