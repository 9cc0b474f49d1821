// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// request is one request as the platform got it.
type request struct {
	line   string // method and target
	header http.Header
	body   string
}

// gradeBook is a platform's line items on a real TLS server, and a LineItemClient.
type gradeBook struct {
	t            *testing.T
	url          string
	client       *LineItemClient
	tokens       *tokens
	registration *platform.Registration
	endpoint     lti.GradeEndpoint

	mutex    sync.Mutex
	requests []request
}

// newGradeBook answers with what handle says of each request; its body has been read.
func newGradeBook(t *testing.T, dialect string, handle func(w http.ResponseWriter, r *http.Request, body string)) *gradeBook {
	t.Helper()
	b := &gradeBook{t: t, tokens: &tokens{}, registration: &platform.Registration{Name: "school", Dialect: dialect}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mutex.Lock()
		b.requests = append(b.requests, request{r.Method + " " + r.RequestURI, r.Header, string(body)})
		b.mutex.Unlock()
		handle(w, r, string(body))
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	allowed := func(_ context.Context, r *platform.Registration, deploymentID, uri string) error {
		if r != b.registration || deploymentID != "d" || !strings.HasPrefix(uri, server.URL+"/") {
			return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
		}
		return nil
	}
	reader, err := pages.NewReader(pages.Config{HTTP: client, Tokens: b.tokens, Allowed: allowed})
	if err != nil {
		t.Fatal(err)
	}
	b.client, err = NewLineItemClient(LineItemConfig{HTTP: client, Tokens: b.tokens, Pages: reader, Allowed: allowed})
	if err != nil {
		t.Fatal(err)
	}
	b.url = server.URL
	b.endpoint = lti.GradeEndpoint{
		Registration: "school", DeploymentID: "d", LineItemsURI: server.URL + "/items?type_id=3", LineItemURI: server.URL + "/items/7/lineitem?type_id=3",
		Scopes: []string{lti.ScopeLineItem, lti.ScopeResultReadOnly},
	}
	return b
}

// lines returns method and target of all requests so far.
func (b *gradeBook) lines() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var lines []string
	for _, r := range b.requests {
		lines = append(lines, r.line)
	}
	return lines
}

func (b *gradeBook) wantLines(want ...string) {
	b.t.Helper()
	if got := b.lines(); !slices.Equal(got, want) {
		b.t.Errorf("requests %q, want %q", got, want)
	}
}

func (b *gradeBook) wantReason(err error, reason lti.Reason) *lti.Error {
	b.t.Helper()
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		b.t.Fatalf("error = %v, want %s", err, reason)
	}
	for key := range e.Metadata {
		if !slices.Contains(reason.Info().Metadata, key) {
			b.t.Errorf("%s has metadata %q, which its row does not list", reason, key)
		}
	}
	return e
}

func (b *gradeBook) list(filter Filter) ([]lti.LineItem, error) {
	return b.client.ListLineItems(b.t.Context(), b.registration, b.endpoint, filter)
}

func (b *gradeBook) ensure(wanted lti.LineItem) (Ensured, error) {
	return b.client.EnsureLineItem(b.t.Context(), b.registration, b.endpoint, wanted)
}

func (b *gradeBook) update(item lti.LineItem, mask ...string) (lti.LineItem, error) {
	return b.client.UpdateLineItem(b.t.Context(), b.registration, b.endpoint, item, mask)
}

func (b *gradeBook) results(uri string, filter ResultFilter) (found []lti.Result, err error) {
	count, err := b.client.ListResults(b.t.Context(), b.registration, b.endpoint, uri, filter, func(batch []lti.Result) error {
		if len(batch) == 0 || len(batch) > 200 {
			b.t.Errorf("a batch of %d", len(batch))
		}
		found = append(found, batch...)
		return nil
	})
	if err == nil && count != int64(len(found)) {
		b.t.Errorf("%d results, counted as %d", len(found), count)
	}
	return found, err
}

func boolean(value bool) *bool { return &value }

