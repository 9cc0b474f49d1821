// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Problem is something wrong or doubtful in a registration. Field is the name in the configuration, such as
// "jwks_uri" or "launch_uris[1]".
type Problem struct {
	Field   string
	Message string // what is wrong, and the fix
	Warning bool   // doubtful, but it can be meant
}

// Limits of a registration.
const (
	maxListed    = 1000 // deployments, URIs, origins
	maxURILength = 2048 // bytes
)

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Check returns the problems of a registration, worst slips of administrators included. allowHTTP permits http URIs,
// for development, with a warning. algorithms are those that can be verified.
func (r *Registration) Check(allowHTTP bool, algorithms []string) []Problem {
	var problems []Problem
	wrong := func(field, format string, args ...any) {
		problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	doubt := func(field, format string, args ...any) {
		problems = append(problems, Problem{Field: field, Message: fmt.Sprintf(format, args...), Warning: true})
	}
	uri := func(field, value string, required bool) {
		if value == "" {
			if required {
				wrong(field, "it is required")
			}
			return
		}
		if message := checkURI(value, allowHTTP); message != "" {
			wrong(field, "%s", message)
		} else if !isHTTPS(value) {
			doubt(field, "%s", plainHTTP)
		}
	}
	list := func(field string, values []string, check func(field, value string)) {
		if len(values) > maxListed {
			wrong(field, "it has %d entries; at most %d are allowed", len(values), maxListed)
			return
		}
		for i, value := range values {
			check(fmt.Sprintf("%s[%d]", field, i), value)
			if slices.Index(values, value) != i {
				wrong(fmt.Sprintf("%s[%d]", field, i), "%q is listed twice", value)
			}
		}
	}
	origin := func(field, value string) {
		canonical, err := Origin(value)
		switch {
		case err != nil:
			wrong(field, "%q is no origin: %v", value, err)
		case canonical != value:
			wrong(field, "%q is no origin; write %q", value, canonical)
		case !allowHTTP && strings.HasPrefix(value, "http://"):
			wrong(field, "http is for development only; use https, or set dev: true")
		case !isHTTPS(value):
			doubt(field, "%s", plainHTTP)
		}
	}

	if !namePattern.MatchString(r.Name) {
		wrong("name", "%q is not a name: use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit", r.Name)
	}
	if r.Issuer == "" {
		wrong("issuer", "it is required: the iss that the platform sends")
	} else if len(r.Issuer) > maxURILength || strings.ContainsAny(r.Issuer, " \t\r\n") {
		wrong("issuer", "it is longer than %d bytes or has blanks", maxURILength)
	} else if trimmed := strings.TrimRight(r.Issuer, "/"); trimmed != r.Issuer {
		doubt("issuer", "it ends with a slash; platforms rarely send one, and the comparison is exact: is it not %q?", trimmed)
	} else if strings.HasPrefix(r.Issuer, "http://") {
		doubt("issuer", "it begins with http; the comparison is exact: is it not https?")
	}
	if len(r.LoginIssuer) > maxURILength || strings.ContainsAny(r.LoginIssuer, " \t\r\n") {
		wrong("login_issuer", "it is longer than %d bytes or has blanks", maxURILength)
	}
	if r.ClientID == "" || len(r.ClientID) > lti.MaxIDLength {
		wrong("client_id", "it is required, with at most %d characters", lti.MaxIDLength)
	}
	list("deployments", r.Deployments, func(field, value string) {
		if value == "" || len(value) > lti.MaxIDLength {
			wrong(field, "a deployment id has 1 to %d characters", lti.MaxIDLength)
		} else if value == r.ClientID {
			doubt(field, "it is equal to client_id; administrators often paste the one for the other")
		}
	})
	switch r.UnknownDeployments {
	case "", RejectDeployments:
		if len(r.Deployments) == 0 {
			wrong("deployments", "no deployment could launch: list at least one, or set unknown_deployments to pending or accept")
		}
	case PendDeployments, AcceptDeployments:
	default:
		wrong("unknown_deployments", "%q is none of reject, pending, accept", r.UnknownDeployments)
	}
	uri("authorization_uri", r.AuthorizationURI, true)
	uri("token_uri", r.TokenURI, false)
	uri("jwks_uri", r.JWKSURI, true)
	uri("login_uri", r.LoginURI, false)
	if len(r.TokenAudience) > maxURILength {
		wrong("token_audience", "it is longer than %d bytes", maxURILength)
	}
	if len(r.LaunchURIs) == 0 {
		wrong("launch_uris", "list at least one: the tool's redirect URI, as it is registered with the platform")
	}
	list("launch_uris", r.LaunchURIs, func(field, value string) {
		uri(field, value, true)
		if other := slices.IndexFunc(r.LaunchURIs, func(u string) bool { return u != value && strings.TrimRight(u, "/") == strings.TrimRight(value, "/") }); other >= 0 && strings.HasSuffix(value, "/") {
			doubt(field, "it differs from launch_uris[%d] only by a trailing slash; platforms compare exactly", other)
		}
	})
	list("target_origins", r.TargetOrigins, origin)
	list("service_origins", r.ServiceOrigins, origin)
	for i, message := range r.MessageTypes {
		if !slices.Contains(lti.MessageTypes(), message) {
			wrong(fmt.Sprintf("message_types[%d]", i), "%q is not supported; use %s", message, joined(lti.MessageTypes()))
		}
	}
	for i, algorithm := range r.Algorithms {
		if !slices.Contains(algorithms, algorithm) {
			wrong(fmt.Sprintf("algorithms[%d]", i), "%q is not supported; use %s", algorithm, strings.Join(algorithms, ", "))
		}
	}
	if r.Dialect != "" && !slices.Contains(DialectNames(), r.Dialect) {
		wrong("dialect", "%q is not known; use %s, or leave it out", r.Dialect, strings.Join(DialectNames(), ", "))
	}
	for i, key := range r.LTI11 {
		field := fmt.Sprintf("lti11[%d].", i)
		if key.ConsumerKey == "" || len(key.ConsumerKey) > maxURILength {
			wrong(field+"consumer_key", "write the consumer key of LTI 1.1, at most %d bytes", maxURILength)
		}
		if key.Secret.Empty() {
			wrong(field+"secret_file", "it is required: the file that holds the shared secret of this consumer key")
		}
		if slices.IndexFunc(r.LTI11, func(other LTI11Key) bool { return other.ConsumerKey == key.ConsumerKey }) != i {
			wrong(field+"consumer_key", "%q is listed twice", key.ConsumerKey)
		}
	}
	if len(r.LTI11) > maxListed {
		wrong("lti11", "it has %d entries; at most %d are allowed", len(r.LTI11), maxListed)
	}
	if len(r.SubjectNamespace) > lti.MaxIDLength {
		wrong("subject_namespace", "it is longer than %d bytes", lti.MaxIDLength)
	}
	return problems
}

// plainHTTP is the warning where http is allowed.
const plainHTTP = "it is http, which dev: true allows: whoever is on the way can read and change it, so use https outside of development"

func isHTTPS(uri string) bool { return strings.HasPrefix(strings.ToLower(uri), "https://") }

func joined(types []lti.MessageType) string {
	var names []string
	for _, t := range types {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// checkURI says what is wrong with an endpoint's URI, or "".
func checkURI(value string, allowHTTP bool) string {
	if len(value) > maxURILength {
		return fmt.Sprintf("it is longer than %d bytes", maxURILength)
	}
	if _, err := Origin(value); err != nil {
		return fmt.Sprintf("%q is not usable: %v", value, err)
	}
	if strings.Contains(value, "#") {
		return fmt.Sprintf("%q has a fragment; leave it out", value)
	}
	if !allowHTTP && !isHTTPS(value) {
		return fmt.Sprintf("%q is not https; http is for development only: use https, or set dev: true", value)
	}
	return ""
}
