// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

const maxURLLength = 8192

// blockedError is a connection that the guard refused.
type blockedError struct{ address string }

func (e *blockedError) Error() string { return "address " + e.address + " is not allowed" }

// control is a net.Dialer's Control: it looks at the very address that is about to be connected to, after DNS.
type control func(network, address string, connection syscall.RawConn) error

func newGuard(allowed []netip.Prefix) (control, error) {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		switch {
		case !prefix.IsValid() || prefix.Addr().Is4In6():
			return nil, fmt.Errorf("outbound: allowed network %q is not an IPv4 or IPv6 prefix", prefix)
		case prefix.Addr().Is4():
			v4 = append(v4, prefix.Masked())
		default:
			v6 = append(v6, prefix.Masked())
		}
	}
	guardian := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return func(network, address string, connection syscall.RawConn) error {
		if err := guardian.Safe(network, address, connection); err != nil {
			if parsed, parseErr := netip.ParseAddrPort(address); parseErr == nil {
				address = parsed.Addr().String()
			}
			return &blockedError{address: address}
		}
		return nil
	}, nil
}

// parseURL accepts absolute https URLs (and http where allowed) and nothing that two parsers could read in two ways.
func parseURL(text string, allowHTTP bool) (*url.URL, *Error) {
	refuse := func(format string, args ...any) (*url.URL, *Error) {
		return nil, &Error{Kind: BadURL, Detail: fmt.Sprintf(format, args...)}
	}
	if len(text) > maxURLLength {
		return refuse("the URL is longer than %d bytes", maxURLLength)
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"<>", c) >= 0 {
			return refuse("the URL has a byte 0x%02x that must be percent-encoded", c)
		}
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return refuse("the URL is malformed")
	case parsed.Scheme != "https" && !(allowHTTP && parsed.Scheme == "http"):
		return refuse("the URL is not https")
	case parsed.Opaque != "" || parsed.Hostname() == "":
		return refuse("the URL names no host")
	case parsed.User != nil:
		return refuse("the URL holds a user name")
	case strings.Contains(text, "#"):
		return refuse("the URL has a fragment")
	}
	return parsed, nil
}