// REQ-144 REQ-151 REQ-152 REQ-153 REQ-156
func TestListLineItems(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		switch r.URL.Query().Get("from") {
		case "":
			// As Moodle writes it: typographic quotes, &amp;, and the order that it likes.
			w.Header().Set("Link", "<https://"+r.Host+"/items?type_id=3&amp;Limit=2&amp;from=0>; rel=\u201cfirst\u201d, <https://"+r.Host+"/items?type_id=3&amp;Limit=2&amp;from=2>; rel=\u201cnext\u201d")
			fmt.Fprintf(w, `[{"id":"https://%[1]s/1","label":"Quiz","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"q","tag":"grade","startDateTime":"2026-01-02T03:04:05Z",
				"endDateTime":"2026-02-01T00:00:00+01:00","gradesReleased":true,"submissionReview":{"reviewableStatus":["Completed"],"label":"See","url":"https://t.example/r","custom":{"a":"b"}},
				"https://canvas.instructure.com/lti/submission_type":{"type":"external_tool"},"x":{}},{"id":"https://%[1]s/2","label":7,"scoreMaximum":"12.5","resourceLinkId":null,"resourceId":"","tag":null,"startDateTime":"","endDateTime":"soon","gradesReleased":"false"}]`, r.Host)
		case "2":
			fmt.Fprintf(w, `[{"id":"https://%[1]s/2","label":"again"},{"id":"https://%[1]s/3","scoreMaximum":null}]`, r.Host)
		}
	})
	items, err := b.list(Filter{PageSizeHint: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := []lti.LineItem{{
		URI: b.url + "/1", Label: "Quiz", ScoreMaximum: value(10), ResourceLinkID: "57", ResourceID: "q", Tag: "grade",
		StartTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), EndTime: time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC), GradesReleased: boolean(true),
		SubmissionReview: &lti.SubmissionReview{ReviewableStatus: []string{"Completed"}, Label: "See", URI: "https://t.example/r", Custom: map[string]string{"a": "b"}},
		ExtensionsJSON:   `{"https://canvas.instructure.com/lti/submission_type":{"type":"external_tool"}}`,
	}, {URI: b.url + "/2", Label: "7", ScoreMaximum: value(12.5), GradesReleased: boolean(false)}, {URI: b.url + "/3"}}
	if !reflect.DeepEqual(items, want) {
		t.Errorf("items %+v, want %+v", items, want)
	}
	b.wantLines("GET /items?type_id=3&limit=2", "GET /items?type_id=3&Limit=2&from=2")
	if accept := b.requests[0].header["Accept"]; !slices.Equal(accept, []string{lti.MediaTypeLineItems}) || !slices.Equal(b.tokens.scopes, []string{lti.ScopeLineItem}) {
		t.Errorf("Accept %q with scopes %q", accept, b.tokens.scopes)
	}
}

func TestFiltersAreSentAndHeld(t *testing.T) {
	for dialect, parameter := range map[string]string{"": "resource_link_id", "sakai": "lti_link_id"} {
		b := newGradeBook(t, dialect, func(w http.ResponseWriter, _ *http.Request, _ string) {
			// It filters by nothing.
			io.WriteString(w, `[{"id":"https://h/1","resourceLinkId":"l","resourceId":"r&1","tag":"t"},{"id":"https://h/2","resourceLinkId":"l","resourceId":"r&1"},{"id":"https://h/3","resourceLinkId":"m","resourceId":"r&1","tag":"t"}]`)
		})
		items, err := b.list(Filter{ResourceLinkID: "l", ResourceID: "r&1", Tag: "t"})
		if err != nil || len(items) != 1 || items[0].URI != "https://h/1" {
			t.Errorf("%q: %+v, %v", dialect, items, err)
		}
		b.wantLines("GET /items?type_id=3&" + parameter + "=l&resource_id=r%261&tag=t")
	}
}

func TestListsThatAreNoLists(t *testing.T) {
	for body, detail := range map[string]string{
		`{}`: "it is not a list", ``: "it ends too early", `[`: "it ends too early", `[{"id":"x"}`: "it ends too early", `[] []`: "something follows the list", `[}`: "it is not JSON", `<html>`: "it is not JSON",
		`[7]`: "entry 1 is not an object", `[{"id":"x"},{"label":"y"}]`: "entry 2 has no id", `[{"id":null}]`: "entry 1 has no id", `null`: "it is not a list",
		`["` + strings.Repeat("x", 400<<10) + `"]`: "one of its elements is longer than 262144 bytes",
	} {
		b := newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) { io.WriteString(w, body) })
		_, err := b.list(Filter{})
		if e := b.wantReason(err, lti.ReasonPlatformAnswerInvalid); e.Metadata["detail"] != detail {
			t.Errorf("%.30s: detail %q, want %q", body, e.Metadata["detail"], detail)
		}
	}
	b := newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) { io.WriteString(w, "[]") })
	if items, err := b.list(Filter{}); err != nil || len(items) != 0 {
		t.Errorf("an empty list: %v, %v", items, err)
	}
	if _, err := b.list(Filter{PageSizeHint: 1001}); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("page size: %v", err)
	}
}

