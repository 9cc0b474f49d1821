// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// attempt asks for the roster; unlike get it takes an error.
func (b *bench) attempt(uri, token string) error {
	req, err := http.NewRequest(http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// recorded returns the n-th request that reached an endpoint. It is written down after it was answered: the client may
// be faster.
func (b *bench) recorded(endpoint string, n int) ServiceRequest {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		seen := 0
		for _, rec := range b.platform().ServiceRequests() {
			if rec.Endpoint == endpoint {
				if seen++; seen == n {
					return rec
				}
			}
		}
		b.get(b.platform().URL()+"/sim/faults", nil)
	}
	b.t.Fatalf("request %d to %s was not recorded", n, endpoint)
	return ServiceRequest{}
}

func TestFaultsOfAnyEndpoint(t *testing.T) {
	for _, http1 := range []bool{true, false} {
		b := newBench(t, "canvas", func(_ *PlatformConfig, c *Config) { c.HTTP1 = http1 })
		if !http1 {
			b.http.Transport.(*http.Transport).ForceAttemptHTTP2 = true
		}
		token := b.token(ScopeMemberships)
		uri, rosters := b.reg.MembershipsURI, 0
		for _, c := range []struct {
			set   FaultSetting
			check func(status int, header http.Header, body string) bool
		}{
			{FaultSetting{Fault: FaultServiceUnavailable, Value: "7"}, func(s int, h http.Header, _ string) bool { return s == 503 && h.Get("Retry-After") == "7" }},
			{FaultSetting{Fault: FaultRateLimited}, func(s int, h http.Header, _ string) bool { return s == 429 && h.Get("Retry-After") == "1" }},
			{FaultSetting{Fault: FaultThrottled}, func(s int, h http.Header, body string) bool {
				return s == 403 && strings.Contains(body, "Rate Limit Exceeded") && h.Get("X-Rate-Limit-Remaining") == "0.0"
			}},
			{FaultSetting{Fault: FaultServiceStatus, Value: "502"}, func(s int, _ http.Header, _ string) bool { return s == 502 }},
			{FaultSetting{Fault: FaultServiceStatus}, func(s int, _ http.Header, _ string) bool { return s == 500 }},
			{FaultSetting{Fault: FaultServiceHTML}, func(s int, _ http.Header, body string) bool { return s == 200 && strings.HasPrefix(body, "<!DOCTYPE") }},
			{FaultSetting{Fault: FaultServiceRedirect, Value: "https://elsewhere.example.net/"}, func(s int, h http.Header, _ string) bool {
				return s == 307 && h.Get("Location") == "https://elsewhere.example.net/"
			}},
			{FaultSetting{Fault: FaultForeignNext}, func(_ int, h http.Header, _ string) bool {
				return nextLink(h.Get("Link")) == "https://elsewhere.example.net/next?page=2"
			}},
			{FaultSetting{Fault: FaultNextLoops}, func(_ int, h http.Header, body string) bool {
				return nextLink(h.Get("Link")) == uri && strings.Contains(body, "members")
			}},
			{FaultSetting{Fault: FaultServiceGzipBomb, Value: "3"}, func(s int, _ http.Header, body string) bool { return s == 200 && len(body) == 3<<20 }},
			{FaultSetting{Fault: FaultServiceSlowBody, Value: "40ms"}, func(s int, _ http.Header, body string) bool { return s == 200 && strings.HasSuffix(body, "]}") }},
			{FaultSetting{Fault: FaultAnswerLate, Value: "20ms"}, func(s int, _ http.Header, body string) bool { return s == 200 && strings.HasSuffix(body, "]}") }},
			{FaultSetting{Fault: FaultHandledLate, Value: "20ms"}, func(s int, _ http.Header, body string) bool { return s == 200 && strings.HasSuffix(body, "]}") }},
		} {
			c.set.Endpoint = EndpointRoster
			if err := b.platform().SetFault(c.set); err != nil {
				t.Fatal(err)
			}
			if status, _, _ := b.get(b.reg.LineItemsURI, map[string]string{"Authorization": "Bearer " + b.token(ScopeLineItem)}); status != 200 {
				t.Errorf("%s strikes another endpoint: %d", c.set.Fault, status)
			}
			status, header, body := b.get(uri, map[string]string{"Authorization": "Bearer " + token})
			if !c.check(status, header, string(body)) {
				t.Errorf("%s: %d %v, %d bytes", c.set.Fault, status, header, len(body))
			}
			if status, _, page := b.roster(token, uri, mediaMembership); status != 200 || len(page.Members) != 50 {
				t.Errorf("after %s: %d", c.set.Fault, status)
			}
			rosters += 2
			if rec := b.recorded(EndpointRoster, rosters-1); rec.Fault != c.set.Fault || rec.Status != status || rec.Endpoint != EndpointRoster {
				t.Errorf("%s: recorded %+v", c.set.Fault, rec)
			}
		}
		for _, fault := range []Fault{FaultServiceBadStatus, FaultAnswerLost} {
			if err := b.platform().SetFault(FaultSetting{Fault: fault}); err != nil {
				t.Fatal(err)
			}
			err := b.attempt(uri, token)
			if err == nil {
				t.Errorf("%s: answered", fault)
			} else if malformed := strings.Contains(err.Error(), "malformed HTTP status code"); malformed != (http1 && fault == FaultServiceBadStatus) {
				t.Errorf("%s: %v", fault, err)
			}
		}
	}
}

func TestFaultsActOrDoNot(t *testing.T) {
	b := newBench(t, "canvas")
	token := b.token(ScopeScore)
	post := func(value float64) error {
		uri := b.reg.LineItemURI + "/scores"
		req, err := http.NewRequest(http.MethodPost, uri, strings.NewReader(b.score(map[string]any{"scoreGiven": value})))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", mediaScore)
		resp, err := b.http.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	score := func() any {
		if g := b.grade("student"); g != nil {
			return *g.Score
		}
		return nil
	}
	for fault, acts := range map[Fault]bool{FaultAnswerLost: true, FaultServiceStatus: false, FaultServiceHTML: false} {
		was := score()
		if err := b.platform().SetFault(FaultSetting{Fault: fault, Endpoint: EndpointScores}); err != nil {
			t.Fatal(err)
		}
		err := post(float64(len(fault) % 10))
		if lost := fault == FaultAnswerLost; (err != nil) != lost {
			t.Errorf("%s: %v", fault, err)
		}
		if changed := score() != was; changed != acts {
			t.Errorf("%s: the grade went from %v to %v", fault, was, score())
		}
	}
	// A client that gives up does not stop what is under way.
	if err := b.platform().SetFault(FaultSetting{Fault: FaultHandledLate, Endpoint: EndpointScores, Value: "300ms"}); err != nil {
		t.Fatal(err)
	}
	b.http.Timeout = 50 * time.Millisecond
	if err := post(3); err == nil {
		t.Error("the answer came in time")
	}
	b.http.Timeout = 0
	if score() == 30.0 {
		t.Error("handled at once")
	}
	deadline := time.Now().Add(20 * time.Second)
	for score() != 30.0 && time.Now().Before(deadline) {
		b.get(b.platform().URL()+"/sim/requests", nil)
	}
	if score() != 30.0 {
		t.Errorf("never handled: %v", score())
	}
}

func TestFaultShares(t *testing.T) {
	strikes := func(seed uint64) (pattern []bool, n int) {
		b := newBench(t, "moodle")
		if err := b.platform().SetFault(FaultSetting{Fault: FaultAnswerLost, Endpoint: EndpointScores, Percent: 5, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		if on := b.platform().Faults(); len(on) != 1 || on[0].Seed == 0 || !on[0].Sticky || on[0].Percent != 5 {
			t.Errorf("on: %+v", on)
		}
		for range 10000 {
			_, strikes := b.platform().takeFaultAt(FaultAnswerLost, EndpointScores)
			pattern = append(pattern, strikes)
			if strikes {
				n++
			}
		}
		if _, strikes := b.platform().takeFaultAt(FaultAnswerLost, EndpointRoster); strikes {
			t.Error("strikes another endpoint")
		}
		return pattern, n
	}
	first, n := strikes(7)
	second, _ := strikes(7)
	other, _ := strikes(8)
	if n < 400 || n > 600 || !slices.Equal(first, second) || slices.Equal(first, other) {
		t.Errorf("%d of 10,000", n)
	}
	strikes(0)

	b := newBench(t, "moodle")
	for _, wrong := range []FaultSetting{
		{Fault: FaultExpired, Endpoint: EndpointScores}, {Fault: FaultAnswerLost, Endpoint: "kitchen"}, {Fault: FaultAnswerLost, Percent: 101},
		{Fault: FaultAnswerLost, Percent: -1},
	} {
		if b.platform().SetFault(wrong) == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
	// The token endpoint fails only where it is named.
	if err := b.platform().SetFault(FaultSetting{Fault: FaultServiceStatus, Sticky: true}); err != nil {
		t.Fatal(err)
	}
	b.token(ScopeScore)
	if err := b.platform().SetFault(FaultSetting{Fault: FaultServiceStatus, Endpoint: EndpointToken}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := b.postToken(tokenFormOf(b.sign(b.assertion()), ScopeScore)); status != 500 {
		t.Errorf("token endpoint: %d", status)
	}
}

func TestReasonPhrase(t *testing.T) {
	b := newBench(t, "moodle", func(_ *PlatformConfig, c *Config) { c.HTTP1 = true })
	token := b.token(ScopeScore)
	body := b.score(map[string]any{"userId": "nobody", "comment": "secret"})
	req, err := http.NewRequest(http.MethodPost, strings.Replace(b.reg.LineItemURI, "?", "/scores?", 1), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", mediaScore)
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil || string(out) != "[]" {
		t.Errorf("%s %v %v", out, err, cerr)
	}
	if !strings.HasPrefix(resp.Status, "400 User cannot be graded: ") || !strings.Contains(resp.Status, "secret") {
		t.Errorf("status %q", resp.Status)
	}
	if rec := b.recorded(EndpointScores, 1); rec.Status != 400 {
		t.Errorf("recorded %+v", rec)
	}
}
