// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/platform"
)

// PlatformKeys gives the keys that platforms sign with.
type PlatformKeys interface {
	// Key returns the key of a kid. The error is a *lti.Error KID_UNKNOWN, KEY_UNSUITABLE, KEY_AMBIGUOUS,
	// JWKS_UNREACHABLE or JWKS_INVALID, or one of the outbound guard's.
	Key(ctx context.Context, registration *platform.Registration, kid, algorithm string) (*jose.PublicKey, error)
	// Replaced is asked when a signature did not fit: some platforms put new key material under an old kid. It returns
	// the key that is now there if it is another one, and otherwise nil.
	Replaced(ctx context.Context, registration *platform.Registration, kid, algorithm string, failed *jose.PublicKey) (*jose.PublicKey, error)
}

// SkewMeter is a PlatformKeys that has also seen the clocks of platforms. Whether Config.Keys is one is found out when a
// token's time is refused.
type SkewMeter interface {
	// Skew returns how far the clock of a registration's platform was ahead of ours when its keys were fetched, negative
	// where it was behind, and false where it has not been seen.
	Skew(registration *platform.Registration) (time.Duration, bool)
}

// SealRefresher is a nonce store that several sidecars share, so that Seal may be behind what another one has replaced.
// Whether Config.Nonces is one is found out when a state is of another seal.
type SealRefresher interface {
	// Refresh returns the seal as the store has it now.
	Refresh(ctx context.Context) (noncestore.Seal, error)
}

// DeploymentPolicy says which deployments may launch. record asks it to note one that must wait for the operator.
type DeploymentPolicy interface {
	CheckDeployment(ctx context.Context, registration *platform.Registration, deploymentID string, record bool) error
}

// TokenSealer seals launch tokens with a key that outlives restarts. A text opens only for the purpose it was sealed
// for.
type TokenSealer interface {
	Seal(purpose string, plaintext []byte) (string, error)
	Open(purpose, sealed string) ([]byte, error)
}

// Config configures a Validator.
type Config struct {
	Registry     *platform.Registry // required
	Keys         PlatformKeys       // required
	Nonces       noncestore.Store   // required
	Deployments  DeploymentPolicy   // required
	Sealer       TokenSealer        // required
	Signer       Signer             // signs what the tool sends; nil: BuildStartAssessment fails with INTERNAL
	Now          func() time.Time   // nil: time.Now
	Rand         io.Reader          // nil: crypto/rand
	Leeway       time.Duration      // tolerance between clocks, at most 5 minutes; 0: one minute
	MaxTokenSize int                // bytes of an id_token; 0: 64 KiB; at most 128 KiB
	AllowHTTP    bool               // accept http target link URIs, for development
}

// Validator answers logins and validates launches. It may be used by many goroutines.
type Validator struct {
	config        Config
	registrations map[fingerprint]*platform.Registration
	targets       map[*platform.Registration][]string // the origins that targets may have
	restarts      *restarts
	seen          *seenNotices
	admission     *admission
}