func TestListsAreLimited(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		entries := make([]string, MaxLineItems/2+1)
		for i := range entries {
			entries[i] = fmt.Sprintf(`{"id":"https://h%s/%d"}`, r.URL.Path, i)
		}
		w.Header().Set("Link", `</more?`+r.URL.Path+`>; rel="next"`)
		io.WriteString(w, "["+strings.Join(entries, ",")+"]")
	})
	_, err := b.list(Filter{})
	if e := b.wantReason(err, lti.ReasonListTooLarge); e.Metadata["limit"] != "5000 entries" {
		t.Errorf("limit %q", e.Metadata["limit"])
	}
	page := 0
	b = newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) {
		page++
		w.Header().Set("Link", fmt.Sprintf(`</items?page=%d>; rel="next"`, page))
		io.WriteString(w, "[]")
	})
	_, err = b.list(Filter{})
	if e := b.wantReason(err, lti.ReasonListTooLarge); e.Metadata["limit"] != "1000 pages" || page != maxPages {
		t.Errorf("limit %q after %d pages", e.Metadata["limit"], page)
	}
	b = newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Link", `<https://evil.example/items>; rel="next"`)
		io.WriteString(w, "[]")
	})
	_, err = b.list(Filter{})
	b.wantReason(err, lti.ReasonPlatformAnswerInvalid)
}

func TestWhatTheLaunchDidNotOffer(t *testing.T) {
	b := newGradeBook(t, "moodle", func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Method != http.MethodGet {
			t.Errorf("%s was sent", r.Method)
		}
		io.WriteString(w, "[]")
	})
	whole := b.endpoint
	wanted := lti.LineItem{Label: "Q", ScoreMaximum: value(1), Tag: "t"}
	calls := map[string]func() error{
		"list":    func() error { _, err := b.list(Filter{}); return err },
		"get":     func() error { _, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, ""); return err },
		"ensure":  func() error { _, err := b.ensure(wanted); return err },
		"update":  func() error { _, err := b.update(lti.LineItem{URI: b.url + "/1", Label: "x"}); return err },
		"delete":  func() error { return b.client.DeleteLineItem(t.Context(), b.registration, b.endpoint, b.url+"/1") },
		"results": func() error { _, err := b.results("", ResultFilter{}); return err },
	}
	for name, missing := range map[string]string{
		"list": lti.ScopeLineItem, "get": lti.ScopeLineItem, "ensure": lti.ScopeLineItem, "update": lti.ScopeLineItem, "delete": lti.ScopeLineItem, "results": lti.ScopeResultReadOnly,
	} {
		b.endpoint.Scopes = []string{lti.ScopeScore}
		e := b.wantReason(calls[name](), lti.ReasonServiceNotOffered)
		if e.Metadata["missing"] != missing || !strings.Contains(e.Message, "In Moodle") {
			t.Errorf("%s: %v %v", name, e, e.Metadata)
		}
	}
	b.endpoint = whole
	b.endpoint.LineItemsURI, b.endpoint.LineItemURI = "", ""
	for name, missing := range map[string]string{"list": "line_items_uri", "ensure": "line_items_uri", "get": "line_item_uri", "results": "line_item_uri"} {
		if e := b.wantReason(calls[name](), lti.ReasonServiceNotOffered); e.Metadata["missing"] != missing {
			t.Errorf("%s: %v", name, e.Metadata)
		}
	}
	if len(b.lines()) != 0 || b.tokens.issued != 0 {
		t.Errorf("%q was sent", b.lines())
	}
	// With a scope to read only, an item can be found and not made.
	b.endpoint = whole
	b.endpoint.Scopes = []string{lti.ScopeLineItemReadOnly}
	b.wantReason(calls["ensure"](), lti.ReasonServiceNotOffered)
	b.wantLines("GET /items?type_id=3&tag=t")
}

