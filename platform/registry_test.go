// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

func TestNewRegistryRefuses(t *testing.T) {
	t.Parallel()
	second := func(change func(*platform.Registration)) []platform.Registration {
		return []platform.Registration{registration(), registration(func(r *platform.Registration) {
			r.Name, r.ClientID = "second", "client-2"
			change(r)
		})}
	}
	canvas := func(a, b string) []platform.Registration {
		list := second(func(r *platform.Registration) { r.JWKSURI = b })
		list[0].JWKSURI = a
		return list
	}
	for _, test := range []struct {
		name          string
		registrations []platform.Registration
		words         string // empty: accepted
	}{
		{"none", nil, ""},
		{"two of one issuer", second(func(*platform.Registration) {}), ""},
		{"one client id at two issuers", second(func(r *platform.Registration) { r.Issuer, r.ClientID = "https://other.example", "client-1" }), ""},
		{"one name", second(func(r *platform.Registration) { r.Name = "lms" }), `two registrations have the name "lms"`},
		{"one issuer and client id", second(func(r *platform.Registration) { r.ClientID = "client-1" }), `"lms" and "second" have the same issuer and client_id`},
		{"keys on another host", second(func(r *platform.Registration) { r.JWKSURI = "https://evil.example/jwks" }), "subject_namespace"},
		{"keys on another port", second(func(r *platform.Registration) { r.JWKSURI = "https://keys.lms.example:8443/jwks" }), "subject_namespace"},
		{"keys on another host, named apart", second(func(r *platform.Registration) { r.JWKSURI, r.SubjectNamespace = "https://b.example/jwks", "b" }), ""},
		{"keys on another host of another issuer", second(func(r *platform.Registration) { r.Issuer, r.JWKSURI = "https://b.example", "https://b.example/jwks" }), ""},
		{"another path of the host", second(func(r *platform.Registration) { r.JWKSURI = "https://KEYS.lms.example/other" }), ""},
		{"Canvas moved", canvas("https://canvas.instructure.com/api/lti/security/jwks", "https://sso.canvaslms.com/api/lti/security/jwks"), ""},
		{"Canvas moved, beta", canvas("https://sso.beta.canvaslms.com/jwks", "https://canvas.beta.instructure.com/jwks"), ""},
		{"Canvas moved, test", canvas("https://sso.test.canvaslms.com/jwks", "https://canvas.test.instructure.com/jwks"), ""},
		{"Canvas, beta is another platform", canvas("https://canvas.instructure.com/jwks", "https://sso.beta.canvaslms.com/jwks"), "subject_namespace"},
		{"Canvas, somebody else's host", canvas("https://canvas.instructure.com/jwks", "https://sso.canvaslms.com.evil.example/jwks"), "subject_namespace"},
	} {
		_, err := platform.NewRegistry(test.registrations)
		if test.words == "" && err != nil || test.words != "" && (err == nil || !strings.Contains(err.Error(), test.words)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	third := append(second(func(r *platform.Registration) { r.SubjectNamespace, r.JWKSURI = "b", "https://b.example/jwks" }),
		registration(func(r *platform.Registration) {
			r.Name, r.ClientID, r.SubjectNamespace, r.JWKSURI = "third", "client-3", "b", "https://c.example/jwks"
		}))
	if _, err := platform.NewRegistry(third); err == nil {
		t.Error("two platforms share a namespace")
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	registry, err := platform.NewRegistry([]platform.Registration{
		registration(),
		registration(func(r *platform.Registration) { r.Name, r.ClientID = "second", "client-2" }),
		registration(func(r *platform.Registration) {
			r.Name, r.Issuer, r.ClientID = "alone", "https://alone.example", "client-1"
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		issuer, clientID, name string
		reason                 lti.Reason
		expected               string
	}{
		{"https://lms.example", "client-1", "lms", "", ""},
		{"https://lms.example", "client-2", "second", "", ""},
		{"https://alone.example", "", "alone", "", ""},
		{"https://alone.example", "client-1", "alone", "", ""},
		{"https://lms.example", "", "", lti.ReasonRegistrationAmbiguous, ""},
		{"https://lms.example", "client-3", "", lti.ReasonClientIDUnknown, "client-1 client-2"},
		{"https://lms.example", "Client-1", "", lti.ReasonClientIDUnknown, "client-1 client-2"},
		{"https://alone.example", "client-2", "", lti.ReasonClientIDUnknown, "client-1"},
		{"https://lms.example/", "client-1", "", lti.ReasonIssuerUnknown, "https://lms.example"},
		{"http://lms.example", "client-1", "", lti.ReasonIssuerUnknown, "https://lms.example"},
		{"https://LMS.example", "client-1", "", lti.ReasonIssuerUnknown, "https://lms.example"},
		{"https://other.example", "client-1", "", lti.ReasonIssuerUnknown, ""},
		{"", "", "", lti.ReasonIssuerUnknown, ""},
	} {
		found, err := registry.Find(test.issuer, test.clientID)
		if test.name != "" {
			if err != nil || found.Name != test.name {
				t.Errorf("Find(%q, %q) = %v, %v", test.issuer, test.clientID, found, err)
			}
			continue
		}
		refusal, ok := err.(*lti.Error)
		if !ok || refusal.Reason != test.reason || refusal.Metadata["expected"] != test.expected {
			t.Errorf("Find(%q, %q): %v %v", test.issuer, test.clientID, err, found)
		}
	}
	if found, err := registry.ByName("alone"); err != nil || found.Name != "alone" {
		t.Error(found, err)
	}
	if _, err := registry.ByName("Alone"); lti.ReasonOf(err) != lti.ReasonRegistrationUnknown {
		t.Error(err)
	}
	if all := registry.All(); len(all) != 3 || all[0].Name != "lms" || all[2].Name != "alone" {
		t.Error(all)
	}
}

func TestRefusalsNameWhatAlmostMatched(t *testing.T) {
	t.Parallel()
	first := registration()
	second := registration(func(r *platform.Registration) {
		r.Name, r.ClientID, r.Deployments = "second", "client-2", []string{"d7"}
	})
	slashed := registration(func(r *platform.Registration) {
		r.Name, r.Issuer, r.JWKSURI = "slashed", "https://Moodle.example/lms/", "https://moodle.example/jwks"
	})
	registry, err := platform.NewRegistry([]platform.Registration{first, second, slashed})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		issuer, clientID, nearest string
		words                     []string
	}{
		{"https://lms.example/", "client-1", "lms", []string{`the registration "lms" has "https://lms.example"`, "(a trailing slash)"}},
		{"http://lms.example", "client-2", "second", []string{"(http instead of https)"}},
		{" https://lms.example", "client-2", "second", []string{"(blanks at the beginning or the end)"}},
		{"https://moodle.example/LMS", "client-1", "slashed", []string{`the registration "slashed"`, "upper and lower case", "a trailing slash"}},
		{"https://lms.example", "Client-2", "second", []string{`the registration "second" has "client-2"`, "(upper and lower case)"}},
		{"https://lms.example", "d7", "lms", []string{`that is a deployment id of the registration "second"`}},
		{"https://lms.example", "client-2x", "second", []string{`not with the client_id "client-2x".`}},
		{"https://other.example", "client-2", "second", []string{`No registration has the issuer "https://other.example".`}},
		{"https://other.example", "other", "", []string{`No registration has the issuer "https://other.example".`}},
	} {
		_, err := registry.Find(test.issuer, test.clientID)
		for _, words := range test.words {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%q %q: %v lacks %q", test.issuer, test.clientID, err, words)
			}
		}
		name := ""
		if nearest := registry.Nearest(test.issuer, test.clientID); nearest != nil {
			name = nearest.Name
		}
		if name != test.nearest {
			t.Errorf("%q %q: nearest %q, want %q", test.issuer, test.clientID, name, test.nearest)
		}
	}
	_, err = registry.ByName("Second ")
	if refusal, ok := err.(*lti.Error); !ok || refusal.Metadata["expected"] != "second" || !strings.Contains(refusal.Message, `but there is "second"`) {
		t.Errorf("ByName: %v", err)
	}
}

func TestUnknownDeploymentsNameTheListedOne(t *testing.T) {
	t.Parallel()
	learned, _ := fresh(t)
	for deployment, test := range map[string]struct {
		listed []string
		words  string
	}{
		"17:ABC ":  {[]string{"4", "17:ABC"}, `; it lists "17:ABC": it goes on with " " at character 7`},
		"17:abc":   {[]string{"4", "17:ABC"}, "(upper and lower case)"},
		"5":        {[]string{"client-1"}, "; what it lists is its client_id"},
		"nothing ": {[]string{"4"}, `does not list the deployment "nothing ".`},
	} {
		r := registration(func(r *platform.Registration) { r.Deployments = test.listed })
		err := learned.CheckDeployment(t.Context(), &r, deployment, false)
		if lti.ReasonOf(err) != lti.ReasonDeploymentUnknown || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%q: %v lacks %q", deployment, err, test.words)
		}
	}
}
