// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
)

// columns is a container of line items that really keeps them, made line by line as its owner likes.
type columns struct {
	*gradeBook
	mutex  sync.Mutex
	next   int
	items  map[string]map[string]any // by path
	broken func(w http.ResponseWriter, r *http.Request) bool
	after  func(w http.ResponseWriter, r *http.Request) bool // once a line item was made
}

func newColumns(t *testing.T) *columns {
	t.Helper()
	c := &columns{items: map[string]map[string]any{}}
	c.gradeBook = newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, body string) {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if c.broken != nil && c.broken(w, r) {
			return
		}
		switch {
		case r.URL.Path == "/items" && r.Method == http.MethodGet:
			list := []map[string]any{}
			for i := 1; i <= c.next; i++ {
				if item := c.items[fmt.Sprintf("/items/%d", i)]; item != nil {
					list = append(list, item)
				}
			}
			answerJSON(t, w, http.StatusOK, list)
		case r.URL.Path == "/items" && r.Method == http.MethodPost:
			var item map[string]any
			if err := json.Unmarshal([]byte(body), &item); err != nil || r.Header.Get("Content-Type") != lti.MediaTypeLineItem {
				t.Errorf("posted %s as %s", body, r.Header.Get("Content-Type"))
			}
			c.next++
			path := fmt.Sprintf("/items/%d", c.next)
			item["id"] = "https://" + r.Host + path
			c.items[path] = item
			if c.after != nil && c.after(w, r) {
				return
			}
			answerJSON(t, w, http.StatusCreated, map[string]any{"id": item["id"]})
		case c.items[r.URL.Path] == nil:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodDelete:
			delete(c.items, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		default:
			answerJSON(t, w, http.StatusOK, c.items[r.URL.Path])
		}
	})
	return c
}

func answerJSON(t *testing.T, w http.ResponseWriter, status int, content any) {
	text, err := json.Marshal(content)
	if err != nil {
		t.Error(err)
	}
	w.WriteHeader(status)
	w.Write(text)
}

func (c *columns) wantEnsured(wanted lti.LineItem, path string, created bool, differing ...string) {
	c.t.Helper()
	ensured, err := c.ensure(wanted)
	if err != nil {
		c.t.Fatal(err)
	}
	if ensured.Item.URI != c.url+path || ensured.Created != created || !slices.Equal(ensured.DifferingFields, differing) {
		c.t.Fatalf("ensured %+v, want %s, created %t, differing %q", ensured, path, created, differing)
	}
}

func quiz() lti.LineItem {
	return lti.LineItem{Label: "Quiz", ScoreMaximum: value(10), ResourceID: "q", Tag: "grade"}
}

// REQ-147 REQ-155
func TestEnsureMakesAnItemOnce(t *testing.T) {
	c := newColumns(t)
	c.wantEnsured(quiz(), "/items/1", true)
	c.wantEnsured(quiz(), "/items/1", false)
	other := quiz()
	other.Tag = "extra"
	c.wantEnsured(other, "/items/2", true)
	byTag := quiz()
	byTag.ResourceID = ""
	c.wantEnsured(byTag, "/items/1", false)
	changed := quiz()
	changed.Label, changed.ScoreMaximum, changed.GradesReleased = "New", value(20), boolean(true)
	changed.ExtensionsJSON = `{"https://v.example/x":1}`
	c.wantEnsured(changed, "/items/1", false, "label", "score_maximum", "grades_released", "extensions_json")
	if c.items["/items/1"]["label"] != "Quiz" || c.items["/items/1"]["scoreMaximum"] != 10.0 {
		t.Errorf("it was changed: %v", c.items["/items/1"])
	}
	ensured, err := c.ensure(quiz()) // as the platform answered it, and what it left out as it was sent
	if err != nil || ensured.Item.Label != "Quiz" || *ensured.Item.ScoreMaximum != 10 || ensured.Item.Tag != "grade" {
		t.Errorf("%+v, %v", ensured, err)
	}
}

