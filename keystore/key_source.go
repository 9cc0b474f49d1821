// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// keySource is the key set of one registration. A new set takes the place of the old one as a whole, so a key that the
// platform has withdrawn is gone at once.
type keySource struct {
	identity  string // of the registration, as far as it decides whose keys they are; not changed
	mutex     sync.Mutex
	restored  bool          // what is kept on disk was looked at
	set       *jose.KeySet  // last good one; nil: none yet
	fetched   time.Time     // when it came
	refresh   time.Time     // from when it is fetched again in the background
	expires   time.Time     // from when it serves only while fetches fail
	nextFetch time.Time     // end of the window
	failure   *lti.Error    // of the last fetch; nil: it succeeded
	failures  int           // fetches failed in a row
	fetch     chan struct{} // closed when the fetch under way has ended; nil: none is
	skew      clockSkew     // of the platform's clock
}

func (s *keySource) fresh(now time.Time) bool { return s.set != nil && now.Before(s.expires) }

func (s *keySource) servesStale(now time.Time, grace time.Duration) bool {
	return s.set != nil && now.Before(s.expires.Add(grace))
}

func (s *keySource) has(kid string) bool {
	if s.set == nil {
		return false
	}
	_, found := slices.BinarySearch(s.set.KeyIDs(), kid)
	return found
}

// find looks a key up and says in an error what is held, and when the platform can be asked again. The source is locked,
// and has a set.
func (s *keySource) find(registration *platform.Registration, kid, algorithm string, now time.Time) (*jose.PublicKey, error) {
	key, err := s.set.Find(kid, algorithm)
	if err == nil {
		return key, nil
	}
	var refusal *lti.Error
	if !errors.As(err, &refusal) {
		return nil, err
	}
	refusal = refusal.With("registration", registration.Name)
	if refusal.Reason == lti.ReasonKIDUnknown {
		refusal = refusal.With("held_kids", heldKIDs(s.set.KeyIDs())).With("fetched_time", s.fetched.UTC().Format(time.RFC3339))
		refusal.RetryAfter = max(0, s.nextFetch.Sub(now))
	}
	return nil, refusal
}

// other returns the key of a kid where it is there, fits, and is not the failed one. The source is locked.
func (s *keySource) other(registration *platform.Registration, kid, algorithm string, failed *jose.PublicKey, now time.Time) *jose.PublicKey {
	if s.set == nil {
		return nil
	}
	key, err := s.find(registration, kid, algorithm, now)
	if err != nil || key.Equal(failed) {
		return nil
	}
	return key
}

// heldKIDs lists at most ten kids, for an error.
func heldKIDs(kids []string) string {
	const most = 10
	var shown []string
	for _, kid := range kids[:min(len(kids), most)] {
		shown = append(shown, lti.Excerpt(kid))
	}
	text := strings.Join(shown, " ")
	if len(kids) > most {
		text += fmt.Sprintf(" and %d more", len(kids)-most)
	}
	return text
}
