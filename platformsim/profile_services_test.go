// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestFurtherTokenAnswers(t *testing.T) {
	for name, wantType := range map[string]string{
		"brightspace": "Bearer", "blackboard": "bearer", "sakai": "Bearer", "openedx": "bearer", "schoology": "bearer",
	} {
		b := newBench(t, name)
		status, header, body := b.postToken(tokenFormOf(b.sign(b.assertion()), ScopeScore))
		var out struct {
			AccessToken string `json:"access_token"`
			TokenType   string `json:"token_type"`
			ExpiresIn   int    `json:"expires_in"`
			Scope       string `json:"scope"`
		}
		if err := json.Unmarshal(body, &out); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		if out.TokenType != wantType || out.ExpiresIn != 3600 || out.Scope != ScopeScore || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %+v with %v", name, out, header)
		}
		tok, err := parseJWT(out.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if _, kid := tok.header["kid"]; kid != (name != "sakai") {
			t.Errorf("%s: header of the access token %v", name, tok.header)
		}
	}
}

func TestFurtherTokenRefusals(t *testing.T) {
	set := func(name string, v any) func(*bench, map[string]any) {
		return func(_ *bench, c map[string]any) { c[name] = v }
	}
	at := func(name string, offset int64) func(*bench, map[string]any) {
		return func(b *bench, c map[string]any) { c[name] = b.clock.now().Unix() + offset }
	}
	noKid := map[string]any{"alg": "RS256"}
	type answer struct {
		status int
		text   string // part of the body
	}
	ok := answer{200, "access_token"}
	benches := map[string]*bench{}
	for _, c := range []struct {
		platform, name string
		lax            bool
		claims         func(*bench, map[string]any)
		header         map[string]any
		wrongKey       bool
		scope          string
		want           answer
	}{
		{platform: "brightspace", name: "no kid", header: noKid, want: answer{400, `{"error":"invalid_grant","error_description":"Error validating assertion: KeyId not found in token"}`}},
		{platform: "brightspace", name: "aud is the token URL", claims: func(b *bench, c map[string]any) { c["aud"] = b.reg.TokenURI }, want: answer{400, "invalid_grant"}},
		{platform: "brightspace", name: "aud is the token URL, lax", lax: true, claims: func(b *bench, c map[string]any) { c["aud"] = b.reg.TokenURI }, want: answer{400, "invalid_grant"}},
		{platform: "brightspace", name: "aud", claims: set("aud", "https://api.brightspace.com/auth/token"), want: ok},
		{platform: "brightspace", name: "iss", claims: set("iss", "x"), want: answer{400, `{"error":"invalid_client"}`}},
		{platform: "brightspace", name: "no jti", lax: true, claims: set("jti", ""), want: answer{400, "invalid_grant"}},
		{platform: "brightspace", name: "foreign scope", scope: "x", want: answer{400, "invalid_scope"}},
		{platform: "blackboard", name: "aud as text", claims: func(b *bench, c map[string]any) { c["aud"] = b.reg.TokenURI }, want: ok},
		{platform: "blackboard", name: "aud as array", claims: func(b *bench, c map[string]any) { c["aud"] = []string{b.reg.TokenURI} }, want: ok},
		{platform: "blackboard", name: "aud of another", claims: set("aud", []string{"x"}), want: answer{400, "error"}},
		{platform: "blackboard", name: "any iss, lax", lax: true, claims: set("iss", "my tool"), want: ok},
		{platform: "blackboard", name: "iss", claims: set("iss", "my tool"), want: answer{400, "invalid_client"}},
		{platform: "blackboard", name: "no exp", claims: set("exp", nil), want: answer{400, "error"}},
		{platform: "blackboard", name: "kid unknown", header: map[string]any{"alg": "RS256", "kid": "no"}, want: answer{400, `"error":"invalid_jwt_token","error_description":"Invalid JWT signature java.lang.IllegalArgumentException: `}},
		{platform: "sakai", name: "expired", claims: at("exp", -60), want: answer{500, "<!doctype html>"}},
		{platform: "sakai", name: "expired within the tolerance", claims: at("exp", -59), want: ok},
		{platform: "sakai", name: "wrong key", wrongKey: true, want: answer{500, "<!doctype html>"}},
		{platform: "sakai", name: "one foreign scope", scope: ScopeScore + " x", want: answer{400, `{"error":"invalid_scope"}`}},
		{platform: "sakai", name: "aud, strict", claims: set("aud", "x"), want: answer{400, "error"}},
		{platform: "sakai", name: "aud, iss, sub, jti, lax", lax: true, claims: func(_ *bench, c map[string]any) {
			c["aud"], c["iss"], c["sub"] = "x", "x", "x"
			delete(c, "jti")
		}, want: ok},
		{platform: "sakai", name: "readonly grants the full scope", scope: ScopeLineItemReadonly, want: answer{200, ScopeLineItem + `"`}},
		{platform: "openedx", name: "expired", claims: at("exp", 0), want: answer{400, `{"error":"unidentified_error"}`}},
		{platform: "openedx", name: "wrong key", wrongKey: true, want: answer{400, `{"error":"invalid_client"}`}},
		{platform: "openedx", name: "no kid, lax", lax: true, header: noKid, want: ok},
		{platform: "openedx", name: "no kid, strict", header: noKid, want: answer{400, "invalid_client"}},
		{platform: "openedx", name: "foreign scopes are dropped", scope: "x", want: answer{200, `"scope":""`}},
		{platform: "openedx", name: "one foreign scope", scope: "x " + ScopeScore, want: answer{200, `"scope":"` + ScopeScore + `"`}},
		{platform: "openedx", name: "aud, lax", lax: true, claims: set("aud", "x"), want: ok},
		{platform: "schoology", name: "aud", claims: set("aud", "x"), want: answer{400, "invalid_grant"}},
		{platform: "schoology", name: "foreign scope", scope: "x", want: answer{400, "invalid_scope"}},
	} {
		which := fmt.Sprint(c.platform, c.lax)
		if benches[which] == nil {
			benches[which] = newBench(t, c.platform, with(func(p *PlatformConfig) { p.Lax = c.lax }))
		}
		t.Run(c.platform+"/"+c.name, func(t *testing.T) {
			b := benches[which]
			claims := b.assertion()
			if c.claims != nil {
				c.claims(b, claims)
			}
			header, key := map[string]any{"alg": "RS256", "kid": "tool-1"}, toolKey()
			if c.header != nil {
				header = c.header
			}
			if c.wrongKey {
				key = otherKey()
			}
			assertion, err := signRS256(header, claims, key)
			if err != nil {
				t.Fatal(err)
			}
			scope := c.scope
			if scope == "" {
				scope = ScopeScore
			}
			status, answered, body := b.postToken(tokenFormOf(assertion, scope))
			if status != c.want.status || !strings.Contains(string(body), c.want.text) {
				t.Errorf("%d %s, want %d with %s", status, body, c.want.status, c.want.text)
			}
			if detail := answered.Get("X-Tsugi-LTI13-Error-Detail"); (detail != "") != (c.platform == "sakai" && strings.Contains(c.want.text, "invalid_scope")) {
				t.Errorf("detail %q", detail)
			}
		})
	}
}