func TestEnsureReadsAgainWhatItFoundBefore(t *testing.T) {
	c := newColumns(t)
	c.wantEnsured(quiz(), "/items/1", true)
	c.wantEnsured(quiz(), "/items/1", false)
	c.wantLines("GET /items?type_id=3&resource_id=q&tag=grade", "POST /items?type_id=3", "GET /items/1")
	delete(c.items, "/items/1") // deleted at the platform
	c.wantEnsured(quiz(), "/items/2", true)
	c.items["/items/2"]["tag"] = "another" // given to something else
	c.wantEnsured(quiz(), "/items/3", true)
	c.broken = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	_, err := c.ensure(quiz())
	c.wantReason(err, lti.ReasonPlatformUnavailable) // and nothing is made meanwhile
	c.broken = nil
	c.wantEnsured(quiz(), "/items/3", false)
}

// A platform that drops what an item is found by would be given a new one at each call.
func TestItemThatCannotBeFoundAgainIsTakenBack(t *testing.T) {
	c := newColumns(t)
	c.after = func(w http.ResponseWriter, _ *http.Request) bool {
		item := c.items[fmt.Sprintf("/items/%d", c.next)]
		delete(item, "resourceLinkId")
		answerJSON(t, w, http.StatusCreated, item)
		return true
	}
	wanted := quiz()
	wanted.ResourceLinkID = "link"
	for range 2 {
		_, err := c.ensure(wanted)
		if e := c.wantReason(err, lti.ReasonPlatformAnswerInvalid); !strings.Contains(e.Message, "resource link") || strings.Contains(e.Message, "could not") {
			t.Errorf("message %q", e.Message)
		}
		if len(c.items) != 0 {
			t.Errorf("%d items are left", len(c.items))
		}
	}
	c.broken = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
		}
		return r.Method == http.MethodDelete
	}
	_, err := c.ensure(wanted)
	if e := c.wantReason(err, lti.ReasonPlatformAnswerInvalid); !strings.Contains(e.Message, "could not be deleted") {
		t.Errorf("message %q", e.Message)
	}
	c.wantEnsured(quiz(), "/items/3", false) // without the link it is found
}

// A platform that gives an item a URI elsewhere does not get the token sent there, and does not block the item either.
func TestEnsureSendsNothingToAForeignID(t *testing.T) {
	c := newColumns(t)
	c.wantEnsured(quiz(), "/items/1", true)
	c.items["/items/1"]["id"] = "https://evil.example/items/1"
	c.client.found.Purge()
	for range 2 {
		ensured, err := c.ensure(quiz())
		if err != nil || ensured.Created || ensured.Item.URI != "https://evil.example/items/1" {
			t.Errorf("%+v, %v", ensured, err)
		}
	}
	_, err := c.client.GetLineItem(t.Context(), c.registration, c.endpoint, "https://evil.example/items/1")
	c.wantReason(err, lti.ReasonServiceOriginPending)
}

func TestEnsureDoesNotChoose(t *testing.T) {
	c := newColumns(t)
	c.endpoint.LineItemsURI = c.url + "/items"
	for i := range 7 {
		c.next++
		path := fmt.Sprintf("/items/%d", i+1)
		c.items[path] = map[string]any{"id": c.url + path, "tag": "grade", "resourceId": map[bool]string{true: "q", false: "other"}[i != 1]}
	}
	_, err := c.ensure(quiz())
	e := c.wantReason(err, lti.ReasonLineItemAmbiguous)
	if want := strings.Join([]string{c.url + "/items/1", c.url + "/items/3", c.url + "/items/4", c.url + "/items/5", c.url + "/items/6"}, " "); e.Metadata["matches"] != want || !strings.Contains(e.Message, "6 ") {
		t.Errorf("%v %v", e, e.Metadata)
	}
}

