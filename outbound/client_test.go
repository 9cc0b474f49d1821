// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func rootsOf(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func newServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return server
}

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func clientOf(t *testing.T, server *httptest.Server, config Config) *Client {
	t.Helper()
	config.AllowCIDRs, config.RootCAs = loopback, rootsOf(server)
	return newClient(t, config)
}

func wantKind(t *testing.T, err error, kind Kind, sent bool) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want an *Error of kind %q", err, kind)
	}
	if e.Kind != kind || e.Sent != sent {
		t.Fatalf("error = %v (sent %t), want kind %q, sent %t", e, e.Sent, kind, sent)
	}
	return e
}

func TestDoSendsAndReads(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-Mine")+" "+r.UserAgent()+" "+string(body))
	})
	client := clientOf(t, server, Config{})
	response, err := client.Do(t.Context(), Request{Method: "POST", URI: server.URL + "/a%2Fb?x=1&amp;y", Header: http.Header{"X-Mine": {"m"}}, Body: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "POST /a%2Fb?x=1&amp;y m ltisidecar hello"; response.Status != http.StatusTeapot || string(response.Body) != want {
		t.Errorf("answer = %d %q, want 418 %q", response.Status, response.Body, want)
	}
	if want := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC); !response.Date.Equal(want) {
		t.Errorf("Date = %v, want %v", response.Date, want)
	}
}

// REQ-060
func TestAddressGuard(t *testing.T) {
	called := false
	server := newServer(t, func(http.ResponseWriter, *http.Request) { called = true })
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := newClient(t, Config{RootCAs: rootsOf(server)})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "224.0.0.1"} {
		_, err := client.Do(t.Context(), Request{URI: "https://" + host + ":" + port + "/"})
		if e := wantKind(t, err, Blocked, false); e.Address == "" {
			t.Errorf("%s: the error names no address", host)
		}
		if reason := Explain(err, "r").Reason; reason != lti.ReasonAddressNotAllowed {
			t.Errorf("%s: reason = %s", host, reason)
		}
	}
	if called {
		t.Error("a refused address was called")
	}
	one := newClient(t, Config{RootCAs: rootsOf(server), AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if _, err := one.Do(t.Context(), Request{URI: server.URL}); err != nil || !called {
		t.Errorf("the allowed address: called %t, error %v", called, err)
	}
	if _, err := one.Do(t.Context(), Request{URI: "https://127.0.0.2:" + port}); err == nil {
		t.Error("the neighbour of an allowed address was connected to")
	}
}

func TestURLsRefused(t *testing.T) {
	client := newClient(t, Config{AllowCIDRs: loopback})
	for _, uri := range []string{
		"", "/path", "http://lms.example/", "ftp://lms.example/", "file:///etc/passwd", "https:lms.example", "https:///x", "https://:443/",
		"https://user@lms.example/", "https://u:p@lms.example/", "https://lms.example/#f", "https://lms.example/x#", "https://lms.example/a b",
		"https://lms.example/\r\nX: y", "https://lms.example\\@evil.example/", "https://lms.exämple/", "https://lms.example%00/",
		"https://lms.example/" + strings.Repeat("a", maxURLLength), "https://lms.example:port/",
	} {
		_, err := client.Do(t.Context(), Request{URI: uri})
		wantKind(t, err, BadURL, false)
		_, err = client.Stream(t.Context(), Request{URI: uri})
		wantKind(t, err, BadURL, false)
	}
}

func TestHTTPOnlyWhereAllowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	_, err := newClient(t, Config{AllowCIDRs: loopback}).Do(t.Context(), Request{URI: server.URL})
	wantKind(t, err, BadURL, false)
	if _, err := newClient(t, Config{AllowCIDRs: loopback, AllowHTTP: true}).Do(t.Context(), Request{URI: server.URL}); err != nil {
		t.Errorf("with AllowHTTP: %v", err)
	}
}

func TestRedirectsAreAnswers(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		calls := 0
		server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		client := clientOf(t, server, Config{})
		for _, method := range []string{"GET", "POST"} {
			response, err := client.Do(t.Context(), Request{Method: method, URI: server.URL, Header: http.Header{"Authorization": {"Bearer x"}}})
			if err != nil || response.Status != status {
				t.Errorf("%s %d: %v, %v", method, status, response, err)
			}
		}
		if calls != 2 {
			t.Errorf("%d: %d calls, want 2", status, calls)
		}
	}
}

func TestProxyVariablesAreIgnored(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {})
	client := clientOf(t, server, Config{})
	if client.transport.Proxy != nil {
		t.Error("the transport has a proxy function")
	}
}