func TestTokenEndpointsOfOneToolEach(t *testing.T) {
	for _, name := range []string{"sakai", "openedx"} {
		b := newBench(t, name)
		if err := b.platform().SetTool(b.toolConfig("second")); err != nil {
			t.Fatal(err)
		}
		second := b.platform().Registration("second")
		if second.TokenURI == b.reg.TokenURI {
			t.Fatalf("%s: two tools have the token endpoint %s", name, second.TokenURI)
		}
		claims := b.assertion()
		form := tokenFormOf(b.sign(claims), ScopeScore)
		status, _, body := b.do(http.MethodPost, second.TokenURI, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form.Encode()))
		if status == http.StatusOK {
			t.Errorf("%s: the endpoint of another tool gave a token: %s", name, body)
		}
	}
}

func TestHTMLTokenFailure(t *testing.T) {
	b := newBench(t, "schoology", with(func(p *PlatformConfig) { p.HTMLTokenFailure = true }))
	status, header, body := b.postToken(tokenFormOf(b.sign(b.assertion()), "x"))
	if status != http.StatusBadGateway || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.HasPrefix(string(body), "<!DOCTYPE html>") {
		t.Errorf("%d %v %s", status, header, body)
	}
	b.token(ScopeScore) // a good request is answered as ever
}