func TestEnsureAtOnceMakesOne(t *testing.T) {
	c := newColumns(t)
	const calls = 20
	created := make(chan bool, calls)
	for range calls {
		go func() {
			ensured, err := c.ensure(quiz())
			if err != nil || ensured.Item.URI != c.url+"/items/1" {
				t.Errorf("%+v, %v", ensured, err)
			}
			created <- ensured.Created
		}()
	}
	makers := 0
	for range calls {
		if <-created {
			makers++
		}
	}
	if makers != 1 || len(c.items) != 1 {
		t.Errorf("%d calls made %d items", makers, len(c.items))
	}
	if len(c.client.turns.taken) != 0 {
		t.Errorf("%d turns are left", len(c.client.turns.taken))
	}
}

func TestCallerWhoLeavesStopsNoOneElse(t *testing.T) {
	c := newColumns(t)
	arrived, hold := make(chan struct{}), make(chan struct{})
	c.after = func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-hold
		return false
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := c.client.EnsureLineItem(ctx, c.registration, c.endpoint, quiz())
		first <- err
	}()
	<-arrived // the platform has made it, and has not answered
	waiting, leave := context.WithCancel(t.Context())
	leave()
	if _, err := c.client.EnsureLineItem(waiting, c.registration, c.endpoint, quiz()); lti.ReasonOf(err) != lti.ReasonCanceled {
		t.Errorf("waiting for the turn: %v", err)
	}
	cancel()
	close(hold)
	if err := <-first; err != nil {
		t.Errorf("the first caller got %v", err)
	}
	c.wantEnsured(quiz(), "/items/1", false)
}

func TestLostAnswerIsLookedUp(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter){
		"cut":    func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"502":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"no end": func(w http.ResponseWriter) { io.WriteString(w, strings.Repeat(" ", maxItemBytes+1)) },
	} {
		c := newColumns(t)
		c.after = func(w http.ResponseWriter, _ *http.Request) bool { lose(w); return true }
		c.wantEnsured(quiz(), "/items/1", true)
		c.after = nil
		c.wantEnsured(quiz(), "/items/1", false)
		if len(c.items) != 1 {
			t.Errorf("%s: %d items", name, len(c.items))
		}
	}
	c := newColumns(t)
	c.broken = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway) // and made nothing
		}
		return r.Method == http.MethodPost
	}
	_, err := c.ensure(quiz())
	c.wantReason(err, lti.ReasonPlatformUnavailable)
	c.broken = nil
	c.after = func(w http.ResponseWriter, _ *http.Request) bool { io.WriteString(w, `{"label":"Quiz"}`); return true }
	_, err = c.ensure(quiz())
	if e := c.wantReason(err, lti.ReasonPlatformAnswerInvalid); !strings.Contains(e.Metadata["detail"], "no id") {
		t.Errorf("%v", e)
	}
}

