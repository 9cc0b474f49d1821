// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/records"
)

// Kinds of documents that this package keeps.
const (
	kindDeployment = "deployment"
	kindPending    = "pending"
)

// Limits of what is learned.
const (
	maxOrigins  = 4    // a deployment
	maxPending  = 1000 // deployments waiting for the operator, over all registrations
	maxAttempts = 4    // of a write that others overtake

	maxRecent      = 4096        // launches that told nothing new, kept in memory
	maxLesson      = 2 << 10     // bytes of one of them
	recentLifetime = time.Minute // for that long: another sidecar, or the operator, may change the record
)

// learned is what the sidecar has learned of a deployment from its redeemed launches. It is keyed by issuer and client
// id, not by the registration's name, so that renaming one does not move it to another platform.
type learned struct {
	Issuer        string   `json:"issuer"`
	ClientID      string   `json:"client_id"`
	DeploymentID  string   `json:"deployment_id"`
	Origins       []string `json:"origins,omitempty"`        // service origins, besides the registration's own
	ProductFamily string   `json:"product_family,omitempty"` // product_family_code of the first launch that had one
}

// Learned keeps what is learned of deployments: which may launch, where their services are, and which product they
// are. All methods may be called from many goroutines.
type Learned struct {
	store     records.Store
	now       func() time.Time
	allowHTTP bool
	recent    *lru.Cache[lesson, time.Time] // launches that told nothing new, and when
}

// lesson is what one launch told, as far as Learn depends on it.
type lesson struct {
	registration *Registration
	text         string // deployment, product family, and the start of each service URI up to its path
}

// LearnedConfig configures a Learned.
type LearnedConfig struct {
	Store     records.Store    // required
	Now       func() time.Time // nil: time.Now
	AllowHTTP bool             // accept http service URIs, for development
}

// NewLearned makes a Learned.
func NewLearned(config LearnedConfig) (*Learned, error) {
	if config.Store == nil {
		return nil, errors.New("platform: a Learned needs a store")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	recent, err := lru.New[lesson, time.Time](maxRecent)
	if err != nil {
		return nil, fmt.Errorf("platform: %w", err)
	}
	return &Learned{store: config.Store, now: config.Now, allowHTTP: config.AllowHTTP, recent: recent}, nil
}

func documentKey(r *Registration, deploymentID string) string {
	return lti.Key("deployment", r.Issuer, r.ClientID, deploymentID)
}

// CheckDeployment reports whether a deployment may launch and call services, by the registration's list and its policy
// for unknown ones. record says to note one that must wait for the operator: only for launches whose signature was
// verified. The error is a *lti.Error DEPLOYMENT_UNKNOWN or DEPLOYMENT_PENDING, or STORE_UNAVAILABLE.
func (l *Learned) CheckDeployment(ctx context.Context, r *Registration, deploymentID string, record bool) error {
	if slices.Contains(r.Deployments, deploymentID) || r.UnknownDeployments == AcceptDeployments {
		return nil
	}
	refusal := UnknownDeployment(r, deploymentID)
	if r.UnknownDeployments != PendDeployments {
		return refusal.With("expected", lti.Excerpt(strings.Join(r.Deployments, " ")))
	}
	if record {
		if err := l.notePending(ctx, r, deploymentID); err != nil {
			return &lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err}
		}
	}
	refusal.Reason = lti.ReasonDeploymentPending
	refusal.Message = fmt.Sprintf("The deployment %q of the registration %q is new and waits for the operator.", lti.Excerpt(deploymentID), r.Name)
	return refusal
}

// UnknownDeployment returns the refusal of a deployment that a registration does not list. It says which listed one is
// close to it.
func UnknownDeployment(r *Registration, deploymentID string) *lti.Error {
	return lti.Errorf(lti.ReasonDeploymentUnknown, "The registration %q does not list the deployment %q%s.", r.Name, lti.Excerpt(deploymentID), deploymentHint(r, deploymentID)).
		With("registration", r.Name).With("deployment_id", lti.Excerpt(deploymentID))
}

// deploymentHint says how a deployment id that is not listed comes close to one that is, as the end of a sentence, or "".
func deploymentHint(r *Registration, deploymentID string) string {
	for _, listed := range r.Deployments {
		if lti.Slip(listed, deploymentID) != "" {
			return fmt.Sprintf("; it lists %q: %s", lti.Excerpt(listed), lti.Difference(listed, deploymentID))
		}
	}
	if slices.Contains(r.Deployments, r.ClientID) {
		return "; what it lists is its client_id, and this is a deployment id: list that"
	}
	return ""
}

