// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// registration returns one without problems, after changes.
func registration(changes ...func(*platform.Registration)) platform.Registration {
	r := platform.Registration{
		Name: "lms", Issuer: "https://lms.example", ClientID: "client-1", Deployments: []string{"d1"},
		AuthorizationURI: "https://lms.example/auth", TokenURI: "https://lms.example/token", JWKSURI: "https://keys.lms.example/jwks",
		LaunchURIs: []string{"https://tool.example/launch"}, LoginURI: "https://tool.example/login",
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*platform.Registration){
		"as it is":             func(*platform.Registration) {},
		"no token URI":         func(r *platform.Registration) { r.TokenURI = "" },
		"no login URI":         func(r *platform.Registration) { r.LoginURI = "" },
		"an issuer of any URI": func(r *platform.Registration) { r.Issuer = "lms.example" },
		"pending":              func(r *platform.Registration) { r.Deployments, r.UnknownDeployments = nil, platform.PendDeployments },
		"accept":               func(r *platform.Registration) { r.Deployments, r.UnknownDeployments = nil, platform.AcceptDeployments },
		"a dialect":            func(r *platform.Registration) { r.Dialect = "moodle" },
		"a query":              func(r *platform.Registration) { r.AuthorizationURI += "?tool=1" },
		"several launch URIs": func(r *platform.Registration) {
			r.LaunchURIs = append(r.LaunchURIs, "https://staging.tool.example/launch")
		},
		"an algorithm":   func(r *platform.Registration) { r.Algorithms = []string{"PS256"} },
		"a message type": func(r *platform.Registration) { r.MessageTypes = []lti.MessageType{lti.MessageResourceLink} },
		"origins": func(r *platform.Registration) {
			r.TargetOrigins, r.ServiceOrigins = []string{"https://a.example"}, []string{"https://b.example:8443"}
		},
		"the longest name": func(r *platform.Registration) { r.Name = strings.Repeat("a", 64) },
	} {
		r := registration(change)
		if problems := r.Check(false, []string{"RS256", "PS256"}); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// REQ-022
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	type r = platform.Registration
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("https://%d.example", i))
		}
		return list
	}
	for _, test := range []struct {
		field, words string
		change       func(*r)
	}{
		{"name", "is not a name", func(r *r) { r.Name = "" }},
		{"name", "is not a name", func(r *r) { r.Name = "Canvas" }},
		{"name", "is not a name", func(r *r) { r.Name = "-canvas" }},
		{"name", "is not a name", func(r *r) { r.Name = "my canvas" }},
		{"name", "is not a name", func(r *r) { r.Name = strings.Repeat("a", 65) }},
		{"issuer", "required", func(r *r) { r.Issuer = "" }},
		{"issuer", "blanks", func(r *r) { r.Issuer = "https://lms.example " }},
		{"issuer", "longer", func(r *r) { r.Issuer = "https://" + strings.Repeat("a", 2048) }},
		{"client_id", "required", func(r *r) { r.ClientID = "" }},
		{"client_id", "255", func(r *r) { r.ClientID = strings.Repeat("1", 256) }},
		{"deployments", "list at least one", func(r *r) { r.Deployments = nil }},
		{"deployments", "list at least one", func(r *r) { r.Deployments, r.UnknownDeployments = nil, platform.RejectDeployments }},
		{"deployments[1]", "1 to 255", func(r *r) { r.Deployments = []string{"1", ""} }},
		{"deployments[1]", "twice", func(r *r) { r.Deployments = []string{"1", "1"} }},
		{"deployments", "1001 entries", func(r *r) { r.Deployments = many(1001) }},
		{"unknown_deployments", "none of reject, pending, accept", func(r *r) { r.UnknownDeployments = "deny" }},
		{"authorization_uri", "required", func(r *r) { r.AuthorizationURI = "" }},
		{"authorization_uri", "dev: true", func(r *r) { r.AuthorizationURI = "http://lms.example/auth" }},
		{"authorization_uri", "fragment", func(r *r) { r.AuthorizationURI += "#x" }},
		{"authorization_uri", "not usable", func(r *r) { r.AuthorizationURI = "lms.example/auth" }},
		{"authorization_uri", "longer", func(r *r) { r.AuthorizationURI += strings.Repeat("x", 2048) }},
		{"token_uri", "dev: true", func(r *r) { r.TokenURI = "http://lms.example/token" }},
		{"jwks_uri", "required", func(r *r) { r.JWKSURI = "" }},
		{"jwks_uri", "user information", func(r *r) { r.JWKSURI = "https://a:b@lms.example/jwks" }},
		{"login_uri", "not usable", func(r *r) { r.LoginURI = "/login" }},
		{"token_audience", "longer", func(r *r) { r.TokenAudience = strings.Repeat("a", 2049) }},
		{"launch_uris", "list at least one", func(r *r) { r.LaunchURIs = nil }},
		{"launch_uris[0]", "required", func(r *r) { r.LaunchURIs = []string{""} }},
		{"launch_uris[1]", "dev: true", func(r *r) { r.LaunchURIs = append(r.LaunchURIs, "http://tool.example/launch") }},
		{"launch_uris[1]", "twice", func(r *r) { r.LaunchURIs = append(r.LaunchURIs, r.LaunchURIs[0]) }},
		{"target_origins[0]", `write "https://tool.example"`, func(r *r) { r.TargetOrigins = []string{"https://tool.example/"} }},
		{"target_origins[0]", "dev: true", func(r *r) { r.TargetOrigins = []string{"http://tool.example"} }},
		{"service_origins[0]", "is no origin", func(r *r) { r.ServiceOrigins = []string{"lms.example"} }},
		{"service_origins[0]", `write "https://lms.example"`, func(r *r) { r.ServiceOrigins = []string{"https://LMS.example:443/x"} }},
		{"service_origins", "1001 entries", func(r *r) { r.ServiceOrigins = many(1001) }},
		{"message_types[0]", "not supported", func(r *r) { r.MessageTypes = []lti.MessageType{"LtiFoo"} }},
		{"algorithms[0]", "not supported", func(r *r) { r.Algorithms = []string{"none"} }},
		{"algorithms[1]", "not supported", func(r *r) { r.Algorithms = []string{"RS256", "HS256"} }},
		{"dialect", "not known", func(r *r) { r.Dialect = "Canvas" }},
		{"subject_namespace", "longer", func(r *r) { r.SubjectNamespace = strings.Repeat("n", 256) }},
	} {
		r := registration(test.change)
		problems := r.Check(false, []string{"RS256", "PS256"})
		if !slices.ContainsFunc(problems, func(p platform.Problem) bool {
			return !p.Warning && p.Field == test.field && strings.Contains(p.Message, test.words)
		}) {
			t.Errorf("%s %q: got %v", test.field, test.words, problems)
		}
	}
}