// REQ-248
func TestCertificatesAreVerified(t *testing.T) {
	server := newServer(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	_, err := newClient(t, Config{AllowCIDRs: loopback}).Do(t.Context(), Request{URI: server.URL})
	if e := wantKind(t, err, Unreachable, false); !strings.Contains(e.Detail, "unknown authority") {
		t.Errorf("detail = %q", e.Detail)
	}
	// httptest's certificate is for 127.0.0.1 and example.com.
	_, err = clientOf(t, server, Config{}).Do(t.Context(), Request{URI: "https://localhost:" + port})
	if e := wantKind(t, err, Unreachable, false); !strings.Contains(e.Detail, "another host name") {
		t.Errorf("detail = %q", e.Detail)
	}
}

// REQ-248
func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	defer server.Close()
	_, err := clientOf(t, server, Config{}).Do(t.Context(), Request{URI: server.URL})
	wantKind(t, err, Unreachable, false)
}

func TestRootsWithAddsToTheSystems(t *testing.T) {
	server := newServer(t, func(http.ResponseWriter, *http.Request) {})
	pool, err := RootsWith(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, Config{AllowCIDRs: loopback, RootCAs: pool}).Do(t.Context(), Request{URI: server.URL}); err != nil {
		t.Error(err)
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	system.AddCert(server.Certificate())
	if !pool.Equal(system) {
		t.Error("the pool is not the system's and the given one")
	}
	if _, err := RootsWith([]byte("no certificate")); err == nil {
		t.Error("text without a certificate was accepted")
	}
}

func TestBodyLimitCountsDecodedBytes(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write(bytes.Repeat([]byte("a"), 1000))
	zip.Close()
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	client := clientOf(t, server, Config{})
	for _, test := range []struct {
		limit int64
		ok    bool
	}{{1000, true}, {1001, true}, {999, false}, {1, false}} {
		response, err := client.Do(t.Context(), Request{URI: server.URL, MaxBody: test.limit})
		if test.ok && (err != nil || len(response.Body) != 1000) {
			t.Errorf("limit %d: %v", test.limit, err)
		}
		if !test.ok {
			wantKind(t, err, TooLarge, true)
		}
		stream, err := client.Stream(t.Context(), Request{URI: server.URL, MaxBody: test.limit})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(stream.Body)
		stream.Body.Close()
		if test.ok && (err != nil || len(body) != 1000) {
			t.Errorf("stream, limit %d: %d bytes, %v", test.limit, len(body), err)
		}
		if !test.ok {
			wantKind(t, err, TooLarge, true)
			if int64(len(body)) != test.limit {
				t.Errorf("stream, limit %d: %d bytes came through", test.limit, len(body))
			}
		}
	}
}

func TestUnaskedEncodingIsRefused(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		io.WriteString(w, "xxxx")
	})
	_, err := clientOf(t, server, Config{}).Do(t.Context(), Request{URI: server.URL})
	wantKind(t, err, BadAnswer, true)
}

func TestHeaderLimit(t *testing.T) {
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	})
	_, err := clientOf(t, server, Config{}).Do(t.Context(), Request{URI: server.URL})
	wantKind(t, err, Unreachable, true)
}

func TestTimeLimits(t *testing.T) {
	release := make(chan struct{})
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "first")
			w.(http.Flusher).Flush()
		}
		<-release
	})
	defer close(release)
	short := 50 * time.Millisecond
	headers := clientOf(t, server, Config{HeaderTimeout: short})
	_, err := headers.Do(t.Context(), Request{URI: server.URL})
	wantKind(t, err, Timeout, true)
	_, err = headers.Stream(t.Context(), Request{URI: server.URL})
	wantKind(t, err, Timeout, true)

	_, err = clientOf(t, server, Config{Timeout: short}).Do(t.Context(), Request{URI: server.URL + "/body"})
	if e := wantKind(t, err, Timeout, true); errors.Is(e, context.DeadlineExceeded) || Explain(e, "r").Reason != lti.ReasonPlatformUnreachable {
		t.Errorf("a limit of ours reads like the caller's: %v", e)
	}
	_, err = clientOf(t, server, Config{}).Do(t.Context(), Request{URI: server.URL + "/body", Timeout: short})
	wantKind(t, err, Timeout, true)

	for name, config := range map[string]Config{"idle": {IdleTimeout: short}, "whole": {StreamTimeout: short}} {
		stream, err := clientOf(t, server, config).Stream(t.Context(), Request{URI: server.URL + "/body"})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(stream.Body)
		wantKind(t, err, Timeout, true)
		if string(body) != "first" {
			t.Errorf("%s: read %q", name, body)
		}
		if _, again := stream.Body.Read(make([]byte, 1)); again != err {
			t.Errorf("%s: the error did not stay: %v", name, again)
		}
		stream.Body.Close()
	}
}

