// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

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
