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
