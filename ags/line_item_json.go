// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/pages"
)

// members are those of a line item as the platform wrote them, known or not: what is written back must be whole.
type members map[string]jsontext.Value

// readMembers reads an object, and returns nil where the text is none.
func readMembers(text []byte) members {
	var object members
	if json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &object, pages.Lenient) != nil {
		return nil
	}
	return object
}

// encode returns compact JSON.
func (m members) encode() ([]byte, error) {
	return json.Marshal(m, pages.Lenient, json.Deterministic(true))
}

// merged returns m with the members of an answer in the place of its own. An answer that is no object changes nothing.
func (m members) merged(answer []byte) []byte {
	merged := members{}
	for _, source := range []members{m, readMembers(answer)} {
		for name, value := range source {
			merged[name] = value
		}
	}
	text, err := merged.encode()
	if err != nil {
		return answer
	}
	return text
}

// extensions returns the object of the members whose names are absolute URIs, or "".
func (m members) extensions() string {
	found := members{}
	for name, value := range m {
		if isExtension(name) {
			found[name] = value
		}
	}
	if len(found) == 0 {
		return ""
	}
	text, err := found.encode()
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}

// isExtension reports whether a member's name is an absolute URI (section 3.1.2).
func isExtension(name string) bool {
	scheme, rest, found := strings.Cut(name, "://")
	return found && rest != "" && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http"))
}

// readLineItem reads a line item. Members that are null, blank or of another type are as if they were missing. The
// members are nil where the text is no object.
func readLineItem(text []byte) (members, lti.LineItem) {
	m := readMembers(text)
	if m == nil {
		return nil, lti.LineItem{}
	}
	return m, lti.LineItem{
		URI: textOf(m["id"]), Label: textOf(m["label"]), ScoreMaximum: numberIn(m["scoreMaximum"]),
		ResourceLinkID: textOf(m["resourceLinkId"]), ResourceID: textOf(m["resourceId"]), Tag: textOf(m["tag"]),
		StartTime: timeOf(m["startDateTime"]), EndTime: timeOf(m["endDateTime"]), GradesReleased: flagOf(m["gradesReleased"]),
		SubmissionReview: reviewOf(m["submissionReview"]), ExtensionsJSON: m.extensions(),
	}
}

// readResult reads a result as leniently. The members are nil where the text is no object.
func readResult(text []byte) (members, lti.Result) {
	m := readMembers(text)
	if m == nil {
		return nil, lti.Result{}
	}
	result := lti.Result{
		URI: textOf(m["id"]), LineItemURI: textOf(m["scoreOf"]), UserID: pages.ID(m["userId"]),
		Score: numberIn(m["resultScore"]), ScoreMaximum: 1, // section 3.3.4.6
		ScoringUserID: textOf(m["scoringUserId"]), Comment: textOf(m["comment"]), ExtensionsJSON: m.extensions(),
	}
	if maximum := numberIn(m["resultMaximum"]); maximum != nil && *maximum > 0 {
		result.ScoreMaximum = *maximum
	}
	return m, result
}

// textOf returns a text, a number as it is written, or "".
func textOf(value jsontext.Value) string {
	var text pages.Text
	if len(value) == 0 || json.Unmarshal(value, &text, pages.Lenient) != nil {
		return ""
	}
	return string(text)
}

// numberIn returns a number, also one in a text, or nil.
func numberIn(value jsontext.Value) *float64 {
	number, err := strconv.ParseFloat(strings.TrimSpace(textOf(value)), 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return nil
	}
	return &number
}

// flagOf returns a boolean, also one in a text, or nil.
func flagOf(value jsontext.Value) *bool {
	yes := true
	switch kind, text := value.Kind(), strings.ToLower(textOf(value)); {
	case len(value) == 0:
		return nil
	case kind == 't' || text == "true" || text == "1":
		return &yes
	case kind == 'f' || text == "false" || text == "0":
		yes = false
		return &yes
	}
	return nil
}

// timeLayouts are the forms of ISO 8601 that platforms write. Without a zone the time is taken as UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02",
}

// timeOf returns a time, or the zero one.
func timeOf(value jsontext.Value) time.Time {
	text := strings.TrimSpace(textOf(value))
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil && at.Year() > 0 && at.Year() < 10000 {
			return at.UTC()
		}
	}
	return time.Time{}
}

func reviewOf(value jsontext.Value) *lti.SubmissionReview {
	m := readMembers(value)
	if m == nil {
		return nil
	}
	review := &lti.SubmissionReview{Label: textOf(m["label"]), URI: textOf(m["url"])}
	var list []pages.Text
	if json.Unmarshal(m["reviewableStatus"], &list, pages.Lenient) == nil {
		for _, status := range list {
			if status != "" {
				review.ReviewableStatus = append(review.ReviewableStatus, string(status))
			}
		}
	}
	for name, value := range readMembers(m["custom"]) {
		if review.Custom == nil {
			review.Custom = map[string]string{}
		}
		review.Custom[name] = textOf(value)
	}
	return review
}
