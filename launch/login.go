// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/platform"
)

// AuthRequest is a login initiation as the tool relays it.
type AuthRequest struct {
	Browser      BrowserRequest
	LaunchURI    string // empty: the registration's first
	Registration string // empty: found by iss and client_id
}

// AuthReply is the answer to a login initiation.
type AuthReply struct {
	Reply            *Reply
	AuthorizationURI string
	State            string
	ExpireTime       time.Time
	Registration     string
}

// BuildAuthRequest answers a login initiation (Security Framework 5.1.1.1) with the authentication request (5.1.1.2).
// It stores nothing that a launch depends on. caller is the logical name of the tool: the launch must come from the
// same. Errors are *lti.Error.
func (v *Validator) BuildAuthRequest(ctx context.Context, caller string, request AuthRequest) (*AuthReply, error) {
	browser := &request.Browser
	if browser.Method != "GET" && browser.Method != "POST" {
		return nil, lti.Errorf(lti.ReasonMethodNotAllowed, "A login initiation comes by GET or POST, not by %q.", lti.Excerpt(browser.Method)).With("actual", lti.Excerpt(browser.Method)).With("expected", "GET POST")
	}
	values, err := browser.read(v.config.MaxTokenSize, paramIssuer, paramLoginHint, paramTarget, paramMessageHint, paramDeployment, paramDeploymentOld, paramClientID, paramStorageTarget)
	if err != nil {
		return nil, err
	}
	registration, err := v.findRegistration(request.Registration, values)
	if err != nil {
		return nil, err
	}
	loginHint, err := values.need(paramLoginHint)
	if err != nil {
		return nil, withRegistration(err, registration)
	}
	target, err := values.need(paramTarget)
	if err != nil {
		return nil, withRegistration(err, registration)
	}
	if err := v.checkTarget(registration, target); err != nil {
		return nil, err
	}
	redirectURI, err := launchURI(registration, request.LaunchURI)
	if err != nil {
		return nil, err
	}
	seal, err := v.seal(ctx)
	if err != nil {
		return nil, err
	}
	now := v.config.Now()
	secret, err := bindingSecret(now, v.config.Rand)
	if err != nil {
		return nil, err
	}
	login := &loginState{
		issued:       now,
		binding:      sha256.Sum256([]byte(secret)),
		registration: registrationFingerprint(registration),
		deployment:   fingerprintOf("deployment", deploymentHint(values)),
		target:       fingerprintOf("target", target),
		launchURI:    fingerprintOf("launch URI", redirectURI),
		caller:       fingerprintOf("caller", caller),
	}
	if _, err := io.ReadFull(v.config.Rand, login.nonce[:]); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	login.storageTarget = storageTarget(values[paramStorageTarget])
	login.storage = login.storageTarget != ""
	state, err := sealState(seal, v.config.Rand, login)
	if err != nil {
		return nil, err
	}
	id := loginID(state)
	authorizationURI := appendQuery(registration.AuthorizationURI, [][2]string{
		{"scope", "openid"},
		{"response_type", "id_token"},
		{"response_mode", "form_post"},
		{"prompt", "none"},
		{"client_id", registration.ClientID},
		{"redirect_uri", redirectURI},
		{paramLoginHint, loginHint},
		{paramMessageHint, values[paramMessageHint]},
		{"state", state},
		{"nonce", nonceText(login.nonce)},
	})
	headers := append(setCookies(id, secret), deleteOldLogins(browser.CookieHeader)...)
	reply := redirectReply(302, authorizationURI, headers)
	if login.storage {
		// Only here: a page instead of a redirect costs the platform its own Lax cookies.
		reply, err = storageReply(storageData{
			Target: login.storageTarget, Origin: authorizationOrigin(registration), Key: storageKey(id), Value: secret, Next: authorizationURI,
		}, browser.CSPNonce)
		if err != nil {
			return nil, err
		}
		reply.Headers = append(reply.Headers, headers...)
	}
	if registration.LoginURI != "" && browser.SecFetchDest != "document" && !platform.DialectNamed(registration.Dialect).LoginHintOnce {
		v.restarts.remember(id, restartURI(registration, values), now)
	}
	return &AuthReply{
		Reply: reply, AuthorizationURI: authorizationURI, State: state,
		ExpireTime: now.Add(noncestore.StateLifetime), Registration: registration.Name,
	}, nil
}

