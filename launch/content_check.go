// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"math"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Limits of a content item.
const (
	maxItemText    = 16 << 10 // bytes
	maxItemHTML    = 64 << 10 // bytes
	maxItemURI     = 4 << 10  // bytes
	maxItemJSON    = 16 << 10 // bytes
	maxCustom      = 64
	maxCustomBytes = 16 << 10
	maxItemName    = 1 << 10 // bytes of labels, ids, tags, and names of windows
	maxPixels      = 100_000
)

// itemCheck holds the items of one response to what the platform accepts. Its errors name the field and the fix.
type itemCheck struct {
	*Validator
	registration *platform.Registration
	dialect      platform.Dialect
	settings     *DeepLinkingSettings
}

// check checks one item. path is where it stands in the request, such as "items[3]".
func (c *itemCheck) check(path string, item *ContentItem) error {
	at := func(member string) string { return path + "." + member }
	own := func(member string) string { return path + "." + item.field(member) }
	if item.Type == "" {
		return lti.FieldError(own("type"), "it is required")
	}
	if !slices.Contains(c.settings.AcceptTypes, item.Type) {
		return lti.FieldError(path, "the platform does not accept items of the type %q here; it accepts: %s", lti.Excerpt(item.Type), lti.Excerpt(strings.Join(c.settings.AcceptTypes, ", ")))
	}
	checks := []error{
		checkText(at("title"), item.Title, maxItemText),
		checkText(at("text"), item.Text, maxItemText),
		checkImage(at("icon"), item.Icon, item.Type),
		checkImage(at("thumbnail"), item.Thumbnail, item.Type),
		checkExtensions(at("extensions_json"), item.Extensions),
		c.checkItemURI(own("uri"), item),
		checkPixels(own("width"), item.Width),
		checkPixels(own("height"), item.Height),
		c.checkTargets(own, item),
		c.checkCustom(own("custom"), item.Custom),
		c.checkLineItem(own("line_item"), item),
		checkTimes(own("available"), item.Available),
		checkTimes(own("submission"), item.Submission),
		c.checkMediaType(own("media_type"), item.MediaType),
		checkJSON(own("report_json"), item.Report),
		checkMembers(own("members_json"), item),
	}
	if item.Type == ItemHTML {
		checks = append(checks, checkRequired(own("html"), item.HTML), checkText(own("html"), item.HTML, maxItemHTML))
	}
	if !item.ExpireTime.IsZero() && !item.ExpireTime.After(c.config.Now()) {
		checks = append(checks, lti.FieldError(own("expire_time"), "it is past; the platform fetches the file after the author has chosen it"))
	}
	return firstError(checks)
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkRequired(field, text string) error {
	if text == "" {
		return lti.FieldError(field, "it is required")
	}
	return nil
}

func checkText(field, text string, limit int) error {
	if len(text) > limit {
		return lti.FieldError(field, "it has %d bytes, more than %d", len(text), limit)
	}
	return nil
}

func checkPixels(field string, pixels int) error {
	if pixels < 0 || pixels > maxPixels {
		return lti.FieldError(field, "it is not from 0 to %d", maxPixels)
	}
	return nil
}

// checkWebURI holds a URI to an absolute one of http or https.
func checkWebURI(field, uri string) error {
	if err := checkText(field, uri, maxItemURI); err != nil {
		return err
	}
	if _, err := platform.Origin(uri); err != nil {
		return lti.FieldError(field, "%q is no absolute https URI: %v", lti.Excerpt(uri), err)
	}
	return nil
}

// checkToolURI holds a URI that launches will have as target_link_uri to the tool: ValidateLaunch would refuse any other.
func (c *itemCheck) checkToolURI(field, uri string) error {
	if err := checkWebURI(field, uri); err != nil {
		return err
	}
	if err := c.checkTarget(c.registration, uri); err != nil {
		return lti.FieldError(field, "launches of it would be refused: use a URI of the tool, or list its origin under target_origins of the registration %q", c.registration.Name)
	}
	return nil
}

func checkImage(field string, image *ContentImage, itemType string) error {
	if image == nil {
		return nil
	}
	if itemType == ItemHTML {
		return lti.FieldError(field, "an item of the type html has none; leave it out")
	}
	return firstError([]error{
		checkRequired(field+".uri", image.URI), checkWebURI(field+".uri", image.URI),
		checkPixels(field+".width", image.Width), checkPixels(field+".height", image.Height),
	})
}

// checkItemURI checks the URI that the item is about.
func (c *itemCheck) checkItemURI(field string, item *ContentItem) error {
	switch item.Type {
	case ItemLink, ItemFile, ItemImage:
		if err := checkRequired(field, item.URI); err != nil {
			return err
		}
		return checkWebURI(field, item.URI)
	case ItemResourceLink, ItemAssetProcessor:
		if item.URI != "" {
			return c.checkToolURI(field, item.URI)
		}
		if item.Type == ItemResourceLink && c.dialect.LinkURIRequired {
			return lti.FieldError(field, "it is required: this platform makes an invalid link of an item without it")
		}
	}
	return nil
}

// checkTargets checks window, frame and embedding, and holds them to what the platform can show.
func (c *itemCheck) checkTargets(own func(string) string, item *ContentItem) error {
	accepted := func(field string, targets ...string) error {
		for _, target := range targets {
			if slices.Contains(c.settings.AcceptTargets, target) {
				return nil
			}
		}
		return lti.FieldError(field, "the platform does not show items so; it accepts the targets: %s. Leave it out", lti.Excerpt(strings.Join(c.settings.AcceptTargets, ", ")))
	}
	if item.EmbedHTML != "" {
		if err := firstError([]error{accepted(own("embed_html"), "embed"), checkText(own("embed_html"), item.EmbedHTML, maxItemText)}); err != nil {
			return err
		}
	}
	if w := item.Window; w != nil {
		field := own("window")
		err := firstError([]error{
			accepted(field, "window"), checkPixels(field+".width", w.Width), checkPixels(field+".height", w.Height),
			checkText(field+".target_name", w.TargetName, maxItemName), checkText(field+".window_features", w.Features, maxItemName),
		})
		if err != nil {
			return err
		}
	}
	f := item.Iframe
	if f == nil {
		return nil
	}
	field := own("iframe")
	checks := []error{accepted(field, "iframe", "frame"), checkPixels(field+".width", f.Width), checkPixels(field+".height", f.Height)}
	if item.Type == ItemLink {
		checks = append(checks, checkRequired(field+".src_uri", f.SourceURI), checkWebURI(field+".src_uri", f.SourceURI))
	} else if f.SourceURI != "" {
		checks = append(checks, lti.FieldError(field+".src_uri", "a resource link has none: the frame shows the launch"))
	}
	return firstError(checks)
}

func (c *itemCheck) checkCustom(field string, custom map[string]string) error {
	if len(custom) > maxCustom {
		return lti.FieldError(field, "it has %d parameters, more than %d", len(custom), maxCustom)
	}
	size := 0
	for name, value := range custom {
		switch {
		case name == "":
			return lti.FieldError(field, "a parameter has no name")
		case c.dialect.CustomByLine && strings.ContainsAny(name, "=\r\n"), c.dialect.CustomByLine && strings.ContainsAny(value, "\r\n"):
			return lti.FieldError(field, "the parameter %q has a line break, or its name an equals sign: this platform keeps parameters as lines of name=value", lti.Excerpt(name))
		}
		size += len(name) + len(value)
	}
	if size > maxCustomBytes {
		return lti.FieldError(field, "it has %d bytes, more than %d", size, maxCustomBytes)
	}
	return nil
}

func (c *itemCheck) checkLineItem(field string, item *ContentItem) error {
	l := item.LineItem
	if l == nil {
		return nil
	}
	switch {
	case c.settings.AcceptLineItem != nil && !*c.settings.AcceptLineItem:
		return lti.FieldError(field, "the platform makes no line items here (accept_line_item is false), so there would be no column for grades; leave it out")
	case !(l.ScoreMaximum > 0) || math.IsInf(l.ScoreMaximum, 0):
		return lti.FieldError(field+".score_maximum", "it is required, and above 0")
	case strings.TrimSpace(l.Label) == "" && strings.TrimSpace(item.Title) == "":
		return lti.FieldError(field+".label", "it is required where the item has no title: the column would have no heading")
	}
	checks := []error{
		checkText(field+".label", l.Label, maxItemName), checkText(field+".resource_id", l.ResourceID, maxItemName), checkText(field+".tag", l.Tag, maxItemName),
	}
	if r := l.Review; r != nil {
		review := field + ".submission_review"
		if len(r.Statuses) == 0 {
			checks = append(checks, lti.FieldError(review+".reviewable_status", "it is required"))
		}
		for i, status := range r.Statuses {
			if !slices.Contains(activityProgress, status) {
				checks = append(checks, lti.FieldError(fmt.Sprintf("%s.reviewable_status[%d]", review, i), "%q is none of: %s", lti.Excerpt(status), strings.Join(activityProgress, ", ")))
			}
		}
		checks = append(checks, checkText(review+".label", r.Label, maxItemName), c.checkCustom(review+".custom", r.Custom))
		if r.URI != "" {
			checks = append(checks, c.checkToolURI(review+".uri", r.URI))
		}
	}
	return firstError(checks)
}

var activityProgress = []string{lti.ActivityInitialized, lti.ActivityStarted, lti.ActivityInProgress, lti.ActivitySubmitted, lti.ActivityCompleted}

func checkTimes(field string, window *TimeWindow) error {
	if window != nil && !window.Start.IsZero() && !window.End.IsZero() && window.End.Before(window.Start) {
		return lti.FieldError(field+".end_time", "it is before start_time")
	}
	return nil
}

// checkMediaType holds the media type of a file to accept_media_types: types separated by commas, with * for any.
func (c *itemCheck) checkMediaType(field, mediaType string) error {
	if mediaType == "" {
		return nil
	}
	name, _, err := mime.ParseMediaType(mediaType)
	if err != nil || !strings.Contains(name, "/") || len(mediaType) > maxItemName {
		return lti.FieldError(field, "%q is no media type", lti.Excerpt(mediaType))
	}
	if strings.TrimSpace(c.settings.AcceptMedia) == "" {
		return nil
	}
	for accepted := range strings.SplitSeq(c.settings.AcceptMedia, ",") {
		accepted, _, _ = strings.Cut(strings.ToLower(accepted), ";")
		accepted = strings.TrimSpace(accepted)
		if prefix, any := strings.CutSuffix(accepted, "*"); accepted == name || accepted == "*" || any && strings.HasSuffix(prefix, "/") && (prefix == "*/" || strings.HasPrefix(name, prefix)) {
			return nil
		}
	}
	return lti.FieldError(field, "the platform does not accept %q; it accepts: %s", lti.Excerpt(mediaType), lti.Excerpt(c.settings.AcceptMedia))
}

func checkJSON(field, text string) error {
	if err := checkText(field, text, maxItemJSON); err != nil {
		return err
	}
	if _, err := splitObject(text); err != nil {
		return lti.FieldError(field, "it is no JSON object, or names a member twice")
	}
	return nil
}

// checkExtensions holds the names of extensions to absolute URIs, so that they cannot stand for members of the item.
func checkExtensions(field, text string) error {
	if err := checkJSON(field, text); err != nil {
		return err
	}
	members, _ := splitObject(text)
	for name := range members {
		if !isAbsoluteURI(name) {
			return lti.FieldError(field, "the name %q is no absolute URI", lti.Excerpt(name))
		}
	}
	return nil
}

func isAbsoluteURI(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Scheme != "" && (parsed.Host != "" || parsed.Opaque != "")
}

// checkMembers holds an item of another type to names that are not its other fields'.
func checkMembers(field string, item *ContentItem) error {
	if err := checkJSON(field, item.Members); err != nil {
		return err
	}
	members, _ := splitObject(item.Members)
	extensions, _ := splitObject(item.Extensions)
	for name := range members {
		if _, twice := extensions[name]; twice || slices.Contains([]string{"type", "title", "text", "icon", "thumbnail"}, name) {
			return lti.FieldError(field, "the member %q has a field of its own", lti.Excerpt(name))
		}
	}
	return nil
}
