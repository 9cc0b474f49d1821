// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// tokens gives one token, and counts.
type tokens struct{ issued atomic.Int32 }

func (s *tokens) Token(context.Context, *platform.Registration, string, []string) (platform.ServiceToken, error) {
	s.issued.Add(1)
	return platform.ServiceToken{AccessToken: platform.NewAccessToken("secret-token")}, nil
}

func (s *tokens) Drop(platform.ServiceToken) {}

// bench is a platform and a stranger beside it, both on loopback with TLS, and a Reader that may reach either.
type bench struct {
	reader    *Reader
	tokens    *tokens
	container Container
	home      *url.URL
	stranger  *url.URL
	visits    atomic.Int32 // requests to the stranger
	mutex     sync.Mutex
	paths     []string // asked of the platform
}

func newBench(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) *bench {
	t.Helper()
	b := &bench{tokens: &tokens{}}
	roots := x509.NewCertPool()
	serve := func(handler http.HandlerFunc) *url.URL {
		server := httptest.NewTLSServer(handler)
		t.Cleanup(server.Close)
		roots.AddCert(server.Certificate())
		parsed, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	b.home = serve(func(w http.ResponseWriter, r *http.Request) {
		b.mutex.Lock()
		b.paths = append(b.paths, r.RequestURI)
		b.mutex.Unlock()
		handle(w, r)
	})
	b.stranger = serve(func(http.ResponseWriter, *http.Request) { b.visits.Add(1) })
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if b.reader, err = NewReader(Config{HTTP: client, Tokens: b.tokens, Allowed: func(_ context.Context, r *platform.Registration, _, uri string) error {
		if origin, err := platform.Origin(uri); err != nil || origin != b.home.String() {
			return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	b.container = Container{
		Registration: &platform.Registration{Name: "school"}, DeploymentID: "d", Name: "list", Field: "endpoint.uri", URI: b.home.String() + "/p",
		Scope: lti.ScopeMemberships, MediaType: lti.MediaTypeMemberships, MaxPages: 3, MaxPageBytes: 1 << 20,
	}
	return b
}

func (b *bench) read(t *testing.T) (Result, error) {
	t.Helper()
	return b.reader.Read(t.Context(), b.container, func(page io.Reader) error {
		_, err := io.Copy(io.Discard, page)
		return err
	})
}

func wantReason(t *testing.T, err error, reason lti.Reason) *lti.Error {
	t.Helper()
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		t.Fatalf("error = %v, want %s", err, reason)
	}
	if strings.Contains(e.Error(), "secret-token") {
		t.Errorf("the token is in %v", e)
	}
	return e
}

// strangerForms are ways to write an address of the stranger that some parser or other takes for one of the platform.
func (b *bench) strangerForms() []string {
	home, stranger, port := b.home.Host, b.stranger.Host, b.stranger.Port()
	forms := []string{
		"https://" + stranger + "/p2", "HTTPS://" + stranger + "/p2", "//" + stranger + "/p2", "///" + stranger + "/p2", "https:" + stranger, "https:/" + stranger,
		"http://" + stranger + "/p2", "https://" + home + "@" + stranger + "/p2", "https://" + home + "%40" + stranger, "https://" + stranger + "#@" + home,
		"https://" + stranger + "?@" + home, "https://" + stranger + "\\@" + home, "https://" + home + "\\@" + stranger, "https:\\\\" + stranger + "\\p2", "\\\\" + stranger + "\\p2",
		"/\\" + stranger + "/p2", "\t//" + stranger, "https://" + stranger + "\t/", "https://127.0.0.1:" + port + "/", "https://127.1:" + port + "/", "https://0x7f000001:" + port + "/",
		"https://2130706433:" + port + "/", "https://0177.0.0.1:" + port + "/", "https://127.0.0.1.:" + port + "/", "https://localhost:" + port + "/", "https://LOCALHOST:" + port + "/",
		"https://[::ffff:127.0.0.1]:" + port + "/", "https://[::1]:" + port + "/", "https://①②⑦.0.0.1:" + port + "/", "https://127。0。0。1:" + port + "/",
		"https://" + home + ":" + port + "/", "https://" + home + "." + stranger, "https://user:password@" + home + "/p2", "https://" + b.home.Hostname() + ":0" + b.home.Port() + "/p2",
		"https://" + b.home.Hostname() + "/p2", "https://" + b.home.Hostname() + ":443/p2", "http://" + home + "/p2", "ftp://" + home + "/p2", "javascript:alert(1)", "data:,x", "file:///etc/passwd", "mailto:a@" + stranger,
	}
	return forms
}

// REQ-177
func TestTokenStaysAtItsOrigin(t *testing.T) {
	var link atomic.Value
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/p" {
			w.Header()["Link"] = []string{link.Load().(string)}
		}
	})
	count := 0
	for _, form := range b.strangerForms() {
		for _, written := range []string{"<%s>; rel=next", "<%s>; rel=\"prev next\"", "</p>; rel=first, < %s >;rel=\u201cnext\u201d"} {
			count++
			link.Store(fmt.Sprintf(written, form))
			before := len(b.paths)
			result, err := b.read(t)
			// A form that is a path of the platform in every reading may be followed; whatever else it is, the stranger gets nothing.
			if err == nil && len(b.paths) != before+2 {
				t.Errorf("%q: it was taken for the end: %+v", link.Load(), result)
			}
			if err != nil {
				if reason := lti.ReasonOf(err); reason != lti.ReasonPlatformAnswerInvalid {
					t.Errorf("%q: %v", link.Load(), err)
				}
			}
			if visits := b.visits.Load(); visits > 0 {
				t.Fatalf("%q: the stranger was visited", link.Load())
			}
		}
	}
	for _, form := range b.strangerForms() {
		count++
		b.container.URI = form
		before := b.tokens.issued.Load()
		if _, err := b.read(t); err == nil || b.tokens.issued.Load() != before {
			t.Errorf("%q as the first page: %v, %d tokens", form, err, b.tokens.issued.Load()-before)
		}
	}
	if b.visits.Load() > 0 || count < 160 {
		t.Errorf("%d forms, %d visits", count, b.visits.Load())
	}
}

func TestResultCountsPages(t *testing.T) {
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/p":
			w.Header().Set("Link", `</p2>; rel="next", </d?x=1>; rel="differences"`)
		case "/p2":
			w.Header().Set("Link", `</p3>; rel="next"`)
		case "/p3":
			w.WriteHeader(503)
		}
	})
	result, err := b.read(t)
	wantReason(t, err, lti.ReasonPlatformUnavailable)
	if result.Pages != 2 || result.DifferencesURI != b.home.String()+"/d?x=1" {
		t.Errorf("result = %+v", result)
	}
	b.container.MaxPages = 1
	result, err = b.read(t)
	if e := wantReason(t, err, lti.ReasonListTooLarge); result.Pages != 1 || e.Metadata["limit"] != "1 pages" {
		t.Errorf("result = %+v, %v", result, e)
	}
	b.container.OverLimit = lti.ReasonRosterTooLarge
	_, err = b.read(t)
	wantReason(t, err, lti.ReasonRosterTooLarge)
}

