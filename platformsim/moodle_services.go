// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// moodleJSON writes JSON as PHP does: slashes escaped, everything beyond ASCII as \u.
func moodleJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	var out []byte
	in := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		in = in[n:]
		switch {
		case r == '/':
			out = append(out, '\\', '/')
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out, nil
}

// moodleTokenFailure answers 400 and text/html, whatever is wrong; the error is mostly the text of an exception.
func moodleTokenFailure(w http.ResponseWriter, f *tokenFailure) {
	ahead := func(what string) string {
		return "Cannot handle token with " + what + " prior to " + f.at.UTC().Format("2006-01-02T15:04:05-0700")
	}
	text := "invalid_request"
	switch f.kind {
	case tokExpired:
		text = "Expired token"
	case tokIssuedAhead:
		text = ahead("iat")
	case tokNotBefore:
		text = ahead("nbf")
	case tokSignature:
		text = "Signature verification failed"
	case tokKidMissing:
		text = "error/Error: kid must be provided in JWT header."
	case tokKidUnknown:
		text = `"kid" invalid, unable to lookup correct key`
	case tokAlg:
		text = "Algorithm not supported"
	case tokKeySet:
		text = f.text
	case tokClient:
		text = "invalid_client"
	case tokGrantType:
		text = "unsupported_grant_type"
	case tokScope:
		text = "invalid_scope"
	case tokAudience, tokIssuer, tokJTI, tokReplay, tokTooOld, tokTimes, tokDeployment:
		text = "Strict: " + f.text // a real Moodle does not look
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	// The quotes inside the text are not escaped: what comes out is not always JSON.
	write(w, []byte("{\n    \"error\": \""+text+"\"\n}"))
}

// moodleFailure is the answer of a service that refuses.
func moodleFailure(w http.ResponseWriter, r *http.Request, f *failure, body []byte) {
	scores := strings.HasSuffix(r.URL.Path, "/scores")
	status := http.StatusBadRequest
	switch f.kind {
	case failUnauthorized, failScope:
		status = http.StatusUnauthorized
	case failNotFound:
		status = http.StatusNotFound
	case failForbidden, failMismatch:
		status = http.StatusForbidden
	case failStale:
		status = http.StatusConflict
	case failLocked:
		status = http.StatusInternalServerError
	case failPlatformError:
		// Internal errors come as the page of something not found.
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		write(w, []byte("<!DOCTYPE html>\n<html><head><title>Error</title></head><body><p class=\"errormessage\">Exception</p></body></html>\n"))
		return
	case failNoHandler:
		if r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, "/memberships") {
			status = http.StatusMethodNotAllowed
		}
	}
	if scores && status != http.StatusUnauthorized && f.kind != failNoHandler && f.kind != failMediaType {
		// The words go into the reason phrase together with the whole body; a line feed in it makes PHP drop the header
		// and the status with it.
		if bytes.ContainsRune(body, '\n') {
			status = http.StatusOK
		} else if reasonPhrase(w, r, status, f.text+": "+string(body), mediaScore+"; charset=utf-8", "[]") {
			return
		}
		w.Header().Set("Content-Type", mediaScore+"; charset=utf-8")
		w.WriteHeader(status)
		write(w, []byte("[]"))
		return
	}
	out, err := moodleJSON(map[string]any{
		"status": status, "reason": http.StatusText(status),
		"request": map[string]any{"method": r.Method, "url": r.URL.Path, "accept": r.Header.Get("Accept"), "contentType": r.Header.Get("Content-Type")},
	})
	if err != nil {
		out = nil
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	write(w, out)
}

var moodleTimes = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
}

// moodleTime takes many forms, but not numbers.
func moodleTime(s string) (time.Time, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	for _, layout := range moodleTimes {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func moodleCheckScore(p *Platform, li *LineItem, s *scorePost, prev *Grade) *failure {
	if name := s.missing(); name != "" {
		return refuse(failMissing, "Missing "+name)
	}
	at, ok := moodleTime(s.timestamp)
	if !ok {
		return refuse(failMalformed, "Invalid timestamp")
	}
	if s.given != nil && s.maximum == nil {
		return refuse(failMaximum, "Missing scoreMaximum")
	}
	if !p.gradable(s.userID) {
		return refuse(failNotGradable, "User cannot be graded")
	}
	if prev != nil && prev.Posts > 0 && prev.Timestamp.Unix() >= at.Unix() {
		return refuse(failStale, "Refusing score with an earlier timestamp")
	}
	if li.Locked {
		return refuse(failLocked, "The grade is locked")
	}
	return nil
}

func moodleApplyScore(p *Platform, li *LineItem, s *scorePost, prev *Grade) *Grade {
	at, _ := moodleTime(s.timestamp) // checked before
	g := &Grade{ScoreMaximum: li.ScoreMaximum, Comment: s.comment, Activity: s.activity, Grading: s.grading, Timestamp: at, Posts: 1}
	if prev != nil {
		g.Posts = prev.Posts + 1
	}
	if s.given == nil || s.grading != "FullyGraded" {
		g.Timestamp = p.sim.now().Truncate(time.Second) // without a grade the server's clock is kept
		return g
	}
	v := 0.0
	if *s.maximum > 0 {
		v = *s.given / *s.maximum * li.ScoreMaximum
	}
	v = math.Round(min(max(v, 0), li.ScoreMaximum)*1e5) / 1e5
	g.Score = &v
	return g
}

func atoiOr(s string, fallback int) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<30 {
		return n
	}
	return fallback
}

// moodleItemPage writes the Link header with HTML entities and typographic quotes.
func moodleItemPage(u *url.URL, total int) pageWindow {
	q := u.Query()
	size := atoiOr(q.Get("limit"), 0)
	if size == 0 {
		return pageWindow{to: total}
	}
	from := min(atoiOr(q.Get("from"), 0), total)
	base := u.Scheme + "://" + u.Host + u.Path + "?"
	for _, name := range []string{"type_id", "resource_id", "resource_link_id", "tag"} {
		if v := q.Get(name); v != "" {
			base += name + "=" + url.QueryEscape(v) + "&amp;"
		}
	}
	link := func(from int, rel string) string {
		return fmt.Sprintf("<%slimit=%d&amp;from=%d>; rel=“%s”", base, size, from, rel)
	}
	links := []string{link(0, "first")}
	if from > 0 {
		links = append(links, link(max(0, from-size), "prev"))
	}
	links = append(links, link(from, "canonical"))
	if from+size < total {
		links = append(links, link(from+size, "next"))
	}
	links = append(links, link(max(0, total-1)/size*size, "last"))
	return pageWindow{from: from, to: min(total, from+size), link: strings.Join(links, ", ")}
}

// moodleMemberPage: everybody, unless limit is asked for; the next link forgets the role.
func moodleMemberPage(u *url.URL, total int) pageWindow {
	q := u.Query()
	size := atoiOr(q.Get("limit"), 0)
	if size == 0 {
		return pageWindow{to: total}
	}
	from := min(atoiOr(q.Get("from"), 0), total)
	w := pageWindow{from: from, to: min(total, from+size)}
	if w.to < total {
		next := fmt.Sprintf("%s://%s%s?limit=%d&from=%d", u.Scheme, u.Host, u.Path, size, from+size)
		if rlid := q.Get("rlid"); rlid != "" {
			next += "&rlid=" + url.QueryEscape(rlid)
		}
		w.link = "<" + next + `>; rel="next"`
	}
	return w
}