// REQ-159 REQ-160 REQ-161 REQ-162
func TestListResults(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.URL.Query().Get("page") == "" {
			w.Header().Set("Link", `<?page=2>; rel="next"`)
			io.WriteString(w, `[{"id":"https://h/r/1","scoreOf":"https://h/1","userId":"ann","resultScore":0,"resultMaximum":10,"comment":"Good","scoringUserId":"tom","https://v.example/x":{"a":1},"timestamp":"2026-01-01T00:00:00Z"},
				{"userId":"bob","resultScore":null,"comment":null},{"userId":17,"resultScore":"2.5","resultMaximum":"5"}]`)
			return
		}
		io.WriteString(w, `[{"userId":"ann","resultScore":9},{"userId":"cy","resultMaximum":0}]`)
	})
	found, err := b.results("", ResultFilter{PageSizeHint: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []lti.Result{
		{URI: "https://h/r/1", LineItemURI: "https://h/1", UserID: "ann", Score: value(0), ScoreMaximum: 10, ScoringUserID: "tom", Comment: "Good", ExtensionsJSON: `{"https://v.example/x":{"a":1}}`},
		{UserID: "bob", ScoreMaximum: 1}, {UserID: "17", Score: value(2.5), ScoreMaximum: 5}, {UserID: "cy", ScoreMaximum: 1},
	}
	if got, expected := fmt.Sprintf("%+v", plain(found)), fmt.Sprintf("%+v", plain(want)); got != expected {
		t.Errorf("results\n%s, want\n%s", got, expected)
	}
	b.wantLines("GET /items/7/lineitem/results?type_id=3&limit=3", "GET /items/7/lineitem/results?page=2")
	if accept := b.requests[0].header["Accept"]; !slices.Equal(accept, []string{lti.MediaTypeResults}) || !slices.Equal(b.tokens.scopes, []string{lti.ScopeResultReadOnly}) {
		t.Errorf("Accept %q with scopes %q", accept, b.tokens.scopes)
	}
}

// plain makes results comparable as text.
func plain(results []lti.Result) (list []string) {
	for _, r := range results {
		score := "none"
		if r.Score != nil {
			score = fmt.Sprint(*r.Score)
		}
		r.Score = nil
		list = append(list, fmt.Sprintf("%+v score %s", r, score))
	}
	return list
}

func TestResultsOfOneUser(t *testing.T) {
	b := newGradeBook(t, "moodle", func(w http.ResponseWriter, _ *http.Request, _ string) {
		io.WriteString(w, `[{"userId":"ann b"},{"userId":"bob","resultScore":1}]`) // it does not filter
	})
	found, err := b.results(b.url+"/items/9/lineitem?type_id=3", ResultFilter{UserID: "ann b", PageSizeHint: 10})
	if err != nil || len(found) != 1 || found[0].UserID != "ann b" {
		t.Errorf("%+v, %v", found, err)
	}
	// Moodle fails where results are asked for with a limit.
	b.wantLines("GET /items/9/lineitem/results?type_id=3&user_id=" + url.QueryEscape("ann b"))
}

func TestManyResultsComeInBatches(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) {
		io.WriteString(w, "[")
		for i := range 450 {
			fmt.Fprintf(w, `{"userId":"u%d","comment":%q},`, i, strings.Repeat("c", 100))
		}
		io.WriteString(w, `{"userId":"last"}]`)
	})
	if found, err := b.results("", ResultFilter{}); err != nil || len(found) != 451 || found[450].UserID != "last" {
		t.Errorf("%d results, %v", len(found), err)
	}
}

func TestResultsAreWholeOrAnError(t *testing.T) {
	for name, test := range map[string]struct {
		second string // answer to the second page; empty: it is cut
		status int
		reason lti.Reason
	}{
		"cut":             {"", 200, lti.ReasonPlatformUnreachable},
		"not JSON":        {"[{", 200, lti.ReasonPlatformAnswerInvalid},
		"no user":         {`[{"resultScore":1}]`, 200, lti.ReasonPlatformAnswerInvalid},
		"no object":       {`["ann"]`, 200, lti.ReasonPlatformAnswerInvalid},
		"outage":          {"x", 503, lti.ReasonPlatformUnavailable},
		"throttled":       {"x", 429, lti.ReasonPlatformThrottled},
		"refused":         {"x", 400, lti.ReasonServiceRefused},
		"gone":            {"x", 404, lti.ReasonLineItemNotFound},
		"gone for good":   {"x", 410, lti.ReasonLineItemNotFound},
		"a page of a web": {"<html>", 200, lti.ReasonPlatformAnswerInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
				switch {
				case r.URL.Query().Get("page") == "":
					w.Header().Set("Link", `<?page=2>; rel="next"`)
					io.WriteString(w, `[{"userId":"ann"}]`)
				case test.second == "":
					w.Header().Set("Content-Length", "100")
					io.WriteString(w, "[")
					panic(http.ErrAbortHandler)
				default:
					w.WriteHeader(test.status)
					io.WriteString(w, test.second)
				}
			})
			_, err := b.results("", ResultFilter{})
			b.wantReason(err, test.reason)
		})
	}
	b := newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) { io.WriteString(w, `[{"userId":"ann"}]`) })
	stopped := fmt.Errorf("the caller's")
	if _, err := b.client.ListResults(t.Context(), b.registration, b.endpoint, "", ResultFilter{}, func([]lti.Result) error { return stopped }); err != stopped {
		t.Errorf("error = %v", err)
	}
	if _, err := b.results("", ResultFilter{PageSizeHint: -1}); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("page size: %v", err)
	}
}
