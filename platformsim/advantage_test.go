// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestServicesThatAreNotOffered(t *testing.T) {
	for _, name := range ProfileNames() {
		b := newBench(t, name, with(func(p *PlatformConfig) { p.Caliper = name != "brightspace" }))
		claims := b.idToken(b.launch("student")).claims
		for service, claim := range map[string]string{"groups": claimGroups, "caliper": claimEvents} {
			why, offered := b.platform().NotOffered(service), claims[claim] != nil
			if offered != (why == "") {
				t.Errorf("%s: %s: the claim is there: %t; not offered because %q", name, service, offered, why)
			}
		}
		for _, scope := range []string{ScopeGroups, ScopeEvents} {
			status, _, body := b.postToken(tokenFormOf(b.sign(b.assertion()), scope))
			granted := status == http.StatusOK && strings.Contains(string(body), scope)
			if want := scope == ScopeGroups && b.platform().offersGroups(); granted != want {
				t.Errorf("%s: scope %s: %d %s", name, scope, status, body)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for name, want := range map[string]struct {
		sets        int
		tag         any
		setID       bool
		wrongScope  int
		nextPresent int
	}{
		"blackboard": {2, "lab", true, 403, 200}, "sakai": {0, "whatever", false, 400, 404},
	} {
		b := newBench(t, name)
		claim, _ := b.idToken(b.launch("student")).claims[claimGroups].(map[string]any)
		groups, _ := claim["context_groups_url"].(string)
		sets, _ := claim["context_group_sets_url"].(string)
		if fmt.Sprint(claim["scope"], claim["service_versions"]) != "["+ScopeGroups+"] [1.0]" || (sets != "") != (want.sets > 0) {
			t.Errorf("%s: claim %v", name, claim)
		}
		token := b.token(ScopeGroups)
		read := func(uri string) (int, http.Header, []map[string]any) {
			status, header, body := b.get(uri, map[string]string{"Authorization": "Bearer " + token, "Accept": mediaGroups})
			var out struct{ Groups, Sets []map[string]any }
			if err := json.Unmarshal(body, &out); err != nil && status == 200 {
				t.Fatal(err)
			}
			return status, header, append(out.Groups, out.Sets...)
		}
		status, header, list := read(groups)
		if status != 200 || header.Get("Content-Type") != mediaGroups || len(list) != len(courseGroups) || list[0]["tag"] != want.tag ||
			(list[0]["set_ids"] != nil) != want.setID || header.Get("Link") != "" {
			t.Errorf("%s: %d %v %v", name, status, header, list)
		}
		truth := b.platform().Groups()
		for i, g := range list {
			if g["id"] != truth[i].ID || g["name"] != truth[i].Name {
				t.Errorf("%s: group %v, is %+v", name, g, truth[i])
			}
		}
		student := b.person("student").ID
		_, _, mine := read(groups + "?user_id=" + student)
		var ids []any
		for _, g := range truth {
			if slices.Contains(g.Members, student) {
				ids = append(ids, g.ID)
			}
		}
		if len(mine) != len(ids) || len(ids) == 0 || mine[0]["id"] != ids[0] {
			t.Errorf("%s: groups of the student %v, want %v", name, mine, ids)
		}
		_, header, page := read(groups + "?limit=4")
		if len(page) != 4 {
			t.Errorf("%s: limit: %d groups", name, len(page))
		}
		if status, _, rest := read(nextLink(header.Get("Link"))); status != want.nextPresent || (status == 200 && len(rest) != 2) {
			t.Errorf("%s: next page %s: %d %v", name, header.Get("Link"), status, rest)
		}
		if sets != "" {
			status, header, list := read(sets)
			if status != 200 || header.Get("Content-Type") != mediaGroupSets || len(list) != want.sets || list[0]["id"] != truth[0].SetID {
				t.Errorf("%s: sets: %d %v %v", name, status, header, list)
			}
		}
		token = b.token(ScopeMemberships)
		if status, _, _ := read(groups); status != want.wrongScope {
			t.Errorf("%s: another scope: %d", name, status)
		}
		uri := b.reg.MembershipsURI
		if name == "blackboard" {
			uri += "&groups=true"
		}
		_, _, roster := b.roster(token, uri, mediaMembership)
		enrolled, _ := roster.Members[2]["group_enrollments"].([]any)
		if len(enrolled) != len(ids) || enrolled[0].(map[string]any)["group_id"] != ids[0] {
			t.Errorf("%s: the roster has %v, want %v", name, enrolled, ids)
		}
	}
}

func TestEvents(t *testing.T) {
	b := newBench(t, "brightspace", with(func(p *PlatformConfig) { p.Caliper = true }))
	claim, _ := b.idToken(b.launch("student")).claims[claimEvents].(map[string]any)
	uri, _ := claim["caliper_endpoint_url"].(string)
	if fmt.Sprint(claim["scopes"]) != "["+ScopeEvents+"]" || !strings.HasPrefix(fmt.Sprint(claim["caliper_federated_session_id"]), "urn:uuid:") {
		t.Errorf("claim %v", claim)
	}
	good := `{"sensor":"https://tool.example/sensor","sendTime":"2031-01-15T10:00:00.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p2","data":[{"type":"ViewEvent","id":"urn:uuid:1"}]}`
	for _, c := range []struct {
		name, scope, media, body string
		want                     int
	}{
		{"good", ScopeEvents, "application/json", good, 200},
		{"another scope", ScopeScore, "application/json", good, 403},
		{"media type", ScopeEvents, "text/plain", good, 415},
		{"no data", ScopeEvents, "application/json", strings.Replace(good, `{"type":"ViewEvent","id":"urn:uuid:1"}`, "", 1), 400},
		{"event without id", ScopeEvents, "application/json", strings.Replace(good, `,"id":"urn:uuid:1"`, "", 1), 400},
		{"no sensor", ScopeEvents, "application/json", strings.Replace(good, "https://tool.example/sensor", "", 1), 400},
		{"no zone", ScopeEvents, "application/json", strings.Replace(good, "000Z", "000", 1), 400},
		{"no JSON", ScopeEvents, "application/json", "events", 400},
	} {
		status, _, body := b.do(http.MethodPost, uri, map[string]string{"Authorization": "Bearer " + b.token(c.scope), "Content-Type": c.media}, []byte(c.body))
		if status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, status, body, c.want)
		}
		log := b.platform().EventRequests()
		if last := log[len(log)-1]; (last.Error == "") != (c.want == 200) || (c.want == 200 && (last.Events != 1 || last.Tool != "quiz")) {
			t.Errorf("%s: recorded %+v", c.name, last)
		}
	}
}

