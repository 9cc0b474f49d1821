// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/platform"
)

func TestSecretIsNeverFormatted(t *testing.T) {
	const text = "my-lti11-secret"
	r := &platform.Registration{Name: "lms", LTI11: []platform.LTI11Key{{ConsumerKey: "key-1", Secret: platform.NewSecret(text)}}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "registration", r, "secret", r.LTI11[0].Secret)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "registration", r, "secret", r.LTI11[0].Secret)
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		all += fmt.Sprintf(verb, *r) + fmt.Sprintf(verb, r.LTI11[0].Secret)
	}
	if strings.Contains(all, text) {
		t.Errorf("the secret shows in %s", all)
	}
	if r.LTI11[0].Secret.Reveal() != text {
		t.Error("Reveal does not return the text")
	}
}

func TestCheckLTI11(t *testing.T) {
	secret := platform.NewSecret("s")
	for name, test := range map[string]struct {
		keys []platform.LTI11Key
		want string
	}{
		"good":               {[]platform.LTI11Key{{ConsumerKey: "a", Secret: secret}, {ConsumerKey: "b", Secret: secret}}, ""},
		"no key":             {[]platform.LTI11Key{{Secret: secret}}, "lti11[0].consumer_key"},
		"no secret":          {[]platform.LTI11Key{{ConsumerKey: "a"}}, "lti11[0].secret_file"},
		"a key listed twice": {[]platform.LTI11Key{{ConsumerKey: "a", Secret: secret}, {ConsumerKey: "a", Secret: secret}}, "lti11[1].consumer_key"},
	} {
		r := platform.Registration{LTI11: test.keys}
		var fields []string
		for _, problem := range r.Check(false, nil) {
			if strings.HasPrefix(problem.Field, "lti11") {
				fields = append(fields, problem.Field)
			}
		}
		if got := strings.Join(fields, " "); got != test.want {
			t.Errorf("%s: problems with %q, want %q", name, got, test.want)
		}
	}
}
