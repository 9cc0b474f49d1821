// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// contentItem is one item as the platform understands it.
type contentItem struct {
	raw      json.RawMessage
	Type     string            `json:"type"`
	Title    string            `json:"title"`
	Text     string            `json:"text"`
	URL      string            `json:"url"`
	HTML     string            `json:"html"`
	Custom   map[string]string `json:"custom"`
	LineItem *struct {
		Label        string   `json:"label"`
		ScoreMaximum *float64 `json:"scoreMaximum"`
		ResourceID   string   `json:"resourceId"`
		Tag          string   `json:"tag"`
	} `json:"lineItem"`
}

// checkItems reads content_items and holds them to what was asked for.
func (p *Platform) checkItems(req *deepRequest, tok *jwt) ([]*contentItem, *deepFailure) {
	refuse := func(text string) ([]*contentItem, *deepFailure) { return nil, deepRefusal(tokTimes, text) }
	for _, name := range []string{"msg", "log", "errormsg", "errorlog"} {
		if v, present := tok.claims[claimDL+name]; present {
			if _, text := v.(string); !text {
				return refuse(name + " must be text")
			}
		}
	}
	v, present := tok.claims[claimDL+"content_items"]
	if !present {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return refuse(err.Error())
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return refuse("content_items must be an array")
	}
	rules := p.profile.DeepLinking
	if strict := !p.cfg.Lax || rules.Checks.Items; strict && len(list) > 1 && !req.multiple {
		return refuse("several items came, one was asked for")
	}
	var items []*contentItem
	for _, one := range list {
		item := &contentItem{raw: one}
		if json.Unmarshal(one, item) != nil {
			return refuse("an item is malformed; custom must map text to text")
		}
		if !slices.Contains(req.accept, any(item.Type)) && !(p.cfg.Lax && rules.OtherTypes) {
			return refuse(fmt.Sprintf("the type %q was not offered", item.Type))
		}
		if wrong := item.wrong(rules); wrong != "" {
			return refuse(item.Type + ": " + wrong)
		}
		items = append(items, item)
	}
	return items, nil
}

// wrong names what an item lacks, or "".
func (c *contentItem) wrong(rules *DeepLinkingRules) string {
	switch c.Type {
	case "link", "file", "image":
		if absolute(c.URL) != nil {
			return "url is missing or not absolute"
		}
	case "html":
		if c.HTML == "" {
			return "html is missing"
		}
	}
	if c.URL != "" && absolute(c.URL) != nil {
		return "url is not absolute"
	}
	switch li := c.LineItem; {
	case li == nil:
	case rules.NoLineItem:
		return "lineItem is not taken here"
	case li.ScoreMaximum == nil || *li.ScoreMaximum <= 0:
		return "lineItem needs a scoreMaximum above 0"
	}
	return ""
}

// byLine is what becomes of custom parameters that are kept as text.
func byLine(custom map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range custom {
		for line := range strings.SplitSeq(name+"="+value, "\n") {
			if name, value, ok := strings.Cut(strings.TrimRight(line, "\r"), "="); ok {
				kept[name] = value
			}
		}
	}
	return kept
}

// addItems makes links and line items, and returns the links' ids. Items of other types need nothing of the platform.
func (p *Platform) addItems(t *tool, items []*contentItem) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	rules := p.profile.DeepLinking
	if rules.Replaces {
		p.links = slices.DeleteFunc(p.links, func(l *Link) bool { return l.DeepLinked && l.Tool == t.cfg.Name })
	}
	var ids []string
	for _, item := range items {
		if item.Type != "ltiResourceLink" || len(p.links) >= maxItems {
			continue
		}
		l := &Link{Tool: t.cfg.Name, Title: item.Title, Text: item.Text, TargetLinkURI: item.URL, Custom: item.Custom}
		if rules.ByLine {
			l.Custom = byLine(item.Custom)
		}
		if l.Title == "" {
			l.Title = t.cfg.Name
		}
		if item.URL == "" {
			l.TargetLinkURI = t.target
			if rules.NeedURL {
				l.Title, l.TargetLinkURI = "Tool (Invalid Link)", ""
			}
		}
		p.addDeepLink(l)
		ids = append(ids, l.ID)
		if li := item.LineItem; li != nil && len(p.items) < maxItems {
			label := li.Label
			if label == "" {
				label = l.Title
			}
			p.addItem(&LineItem{
				Tool: t.cfg.Name, Label: label, ScoreMaximum: *li.ScoreMaximum, ResourceID: li.ResourceID, Tag: li.Tag, ResourceLinkID: l.ID,
			})
		}
	}
	return ids
}
