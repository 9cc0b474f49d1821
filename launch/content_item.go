// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Types of content items (Deep Linking 2.0, section 3; Asset Processor 1.0).
const (
	ItemLink           = "link"
	ItemResourceLink   = "ltiResourceLink"
	ItemFile           = "file"
	ItemHTML           = "html"
	ItemImage          = "image"
	ItemAssetProcessor = "ltiAssetProcessor"
)

// itemFields names the part of a request that an item of each type comes in; any other type comes in "other".
var itemFields = map[string]string{
	ItemLink: "link", ItemResourceLink: "resource_link", ItemFile: "file", ItemHTML: "html", ItemImage: "image", ItemAssetProcessor: "asset_processor",
}

// IsTypedItem reports whether items of a type have members of their own here.
func IsTypedItem(itemType string) bool { return itemFields[itemType] != "" }

// ContentItem is one thing that an author chose. Which members an item of a type has is said beside them; zero values
// are not sent.
type ContentItem struct {
	Type       string
	Title      string
	Text       string
	Icon       *ContentImage // not html
	Thumbnail  *ContentImage // not html
	Extensions string        // JSON object whose names are absolute URIs

	URI        string            // all but html and others
	Width      int               // image; pixels
	Height     int               // image; pixels
	HTML       string            // html
	EmbedHTML  string            // link
	Window     *ContentWindow    // link, ltiResourceLink
	Iframe     *ContentIframe    // link, ltiResourceLink
	Custom     map[string]string // ltiResourceLink, ltiAssetProcessor
	LineItem   *ContentLineItem  // ltiResourceLink
	Available  *TimeWindow       // ltiResourceLink
	Submission *TimeWindow       // ltiResourceLink
	ExpireTime time.Time         // file
	MediaType  string            // file
	Report     string            // ltiAssetProcessor; JSON object
	Members    string            // others; JSON object
}

// ContentImage is an icon or a thumbnail.
type ContentImage struct {
	URI    string `json:"url"`
	Width  int    `json:"width,omitzero"`
	Height int    `json:"height,omitzero"`
}

// ContentWindow asks for a window.
type ContentWindow struct {
	TargetName string `json:"targetName,omitzero"`
	Width      int    `json:"width,omitzero"`
	Height     int    `json:"height,omitzero"`
	Features   string `json:"windowFeatures,omitzero"`
}

// ContentIframe asks for a frame.
type ContentIframe struct {
	SourceURI string `json:"src,omitzero"` // link only
	Width     int    `json:"width,omitzero"`
	Height    int    `json:"height,omitzero"`
}

// ContentLineItem asks for a column in the grade book.
type ContentLineItem struct {
	Label          string         `json:"label,omitzero"` // empty: the item's title
	ScoreMaximum   float64        `json:"scoreMaximum"`
	ResourceID     string         `json:"resourceId,omitzero"`
	Tag            string         `json:"tag,omitzero"`
	GradesReleased *bool          `json:"gradesReleased,omitzero"`
	Review         *ContentReview `json:"submissionReview,omitzero"`
}

// ContentReview says how a submission is reviewed in the tool (Submission Review 1.0).
type ContentReview struct {
	Statuses []string          `json:"reviewableStatus"`
	Label    string            `json:"label,omitzero"`
	URI      string            `json:"url,omitzero"`
	Custom   map[string]string `json:"custom,omitzero"`
}

// TimeWindow is a span of time with either end open.
type TimeWindow struct {
	Start time.Time
	End   time.Time
}

// field returns the path of a member of the item, which is the i-th of its request.
func (item *ContentItem) field(member string) string {
	name, ok := itemFields[item.Type]
	if !ok {
		name = "other"
	}
	return name + "." + member
}

// members returns the item as it is sent. It was checked before.
func (item *ContentItem) members() (map[string]any, error) {
	m := map[string]any{"type": item.Type}
	for _, raw := range []string{item.Members, item.Extensions} {
		members, err := splitObject(raw)
		if err != nil {
			return nil, err
		}
		for name, value := range members {
			m[name] = value
		}
	}
	for _, text := range []struct{ name, value string }{
		{"title", item.Title}, {"text", item.Text}, {"url", item.URI}, {"html", item.HTML}, {"mediaType", item.MediaType}, {"expiresAt", timeText(item.ExpireTime)},
	} {
		if text.value != "" {
			m[text.name] = text.value
		}
	}
	put := func(name string, value any, there bool) {
		if there {
			m[name] = value
		}
	}
	put("icon", item.Icon, item.Icon != nil)
	put("thumbnail", item.Thumbnail, item.Thumbnail != nil)
	put("width", item.Width, item.Width > 0)
	put("height", item.Height, item.Height > 0)
	put("embed", map[string]string{"html": item.EmbedHTML}, item.EmbedHTML != "")
	put("window", item.Window, item.Window != nil)
	put("iframe", item.Iframe, item.Iframe != nil)
	put("custom", item.Custom, len(item.Custom) > 0)
	put("lineItem", item.LineItem, item.LineItem != nil)
	put("available", item.Available.members(), item.Available != nil)
	put("submission", item.Submission.members(), item.Submission != nil)
	put("report", jsontext.Value(item.Report), item.Report != "")
	return m, nil
}

// members returns the window as it is sent.
func (w *TimeWindow) members() map[string]string {
	if w == nil {
		return nil
	}
	m := map[string]string{}
	if text := timeText(w.Start); text != "" {
		m["startDateTime"] = text
	}
	if text := timeText(w.End); text != "" {
		m["endDateTime"] = text
	}
	return m
}

// timeText returns a time as ISO 8601 in UTC, and "" for the zero time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

var errNotObject = errors.New("it is not a JSON object")

// splitObject splits a JSON object, which "" is as well: an empty one.
func splitObject(text string) (map[string]jsontext.Value, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errNotObject
	}
	return members, nil
}
