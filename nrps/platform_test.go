// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
)

// moodle answers as Moodle 4.5 does: pages by limit and from, the role filter on the first page only, short role names,
// rlid kept in the next link.
func moodle(people []string, roleOf func(string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		limit, _ := strconv.Atoi(query.Get("limit"))
		from, _ := strconv.Atoi(query.Get("from"))
		role := lti.ParseRole(query.Get("role")).Principal
		var listed []string
		for _, id := range people {
			if role == "" || roleOf(id) == role {
				listed = append(listed, id)
			}
		}
		end := len(listed)
		if limit > 0 && from+limit < end {
			end = from + limit
			w.Header().Set("Link", fmt.Sprintf(`<https://%s/m?limit=%d&from=%d>; rel="next"`, r.Host, limit, end))
		}
		io.WriteString(w, `{"context":{"id":"2"},"members":[`)
		for i, id := range listed[min(from, len(listed)):end] {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"status":"Active","user_id":%q,"roles":[%q]}`, id, roleOf(id))
		}
		io.WriteString(w, `]}`)
	}
}

// Moodle drops the role from its next links and goes on in the unfiltered list: people come twice, and others come that
// nobody asked for. Whoever has the role must come once all the same, wherever the others stand.
//
// REQ-166 REQ-168
func TestRoleThatThePlatformDropsAfterTheFirstPage(t *testing.T) {
	var people []string
	for i := range 62 {
		people = append(people, fmt.Sprint(i+1))
	}
	for _, teachers := range [][]string{{"1"}, {"5"}, {"19", "20", "21", "22"}, {"62"}, people[:31], people[31:], nil} {
		roleOf := func(id string) string {
			if slices.Contains(teachers, id) {
				return "Instructor"
			}
			return "Learner"
		}
		p := newRosterPlatform(t, moodle(people, roleOf))
		for _, role := range []string{"Learner", "Instructor"} {
			want := slices.DeleteFunc(slices.Clone(people), func(id string) bool { return roleOf(id) != role })
			for _, limit := range []int{0, 20, 31, 62} {
				p.wantUsers(Options{Role: role, PageSizeHint: limit}, want...)
			}
		}
	}
}

// REQ-174
func TestResourceLinkMessages(t *testing.T) {
	message := `[{"https://purl.imsglobal.org/spec/lti/claim/message_type":"LtiResourceLinkRequest","https://purl.imsglobal.org/spec/lti/claim/custom":{"n":"1"}}]`
	p := newRosterPlatform(t, body(`{"members":[{"user_id":"a","message":`+message+`},{"user_id":"b"}]}`))
	batches, _ := p.wantUsers(Options{ResourceLinkID: "link 1"}, "a", "b")
	if got := p.requests[0].RequestURI; got != "/m?rlid=link+1" {
		t.Errorf("asked for %s", got)
	}
	if batches[0].Members[0].MessageJSON != message || batches[0].Members[1].MessageJSON != "" {
		t.Errorf("members = %+v", batches[0].Members)
	}
}

func TestGroupsOfMembers(t *testing.T) {
	p := newRosterPlatform(t, body(`{"members":[
		{"user_id":"a","group_enrollments":[{"group_id":"g1"},{"group_id":7},{"group_id":"g1"},{"group_id":null},{},null,"g2"]},
		{"user_id":"b","group_enrollments":[]},{"user_id":"c","group_enrollments":null},{"user_id":"d","group_enrollments":{"group_id":"g"}}]}`))
	p.endpoint.ContextMembershipsURI += "?placement_id=_5_1"
	batches, _ := p.wantUsers(Options{Groups: true}, "a", "b", "c", "d")
	if got := p.requests[0].RequestURI; got != "/m?placement_id=_5_1&groups=true" {
		t.Errorf("asked for %s", got)
	}
	for i, want := range [][]string{{"g1", "7"}, nil, nil, nil} {
		if got := batches[0].Members[i].GroupIDs; !slices.Equal(got, want) {
			t.Errorf("member %d is in %q, want %q", i, got, want)
		}
	}
}

// Who was deleted often has no roles left: a role filter must not hide it, or the tool keeps the member for ever.
func TestDeletionsPassTheRoleFilter(t *testing.T) {
	p := newRosterPlatform(t, body(`{"members":[{"user_id":"a","status":"Deleted"},{"user_id":"b","roles":["Instructor"]},{"user_id":"c","status":"Deleted","roles":["Instructor"]},{"user_id":"d","roles":["Learner"]}]}`))
	p.wantUsers(Options{Role: "Learner", DifferencesURI: p.url + "/d"}, "a", "c", "d")
}

// A wrong content type and a long chain of pages cost nothing, and what every page repeats counts once.
func TestManySmallPages(t *testing.T) {
	const pages = 500
	p := newRosterPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("start"))
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if page < pages-1 {
			w.Header().Set("Link", fmt.Sprintf(`<https://%s/m?start=%d>; rel="next"`, r.Host, page+1))
		}
		fmt.Fprintf(w, `{"members":[{"user_id":"everywhere"},{"user_id":"%d"}]}`, page)
	})
	var want []string
	for i := range pages {
		want = append(want, fmt.Sprint(i))
	}
	want = slices.Insert(want, 0, "everywhere")
	batches, _ := p.wantUsers(Options{}, want...)
	if len(p.requests) != pages || len(batches) != (pages+1+maxBatch-1)/maxBatch {
		t.Errorf("%d requests, %d batches", len(p.requests), len(batches))
	}
	if accept := strings.Join(p.requests[pages-1].Header["Accept"], " "); accept != lti.MediaTypeMemberships {
		t.Errorf("Accept of the last page = %q", accept)
	}
}
