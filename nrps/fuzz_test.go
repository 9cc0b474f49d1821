// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
)

// FuzzPage holds a page to the standard library's reading of it: of a plain one every member must come, once, in order,
// and of any other what comes has an id and a status. A page is taken whole or is an error.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		"", " ", `{"members":[]}`, `{"context":{"id":"c"},"members":[{"user_id":"a","roles":["Learner"]},{"user_id":"b","status":"Inactive"},{"user_id":"a"}]}`,
		`{"members":[{"user_id":1}],"context":null,"x":[[{"y":1}]]}`, `{"members":[{"user_id":"a","message":[{"k":"v"}],"group_enrollments":[{"group_id":"g"}]}]`,
		`{"members":[{"user_id":"\u0000"}],"members":[{"user_id":"b"}]}`, `[]`, "\xff", `{"members":[{"user_id":"a"}]}{}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var came []lti.Member
		container := pages.Container{Registration: &platform.Registration{Name: "school"}, Name: "roster", OverLimit: lti.ReasonRosterTooLarge}
		r := &reading{container: &container, maxMembers: 100, roster: roster{
			seed: maphash.MakeSeed(), users: map[uint64]struct{}{},
			yield: func(batch Batch) error { came = append(came, batch.Members...); return nil },
		}}
		err := r.page(strings.NewReader(text))
		if err == nil {
			err = r.roster.flush(true)
		}
		var defect pages.Defect
		if err != nil && !errors.As(err, &defect) && lti.ReasonOf(err) != lti.ReasonRosterTooLarge {
			t.Fatalf("%q: error %v", text, err)
		}
		for _, m := range came {
			if m.UserID == "" || m.Status != lti.StatusActive && m.Status != lti.StatusInactive && m.Status != lti.StatusDeleted || slices.Contains(m.GroupIDs, "") {
				t.Errorf("%q: member %+v", text, m)
			}
		}
		var plain struct {
			Members []struct {
				UserID string `json:"user_id"`
			} `json:"members"`
		}
		isPlain := strings.ToLower(text) == text && !strings.Contains(text, `\`) && strings.ToValidUTF8(text, "") == text && json.Unmarshal([]byte(text), &plain) == nil &&
			plain.Members != nil && len(plain.Members) <= 100 && strings.Count(text, `"members"`) == 1 && strings.Count(text, `"user_id"`) == len(plain.Members)
		var want []string
		for _, m := range plain.Members {
			isPlain = isPlain && m.UserID != ""
			if !slices.Contains(want, m.UserID) {
				want = append(want, m.UserID)
			}
		}
		if !isPlain {
			return
		}
		var got []string
		for _, m := range came {
			got = append(got, m.UserID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	})
}
