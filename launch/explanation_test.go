// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// twin is a second registration, for tokens and logins that fit another one than was meant.
func twin() platform.Registration {
	return platform.Registration{
		Name: "twin", Issuer: issuer, ClientID: "client-2", Deployments: []string{"d9"},
		AuthorizationURI: "https://lms.example/auth", JWKSURI: "https://lms.example/jwks", LaunchURIs: []string{launchURI},
	}
}

func lms() platform.Registration {
	return platform.Registration{
		Name: "lms", Issuer: issuer, ClientID: clientID, Deployments: []string{"d1", "Course:7"},
		AuthorizationURI: "https://lms.example/auth", JWKSURI: "https://lms.example/jwks",
		LaunchURIs: []string{launchURI, "https://staging.tool.example/lti/launch"},
	}
}

// TestRefusalsSayWhatWasCompared holds messages and metadata of refused launches to what was compared.
func TestRefusalsSayWhatWasCompared(t *testing.T) {
	now := start.Unix()
	for _, test := range []struct {
		name             string
		patch            map[string]any
		reason           lti.Reason
		words            []string
		expected, actual string
	}{
		{"iss with a slash", map[string]any{"iss": issuer + "/"}, lti.ReasonIssuerMismatch,
			[]string{`goes on with "/" at character 20`, "(a trailing slash)"}, issuer, issuer + "/"},
		{"iss by http", map[string]any{"iss": "http://lms.example"}, lti.ReasonIssuerMismatch,
			[]string{"character 5", "(http instead of https)"}, issuer, "http://lms.example"},
		{"aud in capitals", map[string]any{"aud": "CLIENT-1"}, lti.ReasonAudienceMismatch,
			[]string{`character 1 is "C", not "c"`, "(upper and lower case)"}, clientID, "CLIENT-1"},
		{"aud with a blank", map[string]any{"aud": clientID + " "}, lti.ReasonAudienceMismatch,
			[]string{"(blanks at the beginning or the end)"}, clientID, clientID + " "},
		{"aud is a deployment id", map[string]any{"aud": "d1"}, lti.ReasonAudienceMismatch, []string{"what came is a deployment id of it"}, clientID, "d1"},
		{"aud of another registration", map[string]any{"aud": "client-2"}, lti.ReasonAudienceMismatch,
			[]string{`the token fits the registration "twin", but the login began with "lms"`}, clientID, "client-2"},
		{"azp", map[string]any{"azp": "client-1/"}, lti.ReasonAuthorizedPartyMismatch, []string{"(a trailing slash)"}, clientID, "client-1/"},
		{"azp absent", map[string]any{"aud": []any{clientID, clientID}}, lti.ReasonAuthorizedPartyMismatch, []string{"no azp"}, clientID, ""},
		{"deployment", map[string]any{lti.ClaimDeploymentID: "D1"}, lti.ReasonDeploymentMismatch, []string{`"D1"`, `the login was of "d1"`}, "d1", "D1"},
		{"version", map[string]any{lti.ClaimVersion: "1.3"}, lti.ReasonVersionUnsupported, nil, "1.3.0", `"1.3"`},
		{"target by http", map[string]any{lti.ClaimTargetLinkURI: "http://tool.example/x"}, lti.ReasonTargetLinkURINotAllowed, []string{"it is not https"}, "[https://tool.example https://staging.tool.example]", "http://tool.example/x"},
		{"target of another port", map[string]any{lti.ClaimTargetLinkURI: "https://tool.example:8443/x"}, lti.ReasonTargetLinkURINotAllowed, []string{"(the port)"}, "[https://tool.example https://staging.tool.example]", "https://tool.example:8443/x"},
		{"expired", map[string]any{"exp": now - 75, "iat": now - 135}, lti.ReasonTokenExpired, []string{"expired 1m15s ago", "1m0s are tolerated"}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixtureOf(t, lms(), twin())
			l := f.begin()
			_, err := f.validate(request(l, sign(f.claims(l, test.patch))))
			refusal := wantReason(t, err, test.reason)
			for _, words := range test.words {
				if !strings.Contains(refusal.Message, words) {
					t.Errorf("message %q lacks %q", refusal.Message, words)
				}
			}
			if refusal.Metadata["expected"] != test.expected || refusal.Metadata["actual"] != test.actual {
				t.Errorf("metadata = %v", refusal.Metadata)
			}
			for key := range refusal.Metadata {
				if key != "launch_id" && key != "registration" && !slices.Contains(test.reason.Info().Metadata, key) {
					t.Errorf("metadata %q is not in the row of %s", key, test.reason)
				}
			}
		})
	}
}