func TestCheckWarns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field  string
		change func(*platform.Registration)
	}{
		{"issuer", func(r *platform.Registration) { r.Issuer += "/" }},
		{"issuer", func(r *platform.Registration) { r.Issuer = "http://lms.example" }},
		{"deployments[1]", func(r *platform.Registration) { r.Deployments = []string{"1", r.ClientID} }},
		{"launch_uris[1]", func(r *platform.Registration) { r.LaunchURIs = append(r.LaunchURIs, r.LaunchURIs[0]+"/") }},
	} {
		r := registration(test.change)
		problems := r.Check(false, []string{"RS256"})
		if len(problems) != 1 || !problems[0].Warning || problems[0].Field != test.field {
			t.Errorf("%s: %v", test.field, problems)
		}
	}
}

func TestCheckAllowsHTTPInDevelopment(t *testing.T) {
	t.Parallel()
	r := registration(func(r *platform.Registration) {
		r.AuthorizationURI, r.TokenURI, r.JWKSURI = "http://localhost:1/auth", "http://localhost:1/token", "http://localhost:1/jwks"
		r.LaunchURIs, r.LoginURI = []string{"http://localhost:2/launch"}, "http://localhost:2/login"
		r.TargetOrigins, r.ServiceOrigins = []string{"http://localhost:2"}, []string{"http://localhost:3"}
	})
	var warned []string
	for _, problem := range r.Check(true, []string{"RS256"}) {
		if !problem.Warning || !strings.Contains(problem.Message, "it is http") {
			t.Error(problem)
		}
		warned = append(warned, problem.Field)
	}
	if want := []string{"authorization_uri", "token_uri", "jwks_uri", "login_uri", "launch_uris[0]", "target_origins[0]", "service_origins[0]"}; !slices.Equal(warned, want) {
		t.Errorf("warned of %q, want %q", warned, want)
	}
	https := registration()
	if problems := https.Check(true, []string{"RS256"}); len(problems) > 0 {
		t.Errorf("https in development: %v", problems)
	}
	if problems := r.Check(false, []string{"RS256"}); len(problems) != 7 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
}