// notePending records a deployment that waits, once. Beyond the limit nothing more is recorded: the launch is refused
// all the same, and the log has it.
func (l *Learned) notePending(ctx context.Context, r *Registration, deploymentID string) error {
	key := documentKey(r, deploymentID)
	switch _, err := l.store.Get(ctx, kindPending, key); {
	case err == nil:
		return nil
	case !errors.Is(err, records.ErrNotFound):
		return err
	}
	waiting, err := l.store.List(ctx, kindPending, "", maxPending)
	if err != nil || len(waiting) >= maxPending {
		return err
	}
	value, err := json.Marshal(struct {
		learned
		FirstSeen time.Time `json:"first_seen"`
	}{learned{Issuer: r.Issuer, ClientID: r.ClientID, DeploymentID: deploymentID}, l.now().UTC()})
	if err != nil {
		return err
	}
	if _, err = l.store.Put(ctx, records.Document{Kind: kindPending, Key: key, Value: value}); errors.Is(err, records.ErrConflict) {
		return nil // another call noted it first
	}
	return err
}

// Learn notes the service origins and the product of a deployment, from a launch that was redeemed. It writes only what
// is new. Origins that the rules of CheckOrigin do not let in are not learned. What told nothing new is not looked up
// again for a minute.
func (l *Learned) Learn(ctx context.Context, r *Registration, deploymentID, productFamily string, serviceURIs ...string) error {
	told, now := lessonOf(r, deploymentID, productFamily, serviceURIs), l.now()
	if at, ok := l.recent.Get(told); ok && now.Sub(at).Abs() < recentLifetime {
		return nil
	}
	new, err := l.learn(ctx, r, deploymentID, productFamily, serviceURIs)
	if err == nil && !new && len(told.text) <= maxLesson && l.allUsable(serviceURIs) {
		l.recent.Add(told, now)
	}
	return err
}

// lessonOf leaves the paths out: they differ from link to link. What a URI tells depends on its path only where that
// makes it unusable, and what unusable ones told is not remembered.
func lessonOf(r *Registration, deploymentID, productFamily string, serviceURIs []string) lesson {
	var text strings.Builder
	text.WriteString(deploymentID + "\x00" + productFamily)
	for _, uri := range serviceURIs {
		scheme, rest, _ := strings.Cut(uri, "://")
		if path := strings.IndexAny(rest, `/\?#`); path >= 0 {
			rest = rest[:path]
		}
		text.WriteString("\x00" + scheme + "://" + rest)
	}
	return lesson{r, text.String()}
}

func (l *Learned) allUsable(uris []string) bool {
	return !slices.ContainsFunc(uris, func(uri string) bool {
		_, err := l.serviceOrigin(uri)
		return uri != "" && err != nil
	})
}

// learn looks up the record and changes it where there is something new.
func (l *Learned) learn(ctx context.Context, r *Registration, deploymentID, productFamily string, serviceURIs []string) (new bool, err error) {
	for range maxAttempts {
		present, version, err := l.get(ctx, r, deploymentID)
		if err != nil {
			return false, err
		}
		dialect := DialectOf(r, first(present.ProductFamily, productFamily))
		next := present
		next.Origins = slices.Clone(present.Origins)
		next.ProductFamily = first(present.ProductFamily, productFamily)
		for _, uri := range serviceURIs {
			if origin, ok := l.learnable(r, dialect, next.Origins, uri); ok {
				next.Origins = append(next.Origins, origin)
			}
		}
		if next.ProductFamily == present.ProductFamily && len(next.Origins) == len(present.Origins) {
			return false, nil
		}
		value, err := json.Marshal(next)
		if err != nil {
			return false, err
		}
		_, err = l.store.Put(ctx, records.Document{Kind: kindDeployment, Key: documentKey(r, deploymentID), Version: version, Value: value})
		if !errors.Is(err, records.ErrConflict) {
			return true, err
		}
	}
	return true, fmt.Errorf("platform: other launches kept changing the record of deployment %q", lti.Excerpt(deploymentID))
}

// learnable says whether the origin of a service URI is to be learned: the first foreign one, where the client id is
// one customer's. Origins that need no learning are not.
func (l *Learned) learnable(r *Registration, dialect Dialect, known []string, uri string) (string, bool) {
	origin, err := l.serviceOrigin(uri)
	if err != nil || dialect.SharedClientID || len(known) >= maxOrigins || ownOrigin(r, dialect, origin) {
		return "", false
	}
	return origin, len(known) == 0
}

