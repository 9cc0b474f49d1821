// SPDX-License-Identifier: Apache-2.0

package lti

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Difference says in words where two texts differ that should be equal: the position of the first character that
// differs, counted from 1, and the usual slip where it is one (trailing slash, http and https, port, query, upper and
// lower case, blanks). It is "" where the texts are equal. Its cost grows with the length of the texts and no faster.
func Difference(expected, actual string) string {
	if expected == actual {
		return ""
	}
	position, rest, restActual := firstDifference(expected, actual)
	var where string
	switch {
	case restActual == "":
		where = fmt.Sprintf("it ends before character %d, where %q is expected", position, firstCharacter(rest))
	case rest == "":
		where = fmt.Sprintf("it goes on with %q at character %d, where it should end", firstCharacter(restActual), position)
	default:
		where = fmt.Sprintf("character %d is %q, not %q", position, firstCharacter(restActual), firstCharacter(rest))
	}
	if slip := Slip(expected, actual); slip != "" {
		return where + " (" + slip + ")"
	}
	return where
}

// Slip names the slip that makes one text of the other, and "" where they have less in common: such texts are near
// misses, which a person takes for the same.
func Slip(expected, actual string) string {
	if expected == actual || !utf8.ValidString(expected) || !utf8.ValidString(actual) {
		return ""
	}
	var slips []string
	note := func(slip string) { slips = append(slips, slip) }
	if a, b := strings.TrimSpace(expected), strings.TrimSpace(actual); a != expected || b != actual {
		expected, actual = a, b
		note("blanks at the beginning or the end")
	}
	schemeA, a := cutScheme(expected)
	schemeB, b := cutScheme(actual)
	if (schemeA == "") != (schemeB == "") {
		return ""
	}
	if schemeA != schemeB {
		note(schemeB + " instead of " + schemeA)
	}
	if schemeA != "" {
		hostA, pathA := cutHost(a)
		hostB, pathB := cutHost(b)
		nameA, portA := cutPort(hostA)
		nameB, portB := cutPort(hostB)
		if portA != portB && strings.EqualFold(nameA, nameB) {
			note("the port")
			hostA, hostB = nameA, nameB
		}
		pathA, queryA := cutQuery(pathA)
		pathB, queryB := cutQuery(pathB)
		if queryA != queryB {
			note("the query")
		}
		a, b = hostA+pathA, hostB+pathB
	}
	if !strings.EqualFold(a, b) && strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/")) {
		note("a trailing slash")
		a, b = strings.TrimRight(a, "/"), strings.TrimRight(b, "/")
	}
	if !strings.EqualFold(a, b) {
		return ""
	}
	if a != b || len(slips) == 0 { // where nothing else is left, the schemes differ so
		note("upper and lower case")
	}
	return strings.Join(slips, ", ")
}

// Nearest returns the index of the candidate that a person would most likely have meant: a near miss if there is one,
// else the one with the most in common at both ends. It is -1 where there are no candidates.
func Nearest(candidates []string, actual string) int {
	best, most := -1, -1
	for i, candidate := range candidates {
		common := commonEnds(candidate, actual)
		if candidate == actual || Slip(candidate, actual) != "" {
			return i
		}
		if common > most {
			best, most = i, common
		}
	}
	return best
}

// commonEnds counts the bytes that two texts share at their beginning and at their end.
func commonEnds(a, b string) int {
	shorter := min(len(a), len(b))
	begin := 0
	for begin < shorter && a[begin] == b[begin] {
		begin++
	}
	end := 0
	for end < shorter-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return begin + end
}

// firstDifference returns the number of the first character that differs, and what is left of both texts from there.
func firstDifference(a, b string) (position int, restA, restB string) {
	position = 1
	for a != "" && b != "" {
		runeA, sizeA := utf8.DecodeRuneInString(a)
		runeB, sizeB := utf8.DecodeRuneInString(b)
		if runeA != runeB || a[:sizeA] != b[:sizeB] {
			break
		}
		a, b = a[sizeA:], b[sizeB:]
		position++
	}
	return position, a, b
}

func firstCharacter(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

func cutScheme(uri string) (scheme, rest string) {
	for _, scheme := range []string{"https", "http"} {
		if n := len(scheme) + len("://"); len(uri) >= n && strings.EqualFold(uri[:n], scheme+"://") {
			return scheme, uri[n:]
		}
	}
	return "", uri
}

func cutHost(rest string) (host, path string) {
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

func cutPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i], host[i+1:]
	}
	return host, ""
}

func cutQuery(path string) (before, query string) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
