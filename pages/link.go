// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"net/http"
	"slices"
	"strings"
)

// link is one link of a Link header.
type link struct {
	target   string   // as written, but for &amp;
	rels     []string // lower-case
	anchored bool     // it is about another resource than the page
}

// parseLinks reads Link headers (RFC 8288, section 3). It takes what platforms write besides: typographic quotes around
// values and &amp; for & in targets (Moodle). ok is false where some of the text is no link; the links before it are
// returned.
func parseLinks(header http.Header) (links []link, ok bool) {
	ok = true
	for _, line := range header.Values("Link") {
		rest := line
		for {
			rest = strings.TrimLeft(rest, " \t,")
			if rest == "" {
				break
			}
			next, after, valid := parseLink(rest)
			if !valid {
				ok = false
				break
			}
			links, rest = append(links, next), after
		}
	}
	return links, ok
}

// parseLink reads one link up to the comma after it.
func parseLink(text string) (parsed link, rest string, ok bool) {
	if text[0] != '<' {
		return link{}, "", false
	}
	end := strings.IndexByte(text, '>')
	if end < 0 {
		return link{}, "", false
	}
	parsed.target = strings.ReplaceAll(strings.Trim(text[1:end], " \t"), "&amp;", "&")
	rest = text[end+1:]
	relSeen := false
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' {
			return parsed, rest, true
		}
		if rest[0] != ';' {
			return link{}, "", false
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		length := strings.IndexAny(rest, "=;, \t")
		if length < 0 {
			length = len(rest)
		}
		name := rest[:length]
		rest = strings.TrimLeft(rest[length:], " \t")
		value := ""
		if strings.HasPrefix(rest, "=") {
			if value, rest, ok = parseValue(strings.TrimLeft(rest[1:], " \t")); !ok {
				return link{}, "", false
			}
		}
		switch {
		case strings.EqualFold(name, "rel") && !relSeen: // of several the first counts (section 3.3)
			relSeen = true
			parsed.rels = strings.Fields(strings.ToLower(value))
		case strings.EqualFold(name, "anchor"):
			parsed.anchored = true
		}
	}
}

// quotes are what may open and close a value; the typographic ones are not told apart.
var quotes = []string{`"`, "\u201c", "\u201d"}

// parseValue reads a quoted string or a token.
func parseValue(text string) (value, rest string, ok bool) {
	for _, quote := range quotes {
		if inner, found := strings.CutPrefix(text, quote); found {
			return parseQuoted(inner, quote == `"`)
		}
	}
	length := strings.IndexAny(text, ";, \t")
	if length < 0 {
		length = len(text)
	}
	return text[:length], text[length:], true
}

// parseQuoted reads up to the closing quote: a plain one closes a plain one, either typographic one a typographic one.
func parseQuoted(text string, plain bool) (value, rest string, ok bool) {
	var content strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case plain && text[i] == '"':
			return content.String(), text[i+1:], true
		case plain && text[i] == '\\' && i+1 < len(text):
			i++
			content.WriteByte(text[i])
		case !plain && (strings.HasPrefix(text[i:], quotes[1]) || strings.HasPrefix(text[i:], quotes[2])):
			return content.String(), text[i+len(quotes[1]):], true
		default:
			content.WriteByte(text[i])
		}
	}
	return "", "", false
}

// targetOf returns the target of the links of the page itself with a relation, and how many targets there are: where it
// is not 1, target means nothing.
func targetOf(links []link, rel string) (target string, count int) {
	for _, l := range links {
		if l.anchored || !slices.Contains(l.rels, rel) || count > 0 && l.target == target {
			continue
		}
		target, count = l.target, count+1
	}
	return target, count
}
