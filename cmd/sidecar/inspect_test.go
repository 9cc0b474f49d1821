// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
)

// commandWith runs a subcommand with standard input.
func commandWith(input string, args ...string) (output string, err error) {
	root := newRoot()
	var text bytes.Buffer
	root.SetIn(strings.NewReader(input))
	root.SetOut(&text)
	root.SetErr(&text)
	root.SetArgs(args)
	err = root.Execute()
	return text.String(), err
}

const inspectedAt = "2031-05-06T07:08:09Z" // 1935817689

// inspected is a platform's key, its key set in a file, a configuration, and tokens of a launch.
type inspected struct {
	t            *testing.T
	key          *jose.SigningKey
	keys, config string
}

func newInspected(t *testing.T) *inspected {
	t.Helper()
	key, err := jose.GenerateSigningKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.PublicKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, set, 0o600); err != nil {
		t.Fatal(err)
	}
	second := strings.NewReplacer("registrations:\n", "", "name: lms", "name: second", "client_id: c1", "client_id: c2", `["1"]`, `["17:ABC"]`).Replace(goodRegistration)
	return &inspected{t, key, keys, writeConfig(t, goodRegistration+second)}
}

// token returns a signed token of a good launch; patch replaces claims, nil removes one.
func (i *inspected) token(patch map[string]any) string {
	i.t.Helper()
	claims := map[string]any{
		"iss": "https://lms.example", "aud": "c1", "sub": "user-4711", "iat": 1935817680, "exp": 1935817740, "nonce": "n-1",
		"name": "Sam Student", "email": "sam@school.example", "given_name": "Sam",
		lti.ClaimVersion: "1.3.0", lti.ClaimMessageType: "LtiResourceLinkRequest", lti.ClaimDeploymentID: "1",
		lti.ClaimTargetLinkURI: "https://tool.example/quiz/7?student=sam",
		lti.ClaimRoles:         []string{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"},
		lti.ClaimResourceLink:  map[string]any{"id": "link-1"},
		lti.ClaimLIS:           map[string]any{"person_sourcedid": "sis-99"},
		lti.ClaimGradeEndpoint: map[string]any{"scope": []string{lti.ScopeScore}, "lineitem": "https://lms.example/li/1"},
	}
	for name, value := range patch {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := i.key.Sign(payload)
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

func (i *inspected) run(token string, more ...string) (string, error) {
	return commandWith(token, append([]string{"inspect", "--config", i.config, "--at", inspectedAt}, more...)...)
}

// line returns what the line of a check says: "ok", "failed" or "not judged", a blank, and the rest.
func line(output, check string) string {
	for text := range strings.Lines(output) {
		text = strings.Join(strings.Fields(text), " ")
		for _, mark := range []string{"✓ ok ", "✗ failed ", "– not judged "} {
			if rest, found := strings.CutPrefix(text, mark+check+" "); found {
				_, word, _ := strings.Cut(mark, " ")
				return word + rest
			}
		}
	}
	return ""
}

func TestInspectGoodToken(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	output, err := i.run("\n  "+i.token(nil)+"\r\n", "--keys", i.keys)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	_, size, _ := strings.Cut(line(output, "size"), " ")
	want := `✓ ok          size                ` + size + `
✓ ok          segments            three, each base64url; header and payload are strict JSON
✓ ok          header              it asks for nothing special
✓ ok          registration        "lms" has this issuer and client id
✓ ok          alg                 RS256
✓ ok          kid                 ` + i.key.KeyID() + `
✓ ok          iss                 https://lms.example
✓ ok          aud                 c1
✓ ok          azp                 none, and none is needed
✓ ok          signature           made by the platform's key of this kid
✓ ok          exp                 2031-05-06T07:09:00Z, in 51s
✓ ok          iat                 2031-05-06T07:08:00Z, 9s ago; the token lives for 1m0s
✓ ok          nonce               there is one; whether it was used cannot be judged offline
✓ ok          message_type        LtiResourceLinkRequest
✓ ok          version             1.3.0
✓ ok          deployment_id       1
✓ ok          sub                 9 characters
✓ ok          roles               1: learner
✓ ok          context             none, which is allowed
✓ ok          resource_link       there is one, with an id
✓ ok          target_link_uri     on https://tool.example
✓ ok          deployment          the registration "lms" lists it
✓ ok          message as a whole  as ValidateLaunch reads it
✓ ok          services            offered: grades (line item: yes, scopes: 1)

personal data in the token:
  sub                   masked, 9 characters
  name                  masked, 11 characters
  given_name            masked, 3 characters
  email                 masked, 18 characters
  lis.person_sourcedid  masked, 6 characters

inspect: 24 passed, 0 failed, 0 not judged; state, nonce and browser cannot be judged offline
`
	if output != want {
		t.Errorf("got\n%s\nwant\n%s", output, want)
	}
}

func TestInspectServices(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	for want, patch := range map[string]map[string]any{
		"ok services offered: roster, groups, events": {
			lti.ClaimGradeEndpoint: nil, lti.ClaimMemberships: map[string]any{"context_memberships_url": "https://lms.example/m"},
			lti.ClaimGroups: map[string]any{"context_groups_url": "https://lms.example/g"}, lti.ClaimCaliper: map[string]any{"caliper_endpoint_url": "https://lms.example/c"},
		},
		"ok services the token offers neither grades, roster, groups nor events": {lti.ClaimGradeEndpoint: nil},
	} {
		output, _ := i.run(i.token(patch))
		if got := strings.Join(strings.Fields("ok services "+strings.TrimPrefix(line(output, "services"), "ok")), " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestInspectMasksPersonalData(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	private := []string{"user-4711", "Sam", "sam@", "sis-99", "student="}
	for name, patch := range map[string]map[string]any{
		"good":            nil,
		"bad names":       {"sub": " ", "roles": "Sam"},
		"wrong kinds":     {"sub": []string{"user-4711"}, lti.ClaimRoles: "Sam", lti.ClaimContext: "Sam", lti.ClaimResourceLink: []string{"Sam"}},
		"a bad target":    {lti.ClaimTargetLinkURI: "https://evil.example/?student=sam"},
		"of another":      {"iss": "https://x.example", "aud": "x", "exp": 1},
		"a list for text": {"iss": []string{"Sam"}, "azp": map[string]any{"name": "Sam"}, "exp": "Sam", "nonce": []string{"Sam"}},
	} {
		output, _ := i.run(i.token(patch))
		for _, text := range private {
			if strings.Contains(output, text) {
				t.Errorf("%s: %q is in\n%s", name, text, output)
			}
		}
	}
	output, err := i.run(i.token(nil), "--show-personal")
	if err != nil || !strings.Contains(output, "sam@school.example") || !strings.Contains(output, "sis-99") {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestInspectFailures has one defect each: the check of it fails, with the reason, and everything else passes.
func TestInspectFailures(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	for _, test := range []struct {
		name   string
		patch  map[string]any
		checks map[string]string // check: what its line begins with
	}{
		{"iss with a slash", map[string]any{"iss": "https://lms.example/"}, map[string]string{
			"registration": "failed ISSUER_UNKNOWN:", "iss": `failed ISSUER_MISMATCH: The id_token is from "https://lms.example/"; the registration "lms" has "https://lms.example": it goes on with "/" at character 20`}},
		{"aud in capitals", map[string]any{"aud": "C2"}, map[string]string{
			"registration": "failed CLIENT_ID_UNKNOWN:", "aud": `failed AUDIENCE_MISMATCH: The id_token is for "C2"; the registration "second" has the client id "c2"`,
			"deployment": "failed DEPLOYMENT_UNKNOWN"}},
		{"azp", map[string]any{"azp": "c2"}, map[string]string{"azp": "failed AUTHORIZED_PARTY_MISMATCH"}},
		{"expired", map[string]any{"iat": 1935817500, "exp": 1935817560}, map[string]string{"exp": "failed TOKEN_EXPIRED: The id_token expired 2m9s ago"}},
		{"no exp", map[string]any{"exp": nil}, map[string]string{"exp": "failed CLAIM_MISSING"}},
		{"iat ahead", map[string]any{"iat": 1935817800, "exp": 1935817900}, map[string]string{"iat": "failed TOKEN_NOT_YET_VALID"}},
		{"lives too long", map[string]any{"exp": 1935817680 + 90000}, map[string]string{"iat": "failed CLAIM_INVALID"}},
		{"nbf ahead", map[string]any{"nbf": 1935817800}, map[string]string{"nbf": "failed TOKEN_NOT_YET_VALID"}},
		{"no nonce", map[string]any{"nonce": nil}, map[string]string{"nonce": "failed CLAIM_MISSING"}},
		{"empty nonce", map[string]any{"nonce": ""}, map[string]string{"nonce": "failed CLAIM_INVALID"}},
		{"version", map[string]any{lti.ClaimVersion: "1.1"}, map[string]string{"version": "failed VERSION_UNSUPPORTED", "message as a whole": "failed VERSION_UNSUPPORTED"}},
		{"message type", map[string]any{lti.ClaimMessageType: "Other"}, map[string]string{"message_type": "failed MESSAGE_TYPE_UNKNOWN", "message as a whole": "failed MESSAGE_TYPE_UNKNOWN"}},
		{"no deployment", map[string]any{lti.ClaimDeploymentID: nil}, map[string]string{"deployment_id": "failed CLAIM_MISSING", "message as a whole": "failed CLAIM_MISSING"}},
		{"another deployment", map[string]any{lti.ClaimDeploymentID: "1 "}, map[string]string{"deployment": `failed DEPLOYMENT_UNKNOWN: The registration "lms" does not list the deployment "1 "; it lists "1": it goes on with " " at character 2`}},
		{"anonymous", map[string]any{"sub": nil}, map[string]string{"sub": "failed ANONYMOUS_NOT_ALLOWED", "message as a whole": "failed ANONYMOUS_NOT_ALLOWED"}},
		{"two claims", map[string]any{lti.ClaimRoles: nil, lti.ClaimContext: map[string]any{}}, map[string]string{
			"roles": "failed CLAIM_MISSING", "context": "failed CLAIM_MISSING", "message as a whole": "failed CLAIM_MISSING"}},
		{"no resource link", map[string]any{lti.ClaimResourceLink: nil}, map[string]string{"resource_link": "failed CLAIM_MISSING", "message as a whole": "failed CLAIM_MISSING"}},
		{"target", map[string]any{lti.ClaimTargetLinkURI: "https://evil.example/"}, map[string]string{
			"target_link_uri": "failed TARGET_LINK_URI_NOT_ALLOWED", "message as a whole": "failed TARGET_LINK_URI_NOT_ALLOWED"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			output, err := i.run(i.token(test.patch), "--keys", i.keys)
			if err == nil || !strings.Contains(err.Error(), "would be refused") {
				t.Errorf("error %v", err)
			}
			for check, want := range test.checks {
				if got := line(output, check); !strings.HasPrefix(got, want) {
					t.Errorf("%s: %q, want %q", check, got, want)
				}
			}
			if got := strings.Count(output, "✗ failed"); got != len(test.checks) {
				t.Errorf("%d checks failed, want %d:\n%s", got, len(test.checks), output)
			}
			if strings.Count(output, "fix: ") != len(test.checks) {
				t.Errorf("each failure has a fix:\n%s", output)
			}
		})
	}
}

func TestInspectSignature(t *testing.T) {
	t.Parallel()
	i, other := newInspected(t), newInspected(t)
	token := i.token(nil)
	for _, test := range []struct {
		name, token, keys, want string
		fails                   bool
	}{
		{"no keys", token, "", "not judged", false},
		{"right", token, i.keys, "ok", false},
		{"other keys", token, other.keys, "failed KID_UNKNOWN: The key set has no key \"" + i.key.KeyID() + "\"; it has 1: " + other.key.KeyID(), true},
		{"altered", token[:strings.LastIndexByte(token, '.')+1] + strings.Repeat("A", 342), i.keys, "failed SIGNATURE_INVALID", true},
	} {
		var more []string
		if test.keys != "" {
			more = []string{"--keys", test.keys}
		}
		output, err := i.run(test.token, more...)
		if got := line(output, "signature"); !strings.HasPrefix(got, test.want) || (err != nil) != test.fails {
			t.Errorf("%s: %q, want %q (%v)", test.name, got, test.want, err)
		}
	}
}

func TestInspectForm(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	parts := strings.Split(i.token(nil), ".")
	header := func(text string) string { return encodeSegment(text) + "." + parts[1] + "." + parts[2] }
	for name, test := range map[string]struct{ token, check, want string }{
		"no token":      {"hello", "segments", "TOKEN_MALFORMED"},
		"padding":       {i.token(nil) + "=", "segments", "TOKEN_MALFORMED"},
		"alg none":      {header(`{"alg":"none","kid":"k"}`), "alg", "ALGORITHM_NOT_ALLOWED"},
		"alg unlisted":  {header(`{"alg":"ES256","kid":"k"}`), "alg", "ALGORITHM_NOT_ALLOWED"},
		"crit":          {header(`{"alg":"RS256","kid":"k","crit":["x"]}`), "header", "HEADER_UNSUPPORTED"},
		"no kid":        {header(`{"alg":"RS256"}`), "kid", "KID_MISSING"},
		"a large token": {strings.Repeat("a", 65<<10), "size", "TOKEN_TOO_LARGE"},
	} {
		output, err := i.run(test.token)
		if err == nil || strings.Count(output, "✗ failed") != 1 || !strings.Contains(line(output, test.check), test.want) {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

func TestInspectUsage(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	for name, test := range map[string]struct {
		input string
		args  []string
		want  string
	}{
		"token as an argument":    {"", []string{i.token(nil)}, "give the token on standard input"},
		"nothing":                 {" \n", nil, "standard input is empty"},
		"too much":                {strings.Repeat("a", 1<<20+1), nil, "larger than 1 MiB"},
		"unknown registration":    {i.token(nil), []string{"--registration", "LMS"}, `but there is "lms"`},
		"keys that are not there": {i.token(nil), []string{"--keys", "none.json"}, "--keys"},
		"keys that are none":      {i.token(nil), []string{"--keys", i.config}, "it is not a key set"},
		"no time":                 {i.token(nil), []string{"--at", "yesterday"}, "--at"},
	} {
		output, err := i.run(test.input, test.args...)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(output, "inspect:") {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
	output, err := i.run(i.token(nil), "--registration", "second")
	if err == nil || !strings.Contains(line(output, "aud"), `the token fits the registration "lms"`) {
		t.Errorf("another registration: %v\n%s", err, output)
	}
	if strings.Contains(output, "\x1b") {
		t.Error("colour without a terminal")
	}
	empty := writeConfig(t, "")
	output, err = commandWith(i.token(nil), "inspect", "--config", empty, "--at", inspectedAt)
	if err != nil || line(output, "registration") != "not judged the configuration has none" {
		t.Errorf("no registrations: %v\n%s", err, output)
	}
}

// TestInspectOtherMessages: each message type needs claims of its own, and none of another's.
func TestInspectOtherMessages(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	settings := map[string]any{
		"deep_link_return_url": "https://lms.example/return", "accept_types": []string{"link"}, "accept_presentation_document_targets": []string{"iframe"},
	}
	const deepLinking = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
	patch := map[string]any{lti.ClaimMessageType: "LtiDeepLinkingRequest", lti.ClaimResourceLink: nil, lti.ClaimTargetLinkURI: nil, deepLinking: settings}
	output, err := i.run(i.token(patch))
	if err == nil || !strings.Contains(line(output, "message_type"), "MESSAGE_TYPE_NOT_ACCEPTED") || line(output, "resource_link") != "" {
		t.Errorf("not enabled: %v\n%s", err, output)
	}
	i.config = writeConfig(t, goodRegistration+"    message_types: [LtiDeepLinkingRequest]\n")
	output, err = i.run(i.token(patch))
	if err != nil || line(output, "message_type") != "ok LtiDeepLinkingRequest" || !strings.HasPrefix(line(output, "message as a whole"), "ok") {
		t.Errorf("enabled: %v\n%s", err, output)
	}
	patch[deepLinking] = nil
	output, err = i.run(i.token(patch))
	if err == nil || !strings.Contains(line(output, "message as a whole"), "CLAIM_MISSING") || strings.Count(output, "✗ failed") != 1 {
		t.Errorf("without settings: %v\n%s", err, output)
	}
	output, err = i.run(i.token(nil))
	if err == nil || !strings.Contains(line(output, "message_type"), "MESSAGE_TYPE_NOT_ACCEPTED") || !strings.HasPrefix(line(output, "roles"), "ok") {
		t.Errorf("a resource link where only deep linking is enabled: %v\n%s", err, output)
	}
}

// notice returns a signed notice; patch replaces claims, nil removes one.
func (i *inspected) notice(patch map[string]any) string {
	claims := map[string]any{
		"sub": nil, "nonce": nil, lti.ClaimMessageType: nil, lti.ClaimTargetLinkURI: nil, lti.ClaimRoles: nil, lti.ClaimResourceLink: nil, "name": nil,
		lti.ClaimNotice: map[string]any{"id": "n1", "timestamp": "2031-05-06T07:00:00Z", "type": "LtiContextCopyNotice"},
	}
	maps.Copy(claims, patch)
	return i.token(claims)
}

func TestInspectNotice(t *testing.T) {
	t.Parallel()
	i := newInspected(t)
	output, err := i.run(i.notice(nil), "--keys", i.keys)
	if err != nil || line(output, "notice as a whole") != "ok LtiContextCopyNotice of 2031-05-06T07:00:00Z, as ValidateNotices reads it" ||
		line(output, "signature") == "" || line(output, "nonce") != "" || line(output, "message_type") != "" {
		t.Errorf("%v\n%s", err, output)
	}
	for name, test := range map[string]struct {
		patch        map[string]any
		check, words string
	}{
		"another deployment":        {map[string]any{lti.ClaimDeploymentID: "9"}, "deployment", "failed DEPLOYMENT_UNKNOWN"},
		"no deployment":             {map[string]any{lti.ClaimDeploymentID: nil}, "deployment_id", "failed CLAIM_MISSING"},
		"another version":           {map[string]any{lti.ClaimVersion: "1.1"}, "version", "failed VERSION_UNSUPPORTED"},
		"no id":                     {map[string]any{lti.ClaimNotice: map[string]any{"timestamp": "2031-05-06T07:00:00Z", "type": "T"}}, "notice as a whole", "failed CLAIM_MISSING"},
		"expired":                   {map[string]any{"exp": 1935817600}, "exp", "failed TOKEN_EXPIRED"},
		"a message type beside":     {map[string]any{lti.ClaimMessageType: "LtiResourceLinkRequest"}, "message as a whole", "failed CLAIM_"},
		"a registration of no such": {map[string]any{"iss": "https://elsewhere.example"}, "iss", "failed ISSUER_MISMATCH"},
	} {
		output, err := i.run(i.notice(test.patch), "--keys", i.keys)
		if got := line(output, test.check); err == nil || !strings.HasPrefix(got, test.words) {
			t.Errorf("%s: %s: %q, want %q\n%s", name, test.check, got, test.words, output)
		}
	}
}
