// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/platform"
)

// Request is an authentication response as the tool relays it.
type Request struct {
	Browser   BrowserRequest
	LaunchURI string            // as given to BuildAuthRequest
	Accept    []lti.MessageType // empty: LtiResourceLinkRequest
}

// Outcome is an accepted launch, or a page that the browser has to go through first.
type Outcome struct {
	Launch  *Launch  // nil where Step is set
	Step    *Reply   // nothing is consumed
	Headers []Header // for the tool's own answer to the launch
}

// validation is one launch on its way through the checks.
type validation struct {
	*Validator
	caller  string
	request *Request
	now     time.Time

	form         form
	seal         noncestore.Seal
	state        *loginState
	loginID      string
	registration *platform.Registration
	binding      Binding
	token        *jose.Token
	key          *jose.PublicKey
	claims       *claims
	launch       *Launch
	leave        func() // gives the slot back that read has; nil: it has none
}

// Refusal is an error of Validate with what the caller needs to answer the browser. Err is the *lti.Error.
type Refusal struct {
	Err        error
	LaunchID   string // "" where the state could not be opened
	RestartURI string // where the user can begin the login anew in a new window, or ""
}

// Error returns the text of the error.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the error.
func (r *Refusal) Unwrap() error { return r.Err }

// Validate checks an authentication response, cheap checks before dear ones, and redeems its nonce last: a bad token
// never uses up a good login. caller is the logical name that was given to BuildAuthRequest. Errors are *Refusal.
func (v *Validator) Validate(ctx context.Context, caller string, request Request) (*Outcome, error) {
	c := &validation{Validator: v, caller: caller, request: &request, now: v.config.Now()}
	outcome, err := c.run(ctx)
	if err == nil {
		return outcome, nil
	}
	refusal := &Refusal{Err: err}
	if c.state != nil {
		refusal.LaunchID = launchID(c.state.nonce)
		var known *lti.Error
		if errors.As(err, &known) {
			known = known.With("launch_id", refusal.LaunchID)
			if c.registration != nil {
				known.Metadata["registration"] = c.registration.Name // With has made a map of its own
			}
			refusal.Err = known
		}
		if lti.ReasonOf(err) == lti.ReasonBindingMissing {
			refusal.RestartURI = v.restarts.uri(c.loginID, c.now)
		}
	}
	return nil, refusal
}

// run is the order of the checks.
func (c *validation) run(ctx context.Context) (*Outcome, error) {
	if err := c.readForm(); err != nil {
		return nil, err
	}
	if err := c.openState(ctx); err != nil {
		return nil, err
	}
	if err := c.checkPlatformError(); err != nil {
		return nil, err
	}
	if step, err := c.checkBinding(); step != nil || err != nil {
		if used := c.checkUnused(ctx); used != nil {
			return nil, used // a reload: the accepted launch took the cookies away
		}
		return &Outcome{Step: step}, err
	}
	if err := c.readHeader(); err != nil {
		return nil, err
	}
	if err := c.findKey(ctx); err != nil {
		return nil, err
	}
	var err error
	if c.leave, err = c.admission.enter(ctx, share{c.caller, c.registration.Name}); err != nil {
		return nil, err
	}
	err = c.read(ctx)
	c.giveSlotBack()
	if err != nil {
		return nil, err
	}
	if err := c.checkDeployment(ctx); err != nil {
		return nil, err
	}
	if err := c.redeem(ctx); err != nil {
		return nil, err
	}
	return c.accept()
}

