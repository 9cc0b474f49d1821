// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Endpoints of the services, as Hits counts them and faults name them.
const (
	EndpointToken     = "token"
	EndpointLineItems = "ags_lineitems"
	EndpointLineItem  = "ags_lineitem"
	EndpointScores    = "ags_scores"
	EndpointResults   = "ags_results"
	EndpointRoster    = "nrps"
	EndpointGroups    = "groups"
	EndpointGroupSets = "group_sets"
	EndpointEvents    = "caliper"
)

// Endpoints lists the endpoints that a fault can be confined to.
func Endpoints() []string {
	return []string{
		EndpointToken, EndpointLineItems, EndpointLineItem, EndpointScores, EndpointResults, EndpointRoster, EndpointGroups, EndpointGroupSets,
		EndpointEvents,
	}
}

const (
	longestFault = 45 * time.Second // below the server's limit for an answer
	bombSize     = 64               // MiB
	maxBomb      = 1024
	trickle      = 20 // parts of a slow body
)

// ServiceRequest is one request that reached a service, written down once it was answered: the client may be faster.
type ServiceRequest struct {
	Time     time.Time `json:"time"`
	Endpoint string    `json:"endpoint"`
	Method   string    `json:"method"`
	URI      string    `json:"uri"`             // path and query
	Status   int       `json:"status"`          // of the answer; 0: none was sent
	Fault    Fault     `json:"fault,omitempty"` // what was done wrong on purpose
}

// service wraps the handler of an endpoint: it counts and records the request, and applies the faults that are on.
func (p *Platform) service(endpoint string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.hit(endpoint)
		seen := &statusWriter{ResponseWriter: w}
		rec := ServiceRequest{Time: p.sim.now(), Endpoint: endpoint, Method: r.Method, URI: r.URL.RequestURI()}
		defer func() { // also when the connection is cut, which is a panic
			rec.Status = seen.status
			p.mu.Lock()
			p.requestLog.add(rec)
			p.mu.Unlock()
		}()
		if rec.Fault = p.answerWrongly(seen, r, endpoint); rec.Fault == "" {
			p.handleWrongly(seen, r, endpoint, handle, &rec.Fault)
		}
	}
}

// answerWrongly applies the faults that keep a request from being handled. It returns the one that struck.
func (p *Platform) answerWrongly(w http.ResponseWriter, r *http.Request, endpoint string) Fault {
	page := func(status int, text string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		write(w, []byte("<!DOCTYPE html>\n<html><body>"+text+"</body></html>\n"))
	}
	for _, f := range []struct {
		fault  Fault
		answer func(value string)
	}{
		{FaultServiceUnavailable, func(value string) {
			w.Header().Set("Retry-After", cmp.Or(value, "1"))
			page(http.StatusServiceUnavailable, "Please try again.")
		}},
		{FaultRateLimited, func(value string) {
			w.Header().Set("Retry-After", cmp.Or(value, "1"))
			page(http.StatusTooManyRequests, "Please try again.")
		}},
		{FaultThrottled, func(string) { p.throttle(w) }},
		{FaultServiceStatus, func(value string) {
			status, err := strconv.Atoi(value)
			if err != nil || status < 400 || status > 599 {
				status = http.StatusInternalServerError
			}
			page(status, "Something went wrong.")
		}},
		{FaultServiceHTML, func(string) { page(http.StatusOK, "The site is being upgraded.") }},
		{FaultServiceRedirect, func(value string) {
			if value == "" {
				value = r.URL.Path + "?moved=1"
			}
			http.Redirect(w, r, value, http.StatusTemporaryRedirect)
		}},
		{FaultServiceBadStatus, func(string) { badStatusLine(w) }},
		{FaultServiceGzipBomb, func(value string) { bomb(w, value) }},
	} {
		if value, strikes := p.takeFaultAt(f.fault, endpoint); strikes {
			f.answer(value)
			return f.fault
		}
	}
	return ""
}

// throttle answers as the platform does when there are too many requests: 429, if nothing else is known of it.
func (p *Platform) throttle(w http.ResponseWriter) {
	if f := p.profile.Throttle; f != nil {
		f(w)
		return
	}
	w.Header().Set("Retry-After", "1")
	jsonFailure(w, http.StatusTooManyRequests, map[string]string{"message": "Too many requests"})
}

// badStatusLine writes a status line that is none, as PHP's built-in server does for Moodle. HTTP/2 has no status line:
// there the stream is reset.
func badStatusLine(w http.ResponseWriter) {
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = connection.Close() }() // the client sees nonsense either way
	if _, err := buffer.WriteString("HTTP/1.0 0 Error writing to database\r\nConnection: close\r\n\r\n"); err == nil {
		_ = buffer.Flush() // the client has gone: nobody to tell
	}
}

