// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"github.com/ltisidecar/ltisidecar/lti"
)

// UnknownDeployments says what happens to a launch of a deployment that the registration does not list.
type UnknownDeployments string

// The policies for unknown deployments.
const (
	RejectDeployments UnknownDeployments = "reject"  // the default
	PendDeployments   UnknownDeployments = "pending" // refuse, and note it for the operator
	AcceptDeployments UnknownDeployments = "accept"
)

// Registration is the tool as one platform knows it: an issuer, a client id, and the platform's endpoints. Once in a
// Registry it is not changed; it may be read by many goroutines.
type Registration struct {
	Name                string             // 1 to 64 of a-z, 0-9, '-', '_' and '.'; unique; immutable
	Issuer              string             // iss, compared exactly
	LoginIssuer         string             // iss of login initiations where it differs (Sakai's site tools); empty: Issuer
	ClientID            string             // client_id, compared exactly; unique within the issuer
	Deployments         []string           // deployment ids that may launch
	UnknownDeployments  UnknownDeployments // empty: RejectDeployments
	AuthorizationURI    string             // authorization endpoint
	TokenURI            string             // token endpoint; empty: no service can be called
	TokenAudience       string             // aud of client assertions; empty: that of the named dialect, or TokenURI
	JWKSURI             string             // the platform's keys
	LaunchURIs          []string           // redirect URIs; the first is the default
	LoginURI            string             // the tool's login initiation URL; empty: no page can offer to begin anew
	TargetOrigins       []string           // further origins that a target link URI may lie on, besides those of LaunchURIs
	ServiceOrigins      []string           // further origins that service tokens may be sent to
	MessageTypes        []lti.MessageType  // empty: LtiResourceLinkRequest
	Algorithms          []string           // signature algorithms of id_tokens; empty: RS256
	AllowAnonymous      bool               // accept launches without sub
	Dialect             string             // name in the dialect table; empty: detected per launch
	OmitDeploymentClaim bool               // leave the deployment claim out of client assertions
	SubjectNamespace    string             // enters user keys; needed where two platforms share an issuer
	LTI11               []LTI11Key         // secrets of LTI 1.1 that verify migration claims; consumer keys are unique
}

// IssuerAtLogin returns the iss of login initiations.
func (r *Registration) IssuerAtLogin() string {
	if r.LoginIssuer != "" {
		return r.LoginIssuer
	}
	return r.Issuer
}

// Audience returns the aud of client assertions.
func (r *Registration) Audience() string {
	if r.TokenAudience != "" {
		return r.TokenAudience
	}
	if audience := DialectNamed(r.Dialect).TokenAudience; audience != "" {
		return audience
	}
	return r.TokenURI
}