func TestCallersContext(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{}, 1)
	server := newServer(t, func(http.ResponseWriter, *http.Request) {
		started <- struct{}{}
		<-release
	})
	defer close(release)
	client := clientOf(t, server, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	_, err := client.Do(ctx, Request{URI: server.URL})
	if e := wantKind(t, err, Timeout, true); !errors.Is(e, context.Canceled) || Explain(e, "r").Reason != lti.ReasonCanceled {
		t.Errorf("cancelled: %v", e)
	}
	expired, cancelExpired := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelExpired()
	_, err = client.Do(expired, Request{URI: server.URL})
	if e := wantKind(t, err, Timeout, false); Explain(e, "r").Reason != lti.ReasonDeadlineExceeded {
		t.Errorf("expired: %v", e)
	}
}

// rawServer answers every connection with one text and closes it.
func rawServer(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Read(make([]byte, 4096))
			io.WriteString(connection, answer)
			connection.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestBrokenAnswersAreUnreachableAndQuoteNothing(t *testing.T) {
	client := newClient(t, Config{AllowCIDRs: loopback, AllowHTTP: true})
	for name, answer := range map[string]string{
		"Moodle's status 0": "HTTP/1.0 0 Error writing to database for student@school.example\r\n\r\n",
		"no status":         "student@school.example\r\n\r\n",
		"bad header":        "HTTP/1.1 200 OK\r\nstudent@school.example\r\n\r\n",
		"nothing":           "",
		"short body":        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstudent@school.example",
		"bad chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nstudent@school.example\r\n",
	} {
		_, err := client.Do(t.Context(), Request{Method: "POST", URI: rawServer(t, answer), Body: []byte("x")})
		e := wantKind(t, err, Unreachable, true)
		explained := Explain(err, "r")
		if explained.Reason != lti.ReasonPlatformUnreachable || explained.Metadata["registration"] != "r" {
			t.Errorf("%s: explained as %v", name, explained)
		}
		if strings.Contains(e.Error()+explained.Error()+explained.Metadata["detail"], "student") {
			t.Errorf("%s: the error quotes the answer: %v", name, explained)
		}
	}
}

func TestReasonPhraseIsDropped(t *testing.T) {
	client := newClient(t, Config{AllowCIDRs: loopback, AllowHTTP: true})
	response, err := client.Do(t.Context(), Request{URI: rawServer(t, "HTTP/1.1 400 student@school.example\r\nContent-Length: 2\r\n\r\n[]")})
	if err != nil || response.Status != 400 || string(response.Body) != "[]" {
		t.Errorf("%v, %v", response, err)
	}
}

func TestNobodyListensIsNotSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = newClient(t, Config{AllowCIDRs: loopback}).Do(t.Context(), Request{URI: "https://" + address})
	if e := wantKind(t, err, Unreachable, false); e.Detail != "connection refused" {
		t.Errorf("detail = %q", e.Detail)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, config := range map[string]Config{
		"negative time": {Timeout: -1}, "negative size": {MaxBody: -1}, "no prefix": {AllowCIDRs: []netip.Prefix{{}}},
		"mapped prefix": {AllowCIDRs: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104)}},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "900": 15 * time.Minute, "901": 15 * time.Minute,
		"99999999999999999999999": 15 * time.Minute, "-1": 0, "1.5": 0, "soon": 0, "7x": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:04:04 GMT": 0, "Fri, 12 Jan 2126 03:05:05 GMT": 15 * time.Minute,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "120", "99999999999999999999", "Fri, 02 Jan 2026 03:05:05 GMT", "-1", "1e3"} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if got := RetryAfter(http.Header{"Retry-After": {text}}, now); got < 0 || got > MaxRetryAfter {
			t.Errorf("RetryAfter(%q) = %v", text, got)
		}
	})
}

func TestHandshakeLimit(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // nobody accepts: the kernel connects, and no handshake is answered
	client := newClient(t, Config{AllowCIDRs: loopback, TLSTimeout: 50 * time.Millisecond})
	_, err = client.Do(t.Context(), Request{URI: "https://" + listener.Addr().String()})
	wantKind(t, err, Timeout, false)
}

func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	response, err := clientOf(t, server, Config{}).Do(t.Context(), Request{URI: server.URL})
	if err != nil || string(response.Body) != "HTTP/2.0" {
		t.Errorf("%v, %v", response, err)
	}
}
