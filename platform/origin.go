// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// Origin returns the origin of an absolute http or https URI in canonical form: lower-case, without default port, such
// as "https://lms.example:8443". It refuses what browsers and servers read differently: user information, backslashes,
// white space, control characters, and host names that are not ASCII.
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
	port := parsed.Port()
	if port == "" && strings.HasSuffix(parsed.Host, ":") {
		return "", errors.New("its port is empty")
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
