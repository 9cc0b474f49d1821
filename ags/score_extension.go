// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
)

const (
	canvasSubmission = "https://canvas.instructure.com/lti/submission"

	maxExtensionsSize  = 16 << 10 // bytes, of all extensions that the tool writes itself
	maxExtensions      = 20
	maxSubmissionData  = 16 << 10 // bytes
	maxCanvasFiles     = 20
	maxCanvasFileTitle = 255 // characters
	maxCanvasFileURI   = 4 << 10
	maxCanvasAhead     = time.Minute
)

var canvasSubmissionTypes = []string{"none", "basic_lti_launch", "online_text_entry", "online_url", "external_tool", "online_upload"}

// extension is one member that a score carries besides those of the specification (section 3.4.10).
type extension struct {
	name  string
	value jsontext.Value
}

// extensionsOf checks and returns the extensions that the tool wrote itself, in its order.
func extensionsOf(text string) ([]extension, error) {
	if text == "" {
		return nil, nil
	}
	const field = "score.extensions_json"
	if len(text) > maxExtensionsSize {
		return nil, lti.FieldError(field, "it has %d bytes, more than %d", len(text), maxExtensionsSize)
	}
	decoder := jsontext.NewDecoder(bytes.NewReader([]byte(text)))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, lti.FieldError(field, "it is not a JSON object")
	}
	var list []extension
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, lti.FieldError(field, "it is not a JSON object with each name once")
		}
		e := extension{name: name.String()}
		if uri, err := url.Parse(e.name); err != nil || uri.Scheme == "" || uri.Host == "" && uri.Opaque == "" {
			return nil, lti.FieldError(field, "the name %q is not an absolute URI", lti.Excerpt(e.name))
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, lti.FieldError(field, "the value of %q is not valid JSON", lti.Excerpt(e.name))
		}
		e.value = value.Clone()
		if err := e.value.Compact(); err != nil {
			return nil, lti.FieldError(field, "the value of %q is not valid JSON", lti.Excerpt(e.name))
		}
		if list = append(list, e); len(list) > maxExtensions {
			return nil, lti.FieldError(field, "it has more than %d members", maxExtensions)
		}
	}
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '}' {
		return nil, lti.FieldError(field, "it is not a JSON object with each name once")
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, lti.FieldError(field, "it is more than one JSON object")
	}
	return list, nil
}

// canvasBody is the extension of Canvas as it is sent.
type canvasBody struct {
	NewSubmission          *bool        `json:"new_submission,omitempty"`
	SubmissionType         string       `json:"submission_type,omitempty"`
	SubmissionData         string       `json:"submission_data,omitempty"`
	SubmittedAt            string       `json:"submitted_at,omitempty"`
	ContentItems           []canvasFile `json:"content_items,omitempty"`
	PrioritizeNonToolGrade *bool        `json:"prioritize_non_tool_grade,omitempty"`
	PreserveScore          *bool        `json:"preserve_score,omitempty"`
}

type canvasFile struct {
	Type      string `json:"type"`
	URL       string `json:"url"`
	Title     string `json:"title"`
	MediaType string `json:"media_type,omitempty"`
}

// canvasExtension checks what Canvas shows as the student's work and returns it as an extension.
func canvasExtension(c *lti.CanvasSubmission, now time.Time) (extension, error) {
	const field = "score.canvas_submission."
	switch {
	case c.SubmissionType != "" && !slices.Contains(canvasSubmissionTypes, c.SubmissionType):
		return extension{}, lti.FieldError(field+"submission_type", "%q is not a submission type of Canvas", lti.Excerpt(c.SubmissionType))
	case len(c.SubmissionData) > maxSubmissionData:
		return extension{}, lti.FieldError(field+"submission_data", "it has %d bytes, more than %d", len(c.SubmissionData), maxSubmissionData)
	case !utf8.ValidString(c.SubmissionData):
		return extension{}, lti.FieldError(field+"submission_data", "it is not UTF-8 text")
	case c.SubmissionTime.After(now.Add(maxCanvasAhead)):
		return extension{}, lti.FieldError(field+"submission_time", "it lies more than %v ahead, which Canvas refuses", maxCanvasAhead)
	case len(c.Files) > maxCanvasFiles:
		return extension{}, lti.FieldError(field+"files", "there are %d, more than %d", len(c.Files), maxCanvasFiles)
	}
	body := canvasBody{
		NewSubmission: c.NewSubmission, SubmissionType: c.SubmissionType, SubmissionData: c.SubmissionData, SubmittedAt: timestamp(c.SubmissionTime),
		PrioritizeNonToolGrade: c.PrioritizeNonToolGrade, PreserveScore: c.PreserveScore,
	}
	for _, file := range c.Files {
		uri, err := url.Parse(file.URI)
		switch {
		case err != nil || uri.Scheme != "https" && uri.Scheme != "http" || uri.Host == "" || len(file.URI) > maxCanvasFileURI:
			return extension{}, lti.FieldError(field+"files.uri", "it is not a web address that Canvas can fetch")
		case file.Title == "" || !utf8.ValidString(file.Title) || utf8.RuneCountInString(file.Title) > maxCanvasFileTitle:
			return extension{}, lti.FieldError(field+"files.title", "it is required, with at most %d characters", maxCanvasFileTitle)
		case !utf8.ValidString(file.MediaType) || len(file.MediaType) > maxCanvasFileTitle:
			return extension{}, lti.FieldError(field+"files.media_type", "it is no media type")
		}
		body.ContentItems = append(body.ContentItems, canvasFile{Type: "file", URL: file.URI, Title: file.Title, MediaType: file.MediaType})
	}
	value, err := json.Marshal(body)
	return extension{name: canvasSubmission, value: value}, err
}

// submissionBody is when the student worked (section 3.4.9).
type submissionBody struct {
	StartedAt   string `json:"startedAt,omitempty"`
	SubmittedAt string `json:"submittedAt,omitempty"`
}

func submissionOf(score lti.Score) (*submissionBody, error) {
	start, end := score.SubmissionStart, score.SubmissionTime
	switch {
	case start.IsZero() && end.IsZero():
		return nil, nil
	case !start.IsZero() && start.Year() < 1970:
		return nil, lti.FieldError("score.submission_start_time", "it lies before 1970")
	case !end.IsZero() && end.Year() < 1970:
		return nil, lti.FieldError("score.submission_time", "it lies before 1970")
	case !end.IsZero() && end.Before(start):
		return nil, lti.FieldError("score.submission_time", "it lies before submission_start_time")
	}
	return &submissionBody{StartedAt: timestamp(start), SubmittedAt: timestamp(end)}, nil
}

// timestamp formats a time as the specification wants it; the zero time is "".
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timestampFormat)
}
