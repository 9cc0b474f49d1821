// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Kind is what went wrong with a request.
type Kind string

// The kinds of errors.
const (
	Blocked     Kind = "blocked"     // the host's address is not public, and not allowed
	Unreachable Kind = "unreachable" // no connection, no valid TLS, or no whole HTTP answer
	Timeout     Kind = "timeout"     // one of the limits of time has passed
	TooLarge    Kind = "too large"   // the answer is over its limit of bytes
	BadURL      Kind = "bad URL"     // the URL is not one that is ever fetched
	BadAnswer   Kind = "bad answer"  // the answer's content encoding cannot be read
	Suspended   Kind = "suspended"   // the host kept failing, so nothing is sent to it for a while
)

// Error is a request that brought no answer. Its text holds no byte that the platform sent, as an answer may quote
// personal data. Where the caller's own context ended it, errors.Is finds context.Canceled or DeadlineExceeded.
type Error struct {
	Kind       Kind
	Sent       bool          // bytes of the request may have reached the platform, so its outcome there is unknown
	Host       string        // host and port of the request; empty for a bad URL
	Address    string        // the address that was refused, for Blocked
	RetryAfter time.Duration // for how long at least nothing will be sent, for Suspended
	Detail     string        // one phrase
	cause      error         // nil, or the caller's context error
	answered   bool          // the host did answer, though not in HTTP
}

// Error returns kind, host and detail.
func (e *Error) Error() string {
	text := "outbound: " + string(e.Kind)
	if e.Host != "" {
		text += ": " + e.Host
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the error of the caller's context, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Explain turns an error of this package into the reason that a service call answers: CANCELED, DEADLINE_EXCEEDED,
// ADDRESS_NOT_ALLOWED, PLATFORM_ANSWER_INVALID, PLATFORM_UNAVAILABLE or PLATFORM_UNREACHABLE.
func Explain(err error, registration string) *lti.Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Kind: Unreachable, Sent: true, Detail: "unknown failure"}
	}
	explained := func(reason lti.Reason, message string) *lti.Error {
		explanation := &lti.Error{Reason: reason, Message: message, Cause: err}
		return explanation.With("registration", registration)
	}
	detail := e.Detail
	if e.Host != "" {
		detail = e.Host + ": " + e.Detail
	}
	switch {
	case errors.Is(err, context.Canceled):
		return explained(lti.ReasonCanceled, "")
	case errors.Is(err, context.DeadlineExceeded):
		return explained(lti.ReasonDeadlineExceeded, "The caller's deadline passed before the platform answered.")
	case e.Kind == Blocked:
		return explained(lti.ReasonAddressNotAllowed, "The sidecar does not connect to "+e.Host+" at "+e.Address+
			": list its network under outbound.allow_cidrs if the platform is really there.").With("actual", e.Address)
	case e.Kind == BadURL, e.Kind == BadAnswer, e.Kind == TooLarge:
		return explained(lti.ReasonPlatformAnswerInvalid, "The platform's service cannot be used: "+detail+".").With("detail", detail)
	case e.Kind == Suspended:
		paused := explained(lti.ReasonPlatformUnavailable, "The platform kept failing, so the sidecar sends nothing to "+e.Host+" for a while.")
		paused.RetryAfter = e.RetryAfter
		return paused
	default:
		return explained(lti.ReasonPlatformUnreachable, "The platform could not be reached, or did not answer in time: "+detail+".").With("detail", detail)
	}
}

// classify makes an Error of what net/http returned. Only texts that are made on this side are kept.
func classify(ctx context.Context, err error, host string, sent bool) *Error {
	e := &Error{Kind: Unreachable, Sent: sent, Host: host}
	var blocked *blockedError
	var unverified *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Detail, e.cause = Timeout, "the caller's time is over", ctx.Err()
	case errors.As(err, &blocked):
		e.Kind, e.Address, e.Sent = Blocked, blocked.address, false
		e.Detail = "the address " + blocked.address + " is not public, and not in outbound.allow_cidrs"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Detail = Timeout, "no answer in time"
	case errors.As(err, &unverified):
		e.Detail = "its certificate is not valid: " + certificateDefect(unverified.Err)
	case errors.As(err, &alert), errors.As(err, &record):
		e.Detail = "TLS failed"
	case errors.As(err, &dns):
		e.Detail = "its name does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Detail = "connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Detail = "it closed the connection before the answer was whole"
	case strings.Contains(err.Error(), "malformed HTTP"):
		e.Detail, e.answered = "its answer is not valid HTTP", true
	case !sent:
		e.Detail = "no connection"
	default:
		e.Detail = "its answer could not be read"
	}
	return e
}

func certificateDefect(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return "signed by an unknown authority; if it is your own, name it in outbound.ca_file"
	case errors.As(err, &name):
		return "made for another host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid"
	}
	return "it does not verify"
}
