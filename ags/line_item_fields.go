// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Limits of what a tool gives.
const (
	maxTextSize      = 1024     // bytes of label, resource id and tag
	maxExtensionSize = 16 << 10 // bytes
	maxCustom        = 100      // parameters of submission reviews
)

// field is one field of a line item that a tool can set.
type field struct {
	name  string                                     // as in the API
	isSet func(item *lti.LineItem) bool              // whether it is there
	check func(item *lti.LineItem) string            // what is wrong with it; empty: nothing
	write func(item *lti.LineItem, to members) error // puts it into the members, or clears it there
	same  func(a, b *lti.LineItem) bool
}

// fields are all of them, in the order of the API.
var fields = []field{
	textField("label", "label", func(i *lti.LineItem) string { return i.Label }),
	{
		name:  "score_maximum",
		isSet: func(i *lti.LineItem) bool { return i.ScoreMaximum != nil },
		check: func(i *lti.LineItem) string {
			if !(*i.ScoreMaximum > 0) || math.IsInf(*i.ScoreMaximum, 0) {
				return "it must be a finite number above 0"
			}
			return ""
		},
		write: func(i *lti.LineItem, to members) error {
			to["scoreMaximum"] = jsontext.Value(numberOf(i.ScoreMaximum))
			return nil
		},
		same: func(a, b *lti.LineItem) bool { return equal(a.ScoreMaximum, b.ScoreMaximum) },
	},
	textField("resource_link_id", "resourceLinkId", func(i *lti.LineItem) string { return i.ResourceLinkID }),
	textField("resource_id", "resourceId", func(i *lti.LineItem) string { return i.ResourceID }),
	textField("tag", "tag", func(i *lti.LineItem) string { return i.Tag }),
	timeField("start_time", "startDateTime", func(i *lti.LineItem) time.Time { return i.StartTime }),
	timeField("end_time", "endDateTime", func(i *lti.LineItem) time.Time { return i.EndTime }),
	{
		name:  "grades_released",
		isSet: func(i *lti.LineItem) bool { return i.GradesReleased != nil },
		check: func(*lti.LineItem) string { return "" },
		write: func(i *lti.LineItem, to members) error {
			if i.GradesReleased == nil {
				delete(to, "gradesReleased")
				return nil
			}
			return to.put("gradesReleased", *i.GradesReleased)
		},
		same: func(a, b *lti.LineItem) bool { return equal(a.GradesReleased, b.GradesReleased) },
	},
	{
		name:  "submission_review",
		isSet: func(i *lti.LineItem) bool { return i.SubmissionReview != nil },
		check: func(i *lti.LineItem) string { return checkReview(i.SubmissionReview) },
		write: func(i *lti.LineItem, to members) error { return to.putReview(i.SubmissionReview) },
		same:  func(a, b *lti.LineItem) bool { return reflect.DeepEqual(a.SubmissionReview, b.SubmissionReview) },
	},
	{
		name:  "extensions_json",
		isSet: func(i *lti.LineItem) bool { return i.ExtensionsJSON != "" },
		check: func(i *lti.LineItem) string { return checkExtensions(i.ExtensionsJSON) },
		write: func(i *lti.LineItem, to members) error {
			maps.DeleteFunc(to, func(name string, _ jsontext.Value) bool { return isExtension(name) })
			maps.Copy(to, readMembers([]byte(i.ExtensionsJSON)))
			return nil
		},
		same: sameExtensions,
	},
}

// textField is a field that is cleared by an empty text (sections 3.2.10 and 3.2.11).
func textField(name, member string, get func(*lti.LineItem) string) field {
	return field{
		name:  name,
		isSet: func(i *lti.LineItem) bool { return get(i) != "" },
		check: func(i *lti.LineItem) string { return checkText(get(i)) },
		write: func(i *lti.LineItem, to members) error { return to.put(member, get(i)) },
		same:  func(a, b *lti.LineItem) bool { return get(a) == get(b) },
	}
}

func timeField(name, member string, get func(*lti.LineItem) time.Time) field {
	return field{
		name:  name,
		isSet: func(i *lti.LineItem) bool { return !get(i).IsZero() },
		check: func(i *lti.LineItem) string {
			if year := get(i).UTC().Year(); year < 1970 || year > 9999 {
				return "it does not lie between the years 1970 and 9999"
			}
			return ""
		},
		write: func(i *lti.LineItem, to members) error {
			if get(i).IsZero() {
				delete(to, member)
				return nil
			}
			return to.put(member, get(i).UTC().Format(time.RFC3339Nano))
		},
		same: func(a, b *lti.LineItem) bool { return get(a).Equal(get(b)) },
	}
}

// checkFields returns the first fault among the fields of an item. path is where the item stands in the request.
func checkFields(path string, item *lti.LineItem) error {
	for _, f := range fields {
		if !f.isSet(item) {
			continue
		}
		if fault := f.check(item); fault != "" {
			return lti.FieldError(path+"."+f.name, "%s", fault)
		}
	}
	if !item.EndTime.IsZero() && item.EndTime.Before(item.StartTime) {
		return lti.FieldError(path+".end_time", "it lies before start_time")
	}
	return nil
}

