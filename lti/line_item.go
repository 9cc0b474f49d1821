// SPDX-License-Identifier: Apache-2.0

package lti

import "time"

// LineItem is one column of a grade book (Assignment and Grade Services 2.0, section 3.2). Empty texts and nil are
// missing members.
type LineItem struct {
	URI              string // id
	Label            string
	ScoreMaximum     *float64 // above 0
	ResourceLinkID   string
	ResourceID       string
	Tag              string
	StartTime        time.Time // zero: none
	EndTime          time.Time // zero: none
	GradesReleased   *bool
	SubmissionReview *SubmissionReview
	ExtensionsJSON   string // an object of the members whose names are absolute URIs; empty: none
}

// SubmissionReview says when and how a submission can be reviewed in the tool (Submission Review 1.0).
type SubmissionReview struct {
	ReviewableStatus []string // of activity progress
	Label            string
	URI              string
	Custom           map[string]string
}

// Result is what a platform has as one user's grade (section 3.3).
type Result struct {
	URI            string // id
	LineItemURI    string // scoreOf
	UserID         string
	Score          *float64 // nil: there is none, which is not 0
	ScoreMaximum   float64  // 1 where the platform says nothing
	ScoringUserID  string
	Comment        string
	ExtensionsJSON string // as of LineItem
}
