// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
)

// FuzzClaims signs any text as the claims of a login, where NONCE stands for its nonce. What is accepted must be a good
// launch in the eyes of the standard library; what is refused leaves the login as it was.
func FuzzClaims(f *testing.F) {
	fixture := newFixture(f)
	seed := fixture.claims(&login{nonce: "NONCE"}, nil)
	f.Add(string(must(json.Marshal(seed))))
	for _, path := range must(filepath.Glob(goldenDirectory + "/*-student.txt")) {
		var c map[string]any
		if json.Unmarshal([]byte(readGoldenCase(f, path).claims), &c) == nil {
			for _, name := range []string{"iss", "aud", "azp", "exp", "iat", "nbf", lti.ClaimDeploymentID} {
				delete(c, name)
				if value, ok := seed[name]; ok {
					c[name] = value
				}
			}
			f.Add(string(must(json.Marshal(c))))
		}
	}
	f.Fuzz(func(t *testing.T, claims string) {
		g := *fixture
		g.t = t
		l := g.begin()
		text := strings.ReplaceAll(claims, "NONCE", l.nonce)
		outcome, err := g.validate(request(l, must(platformKey.Sign([]byte(text)))))
		if err != nil {
			var refusal *lti.Error
			if !errors.As(err, &refusal) || refusal.Reason == lti.ReasonInternal {
				t.Fatalf("refused without a reason: %v", err)
			}
			if outcome, err := g.validate(request(l, sign(g.claims(l, nil)))); err != nil || outcome.Launch == nil {
				t.Fatalf("the refused launch used the login up: %v", err)
			}
			return
		}
		if err := independentLaunch(text, l.nonce); err != nil {
			t.Fatalf("accepted, although %v:\n%s", err, text)
		}
		if got := outcome.Launch; got.User == nil || got.ResourceLink == nil || got.ClaimsJSON != text || len(got.Roles) > len(text) || len(got.Custom) > len(text) {
			t.Fatalf("launch = %+v", got)
		}
	})
}

// independentLaunch says with the standard library alone why claims are not those of a good launch of the fixture.
func independentLaunch(text, nonce string) error {
	var c map[string]any
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	for name, want := range map[string]string{
		"iss": issuer, "nonce": nonce, lti.ClaimVersion: "1.3.0", lti.ClaimMessageType: "LtiResourceLinkRequest", lti.ClaimDeploymentID: "d1",
	} {
		if c[name] != want {
			return errors.New(name + " is wrong")
		}
	}
	audience := c["aud"]
	if list, ok := audience.([]any); ok && len(list) > 0 {
		audience = list[0]
	}
	expires, ok := c["exp"].(float64)
	if issued, isNumber := c["iat"].(float64); !ok || !isNumber || expires <= float64(start.Unix()-60) || issued > float64(start.Unix()+60) {
		return errors.New("its times are wrong")
	}
	sub, _ := c["sub"].(string)
	link, _ := c[lti.ClaimResourceLink].(map[string]any)
	id, _ := link["id"].(string)
	target, _ := c[lti.ClaimTargetLinkURI].(string)
	parsed, err := url.Parse(target)
	_, isList := c[lti.ClaimRoles].([]any)
	switch {
	case audience != clientID:
		return errors.New("aud is wrong")
	case strings.TrimSpace(sub) == "" || strings.TrimSpace(id) == "" || !isList:
		return errors.New("sub, roles or link are missing")
	case err != nil || parsed.Scheme != "https" || !slices.Contains([]string{"tool.example", "staging.tool.example"}, strings.ToLower(parsed.Hostname())) || parsed.User != nil:
		return errors.New("its target lies outside the tool")
	}
	return nil
}

// FuzzLaunchForm sends any form and cookies as a launch. Nothing can be accepted: no token is the platform's.
func FuzzLaunchForm(f *testing.F) {
	fixture := newFixture(f)
	f.Add("state=STATE&id_token=a.b.c", "COOKIES", "POST")
	f.Add("state=STATE&error=login_required&error_description=x", "COOKIES; a=b", "POST")
	f.Add("state=STATE&id_token=e30.e30.AA&lti_storage_proof=x", "", "POST")
	f.Add("state=STATE&state=STATE", "__Host-lti-00000000=x", "GET")
	f.Fuzz(func(t *testing.T, form, cookies, method string) {
		g := *fixture
		g.t = t
		l := g.begin("lti_storage_target", "_parent")
		sent := launch.Request{Browser: launch.BrowserRequest{Method: method, CookieHeader: strings.ReplaceAll(cookies, "COOKIES", strings.Join(l.cookies, "; "))}}
		seen := map[string]int{}
		for pair := range strings.SplitSeq(form, "&") {
			name, value, _ := strings.Cut(pair, "=")
			seen[name]++
			sent.Browser.Parameters = append(sent.Browser.Parameters, launch.Parameter{Name: name, Value: strings.ReplaceAll(value, "STATE", l.state)})
		}
		outcome, err := g.validate(sent)
		var refusal *lti.Error
		switch {
		case err == nil && outcome.Launch != nil:
			t.Fatalf("accepted: %+v", outcome.Launch)
		case err == nil && (outcome.Step == nil || method != "POST" || seen["state"] != 1 || seen["id_token"] != 1 || seen["error"] != 0):
			t.Fatalf("a page for %q", form)
		case err != nil && (!errors.As(err, &refusal) || refusal.Reason == lti.ReasonInternal):
			t.Fatalf("refused without a reason: %v", err)
		case err != nil && (seen["state"] > 1 || seen["id_token"] > 1) && method == "POST" && refusal.Reason != lti.ReasonParameterRepeated && refusal.Reason != lti.ReasonParameterTooLong && refusal.Reason != lti.ReasonTokenTooLarge:
			t.Fatalf("a repeated parameter was refused as %s", refusal.Reason)
		}
	})
}
