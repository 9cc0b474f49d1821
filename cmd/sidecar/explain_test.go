// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ltisidecar/ltisidecar/lti"
)

func encodeSegment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestExplainEach(t *testing.T) {
	t.Parallel()
	for _, info := range lti.Reasons() {
		output, err := command("explain", string(info.Reason))
		if err != nil {
			t.Errorf("%s: %v", info.Reason, err)
			continue
		}
		flat := strings.Join(strings.Fields(output), " ")
		for _, want := range []string{string(info.Reason), info.Summary, "Fix: " + info.Fix, "What happened: ", "Confirm: ", "Operator: ", "Developer: ", "The user sees: "} {
			if !strings.Contains(flat, want) {
				t.Errorf("%s: %q is not in\n%s", info.Reason, want, output)
			}
		}
		if strings.Contains(output, "**") || strings.Contains(output, "`") || !strings.HasSuffix(output, "\n") {
			t.Errorf("%s: Markdown is left in\n%s", info.Reason, output)
		}
		for text := range strings.Lines(output) {
			if text = strings.TrimSuffix(text, "\n"); utf8.RuneCountInString(text) > 80 && !strings.HasPrefix(text, "    ") && strings.Contains(strings.TrimSpace(text), " ") {
				t.Errorf("%s: a line of %d columns: %s", info.Reason, utf8.RuneCountInString(text), text)
			}
		}
	}
}

func TestExplainGolden(t *testing.T) {
	t.Parallel()
	const want = `TOKEN_NOT_YET_VALID

Code PERMISSION_DENIED. Metadata: registration, claim, clock_skew,
measured_skew.

The id_token is from the future.

Fix: Compare the clocks of sidecar and platform: clock_skew is how far the token
lies ahead, in seconds; measured_skew is how far the platform's clock was ahead
of ours.

What happened: The token's iat or nbf, named in claim, lies further ahead than
is tolerated (one minute). clock_skew is by how much, in seconds: "61" is 61
seconds ahead. measured_skew is how far the platform's clock was ahead of ours
when its keys were fetched.

Confirm: compare our clock with a time server. One of these answers on most
systems:

    chronyc tracking        # "System time" is the offset
    ntpstat                 # "time correct to within ..."
    timedatectl             # "System clock synchronized: yes"

Then compare it with the platform's, which stands in the Date header of any
answer of it:

    date -u; curl -sI https://lms.example.org/ | grep -i '^date:'

At the platform:

- Brightspace: nbf is equal to iat, so a clock that is slightly behind meets it
  first.

Operator: If our clock is right, the platform's is not: tell its administrator
measured_skew.

Developer: Nothing.

The user sees: "Please go back to your course and open the activity again."
`
	for _, name := range []string{"TOKEN_NOT_YET_VALID", "token_not_yet_valid", "token-not-yet-valid "} {
		if output, err := command("explain", name); err != nil || output != want {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
	}
}

func TestExplainUnknown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"KID_UNKOWN":             "did you mean KID_UNKNOWN, ",
		"REPLAY":                 "did you mean NONCE_REPLAYED, ",
		"EXPIRED":                "STATE_EXPIRED, TOKEN_EXPIRED, LAUNCH_TOKEN_EXPIRED",
		"BINDING":                "BINDING_MISSING, BINDING_MISMATCH",
		"":                       `there is no reason ""`,
		strings.Repeat("X", 1e5): "did you mean",
	} {
		output, err := command("explain", name)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 || output != "" {
			t.Errorf("%.20q: %v %q", name, err, output)
		}
	}
	if _, err := command("explain", "INTERNAL", "CANCELED"); err == nil {
		t.Error("two reasons are accepted")
	}
}

func TestExplainAll(t *testing.T) {
	t.Parallel()
	output, err := command("explain")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	if len(lines) != len(lti.Reasons()) {
		t.Fatalf("%d lines for %d reasons", len(lines), len(lti.Reasons()))
	}
	for i, info := range lti.Reasons() {
		if name, summary, _ := strings.Cut(lines[i], " "); name != string(info.Reason) || strings.TrimSpace(summary) != info.Summary {
			t.Errorf("line %q", lines[i])
		}
	}
}