func TestLaunchURIsAreComparedCharacterByCharacter(t *testing.T) {
	f := newFixtureOf(t, lms())
	for asked, want := range map[string]struct{ expected, words string }{
		launchURI + "/":                            {launchURI, "goes on with \"/\" at character 32, where it should end (a trailing slash)"},
		"http://staging.tool.example/lti/launch":   {"https://staging.tool.example/lti/launch", "character 5 is \":\", not \"s\" (http instead of https)"},
		"https://tool.example/lti/Launch":          {launchURI, "character 26 is \"L\", not \"l\" (upper and lower case)"},
		"https://tool.example:443/lti/launch":      {launchURI, "(the port)"},
		launchURI + "?course=7":                    {launchURI, "(the query)"},
		"https://tool.example/lti/launsh":          {launchURI, "character 30 is \"s\", not \"c\""},
		"https://staging.tool.example/lti/launch2": {"https://staging.tool.example/lti/launch", "goes on with \"2\""},
	} {
		_, err := f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", Parameters: initiation()}, LaunchURI: asked})
		refusal := wantReason(t, err, lti.ReasonLaunchURINotListed)
		if !strings.Contains(refusal.Message, want.words) || refusal.Metadata["expected"] != want.expected || refusal.Metadata["actual"] != asked {
			t.Errorf("%s: %s %v", asked, refusal.Message, refusal.Metadata)
		}
	}
	l := f.begin()
	sent := request(l, sign(f.claims(l, nil)))
	sent.LaunchURI = "https://staging.tool.example/lti/launch"
	_, err := f.validate(sent)
	refusal := wantReason(t, err, lti.ReasonStateMismatch)
	if refusal.Metadata["expected"] != launchURI || refusal.Metadata["actual"] != sent.LaunchURI || !strings.Contains(refusal.Message, `character 9 is "s", not "t"`) {
		t.Errorf("%s %v", refusal.Message, refusal.Metadata)
	}
}

func TestLoginsOfANamedRegistrationSayWhatDiffers(t *testing.T) {
	f := newFixtureOf(t, lms(), twin())
	for _, test := range []struct {
		iss, client string
		reason      lti.Reason
		words       string
	}{
		{issuer + "/", clientID, lti.ReasonIssuerUnknown, "(a trailing slash)"},
		{issuer, "client-1 ", lti.ReasonClientIDUnknown, "(blanks at the beginning or the end)"},
	} {
		_, err := f.BuildAuthRequest(t.Context(), "local", launch.AuthRequest{
			Registration: "lms", Browser: launch.BrowserRequest{Method: "POST", Parameters: parameters("iss", test.iss, "login_hint", "u", "target_link_uri", target, "client_id", test.client)},
		})
		if refusal := wantReason(t, err, test.reason); !strings.Contains(refusal.Message, test.words) {
			t.Errorf("%s lacks %q", refusal.Message, test.words)
		}
	}
}

// skewedKeys has also seen the platform's clock.
type skewedKeys struct {
	*keys
	skew time.Duration
	seen bool
}

func (k skewedKeys) Skew(*platform.Registration) (time.Duration, bool) { return k.skew, k.seen }

func TestClockSkewIsANumberOfSeconds(t *testing.T) {
	now := start.Unix()
	for _, test := range []struct {
		name            string
		patch           map[string]any
		skew            time.Duration
		seen            bool
		reason          lti.Reason
		clock, measured string
		words           string
	}{
		{"expired, not measured", map[string]any{"exp": now - 75, "iat": now - 135}, 0, false, lti.ReasonTokenExpired, "-75", "", "1m0s are tolerated."},
		{"expired, platform behind", map[string]any{"exp": now - 75, "iat": now - 135}, -134600 * time.Millisecond, true, lti.ReasonTokenExpired, "-75", "-135", "the platform's clock was 2m15s behind ours"},
		{"expired, clocks equal", map[string]any{"exp": now - 75, "iat": now - 135}, 0, true, lti.ReasonTokenExpired, "-75", "0", "0s ahead"},
		{"iat ahead", map[string]any{"iat": now + 61}, 61 * time.Second, true, lti.ReasonTokenNotYetValid, "61", "61", "the platform's clock was 1m1s ahead of ours"},
		{"nbf ahead", map[string]any{"nbf": now + 3600}, 0, false, lti.ReasonTokenNotYetValid, "3600", "", "nbf lies 1h0m0s ahead"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixtureWith(t, func(f *fixture) launch.PlatformKeys { return skewedKeys{f.keys, test.skew, test.seen} }, lms())
			l := f.begin()
			_, err := f.validate(request(l, sign(f.claims(l, test.patch))))
			refusal := wantReason(t, err, test.reason)
			if refusal.Metadata["clock_skew"] != test.clock || refusal.Metadata["measured_skew"] != test.measured || !strings.Contains(refusal.Message, test.words) {
				t.Errorf("%s %v", refusal.Message, refusal.Metadata)
			}
		})
	}
}

// heldKeys refuses as the keystore does: with what is held and since when.
type heldKeys struct{ *keys }

func (k heldKeys) Key(context.Context, *platform.Registration, string, string) (*jose.PublicKey, error) {
	refusal := lti.Errorf(lti.ReasonKIDUnknown, "The platform's key set has no such key.").
		With("kid", platformKey.KeyID()).With("held_kids", "2031-01 2031-02").With("fetched_time", start.Add(-42*time.Second).Format(time.RFC3339))
	refusal.RetryAfter = 12600 * time.Millisecond
	return nil, refusal
}

func TestUnknownKIDSaysWhatIsHeld(t *testing.T) {
	f := newFixtureWith(t, func(f *fixture) launch.PlatformKeys { return heldKeys{f.keys} }, lms())
	l := f.begin()
	_, err := f.validate(request(l, sign(f.claims(l, nil))))
	refusal := wantReason(t, err, lti.ReasonKIDUnknown)
	want := `The id_token is signed with the key "` + platformKey.KeyID() + `", which the platform's key set does not have; the set is 42s old; it has 2031-01 2031-02; it can be fetched again in 13s.`
	if refusal.Message != want || refusal.Metadata["held_kids"] != "2031-01 2031-02" {
		t.Errorf("message = %q %v\nwant      %q", refusal.Message, refusal.Metadata, want)
	}
}
