// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// DeepLinkingSettings says what a platform accepts from an author (Deep Linking 2.0, section 4.4.1).
type DeepLinkingSettings struct {
	Token          string         `json:"-"` // for BuildDeepLinkingResponse
	ReturnURI      string         `json:"return_uri"`
	AcceptTypes    []string       `json:"accept_types"`
	AcceptTargets  []string       `json:"accept_targets"`
	AcceptMedia    string         `json:"accept_media,omitzero"`
	AcceptMultiple *bool          `json:"accept_multiple,omitzero"`  // nil: not said
	AcceptLineItem *bool          `json:"accept_line_item,omitzero"` // nil: not said
	AutoCreate     bool           `json:"auto_create,omitzero"`
	Title          string         `json:"title,omitzero"`
	Text           string         `json:"text,omitzero"`
	Data           jsontext.Value `json:"data,omitzero"` // to be returned as it came; nil: none came
}

// ForUser is the user whom a message is about, who is not the one who launched.
type ForUser struct {
	Key             string   `json:"key"`
	ID              string   `json:"id"`
	PersonSourcedID string   `json:"person_sourcedid,omitzero"`
	Name            string   `json:"name,omitzero"`
	GivenName       string   `json:"given_name,omitzero"`
	FamilyName      string   `json:"family_name,omitzero"`
	Email           string   `json:"email,omitzero"`
	Roles           []string `json:"roles,omitzero"`
}

// Proctoring is what LtiStartProctoring and LtiEndAssessment carry (Proctoring Services 1.0).
type Proctoring struct {
	Token              string             `json:"token,omitzero"` // for BuildStartAssessment; only in LtiStartProctoring
	AttemptNumber      int64              `json:"attempt_number"`
	StartAssessmentURI string             `json:"start_assessment_uri,omitzero"`
	Settings           string             `json:"settings,omitzero"`
	Control            *AssessmentControl `json:"control,omitzero"`
	ErrorMessage       string             `json:"error_message,omitzero"`
	ErrorLog           string             `json:"error_log,omitzero"`
}

// AssessmentControl is a platform's assessment control service.
type AssessmentControl struct {
	URI     string   `json:"uri"`
	Actions []string `json:"actions,omitzero"`
}

// Activity is what an asset processor is attached to.
type Activity struct {
	ID    string `json:"id"`
	Title string `json:"title,omitzero"`
}

// Submission is one submission to an activity.
type Submission struct {
	ID string `json:"id"`
}

// AssetService gives the files of a submission (Asset Processor 1.0).
type AssetService struct {
	Scopes []string `json:"scopes,omitzero"`
	Assets []Asset  `json:"assets,omitzero"`
}

// Asset is one file of a submission.
type Asset struct {
	ID          string    `json:"id"`
	URI         string    `json:"uri,omitzero"`
	Checksum    string    `json:"checksum,omitzero"` // SHA-256, in base64 or hexadecimal as the platform wrote it
	Time        time.Time `json:"time,omitzero"`
	Size        int64     `json:"size,omitzero"` // bytes
	ContentType string    `json:"content_type,omitzero"`
	Title       string    `json:"title,omitzero"`
	FileName    string    `json:"file_name,omitzero"` // not safe as a path
}

// AssetReportService takes reports on assets.
type AssetReportService struct {
	URI    string   `json:"uri"`
	Scopes []string `json:"scopes,omitzero"`
}

// EULAService records who accepted the tool's terms.
type EULAService struct {
	URI    string   `json:"uri"`
	Scopes []string `json:"scopes,omitzero"`
}

// NoticeService is where a tool subscribes to notices (Platform Notification Service 1.0).
type NoticeService struct {
	URI             string   `json:"uri"`
	ServiceVersions []string `json:"service_versions,omitzero"`
	Scopes          []string `json:"scopes,omitzero"`
	Types           []string `json:"types,omitzero"`
}

// Migration is who and what this was in LTI 1.1 (LTI Migration, section 6). Without Verified it proves nothing.
type Migration struct {
	Verified                 bool   `json:"verified,omitzero"`
	ConsumerKey              string `json:"consumer_key,omitzero"`
	UserID                   string `json:"user_id,omitzero"`
	ContextID                string `json:"context_id,omitzero"`
	ToolConsumerInstanceGUID string `json:"tool_consumer_instance_guid,omitzero"`
	ResourceLinkID           string `json:"resource_link_id,omitzero"`
}
