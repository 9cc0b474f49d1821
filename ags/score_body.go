// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

const (
	maxCommentSize = 16 << 10 // bytes
	maxAhead       = 5 * time.Minute

	// timestampFormat has a fraction of fixed length, which the specification demands and RFC3339Nano would drop.
	timestampFormat = "2006-01-02T15:04:05.000Z"
)

var (
	activityValues = []string{lti.ActivityInitialized, lti.ActivityStarted, lti.ActivityInProgress, lti.ActivitySubmitted, lti.ActivityCompleted}
	gradingValues  = []string{lti.GradingNotReady, lti.GradingFailed, lti.GradingPending, lti.GradingPendingManual, lti.GradingFullyGraded}
)

// scoreBody is a score as it is sent, but for its timestamp.
type scoreBody struct {
	ScoreGiven       number          `json:"scoreGiven,omitempty"`
	ScoreMaximum     number          `json:"scoreMaximum,omitempty"`
	Comment          *string         `json:"comment,omitempty"`
	ActivityProgress string          `json:"activityProgress"`
	GradingProgress  string          `json:"gradingProgress"`
	UserID           string          `json:"userId"`
	ScoringUserID    string          `json:"scoringUserId,omitempty"`
	Submission       *submissionBody `json:"submission,omitempty"`

	extensions []extension
}

// number is a JSON number without exponent and with no more digits than it needs; empty: none.
type number string

func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func numberOf(value *float64) number {
	if value == nil {
		return ""
	}
	if *value == 0 {
		return "0" // not -0
	}
	return number(strconv.FormatFloat(*value, 'f', -1, 64))
}

// bodyOf checks a score and returns what is sent of it, but for the timestamp.
func bodyOf(score lti.Score, dialect platform.Dialect, now time.Time) (scoreBody, error) {
	activity, grading := score.ActivityProgress, score.GradingProgress
	if activity == "" {
		activity = lti.ActivityCompleted
	}
	if grading == "" {
		grading = lti.GradingFullyGraded
	}
	switch {
	case score.UserID == "":
		return scoreBody{}, lti.FieldError("score.user_id", "it is required: the user id of the launch or the roster")
	case !isID(score.UserID):
		return scoreBody{}, lti.FieldError("score.user_id", "it is no user id: at most %d characters of UTF-8 without control characters", lti.MaxIDLength)
	case score.ScoringUserID != "" && !isID(score.ScoringUserID):
		return scoreBody{}, lti.FieldError("score.scoring_user_id", "it is no user id: at most %d characters of UTF-8 without control characters", lti.MaxIDLength)
	case score.ScoreGiven != nil && !(*score.ScoreGiven >= 0 && !math.IsInf(*score.ScoreGiven, 0)):
		return scoreBody{}, lti.FieldError("score.score_given", "it must be a finite number, 0 or more")
	case score.ScoreMaximum != nil && !(*score.ScoreMaximum > 0 && !math.IsInf(*score.ScoreMaximum, 0)):
		return scoreBody{}, lti.FieldError("score.score_maximum", "it must be a finite number above 0")
	case score.ScoreGiven != nil && score.ScoreMaximum == nil:
		return scoreBody{}, lti.FieldError("score.score_maximum", "it is required with score_given")
	case !slices.Contains(activityValues, activity):
		return scoreBody{}, lti.FieldError("score.activity_progress", "%q is not one of %s", lti.Excerpt(activity), strings.Join(activityValues, ", "))
	case !slices.Contains(gradingValues, grading):
		return scoreBody{}, lti.FieldError("score.grading_progress", "%q is not one of %s", lti.Excerpt(grading), strings.Join(gradingValues, ", "))
	case len(score.Comment) > maxCommentSize:
		return scoreBody{}, lti.FieldError("score.comment", "it has %d bytes, more than %d", len(score.Comment), maxCommentSize)
	case !utf8.ValidString(score.Comment) || strings.ContainsRune(score.Comment, 0):
		return scoreBody{}, lti.FieldError("score.comment", "it is not UTF-8 text")
	case score.ScoreTime.After(now.Add(maxAhead)):
		return scoreBody{}, lti.FieldError("score.score_time", "it lies more than %v ahead: a platform would then refuse every score until that time", maxAhead)
	case !score.ScoreTime.IsZero() && score.ScoreTime.Year() < 1970:
		return scoreBody{}, lti.FieldError("score.score_time", "it lies before 1970")
	}
	var comment *string
	if score.Comment != "" || dialect.CommentRequired {
		comment = &score.Comment
	}
	submission, err := submissionOf(score)
	if err != nil {
		return scoreBody{}, err
	}
	extensions, err := extensionsOf(score.ExtensionsJSON)
	if err != nil {
		return scoreBody{}, err
	}
	if score.Canvas != nil {
		canvas, err := canvasExtension(score.Canvas, now)
		if err != nil {
			return scoreBody{}, err
		}
		if slices.ContainsFunc(extensions, func(e extension) bool { return e.name == canvas.name }) {
			return scoreBody{}, lti.FieldError("score.extensions_json", "it has %s, and canvas_submission is set too: use one of them", canvasSubmission)
		}
		if dialect.CanvasSubmission {
			extensions = append(extensions, canvas)
		}
	}
	return scoreBody{
		ScoreGiven: numberOf(score.ScoreGiven), ScoreMaximum: numberOf(score.ScoreMaximum), Comment: comment,
		ActivityProgress: activity, GradingProgress: grading, UserID: score.UserID, ScoringUserID: score.ScoringUserID,
		Submission: submission, extensions: extensions,
	}, nil
}

// encode returns compact JSON: with a line feed in it Moodle could not report a refusal.
func (b scoreBody) encode() ([]byte, error) {
	encoded, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	for _, e := range b.extensions {
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		encoded = append(append(append(encoded[:len(encoded)-1], ','), name...), ':')
		encoded = append(append(encoded, e.value...), '}')
	}
	return encoded, nil
}

// timedBody puts the timestamp in front of the members of a body, and changes no other byte.
func timedBody(body []byte, at time.Time) []byte {
	timed := append([]byte(`{"timestamp":"`), timestamp(at)...)
	return append(append(timed, `",`...), body[1:]...)
}

func isID(id string) bool {
	return utf8.ValidString(id) && utf8.RuneCountInString(id) <= lti.MaxIDLength &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f })
}
