// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// expand fills the braces of a service path.
func (p *Platform) expand(path string, t *tool, item string) string {
	r := strings.NewReplacer("{course}", p.courseID(), "{tool}", t.toolID(), "{client}", url.PathEscape(t.client), "{deployment}", url.PathEscape(t.deployment), "{config}", t.configID(),
		"{item}", url.PathEscape(item))
	return p.base + r.Replace(path)
}

func (p *Platform) courseID() string {
	if p.profile.CourseID != "" {
		return p.profile.CourseID
	}
	return courseID
}

// named reports whether the path of a request names this tool, or none.
func (t *tool) named(r *http.Request) bool {
	for name, want := range map[string]string{"tool": t.toolID(), "client": t.client, "deployment": t.deployment, "config": t.configID()} {
		if got := r.PathValue(name); got != "" && got != want {
			return false
		}
	}
	return true
}

// pathTool finds the tool that a path with {tool}, {client}, {deployment} or {config} names; nil if there is none.
func (p *Platform) pathTool(r *http.Request) *tool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.findTool(func(t *tool) bool { return t.named(r) })
}

// toolID is the number that URLs of some platforms carry.
func (t *tool) toolID() string { return strconv.Itoa(t.n + 3) }

// configID is the UUID that URLs of some platforms carry.
func (t *tool) configID() string { return derivedUUID("config/" + t.cfg.Name) }

func (p *Platform) withQuery(u string, t *tool) string {
	if p.profile.ServiceQuery == nil {
		return u
	}
	return u + "?" + p.profile.ServiceQuery(t)
}

func (p *Platform) lineItemsURI(t *tool) string {
	return p.withQuery(p.expand(p.profile.LineItemsPath, t, ""), t)
}

// signedItem is the older name of a line item that belongs to a link, which Sakai signs.
func (p *Platform) signedItem(li *LineItem) string {
	return derived(64, p.profile.Name+"/placement/"+li.ID+li.ResourceLinkID) + ":::" + p.courseID() + ":::" + li.ResourceLinkID
}

func (p *Platform) lineItemURI(t *tool, li *LineItem) string {
	if p.cfg.SignedLineItems && p.profile.SignedItemPath != "" && li.ResourceLinkID != "" {
		return p.base + strings.Replace(p.profile.SignedItemPath, "{signed}", p.signedItem(li), 1) // the colons stay as they are
	}
	return p.withQuery(p.expand(p.profile.LineItemPath, t, li.ID), t)
}

func (p *Platform) membershipsURI(t *tool) string {
	uri := p.expand(p.profile.MembershipsPath, t, "")
	if p.profile.RosterQuery != "" {
		uri += "?" + p.profile.RosterQuery
	}
	return uri
}

func (p *Platform) tokenIssuer() string {
	if f := p.profile.TokenIssuer; f != nil {
		return f(p)
	}
	return p.profile.Issuer(p.base)
}

// tokenAudience is the aud that a tool's client assertions must have.
func (p *Platform) tokenAudience(t *tool) string {
	if f := p.profile.TokenAudience; f != nil {
		return f(p.base)
	}
	return p.expand(p.profile.TokenPath, t, "")
}
