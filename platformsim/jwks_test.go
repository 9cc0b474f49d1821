// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// keySetOf fetches the published keys, in their order.
func (b *bench) keySetOf(uri string) (list []map[string]string, header http.Header, size int) {
	b.t.Helper()
	status, header, body := b.get(uri, nil)
	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(body, &doc); err != nil || status != http.StatusOK {
		b.t.Fatalf("key set: %d, %v", status, err)
	}
	return doc.Keys, header, len(body)
}

func kidsOf(keys []map[string]string) (kids []string) {
	for _, k := range keys {
		kids = append(kids, k["kid"])
	}
	return kids
}

func TestFurtherKeySets(t *testing.T) {
	for name, want := range map[string]struct {
		keys     int
		alg, use bool
		header   string // Content-Disposition
	}{
		"brightspace": {2, false, true, ""},
		"blackboard":  {1, true, true, ""},
		"sakai":       {2, true, true, ""},
		"openedx":     {1, false, false, "attachment; filename=keyset.json"},
		"schoology":   {1, true, true, ""},
	} {
		b := newBench(t, name)
		keys, header, _ := b.keySetOf(b.reg.JWKSURI)
		if len(keys) != want.keys || header.Get("Content-Disposition") != want.header || header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d keys, %v", name, len(keys), header)
		}
		for _, k := range keys {
			_, alg := k["alg"]
			_, use := k["use"]
			if alg != want.alg || use != want.use || k["kty"] != "RSA" {
				t.Errorf("%s: key %v", name, k)
			}
		}
		if kids := kidsOf(keys); name == "sakai" && !slices.IsSorted(kids) {
			t.Errorf("sakai: kids %v are not in the order of their text", kids)
		}
		b.idToken(b.launch("student"))
	}
}

func TestKeySetsOfOneToolEach(t *testing.T) {
	for _, name := range []string{"blackboard", "openedx"} {
		b := newBench(t, name)
		if err := b.platform().SetTool(b.toolConfig("second")); err != nil {
			t.Fatal(err)
		}
		second := b.platform().Registration("second")
		first, _, _ := b.keySetOf(b.reg.JWKSURI)
		others, _, _ := b.keySetOf(second.JWKSURI)
		if first[0]["n"] == others[0]["n"] || first[0]["kid"] == others[0]["kid"] {
			t.Errorf("%s: two tools share a key", name)
		}
		if status, _, _ := b.get(strings.Replace(b.reg.JWKSURI, b.reg.JWKSURI[len(b.reg.JWKSURI)-20:], "x/jwks.json", 1), nil); status != http.StatusNotFound {
			t.Errorf("%s: the key set of nobody: %d", name, status)
		}
		// A change of the tool keeps its key.
		if err := b.platform().SetTool(b.toolConfig("quiz")); err != nil {
			t.Fatal(err)
		}
		if kept, _, _ := b.keySetOf(b.reg.JWKSURI); kept[0]["n"] != first[0]["n"] {
			t.Errorf("%s: the tool has another key after it was changed", name)
		}
	}
}

func TestExtraKeys(t *testing.T) {
	b := newBench(t, "brightspace", with(func(p *PlatformConfig) { p.ExtraKeys = 200 }))
	keys, _, size := b.keySetOf(b.reg.JWKSURI)
	if len(keys) != 202 || size <= 64<<10 {
		t.Errorf("%d keys in %d bytes", len(keys), size)
	}
	kid := b.idToken(b.launch("student")).header["kid"]
	if kid == keys[0]["kid"] {
		t.Error("the first key signs: a tool that takes it blindly would pass")
	}
	if again, _, _ := b.keySetOf(b.reg.JWKSURI); again[0]["n"] != keys[0]["n"] {
		t.Error("the further keys change")
	}
}

