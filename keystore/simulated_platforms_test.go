// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/platformsim"
)

// simulated is a platform of the simulator, and a PlatformKeys with a clock of its own.
type simulated struct {
	t            *testing.T
	platform     *platformsim.Platform
	keys         *PlatformKeys
	client       *outbound.Client
	registration *platform.Registration
	mutex        sync.Mutex
	now          time.Time
}

func (s *simulated) clock() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.now
}

func (s *simulated) advance(d time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.now = s.now.Add(d)
}

func startSim(t *testing.T) *platformsim.Sim {
	t.Helper()
	sim, err := platformsim.New(platformsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Start()
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

func newSimulated(t *testing.T, sim *platformsim.Sim, name string) *simulated {
	t.Helper()
	s := &simulated{t: t, platform: sim.Platform(name), now: time.Now()}
	const tool = "quiz"
	err := s.platform.SetTool(platformsim.ToolConfig{Name: tool, LoginURI: "https://tool.example/login", LaunchURIs: []string{"https://tool.example/launch"}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.platform.Registration(tool)
	s.registration = &platform.Registration{Name: name, Issuer: r.Issuer, JWKSURI: r.JWKSURI}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(sim.CAPEM())
	s.client, err = outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Now: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	s.keys, err = NewPlatformKeys(PlatformKeysConfig{Fetcher: s.client, StaleIfError: DefaultStaleIfError, Now: s.clock, Rand: zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	t.Cleanup(s.keys.Close)
	return s
}

// published returns the kids that the platform publishes now.
func (s *simulated) published() []string {
	s.t.Helper()
	answer, err := s.client.Do(s.t.Context(), outbound.Request{URI: s.registration.JWKSURI})
	if err != nil {
		s.t.Fatal(err)
	}
	set, err := jose.ParseKeySet(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return set.KeyIDs()
}

func (s *simulated) reason(kid string) lti.Reason {
	s.t.Helper()
	_, err := s.keys.Key(s.t.Context(), s.registration, kid, "RS256")
	if err != nil && !errors.As(err, new(*lti.Error)) {
		s.t.Fatal(err)
	}
	return lti.ReasonOf(err)
}

func TestKeysOfEveryPlatform(t *testing.T) {
	sim := startSim(t)
	for _, name := range platformsim.ProfileNames() {
		t.Run(name, func(t *testing.T) {
			s := newSimulated(t, sim, name)
			kids := s.published()
			usable := 0
			for _, kid := range kids {
				switch reason := s.reason(kid); reason {
				case "":
					usable++
				case lti.ReasonKeyUnsuitable: // some publish keys that are not for signatures
				default:
					t.Errorf("%s: %s", kid, reason)
				}
			}
			if usable == 0 {
				t.Errorf("none of %d keys can be used", len(kids))
			}
			s.advance(minWindow)
			if reason := s.reason("unknown"); reason != lti.ReasonKIDUnknown {
				t.Errorf("an unknown kid: %s", reason)
			}
			if skew, known := s.keys.Skew(s.registration); !known || skew.Abs() > time.Minute {
				t.Errorf("the clock of this very host is %v off (%v)", skew, known)
			}
		})
	}
}

// A key that was good outlives every fault of its endpoint, and a fault is never taken for the lack of a key.
func TestFaultsOfKeyEndpoints(t *testing.T) {
	t.Parallel()
	sim := startSim(t)
	s := newSimulated(t, sim, "moodle")
	kid := s.published()[0]
	if reason := s.reason(kid); reason != "" {
		t.Fatal(reason)
	}
	for _, test := range []struct {
		fault platformsim.FaultSetting
		want  lti.Reason // of a kid that is not held
	}{
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSUnavailable}, lti.ReasonJWKSUnreachable},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSUnavailable, Value: "404"}, lti.ReasonJWKSInvalid},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSHTML}, lti.ReasonJWKSInvalid},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSRedirect}, lti.ReasonJWKSInvalid},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSHuge}, lti.ReasonJWKSInvalid},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSStalled}, lti.ReasonJWKSUnreachable},
		{platformsim.FaultSetting{Fault: platformsim.FaultJWKSSlow, Value: "50ms"}, lti.ReasonKIDUnknown},
	} {
		if err := s.platform.SetFault(test.fault); err != nil {
			t.Fatal(err)
		}
		before := s.platform.Hits()["jwks"]
		s.advance(2 * time.Hour) // long after the set has expired
		for range 3 {
			if reason := s.reason("other"); reason != test.want {
				t.Errorf("%+v: a kid that is not held: %s, want %s", test.fault, reason, test.want)
			}
			if reason := s.reason(kid); reason != "" {
				t.Errorf("%+v: a known kid: %s", test.fault, reason)
			}
		}
		if fetches := s.platform.Hits()["jwks"] - before; fetches != 1 {
			t.Errorf("%+v: %d fetches in one window, want 1", test.fault, fetches)
		}
	}

	if err := s.platform.SetFault(platformsim.FaultSetting{Fault: platformsim.FaultJWKSCacheControl}); err != nil { // a year
		t.Fatal(err)
	}
	s.advance(2 * time.Hour)
	before := s.platform.Hits()["jwks"]
	s.reason("other")
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{maxLifetime*9/10 - 1, 1}, {1, 2}} {
		s.advance(step.wait)
		if reason := s.reason(kid); reason != "" {
			t.Error(reason)
		}
		s.keys.running.Wait()
		if fetches := s.platform.Hits()["jwks"] - before; fetches != step.want {
			t.Errorf("a promise of a year: %d fetches, want %d", fetches, step.want)
		}
	}

	if err := s.platform.SetFault(platformsim.FaultSetting{Fault: platformsim.FaultJWKSEmpty}); err != nil {
		t.Fatal(err)
	}
	s.advance(2 * time.Hour)
	if reason := s.reason("other"); reason != lti.ReasonKIDUnknown {
		t.Errorf("an empty set, a kid that is not held: %s", reason)
	}
	if reason := s.reason(kid); reason != lti.ReasonKIDUnknown {
		t.Errorf("an empty set, a kid that was held: %s", reason)
	}
}