func TestFurtherScores(t *testing.T) {
	type m = map[string]any
	type step struct {
		name    string
		members m
		status  int
		body    string // part of it
		want    any    // the student's grade then, out of 100
	}
	teacher := m{"userId": "teacher"}
	for _, p := range []struct {
		platform string
		config   PlatformConfig
		steps    []step
	}{
		{"brightspace", PlatformConfig{GradedLinks: true}, []step{
			{"good", nil, 200, "", 80.0},
			{"same again", nil, 200, "", 80.0},
			{"teacher", teacher, 422, "", 80.0},
			{"no timestamp", m{"timestamp": nil}, 400, "", 80.0},
			{"no maximum", m{"scoreMaximum": nil}, 400, "", 80.0},
		}},
		{"brightspace", PlatformConfig{GradedLinks: true, NewerScoresOnly: true, ScoreStatus: 204}, []step{
			{"good", nil, 204, "", 80.0},
			{"same again", m{"scoreGiven": 1}, 409, "", 80.0},
			{"newer", m{"scoreGiven": 1, "timestamp": "2031-01-15T10:00:00.251Z"}, 204, "", 10.0},
		}},
		{"blackboard", PlatformConfig{}, []step{
			{"good", nil, 200, "", 80.0},
			{"no maximum: out of the line item's", m{"scoreMaximum": nil, "scoreGiven": 42}, 200, "", 42.0},
			{"deleted", m{"activityProgress": "Initialized", "gradingProgress": "NotReady", "scoreGiven": nil, "scoreMaximum": nil}, 200, "", nil},
		}},
		{"sakai", PlatformConfig{}, []step{
			{"good", nil, 200, "", 80.0},
			{"older counts, too", m{"timestamp": "2030-01-01T00:00:00Z", "scoreGiven": 2}, 200, "", 20.0},
			{"no timestamp", m{"timestamp": nil, "scoreGiven": 3}, 200, "", 30.0},
			{"no number: a success that stores nothing", m{"scoreGiven": "lots"}, 200, "", 30.0},
			{"stranger", m{"userId": "nobody"}, 400, `{"error":"User does not belong to site"}`, 30.0},
			{"cleared", m{"scoreGiven": nil}, 200, "", nil},
		}},
		{"openedx", PlatformConfig{}, []step{
			{"good", nil, 201, `"scoreGiven":8`, 80.0},
			{"same time", m{"scoreGiven": 1}, 400, `{"timestamp":["Score already exists for the provided timestamp"]}`, 80.0},
			{"older", m{"timestamp": "2031-01-15T10:00:00.249Z"}, 400, `{"timestamp":[`, 80.0},
			{"a millisecond newer", m{"timestamp": "2031-01-15T10:00:00.251Z", "scoreGiven": 1}, 201, "", 10.0},
			{"no maximum", m{"timestamp": "2031-01-15T10:00:01Z", "scoreMaximum": nil}, 400, "", 10.0},
			{"no user", m{"userId": nil}, 400, `{"userId":["This field is required."]}`, 10.0},
		}},
		{"schoology", PlatformConfig{}, []step{
			{"no comment", nil, 400, "comment must not be null", nil},
			{"comment null", m{"comment": json.RawMessage("null")}, 400, "comment", nil},
			{"comment empty", m{"comment": ""}, 200, "", 80.0},
			{"comment", m{"comment": "Well done.", "scoreGiven": 9}, 200, "", 90.0},
		}},
	} {
		b := newBench(t, p.platform, func(c *PlatformConfig, _ *Config) { *c = p.config })
		token := b.token(ScopeScore)
		for _, step := range p.steps {
			members := m{}
			for k, v := range step.members {
				members[k] = v
			}
			if pr, known := members["userId"].(string); known && b.person(pr) != nil {
				members["userId"] = b.person(pr).ID
			}
			status, _, body := b.postScore(token, b.reg.LineItemURI, b.score(members))
			if status != step.status || !strings.Contains(string(body), step.body) || (step.body == "" && status == 200 && len(body) > 0) {
				t.Errorf("%s: %s: %d %s, want %d with %s", p.platform, step.name, status, body, step.status, step.body)
			}
			var got any
			if g := b.grade("student"); g != nil && g.Score != nil {
				got = *g.Score
			}
			if got != step.want {
				t.Errorf("%s: %s: the grade is %v, want %v", p.platform, step.name, got, step.want)
			}
		}
	}
}