// reasonPhrase answers with words of its own behind the status, which net/http does not do, and closes the connection. It
// reports false, and answers nothing, where the protocol has no reason phrase or the answer is held back.
func reasonPhrase(w http.ResponseWriter, r *http.Request, status int, reason, media, body string) bool {
	if r.ProtoMajor != 1 {
		return false
	}
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	defer func() { _ = connection.Close() }() // what was not sent by now never will be
	if seen, ok := w.(*statusWriter); ok {
		seen.status = status
	}
	_, err = fmt.Fprintf(buffer, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, strings.ReplaceAll(reason, "\r", " "), media, len(body), body)
	if err == nil {
		_ = buffer.Flush() // the client has gone: nobody to tell
	}
	return true
}

// bomb sends a small body that becomes a large one: blanks, so that it could go on to be JSON.
func bomb(w http.ResponseWriter, value string) {
	size, err := strconv.Atoi(value)
	if err != nil || size < 1 || size > maxBomb {
		size = bombSize
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range size {
		if _, err := packed.Write(blanks); err != nil {
			return // the client has had enough
		}
	}
	_ = packed.Close() // as above
}

// handleWrongly handles a request, with the faults that spoil the answer or its time.
func (p *Platform) handleWrongly(w http.ResponseWriter, r *http.Request, endpoint string, handle http.HandlerFunc, struck *Fault) {
	take := func(f Fault) (string, bool) {
		value, strikes := p.takeFaultAt(f, endpoint)
		if strikes {
			*struck = f
		}
		return value, strikes
	}
	if value, strikes := take(FaultHandledLate); strikes {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		// The request is under way, whether the client still waits or not.
		r = r.WithContext(context.WithoutCancel(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !p.sim.pause(r, faultTime(value)) {
			panic(http.ErrAbortHandler)
		}
	}
	_, lost := take(FaultAnswerLost)
	late, isLate := take(FaultAnswerLate)
	slow, isSlow := take(FaultServiceSlowBody)
	foreign, isForeign := take(FaultForeignNext)
	_, loops := take(FaultNextLoops)
	if !lost && !isLate && !isSlow && !isForeign && !loops {
		handle(w, r)
		return
	}
	held := &heldAnswer{header: http.Header{}}
	handle(held, r)
	if lost {
		panic(http.ErrAbortHandler) // the documented way to cut the connection
	}
	if isForeign {
		held.setNext(cmp.Or(foreign, "https://elsewhere.example.net/next?page=2"))
	}
	if loops {
		held.setNext(p.requestURL(r).String())
	}
	if isLate && !p.sim.pause(r, faultTime(late)) {
		return
	}
	pause := time.Duration(0)
	if isSlow {
		pause = faultTime(slow) / trickle
	}
	held.send(w, func() bool { return pause == 0 || p.sim.pause(r, pause) })
}

// faultTime reads the duration of a fault: 2 s by default, at most 45 s.
func faultTime(value string) time.Duration {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > longestFault {
		return slowAnswer
	}
	return d
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// heldAnswer keeps an answer back.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// setNext makes uri the next page, in place of the one that was named.
func (h *heldAnswer) setNext(uri string) {
	if h.status != 0 && h.status != http.StatusOK {
		return
	}
	h.header.Set("Link", "<"+uri+`>; rel="next"`)
}

// send sends the answer in parts; wait is called before each and stops it with false.
func (h *heldAnswer) send(w http.ResponseWriter, wait func() bool) {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(cmp.Or(h.status, http.StatusOK))
	size := h.body.Len()/trickle + 1
	for h.body.Len() > 0 && wait() {
		write(w, h.body.Next(size))
		if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}
	}
}

// record keeps the last entries of a log; limit is how many. It is guarded by Platform.mu.
type record[T any] struct {
	limit   int
	entries []T
	dropped int
}

func (l *record[T]) add(entry T) {
	if len(l.entries) >= 2*l.limit {
		cut := len(l.entries) - l.limit + 1
		l.entries = append(l.entries[:0], l.entries[cut:]...)
		l.dropped += cut
	}
	l.entries = append(l.entries, entry)
}

// last returns the entries after the first n ones that were ever added, as far as they are kept.
func (l *record[T]) last(after int) []T {
	from := max(after-l.dropped, len(l.entries)-l.limit, 0)
	return append([]T{}, l.entries[min(from, len(l.entries)):]...)
}