func TestLineItemMembers(t *testing.T) {
	const extension = "https://canvas.instructure.com/lti/submission_type"
	for _, name := range ProfileNames() {
		b := newBench(t, name)
		token := b.token(ScopeLineItem)
		do := func(method, uri string, body string) (int, map[string]any) {
			status, _, out := b.do(method, uri, map[string]string{"Authorization": "Bearer " + token, "Content-Type": mediaLineItem, "Accept": mediaLineItem}, []byte(body))
			var item map[string]any
			if err := json.Unmarshal(out, &item); err != nil && status < 300 {
				t.Fatal(err)
			}
			return status, item
		}
		status, made := do("POST", b.reg.LineItemsURI, `{"label":"Essay","scoreMaximum":20,"resourceId":"r1","startDateTime":"2031-01-01T00:00:00Z",
			"endDateTime":"2031-02-01T00:00:00+01:00","gradesReleased":false,"submissionReview":{"reviewableStatus":["Completed"]},
			"`+extension+`":{"type":"none"}}`)
		if status >= 300 || made["endDateTime"] != "2031-02-01T00:00:00+01:00" || made["gradesReleased"] != false || made[extension] == nil || made["submissionReview"] == nil {
			t.Fatalf("%s: %d %v", name, status, made)
		}
		_, got := do("GET", made["id"].(string), "")
		if kept := got["endDateTime"] != nil && got[extension] != nil; kept != (name != "moodle") || got["label"] != "Essay" {
			t.Errorf("%s: read again: %v", name, got)
		}
		if status, _ := do("POST", b.reg.LineItemsURI, `{"label":"Essay","scoreMaximum":20,"resourceId":"r1","endDateTime":"2031-02-01"}`); status < 400 {
			t.Errorf("%s: a date without a zone: %d", name, status)
		}
	}
}

