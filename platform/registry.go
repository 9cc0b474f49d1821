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
	byLogin  map[string][]*Registration // by the issuer of login initiations
	byFolded map[string]*Registration   // by what foldIssuer makes of the issuer; the first that was given
}

// NewRegistry makes a registry of registrations that passed Check. It refuses a name, or an issuer with client id, that
// occurs twice, and two platforms behind one issuer whose users could not be told apart.
func NewRegistry(registrations []Registration) (*Registry, error) {
	r := &Registry{byName: map[string]*Registration{}, byIssuer: map[string][]*Registration{}, byLogin: map[string][]*Registration{}, byFolded: map[string]*Registration{}}
	for i := range registrations {
		registration := registrations[i]
		if other := r.byName[registration.Name]; other != nil {
			return nil, fmt.Errorf("two registrations have the name %q: rename one", registration.Name)
		}
		for _, other := range r.byLogin[registration.IssuerAtLogin()] {
			if other.ClientID == registration.ClientID && other.Issuer != registration.Issuer {
				return nil, fmt.Errorf("the registrations %q and %q have the same login issuer and client_id: a login could not tell them apart", other.Name, registration.Name)
			}
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
		r.byLogin[registration.IssuerAtLogin()] = append(r.byLogin[registration.IssuerAtLogin()], &registration)
		if folded := foldIssuer(registration.Issuer); r.byFolded[folded] == nil {
			r.byFolded[folded] = &registration
		}
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
	refusal := lti.Errorf(lti.ReasonRegistrationUnknown, "There is no registration %q.", lti.Excerpt(name)).With("registration", lti.Excerpt(name))
	if near := r.byName[strings.ToLower(strings.TrimSpace(name))]; near != nil {
		refusal.Message = fmt.Sprintf("There is no registration %q, but there is %q: %s.", lti.Excerpt(name), near.Name, lti.Difference(near.Name, name))
		refusal = refusal.With("expected", near.Name)
	}
	return nil, refusal
}

// Find returns the registration of a login's issuer and client id, both compared exactly. An empty client id is enough where
// the issuer has one registration only. The error is a *lti.Error ISSUER_UNKNOWN, CLIENT_ID_UNKNOWN or
// REGISTRATION_AMBIGUOUS, and names the registration that almost matched.
func (r *Registry) Find(issuer, clientID string) (*Registration, error) {
	candidates := r.byLogin[issuer]
	if len(candidates) == 0 {
		err := lti.Errorf(lti.ReasonIssuerUnknown, "No registration has the issuer %q.", lti.Excerpt(issuer))
		if near := r.byFolded[foldIssuer(issuer)]; near != nil {
			err.Message = fmt.Sprintf("No registration has the issuer %q; the registration %q has %q: %s.", lti.Excerpt(issuer), near.Name, near.Issuer, lti.Difference(near.Issuer, issuer))
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
	var hint string
	for _, candidate := range candidates {
		if candidate.ClientID == clientID {
			return candidate, nil
		}
		known = append(known, candidate.ClientID)
		if hint == "" {
			hint = clientIDHint(candidate, clientID)
		}
	}
	return nil, lti.Errorf(lti.ReasonClientIDUnknown, "The issuer %q is registered, but not with the client_id %q%s.", issuer, lti.Excerpt(clientID), hint).
		With("issuer", issuer).With("client_id", lti.Excerpt(clientID)).With("expected", lti.Excerpt(strings.Join(known, " ")))
}

// clientIDHint says how a client id that is not a registration's comes close to it, as the end of a sentence, or "".
func clientIDHint(registration *Registration, clientID string) string {
	if lti.Slip(registration.ClientID, clientID) != "" {
		return fmt.Sprintf("; the registration %q has %q: %s", registration.Name, registration.ClientID, lti.Difference(registration.ClientID, clientID))
	}
	if slices.Contains(registration.Deployments, clientID) {
		return fmt.Sprintf("; that is a deployment id of the registration %q", registration.Name)
	}
	return ""
}

// Nearest returns the registration that a person would most likely have meant by an issuer and a client id: one of the
// same or nearly the same issuer, else one of the same client id; nil where none comes close.
func (r *Registry) Nearest(issuer, clientID string) *Registration {
	candidates := r.byIssuer[issuer]
	if near := r.byFolded[foldIssuer(issuer)]; len(candidates) == 0 && near != nil {
		candidates = r.byIssuer[near.Issuer]
	}
	if len(candidates) > 0 {
		var clientIDs []string
		for _, candidate := range candidates {
			clientIDs = append(clientIDs, candidate.ClientID)
		}
		return candidates[lti.Nearest(clientIDs, clientID)]
	}
	for _, registration := range r.all {
		if registration.ClientID == clientID {
			return registration
		}
	}
	return nil
}

// foldIssuer maps issuers to one text that a person would take for the same: they differ by blanks, by http and https,
// by a trailing slash, or by upper and lower case.
func foldIssuer(issuer string) string {
	issuer = strings.ToLower(strings.TrimRight(strings.TrimSpace(issuer), "/"))
	return strings.TrimPrefix(strings.TrimPrefix(issuer, "https://"), "http://")
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