// New makes a Validator.
func New(config Config) (*Validator, error) {
	if config.Registry == nil || config.Keys == nil || config.Nonces == nil || config.Deployments == nil || config.Sealer == nil {
		return nil, errors.New("launch: a Validator needs Registry, Keys, Nonces, Deployments and Sealer")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.Leeway == 0 {
		config.Leeway = time.Minute
	}
	if config.MaxTokenSize == 0 {
		config.MaxTokenSize = 64 << 10
	}
	if err := config.checkLimits(); err != nil {
		return nil, err
	}
	restarts, err := newRestarts()
	if err != nil {
		return nil, err
	}
	seen, err := newSeenNotices()
	if err != nil {
		return nil, err
	}
	v := &Validator{config: config, registrations: map[fingerprint]*platform.Registration{}, targets: map[*platform.Registration][]string{}, restarts: restarts, seen: seen, admission: newAdmission(config.Now)}
	for _, registration := range config.Registry.All() {
		v.registrations[registrationFingerprint(registration)] = registration
		v.targets[registration] = targetOrigins(registration)
	}
	return v, nil
}

// checkLimits checks what has limits, after the defaults were filled in.
func (c *Config) checkLimits() error {
	if c.Leeway < 0 || c.Leeway > 5*time.Minute {
		return fmt.Errorf("launch: a leeway of %s is not between 0 and 5 minutes", c.Leeway)
	}
	if c.MaxTokenSize < 1<<10 || c.MaxTokenSize > 128<<10 {
		return fmt.Errorf("launch: a maximum of %d bytes for id_tokens is not between 1 and 128 KiB", c.MaxTokenSize)
	}
	return nil
}

func registrationFingerprint(r *platform.Registration) fingerprint {
	return fingerprintOf("registration", lti.Key("registration", r.Name, r.Issuer, r.ClientID))
}

// seal returns the store's seal, as a *lti.Error where it has none to give.
func (v *Validator) seal(ctx context.Context) (noncestore.Seal, error) {
	seal, err := v.config.Nonces.Seal(ctx)
	if err != nil {
		return seal, storeError(ctx, err)
	}
	return seal, nil
}

// storeError turns an error of the nonce store into one for the caller.
func storeError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, noncestore.ErrStale):
		return lti.Errorf(lti.ReasonStateStale, "The login began before the sidecar's memory of used launches was replaced.")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &lti.Error{Reason: lti.ReasonDeadlineExceeded, Cause: err}
	case errors.Is(ctx.Err(), context.Canceled):
		return &lti.Error{Reason: lti.ReasonCanceled, Cause: err}
	}
	var skew *noncestore.ClockSkewError
	switch {
	case errors.As(err, &skew):
		return (&lti.Error{Reason: lti.ReasonStoreClockSkew, Cause: err}).With("clock_skew", strconv.FormatInt(int64(skew.Ahead/time.Second), 10))
	case errors.Is(err, noncestore.ErrFull):
		return &lti.Error{Reason: lti.ReasonStoreFull, Cause: err}
	}
	return &lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err}
}

// launchURI returns the launch URI of a call: the one it names, which must be listed, or the first.
func launchURI(registration *platform.Registration, asked string) (string, error) {
	if asked == "" {
		return registration.LaunchURIs[0], nil
	}
	if contains(registration.LaunchURIs, asked) {
		return asked, nil
	}
	near := registration.LaunchURIs[lti.Nearest(registration.LaunchURIs, asked)]
	return "", lti.Errorf(lti.ReasonLaunchURINotListed, "launch_uri: the registration %q does not list %q; the nearest of its launch_uris is %q: %s.",
		registration.Name, lti.Excerpt(asked), near, lti.Difference(near, asked)).
		With("registration", registration.Name).With("actual", lti.Excerpt(asked)).With("expected", lti.Excerpt(near)).With("field", "launch_uri")
}

// targetOrigins returns the origins that a target link URI of a registration may have.
func targetOrigins(registration *platform.Registration) []string {
	var allowed []string
	for _, uri := range registration.LaunchURIs {
		if own, err := platform.Origin(uri); err == nil && !contains(allowed, own) {
			allowed = append(allowed, own)
		}
	}
	return append(allowed, registration.TargetOrigins...)
}

// checkTarget holds a target link URI to the origins of the tool.
func (v *Validator) checkTarget(registration *platform.Registration, target string) error {
	origin, err := platform.Origin(target)
	if err == nil && !v.config.AllowHTTP && !strings.HasPrefix(origin, "https://") {
		err = errors.New("it is not https")
	}
	allowed, known := v.targets[registration]
	if !known {
		allowed = targetOrigins(registration)
	}
	if err == nil && contains(allowed, origin) {
		return nil
	}
	message := fmt.Sprintf("The target link URI %q lies outside the tool; allowed are %q", lti.Excerpt(target), allowed)
	if near := lti.Nearest(allowed, origin); err == nil && lti.Slip(allowed[near], origin) != "" {
		message += fmt.Sprintf("; its origin is %q, and compared with %q %s", origin, allowed[near], lti.Difference(allowed[near], origin))
	}
	message += "."
	if err != nil {
		message = fmt.Sprintf("The target link URI %q is not usable: %v.", lti.Excerpt(target), err)
	}
	return (&lti.Error{Reason: lti.ReasonTargetLinkURINotAllowed, Message: message}).
		With("registration", registration.Name).With("actual", lti.Excerpt(target)).With("expected", lti.Excerpt(fmt.Sprint(allowed)))
}