func TestRotations(t *testing.T) {
	kids := func(b *bench) []string {
		keys, _, _ := b.keySetOf(b.reg.JWKSURI)
		return kidsOf(keys)
	}
	rotate := func(b *bench, body string) {
		t.Helper()
		if status, _, text := b.do(http.MethodPost, b.platform().URL()+"/sim/keys/rotate", nil, []byte(body)); status != http.StatusNoContent {
			t.Fatalf("rotate %s: %d %s", body, status, text)
		}
	}
	for _, name := range []string{"brightspace", "blackboard", "openedx", "schoology"} {
		b := newBench(t, name)
		before, signed := kids(b), b.idToken(b.launch("student")).header["kid"].(string)

		rotate(b, `{"how":"overlap"}`)
		after := kids(b)
		if now := b.idToken(b.launch("student")).header["kid"]; now == signed || !slices.Contains(after, signed) || len(after) != len(before)+1 {
			t.Errorf("%s, overlap: %v to %v, signs with %v", name, before, after, now)
		}

		rotate(b, `{"how":"abrupt"}`)
		for _, kid := range kids(b) {
			if slices.Contains(after, kid) {
				t.Errorf("%s, abrupt: %s is still there", name, kid)
			}
		}
		b.idToken(b.launch("student"))

		keys, _, _ := b.keySetOf(b.reg.JWKSURI)
		old := b.launch("student")
		rotate(b, `{"how":"same_kid"}`)
		changed, _, _ := b.keySetOf(b.reg.JWKSURI)
		if !slices.Equal(kidsOf(keys), kidsOf(changed)) || keys[0]["n"] == changed[0]["n"] {
			t.Errorf("%s, same kid: %v to %v", name, kidsOf(keys), kidsOf(changed))
		}
		b.idToken(b.launch("student"))
		tok, err := parseJWT(old.Get("id_token"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, body := b.get(b.reg.JWKSURI, nil)
		set, err := parseJWKS(body)
		if err != nil || tok.verify(set[tok.header["kid"].(string)]) == nil {
			t.Errorf("%s, same kid: a launch signed before still verifies (%v)", name, err)
		}
	}

	s := newBench(t, "sakai") // current and next, and the previous one for a while
	before := kids(s)
	signed := s.idToken(s.launch("student")).header["kid"].(string)
	rotate(s, "")
	after := kids(s)
	if len(before) != 2 || len(after) != 3 || !slices.Contains(after, signed) || s.idToken(s.launch("student")).header["kid"] == signed {
		t.Errorf("sakai: %v to %v", before, after)
	}
	rotate(s, "")
	if last := kids(s); len(last) != 3 || slices.Contains(last, signed) {
		t.Errorf("sakai, twice: %v", last)
	}
	if status, _, _ := s.do(http.MethodPost, s.platform().URL()+"/sim/keys/rotate", nil, []byte(`{"how":"backwards"}`)); status != http.StatusBadRequest {
		t.Errorf("unknown rotation: %d", status)
	}
}

func TestKeySetFaults(t *testing.T) {
	b := newBench(t, "brightspace")
	on := func(f Fault, value string) {
		t.Helper()
		if err := b.platform().SetFault(FaultSetting{Fault: f, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	whole := func() {
		t.Helper()
		if keys, _, _ := b.keySetOf(b.reg.JWKSURI); len(keys) != 2 {
			t.Errorf("after the fault: %d keys", len(keys))
		}
	}
	for value, want := range map[string]int{"": 503, "500": 500, "404": 404, "200": 503} {
		on(FaultJWKSUnavailable, value)
		if status, header, _ := b.get(b.reg.JWKSURI, nil); status != want || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			t.Errorf("unavailable %q: %d %v", value, status, header)
		}
		whole()
	}
	on(FaultJWKSHTML, "")
	if status, header, body := b.get(b.reg.JWKSURI, nil); status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(string(body), "<html>") {
		t.Errorf("HTML: %d %s", status, body)
	}
	on(FaultJWKSEmpty, "")
	if status, header, body := b.get(b.reg.JWKSURI, nil); status != 200 || string(body) != `{"keys":[]}` || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		t.Errorf("empty: %d %s", status, body)
	}
	for value, want := range map[string]string{"": b.reg.JWKSURI + "?moved=1", "https://localhost:1/jwks": "https://localhost:1/jwks"} {
		on(FaultJWKSRedirect, value)
		status, header, _ := b.get(b.reg.JWKSURI, nil)
		if location := header.Get("Location"); status != 302 || !strings.HasSuffix(want, location) || location == "" {
			t.Errorf("redirect %q: %d to %q", value, status, location)
		}
	}
	if keys, _, _ := b.keySetOf(b.reg.JWKSURI + "?moved=1"); len(keys) != 2 {
		t.Error("the key set is not behind the redirect")
	}
	on(FaultJWKSHuge, "")
	if keys, _, size := b.keySetOf(b.reg.JWKSURI); len(keys) != hugeKeySet+2 || size < 2<<20 {
		t.Errorf("huge: %d keys in %d bytes", len(keys), size)
	}
	whole()
	for value, want := range map[string]string{"": "max-age=31536000, immutable", "no-store": "no-store"} {
		on(FaultJWKSCacheControl, value)
		if _, header, _ := b.keySetOf(b.reg.JWKSURI); header.Get("Cache-Control") != want {
			t.Errorf("Cache-Control %q", header.Get("Cache-Control"))
		}
	}
	on(FaultJWKSSlow, "150ms")
	began := time.Now()
	whole()
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("slow: it took %v", took)
	}
}

// A client that gives up, and the end of the simulator, both end an answer that would come late or never.
func TestStalledKeySetEnds(t *testing.T) {
	b := newBench(t, "canvas")
	if err := b.platform().SetFault(FaultSetting{Fault: FaultJWKSStalled, Times: 2}); err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context, started func()) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.reg.JWKSURI, nil)
		if err != nil {
			t.Error(err)
			return 0, nil
		}
		resp, err := b.http.Do(req)
		if err != nil {
			return 0, err
		}
		defer func() { _ = resp.Body.Close() }()
		var n int
		buf := make([]byte, 4096)
		for {
			m, err := resp.Body.Read(buf)
			n += m
			if n > 0 {
				started()
			}
			if err != nil {
				return n, err
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	if n, err := read(ctx, cancel); n == 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("a client that gives up: %d bytes, %v", n, err)
	}
	closed := make(chan error, 1)
	began := time.Now()
	var once sync.Once
	n, err := read(context.Background(), func() {
		once.Do(func() { go func() { closed <- b.sim.Close() }() })
	})
	if n == 0 || err == nil {
		t.Errorf("the end of the simulator: %d bytes, %v", n, err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("Close waited %v for a stalled answer", took)
	}
}
