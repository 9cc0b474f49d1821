// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Registry is the set of registrations. It is not changed and may be read by many goroutines.
type Registry struct {
	all      []*Registration
	byName   map[string]*Registration
	byIssuer map[string][]*Registration
}

// NewRegistry makes a registry of registrations that passed Check. It refuses a name, or an issuer with client id, that
// occurs twice, and two platforms behind one issuer whose users could not be told apart.
func NewRegistry(registrations []Registration) (*Registry, error) {
	r := &Registry{byName: map[string]*Registration{}, byIssuer: map[string][]*Registration{}}
	for i := range registrations {
		registration := registrations[i]
		if other := r.byName[registration.Name]; other != nil {
			return nil, fmt.Errorf("two registrations have the name %q: rename one", registration.Name)
		}
		for _, other := range r.byIssuer[registration.Issuer] {
			if other.ClientID == registration.ClientID {
				return nil, fmt.Errorf("the registrations %q and %q have the same issuer and client_id: remove one, or correct its client_id", other.Name, registration.Name)
			}
			if err := checkSubjects(other, &registration); err != nil {
				return nil, err
			}
		}
		r.all = append(r.all, &registration)
		r.byName[registration.Name] = &registration
		r.byIssuer[registration.Issuer] = append(r.byIssuer[registration.Issuer], &registration)
	}
	return r, nil
}

// All returns the registrations in the order they were given. The caller must not change the slice.
func (r *Registry) All() []*Registration { return r.all }

// ByName returns the registration of a name.
func (r *Registry) ByName(name string) (*Registration, error) {
	if registration := r.byName[name]; registration != nil {
		return registration, nil
	}
	return nil, lti.Errorf(lti.ReasonRegistrationUnknown, "There is no registration %q.", lti.Excerpt(name)).With("registration", lti.Excerpt(name))
}

// Find returns the registration of an issuer and a client id, both compared exactly. An empty client id is enough where
// the issuer has one registration only. The error is a *lti.Error ISSUER_UNKNOWN, CLIENT_ID_UNKNOWN or
// REGISTRATION_AMBIGUOUS, and names the registration that almost matched.
func (r *Registry) Find(issuer, clientID string) (*Registration, error) {
	candidates := r.byIssuer[issuer]
	if len(candidates) == 0 {
		err := lti.Errorf(lti.ReasonIssuerUnknown, "No registration has the issuer %q.", lti.Excerpt(issuer))
		if near := r.nearIssuer(issuer); near != nil {
			err.Message = fmt.Sprintf("No registration has the issuer %q; %q has %q, which differs by a trailing slash, by http and https, or by upper and lower case.", lti.Excerpt(issuer), near.Name, near.Issuer)
			err = err.With("expected", near.Issuer)
		}
		return nil, err.With("issuer", lti.Excerpt(issuer))
	}
	if clientID == "" {
		if len(candidates) == 1 {
			return candidates[0], nil
		}
		return nil, lti.Errorf(lti.ReasonRegistrationAmbiguous, "The login named no client_id, and %d registrations have the issuer %q.", len(candidates), issuer).With("issuer", issuer)
	}
	var known []string
	for _, candidate := range candidates {
		if candidate.ClientID == clientID {
			return candidate, nil
		}
		known = append(known, candidate.ClientID)
	}
	return nil, lti.Errorf(lti.ReasonClientIDUnknown, "The issuer %q is registered, but not with the client_id %q.", issuer, lti.Excerpt(clientID)).
		With("issuer", issuer).With("client_id", lti.Excerpt(clientID)).With("expected", lti.Excerpt(strings.Join(known, " ")))
}

// nearIssuer returns the registration whose issuer a person would take for the same.
func (r *Registry) nearIssuer(issuer string) *Registration {
	fold := func(s string) string {
		s = strings.ToLower(strings.TrimRight(s, "/"))
		return strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	}
	for _, registration := range r.all {
		if fold(registration.Issuer) == fold(issuer) {
			return registration
		}
	}
	return nil
}

// checkSubjects refuses two platforms that share an issuer without a namespace to tell their users apart: a user's key
// is made of issuer and sub, so a second platform could name the users of the first.
func checkSubjects(a, b *Registration) error {
	if a.SubjectNamespace != b.SubjectNamespace || sameKeyHost(a.JWKSURI, b.JWKSURI) {
		return nil
	}
	return fmt.Errorf("the registrations %q and %q have one issuer, but fetch keys from different hosts: users of both would get the same keys; give one of them a subject_namespace", a.Name, b.Name)
}

// movedHosts are hosts of one platform that changed its name.
var movedHosts = [][]string{
	{"canvas.instructure.com", "sso.canvaslms.com"},
	{"canvas.beta.instructure.com", "sso.beta.canvaslms.com"},
	{"canvas.test.instructure.com", "sso.test.canvaslms.com"},
}

func sameKeyHost(a, b string) bool {
	hostA, hostB := hostOf(a), hostOf(b)
	if hostA == hostB {
		return true
	}
	return slices.ContainsFunc(movedHosts, func(hosts []string) bool {
		return slices.Contains(hosts, hostA) && slices.Contains(hosts, hostB)
	})
}

func hostOf(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Host)
}
