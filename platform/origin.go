// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Origin returns the origin of an absolute http or https URI in canonical form: lower-case, without default port, such
// as "https://lms.example:8443". It refuses what browsers and servers read differently: user information, backslashes,
// white space, control characters, host names that are not ASCII or have an empty label, numbers that a browser takes
// for an IPv4 address (WHATWG URL, 3.5), IPv6 addresses in a longer form than need be, and ports with leading zeros.
func Origin(uri string) (string, error) {
	for i := 0; i < len(uri); i++ {
		if c := uri[i]; c <= ' ' || c == '\\' || c == 0x7f {
			return "", errors.New("it has a blank, a backslash or a control character")
		}
	}
	parsed, err := url.Parse(uri)
	if err != nil {
		return "", errors.New("it is no URI")
	}
	if parsed.Scheme != "https" && parsed.Scheme != "http" {
		return "", errors.New("its scheme is neither https nor http")
	}
	if !strings.HasPrefix(strings.ToLower(uri), parsed.Scheme+"://") || parsed.Opaque != "" || parsed.Host == "" {
		return "", errors.New("it names no host")
	}
	if parsed.User != nil {
		return "", errors.New("it has user information")
	}
	host := strings.ToLower(parsed.Hostname())
	for i := 0; i < len(host); i++ {
		if !isHostByte(host[i]) {
			return "", errors.New("its host name is not plain ASCII")
		}
	}
	if host == "" {
		return "", errors.New("it names no host")
	}
	if err := checkHost(host); err != nil {
		return "", err
	}
	port := parsed.Port()
	if port == "" && strings.HasSuffix(parsed.Host, ":") {
		return "", errors.New("its port is empty")
	}
	if number, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || number == 0 || port[0] == '0') {
		return "", errors.New("its port is not from 1 to 65535, or has leading zeros")
	}
	if port == "" || parsed.Scheme == "https" && port == "443" || parsed.Scheme == "http" && port == "80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return parsed.Scheme + "://" + host, nil
	}
	return parsed.Scheme + "://" + net.JoinHostPort(host, port), nil
}

func isHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':' || c == '_'
}

// checkHost refuses names with an empty label, and addresses in any form but the usual one: a browser would rewrite
// them, and the comparison of origins is one of texts.
func checkHost(host string) error {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		if err != nil || address.Is4In6() || address.String() != host {
			return errors.New("its IPv6 address is not in its short form")
		}
		return nil
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if slices.Contains(labels, "") {
		return errors.New("its host name has an empty label")
	}
	if isNumber(labels[len(labels)-1]) {
		if address, err := netip.ParseAddr(host); err != nil || !address.Is4() {
			return errors.New("its host is a number, but no IPv4 address of four decimal numbers")
		}
	}
	return nil
}

// isNumber reports whether a browser reads a label as a number: decimal, octal or hexadecimal.
func isNumber(label string) bool {
	digits, isHex := strings.CutPrefix(label, "0x")
	for i := 0; i < len(digits); i++ {
		if c := digits[i]; !(c >= '0' && c <= '9' || isHex && c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
