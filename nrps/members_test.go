// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

const membership = "http://purl.imsglobal.org/vocab/lis/v2/membership"

// tokens hands out t1, t2, ...: the next one after each Drop.
type tokens struct {
	mutex   sync.Mutex
	issued  int
	dropped []string
	scopes  []string
}

func (s *tokens) Token(_ context.Context, _ *platform.Registration, _ string, scopes []string) (platform.ServiceToken, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.issued++
	s.scopes = scopes
	return platform.ServiceToken{AccessToken: platform.NewAccessToken(fmt.Sprintf("t%d", len(s.dropped)+1))}, nil
}

func (s *tokens) Drop(token platform.ServiceToken) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.dropped = append(s.dropped, token.AccessToken.Reveal())
}

// rosterPlatform is a memberships endpoint on a real TLS server, and a Client.
type rosterPlatform struct {
	t            *testing.T
	url          string
	config       Config
	tokens       *tokens
	registration *platform.Registration
	endpoint     lti.MembershipEndpoint
	requests     []*http.Request
	handle       http.HandlerFunc
}

func newRosterPlatform(t *testing.T, handle http.HandlerFunc) *rosterPlatform {
	t.Helper()
	p := &rosterPlatform{t: t, tokens: &tokens{}, handle: handle}
	var mutex sync.Mutex
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		p.requests = append(p.requests, r)
		mutex.Unlock()
		p.handle(w, r)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p.url = server.URL
	p.registration = &platform.Registration{Name: "school"}
	p.endpoint = lti.MembershipEndpoint{Registration: "school", DeploymentID: "d", ContextMembershipsURI: server.URL + "/m"}
	reader, err := pages.NewReader(pages.Config{HTTP: client, Tokens: p.tokens, Allowed: func(_ context.Context, r *platform.Registration, deploymentID, uri string) error {
		if r != p.registration || deploymentID != "d" || !strings.HasPrefix(uri, server.URL) {
			return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.config = Config{Pages: reader}
	return p
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// read returns what came, batch by batch.
func (p *rosterPlatform) read(options Options) ([]Batch, End, error) {
	p.t.Helper()
	client, err := New(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	var batches []Batch
	end, err := client.Members(p.t.Context(), p.registration, p.endpoint, options, func(batch Batch) error {
		batches = append(batches, batch)
		return nil
	})
	return batches, end, err
}

func (p *rosterPlatform) wantUsers(options Options, want ...string) ([]Batch, End) {
	p.t.Helper()
	batches, end, err := p.read(options)
	if err != nil {
		p.t.Fatal(err)
	}
	var users []string
	for i, batch := range batches {
		if len(batch.Members) > maxBatch || i > 0 && (len(batch.Members) == 0 || batch.Context != (lti.RosterContext{})) {
			p.t.Errorf("batch %d has %d members and the context %v", i, len(batch.Members), batch.Context)
		}
		for _, member := range batch.Members {
			users = append(users, member.UserID)
		}
	}
	if len(batches) == 0 || !slices.Equal(users, want) || end.MemberCount != int64(len(want)) {
		p.t.Fatalf("%d batches with %q, end %+v, want %q", len(batches), users, end, want)
	}
	return batches, end
}

func (p *rosterPlatform) wantReason(options Options, reason lti.Reason) *lti.Error {
	p.t.Helper()
	_, end, err := p.read(options)
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason || end != (End{}) {
		p.t.Fatalf("error = %v, end %+v, want %s", err, end, reason)
	}
	for key := range e.Metadata {
		if !slices.Contains(reason.Info().Metadata, key) {
			p.t.Errorf("%s has metadata %q, which its row does not list", reason, key)
		}
	}
	return e
}

// REQ-164 REQ-165 REQ-170 REQ-171 REQ-172 REQ-173 REQ-179
func TestOnePage(t *testing.T) {
	p := newRosterPlatform(t, body(`{"id":"x","extra":{"a":[1,{"b":null}]},"context":{"id":"c","label":null,"title":7,"more":[]},"members":[
		{"user_id":"a","status":"Active","roles":["Learner","`+membership+`#Instructor","urn:odd",7,null,""],"name":"A B","given_name":"A","family_name":"B","middle_name":null,
		 "email":"","picture":"https://p","lis_person_sourcedid":12,"lti11_legacy_user_id":"old","unknown":{},"message":[{"x": 1}]},
		{"user_id":42,"status":null,"roles":null,"message":null},
		{"user_id":"c","status":"Inactive","roles":"Learner, Mentor","name":{"odd":1}},
		{"user_id":"d","status":"http://purl.imsglobal.org/vocab/lis/v2/status#deleted"},
		{"user_id":"e","status":"Suspended","user_id":"e"},
		{"user_id":"caf`+"\xe9"+`"}
	]}`))
	batches, end := p.wantUsers(Options{}, "a", "42", "c", "d", "e", "caf\ufffd")
	if len(batches) != 1 || batches[0].Context != (lti.RosterContext{ID: "c", Title: "7"}) || end.DifferencesURI != "" {
		t.Errorf("batches = %+v, end %+v", batches, end)
	}
	a := batches[0].Members[0]
	if !slices.Equal(a.Roles, []string{membership + "#Learner", membership + "#Instructor", "urn:odd", "7"}) {
		t.Errorf("roles = %q", a.Roles)
	}
	a.Roles = nil
	if fmt.Sprint(a) != fmt.Sprint(lti.Member{UserID: "a", Status: "Active", Name: "A B", GivenName: "A", FamilyName: "B", Picture: "https://p", PersonSourcedID: "12", LTI11LegacyUserID: "old", MessageJSON: `[{"x": 1}]`}) {
		t.Errorf("member = %+v", a)
	}
	var statuses []string
	for _, member := range batches[0].Members {
		statuses = append(statuses, member.Status)
	}
	if got := strings.Join(statuses, " "); got != "Active Active Inactive Deleted Inactive Active" {
		t.Errorf("statuses = %s", got)
	}
	if got := batches[0].Members[2].Roles; !slices.Equal(got, []string{membership + "#Learner", membership + "#Mentor"}) {
		t.Errorf("roles = %q", got)
	}
	r := p.requests[0]
	if r.Method != "GET" || r.RequestURI != "/m" || r.Header.Get("Authorization") != "Bearer t1" ||
		!slices.Equal(r.Header["Accept"], []string{"application/vnd.ims.lti-nrps.v2.membershipcontainer+json"}) {
		t.Errorf("request = %s %s %v", r.Method, r.RequestURI, r.Header)
	}
	if !slices.Equal(p.tokens.scopes, []string{"https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"}) {
		t.Errorf("scopes = %q", p.tokens.scopes)
	}
}

func TestEmptyRosters(t *testing.T) {
	for name, text := range map[string]string{
		"Sakai's empty body": "", "blank": " \n", "no members": `{"context":{"id":"c"},"members":[]}`, "null members": `{"members":null,"context":{"id":"c"}}`,
	} {
		p := newRosterPlatform(t, body(text))
		batches, _ := p.wantUsers(Options{})
		if len(batches) != 1 || strings.Contains(text, "context") != (batches[0].Context.ID == "c") {
			t.Errorf("%s: batches = %+v", name, batches)
		}
	}
}

// REQ-168 REQ-169
func TestQueryIsAppended(t *testing.T) {
	for start, want := range map[string]string{
		"/m":                     "/m?role=http%3A%2F%2Fpurl.imsglobal.org%2Fvocab%2Flis%2Fv2%2Fmembership%23Learner&rlid=a%2Bb%26c&limit=50",
		"/m?placement_id=_5%3A1": "/m?placement_id=_5%3A1&role=http%3A%2F%2Fpurl.imsglobal.org%2Fvocab%2Flis%2Fv2%2Fmembership%23Learner&rlid=a%2Bb%26c&limit=50",
		"/m?":                    "/m?role=http%3A%2F%2Fpurl.imsglobal.org%2Fvocab%2Flis%2Fv2%2Fmembership%23Learner&rlid=a%2Bb%26c&limit=50",
	} {
		p := newRosterPlatform(t, body(""))
		p.endpoint.ContextMembershipsURI = p.url + start
		p.wantUsers(Options{Role: "Learner", ResourceLinkID: "a+b&c", PageSizeHint: 50})
		if got := p.requests[0].RequestURI; got != want {
			t.Errorf("%s: asked for %s, want %s", start, got, want)
		}
	}
}

func TestRoleIsFilteredHereToo(t *testing.T) {
	p := newRosterPlatform(t, body(`{"members":[{"user_id":"l","roles":["Learner"]},{"user_id":"t","roles":["Instructor"]},
		{"user_id":"a","roles":["`+membership+`/Instructor#TeachingAssistant"]},{"user_id":"x","roles":["`+membership+`/Learner#Instructor"]},
		{"user_id":"i","roles":["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"]},
		{"user_id":"l","roles":["Instructor"]},{"user_id":"n"}]}`))
	p.wantUsers(Options{Role: "Instructor"}, "t", "a", "l")
	p.wantUsers(Options{Role: membership + "#Learner"}, "l", "x")
	p.wantUsers(Options{Role: membership + "/Instructor#TeachingAssistant"}, "a")
	p.wantUsers(Options{}, "l", "t", "a", "x", "i", "n")
}

// REQ-166 REQ-167 REQ-175
func TestPagesAreFollowedVerbatim(t *testing.T) {
	p := newRosterPlatform(t, nil)
	p.handle = func(w http.ResponseWriter, r *http.Request) {
		switch r.RequestURI {
		case "/m?limit=2":
			w.Header().Set("Link", "<"+p.url+"/M?Page=2&amp;per_page=2>; rel=\u201cnext\u201d")
			io.WriteString(w, `{"context":{"id":"c"},"members":[{"user_id":"a"},{"user_id":"b"}]}`)
		case "/M?Page=2&per_page=2":
			w.Header().Add("Link", `</m?limit=2>; rel="first"`)
			w.Header().Add("Link", `<?Page=3>; rel="next"`)
			io.WriteString(w, `{"context":{"id":"other"},"members":[{"user_id":"b"}]}`)
		case "/M?Page=3":
			w.Header().Set("Link", `</m/d?since=5>; rel="differences"`)
			io.WriteString(w, `{"members":[{"user_id":"c"}]}`)
		default:
			t.Errorf("asked for %s", r.RequestURI)
		}
	}
	batches, end := p.wantUsers(Options{PageSizeHint: 2}, "a", "b", "c")
	if batches[0].Context.ID != "c" || end.DifferencesURI != p.url+"/m/d?since=5" {
		t.Errorf("context %v, end %+v", batches[0].Context, end)
	}
}

// REQ-175
func TestDifferencesURIIsUsedAsItIs(t *testing.T) {
	p := newRosterPlatform(t, body(`{"members":[{"user_id":"a","status":"Deleted","roles":["Learner"]}]}`))
	p.endpoint.ContextMembershipsURI = ""
	p.wantUsers(Options{Role: "Learner", PageSizeHint: 5, ResourceLinkID: "r", DifferencesURI: p.url + "/d?since=5"}, "a")
	if got := p.requests[0].RequestURI; got != "/d?since=5" {
		t.Errorf("asked for %s", got)
	}
	p.wantReason(Options{DifferencesURI: "https://evil.example/d"}, lti.ReasonServiceOriginPending)
}

func TestBatches(t *testing.T) {
	for _, order := range []string{`{"context":{"id":"c"},"members":[%s]}`, `{"members":[%s],"context":{"id":"c"}}`} {
		var members, users []string
		for i := range 2*maxBatch + 1 {
			members, users = append(members, fmt.Sprintf(`{"user_id":"%d"}`, i)), append(users, fmt.Sprint(i))
		}
		p := newRosterPlatform(t, body(fmt.Sprintf(order, strings.Join(members, ","))))
		batches, _ := p.wantUsers(Options{}, users...)
		if len(batches) != 3 || batches[0].Context.ID != "c" {
			t.Errorf("%d batches, context %v", len(batches), batches[0].Context)
		}
	}
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	long := strings.Repeat("n", maxBatchBytes/4)
	var members, users []string
	for i := range 10 {
		members, users = append(members, fmt.Sprintf(`{"user_id":"%d","name":"%s"}`, i, long)), append(users, fmt.Sprint(i))
	}
	p := newRosterPlatform(t, body(`{"context":{"id":"c"},"members":[`+strings.Join(members, ",")+`]}`))
	if batches, _ := p.wantUsers(Options{}, users...); len(batches) != 3 {
		t.Errorf("%d batches", len(batches))
	}
}

// REQ-178
func TestAnswersRefused(t *testing.T) {
	member := `{"user_id":"a"}`
	for name, test := range map[string]struct {
		body, detail string
	}{
		"a page":             {"<html>", "it is not JSON"},
		"a list":             {"[]", "it is not a JSON object"},
		"text":               {`"x"`, "it is not a JSON object"},
		"no members":         {`{"context":{"id":"c"}}`, "it has no list of members"},
		"old format":         {`{"@context":"x","pageOf":{"membershipSubject":{"membership":[]}}}`, "it has no list of members"},
		"members an object":  {`{"members":{}}`, "its members are not a list"},
		"cut":                {`{"members":[` + member + `,`, "it ends too early"},
		"cut after the list": {`{"members":[` + member + `]`, "it ends too early"},
		"something after":    {`{"members":[` + member + `]}{}`, "something follows the JSON object"},
		"rubbish after":      {`{"members":[` + member + `]} x`, "it is not JSON"},
		"no user_id":         {`{"members":[` + member + `,{"name":"b"}]}`, "member 2 has no user_id"},
		"null user_id":       {`{"members":[{"user_id":null}]}`, "member 1 has no user_id"},
		"empty user_id":      {`{"members":[{"user_id":""}]}`, "member 1 has no user_id"},
		"object user_id":     {`{"members":[{"user_id":{}}]}`, "member 1 has no user_id"},
		"fraction user_id":   {`{"members":[{"user_id":1.5}]}`, "member 1 has no user_id"},
		"null member":        {`{"members":[null]}`, "member 1 is not an object"},
		"long value":         {`{"members":[{"user_id":"a","name":"` + strings.Repeat("x", maxValueBytes+(256<<10)) + `"}]}`, fmt.Sprintf("one of its values is longer than %d bytes", maxValueBytes)},
	} {
		p := newRosterPlatform(t, body(test.body))
		if e := p.wantReason(Options{}, lti.ReasonPlatformAnswerInvalid); e.Metadata["detail"] != test.detail {
			t.Errorf("%s: detail %q, want %q", name, e.Metadata["detail"], test.detail)
		}
	}
}

// REQ-177
func TestNextPageRefused(t *testing.T) {
	for name, test := range map[string]struct {
		link, detail string
	}{
		"other host":     {`<https://evil.example/m>; rel="next"`, "its next page lies on another origin, https://evil.example, to which the service token does not go"},
		"other scheme":   {`<http://127.0.0.1/m>; rel="next"`, "its next page lies on another origin, http://127.0.0.1, to which the service token does not go"},
		"relative host":  {`<//evil.example/m>; rel="next"`, "its next page lies on another origin, https://evil.example, to which the service token does not go"},
		"no web":         {`<mailto:a@evil.example>; rel="next"`, "its link to the next page is no URI of a service"},
		"with a user":    {`<https://u:p@evil.example/m>; rel="next"`, "its link to the next page is no URI of a service"},
		"empty":          {`<>; rel="next"`, "its next page is one that came before"},
		"itself":         {`</m>; rel="next"`, "its next page is one that came before"},
		"several":        {`</a>; rel="next", </b>; rel="next"`, "it names several next pages"},
		"malformed":      {`</a; rel="next"`, "its Link header is malformed"},
		"not a URI":      {`<%zz>; rel="next"`, "its link to the next page is no URI"},
		"no differences": {`<%zz>; rel="differences"`, "its link to the differences is no URI"},
	} {
		p := newRosterPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", test.link)
			io.WriteString(w, `{"members":[{"user_id":"a"}]}`)
		})
		if e := p.wantReason(Options{}, lti.ReasonPlatformAnswerInvalid); e.Metadata["detail"] != test.detail {
			t.Errorf("%s: detail %q, want %q", name, e.Metadata["detail"], test.detail)
		}
		if len(p.requests) != 1 {
			t.Errorf("%s: %d requests", name, len(p.requests))
		}
	}
}

// REQ-166
func TestLoopOverTwoPagesIsFound(t *testing.T) {
	p := newRosterPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", map[string]string{"/m": `</n>; rel="next"`, "/n": `</m>; rel="next"`}[r.URL.Path])
		io.WriteString(w, `{"members":[]}`)
	})
	p.wantReason(Options{}, lti.ReasonPlatformAnswerInvalid)
	if len(p.requests) != 2 {
		t.Errorf("%d requests", len(p.requests))
	}
}

// REQ-166
func TestLimits(t *testing.T) {
	page := 0
	p := newRosterPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		page++
		w.Header().Set("Link", fmt.Sprintf(`</m?p=%d>; rel="next"`, page))
		io.WriteString(w, `{"members":[{"user_id":"a"},{"user_id":"a"}]}`)
	})
	p.config.MaxPages = 3
	if e := p.wantReason(Options{}, lti.ReasonRosterTooLarge); e.Metadata["limit"] != "3 pages" || page != 3 {
		t.Errorf("metadata %v after %d pages", e.Metadata, page)
	}
	p.config.MaxPages, p.config.MaxMembers = 0, 5
	if e := p.wantReason(Options{}, lti.ReasonRosterTooLarge); e.Metadata["limit"] != "5 members" {
		t.Errorf("metadata %v", e.Metadata)
	}
}