// read is the part that needs the processor, and little else.
func (c *validation) read(ctx context.Context) error {
	if err := c.checkUnused(ctx); err != nil {
		return err
	}
	if err := c.readPayload(); err != nil {
		return err
	}
	if err := c.checkParties(); err != nil {
		return err
	}
	if err := c.verifySignature(ctx); err != nil {
		return err
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	if err := c.checkNonce(); err != nil {
		return err
	}
	var err error
	c.launch, err = c.readMessage(c.claims, c.registration, c.request.Accept)
	return err
}

// giveSlotBack lets the next launch work. Whoever waits for anything but the processor calls it first.
func (c *validation) giveSlotBack() {
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
}

// readForm holds the request to its caps and takes the parameters (Security Framework 5.1.1.3).
func (c *validation) readForm() error {
	if method := c.request.Browser.Method; method != "POST" {
		return lti.Errorf(lti.ReasonMethodNotAllowed, "A launch is a POST, not %q.", lti.Excerpt(method)).With("actual", lti.Excerpt(method)).With("expected", "POST")
	}
	var err error
	c.form, err = c.request.Browser.read(c.config.MaxTokenSize, paramState, paramIDToken, paramError, paramErrorText, paramStorageProof)
	return err
}

// openState opens the state and holds it to the caller and the launch URI it was made for.
func (c *validation) openState(ctx context.Context) error {
	text, err := c.form.need(paramState)
	if err != nil {
		if platformError := c.form[paramError]; platformError != "" {
			// Some platforms drop the state when they refuse: their words still help.
			return platformDenied(platformError, c.form[paramErrorText])
		}
		return err
	}
	if c.seal, err = c.Validator.seal(ctx); err != nil {
		return err
	}
	state, err := openState(c.seal, text, c.now)
	if shared, ok := c.config.Nonces.(SealRefresher); ok && (lti.ReasonOf(err) == lti.ReasonStateStale || lti.ReasonOf(err) == lti.ReasonStateOtherInstance) {
		// Another sidecar may have made the state under a seal that is newer than the one we know.
		if c.seal, err = shared.Refresh(ctx); err != nil {
			return storeError(ctx, err)
		}
		state, err = openState(c.seal, text, c.now)
	}
	if err != nil {
		return err
	}
	c.state, c.loginID = state, loginID(text)
	c.registration = c.registrations[state.registration]
	if c.registration == nil {
		return lti.Errorf(lti.ReasonStateStale, "The registration that the login began with was removed or changed.")
	}
	if state.caller != fingerprintOf("caller", c.caller) {
		return lti.Errorf(lti.ReasonStateMismatch, "The login was begun by another caller than %q.", c.caller).With("actual", c.caller)
	}
	uri, err := launchURI(c.registration, c.request.LaunchURI)
	if err != nil {
		return err
	}
	if state.launchURI != fingerprintOf("launch URI", uri) {
		return c.otherLaunchURI(uri)
	}
	return nil
}

// otherLaunchURI says which launch URI the login was for: the state holds only its fingerprint.
func (c *validation) otherLaunchURI(uri string) error {
	refusal := lti.Errorf(lti.ReasonStateMismatch, "The login was for another launch URI than %q: give BuildAuthRequest and ValidateLaunch the same launch_uri.", uri).With("actual", uri)
	for _, listed := range c.registration.LaunchURIs {
		if c.state.launchURI == fingerprintOf("launch URI", listed) {
			refusal.Message = fmt.Sprintf("The login was for the launch URI %q, this launch for %q (%s): give BuildAuthRequest and ValidateLaunch the same launch_uri.", listed, uri, lti.Difference(listed, uri))
			return refusal.With("expected", listed)
		}
	}
	return refusal
}

// checkPlatformError reports the platform's words where it answered with an error (Security Framework 5.1.1.5).
func (c *validation) checkPlatformError() error {
	if platformError, ok := c.form[paramError]; ok {
		return platformDenied(platformError, c.form[paramErrorText])
	}
	return nil
}

// platformDenied leaves the description out of the message, which is logged: it can quote a person.
func platformDenied(code, description string) *lti.Error {
	return lti.Errorf(lti.ReasonPlatformDenied, "The platform answered with the error %q.", lti.Excerpt(code)).
		With("platform_error", lti.Excerpt(code)).With("platform_description", lti.Excerpt(description))
}

// checkUnused refuses early what is known to be used. It decides nothing: redeem does. The store is not asked for what
// is refused by its header alone.
func (c *validation) checkUnused(ctx context.Context) error {
	return c.replayOr(ctx, c.config.Nonces.Redeemed(ctx, c.state.nonce))
}

// readHeader takes the id_token through the cheap part of the gate.
func (c *validation) readHeader() error {
	text, err := c.form.need(paramIDToken)
	if err != nil {
		return err
	}
	c.token, err = jose.Split(text, c.algorithms())
	return err
}

// findKey finds the key of the registration that the login began with. It stands before the payload is read, so that
// whoever has no signature by one of its kids cannot make that work.
func (c *validation) findKey(ctx context.Context) error {
	var err error
	if c.key, err = c.config.Keys.Key(ctx, c.registration, c.token.KeyID, c.token.Algorithm); err != nil {
		return c.explainKey(err)
	}
	if c.token.SignatureFits(c.key) {
		return nil
	}
	return c.verifySignature(ctx) // fails at once, unless the platform put a longer or shorter key under the kid
}

// readPayload takes the rest of the id_token through the gate and splits its claims.
func (c *validation) readPayload() error {
	if err := c.token.ReadPayload(); err != nil {
		return err
	}
	var err error
	c.claims, err = readClaims(c.token.Payload)
	return err
}

// algorithms returns the signature algorithms that the registration allows.
func (c *validation) algorithms() []string {
	if len(c.registration.Algorithms) == 0 {
		return []string{jose.RS256}
	}
	return c.registration.Algorithms
}

// verifySignature verifies the signature once, and once more where the platform put new key material under the kid.
func (c *validation) verifySignature(ctx context.Context) error {
	failure := c.token.Verify(c.key)
	if failure == nil {
		return nil
	}
	c.giveSlotBack() // the platform may have to be asked
	replaced, err := c.config.Keys.Replaced(ctx, c.registration, c.token.KeyID, c.token.Algorithm, c.key)
	if err != nil || replaced == nil {
		return failure // that the keys could not be fetched anew does not make the signature good
	}
	c.key = replaced
	return c.token.Verify(replaced)
}

// explainKey completes the message of KID_UNKNOWN with what is held, and since when.
func (c *validation) explainKey(err error) error {
	var refusal *lti.Error
	if !errors.As(err, &refusal) || refusal.Reason != lti.ReasonKIDUnknown {
		return err
	}
	explained := *refusal
	explained.Message = fmt.Sprintf("The id_token is signed with the key %q, which the platform's key set does not have", lti.Excerpt(c.token.KeyID))
	if fetched, err := time.Parse(time.RFC3339, refusal.Metadata["fetched_time"]); err == nil {
		explained.Message += fmt.Sprintf("; the set is %s old", max(0, c.now.Sub(fetched)).Round(time.Second))
	}
	if held := refusal.Metadata["held_kids"]; held != "" {
		explained.Message += fmt.Sprintf("; it has %s", held)
	}
	if refusal.RetryAfter > 0 {
		explained.Message += fmt.Sprintf("; it can be fetched again in %s", refusal.RetryAfter.Round(time.Second))
	}
	explained.Message += "."
	return &explained
}

// checkNonce compares the nonce with the one that the state was made with (OpenID Connect Core 3.2.2.11).
func (c *validation) checkNonce() error {
	if c.claims.Nonce == nil {
		return missing("nonce")
	}
	if nonce, ok := text(c.claims.Nonce); !ok || nonce != nonceText(c.state.nonce) {
		return lti.Errorf(lti.ReasonNonceMismatch, "The id_token answers another authentication request than its state belongs to.")
	}
	return nil
}

// checkDeployment holds the deployment to the login's hint and to the registration.
func (c *validation) checkDeployment(ctx context.Context) error {
	if hint := c.state.deployment; hint != (fingerprint{}) && hint != fingerprintOf("deployment", c.launch.DeploymentID) {
		refusal := lti.Errorf(lti.ReasonDeploymentMismatch, "The launch is of the deployment %q, the login was of another.", lti.Excerpt(c.launch.DeploymentID)).
			With("actual", lti.Excerpt(c.launch.DeploymentID))
		for _, listed := range c.registration.Deployments {
			if hint == fingerprintOf("deployment", listed) {
				refusal.Message = fmt.Sprintf("The launch is of the deployment %q, the login was of %q.", lti.Excerpt(c.launch.DeploymentID), lti.Excerpt(listed))
				refusal = refusal.With("expected", lti.Excerpt(listed))
			}
		}
		return refusal
	}
	return c.config.Deployments.CheckDeployment(ctx, c.registration, c.launch.DeploymentID, true)
}

// redeem uses the nonce up, atomically, under the seal that opened the state.
func (c *validation) redeem(ctx context.Context) error {
	return c.replayOr(ctx, c.config.Nonces.Redeem(ctx, c.seal.Generation, c.state.nonce))
}

// replayOr names the launch that a replay repeats, and maps the store's other errors.
func (c *validation) replayOr(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var replay *noncestore.ReplayError
	if errors.As(err, &replay) {
		return lti.Errorf(lti.ReasonNonceReplayed, "This launch was accepted before, at %s.", formatTime(replay.FirstUsed)).
			With("first_used_time", formatTime(replay.FirstUsed))
	}
	return storeError(ctx, err)
}

// accept completes the launch.
func (c *validation) accept() (*Outcome, error) {
	c.restarts.forget(c.loginID)
	c.launch.ID = launchID(c.state.nonce)
	c.launch.Time = c.now.UTC()
	c.launch.Binding = c.binding
	c.launch.ClaimsJSON = alias(c.token.Payload)
	c.launch.TargetChanged = c.launch.TargetLinkURI != "" && c.state.target != fingerprintOf("target", c.launch.TargetLinkURI)
	if err := c.sealProctoring(); err != nil {
		return nil, err
	}
	if err := c.sealDeepLinking(c.caller, c.launch); err != nil {
		return nil, err
	}
	var err error
	if c.launch.Token, _, err = c.sealToken(c.caller, c.launch); err != nil {
		return nil, err
	}
	return &Outcome{Launch: c.launch, Headers: append(deleteCookies(c.loginID), Header{"Cache-Control", "no-store"})}, nil
}

// launchID derives a launch's id from its nonce, so that a replay can name the launch it repeats, without the id
// giving the nonce away.
func launchID(nonce noncestore.Nonce) string {
	sum := sha256.Sum256(append([]byte("ltisidecar launch id\x00"), nonce[:]...))
	return hex.EncodeToString(sum[:16])
}
