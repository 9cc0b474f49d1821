// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func (b *bench) postScore(token, lineItem, body string) (int, http.Header, []byte) {
	b.t.Helper()
	uri, query, has := strings.Cut(lineItem, "?")
	uri += "/scores"
	if has {
		uri += "?" + query
	}
	return b.do(http.MethodPost, uri, map[string]string{"Authorization": "Bearer " + token, "Content-Type": mediaScore}, []byte(body))
}

// score writes a score; members overrides, nil removes.
func (b *bench) score(members map[string]any) string {
	b.t.Helper()
	m := map[string]any{
		"userId": b.person("student").ID, "timestamp": "2031-01-15T10:00:00.250Z", "activityProgress": "Completed",
		"gradingProgress": "FullyGraded", "scoreGiven": 8, "scoreMaximum": 10,
	}
	for k, v := range members {
		m[k] = v
		if v == nil {
			delete(m, k)
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(body)
}

func (b *bench) grade(key string) *Grade {
	return b.platform().Gradebook()[0].Grades[b.person(key).ID]
}

func TestScoreRules(t *testing.T) {
	type m = map[string]any
	cases := []struct {
		name           string
		members        m
		canvas, moodle int
		want           any // the grade afterwards (out of 100); nil: none, "kept": as before
	}{
		{"good", nil, 200, 200, 80.0},
		{"same again", nil, 200, 409, 80.0},
		{"same second, later fraction", m{"timestamp": "2031-01-15T10:00:00.900Z", "scoreGiven": 8}, 200, 409, 80.0},
		{"older", m{"timestamp": "2031-01-15T09:59:59.000Z"}, 400, 409, 80.0},
		{"next second", m{"timestamp": "2031-01-15T10:00:01.000Z", "scoreGiven": 4.5}, 200, 200, 45.0},
		{"offset instead of Z", m{"timestamp": "2031-01-15T11:00:02.000+01:00", "scoreGiven": 5}, 200, 200, 50.0},
		{"no userId", m{"userId": nil}, 400, 400, 50.0},
		{"no timestamp", m{"timestamp": nil}, 400, 400, 50.0},
		{"no activityProgress", m{"activityProgress": nil}, 400, 400, 50.0},
		{"no gradingProgress", m{"gradingProgress": nil}, 400, 400, 50.0},
		{"timestamp is no date", m{"timestamp": "yesterday"}, 400, 400, 50.0},
		{"timestamp is a number", m{"timestamp": 1926676800}, 400, 400, 50.0},
		{"no scoreMaximum", m{"scoreMaximum": nil, "timestamp": "2031-01-15T10:00:03.000Z"}, 422, 400, 50.0},
		{"teacher", m{"userId": "teacher", "timestamp": "2031-01-15T10:00:03.000Z"}, 422, 400, 50.0},
		{"assistant", m{"userId": "ta", "timestamp": "2031-01-15T10:00:03.000Z"}, 422, 400, 50.0},
		{"unknown user", m{"userId": "nobody", "timestamp": "2031-01-15T10:00:03.000Z"}, 422, 400, 50.0},
	}
	for _, name := range firstProfiles {
		b := newBench(t, name)
		token := b.token(ScopeScore)
		for _, c := range cases {
			members := maps.Clone(c.members)
			if pr := b.platform().crowd.byKey(fmt.Sprint(members["userId"])); pr != nil {
				members["userId"] = pr.ID
			}
			want := map[string]int{"canvas": c.canvas, "moodle": c.moodle}[name]
			status, header, body := b.postScore(token, b.reg.LineItemURI, b.score(members))
			if status != want {
				t.Errorf("%s: %s: %d %s, want %d", name, c.name, status, body, want)
			}
			switch {
			case name == "moodle" && status == http.StatusOK && len(body) > 0,
				name == "moodle" && status != http.StatusOK && string(body) != "[]",
				name == "canvas" && status == http.StatusOK && (!strings.Contains(string(body), `{"resultUrl":"`+b.reg.LineItemURI+"/results/") || header.Get("Content-Type") != mediaScore),
				name == "canvas" && status != http.StatusOK && !strings.HasPrefix(string(body), `{"errors":`):
				t.Errorf("%s: %s: %d with body %s", name, c.name, status, body)
			}
			g := b.grade("student")
			if g == nil || g.Score == nil || *g.Score != c.want {
				t.Errorf("%s: %s: the grade is %+v, want %v", name, c.name, g, c.want)
			}
		}
		log := b.platform().ScoreRequests()
		if len(log) != len(cases) || !log[0].Stored || log[3].Stored || log[3].Error == "" {
			t.Errorf("%s: recorded %+v", name, log)
		}
	}
}

func TestScoreTransport(t *testing.T) {
	for _, name := range firstProfiles {
		b := newBench(t, name)
		token := b.token(ScopeScore)
		scores := strings.Replace(b.reg.LineItemURI+"/scores", "?type_id=3/scores", "/scores?type_id=3", 1)
		send := func(uri, auth, media string) int {
			status, _, _ := b.do(http.MethodPost, uri, map[string]string{"Authorization": auth, "Content-Type": media}, []byte(b.score(nil)))
			return status
		}
		if s := send(scores, "bearer "+token, mediaScore); s != http.StatusUnauthorized {
			t.Errorf("%s: scheme in lower case: %d", name, s)
		}
		want := map[string]int{"canvas": 415, "moodle": 400}[name]
		if s := send(scores, "Bearer "+token, "application/json"); s != want {
			t.Errorf("%s: media type: %d", name, s)
		}
		if s := send(scores, "Bearer "+b.token(ScopeMemberships), mediaScore); s != http.StatusUnauthorized {
			t.Errorf("%s: scope: %d", name, s)
		}
		if name == "moodle" {
			if s := send(b.reg.LineItemURI+"/scores", "Bearer "+token, mediaScore); s != http.StatusBadRequest {
				t.Errorf("scores behind the query: %d", s)
			}
			status, _, body := b.postScore(token, b.reg.LineItemURI, "{\n\"userId\":\"1\"}")
			if status != http.StatusOK || string(body) != "[]" {
				t.Errorf("a refused score with a line feed: %d %q", status, body)
			}
		}
		if b.grade("student") != nil {
			t.Errorf("%s: a grade was stored", name)
		}
		if s := send(scores, "Bearer "+token, mediaScore+"; charset=utf-8"); s != http.StatusOK {
			t.Errorf("%s: with charset: %d", name, s)
		}
	}
}

func TestScoreSubtleties(t *testing.T) {
	b := newBench(t, "moodle")
	token := b.token(ScopeScore)
	send := func(members map[string]any) (int, *Grade) {
		status, _, _ := b.postScore(token, b.reg.LineItemURI, b.score(members))
		return status, b.grade("student")
	}
	if s, g := send(map[string]any{"scoreGiven": 12}); s != 200 || *g.Score != 100 {
		t.Errorf("above the maximum: %d %+v", s, g)
	}
	if s, g := send(map[string]any{"scoreGiven": 8.8123456789, "timestamp": "2031-01-15T10:00:01Z"}); s != 200 || *g.Score != 88.12346 {
		t.Errorf("decimals: %d %v", s, *g.Score)
	}
	b.clock.add(10e9)
	if s, g := send(map[string]any{"gradingProgress": "Pending", "timestamp": "2031-01-15T10:00:02Z"}); s != 200 || g.Score != nil {
		t.Errorf("not fully graded: %d %+v", s, g)
	}
	if s, _ := send(map[string]any{"timestamp": "2031-01-15T10:00:05Z"}); s != 409 {
		t.Errorf("the server's clock was not kept: %d", s)
	}
	lock, eighty := true, 80.0
	if err := b.platform().ChangeGrades(GradeChange{LineItem: "917", Lock: &lock, User: "student", Override: &eighty}); err != nil {
		t.Fatal(err)
	}
	if s, _ := send(map[string]any{"timestamp": "2031-01-15T10:01:00Z"}); s != 500 {
		t.Errorf("locked: %d", s)
	}
	lock = false
	if err := b.platform().ChangeGrades(GradeChange{LineItem: "917", Lock: &lock}); err != nil {
		t.Fatal(err)
	}
	if s, g := send(map[string]any{"timestamp": "2031-01-15T10:01:00Z"}); s != 200 || *g.Score != 80 {
		t.Errorf("overridden: %d %+v", s, g)
	}

	if s, g := send(map[string]any{"userId": "14", "scoreGiven": "7"}); s != 200 || g == nil || *b.grade("student2").Score != 70 {
		t.Errorf("a number as text: %d", s)
	}

	c := newBench(t, "canvas")
	ctoken := c.token(ScopeScore)
	for _, members := range []map[string]any{{"scoreGiven": "7"}, {"activityProgress": "Done"}, {"gradingProgress": "Graded"}} {
		if s, _, body := c.postScore(ctoken, c.reg.LineItemURI, c.score(members)); s != 400 || c.grade("student") != nil {
			t.Errorf("%v: %d %s", members, s, body)
		}
	}
	if err := c.platform().SetFault(FaultSetting{Fault: FaultScoreAnswerLost}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, c.reg.LineItemURI+"/scores", strings.NewReader(c.score(nil)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ctoken)
	req.Header.Set("Content-Type", mediaScore)
	if resp, err := c.http.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the answer was not lost: %d", resp.StatusCode)
	}
	if g := c.grade("student"); g == nil || *g.Score != 80 {
		t.Errorf("the score whose answer was lost is not stored: %+v", g)
	}
}

func TestServiceFaults(t *testing.T) {
	b := newBench(t, "canvas")
	token := b.token(ScopeMemberships)
	for fault, want := range map[Fault]int{FaultServiceUnavailable: 503, FaultRateLimited: 429} {
		if err := b.platform().SetFault(FaultSetting{Fault: fault, Times: 2}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{want, want, 200} {
			status, header, _ := b.get(b.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + token})
			if status != want || (want != 200) != (header.Get("Retry-After") == "1") {
				t.Errorf("%s: %d %v", fault, status, header)
			}
		}
	}
	for fault, ask := range map[Fault]func() int{
		FaultJWKSUnavailable:  func() int { s, _, _ := b.get(b.reg.JWKSURI, nil); return s },
		FaultTokenUnavailable: func() int { s, _, _ := b.postToken(tokenFormOf(b.sign(b.assertion()), ScopeScore)); return s },
	} {
		if err := b.platform().SetFault(FaultSetting{Fault: fault}); err != nil {
			t.Fatal(err)
		}
		if s := ask(); s != 503 {
			t.Errorf("%s: %d", fault, s)
		}
		if s := ask(); s != 200 {
			t.Errorf("after %s: %d", fault, s)
		}
	}
}

func TestLineItemsAndResults(t *testing.T) {
	for _, name := range firstProfiles {
		b := newBench(t, name)
		token := b.token(ScopeLineItem, ScopeScore, ScopeResultReadonly)
		ask := func(method, uri, media, body string) (int, http.Header, []byte) {
			h := map[string]string{"Authorization": "Bearer " + token}
			if method == http.MethodGet {
				h["Accept"] = media
			} else {
				h["Content-Type"] = media
			}
			return b.do(method, uri, h, []byte(body))
		}
		var ids []string
		for i := range 3 {
			status, _, body := ask("POST", b.reg.LineItemsURI, mediaLineItem, fmt.Sprintf(`{"label":"Part %d","scoreMaximum":20,"tag":"part","resourceId":"r%d"}`, i, i))
			var li struct{ ID string }
			if err := json.Unmarshal(body, &li); err != nil || status != 201 {
				t.Fatalf("%s: create: %d %s", name, status, body)
			}
			ids = append(ids, li.ID)
		}
		if s, _, _ := ask("POST", b.reg.LineItemsURI, mediaLineItem, `{"label":"x"}`); s != 400 {
			t.Errorf("%s: without scoreMaximum: %d", name, s)
		}
		want := map[string]int{"canvas": 404, "moodle": 403}[name]
		if s, _, _ := ask("POST", b.reg.LineItemsURI, mediaLineItem, `{"label":"x","scoreMaximum":1,"resourceLinkId":"foreign"}`); s != want {
			t.Errorf("%s: foreign link: %d", name, s)
		}
		join := map[bool]string{true: "&", false: "?"}[strings.Contains(b.reg.LineItemsURI, "?")]
		status, header, body := ask("GET", b.reg.LineItemsURI+join+"tag=part&limit=2", mediaLineItems, "")
		var list []map[string]any
		if err := json.Unmarshal(body, &list); err != nil || status != 200 || len(list) != 2 || list[0]["id"] != ids[0] {
			t.Errorf("%s: list: %d %s", name, status, body)
		}
		marker := map[string]string{"canvas": `; rel="next"`, "moodle": "&amp;from=2>; rel=“next”"}[name]
		if !strings.Contains(header.Get("Link"), marker) {
			t.Errorf("%s: Link %q", name, header.Get("Link"))
		}
		if s, _, body := ask("GET", b.reg.LineItemsURI+join+"resource_id=r1", mediaLineItems, ""); s != 200 || strings.Count(string(body), "label") != 1 {
			t.Errorf("%s: filter: %d %s", name, s, body)
		}
		if s, _, _ := ask("PUT", ids[0], mediaLineItem, `{"label":"New","scoreMaximum":50}`); s != 200 {
			t.Errorf("%s: PUT: %d", name, s)
		}
		if s, _, body := ask("GET", ids[0], mediaLineItem, ""); s != 200 || !strings.Contains(string(body), `"New"`) {
			t.Errorf("%s: GET: %d %s", name, s, body)
		}
		if s, _, _ := b.postScore(token, ids[0], b.score(nil)); s != 200 {
			t.Errorf("%s: score: %d", name, s)
		}
		path, query, _ := strings.Cut(ids[0], "?")
		results := path + "/results"
		if query != "" {
			results += "?" + query
		}
		if s, _, body := ask("GET", results, mediaResults, ""); s != 200 || !strings.Contains(string(body), `"resultScore":40`) {
			t.Errorf("%s: results: %d %s", name, s, body)
		}
		if s, _, _ := ask("DELETE", ids[0], mediaLineItem, ""); s != 204 {
			t.Errorf("%s: DELETE: %d", name, s)
		}
		if s, _, _ := ask("GET", ids[0], mediaLineItem, ""); s != 404 {
			t.Errorf("%s: after DELETE: %d", name, s)
		}
		switch name {
		case "canvas":
			if s, _, body := ask("DELETE", b.reg.LineItemURI, mediaLineItem, ""); s != 401 || len(body) > 0 {
				t.Errorf("the assignment's own line item: %d %s", s, body)
			}
		case "moodle":
			for _, accept := range []string{"*/*", "application/json", mediaLineItems + ", */*"} {
				if s, _, _ := ask("GET", b.reg.LineItemsURI, accept, ""); s != 400 {
					t.Errorf("Accept %q: %d", accept, s)
				}
			}
			path, _, _ := strings.Cut(ids[1], "?")
			if s, h, _ := ask("GET", path+"/results?type_id=3&limit=2", mediaResults, ""); s != 404 || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
				t.Errorf("results with limit: %d %s", s, h.Get("Content-Type"))
			}
			// A second line item of the same link takes the claim's lineitem away.
			if s, _, _ := ask("POST", b.reg.LineItemsURI, mediaLineItem, `{"label":"x","scoreMaximum":1,"resourceLinkId":"`+b.reg.ResourceLinkID+`"}`); s != 201 {
				t.Errorf("second item of the link: %d", s)
			}
			if _, there := b.idToken(b.launch("student")).claims[claimAGS].(map[string]any)["lineitem"]; there {
				t.Error("lineitem is still in the claim")
			}
		}
		if err := b.platform().SetTool(b.toolConfig("other")); err != nil {
			t.Fatal(err)
		}
		other := b.platform().Registration("other")
		if s, _, _ := ask("GET", other.LineItemURI, mediaLineItem, ""); s != 404 {
			t.Errorf("%s: another tool's line item: %d", name, s)
		}
	}
}

type rosterPage struct {
	ID      string
	Context map[string]string
	Members []map[string]any
}

func (b *bench) roster(token, uri, accept string) (int, http.Header, rosterPage) {
	b.t.Helper()
	status, header, body := b.get(uri, map[string]string{"Authorization": "Bearer " + token, "Accept": accept})
	var p rosterPage
	if err := json.Unmarshal(body, &p); err != nil {
		b.t.Fatalf("%d %s: %v", status, body, err)
	}
	return status, header, p
}

// nextLink is a deliberately simple reading of Link, good for what the platforms here send.
func nextLink(link string) string {
	for part := range strings.SplitSeq(link, ",") {
		uri, rel, _ := strings.Cut(part, ">;")
		if strings.Contains(rel, `rel="next"`) {
			return strings.TrimPrefix(strings.TrimSpace(uri), "<")
		}
	}
	return ""
}

func TestRosterCanvas(t *testing.T) {
	b := newBench(t, "canvas")
	token := b.token(ScopeMemberships)
	status, header, first := b.roster(token, b.reg.MembershipsURI, mediaMembership)
	if status != 200 || len(first.Members) != 50 || first.ID != b.reg.MembershipsURI || first.Context["title"] != courseTitle {
		t.Fatalf("%d, %d members, id %s, context %v", status, len(first.Members), first.ID, first.Context)
	}
	link := header.Get("Link")
	for _, rel := range []string{"current", "next", "first", "last"} {
		if !strings.Contains(link, `rel="`+rel+`"`) {
			t.Errorf("no %s in %s", rel, link)
		}
	}
	_, header, second := b.roster(token, nextLink(link), mediaMembership)
	if len(second.Members) != 12 || nextLink(header.Get("Link")) != "" {
		t.Errorf("second page: %d members, %s", len(second.Members), header.Get("Link"))
	}
	seen := map[any]bool{}
	for _, m := range slices.Concat(first.Members, second.Members) {
		seen[m["user_id"]] = true
	}
	if len(seen) != 62 || seen[b.person("admin").ID] {
		t.Errorf("%d people", len(seen))
	}
	_, header, limited := b.roster(token, b.reg.MembershipsURI+"?limit=20&role="+url.QueryEscape(roleMember+"Learner"), mediaMembership)
	next := nextLink(header.Get("Link"))
	if len(limited.Members) != 20 || strings.Contains(next, "limit=") || !strings.Contains(next, "per_page=20") || !strings.Contains(next, "role=") {
		t.Errorf("%d members, next %s", len(limited.Members), next)
	}
	if _, _, none := b.roster(token, b.reg.MembershipsURI+"?role=Learner", mediaMembership); len(none.Members) != 0 {
		t.Errorf("a short role found %d", len(none.Members))
	}
	_, _, linked := b.roster(token, b.reg.MembershipsURI+"?rlid="+b.reg.ResourceLinkID, mediaMembership)
	if linked.Members[0]["message"] == nil {
		t.Error("no message section")
	}
	if s, _, _ := b.roster(token, b.reg.MembershipsURI+"?rlid=foreign", mediaMembership); s != 400 {
		t.Errorf("foreign link: %d", s)
	}
}

func TestRosterMoodle(t *testing.T) {
	b := newBench(t, "moodle")
	token := b.token(ScopeMemberships)
	status, header, all := b.roster(token, b.reg.MembershipsURI, mediaMembership)
	if status != 200 || len(all.Members) != 62 || header.Get("Link") != "" {
		t.Fatalf("%d, %d members, Link %q", status, len(all.Members), header.Get("Link"))
	}
	if roles := all.Members[1]["roles"].([]any); roles[0] != "Learner" {
		t.Errorf("the non-editing teacher has %v", roles)
	}
	// The role filter gets lost on the way: one person twice, the teacher seen as a learner.
	var got []any
	distinct := map[any]bool{}
	uri := b.reg.MembershipsURI + "?role=Learner&limit=20"
	for uri != "" {
		_, header, page := b.roster(token, uri, mediaMembership)
		for _, m := range page.Members {
			got = append(got, m["user_id"])
			distinct[m["user_id"]] = true
		}
		uri = nextLink(header.Get("Link"))
	}
	if len(got) != 62 || len(distinct) != 61 || distinct[b.person("teacher").ID] {
		t.Errorf("%d entries, %d people", len(got), len(distinct))
	}
	_, header, linked := b.roster(token, b.reg.MembershipsURI+"?limit=31&rlid="+b.reg.ResourceLinkID, mediaMembership)
	if linked.Members[0]["message"] == nil || !strings.Contains(header.Get("Link"), "&rlid=") {
		t.Errorf("message %v, Link %s", linked.Members[0]["message"], header.Get("Link"))
	}
	if _, header, last := b.roster(token, b.reg.MembershipsURI+"?limit=31&from=31", mediaMembership); len(last.Members) != 31 || header.Get("Link") != "" {
		t.Errorf("an exact multiple has another page: %s", header.Get("Link"))
	}
	if s, _, _ := b.roster(token, b.reg.MembershipsURI+"?rlid=1", mediaMembership); s != 404 {
		t.Errorf("unknown link: %d", s)
	}
	for accept, want := range map[string]int{"*/*": 200, "application/json": 400, mediaMembership + ";q=0.9": 400, mediaMembership + ", */*": 400} {
		if s, _, _ := b.roster(token, b.reg.MembershipsURI, accept); s != want {
			t.Errorf("Accept %q: %d", accept, s)
		}
	}
	if s, _, _ := b.do(http.MethodPost, b.reg.MembershipsURI, nil, nil); s != 405 {
		t.Errorf("POST: %d", s)
	}
	if err := b.platform().SetTool(b.toolConfig("other")); err != nil {
		t.Fatal(err)
	}
	if s, _, _ := b.roster(token, b.platform().Registration("other").MembershipsURI, mediaMembership); s != 401 {
		t.Errorf("another tool's token: %d", s)
	}
	_, _, body := b.get(b.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + token})
	if strings.ContainsFunc(string(body), func(r rune) bool { return r > 127 }) || !strings.Contains(string(body), `\/`) || !strings.Contains(string(body), `\u00`) {
		t.Error("the JSON is not written as PHP does")
	}
}