// CheckOrigin reports whether a service token of a deployment may be sent to a URI: to the registration's own hosts,
// its service_origins, the hosts of its product's maker, and what was learned from its launches. The error is a
// *lti.Error SERVICE_ORIGIN_PENDING, REQUEST_INVALID for a URI that is none, or STORE_UNAVAILABLE.
func (l *Learned) CheckOrigin(ctx context.Context, r *Registration, deploymentID, uri string) error {
	origin, err := l.serviceOrigin(uri)
	if err != nil {
		return lti.FieldError("endpoint", "%q is not a URI of a service: %v; hand back the endpoint as the launch gave it", lti.Excerpt(uri), err)
	}
	allowed, err := l.Origins(ctx, r, deploymentID)
	if err != nil {
		return err
	}
	if slices.Contains(allowed, origin) {
		return nil
	}
	present, _, err := l.get(ctx, r, deploymentID)
	if err != nil {
		return &lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err}
	}
	if makersHost(DialectOf(r, present.ProductFamily), origin) {
		return nil
	}
	return lti.Errorf(lti.ReasonServiceOriginPending, "The service lies on %s, which the registration %q is not bound to; list it under service_origins if it is right.", lti.Excerpt(origin), r.Name).
		With("registration", r.Name).With("actual", lti.Excerpt(origin)).With("expected", lti.Excerpt(strings.Join(allowed, " ")))
}

// Origins returns the origins that a service token of a deployment may be sent to, besides the hosts of its product's
// maker. The error is a *lti.Error STORE_UNAVAILABLE.
func (l *Learned) Origins(ctx context.Context, r *Registration, deploymentID string) ([]string, error) {
	present, _, err := l.get(ctx, r, deploymentID)
	if err != nil {
		return nil, &lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err}
	}
	origins := registeredOrigins(r)
	for _, origin := range append(slices.Clone(r.ServiceOrigins), present.Origins...) {
		if !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins, nil
}

// Dialect returns the dialect of a deployment: the registration's own, or the one of the product that launched first.
func (l *Learned) Dialect(ctx context.Context, r *Registration, deploymentID string) (Dialect, error) {
	if r.Dialect != "" {
		return DialectOf(r, ""), nil
	}
	present, _, err := l.get(ctx, r, deploymentID)
	if err != nil {
		return Dialect{}, &lti.Error{Reason: lti.ReasonStoreUnavailable, Cause: err}
	}
	return DialectOf(r, present.ProductFamily), nil
}

func (l *Learned) get(ctx context.Context, r *Registration, deploymentID string) (learned, uint64, error) {
	present := learned{Issuer: r.Issuer, ClientID: r.ClientID, DeploymentID: deploymentID}
	document, err := l.store.Get(ctx, kindDeployment, documentKey(r, deploymentID))
	if errors.Is(err, records.ErrNotFound) {
		return present, 0, nil
	}
	if err != nil {
		return learned{}, 0, err
	}
	if err := json.Unmarshal(document.Value, &present); err != nil {
		return learned{}, 0, fmt.Errorf("platform: the record of deployment %q is damaged: %w", lti.Excerpt(deploymentID), err)
	}
	return present, document.Version, nil
}

// serviceOrigin returns the origin of a service URI, which must be https but in development.
func (l *Learned) serviceOrigin(uri string) (string, error) {
	origin, err := Origin(uri)
	if err == nil && !l.allowHTTP && !strings.HasPrefix(origin, "https://") {
		err = errors.New("it is not https")
	}
	return origin, err
}

func ownOrigin(r *Registration, dialect Dialect, origin string) bool {
	return slices.Contains(registeredOrigins(r), origin) || slices.Contains(r.ServiceOrigins, origin) || makersHost(dialect, origin)
}

// registeredOrigins returns the origins of the platform's endpoints.
func registeredOrigins(r *Registration) []string {
	var origins []string
	for _, uri := range []string{r.AuthorizationURI, r.TokenURI, r.JWKSURI} {
		if origin, err := Origin(uri); err == nil && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// makersHost reports whether an origin is https on a host below one of the dialect's.
func makersHost(dialect Dialect, origin string) bool {
	host, ok := strings.CutPrefix(origin, "https://")
	return ok && slices.ContainsFunc(dialect.ServiceHosts, func(suffix string) bool { return strings.HasSuffix(host, "."+suffix) })
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
