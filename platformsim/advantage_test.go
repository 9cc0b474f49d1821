// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
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
	one := 1
	if err := b.platform().ChangeGrades(GradeChange{LineItem: b.platform().Gradebook()[0].ID, Attempts: &one}); err != nil {
		t.Fatal(err)
	}
	if status, _, body := b.postScore(token, b.reg.LineItemURI, b.score(map[string]any{"timestamp": "2031-01-15T10:02:00Z"})); status != 422 {
		t.Errorf("no attempt left: %d %s", status, body)
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
