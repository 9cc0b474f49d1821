// SPDX-License-Identifier: Apache-2.0

package groups

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

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// tokens gives one token and notes the scopes that were asked for.
type tokens struct {
	mutex  sync.Mutex
	scopes []string
}

func (s *tokens) Token(_ context.Context, _ *platform.Registration, _ string, scopes []string) (platform.ServiceToken, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.scopes = append(s.scopes, scopes...)
	return platform.ServiceToken{AccessToken: platform.NewAccessToken("t")}, nil
}

func (s *tokens) Drop(platform.ServiceToken) {}

// groupsPlatform is a groups service on a real TLS server, and a Client.
type groupsPlatform struct {
	t            *testing.T
	url          string
	config       Config
	tokens       *tokens
	registration *platform.Registration
	endpoint     lti.GroupEndpoint
	mutex        sync.Mutex
	requests     []*http.Request
}

func newPlatform(t *testing.T, handle http.HandlerFunc) *groupsPlatform {
	t.Helper()
	s := &groupsPlatform{t: t, tokens: &tokens{}, registration: &platform.Registration{Name: "school"}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		s.requests = append(s.requests, r)
		s.mutex.Unlock()
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	reader, err := pages.NewReader(pages.Config{HTTP: client, Tokens: s.tokens, Allowed: func(_ context.Context, r *platform.Registration, _, uri string) error {
		if !strings.HasPrefix(uri, server.URL) {
			return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.config = server.URL, Config{Pages: reader}
	s.endpoint = lti.GroupEndpoint{
		Registration: "school", DeploymentID: "d", GroupsURI: server.URL + "/groups?course=4", GroupSetsURI: server.URL + "/sets",
		Scopes: []string{lti.ScopeGroups}, ServiceVersions: []string{"1.0"},
	}
	return s
}

func (s *groupsPlatform) client() *Client {
	s.t.Helper()
	client, err := New(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func (s *groupsPlatform) groups(options Options) ([]lti.Group, error) {
	s.t.Helper()
	return s.client().Groups(s.t.Context(), s.registration, s.endpoint, options)
}

func (s *groupsPlatform) wantReason(err error, reason lti.Reason) *lti.Error {
	s.t.Helper()
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		s.t.Fatalf("error = %v, want %s", err, reason)
	}
	for key := range e.Metadata {
		if !slices.Contains(reason.Info().Metadata, key) {
			s.t.Errorf("%s has metadata %q, which its row does not list", reason, key)
		}
	}
	return e
}

// REQ-245
func TestGroupsAndSets(t *testing.T) {
	s := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RequestURI() {
		case "/groups?course=4&user_id=u%26+1&limit=2":
			w.Header().Set("Link", `</groups?page=2>; rel="next"`)
			io.WriteString(w, `{"id":"x","groups":[{"id":"g1","name":"A","tag":"lab","set_ids":["s1","s2","s1"],"hidden":true,"more":[]},{"id":2,"name":null,"set_id":"s1"}]}`)
		case "/groups?page=2":
			io.WriteString(w, `{"groups":[{"id":"g1","name":"again"},{"id":"g3","name":"C","set_id":["s3"],"hidden":"false","set_ids":null}]}`)
		case "/sets":
			io.WriteString(w, `{"sets":[{"id":"s1","name":"Labs","tag":"t","hidden":"true"},{"id":"s2"}]}`)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	groups, err := s.groups(Options{UserID: "u& 1", PageSizeHint: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := []lti.Group{{ID: "g1", Name: "A", Tag: "lab", Hidden: true, SetIDs: []string{"s1", "s2"}}, {ID: "2", SetIDs: []string{"s1"}}, {ID: "g3", Name: "C", SetIDs: []string{"s3"}}}
	if !reflect.DeepEqual(groups, want) {
		t.Errorf("groups = %+v", groups)
	}
	sets, err := s.client().Sets(t.Context(), s.registration, s.endpoint, Options{UserID: "u"})
	if err != nil || !reflect.DeepEqual(sets, []lti.GroupSet{{ID: "s1", Name: "Labs", Tag: "t", Hidden: true}, {ID: "s2"}}) {
		t.Errorf("sets = %+v, %v", sets, err)
	}
	for i, mediaType := range []string{"contextgroupcontainer", "contextgroupcontainer", "contextgroupsetcontainer"} {
		if got := s.requests[i].Header["Accept"]; !slices.Equal(got, []string{"application/vnd.ims.lti-gs.v1." + mediaType + "+json"}) || s.requests[i].Method != "GET" || s.requests[i].Header.Get("Authorization") != "Bearer t" {
			t.Errorf("request %d: %s %v", i, s.requests[i].Method, s.requests[i].Header)
		}
	}
	if !slices.Equal(slices.Compact(s.tokens.scopes), []string{"https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"}) {
		t.Errorf("scopes = %q", s.tokens.scopes)
	}
}

func TestContextWithoutGroups(t *testing.T) {
	for _, text := range []string{"", " \n", `{"groups":[]}`, `{"groups":null}`} {
		s := newPlatform(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
		if groups, err := s.groups(Options{}); err != nil || len(groups) != 0 {
			t.Errorf("%q: %v, %v", text, groups, err)
		}
	}
	s := newPlatform(t, func(http.ResponseWriter, *http.Request) { t.Error("asked for sets that are not offered") })
	s.endpoint.GroupSetsURI = ""
	if sets, err := s.client().Sets(t.Context(), s.registration, s.endpoint, Options{}); err != nil || len(sets) != 0 {
		t.Errorf("sets = %v, %v", sets, err)
	}
}

func TestAnswersRefused(t *testing.T) {
	for text, detail := range map[string]string{
		"<html>":                             "it is not JSON",
		`{"groups":[`:                        "it is not JSON",
		`{"groups":[]} x`:                    "it is not JSON",
		`[]`:                                 "it is not a JSON object",
		`null`:                               "it is not a JSON object",
		`{"sets":[]}`:                        "it has no list of groups",
		`{"groups":{}}`:                      "its groups are not a list",
		`{"groups":[{"id":"a"},null]}`:       "group 2 is not an object",
		`{"groups":[{"name":"a"}]}`:          "group 1 has no id",
		`{"groups":[{"id":""}]}`:             "group 1 has no id",
		`{"groups":[{"id":1.5}]}`:            "group 1 has no id",
		`{"groups":[{"id":{"group_id":1}}]}`: "group 1 has no id",
	} {
		s := newPlatform(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
		_, err := s.groups(Options{})
		if e := s.wantReason(err, lti.ReasonPlatformAnswerInvalid); e.Metadata["detail"] != detail {
			t.Errorf("%s: detail %q, want %q", text, e.Metadata["detail"], detail)
		}
	}
}

// Sakai writes next links of groups that lead to an address it does not have. It sends all groups where no page size is
// asked for; where it writes such a link all the same, the list is an error and not short.
func TestSakaiIsNotAskedForPages(t *testing.T) {
	broken := false
	s := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.RequestURI() != "/groups?course=4":
			http.NotFound(w, r)
		case broken:
			w.Header().Set("Link", `</groupsservice?start=2>; rel="next"`)
			fallthrough
		default:
			io.WriteString(w, `{"groups":[{"id":"a"}]}`)
		}
	})
	s.registration.Dialect = "sakai"
	if groups, err := s.groups(Options{PageSizeHint: 1}); err != nil || len(groups) != 1 {
		t.Errorf("groups = %v, %v", groups, err)
	}
	broken = true
	_, err := s.groups(Options{})
	s.wantReason(err, lti.ReasonServiceRefused)
}

func TestLimits(t *testing.T) {
	name := strings.Repeat("n", maxBytes/4)
	page := 0
	s := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		page++
		w.Header().Set("Link", fmt.Sprintf(`</groups?page=%d>; rel="next"`, page))
		if r.URL.Query().Get("user_id") != "" {
			name = ""
		}
		fmt.Fprintf(w, `{"groups":[{"id":"g%d","name":%q}]}`, page, name)
	})
	_, err := s.groups(Options{})
	if e := s.wantReason(err, lti.ReasonListTooLarge); e.Metadata["limit"] != fmt.Sprintf("%d bytes", maxBytes) {
		t.Errorf("metadata = %v", e.Metadata)
	}
	s.config.MaxGroups, name = 3, ""
	_, err = s.groups(Options{})
	if e := s.wantReason(err, lti.ReasonListTooLarge); e.Metadata["limit"] != "3 groups" {
		t.Errorf("metadata = %v", e.Metadata)
	}
	s.config.MaxGroups, page = 0, 0
	_, err = s.groups(Options{})
	if e := s.wantReason(err, lti.ReasonListTooLarge); e.Metadata["limit"] != fmt.Sprintf("%d pages", maxPages) || page != maxPages {
		t.Errorf("metadata = %v after %d pages", e.Metadata, page)
	}
}

func TestRequestIsChecked(t *testing.T) {
	s := newPlatform(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for field, options := range map[string]Options{"page_size_hint": {PageSizeHint: MaxPageSizeHint + 1}, "user_id": {UserID: strings.Repeat("u", 4*lti.MaxIDLength+1)}} {
		_, err := s.groups(options)
		if e := s.wantReason(err, lti.ReasonRequestInvalid); e.Metadata["field"] != field {
			t.Errorf("metadata = %v", e.Metadata)
		}
	}
	for missing, change := range map[string]func(*lti.GroupEndpoint){
		"context_groups_uri":   func(e *lti.GroupEndpoint) { e.GroupsURI, e.GroupSetsURI = "", "" },
		"service_versions 1.0": func(e *lti.GroupEndpoint) { e.ServiceVersions = []string{"2.0"} },
		lti.ScopeGroups:        func(e *lti.GroupEndpoint) { e.Scopes = []string{lti.ScopeMemberships} },
	} {
		endpoint := s.endpoint
		change(&endpoint)
		_, err := s.client().Groups(t.Context(), s.registration, endpoint, Options{})
		if e := s.wantReason(err, lti.ReasonServiceNotOffered); e.Metadata["missing"] != missing {
			t.Errorf("metadata = %v", e.Metadata)
		}
		_, err = s.client().Sets(t.Context(), s.registration, endpoint, Options{})
		s.wantReason(err, lti.ReasonServiceNotOffered)
	}
	s.endpoint.GroupsURI = "https://evil.example/groups"
	_, err := s.groups(Options{})
	s.wantReason(err, lti.ReasonServiceOriginPending)
	if len(s.tokens.scopes) > 0 {
		t.Error("a token was fetched")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a Client without Pages")
	}
}

// FuzzDecode holds a page to the standard library's reading of it: what it takes as a list of objects with ids must be
// taken here, with the same ids, and nothing else.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", `{"groups":[{"id":"a","set_ids":["b"],"hidden":true}]}`, `{"groups":[{"id":"a"},{"id":"a"}],"groups":null}`, `{"groups":[{"id":1e3}]}`, `{"groups":[{"id":"\ud800"}]}`, `[]`, "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		elements, err := decode(strings.NewReader(text), kind{member: "groups", element: "group"})
		var page struct {
			Groups []struct {
				ID string `json:"id"`
			} `json:"groups"`
		}
		wellFormed := strings.ToLower(text) == text && json.Unmarshal([]byte(text), &page) == nil && strings.Count(text, "groups") == 1 && strings.Count(text, `"id"`) == len(page.Groups) && len(page.Groups) > 0 && !strings.ContainsAny(text, "\\")
		for _, group := range page.Groups {
			wellFormed = wellFormed && group.ID != ""
		}
		if wellFormed {
			if err != nil || len(elements) != len(page.Groups) {
				t.Fatalf("%q: %d elements, %v, want %d", text, len(elements), err, len(page.Groups))
			}
			for i, group := range page.Groups {
				if elements[i].id != group.ID {
					t.Errorf("%q: id %q, want %q", text, elements[i].id, group.ID)
				}
			}
		}
		for i := range elements {
			if elements[i].id == "" || slices.Contains(elements[i].setIDs(), "") {
				t.Errorf("%q: an empty id", text)
			}
		}
		if err == nil && strings.TrimSpace(text) != "" && !json.Valid([]byte(text)) && strings.ToValidUTF8(text, "") == text && !strings.Contains(text, `\u`) {
			t.Errorf("%q was taken, and is not JSON", text)
		}
	})
}