// The service token goes nowhere else, whatever URI the tool hands back.
func TestLineItemTokenGoesOnlyWhereAllowed(t *testing.T) {
	b := newGradeBook(t, "", func(http.ResponseWriter, *http.Request, string) { t.Error("a request arrived") })
	for _, uri := range []string{"https://evil.example/7", b.url + "@evil.example/7", b.url + ".evil.example/7"} {
		_, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, uri)
		b.wantReason(err, lti.ReasonServiceOriginPending)
		_, err = b.update(lti.LineItem{URI: uri, Label: "x"})
		b.wantReason(err, lti.ReasonServiceOriginPending)
		b.wantReason(b.client.DeleteLineItem(t.Context(), b.registration, b.endpoint, uri), lti.ReasonServiceOriginPending)
		_, err = b.results(uri, ResultFilter{})
		b.wantReason(err, lti.ReasonServiceOriginPending)
		endpoint := b.endpoint
		endpoint.LineItemsURI = uri
		_, err = b.client.ListLineItems(t.Context(), b.registration, endpoint, Filter{})
		b.wantReason(err, lti.ReasonServiceOriginPending)
		_, err = b.client.EnsureLineItem(t.Context(), b.registration, endpoint, lti.LineItem{Label: "Q", ScoreMaximum: value(1), Tag: "t"})
		b.wantReason(err, lti.ReasonServiceOriginPending)
	}
	if b.tokens.issued != 0 {
		t.Error("a token was fetched")
	}
	if _, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, b.url+"/7#x"); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("a fragment: %v", err)
	}
	if err := b.client.DeleteLineItem(t.Context(), b.registration, b.endpoint, ""); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("the endpoint's own line item would be deleted: %v", err)
	}
}

func TestGetAndDelete(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		io.WriteString(w, "\ufeff"+`{"label":"Quiz","scoreMaximum":10}`)
	})
	item, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, "")
	if err != nil || item.Label != "Quiz" || item.URI != b.endpoint.LineItemURI {
		t.Errorf("%+v, %v", item, err)
	}
	if err := b.client.DeleteLineItem(t.Context(), b.registration, b.endpoint, b.url+"/items/8/lineitem?type_id=3"); err != nil {
		t.Error(err)
	}
	b.wantLines("GET /items/7/lineitem?type_id=3", "DELETE /items/8/lineitem?type_id=3")
	if get, del := b.requests[0].header, b.requests[1].header; get.Get("Accept") != lti.MediaTypeLineItem || del.Get("Accept") != "" || del.Get("Content-Type") != "" {
		t.Errorf("headers %v and %v", get, del)
	}
}