func TestStatuses(t *testing.T) {
	for name, test := range map[string]struct {
		dialect  string
		status   int
		body     string
		header   map[string]string
		reason   lti.Reason
		requests int
	}{
		"401":                 {"", 401, `{"reason":"no"}`, nil, lti.ReasonServiceRefused, 2},
		"403":                 {"", 403, "", nil, lti.ReasonServiceRefused, 2},
		"403 Canvas throttle": {"canvas", 403, "Rate Limit Exceeded", nil, lti.ReasonPlatformThrottled, 1},
		"404":                 {"", 404, "", nil, lti.ReasonServiceRefused, 1},
		"404 page Moodle":     {"moodle", 404, "<html>", map[string]string{"Content-Type": "text/html"}, lti.ReasonPlatformUnavailable, 1},
		"404 JSON Moodle":     {"moodle", 404, "{}", map[string]string{"Content-Type": "application/json"}, lti.ReasonServiceRefused, 1},
		"302":                 {"", 302, "", map[string]string{"Location": "/x"}, lti.ReasonServiceRefused, 1},
		"429":                 {"", 429, "", map[string]string{"Retry-After": "9"}, lti.ReasonPlatformThrottled, 1},
		"500":                 {"", 500, "", nil, lti.ReasonPlatformUnavailable, 1},
		"503":                 {"", 503, "", map[string]string{"Retry-After": "9"}, lti.ReasonPlatformUnavailable, 1},
	} {
		p := newRosterPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range test.header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		p.registration.Dialect = test.dialect
		e := p.wantReason(Options{}, test.reason)
		if len(p.requests) != test.requests || e.Metadata["platform_status"] != fmt.Sprint(test.status) {
			t.Errorf("%s: %d requests, metadata %v", name, len(p.requests), e.Metadata)
		}
		if test.header["Retry-After"] != "" && e.RetryAfter.Seconds() != 9 {
			t.Errorf("%s: RetryAfter %v", name, e.RetryAfter)
		}
	}
}

