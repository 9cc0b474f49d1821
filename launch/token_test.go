// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

func TestLaunchToken(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	outcome, err := f.validate(request(l, sign(f.claims(l, map[string]any{lti.ClaimCustom: map[string]any{"a": "b"}}))))
	if err != nil {
		t.Fatal(err)
	}
	first := outcome.Launch
	got, expires, err := f.CheckToken(t.Context(), "local", first.Token)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != first.ID || got.User.Name != "Sam Student" || got.ClaimsJSON != "" || got.Custom["a"] != "b" || got.Token == first.Token || !got.Time.Equal(start) || !expires.Equal(start.Add(time.Hour)) {
		t.Errorf("launch = %+v, expires %s", got, expires)
	}
	_, _, err = f.CheckToken(t.Context(), "another tool", first.Token)
	wantReason(t, err, lti.ReasonLaunchTokenInvalid)
	altered := []byte(first.Token)
	altered[len(altered)/2] ^= 1
	_, _, err = f.CheckToken(t.Context(), "local", string(altered))
	wantReason(t, err, lti.ReasonLaunchTokenInvalid)
	_, _, err = f.CheckToken(t.Context(), "local", "")
	wantReason(t, err, lti.ReasonRequestInvalid)
	_, _, err = f.CheckToken(t.Context(), "local", strings.Repeat("A", 8<<10+1))
	wantReason(t, err, lti.ReasonParameterTooLong)

	f.clock.set(start.Add(time.Hour))
	_, _, err = f.CheckToken(t.Context(), "local", first.Token)
	wantReason(t, err, lti.ReasonLaunchTokenExpired)

	// Renewed every 50 minutes, it lasts until 12 hours after the launch and not a second more.
	f.clock.set(start)
	token := first.Token
	for f.clock.Now().Before(start.Add(12 * time.Hour)) {
		renewed, expires, err := f.CheckToken(t.Context(), "local", token)
		if err != nil {
			t.Fatalf("after %s: %v", f.clock.Now().Sub(start), err)
		}
		if expires.After(start.Add(12 * time.Hour)) {
			t.Fatalf("expires %s", expires)
		}
		token = renewed.Token
		f.clock.set(f.clock.Now().Add(50 * time.Minute))
	}
	f.clock.set(start.Add(12 * time.Hour))
	_, _, err = f.CheckToken(t.Context(), "local", token)
	wantReason(t, err, lti.ReasonLaunchTokenExpired)
}

// TestLaunchTokenOfAChangedRegistration gives the name of a registration to another platform.
func TestLaunchTokenOfAChangedRegistration(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	outcome, err := f.validate(request(l, sign(f.claims(l, nil))))
	if err != nil {
		t.Fatal(err)
	}
	check := func(change func(*platform.Registration)) error {
		registration := *must(f.config.Registry.ByName("lms"))
		change(&registration)
		config := f.config
		config.Registry = must(platform.NewRegistry([]platform.Registration{registration}))
		_, _, err := must(launch.New(config)).CheckToken(t.Context(), "local", outcome.Launch.Token)
		return err
	}
	wantReasonNamed(t, "unchanged", check(func(*platform.Registration) {}), "")
	wantReasonNamed(t, "name", check(func(r *platform.Registration) { r.Name = "other" }), lti.ReasonLaunchTokenInvalid)
	wantReasonNamed(t, "issuer", check(func(r *platform.Registration) { r.Issuer = "https://other.example" }), lti.ReasonLaunchTokenInvalid)
	wantReasonNamed(t, "client", check(func(r *platform.Registration) { r.ClientID = "client-2" }), lti.ReasonLaunchTokenInvalid)
	wantReasonNamed(t, "deployments", check(func(r *platform.Registration) { r.Deployments = []string{"d2"} }), lti.ReasonDeploymentUnknown)
}

// A token opens to the launch it was made of, and a full launch's fits into a cookie.
func TestLaunchTokenHoldsTheLaunch(t *testing.T) {
	f := newFixture(t)
	l := f.begin()
	outcome, err := f.validate(request(l, sign(f.claims(l, map[string]any{
		lti.ClaimRoles: []any{
			"http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student", "http://purl.imsglobal.org/vocab/lis/v2/system/person#User",
			"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner", "http://purl.imsglobal.org/vocab/lis/v2/membership/Learner#GuestLearner", "\u0001odd",
		},
		lti.ClaimContext: map[string]any{"id": "c", "title": "a \x01 \x06 control", "type": []any{"http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"}},
		lti.ClaimCustom:  map[string]any{"note": "https://purl.imsglobal.org/spec/x", "control": "\x02"},
		lti.ClaimGradeEndpoint: map[string]any{"lineitem": "https://lms.example/li/1", "lineitems": "https://lms.example/li", "scope": []any{
			lti.ScopeScore, "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem", "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
		}},
		lti.ClaimMemberships: map[string]any{"context_memberships_url": "https://lms.example/members", "service_versions": []any{"2.0"}},
		lti.ClaimGroups: map[string]any{
			"context_groups_url": "https://lms.example/groups", "context_group_sets_url": "https://lms.example/sets", "service_versions": []any{"1.0"}, "scope": []any{lti.ScopeGroups},
		},
		lti.ClaimCaliper: map[string]any{
			"caliper_endpoint_url": "https://lms.example/caliper", "caliper_federated_session_id": "urn:uuid:7", "scopes": []any{lti.ScopeSendEvents},
		},
	}))))
	if err != nil {
		t.Fatal(err)
	}
	want := *outcome.Launch
	if len(want.Token) > 3000 {
		t.Errorf("the token has %d bytes", len(want.Token))
	}
	if g, e := want.Groups, want.Events; g == nil || g.Registration != "lms" || g.GroupSetsURI != "https://lms.example/sets" || e == nil || e.DeploymentID != "d1" || e.FederatedSessionID != "urn:uuid:7" {
		t.Errorf("groups %+v, events %+v", g, e)
	}
	got, _, err := f.CheckToken(t.Context(), "local", want.Token)
	if err != nil {
		t.Fatal(err)
	}
	want.ClaimsJSON, want.Token = "", got.Token
	if difference := cmp.Diff(&want, got, cmpopts.EquateEmpty()); difference != "" {
		t.Error(difference)
	}
}

func TestLargeLaunchHasASlimToken(t *testing.T) {
	f := newFixture(t)
	for size, want := range map[int]string{6 << 10: "without custom", 100: "whole"} {
		l := f.begin()
		outcome, err := f.validate(request(l, sign(f.claims(l, map[string]any{lti.ClaimCustom: map[string]any{"a": strings.Repeat("x", size)}}))))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := f.CheckToken(t.Context(), "local", outcome.Launch.Token)
		if err != nil || (got.Custom == nil) != (want == "without custom") || len(outcome.Launch.Token) > 8<<10 {
			t.Errorf("%d bytes: %d custom parameters, %v", size, len(got.Custom), err)
		}
	}
	l := f.begin()
	outcome, err := f.validate(request(l, sign(f.claims(l, map[string]any{lti.ClaimContext: map[string]any{"id": "c", "title": strings.Repeat("x", 9<<10)}}))))
	if err != nil || outcome.Launch.Token != "" || outcome.Launch.Context.Title == "" {
		t.Errorf("a launch too large for any token: %v", err)
	}
}