// The answers of platforms, as they write them.
//
// REQ-154 REQ-196 REQ-197
func TestLineItemRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		dialect string
		status  int
		header  map[string]string
		body    string
		reason  lti.Reason
		sent    int // requests for one call
		words   string
	}{
		"400":                      {"", 400, nil, `{"error":"no such thing"}`, lti.ReasonServiceRefused, 1, "no such thing"},
		"401, and again":           {"", 401, nil, "no", lti.ReasonServiceRefused, 2, "no"},
		"Sakai's 403":              {"sakai", 403, nil, `{"error":"signature_error"}`, lti.ReasonServiceRefused, 2, "signature_error"},
		"Open edX's 403":           {"openedx", 403, nil, `{"detail":"Invalid token signature."}`, lti.ReasonServiceRefused, 2, "Invalid token signature."},
		"403 for the scope":        {"", 403, map[string]string{"WWW-Authenticate": `Bearer error="insufficient_scope"`}, "", lti.ReasonServiceRefused, 1, ""},
		"Canvas's 401":             {"canvas", 401, nil, `{"errors":{"type":"unauthorized","message":"Insufficient permissions"}}`, lti.ReasonServiceRefused, 2, "Insufficient permissions"},
		"Canvas's 412":             {"canvas", 412, nil, `{"errors":{"type":"precondition","message":"mismatch"}}`, lti.ReasonServiceRefused, 1, "mismatch"},
		"Canvas's 403 throttle":    {"canvas", 403, nil, "403 Forbidden (Rate Limit Exceeded)", lti.ReasonPlatformThrottled, 1, ""},
		"429":                      {"brightspace", 429, map[string]string{"Retry-After": "9"}, "", lti.ReasonPlatformThrottled, 1, ""},
		"404":                      {"canvas", 404, nil, "{}", lti.ReasonLineItemNotFound, 1, ""},
		"410":                      {"", 410, nil, "", lti.ReasonLineItemNotFound, 1, ""},
		"Moodle's 404":             {"moodle", 404, map[string]string{"Content-Type": "application/json"}, `{"status":404}`, lti.ReasonLineItemNotFound, 1, ""},
		"Moodle's broken 404":      {"moodle", 404, map[string]string{"Content-Type": "text/html"}, "<html>", lti.ReasonPlatformUnavailable, 1, ""},
		"406":                      {"openedx", 406, nil, "", lti.ReasonServiceRefused, 1, ""},
		"415":                      {"openedx", 415, nil, "", lti.ReasonServiceRefused, 1, ""},
		"422":                      {"canvas", 422, nil, `{"errors":{"message":"bad"}}`, lti.ReasonServiceRefused, 1, "bad"},
		"a redirect":               {"", 302, map[string]string{"Location": "https://evil.example/"}, "", lti.ReasonServiceRefused, 1, ""},
		"500":                      {"", 500, nil, "<html>", lti.ReasonPlatformUnavailable, 1, ""},
		"503":                      {"", 503, map[string]string{"Retry-After": "3"}, "", lti.ReasonPlatformUnavailable, 1, ""},
		"200 that is no item":      {"", 200, nil, "[]", lti.ReasonPlatformAnswerInvalid, 1, ""},
		"200 that is no JSON":      {"", 200, nil, "<html>", lti.ReasonPlatformAnswerInvalid, 1, ""},
		"200 without an end":       {"", 200, nil, strings.Repeat(" ", maxItemBytes+1), lti.ReasonPlatformAnswerInvalid, 1, ""},
		"a token in the words":     {"", 400, nil, "token t1 is bad", lti.ReasonServiceRefused, 1, "token [hidden] is bad"},
		"an e-mail in the words":   {"", 409, nil, "ann@b.example", lti.ReasonServiceRefused, 1, "[address]"},
		"an assignment's own item": {"canvas", 401, nil, "", lti.ReasonServiceRefused, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newGradeBook(t, test.dialect, func(w http.ResponseWriter, _ *http.Request, _ string) {
				for name, value := range test.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			_, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, "")
			e := b.wantReason(err, test.reason)
			if test.words != "" && e.Metadata["platform_error"] != test.words {
				t.Errorf("platform_error %q, want %q", e.Metadata["platform_error"], test.words)
			}
			if wait := map[int]time.Duration{429: 9 * time.Second, 503: 3 * time.Second, 403: defaultThrottle}[test.status]; test.reason == lti.ReasonPlatformThrottled && e.RetryAfter != wait {
				t.Errorf("RetryAfter = %v, want %v", e.RetryAfter, wait)
			}
			if len(b.lines()) != test.sent {
				t.Errorf("%d requests, want %d", len(b.lines()), test.sent)
			}
		})
	}
	// A fresh token is used for the second attempt, and what it brings counts.
	first := true
	b := newGradeBook(t, "", func(w http.ResponseWriter, _ *http.Request, _ string) {
		if first {
			first = false
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"label":"Quiz"}`)
	})
	if item, err := b.client.GetLineItem(t.Context(), b.registration, b.endpoint, ""); err != nil || item.Label != "Quiz" || b.requests[1].header.Get("Authorization") != "Bearer t2" {
		t.Errorf("%+v, %v with %q", item, err, b.requests[1].header.Get("Authorization"))
	}
	// A container that is gone is no missing line item, and one that cannot take a new item says why.
	b = newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Method == http.MethodGet {
			io.WriteString(w, "[]")
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})
	_, err := b.ensure(lti.LineItem{Label: "Q", ScoreMaximum: value(1), ResourceLinkID: "foreign"})
	if e := b.wantReason(err, lti.ReasonServiceRefused); !strings.Contains(e.Message, "make the line item") || e.Metadata["platform_status"] != "404" {
		t.Errorf("message %q", e.Message)
	}
}

// REQ-148 REQ-149 REQ-150
func TestUpdateWritesTheWholeItemBack(t *testing.T) {
	const before = `{"id":"%s/1?x=1","label":"Old","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z",` +
		`"https://v.example/kept":{"deep":[1.10,"\u00fc"]},"unknown":null}`
	for name, test := range map[string]struct {
		dialect string
		item    lti.LineItem
		mask    []string
		want    string // what is put; %s is the server's URL
	}{
		"one field by mask": {"", lti.LineItem{Label: "New", Tag: "ignored"}, []string{"label"},
			`{"id":"%s/1?x=1","label":"New","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z","https://v.example/kept":{"deep":[1.10,"ü"]},"unknown":null}`},
		"what is set, without a mask": {"", lti.LineItem{ScoreMaximum: value(0.1), EndTime: time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)), GradesReleased: boolean(false), ResourceLinkID: "57"}, nil,
			`{"id":"%s/1?x=1","label":"Old","scoreMaximum":0.1,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z","endDateTime":"2026-03-01T11:00:00Z","gradesReleased":false,"https://v.example/kept":{"deep":[1.10,"ü"]},"unknown":null}`},
		"cleared": {"", lti.LineItem{}, []string{"tag", "start_time", "grades_released", "extensions_json", "submission_review"},
			`{"id":"%s/1?x=1","label":"Old","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"","unknown":null}`},
		"extensions replaced": {"", lti.LineItem{ExtensionsJSON: `{"https://v.example/new": [ ] }`}, nil,
			`{"id":"%s/1?x=1","label":"Old","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z","https://v.example/new":[],"unknown":null}`},
		"review": {"", lti.LineItem{SubmissionReview: &lti.SubmissionReview{ReviewableStatus: []string{"Submitted"}, Custom: map[string]string{"k": "v"}}}, nil,
			`{"id":"%s/1?x=1","label":"Old","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z","submissionReview":{"reviewableStatus":["Submitted"],"custom":{"k":"v"}},"https://v.example/kept":{"deep":[1.10,"ü"]},"unknown":null}`},
		"Blackboard takes no id": {"blackboard", lti.LineItem{Label: "New"}, nil,
			`{"label":"New","scoreMaximum":10,"resourceLinkId":"57","ltiLinkId":"57","resourceId":"r","tag":"t","startDateTime":"2026-01-01T00:00:00Z","https://v.example/kept":{"deep":[1.10,"ü"]},"unknown":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			var put string
			var b *gradeBook
			b = newGradeBook(t, test.dialect, func(w http.ResponseWriter, r *http.Request, body string) {
				if r.Method == http.MethodGet {
					fmt.Fprintf(w, before, b.url)
					return
				}
				put = body
				io.WriteString(w, body)
			})
			test.item.URI = b.url + "/1?x=1"
			after, err := b.update(test.item, test.mask...)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(test.want, "%s", b.url)
			if !sameJSON(put, want) {
				t.Errorf("put %s, want %s", put, want)
			}
			if strings.ContainsAny(put, "\n\r") || strings.Contains(want, "kept") && !strings.Contains(put, "1.10") {
				t.Errorf("put %s", put)
			}
			_, expected := readLineItem([]byte(want))
			if expected.URI = test.item.URI; !reflect.DeepEqual(after, expected) {
				t.Errorf("answered %+v, want %+v", after, expected)
			}
			if header := b.requests[1].header; header.Get("Content-Type") != lti.MediaTypeLineItem || header.Get("Accept") != lti.MediaTypeLineItem {
				t.Errorf("headers %v", header)
			}
			b.wantLines("GET /1?x=1", "PUT /1?x=1")
		})
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// REQ-145 REQ-146
func TestLineItemFieldsAreChecked(t *testing.T) {
	b := newGradeBook(t, "", func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Method != http.MethodGet {
			t.Errorf("%s was sent", r.Method)
		}
		io.WriteString(w, `{"id":"x","resourceLinkId":"mine"}`)
	})
	good := lti.LineItem{Label: "Q", ScoreMaximum: value(1), Tag: "t"}
	huge := `{"https://v.example/x":"` + strings.Repeat("x", maxExtensionSize) + `"}`
	for field, change := range map[string]func(*lti.LineItem){
		"wanted": func(i *lti.LineItem) { i.Tag = "" }, "wanted.uri": func(i *lti.LineItem) { i.URI = "https://h/1" },
		"wanted.label": func(i *lti.LineItem) { i.Label = "" }, "wanted.label ": func(i *lti.LineItem) { i.Label = " " }, "wanted.label  ": func(i *lti.LineItem) { i.Label = strings.Repeat("x", 1025) },
		"wanted.score_maximum": func(i *lti.LineItem) { i.ScoreMaximum = nil }, "wanted.score_maximum ": func(i *lti.LineItem) { i.ScoreMaximum = value(0) }, "wanted.score_maximum  ": func(i *lti.LineItem) { i.ScoreMaximum = value(-1) },
		"wanted.resource_id": func(i *lti.LineItem) { i.ResourceID = "a\x00" }, "wanted.resource_link_id": func(i *lti.LineItem) { i.ResourceLinkID = "\xff" }, "wanted.tag": func(i *lti.LineItem) { i.Tag = "a\nb" },
		"wanted.start_time": func(i *lti.LineItem) { i.StartTime = time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC) },
		"wanted.end_time":   func(i *lti.LineItem) { i.StartTime, i.EndTime = time.Unix(2e9, 0), time.Unix(1e9, 0) },
		"wanted.submission_review": func(i *lti.LineItem) {
			i.SubmissionReview = &lti.SubmissionReview{ReviewableStatus: []string{"Done"}}
		},
		"wanted.submission_review ":  func(i *lti.LineItem) { i.SubmissionReview = &lti.SubmissionReview{URI: "/r"} },
		"wanted.extensions_json":     func(i *lti.LineItem) { i.ExtensionsJSON = "[]" },
		"wanted.extensions_json ":    func(i *lti.LineItem) { i.ExtensionsJSON = `{"label":"x"}` },
		"wanted.extensions_json  ":   func(i *lti.LineItem) { i.ExtensionsJSON = `{"https://v.example/a":1,"https://v.example/a":2}` },
		"wanted.extensions_json   ":  func(i *lti.LineItem) { i.ExtensionsJSON = huge },
		"wanted.extensions_json    ": func(i *lti.LineItem) { i.ExtensionsJSON = "null" },
	} {
		item := good
		change(&item)
		_, err := b.ensure(item)
		if e := b.wantReason(err, lti.ReasonRequestInvalid); e.Metadata["field"] != strings.TrimSpace(field) {
			t.Errorf("%q: field %q", field, e.Metadata["field"])
		}
	}
	for _, test := range []struct {
		item  lti.LineItem
		mask  []string
		field string
	}{
		{lti.LineItem{Label: "x"}, nil, "item.uri"}, {lti.LineItem{URI: b.url + "/1#x", Label: "x"}, nil, "item.uri"},
		{lti.LineItem{URI: b.url + "/1"}, nil, "update_mask"}, {lti.LineItem{URI: b.url + "/1"}, []string{"label"}, "item.label"}, {lti.LineItem{URI: b.url + "/1"}, []string{"score_maximum"}, "item.score_maximum"},
		{lti.LineItem{URI: b.url + "/1"}, []string{"uri"}, "update_mask"}, {lti.LineItem{URI: b.url + "/1"}, []string{"resource_link_id"}, "update_mask"},
		{lti.LineItem{URI: b.url + "/1"}, []string{"scoreMaximum"}, "update_mask"}, {lti.LineItem{URI: b.url + "/1", ScoreMaximum: value(0)}, []string{"tag"}, "item.score_maximum"},
	} {
		_, err := b.update(test.item, test.mask...)
		if e := b.wantReason(err, lti.ReasonRequestInvalid); e.Metadata["field"] != test.field {
			t.Errorf("%+v by %q: field %q, want %q", test.item, test.mask, e.Metadata["field"], test.field)
		}
	}
	if len(b.lines()) != 0 {
		t.Errorf("%q was sent", b.lines())
	}
	_, err := b.update(lti.LineItem{URI: b.url + "/1", Label: "x", ResourceLinkID: "other"})
	if e := b.wantReason(err, lti.ReasonRequestInvalid); e.Metadata["field"] != "item.resource_link_id" {
		t.Errorf("field %q", e.Metadata["field"])
	}
}