// differing returns the names of the fields that are set in wanted and differ in present.
func differing(wanted, present *lti.LineItem) []string {
	var names []string
	for _, f := range fields {
		if f.isSet(wanted) && !f.same(wanted, present) {
			names = append(names, f.name)
		}
	}
	return names
}

// written returns the members of a line item that is to be made.
func written(item *lti.LineItem) (members, error) {
	m := members{}
	for _, f := range fields {
		if f.isSet(item) {
			if err := f.write(item, m); err != nil {
				return nil, &lti.Error{Reason: lti.ReasonInternal, Cause: err}
			}
		}
	}
	return m, nil
}

// newChange checks a change and returns the fields that it is about.
func newChange(item *lti.LineItem, mask []string) ([]field, error) {
	if item.URI == "" {
		return nil, lti.FieldError("item.uri", "it is required")
	}
	if strings.Contains(item.URI, "#") {
		return nil, lti.FieldError("item.uri", "it has a fragment; hand it back as it was given")
	}
	if err := checkFields("item", item); err != nil {
		return nil, err
	}
	var names, changed []string
	for _, f := range fields {
		if f.name != "resource_link_id" {
			names = append(names, f.name)
			if f.isSet(item) {
				changed = append(changed, f.name)
			}
		}
	}
	if len(mask) > 0 {
		changed = mask
	}
	if len(changed) == 0 {
		return nil, lti.FieldError("update_mask", "there is nothing to change")
	}
	for _, name := range changed {
		switch {
		case name == "uri" || name == "resource_link_id":
			return nil, lti.FieldError("update_mask", "%s cannot be changed", name)
		case !slices.Contains(names, name):
			return nil, lti.FieldError("update_mask", "%q is not one of %s", lti.Excerpt(name), strings.Join(names, ", "))
		case name == "label" && item.Label == "", name == "score_maximum" && item.ScoreMaximum == nil:
			return nil, lti.FieldError("item."+name, "it cannot be cleared")
		}
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f field) bool { return !slices.Contains(changed, f.name) }), nil
}

// put sets a member.
func (m members) put(name string, value any) error {
	text, err := json.Marshal(value, json.Deterministic(true))
	m[name] = text
	return err
}

func (m members) putReview(review *lti.SubmissionReview) error {
	if review == nil {
		delete(m, "submissionReview")
		return nil
	}
	return m.put("submissionReview", struct {
		ReviewableStatus []string          `json:"reviewableStatus"`
		Label            string            `json:"label,omitzero"`
		URL              string            `json:"url,omitzero"`
		Custom           map[string]string `json:"custom,omitempty"`
	}{review.ReviewableStatus, review.Label, review.URI, review.Custom})
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func checkText(text string) string {
	if strings.TrimSpace(text) == "" || len(text) > maxTextSize || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "it is blank, or no text of at most 1,024 bytes of UTF-8 without control characters"
	}
	return ""
}

func checkReview(review *lti.SubmissionReview) string {
	for _, status := range review.ReviewableStatus {
		if !slices.Contains(activityValues, status) {
			return "its reviewable_status has a value that is not one of " + strings.Join(activityValues, ", ")
		}
	}
	if uri, err := url.Parse(review.URI); review.URI != "" && (err != nil || uri.Scheme != "https" && uri.Scheme != "http" || uri.Host == "") {
		return "its uri is not absolute"
	}
	size := len(review.URI) + len(review.Label)
	for name, value := range review.Custom {
		size += len(name) + len(value)
	}
	if len(review.ReviewableStatus) > len(activityValues) || len(review.Custom) > maxCustom || size > maxExtensionSize {
		return "it is longer than 16 KiB, or has more than 100 custom parameters"
	}
	return ""
}

// checkExtensions says what is wrong with a JSON object of extensions.
func checkExtensions(text string) string {
	var object map[string]jsontext.Value
	switch {
	case len(text) > maxExtensionSize:
		return "it is longer than 16 KiB"
	case json.Unmarshal([]byte(text), &object) != nil || object == nil:
		return "it is not a JSON object, or names a member twice"
	}
	for name := range object {
		if !isExtension(name) {
			return "its member " + lti.Excerpt(name) + " is not named by an absolute URI"
		}
	}
	return ""
}

// sameExtensions reports whether b has all extensions of a, with the same values.
func sameExtensions(a, b *lti.LineItem) bool {
	there := readMembers([]byte(b.ExtensionsJSON))
	for name, value := range readMembers([]byte(a.ExtensionsJSON)) {
		other := there[name].Clone()
		mine := value.Clone()
		if mine.Canonicalize() != nil || other.Canonicalize() != nil || string(mine) != string(other) {
			return false
		}
	}
	return true
}
