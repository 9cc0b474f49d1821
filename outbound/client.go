// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"
)

// Defaults and fixed limits.
const (
	DefaultConnectTimeout = 2 * time.Second
	DefaultTLSTimeout     = 5 * time.Second
	DefaultHeaderTimeout  = 10 * time.Second
	DefaultTimeout        = 10 * time.Second
	DefaultIdleTimeout    = 15 * time.Second
	DefaultStreamTimeout  = 10 * time.Minute
	DefaultMaxBody        = 1 << 20
	DefaultUserAgent      = "ltisidecar"

	maxHeaderBytes      = 64 << 10
	maxIdleConns        = 256
	maxIdleConnsPerHost = 8
	maxConnsPerHost     = 32
	idleConnTimeout     = 90 * time.Second
	streamBuffer        = 256 << 10 // bytes of an answer that may wait for their reader; the library would hold 4 MiB
)

// Config configures a Client.
type Config struct {
	AllowCIDRs     []netip.Prefix // networks that may be connected to although they are not public; empty: none
	RootCAs        *x509.CertPool // certificate authorities, the whole list: see RootsWith; nil: the system's
	AllowHTTP      bool           // for development only: URLs may be http; false: https only
	ConnectTimeout time.Duration  // DNS and TCP; 0: DefaultConnectTimeout
	TLSTimeout     time.Duration  // TLS handshake; 0: DefaultTLSTimeout
	HeaderTimeout  time.Duration  // from the last byte sent to the end of the answer's header; 0: DefaultHeaderTimeout
	Timeout        time.Duration  // a whole Do, body included; 0: DefaultTimeout
	IdleTimeout    time.Duration  // a Stream's longest wait for the next bytes; 0: DefaultIdleTimeout
	StreamTimeout  time.Duration  // a whole Stream, the reader's own pauses included; 0: DefaultStreamTimeout
	MaxBody        int64          // decoded bytes of an answer where the Request names no limit; 0: DefaultMaxBody
	UserAgent      string         // User-Agent header; empty: DefaultUserAgent

	// Suspended is told when requests to a host that keeps failing are paused, and for how long. It must not block. Nil:
	// nobody is.
	Suspended func(host string, pause time.Duration)
	Now       func() time.Time // of the pauses; nil: time.Now
}

// Client sends requests to platforms. It may be used by many goroutines.
type Client struct {
	config    Config
	transport *http.Transport
	client    *http.Client
	circuit   *circuit
}

// Request is one HTTP request. It is only read.
type Request struct {
	Method  string        // empty: GET
	URI     string        // absolute
	Header  http.Header   // nil: none but User-Agent and Accept-Encoding
	Body    []byte        // nil: none
	MaxBody int64         // decoded bytes of the answer; 0: the Config's
	Timeout time.Duration // whole Do; 0: the Config's; ignored by Stream
}

// Response is a whole answer. Its reason phrase is dropped: some platforms quote the request, with personal data, in it.
type Response struct {
	Status int
	Header http.Header
	Body   []byte    // decoded
	Date   time.Time // the platform's clock by its Date header; zero: none came
}

// Stream is an answer whose body is still to be read. The caller must close Body. Reading fails with *Error.
type Stream struct {
	Status int
	Header http.Header
	Body   io.ReadCloser // decoded
	Date   time.Time     // as in Response
}