func TestCanvasExtras(t *testing.T) {
	b := newBench(t, "canvas")
	token := b.token(ScopeScore + " " + ScopeResultReadonly)
	sub := func(at string) map[string]any {
		return map[string]any{canvasSubmission: map[string]any{
			"submission_type": "online_upload", "submitted_at": at, "content_items": []any{map[string]any{"type": "file", "url": "https://tool.example/f"}},
		}}
	}
	status, _, body := b.postScore(token, b.reg.LineItemURI, b.score(sub("2031-01-15T10:01:00Z")))
	var answer struct {
		ResultURL  string         `json:"resultUrl"`
		Submission map[string]any `json:"https://canvas.instructure.com/lti/submission"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != 200 || !strings.Contains(fmt.Sprint(answer.Submission), "/progress/1") {
		t.Errorf("%d %s", status, body)
	}
	if g := b.grade("student"); g == nil || !bytes.Contains(g.Submission, []byte("online_upload")) {
		t.Errorf("grade %+v", g)
	}
	if status, _, body := b.postScore(token, b.reg.LineItemURI, b.score(sub("2031-01-15T10:01:01Z"))); status != 400 {
		t.Errorf("handed in in the future: %d %s", status, body)
	}
	status, header, body := b.get(answer.ResultURL, map[string]string{"Authorization": "Bearer " + token})
	if status != 200 || header.Get("Content-Type") != mediaResult || !strings.Contains(string(body), `"resultScore":80`) {
		t.Errorf("result: %d %v %s", status, header, body)
	}
	if status, _, _ := b.get(answer.ResultURL+"0", map[string]string{"Authorization": "Bearer " + token}); status != 404 {
		t.Errorf("another result: %d", status)
	}
	c := newBench(t, "canvas", with(func(p *PlatformConfig) { p.Concluded = true }))
	if status, _, _ := c.postScore(c.token(ScopeScore), c.reg.LineItemURI, c.score(nil)); status != 404 {
		t.Errorf("concluded course: %d", status)
	}
}

func TestSignedLineItems(t *testing.T) {
	b := newBench(t, "sakai", with(func(p *PlatformConfig) { p.SignedLineItems = true }))
	endpoint := b.idToken(b.launch("student")).claims[claimAGS].(map[string]any)
	uri := endpoint["lineitem"].(string)
	if strings.Count(uri, ":::") != 2 || !strings.HasSuffix(uri, ":::"+b.reg.ResourceLinkID) {
		t.Fatalf("line item %s", uri)
	}
	if status, _, body := b.postScore(b.token(ScopeScore), uri, b.score(nil)); status != 200 || b.grade("student") == nil {
		t.Errorf("score: %d %s", status, body)
	}
	if status, _, _ := b.get(uri, map[string]string{"Authorization": "Bearer " + b.token(ScopeLineItem)}); status != 200 {
		t.Errorf("line item: %d", status)
	}
	forged := strings.Replace(uri, "/lineitem/", "/lineitem/0", 1)
	if status, _, _ := b.get(forged, map[string]string{"Authorization": "Bearer " + b.token(ScopeLineItem)}); status != 404 {
		t.Errorf("forged: %d", status)
	}
}

func TestResultsOfOne(t *testing.T) {
	b := newBench(t, "openedx")
	b.postScore(b.token(ScopeScore), b.reg.LineItemURI, b.score(nil))
	for user, want := range map[string]int{b.person("student").ID: 1, b.person("student2").ID: 0} {
		status, _, body := b.get(b.reg.LineItemURI+"/results/"+user, map[string]string{"Authorization": "Bearer " + b.token(ScopeResultReadonly)})
		var list []map[string]any
		if err := json.Unmarshal(body, &list); err != nil || status != 200 || len(list) != want {
			t.Errorf("%d %s %v", status, body, err)
		}
	}
}

func TestRosterChanges(t *testing.T) {
	type seen map[string]string // key to status; absent: not listed
	for _, name := range ProfileNames() {
		b := newBench(t, name, with(func(p *PlatformConfig) { p.Differences, p.WholeRoster = true, true }), func(_ *PlatformConfig, c *Config) { c.RosterSize = 6 })
		token := b.token(ScopeMemberships)
		read := func(uri string) (seen, string) {
			_, header, page := b.roster(token, uri, mediaMembership)
			list := seen{}
			for _, m := range page.Members {
				for _, pr := range b.platform().People() {
					if pr.ID == m["user_id"] {
						list[pr.Key] = m["status"].(string)
					}
				}
			}
			for part := range strings.SplitSeq(header.Get("Link"), ", ") {
				if uri, ok := strings.CutSuffix(part, `>; rel="differences"`); ok {
					return list, strings.TrimPrefix(uri, "<")
				}
			}
			return list, ""
		}
		all, differences := read(b.reg.MembershipsURI)
		unknown := name == "brightspace" || name == "blackboard" || name == "schoology"
		if len(all) != 6 || (differences != "") != unknown {
			t.Errorf("%s: %v, differences %q", name, all, differences)
		}
		for _, c := range []RosterChange{{"student2", "Deleted"}, {"student3", "Inactive"}, {"student4", "Inactive"}, {"student4", "Active"}} {
			if err := b.platform().ChangeRoster(c); err != nil {
				t.Fatal(err)
			}
		}
		want := seen{"teacher": "Active", "ta": "Active", "student": "Active", "student3": "Inactive", "student4": "Active"}
		if b.platform().profile.NRPS.AlwaysActive {
			delete(want, "student3")
		}
		if got, _ := read(b.reg.MembershipsURI); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if unknown {
			changed, next := read(differences)
			if !maps.Equal(changed, seen{"student2": "Deleted", "student3": "Inactive", "student4": "Active"}) {
				t.Errorf("%s: differences %v", name, changed)
			}
			if none, _ := read(next); len(none) != 0 {
				t.Errorf("%s: differences without any: %v", name, none)
			}
		}
	}
	b := newBench(t, "canvas")
	for _, c := range []RosterChange{{"nobody", "Active"}, {"admin", "Deleted"}, {"student", "Gone"}} {
		if b.platform().ChangeRoster(c) == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestOpenEdXLimit(t *testing.T) {
	b := newBench(t, "openedx", with(func(p *PlatformConfig) { p.ResponseLimit = 61 }))
	status, _, body := b.get(b.reg.MembershipsURI, map[string]string{"Authorization": "Bearer " + b.token(ScopeMemberships)})
	if status != 403 || string(body) != `{"error":"above_response_limit"}` {
		t.Errorf("%d %s", status, body)
	}
}

// TestLargeRosters reads 100,000 members in one page and in many, and looks at what the simulator needs for it.
func TestLargeRosters(t *testing.T) {
	const size = 100000
	for _, name := range []string{"moodle", "canvas"} {
		b := newBench(t, name, func(_ *PlatformConfig, c *Config) { c.RosterSize = size })
		token := b.token(ScopeMemberships)
		before := heap()
		members, pages, most := 0, 0, uint64(0)
		uri := b.reg.MembershipsURI
		if name == "canvas" { // the pages at the end will do
			uri += "?page=1990"
			members = 1989 * 50
		}
		last := ""
		for uri != "" {
			req, err := http.NewRequest(http.MethodGet, uri, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Accept", mediaMembership)
			resp, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(resp.Body)
			for {
				token, err := d.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if token == "user_id" {
					if token, err = d.Token(); err != nil {
						t.Fatal(err)
					}
					last = token.(string)
					if members++; members%20000 == 0 {
						most = max(most, heap())
					}
				}
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			pages++
			uri = nextLink(resp.Header.Get("Link"))
		}
		if members != size || pages != map[string]int{"moodle": 1, "canvas": 11}[name] {
			t.Errorf("%s: %d members on %d pages", name, members, pages)
		}
		if pr := b.person("student99998"); pr == nil || pr.ID != last || b.platform().crowd.byID(last) != pr {
			t.Errorf("%s: the last one is %q", name, last)
		}
		if grown := int64(most) - int64(before); most > 0 && grown > 16<<20 {
			t.Errorf("%s: %d MiB more", name, grown>>20)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestCrowd(t *testing.T) {
	c := newCrowd(canvasProfile(), "https://sim.example/canvas", 20)
	for n := range 22 {
		pr := c.at(n)
		if c.number(pr.Key) != n || pr.Role != c.role(n) || c.byKey(pr.Key).ID != pr.ID {
			t.Errorf("%d: %+v, number %d", n, pr, c.number(pr.Key))
		}
		if pr.ID != "" && c.byID(pr.ID) != c.byKey(pr.Key) {
			t.Errorf("%d: %+v is not found by id", n, pr)
		}
	}
	for _, key := range []string{"", "student0", "student1", "student02", "student19", "student-2", "students", "nobody"} {
		if pr := c.byKey(key); pr != nil {
			t.Errorf("%q is %+v", key, pr)
		}
	}
	if c.byID("") != nil || c.byID("nobody") != nil {
		t.Error("somebody has no id")
	}
}

func TestRecordsKeepTheLast(t *testing.T) {
	l := record[int]{limit: 10}
	for i := range 95 {
		l.add(i)
		if got := l.last(0); len(got) != min(i+1, 10) || got[len(got)-1] != i {
			t.Fatalf("after %d: %v", i, got)
		}
	}
	if got := l.last(93); !slices.Equal(got, []int{93, 94}) {
		t.Errorf("after 93: %v", got)
	}
	if got := l.last(1000); len(got) != 0 {
		t.Errorf("after 1000: %v", got)
	}
	if len(l.entries) > 20 {
		t.Errorf("%d entries are kept", len(l.entries))
	}
}

func TestControlOfServices(t *testing.T) {
	b := newBench(t, "blackboard")
	post := func(path, body string) int {
		status, _, _ := b.do(http.MethodPost, b.platform().URL()+"/sim/"+path, nil, []byte(body))
		return status
	}
	if s := post("people", `{"user":"student5","status":"Deleted"}`); s != 204 {
		t.Errorf("people: %d", s)
	}
	for range 3 {
		b.postScore(b.token(ScopeScore), b.reg.LineItemURI, b.score(nil))
	}
	for path, marker := range map[string]string{
		"links": `"Quiz of quiz"`, "groups": `"Laboratory A"`, "groupsets": `"Projects"`, "deeplinking": "[]", "events": "[]",
		"scores": `"seq":1,`, "scores?after=2": `[{"seq":3,`, "requests": `"endpoint":"ags_scores"`,
	} {
		status, _, body := b.get(b.platform().URL()+"/sim/"+path, nil)
		if status != 200 || !strings.Contains(string(body), marker) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

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

func TestFaultsOfAnyEndpoint(t *testing.T) {
	for _, http1 := range []bool{true, false} {
		b := newBench(t, "canvas", func(_ *PlatformConfig, c *Config) { c.HTTP1 = http1 })
		if !http1 {
			b.http.Transport.(*http.Transport).ForceAttemptHTTP2 = true
		}
		token := b.token(ScopeMemberships)
		uri := b.reg.MembershipsURI
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
			log := b.platform().ServiceRequests()
			if rec := log[len(log)-2]; rec.Fault != c.set.Fault || rec.Status != status || rec.Endpoint != EndpointRoster {
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
