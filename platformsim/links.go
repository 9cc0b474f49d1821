// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"maps"
	"slices"
	"strconv"
)

// Link is a link of the course that opens a tool: the one that a tool comes with, or one that deep linking made. It does
// not change.
type Link struct {
	ID            string            `json:"id"`
	Tool          string            `json:"tool"`
	Title         string            `json:"title"`
	Text          string            `json:"text"`
	TargetLinkURI string            `json:"target_link_uri"`
	Custom        map[string]string `json:"custom"`
	DeepLinked    bool              `json:"deep_linked"`

	n int // position: those of tools come first, then those of deep linking
}

// Links returns the links of the course, oldest first.
func (p *Platform) Links() []Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []Link{}
	for _, l := range p.links {
		c := *l
		c.Custom = maps.Clone(l.Custom)
		list = append(list, c)
	}
	return list
}

// setLink adds a link or takes the place of the one with its id. It is called with p.mu held.
func (p *Platform) setLink(l *Link) {
	if i := slices.IndexFunc(p.links, func(o *Link) bool { return o.ID == l.ID }); i >= 0 {
		p.links[i] = l
		return
	}
	p.links = append(p.links, l)
}

// addDeepLink makes the id of a link and adds it. It is called with p.mu held.
func (p *Platform) addDeepLink(l *Link) {
	l.n = maxTools + p.deepLinkSeq
	l.ID = p.profile.ResourceLinkID(l.n, p.profile.Name+"/deep/"+strconv.Itoa(p.deepLinkSeq))
	l.DeepLinked = true
	p.deepLinkSeq++
	p.links = append(p.links, l)
}

// toolLink finds a link of the tool; nil if it has none of that id. It is called with p.mu held.
func (p *Platform) toolLink(t *tool, id string) *Link {
	if i := slices.IndexFunc(p.links, func(l *Link) bool { return l.ID == id && l.Tool == t.cfg.Name }); i >= 0 {
		return p.links[i]
	}
	return nil
}

// hasLink is toolLink for callers that do not hold p.mu.
func (p *Platform) hasLink(t *tool, id string) *Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.toolLink(t, id)
}

// customOf merges the custom parameters of a tool and of the link that is opened.
func customOf(t *tool, l *Link) map[string]string {
	m := map[string]string{}
	maps.Copy(m, t.cfg.Custom)
	maps.Copy(m, l.Custom)
	return m
}
