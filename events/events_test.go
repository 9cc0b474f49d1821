// SPDX-License-Identifier: Apache-2.0

package events

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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

var now = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

const envelope = `{"sensor":"https://tool.example/sensor", "sendTime":"2031-05-06T07:08:09.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p2",
	"data":[{"id":"urn:uuid:1","type":"SessionEvent","actor":"https://lms.example/user/1"}],"more":{"kept": 1.50}}`

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

// sensor is a Caliper endpoint on a real TLS server, and a Client.
type sensor struct {
	*Client
	t            *testing.T
	tokens       *tokens
	registration *platform.Registration
	endpoint     lti.EventEndpoint
	mutex        sync.Mutex
	requests     []*http.Request
	bodies       []string
}

func newSensor(t *testing.T, handle http.HandlerFunc) *sensor {
	t.Helper()
	s := &sensor{t: t, tokens: &tokens{}, registration: &platform.Registration{Name: "school"}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mutex.Lock()
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
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
	s.Client, err = New(Config{HTTP: client, Tokens: s.tokens, Now: func() time.Time { return now }, Allowed: func(_ context.Context, r *platform.Registration, deploymentID, uri string) error {
		if deploymentID != "d" || !strings.HasPrefix(uri, server.URL) {
			return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.endpoint = lti.EventEndpoint{Registration: "school", DeploymentID: "d", URI: server.URL + "/caliper?key=1", Scopes: []string{lti.ScopeSendEvents}}
	return s
}

func (s *sensor) wantReason(envelope string, reason lti.Reason) *lti.Error {
	s.t.Helper()
	_, err := s.Send(s.t.Context(), s.registration, s.endpoint, envelope)
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

// REQ-246
func TestEnvelopeIsSentAsItIs(t *testing.T) {
	for _, status := range []int{200, 201, 202, 204} {
		s := newSensor(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		taken, err := s.Send(t.Context(), s.registration, s.endpoint, envelope)
		if err != nil || !taken.Equal(now) {
			t.Fatalf("%d: %v, %v", status, taken, err)
		}
		r := s.requests[0]
		if len(s.bodies) != 1 || s.bodies[0] != envelope || r.Method != "POST" || r.RequestURI != "/caliper?key=1" || r.Header.Get("Authorization") != "Bearer t1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %s", r.Method, r.RequestURI, r.Header, s.bodies)
		}
		if !slices.Equal(s.tokens.scopes, []string{"https://purl.imsglobal.org/spec/lti-ces/v1p0/scope/send"}) {
			t.Errorf("scopes = %q", s.tokens.scopes)
		}
	}
}

func TestEnvelopesRefused(t *testing.T) {
	s := newSensor(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	change := func(old, new string) string {
		changed := strings.Replace(envelope, old, new, 1)
		if changed == envelope {
			t.Fatalf("%q is not in the envelope", old)
		}
		return changed
	}
	for text, want := range map[string]string{
		"":                                      "no JSON object",
		"[" + envelope + "]":                    "no JSON object",
		"null":                                  "no JSON object",
		envelope + "x":                          "no JSON object",
		change(`"more"`, `"sensor":"x","more"`): "names a member twice",
		change(`"sensor"`, `"sensors"`):         "sensor is missing",
		change(`"https://tool.example/sensor"`, `""`):                   "sensor is missing",
		change(`"http://purl.imsglobal.org/ctx/caliper/v1p2"`, `1.2`):   "dataVersion is missing",
		change(`"2031-05-06T07:08:09.000Z"`, `"yesterday"`):             "sendTime is no time",
		change(`"2031-05-06T07:08:09.000Z"`, `1`):                       "sendTime is missing",
		change(`"data":[`, `"date":[`):                                  "data is missing",
		change(`"data":[{`, `"data":[],"old":[{`):                       "0 events",
		change(`"data":[{`, `"data":[null,{`):                           "data[0] is no object",
		change(`"data":[{`, `"data":[`+strings.Repeat(`{},`, 1000)+`{`): "1001 events",
		change(`1.50`, `"`+strings.Repeat("x", MaxEnvelope)+`"`):        "more than 196608",
		change(`1.50`, "\"\xff\""):                                      "no JSON object",
	} {
		if e := s.wantReason(text, lti.ReasonRequestInvalid); e.Metadata["field"] != "envelope_json" || !strings.Contains(e.Message, want) {
			t.Errorf("%.80s: %s, want %q", text, e.Message, want)
		}
	}
	if s.tokens.issued > 0 {
		t.Error("a token was fetched")
	}
	if err := Check(change(`"data":[{`, `"data":[`+strings.Repeat(`{},`, 999)+`{`)); err != nil {
		t.Error(err)
	}
}

func TestEndpointsRefused(t *testing.T) {
	s := newSensor(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	whole := s.endpoint
	for missing, change := range map[string]func(){
		"caliper_endpoint_uri": func() { s.endpoint.URI = "" },
		lti.ScopeSendEvents:    func() { s.endpoint.Scopes = []string{"https://purl.imsglobal.org/spec/lti-ces/v1p0/scope/other"} },
	} {
		change()
		if e := s.wantReason(envelope, lti.ReasonServiceNotOffered); e.Metadata["missing"] != missing {
			t.Errorf("metadata = %v", e.Metadata)
		}
		s.endpoint = whole
	}
	s.endpoint.URI = whole.URI + "#x"
	s.wantReason(envelope, lti.ReasonRequestInvalid)
	s.endpoint.URI = "https://evil.example/caliper"
	s.wantReason(envelope, lti.ReasonServiceOriginPending)
	if s.tokens.issued > 0 {
		t.Error("a token was fetched")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a Client without its parts")
	}
}

func TestStatuses(t *testing.T) {
	for name, test := range map[string]struct {
		dialect  string
		status   int
		body     string
		reason   lti.Reason
		requests int
	}{
		"400":             {"", 400, `{"error":"bad actor"}`, lti.ReasonServiceRefused, 1},
		"401":             {"", 401, "", lti.ReasonServiceRefused, 2},
		"403":             {"", 403, "", lti.ReasonServiceRefused, 2},
		"403 Moodle":      {"moodle", 403, "", lti.ReasonServiceRefused, 1},
		"302":             {"", 302, "", lti.ReasonServiceRefused, 1},
		"413":             {"", 413, "", lti.ReasonServiceRefused, 1},
		"429":             {"", 429, "", lti.ReasonPlatformThrottled, 1},
		"503":             {"", 503, "", lti.ReasonPlatformUnavailable, 1},
		"an answer of 1M": {"", 200, strings.Repeat("x", 1<<20), lti.ReasonPlatformAnswerInvalid, 1},
	} {
		s := newSensor(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		s.registration.Dialect = test.dialect
		if e := s.wantReason(envelope, test.reason); len(s.requests) != test.requests {
			t.Errorf("%s: %d requests, %v", name, len(s.requests), e)
		}
	}
	s := newSensor(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			w.WriteHeader(401)
		}
	})
	if _, err := s.Send(t.Context(), s.registration, s.endpoint, envelope); err != nil || !slices.Equal(s.tokens.dropped, []string{"t1"}) || s.bodies[1] != envelope {
		t.Errorf("error %v, dropped %q", err, s.tokens.dropped)
	}
}

// FuzzCheck holds the check to the standard library's reading of an envelope.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{envelope, `{}`, `{"sensor":"s","sendTime":"2031-05-06T07:08:09Z","dataVersion":"v","data":[{}]}`, `{"data":[{}],"data":[]}`, `[]`, "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := Check(text); err != nil {
			return
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		for _, name := range []string{"sensor", "sendTime", "dataVersion"} {
			if value, _ := members[name].(string); value == "" {
				t.Errorf("%q was taken without %s", text, name)
			}
		}
		data, _ := members["data"].([]any)
		for _, event := range data {
			if _, ok := event.(map[string]any); !ok {
				t.Errorf("%q was taken with %v", text, event)
			}
		}
		if len(data) == 0 || len(data) > MaxEvents || len(text) > MaxEnvelope {
			t.Errorf("%q was taken with %d events", text, len(data))
		}
	})
}