// New returns a client. It connects to nothing yet.
func New(config Config) (*Client, error) {
	guard, err := newGuard(config.AllowCIDRs)
	if err != nil {
		return nil, err
	}
	for _, duration := range []time.Duration{config.ConnectTimeout, config.TLSTimeout, config.HeaderTimeout, config.Timeout, config.IdleTimeout, config.StreamTimeout} {
		if duration < 0 {
			return nil, errors.New("outbound: a time limit is negative")
		}
	}
	if config.MaxBody < 0 {
		return nil, errors.New("outbound: the body limit is negative")
	}
	config.ConnectTimeout = orDefault(config.ConnectTimeout, DefaultConnectTimeout)
	config.TLSTimeout = orDefault(config.TLSTimeout, DefaultTLSTimeout)
	config.HeaderTimeout = orDefault(config.HeaderTimeout, DefaultHeaderTimeout)
	config.Timeout = orDefault(config.Timeout, DefaultTimeout)
	config.IdleTimeout = orDefault(config.IdleTimeout, DefaultIdleTimeout)
	config.StreamTimeout = orDefault(config.StreamTimeout, DefaultStreamTimeout)
	config.MaxBody = orDefault(config.MaxBody, DefaultMaxBody)
	config.UserAgent = orDefault(config.UserAgent, DefaultUserAgent)
	if config.Now == nil {
		config.Now = time.Now
	}
	circuit, err := newCircuit(config.Now, config.Suspended)
	if err != nil {
		return nil, err
	}

	dialer := &net.Dialer{Timeout: config.ConnectTimeout, KeepAlive: 30 * time.Second, Control: guard}
	transport := &http.Transport{
		Proxy:                 nil, // never from the environment
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs},
		TLSHandshakeTimeout:   config.TLSTimeout,
		ResponseHeaderTimeout: config.HeaderTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: config.IdleTimeout, PingTimeout: config.IdleTimeout,
			MaxReceiveBufferPerStream: streamBuffer,
		},
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		MaxConnsPerHost:        maxConnsPerHost,
		IdleConnTimeout:        idleConnTimeout,
	}
	return &Client{
		config:    config,
		transport: transport,
		circuit:   circuit,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// RootsWith returns the system's certificate authorities and those of PEM text. It fails where the text holds none.
func RootsWith(pemText []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("outbound: read the system's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pemText) {
		return nil, errors.New("outbound: the text holds no PEM certificate")
	}
	return pool, nil
}

// Close drops idle connections. Requests under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Do sends a request and reads the whole answer, whatever its status; a redirect is an answer like any other. The error
// is always an *Error.
func (c *Client) Do(ctx context.Context, request Request) (*Response, error) {
	timeout := orDefault(request.Timeout, c.config.Timeout)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target, settle, refusal := c.admit(request)
	if refusal != nil {
		return nil, refusal
	}
	response, failure := c.do(ctx, limited, request, target)
	if failure != nil {
		settle(outcomeOf(0, failure))
		return nil, failure
	}
	settle(outcomeOf(response.Status, nil))
	return response, nil
}

func (c *Client) do(caller, limited context.Context, request Request, target *url.URL) (*Response, *Error) {
	answer, failure := c.send(caller, limited, request, target)
	if failure != nil {
		return nil, failure
	}
	defer answer.Body.Close()
	limit := orDefault(request.MaxBody, c.config.MaxBody)
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, classify(caller, err, target.Host, true)
	case int64(len(body)) > limit:
		return nil, tooLarge(target.Host, limit)
	}
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, Date: dateOf(answer)}, nil
}

// Stream sends a request and returns the answer once its header is there. The body fails when nothing arrives for the
// idle limit, when the whole takes longer than the stream limit, or when it grows over MaxBody. The error is always an
// *Error.
func (c *Client) Stream(ctx context.Context, request Request) (*Stream, error) {
	target, settle, refusal := c.admit(request)
	if refusal != nil {
		return nil, refusal
	}
	limited, cancel := context.WithTimeout(ctx, c.config.StreamTimeout)
	answer, failure := c.send(ctx, limited, request, target)
	if failure != nil {
		settle(outcomeOf(0, failure))
		cancel()
		return nil, failure
	}
	settle(outcomeOf(answer.StatusCode, nil))
	body := &streamBody{
		ctx: ctx, cancel: cancel, body: answer.Body, host: target.Host,
		idle: c.config.IdleTimeout, limit: orDefault(request.MaxBody, c.config.MaxBody),
	}
	return &Stream{Status: answer.StatusCode, Header: answer.Header, Body: body, Date: dateOf(answer)}, nil
}

// admit checks the URI of a request, and that its host is not suspended. settle must be called with the outcome.
func (c *Client) admit(request Request) (target *url.URL, settle func(outcome), refusal *Error) {
	if target, refusal = parseURL(request.URI, c.config.AllowHTTP); refusal != nil {
		return nil, nil, refusal
	}
	if settle, refusal = c.circuit.admit(target.Host); refusal != nil {
		return nil, nil, refusal
	}
	return target, settle, nil
}

func (c *Client) send(caller, limited context.Context, request Request, target *url.URL) (*http.Response, *Error) {
	// A request counts as sent as soon as it has a connection: from then on nobody can tell what arrived.
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	message, err := http.NewRequestWithContext(traced, orDefault(request.Method, http.MethodGet), request.URI, bytes.NewReader(request.Body))
	if err != nil {
		return nil, &Error{Kind: BadURL, Host: target.Host, Detail: "the request is malformed"}
	}
	for name, values := range request.Header {
		message.Header[http.CanonicalHeaderKey(name)] = values
	}
	message.Header.Set("User-Agent", c.config.UserAgent)
	answer, err := c.client.Do(message)
	if err != nil {
		return nil, classify(caller, err, target.Host, sent.Load())
	}
	// gzip was asked for and undone by the transport; anything else was not.
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		answer.Body.Close()
		return nil, &Error{Kind: BadAnswer, Sent: true, Host: target.Host, Detail: "the answer has a content encoding that was not asked for"}
	}
	return answer, nil
}

func dateOf(answer *http.Response) time.Time {
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

func tooLarge(host string, limit int64) *Error {
	return &Error{Kind: TooLarge, Sent: true, Host: host, Detail: fmt.Sprintf("the answer is longer than %d bytes", limit)}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
