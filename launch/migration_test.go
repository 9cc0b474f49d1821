// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"testing"

	"github.com/ltisidecar/ltisidecar/platform"
)

// TestMigrationVector is the example of LTI Migration, section 6.
//
// REQ-234
func TestMigrationVector(t *testing.T) {
	parts := []string{"179248902", "689302", "https://lmsvendor.com", "PM48OJSfGDTAzAo", "1551290856", "172we8671fd8z"}
	const want = "lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps="
	if got := migrationSign(platform.NewSecret("my-lti11-secret"), parts...); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	registration := &platform.Registration{
		Issuer: "https://lmsvendor.com", ClientID: "PM48OJSfGDTAzAo",
		LTI11: []platform.LTI11Key{{ConsumerKey: "other", Secret: platform.NewSecret("x")}, {ConsumerKey: "179248902", Secret: platform.NewSecret("my-lti11-secret")}},
	}
	read := func(change func(*claims, *Launch)) *Launch {
		c := &claims{
			Expires: []byte("1551290856"), Nonce: []byte(`"172we8671fd8z"`),
			LTI11: []byte(`{"oauth_consumer_key":"179248902","oauth_consumer_key_sign":"` + want + `","user_id":"34212","context_id":"c","tool_consumer_instance_guid":"g","resource_link_id":"r"}`),
		}
		launch := &Launch{DeploymentID: "689302"}
		change(c, launch)
		readMigration(c, registration, launch)
		return launch
	}
	whole := Migration{Verified: true, ConsumerKey: "179248902", UserID: "34212", ContextID: "c", ToolConsumerInstanceGUID: "g", ResourceLinkID: "r"}
	for name, change := range map[string]func(*claims, *Launch){
		"as it is":                func(*claims, *Launch) {},
		"exp in another spelling": func(c *claims, _ *Launch) { c.Expires = []byte("1.551290856e9") },
		"exp with a fraction":     func(c *claims, _ *Launch) { c.Expires = []byte("1551290856.0") },
	} {
		if l := read(change); l.Migration == nil || *l.Migration != whole || l.Remarks != nil {
			t.Errorf("%s: %+v, %q", name, l.Migration, l.Remarks)
		}
	}
	for name, change := range map[string]func(*claims, *Launch){
		"exp":        func(c *claims, _ *Launch) { c.Expires = []byte("1551290857") },
		"nonce":      func(c *claims, _ *Launch) { c.Nonce = []byte(`"172we8671fd8Z"`) },
		"deployment": func(_ *claims, l *Launch) { l.DeploymentID = "689303" },
		"sign cut": func(c *claims, _ *Launch) {
			c.LTI11 = []byte(`{"oauth_consumer_key":"179248902","oauth_consumer_key_sign":"lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps"}`)
		},
		"sign empty": func(c *claims, _ *Launch) {
			c.LTI11 = []byte(`{"oauth_consumer_key":"179248902","oauth_consumer_key_sign":""}`)
		},
		"sign a number": func(c *claims, _ *Launch) {
			c.LTI11 = []byte(`{"oauth_consumer_key":"179248902","oauth_consumer_key_sign":7}`)
		},
		"another key's": func(c *claims, _ *Launch) {
			c.LTI11 = []byte(`{"oauth_consumer_key":"other","oauth_consumer_key_sign":"` + want + `"}`)
		},
	} {
		if l := read(change); l.Migration != nil || len(l.Remarks) != 1 {
			t.Errorf("%s: %+v, %q; it must be withheld, and the log must say so", name, l.Migration, l.Remarks)
		}
	}
	for _, secret := range []string{"my-lti11-secre", "my-lti11-secret\n", "MY-LTI11-SECRET"} {
		registration.LTI11[1].Secret = platform.NewSecret(secret)
		if l := read(func(*claims, *Launch) {}); l.Migration != nil {
			t.Errorf("verified with the secret %q", secret)
		}
	}
	for name, test := range map[string]struct {
		claim   string
		remarks int
	}{
		"no sign":              {`{"oauth_consumer_key":"179248902","user_id":"34212"}`, 0},
		"sign null":            {`{"oauth_consumer_key":"179248902","user_id":"34212","oauth_consumer_key_sign":null}`, 0},
		"no key":               {`{"user_id":"34212"}`, 0},
		"a key without secret": {`{"oauth_consumer_key":"unknown","user_id":"34212","oauth_consumer_key_sign":"` + want + `"}`, 1},
	} {
		l := read(func(c *claims, _ *Launch) { c.LTI11 = []byte(test.claim) })
		if l.Migration == nil || l.Migration.Verified || l.Migration.UserID != "34212" || len(l.Remarks) != test.remarks {
			t.Errorf("%s: %+v, %q; it must be there and unverified", name, l.Migration, l.Remarks)
		}
	}
	for _, claim := range []string{`null`, `"x"`, `[]`, `7`} {
		if l := read(func(c *claims, _ *Launch) { c.LTI11 = []byte(claim) }); l.Migration != nil {
			t.Errorf("%s: %+v", claim, l.Migration)
		}
	}
}