// findRegistration finds the registration of a login: by the name that the tool gives, or by issuer and client id.
func (v *Validator) findRegistration(name string, values form) (*platform.Registration, error) {
	issuer, err := values.need(paramIssuer)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return v.config.Registry.Find(issuer, values[paramClientID])
	}
	registration, err := v.config.Registry.ByName(name)
	if err != nil {
		var unknown *lti.Error
		if errors.As(err, &unknown) {
			return nil, unknown.With("field", "registration")
		}
		return nil, err
	}
	if expected := registration.IssuerAtLogin(); issuer != expected {
		return nil, lti.Errorf(lti.ReasonIssuerUnknown, "The login came from the issuer %q; the registration %q has %q: %s.", lti.Excerpt(issuer), name, expected, lti.Difference(expected, issuer)).
			With("issuer", lti.Excerpt(issuer)).With("expected", expected)
	}
	if clientID := values[paramClientID]; clientID != "" && clientID != registration.ClientID {
		return nil, lti.Errorf(lti.ReasonClientIDUnknown, "The login was for the client_id %q; the registration %q has %q: %s.", lti.Excerpt(clientID), name, registration.ClientID, lti.Difference(registration.ClientID, clientID)).
			With("issuer", issuer).With("client_id", lti.Excerpt(clientID)).With("expected", registration.ClientID)
	}
	return registration, nil
}

// deploymentHint returns the deployment that the login named, or "".
func deploymentHint(values form) string {
	if hint := values[paramDeployment]; hint != "" {
		return hint
	}
	return values[paramDeploymentOld]
}

const maxStorageTarget = 64

// forbiddenTargets are names that a page resolves to something else than a frame.
var forbiddenTargets = []string{"top", "self", "parent", "opener", "window", "frames", "document", "location", "length", "closed", "constructor", "prototype", "__proto__", "_top", "_self", "_blank"}

// storageTarget returns the frame name of the platform's storage, or "" where none came or it is not fit for use. It is
// unsigned text from the browser.
func storageTarget(value string) string {
	if value == "" || len(value) > maxStorageTarget || contains(forbiddenTargets, strings.ToLower(value)) {
		return ""
	}
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return ""
		}
	}
	return value
}

// storageKey is the key of a login in the platform's storage.
func storageKey(loginID string) string { return "ltisidecar-" + loginID }

// authorizationOrigin is where the platform's storage answers from.
func authorizationOrigin(registration *platform.Registration) string {
	origin, err := platform.Origin(registration.AuthorizationURI)
	if err != nil {
		return "" // a registry holds checked registrations; an empty origin makes the page fail closed
	}
	return origin
}

// appendQuery adds parameters to a URI, keeping the query that it has. Empty values are left out.
func appendQuery(uri string, parameters [][2]string) string {
	var text strings.Builder
	text.WriteString(uri)
	separator := byte('?')
	if strings.Contains(uri, "?") {
		separator = '&'
		if strings.HasSuffix(uri, "?") || strings.HasSuffix(uri, "&") {
			separator = 0
		}
	}
	for _, parameter := range parameters {
		if parameter[1] == "" {
			continue
		}
		if separator != 0 {
			text.WriteByte(separator)
		}
		separator = '&'
		text.WriteString(parameter[0] + "=" + strings.ReplaceAll(url.QueryEscape(parameter[1]), "+", "%20"))
	}
	return text.String()
}

func restartURI(registration *platform.Registration, values form) string {
	var parameters [][2]string
	for _, name := range []string{paramIssuer, paramLoginHint, paramTarget, paramMessageHint, paramDeployment, paramDeploymentOld, paramClientID} {
		parameters = append(parameters, [2]string{name, values[name]})
	}
	return appendQuery(registration.LoginURI, parameters)
}

func nonceText(nonce noncestore.Nonce) string { return base64.RawURLEncoding.EncodeToString(nonce[:]) }

// withRegistration adds the registration's name to a refusal.
func withRegistration(err error, registration *platform.Registration) error {
	if refusal, ok := err.(*lti.Error); ok {
		return refusal.With("registration", registration.Name)
	}
	return err
}
