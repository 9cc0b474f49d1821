// SPDX-License-Identifier: Apache-2.0

package servicetoken

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

const (
	readItems = "https://p.example/spec/ags/scope/lineitem.readonly"
	postScore = "https://p.example/spec/ags/scope/score"
	readRole  = "https://p.example/spec/nrps/scope/members"
)

// sharing is a token platform that grants what granted says of the scopes asked for, and refuses where it says nil.
type sharing struct {
	*tokenPlatform
	shared *Shared
}

func newSharing(t *testing.T, granted func(asked []string) []string) *sharing {
	t.Helper()
	p := newTokenPlatform(t)
	p.decide = func(form url.Values) (int, string) {
		scopes := granted(strings.Fields(form.Get("scope")))
		if scopes == nil {
			return 400, `{"error":"invalid_scope"}`
		}
		return 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":3600,"scope":%q}`, len(p.forms), strings.Join(scopes, " "))
	}
	shared, err := NewShared(p.source)
	if err != nil {
		t.Fatal(err)
	}
	return &sharing{p, shared}
}

// wantAsked asks for a token of a scope, and compares what the platform was asked since.
func (s *sharing) wantAsked(scope, token string, asked ...string) Token {
	s.t.Helper()
	before := s.requests()
	got, err := s.shared.Token(s.t.Context(), s.registration, "d", []string{scope})
	if err != nil {
		s.t.Fatal(err)
	}
	since := s.asked()[before:]
	if got.AccessToken.Reveal() != token || !slices.Equal(since, asked) {
		s.t.Fatalf("token %q after asking for %q, want %q after %q", got.AccessToken.Reveal(), since, token, asked)
	}
	return got
}

// asked returns the scopes of all requests so far.
func (s *sharing) asked() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var scopes []string
	for _, form := range s.forms {
		scopes = append(scopes, form.Get("scope"))
	}
	return scopes
}

func all(asked []string) []string { return asked }

func TestCallsOfAServiceShareAToken(t *testing.T) {
	s := newSharing(t, all)
	s.wantAsked(readItems, "t1", readItems)
	s.wantAsked(postScore, "t2", readItems+" "+postScore)
	s.wantAsked(readItems, "t2")
	s.wantAsked(readRole, "t3", readRole) // of another service
	s.shared.Drop(s.wantAsked(postScore, "t2"))
	s.wantAsked(readItems, "t4", readItems+" "+postScore)
	if token, err := s.source.Token(t.Context(), s.registration, "d", []string{postScore}); err != nil || !slices.Equal(token.Scopes, []string{postScore}) {
		t.Errorf("whoever asks for one scope got %q, %v", token.Scopes, err)
	}
	if _, err := s.shared.Token(t.Context(), s.registration, "other", []string{postScore}); err != nil || s.asked()[5] != postScore {
		t.Errorf("another deployment: %v, asked for %q", err, s.asked()[5])
	}
	if _, err := s.shared.Token(t.Context(), s.registration, "d", []string{postScore, readRole}); err != nil || s.asked()[6] != postScore+" "+readRole {
		t.Errorf("scopes of two services: %v, asked for %q", err, s.asked()[6])
	}
}

func TestRefusedUnionFallsBackToWhatIsNeeded(t *testing.T) {
	one := func(asked []string) []string {
		if len(asked) > 1 {
			return nil
		}
		return asked
	}
	s := newSharing(t, one)
	s.wantAsked(readItems, "t1", readItems)
	s.wantAsked(postScore, "t3", readItems+" "+postScore, postScore)
	s.wantAsked(postScore, "t3") // the refusal is remembered
	s.wantAsked(readItems, "t1")
	s.advance(58 * time.Minute) // one minute before the tokens are no longer handed out, they are fetched again
	s.wantAsked(readItems, "t1")
	s.source.running.Wait()
	if asked := s.asked(); len(asked) != 4 || asked[3] != readItems {
		t.Errorf("asked for %q", asked)
	}
	s.advance(2 * time.Minute)
	s.wantAsked(postScore, "t6", readItems+" "+postScore, postScore) // an hour later it is tried again
}

func TestPartialUnionIsUsedForWhatItGrants(t *testing.T) {
	s := newSharing(t, func(asked []string) []string {
		return slices.DeleteFunc(asked, func(scope string) bool { return scope == readItems && len(asked) > 1 })
	})
	s.wantAsked(readItems, "t1", readItems)
	s.wantAsked(postScore, "t2", readItems+" "+postScore)
	s.wantAsked(postScore, "t2")
	s.wantAsked(readItems, "t1") // the union's token would not do
}

func TestUnionDoesNotHideFailures(t *testing.T) {
	s := newSharing(t, func(asked []string) []string {
		return slices.DeleteFunc(asked, func(scope string) bool { return scope == postScore })
	})
	s.wantAsked(readItems, "t1", readItems)
	if _, err := s.shared.Token(t.Context(), s.registration, "d", []string{postScore}); lti.ReasonOf(err) != lti.ReasonScopeNotGranted {
		t.Errorf("a scope that was not granted: %v", err)
	}
	before := s.requests()
	s.mutex.Lock()
	s.decide = func(url.Values) (int, string) { return 503, "" }
	s.mutex.Unlock()
	s.advance(2 * time.Hour)
	if _, err := s.shared.Token(t.Context(), s.registration, "d", []string{postScore}); lti.ReasonOf(err) != lti.ReasonPlatformUnavailable || s.requests() != before+1 {
		t.Errorf("an outage: %v after %d requests", err, s.requests()-before)
	}
	if _, err := s.shared.Token(t.Context(), s.registration, "d", nil); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("no scopes: %v", err)
	}
}