func TestExpiredTokenIsReplacedOnAnyPage(t *testing.T) {
	p := newRosterPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/m" {
			w.Header().Set("Link", `</2>; rel="next"`)
			io.WriteString(w, `{"members":[{"user_id":"a"}]}`)
			return
		}
		if r.Header.Get("Authorization") == "Bearer t1" {
			w.WriteHeader(401)
			return
		}
		io.WriteString(w, `{"members":[{"user_id":"b"}]}`)
	})
	p.wantUsers(Options{}, "a", "b")
	if !slices.Equal(p.tokens.dropped, []string{"t1"}) || len(p.requests) != 3 {
		t.Errorf("dropped %q, %d requests", p.tokens.dropped, len(p.requests))
	}
}

func TestFailingPageIsAnErrorAfterWhatCame(t *testing.T) {
	for name, second := range map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"members":[{"user_id":"b"},`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		p := newRosterPlatform(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/2" {
				second(w, r)
				return
			}
			w.Header().Set("Link", `</2>; rel="next"`)
			io.WriteString(w, `{"members":[{"user_id":"a"}]}`)
		})
		reason := map[string]lti.Reason{"503": lti.ReasonPlatformUnavailable, "cut": lti.ReasonPlatformUnreachable}[name]
		members := map[string]string{"503": "1", "cut": "2"}[name]
		if e := p.wantReason(Options{}, reason); e.Metadata["pages"] != "1" || e.Metadata["members"] != members || !strings.HasSuffix(e.Message, " It came after 1 whole pages and "+members+" members.") {
			t.Errorf("%s: %s %v", name, e.Message, e.Metadata)
		}
	}
	p := newRosterPlatform(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	if e := p.wantReason(Options{}, lti.ReasonPlatformUnavailable); e.Metadata["pages"] != "" {
		t.Errorf("nothing had come: %v", e.Metadata)
	}
}

func TestYieldEndsTheRoster(t *testing.T) {
	p := newRosterPlatform(t, body(`{"context":{"id":"c"},"members":[{"user_id":1}]}`))
	client, err := New(p.config)
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	if _, err := client.Members(t.Context(), p.registration, p.endpoint, Options{}, func(Batch) error { return gone }); err != gone {
		t.Errorf("error = %v", err)
	}
	var members []string
	for i := range maxBatch {
		members = append(members, fmt.Sprintf(`{"user_id":%d}`, i))
	}
	p.handle = body(`{"context":{"id":"c"},"members":[` + strings.Join(members, ",") + `, broken`)
	if _, err := client.Members(t.Context(), p.registration, p.endpoint, Options{}, func(Batch) error { return gone }); err != gone {
		t.Errorf("in the middle of a page: %v", err)
	}
}

func TestRequestIsChecked(t *testing.T) {
	p := newRosterPlatform(t, body(""))
	p.registration.Dialect = "moodle"
	for field, options := range map[string]Options{
		"role": {Role: "Boss"}, "page_size_hint": {PageSizeHint: MaxPageSizeHint + 1},
	} {
		if e := p.wantReason(options, lti.ReasonRequestInvalid); e.Metadata["field"] != field {
			t.Errorf("metadata = %v", e.Metadata)
		}
	}
	for missing, change := range map[string]func(){
		"context_memberships_uri": func() { p.endpoint.ContextMembershipsURI = "" },
		"service_versions 2.0":    func() { p.endpoint.ServiceVersions = []string{"1.0"} },
	} {
		whole := p.endpoint
		change()
		if e := p.wantReason(Options{}, lti.ReasonServiceNotOffered); e.Metadata["missing"] != missing || !strings.Contains(e.Message, "In Moodle") {
			t.Errorf("%v %v", e, e.Metadata)
		}
		p.endpoint = whole
	}
	p.endpoint.ServiceVersions = []string{"1.0", "2.0"}
	p.wantUsers(Options{})
	p.endpoint.ContextMembershipsURI = "https://evil.example/m"
	issued := p.tokens.issued
	p.wantReason(Options{}, lti.ReasonServiceOriginPending)
	p.endpoint.ContextMembershipsURI = p.url + "/m#x"
	p.wantReason(Options{}, lti.ReasonRequestInvalid)
	if p.tokens.issued != issued {
		t.Error("a token was fetched")
	}
}

// REQ-180
func TestMemoryDoesNotGrowWithTheRoster(t *testing.T) {
	const people = 40_000
	p := newRosterPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"context":{"id":"c"},"members":[`)
		for i := range people {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"user_id":"user-%d","name":"%0200d","roles":["Learner"]}`, i, i)
		}
		io.WriteString(w, `]}`)
	})
	client, err := New(p.config)
	if err != nil {
		t.Fatal(err)
	}
	count, highest := 0, uint64(0)
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc
	end, err := client.Members(t.Context(), p.registration, p.endpoint, Options{}, func(batch Batch) error {
		if count += len(batch.Members); count%10_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			highest = max(highest, stats.HeapAlloc)
		}
		return nil
	})
	if err != nil || end.MemberCount != people || count != people {
		t.Fatalf("%d of %+v, %v", count, end, err)
	}
	// The text is 10 MB; the hashes of 40,000 users take some 2 MB.
	if grown := int64(highest) - int64(before); grown > 7<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}
