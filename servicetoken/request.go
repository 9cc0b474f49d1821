// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
)

// The times of a client assertion. Moodle allows no leeway, so iat lies back; Canvas takes at most five minutes of age,
// and the specification's typical life is 300 s.
const (
	backdating = 30 * time.Second
	validity   = 240 * time.Second
)

// assertionClaims are the claims of a client assertion (RFC 7523, section 3; LTI Core 1.3, section 6.2).
type assertionClaims struct {
	Issuer       string `json:"iss"`
	Subject      string `json:"sub"`
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"`
	ExpiresAt    int64  `json:"exp"`
	ID           string `json:"jti"`
	DeploymentID string `json:"https://purl.imsglobal.org/spec/lti/claim/deployment_id,omitempty"`
}

// ask sends one token request.
func (s *Source) ask(asked request) (*grant, *lti.Error) {
	registration := asked.registration
	assertion, err := s.assertion(asked)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonInternal, Message: "The client assertion could not be signed.", Cause: err}
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
		"scope":                 {strings.Join(asked.scopes, " ")},
	}
	sent := s.config.Now()
	answer, err := s.config.HTTP.Do(s.base, outbound.Request{
		Method: http.MethodPost,
		URI:    registration.TokenURI,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
		Body:   []byte(form.Encode()),
	})
	if err != nil {
		return nil, outbound.Explain(err, registration.Name)
	}
	received := s.config.Now()
	if s.config.Observe != nil {
		s.config.Observe(registration, answer, sent, received)
	}
	return readAnswer(answer, asked, received)
}

// assertion signs a fresh client assertion.
func (s *Source) assertion(asked request) (string, error) {
	var id [16]byte
	if _, err := io.ReadFull(s.config.Rand, id[:]); err != nil {
		return "", fmt.Errorf("make a jti: %w", err)
	}
	now := s.config.Now()
	claims := assertionClaims{
		Issuer:    asked.registration.ClientID,
		Subject:   asked.registration.ClientID,
		Audience:  asked.registration.Audience(),
		IssuedAt:  now.Add(-backdating).Unix(),
		ExpiresAt: now.Add(validity).Unix(),
		ID:        hex.EncodeToString(id[:]),
	}
	if !asked.registration.OmitDeploymentClaim {
		claims.DeploymentID = asked.deploymentID
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return s.config.Signer.Sign(text)
}