// REQ-166
func TestLoopsEnd(t *testing.T) {
	for first, links := range map[string]map[string]string{
		"itself":    {"/p": "/p"},
		"two pages": {"/p": "/p2", "/p2": "/p"},
		"its tail":  {"/p": "/p2", "/p2": "?x", "/p2?x": "/p2"},
	} {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "<"+links[r.RequestURI]+">; rel=next")
		})
		b.container.MaxPages = 10
		_, err := b.read(t)
		if e := wantReason(t, err, lti.ReasonPlatformAnswerInvalid); len(b.paths) != len(links) || e.Metadata["detail"] != "its next page is one that came before" {
			t.Errorf("%s: %d requests, %v", first, len(b.paths), e)
		}
	}
}

func TestWhatDecodeReturns(t *testing.T) {
	b := newBench(t, func(http.ResponseWriter, *http.Request) {})
	own := errors.New("own")
	for _, test := range []struct {
		err  error
		want func(error) bool
	}{
		{own, func(err error) bool { return err == own }},
		{fmt.Errorf("in it: %w", Defect("it is odd")), func(err error) bool {
			return lti.ReasonOf(err) == lti.ReasonPlatformAnswerInvalid && strings.Contains(err.Error(), "it is odd")
		}},
		{&outbound.Error{Kind: outbound.Timeout}, func(err error) bool { return lti.ReasonOf(err) == lti.ReasonPlatformUnreachable }},
	} {
		if _, err := b.reader.Read(t.Context(), b.container, func(io.Reader) error { return test.err }); !test.want(err) {
			t.Errorf("%v became %v", test.err, err)
		}
	}
	if _, err := NewReader(Config{}); err == nil {
		t.Error("a Reader without its parts")
	}
}

func TestAddQuery(t *testing.T) {
	for uri, want := range map[string]string{
		"https://h/a": "https://h/a?n=x%26+y", "https://h/a?": "https://h/a?n=x%26+y", "https://h/a?b=%2f": "https://h/a?b=%2f&n=x%26+y", "https://h/a?b&": "https://h/a?b&n=x%26+y",
	} {
		if got := AddQuery(uri, "n", "x& y"); got != want {
			t.Errorf("AddQuery(%s) = %s, want %s", uri, got, want)
		}
	}
}

func TestID(t *testing.T) {
	for text, want := range map[string]string{`"a"`: "a", `7`: "7", `-7`: "-7", `1.5`: "", `1e3`: "", `""`: "", `null`: "", `true`: "", `{}`: "", `["a"]`: "", ``: "", `"1.5"`: "1.5"} {
		if got := ID(jsontext.Value(text)); got != want {
			t.Errorf("ID(%s) = %q, want %q", text, got, want)
		}
	}
}