func TestFurtherServiceRefusals(t *testing.T) {
	for name, want := range map[string]struct{ token, scope, media int }{
		"brightspace": {401, 403, 415}, "blackboard": {401, 403, 415}, "sakai": {403, 400, 400}, "openedx": {403, 403, 415}, "schoology": {401, 403, 415},
	} {
		b := newBench(t, name, with(func(p *PlatformConfig) { p.GradedLinks = true }))
		good := b.token(ScopeScore)
		post := func(token, media string) (int, []byte) {
			status, _, body := b.do(http.MethodPost, b.reg.LineItemURI+"/scores", map[string]string{"Authorization": "Bearer " + token, "Content-Type": media},
				[]byte(b.score(map[string]any{"comment": ""})))
			return status, body
		}
		if status, body := post("x"+good, mediaScore); status != want.token || !json.Valid(body) {
			t.Errorf("%s: bad token: %d %s, want %d", name, status, body, want.token)
		}
		if status, body := post(b.token(ScopeMemberships), mediaScore); status != want.scope {
			t.Errorf("%s: scope: %d %s, want %d", name, status, body, want.scope)
		}
		if status, body := post(good, "application/json"); status != want.media {
			t.Errorf("%s: media type: %d %s, want %d", name, status, body, want.media)
		}
		b.clock.add(accessTokenLife)
		if status, body := post(good, mediaScore); status != want.token {
			t.Errorf("%s: expired token: %d %s, want %d", name, status, body, want.token)
		}
		if b.grade("student") != nil {
			t.Errorf("%s: a grade was stored", name)
		}
		status, _ := post(b.token(ScopeScore), mediaLineItem)
		if taken := status < 300; taken != (name == "blackboard") {
			t.Errorf("%s: a score with the type of line items: %d", name, status)
		}
	}
}

func TestFurtherLineItems(t *testing.T) {
	for name, want := range map[string]struct{ create, change, remove, noLink, part int }{
		"brightspace": {201, 200, 204, 201, 201}, "blackboard": {201, 200, 204, 201, 400}, "sakai": {200, 200, 204, 200, 200},
		"openedx": {201, 200, 403, 400, 400}, "schoology": {201, 200, 204, 201, 201},
	} {
		b := newBench(t, name)
		token := b.token(ScopeLineItem)
		do := func(method, uri, body string) (int, map[string]any) {
			status, _, out := b.do(method, uri, map[string]string{"Authorization": "Bearer " + token, "Content-Type": mediaLineItem}, []byte(body))
			var item map[string]any
			if status < 204 {
				if err := json.Unmarshal(out, &item); err != nil {
					t.Fatalf("%s: %s %s: %d %s", name, method, uri, status, out)
				}
			}
			return status, item
		}
		status, item := do("POST", b.reg.LineItemsURI, `{"label":"Essay","scoreMaximum":20,"resourceId":"r1","tag":"final"}`)
		if status != want.create || item["label"] != "Essay" {
			t.Fatalf("%s: create: %d %v, want %d", name, status, item, want.create)
		}
		uri, _ := item["id"].(string)
		if status, _ := do("POST", b.reg.LineItemsURI, `{"label":"Bare","scoreMaximum":20}`); status != want.noLink {
			t.Errorf("%s: without resourceId: %d, want %d", name, status, want.noLink)
		}
		if status, _ := do("POST", b.reg.LineItemsURI, `{"label":"Half","scoreMaximum":7.5,"resourceId":"r2"}`); status != want.part {
			t.Errorf("%s: maximum of 7.5: %d, want %d", name, status, want.part)
		}
		if status, changed := do("PUT", uri, `{"label":"Essay 2","scoreMaximum":30,"resourceId":"r1"}`); status != want.change || changed["label"] != "Essay 2" {
			t.Errorf("%s: change: %d %v", name, status, changed)
		}
		status, _ = do("PUT", uri, `{"id":"`+uri+`","label":"Essay 3","scoreMaximum":30,"resourceId":"r1"}`)
		if refused := status == 400; refused != (name == "blackboard") {
			t.Errorf("%s: change with an id: %d", name, status)
		}
		if name == "sakai" {
			if status, _ := do("PUT", b.reg.LineItemURI, `{"label":"x","scoreMaximum":30}`); status != 400 {
				t.Errorf("sakai: change of an on-demand line item: %d", status)
			}
		}
		if name == "blackboard" {
			_, item := do("POST", b.reg.LineItemsURI, `{"label":"Linked","scoreMaximum":20,"resourceLinkId":"`+b.reg.ResourceLinkID+`"}`)
			if item["resourceLinkId"] != nil {
				t.Errorf("blackboard: resourceLinkId was set: %v", item)
			}
		}
		list := func(query string) int {
			status, _, body := b.get(b.reg.LineItemsURI+"?"+query, map[string]string{"Authorization": "Bearer " + token, "Accept": mediaLineItems})
			var items []map[string]any
			if err := json.Unmarshal(body, &items); err != nil || status != 200 {
				t.Fatalf("%s: %d %s", name, status, body)
			}
			return len(items)
		}
		if n := list("resource_id=r1"); n != 1 {
			t.Errorf("%s: %d line items with resource_id r1", name, n)
		}
		byLink := list("resource_link_id=" + url.QueryEscape(b.reg.ResourceLinkID))
		all := list("")
		switch {
		case name == "sakai" && (byLink != all || list("lti_link_id="+url.QueryEscape(b.reg.ResourceLinkID)) != 1):
			t.Errorf("sakai: %d of %d line items of the link; it knows lti_link_id only", byLink, all)
		case name == "brightspace" && byLink != 0:
			t.Errorf("brightspace: the link has %d line items", byLink)
		case name != "sakai" && name != "brightspace" && byLink != 1:
			t.Errorf("%s: the link has %d line items", name, byLink)
		}
		if status, _ := do("DELETE", uri, ""); status != want.remove {
			t.Errorf("%s: delete: %d, want %d", name, status, want.remove)
		}
	}
}

func TestFurtherResults(t *testing.T) {
	for _, name := range ProfileNames()[2:] {
		b := newBench(t, name, with(func(p *PlatformConfig) { p.GradedLinks = true }))
		token := b.token(ScopeScore, ScopeResultReadonly)
		for _, user := range []string{"student", "student2"} {
			if status, _, body := b.postScore(token, b.reg.LineItemURI, b.score(map[string]any{"userId": b.person(user).ID, "comment": "!"})); status >= 300 {
				t.Fatalf("%s: %d %s", name, status, body)
			}
		}
		_, _, body := b.get(b.reg.LineItemURI+"/results", map[string]string{"Authorization": "Bearer " + token, "Accept": mediaResults})
		var results []map[string]any
		if err := json.Unmarshal(body, &results); err != nil || len(results) != 2 || results[0]["id"] == results[1]["id"] || results[0]["resultScore"] != 80.0 {
			t.Errorf("%s: %v, %s", name, err, body)
		}
	}
}

func TestFurtherRosters(t *testing.T) {
	for _, c := range []struct {
		platform string
		config   PlatformConfig
		query    string
		pages    []int
		media    string
		context  []string
	}{
		{"brightspace", PlatformConfig{WholeRoster: true}, "", []int{250}, mediaMembership + "; charset=utf-8", []string{"id", "label", "title"}},
		{"brightspace", PlatformConfig{WholeRoster: true, RosterPage: 100}, "", []int{100, 100, 50}, mediaMembership + "; charset=utf-8", []string{"id", "label", "title"}},
		{"blackboard", PlatformConfig{}, "", []int{250}, mediaMembership + "; charset=utf-8", []string{"id", "label", "title"}},
		{"blackboard", PlatformConfig{RosterPage: 200}, "", []int{200, 50}, mediaMembership + "; charset=utf-8", []string{"id", "label", "title"}},
		{"sakai", PlatformConfig{}, "", []int{250}, "application/json; charset=utf-8", []string{"id", "title"}},
		{"sakai", PlatformConfig{}, "limit=120&role=Instructor&rlid=x", []int{120, 120, 10}, "application/json; charset=utf-8", []string{"id", "title"}},
		{"openedx", PlatformConfig{}, "", []int{250}, mediaMembership, []string{"id"}},
		{"openedx", PlatformConfig{}, "limit=125", []int{125, 125}, mediaMembership, []string{"id"}},
		{"schoology", PlatformConfig{}, "", []int{100, 100, 50}, mediaMembership, []string{"id", "label", "title"}},
		{"schoology", PlatformConfig{}, "limit=500", []int{100, 100, 50}, mediaMembership, []string{"id", "label", "title"}},
	} {
		b := newBench(t, c.platform, func(p *PlatformConfig, cfg *Config) { *p, cfg.RosterSize = c.config, 250 })
		token := b.token(ScopeMemberships)
		uri := b.reg.MembershipsURI
		if c.query != "" {
			uri += "?" + c.query
		}
		var pages []int
		seen := map[any]bool{}
		for uri != "" && len(pages) < 10 {
			status, header, page := b.roster(token, uri, mediaMembership)
			if status != 200 || header.Get("Content-Type") != c.media {
				t.Errorf("%s: %d %s", c.platform, status, header.Get("Content-Type"))
			}
			var keys []string
			for k := range page.Context {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			if !slices.Equal(keys, c.context) {
				t.Errorf("%s: context %v, want %v", c.platform, page.Context, c.context)
			}
			for _, member := range page.Members {
				seen[member["user_id"]] = true
			}
			pages = append(pages, len(page.Members))
			uri = nextLink(header.Get("Link"))
		}
		if !reflect.DeepEqual(pages, c.pages) || len(seen) != 250 {
			t.Errorf("%s %+v %s: pages %v with %d people, want %v", c.platform, c.config, c.query, pages, len(seen), c.pages)
		}
	}
}

func TestRosterDetails(t *testing.T) {
	b := newBench(t, "brightspace")
	token := b.token(ScopeMemberships)
	if _, _, page := b.roster(token, b.reg.MembershipsURI, mediaMembership); len(page.Members) != 0 {
		t.Errorf("brightspace: %d members before anybody launched", len(page.Members))
	}
	b.launch("student2")
	if _, _, page := b.roster(token, b.reg.MembershipsURI, mediaMembership); len(page.Members) != 1 || page.Members[0]["user_id"] != b.person("student2").ID {
		t.Errorf("brightspace: %v after one launched", page.Members)
	}
	// Setting the tool anew must not forget who was there.
	if err := b.platform().SetTool(b.toolConfig("quiz")); err != nil {
		t.Fatal(err)
	}
	if _, _, page := b.roster(token, b.reg.MembershipsURI, mediaMembership); len(page.Members) != 1 {
		t.Errorf("brightspace: %d members after the tool was changed", len(page.Members))
	}

	s := newBench(t, "sakai", with(func(p *PlatformConfig) { p.EmptyRoster = true }))
	status, header, body := s.get(s.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + s.token(ScopeMemberships)})
	if status != 200 || len(body) != 0 || header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("sakai, nobody: %d %q %v", status, body, header)
	}
	e := newBench(t, "openedx", with(func(p *PlatformConfig) { p.EmptyRoster = true }))
	if status, _, page := e.roster(e.token(ScopeMemberships), e.reg.MembershipsURI, mediaMembership); status != 200 || page.Members == nil || len(page.Members) != 0 {
		t.Errorf("openedx, nobody: %d %v", status, page)
	}

	y := newBench(t, "schoology")
	ytoken := y.token(ScopeMemberships)
	for _, accept := range []string{"application/json", "*/*", ""} {
		if status, _, _ := y.get(y.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + ytoken, "Accept": accept}); status != http.StatusNotAcceptable {
			t.Errorf("schoology: Accept %q: %d", accept, status)
		}
	}
	k := newBench(t, "blackboard")
	_, _, page := k.roster(k.token(ScopeMemberships), k.reg.MembershipsURI, mediaMembership)
	if m := page.Members[2]; m["middle_name"] != "" || m["group_enrollments"] != nil {
		t.Errorf("blackboard: member %v", m)
	}
	_, _, page = k.roster(k.token(ScopeMemberships), k.reg.MembershipsURI+"&groups=true", mediaMembership)
	if m := page.Members[2]; m["group_enrollments"] == nil {
		t.Errorf("blackboard: member %v", m)
	}
}
