// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// serveTLS serves at an origin of its own, with a certificate that the sidecar trusts.
func serveTLS(t *testing.T, handler http.HandlerFunc) (origin string) {
	t.Helper()
	certificate, key, err := sim.IssueCert()
	check(t, err)
	pair := must(tls.X509KeyPair(certificate, key))(t)
	listener := httptest.NewUnstartedServer(handler)
	listener.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	listener.StartTLS()
	t.Cleanup(listener.Close)
	return listener.URL
}

func score(user string, given float64) *pb.Score {
	return &pb.Score{UserId: user, ScoreGiven: proto.Float64(given), ScoreMaximum: proto.Float64(10)}
}

func (c *sidecar) post(endpoint *pb.GradeEndpoint, score *pb.Score) (*pb.ScoreDelivery, error) {
	answer, err := c.grades.PostScore(c.t.Context(), &pb.PostScoreRequest{Endpoint: endpoint, Score: score})
	return answer.GetDelivery(), err
}

// grade returns a user's cell of the quiz's column.
func grade(t *testing.T, name, tool, user string) *platformsim.Grade {
	t.Helper()
	for _, item := range sim.Platform(name).Gradebook() {
		if item.Tool == tool && !item.Own {
			return item.Grades[user]
		}
	}
	return nil
}

func TestPostScore(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l, who := c.launchAt(name, "student"), person(t, name, "student")
		earned := time.Now().Add(-time.Minute).Truncate(time.Second)
		first := score(who.ID, 8)
		first.ScoreTime, first.Comment = timestamppb.New(earned), "Well done"
		delivery := must(c.post(l.Grades, first))(t)
		if delivery.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED || !delivery.SentTime.AsTime().Equal(earned) {
			t.Errorf("%v, want %s", delivery, earned)
		}
		if got := grade(t, name, "quiz", who.ID); got == nil || got.Score == nil || *got.Score != 80 || got.Comment != "Well done" || got.Activity != "Completed" || got.Grading != "FullyGraded" {
			t.Errorf("in the grade book: %+v", got)
		}
		// An older one is not sent.
		posts := grade(t, name, "quiz", who.ID).Posts
		older := score(who.ID, 1)
		older.ScoreTime = timestamppb.New(earned.Add(-time.Minute))
		delivery = must(c.post(l.Grades, older))(t)
		if delivery.State != pb.DeliveryState_DELIVERY_STATE_SUPERSEDED || delivery.SentTime != nil {
			t.Errorf("older: %v", delivery)
		}
		if got := grade(t, name, "quiz", who.ID); *got.Score != 80 || got.Posts != posts {
			t.Errorf("after an older score: %+v", got)
		}
		// A score without a time is of now, and two of one second get times of their own.
		check(t, func() error { _, err := c.post(l.Grades, score(who.ID, 9)); return err }())
		delivery = must(c.post(l.Grades, score(who.ID, 9.5)))(t)
		if got := grade(t, name, "quiz", who.ID); *got.Score != 95 || delivery.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Errorf("newest: %+v", got)
		}
		// 0 is a score.
		check(t, func() error { _, err := c.post(l.Grades, score(who.ID, 0)); return err }())
		if got := grade(t, name, "quiz", who.ID); got.Score == nil || *got.Score != 0 {
			t.Errorf("zero: %+v", got)
		}
		// Nobody but students gets grades, whoever launched.
		for _, key := range []string{"teacher", "admin"} {
			_, err := c.post(l.Grades, score(person(t, name, key).ID, 5))
			r := refused(t, err, lti.ReasonScoreRefused)
			if r.info.Metadata["platform_status"] == "" || r.info.Metadata["registration"] != name || r.page != nil {
				t.Errorf("%s: %v", key, r.info)
			}
		}
	})
}

// A sidecar that does not know of a newer score hears of it from the platform.
func TestScoreOutdated(t *testing.T) {
	eachPlatform(t, func(t *testing.T, name string) {
		who := person(t, name, "student5")
		c := start(t)
		grades := c.launchAt(name, "student5").Grades
		check(t, func() error { _, err := c.post(grades, score(who.ID, 5)); return err }())
		restarted := start(t)
		older := score(who.ID, 1)
		older.ScoreTime = timestamppb.New(time.Now().Add(-time.Hour))
		_, err := restarted.post(restarted.launchAt(name, "student5").Grades, older)
		r := refused(t, err, lti.ReasonScoreOutdated)
		if want := map[string]string{"canvas": "400", "moodle": "409"}[name]; r.info.Metadata["platform_status"] != want {
			t.Errorf("status %v, want %s", r.info.Metadata, want)
		}
		if got := grade(t, name, "quiz", who.ID); *got.Score != 50 {
			t.Errorf("in the grade book: %+v", got)
		}
	})
}

func TestScoreMistakes(t *testing.T) {
	c := start(t)
	l := c.launchAt("canvas", "student")
	endpoint := func(change func(*pb.GradeEndpoint)) *pb.GradeEndpoint {
		e := proto.Clone(l.Grades).(*pb.GradeEndpoint)
		change(e)
		return e
	}
	good := func(change func(*pb.Score)) *pb.Score {
		s := score(l.User.Id, 1)
		change(s)
		return s
	}
	before := sim.Platform("canvas").Hits()["ags_scores"]
	for _, test := range []struct {
		field    string
		endpoint *pb.GradeEndpoint
		score    *pb.Score
	}{
		{"endpoint", nil, score(l.User.Id, 1)},
		{"score", l.Grades, nil},
		{"endpoint.registration", endpoint(func(e *pb.GradeEndpoint) { e.Registration = "" }), score(l.User.Id, 1)},
		{"endpoint.deployment_id", endpoint(func(e *pb.GradeEndpoint) { e.DeploymentId = "" }), score(l.User.Id, 1)},
		{"endpoint.deployment_id", endpoint(func(e *pb.GradeEndpoint) { e.DeploymentId = strings.Repeat("d", 2000) }), score(l.User.Id, 1)},
		{"endpoint", endpoint(func(e *pb.GradeEndpoint) { e.LineItemUri = "nonsense" }), score(l.User.Id, 1)},
		{"endpoint", endpoint(func(e *pb.GradeEndpoint) { e.LineItemUri = "http://127.0.0.1/x" }), score(l.User.Id, 1)},
		{"endpoint.line_item_uri", endpoint(func(e *pb.GradeEndpoint) { e.LineItemUri += "#x" }), score(l.User.Id, 1)},
		{"score.user_id", l.Grades, good(func(s *pb.Score) { s.UserId = "" })},
		{"score.user_id", l.Grades, good(func(s *pb.Score) { s.UserId = strings.Repeat("u", 256) })},
		{"score.score_given", l.Grades, good(func(s *pb.Score) { s.ScoreGiven = proto.Float64(-1) })},
		{"score.score_maximum", l.Grades, good(func(s *pb.Score) { s.ScoreMaximum = nil })},
		{"score.score_maximum", l.Grades, good(func(s *pb.Score) { s.ScoreMaximum = proto.Float64(0) })},
		{"score.activity_progress", l.Grades, good(func(s *pb.Score) { s.ActivityProgress = 77 })},
		{"score.grading_progress", l.Grades, good(func(s *pb.Score) { s.GradingProgress = -1 })},
		{"score.score_time", l.Grades, good(func(s *pb.Score) { s.ScoreTime = &timestamppb.Timestamp{Nanos: -5} })},
		{"score.score_time", l.Grades, good(func(s *pb.Score) { s.ScoreTime = timestamppb.New(time.Now().Add(6 * time.Minute)) })},
		{"score.comment", l.Grades, good(func(s *pb.Score) { s.Comment = strings.Repeat("c", 17<<10) })},
		{"score.scoring_user_id", l.Grades, good(func(s *pb.Score) { s.ScoringUserId = strings.Repeat("u", 256) })},
	} {
		_, err := c.post(test.endpoint, test.score)
		if r := refused(t, err, lti.ReasonRequestInvalid); r.field() != test.field {
			t.Errorf("field %q (%s), want %q", r.field(), r.message, test.field)
		}
	}
	_, err := c.post(endpoint(func(e *pb.GradeEndpoint) { e.Registration = "none" }), score(l.User.Id, 1))
	if r := refused(t, err, lti.ReasonRegistrationUnknown); r.field() != "endpoint.registration" {
		t.Errorf("field %q", r.field())
	}
	_, err = c.post(endpoint(func(e *pb.GradeEndpoint) { e.DeploymentId = "other" }), score(l.User.Id, 1))
	refused(t, err, lti.ReasonDeploymentUnknown)
	if after := sim.Platform("canvas").Hits()["ags_scores"]; after != before {
		t.Errorf("%d requests reached the platform", after-before)
	}
}

func TestServiceNotOffered(t *testing.T) {
	c := start(t, func(s *settings) {
		lonely := s.registrations[0]
		lonely.Name, lonely.ClientID, lonely.TokenURI = "lonely", "another client", ""
		s.registrations = append(s.registrations, lonely)
	})
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student")
		noItem, noScope, noRoster := proto.Clone(l.Grades).(*pb.GradeEndpoint), proto.Clone(l.Grades).(*pb.GradeEndpoint), proto.Clone(l.Memberships).(*pb.MembershipEndpoint)
		noItem.LineItemUri, noScope.Scopes, noRoster.ContextMembershipsUri = "", nil, ""
		_, err := c.post(noItem, score(l.User.Id, 1))
		if r := refused(t, err, lti.ReasonServiceNotOffered); r.info.Metadata["missing"] != "line_item_uri" || !strings.Contains(strings.ToLower(r.message), name) {
			t.Errorf("%v %s", r.info, r.message)
		}
		_, err = c.post(noScope, score(l.User.Id, 1))
		if r := refused(t, err, lti.ReasonServiceNotOffered); r.info.Metadata["missing"] != lti.ScopeScore {
			t.Error(r.info)
		}
		_, err = c.members(&pb.ListMembersRequest{Endpoint: noRoster})
		if r := refused(t, err, lti.ReasonServiceNotOffered); r.info.Metadata["missing"] != "context_memberships_uri" || !strings.Contains(strings.ToLower(r.message), name) {
			t.Errorf("%v %s", r.info, r.message)
		}
	})
	_, err := c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "lonely", DeploymentId: registrationAt("canvas", "quiz").Deployments[0], Scopes: []string{lti.ScopeScore}})
	if r := refused(t, err, lti.ReasonServiceNotOffered); r.info.Metadata["missing"] != "token_uri" {
		t.Error(r.info)
	}
}

// roster is a whole stream.
type roster struct {
	context *pb.RosterContext
	members []*pb.Member
	batches int
	end     *pb.RosterEnd
}

// members reads a roster and holds the stream to its shape.
func (c *sidecar) members(request *pb.ListMembersRequest) (*roster, error) {
	c.t.Helper()
	stream, err := c.rosters.ListMembers(c.t.Context(), request)
	if err != nil {
		return nil, err
	}
	r := &roster{}
	for {
		part, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			if r.end == nil {
				c.t.Error("the stream ended well, without an End")
			}
			return r, nil
		case err != nil:
			if r.end != nil {
				c.t.Error("an error after the End")
			}
			return r, err
		}
		if r.end != nil {
			c.t.Error("a message after the End")
		}
		if batch := part.GetBatch(); batch != nil {
			if (batch.Context != nil) != (r.batches == 0) || len(batch.Members) > 200 {
				c.t.Errorf("batch %d: context %v, %d members", r.batches, batch.Context, len(batch.Members))
			}
			if r.batches == 0 {
				r.context = batch.Context
			}
			r.batches++
			r.members = append(r.members, batch.Members...)
		}
		r.end = part.GetEnd()
	}
}

func TestListMembers(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student")
		everybody := map[string]platformsim.Person{}
		for _, p := range sim.Platform(name).People() {
			if p.Role == platformsim.Student || p.Role == platformsim.Teacher || p.Role == platformsim.Assistant {
				everybody[p.ID] = p
			}
		}
		if len(everybody) != 62 {
			t.Fatalf("%d people", len(everybody))
		}
		learner := func(role platformsim.Role) bool {
			return role == platformsim.Student || name == "moodle" && role == platformsim.Assistant // who may not edit is a learner there
		}
		for _, test := range []struct {
			name    string
			request *pb.ListMembersRequest
			keep    func(platformsim.Role) bool
		}{
			{"whole", &pb.ListMembersRequest{}, func(platformsim.Role) bool { return true }},
			{"in pages of 7", &pb.ListMembersRequest{PageSizeHint: 7}, func(platformsim.Role) bool { return true }},
			{"in one page of 1000", &pb.ListMembersRequest{PageSizeHint: 1000}, func(platformsim.Role) bool { return true }},
			{"learners", &pb.ListMembersRequest{Role: "Learner"}, learner},
			{"learners in pages of 9, whose next link drops the role", &pb.ListMembersRequest{Role: contextRole + "#Learner", PageSizeHint: 9}, learner},
			{"mentors: nobody", &pb.ListMembersRequest{Role: "Mentor", PageSizeHint: 9}, func(platformsim.Role) bool { return false }},
		} {
			t.Run(test.name, func(t *testing.T) {
				before := sim.Platform(name).Hits()["nrps"]
				test.request.Endpoint = l.Memberships
				r := must(c.members(test.request))(t)
				seen := map[string]bool{}
				for _, m := range r.members {
					p, ok := everybody[m.UserId]
					if !ok || seen[m.UserId] || !test.keep(p.Role) {
						t.Errorf("member %s: known %t, twice %t", p.Key, ok, seen[m.UserId])
					}
					seen[m.UserId] = true
					if m.UserKey != lti.UserKey("", l.Issuer, m.UserId) || m.Name != p.Name() || m.Email != p.Email || m.Status != pb.MemberStatus_MEMBER_STATUS_ACTIVE || len(m.Roles) == 0 {
						t.Errorf("%v, want %+v", m, p)
					}
				}
				for id, p := range everybody {
					if test.keep(p.Role) && !seen[id] {
						t.Errorf("%s is missing", p.Key)
					}
				}
				if r.end.MemberCount != int64(len(seen)) || r.context.GetTitle() != "Biology" || r.context.GetId() == "" {
					t.Errorf("end %v, context %v", r.end, r.context)
				}
				if test.request.PageSizeHint == 7 {
					if pages := sim.Platform(name).Hits()["nrps"] - before; pages != 9 {
						t.Errorf("%d pages of 7", pages)
					}
				}
			})
		}
		linked := must(c.members(&pb.ListMembersRequest{Endpoint: l.Memberships, ResourceLinkId: l.ResourceLink.Id}))(t)
		if len(linked.members) == 0 || linked.members[0].MessageJson == "" {
			t.Errorf("of the link: %d members", len(linked.members))
		}
		own := slices.IndexFunc(linked.members, func(m *pb.Member) bool { return m.UserKey == l.User.Key })
		if own < 0 {
			t.Error("the launch's own user is not found by key")
		}
	})
}

const contextRole = "http://purl.imsglobal.org/vocab/lis/v2/membership"

func TestRosterMistakes(t *testing.T) {
	c := start(t)
	l := c.launchAt("moodle", "student")
	before := sim.Platform("moodle").Hits()["nrps"]
	for _, test := range []struct {
		field  string
		change func(*pb.ListMembersRequest)
	}{
		{"endpoint", func(r *pb.ListMembersRequest) { r.Endpoint = nil }},
		{"endpoint.registration", func(r *pb.ListMembersRequest) { r.Endpoint.Registration = "" }},
		{"endpoint.deployment_id", func(r *pb.ListMembersRequest) { r.Endpoint.DeploymentId = "" }},
		{"endpoint.context_memberships_uri", func(r *pb.ListMembersRequest) { r.Endpoint.ContextMembershipsUri += "#x" }},
		{"endpoint.context_memberships_uri", func(r *pb.ListMembersRequest) { r.Endpoint.ContextMembershipsUri += strings.Repeat("x", 5000) }},
		{"endpoint", func(r *pb.ListMembersRequest) { r.Endpoint.ContextMembershipsUri = "/memberships" }},
		{"role", func(r *pb.ListMembersRequest) { r.Role = "Student" }},
		{"role", func(r *pb.ListMembersRequest) { r.Role = strings.Repeat("x", 5000) }},
		{"page_size_hint", func(r *pb.ListMembersRequest) { r.PageSizeHint = -1 }},
		{"page_size_hint", func(r *pb.ListMembersRequest) { r.PageSizeHint = 1001 }},
		{"resource_link_id", func(r *pb.ListMembersRequest) { r.ResourceLinkId = strings.Repeat("x", 1021) }},
		{"differences_uri", func(r *pb.ListMembersRequest) { r.DifferencesUri = "https://" + strings.Repeat("x", 5000) }},
	} {
		request := &pb.ListMembersRequest{Endpoint: proto.Clone(l.Memberships).(*pb.MembershipEndpoint)}
		test.change(request)
		got, err := c.members(request)
		if r := refused(t, err, lti.ReasonRequestInvalid); r.field() != test.field || got.batches != 0 {
			t.Errorf("field %q (%s), want %q", r.field(), r.message, test.field)
		}
	}
	if after := sim.Platform("moodle").Hits()["nrps"]; after != before {
		t.Errorf("%d requests reached the platform", after-before)
	}
}

func TestGetServiceToken(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student")
		request := &pb.GetServiceTokenRequest{Registration: name, DeploymentId: l.DeploymentId, Scopes: []string{lti.ScopeScore, lti.ScopeMemberships}}
		token := must(c.tokens.GetServiceToken(t.Context(), request))(t)
		c.secret("service token", token.AccessToken)
		if left := time.Until(token.ExpireTime.AsTime()); token.AccessToken == "" || left < 30*time.Second || left > time.Hour {
			t.Errorf("expires in %s", left)
		}
		if !slices.Contains(token.Scopes, lti.ScopeScore) || !slices.Contains(token.Scopes, lti.ScopeMemberships) {
			t.Errorf("scopes %q", token.Scopes)
		}
		if want := []string{must(platform.Origin(sim.URL()))(t)}; !slices.Equal(token.AllowedOrigins, want) {
			t.Errorf("allowed origins %q, want %q", token.AllowedOrigins, want)
		}
		requests := sim.Platform(name).TokenRequests()
		last := requests[len(requests)-1]
		if !last.HasDeployment || last.DeploymentID != l.DeploymentId || last.Error != "" {
			t.Errorf("seen by the platform: %+v", last)
		}
		// The same scopes in another order are the same token, without another request.
		slices.Reverse(request.Scopes)
		again := must(c.tokens.GetServiceToken(t.Context(), request))(t)
		if again.AccessToken != token.AccessToken || len(sim.Platform(name).TokenRequests()) != len(requests) {
			t.Error("the token was not kept")
		}
		for _, test := range []struct {
			field  string
			change func(*pb.GetServiceTokenRequest)
		}{
			{"registration", func(r *pb.GetServiceTokenRequest) { r.Registration = "" }},
			{"deployment_id", func(r *pb.GetServiceTokenRequest) { r.DeploymentId = "" }},
			{"scopes", func(r *pb.GetServiceTokenRequest) { r.Scopes = nil }},
			{"scopes", func(r *pb.GetServiceTokenRequest) { r.Scopes = slices.Repeat([]string{"a"}, 33) }},
			{"scopes[1]", func(r *pb.GetServiceTokenRequest) { r.Scopes = []string{"a", ""} }},
			{"scopes[0]", func(r *pb.GetServiceTokenRequest) { r.Scopes = []string{lti.ScopeScore + " " + lti.ScopeMemberships} }},
			{"scopes[0]", func(r *pb.GetServiceTokenRequest) { r.Scopes = []string{"é"} }},
			{"scopes[0]", func(r *pb.GetServiceTokenRequest) { r.Scopes = []string{strings.Repeat("s", 513)} }},
		} {
			wrong := proto.Clone(request).(*pb.GetServiceTokenRequest)
			test.change(wrong)
			_, err := c.tokens.GetServiceToken(t.Context(), wrong)
			if r := refused(t, err, lti.ReasonRequestInvalid); r.field() != test.field {
				t.Errorf("field %q, want %q", r.field(), test.field)
			}
		}
	})
	_, err := c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "none", DeploymentId: "1", Scopes: []string{"a"}})
	if r := refused(t, err, lti.ReasonRegistrationUnknown); r.field() != "registration" {
		t.Errorf("field %q", r.field())
	}
}

// Faults of the platform are told apart, with advice on when to try again.
func TestServiceFaults(t *testing.T) {
	for _, test := range []struct {
		fault  platformsim.FaultSetting
		grades lti.Reason
		roster lti.Reason
		retry  bool
	}{
		{platformsim.FaultSetting{Fault: platformsim.FaultTokenUnavailable, Sticky: true}, lti.ReasonPlatformUnavailable, lti.ReasonPlatformUnavailable, false},
		{platformsim.FaultSetting{Fault: platformsim.FaultServiceUnavailable, Sticky: true}, lti.ReasonPlatformUnavailable, lti.ReasonPlatformUnavailable, true},
		{platformsim.FaultSetting{Fault: platformsim.FaultRateLimited, Sticky: true}, lti.ReasonPlatformThrottled, lti.ReasonPlatformThrottled, true},
		{platformsim.FaultSetting{Fault: platformsim.FaultTokenRejected, Sticky: true}, lti.ReasonServiceRefused, lti.ReasonServiceRefused, false},
		{platformsim.FaultSetting{Fault: platformsim.FaultTokenRejected}, "", "", false}, // once: a fresh token helps
	} {
		t.Run(string(test.fault.Fault), func(t *testing.T) {
			c := start(t)
			eachPlatform(t, func(t *testing.T, name string) {
				l := c.launchAt(name, "student7")
				outcome := func(err error, want lti.Reason) {
					t.Helper()
					if want == "" {
						check(t, err)
						return
					}
					if r := refused(t, err, want); (r.retry != nil) != test.retry || r.page != nil {
						t.Errorf("RetryInfo %v, page %v", r.retry, r.page)
					}
				}
				fault(t, name, test.fault)
				delivery, err := c.post(l.Grades, score(l.User.Id, 3))
				if code := test.grades.Info().Code; code == lti.CodeUnavailable || code == lti.CodeResourceExhausted {
					check(t, err) // it is kept, and tried again
					if delivery.State != pb.DeliveryState_DELIVERY_STATE_QUEUED || delivery.Reason != "" && delivery.Reason != string(test.grades) {
						t.Errorf("%v", delivery)
					}
				} else {
					outcome(err, test.grades)
				}
				fault(t, name, test.fault)
				_, err = c.members(&pb.ListMembersRequest{Endpoint: l.Memberships})
				outcome(err, test.roster)
				sim.Platform(name).ClearFaults()
			})
		})
	}
}

// A score whose answer was lost is found in the platform's results, without a repeat.
func TestScoreAnswerLostAndResultsReadable(t *testing.T) {
	c := start(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student10")
		fault(t, name, platformsim.FaultSetting{Fault: platformsim.FaultScoreAnswerLost})
		delivery := must(c.post(l.Grades, score(l.User.Id, 4)))(t)
		if delivery.State != pb.DeliveryState_DELIVERY_STATE_DELIVERED || delivery.Attempts != 1 {
			t.Error(delivery)
		}
		if got := grade(t, name, "quiz", l.User.Id); got.Score == nil || *got.Score != 40 || got.Posts != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// Where results cannot be read, it is shown as unconfirmed, and delivered by a repeat of the same bytes.
func TestScoreAnswerLost(t *testing.T) {
	c := start(t, func(s *settings) { s.blind = true })
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student9")
		s := score(l.User.Id, 6)
		s.ScoreTime = timestamppb.New(time.Now().Add(-time.Minute))
		fault(t, name, platformsim.FaultSetting{Fault: platformsim.FaultScoreAnswerLost})
		delivery := must(c.post(l.Grades, s))(t)
		if delivery.State != pb.DeliveryState_DELIVERY_STATE_UNCONFIRMED || delivery.Reason != string(lti.ReasonPlatformUnreachable) {
			t.Error(delivery)
		}
		if last := c.awaitDelivery(delivery, pb.DeliveryState_DELIVERY_STATE_DELIVERED); last.Attempts != 2 || !last.SentTime.AsTime().Equal(delivery.SentTime.AsTime()) {
			t.Error(last)
		}
		if got := grade(t, name, "quiz", l.User.Id); got.Score == nil || *got.Score != 60 {
			t.Errorf("%+v", got)
		}
	})
}

func TestKeysOutOfReach(t *testing.T) {
	eachPlatform(t, func(t *testing.T, name string) {
		c := start(t)
		a := c.begin(platformsim.Click{Platform: name})
		fault(t, name, platformsim.FaultSetting{Fault: platformsim.FaultJWKSUnavailable, Sticky: true})
		_, err := a.validate()
		if r := refused(t, err, lti.ReasonJWKSUnreachable); r.page == nil || r.page.Status != 503 {
			t.Errorf("page %v", r.page)
		}
	})
}

// Tools that the platform does not let in: keys that it does not have, and scopes that it does not grant.
func TestTokenRefused(t *testing.T) {
	document, _ := toolKeys.KeySet()
	for _, test := range []struct {
		tool   string
		config platformsim.ToolConfig
		reason map[string]lti.Reason
	}{
		{"stranger", toolConfig("stranger", `{"keys":[]}`), map[string]lti.Reason{"canvas": lti.ReasonTokenRequestRefused, "moodle": lti.ReasonTokenRequestRefused}},
		{"narrow", func() platformsim.ToolConfig {
			config := toolConfig("narrow", string(document))
			config.Scopes = []string{lti.ScopeMemberships}
			return config
		}(), map[string]lti.Reason{"canvas": lti.ReasonTokenRequestRefused, "moodle": lti.ReasonTokenRequestRefused}},
	} {
		t.Run(test.tool, func(t *testing.T) {
			for _, name := range platforms {
				check(t, sim.Platform(name).SetTool(test.config))
			}
			c := start(t, func(s *settings) {
				s.registrations = []platform.Registration{registrationAt("canvas", test.tool), registrationAt("moodle", test.tool)}
			})
			eachPlatform(t, func(t *testing.T, name string) {
				l := c.launchTool(platformsim.Click{Platform: name, Tool: test.tool})
				_, err := c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: name, DeploymentId: l.DeploymentId, Scopes: []string{lti.ScopeScore}})
				if r := refused(t, err, test.reason[name]); r.info.Metadata["registration"] != name || r.info.Metadata["platform_error"] == "" {
					t.Errorf("%v", r.info)
				}
				if test.tool == "narrow" {
					_, err := c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: name, DeploymentId: l.DeploymentId, Scopes: []string{lti.ScopeScore, lti.ScopeMemberships}})
					want := map[string]lti.Reason{"canvas": lti.ReasonTokenRequestRefused, "moodle": lti.ReasonScopeNotGranted}[name]
					r := refused(t, err, want)
					if want == lti.ReasonScopeNotGranted && (r.info.Metadata["expected"] != lti.ScopeScore || r.info.Metadata["actual"] != lti.ScopeMemberships) {
						t.Error(r.info)
					}
				}
			})
		})
	}
}

// An endpoint at an origin that the registration is not bound to gets no request, whichever service it is of.
func TestForeignOrigin(t *testing.T) {
	c := start(t)
	trap := tripwire(t)
	eachPlatform(t, func(t *testing.T, name string) {
		l := c.launchAt(name, "student")
		before := len(sim.Platform(name).TokenRequests())
		grades, memberships := proto.Clone(l.Grades).(*pb.GradeEndpoint), proto.Clone(l.Memberships).(*pb.MembershipEndpoint)
		grades.LineItemUri, memberships.ContextMembershipsUri = trap+"/lineitem", trap+"/members"
		_, err := c.post(grades, score(l.User.Id, 1))
		if r := refused(t, err, lti.ReasonServiceOriginPending); r.info.Metadata["actual"] != trap || !strings.HasPrefix(sim.URL(), r.info.Metadata["expected"]) {
			t.Error(r.info)
		}
		_, err = c.members(&pb.ListMembersRequest{Endpoint: memberships})
		refused(t, err, lti.ReasonServiceOriginPending)
		_, err = c.members(&pb.ListMembersRequest{Endpoint: l.Memberships, DifferencesUri: trap + "/differences"})
		refused(t, err, lti.ReasonServiceOriginPending)
		if after := len(sim.Platform(name).TokenRequests()); after != before {
			t.Errorf("%d tokens were fetched for nothing", after-before)
		}
	})
}

// Redirects and next links do not take a bearer to another origin.
func TestBearerStaysAtItsOrigin(t *testing.T) {
	trap := tripwire(t)
	bearers := 0
	service := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			bearers++
		}
		switch r.URL.Path {
		case "/redirect", "/redirect/scores":
			http.Redirect(w, r, trap+"/stolen", http.StatusTemporaryRedirect)
		case "/next":
			w.Header().Set("Link", "<"+trap+`/stolen>; rel="next"`)
			_, _ = io.WriteString(w, `{"id":"x","context":{"id":"c"},"members":[{"user_id":"1","roles":["Learner"]}]}`)
		default:
			t.Errorf("a request for %s", r.URL.Path)
		}
	})
	c := start(t, func(s *settings) { s.registrations[0].ServiceOrigins = []string{service} })
	deployment := registrationAt("canvas", "quiz").Deployments[0]
	roster := func(path string) error {
		r, err := c.members(&pb.ListMembersRequest{Endpoint: &pb.MembershipEndpoint{Registration: "canvas", DeploymentId: deployment, ContextMembershipsUri: service + path}})
		if r.end != nil {
			t.Error("a partial roster looks whole")
		}
		return err
	}
	refused(t, roster("/redirect"), lti.ReasonServiceRefused)
	refused(t, roster("/next"), lti.ReasonPlatformAnswerInvalid)
	_, err := c.post(&pb.GradeEndpoint{Registration: "canvas", DeploymentId: deployment, LineItemUri: service + "/redirect", Scopes: []string{lti.ScopeScore}}, score("1", 1))
	refused(t, err, lti.ReasonServiceRefused)
	if bearers != 3 {
		t.Errorf("%d requests with a bearer", bearers)
	}
	token := must(c.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "canvas", DeploymentId: deployment, Scopes: []string{lti.ScopeScore}}))(t)
	c.secret("service token", token.AccessToken)
	if !slices.Contains(token.AllowedOrigins, service) || slices.Contains(token.AllowedOrigins, trap) {
		t.Errorf("allowed origins %q", token.AllowedOrigins)
	}
}

func TestGetToolKeySet(t *testing.T) {
	c := start(t)
	answer := must(c.keys.GetToolKeySet(t.Context(), &pb.GetToolKeySetRequest{}))(t)
	if strings.Contains(answer.Jwks, `"d"`) || !strings.Contains(answer.Jwks, `"keys"`) {
		t.Error("no public key set")
	}
	get := func(method, path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		c.server.JWKSHandler().ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
		return recorder
	}
	overHTTP := get("GET", "/jwks.json")
	if overHTTP.Code != 200 || overHTTP.Body.String() != answer.Jwks || overHTTP.Header().Get("Content-Type") != answer.ContentType ||
		overHTTP.Header().Get("Cache-Control") != "public, max-age=600" || answer.CacheLifetime.AsDuration() != 10*time.Minute {
		t.Errorf("%d %v %v", overHTTP.Code, overHTTP.Header(), answer)
	}
	if got := get("HEAD", "/jwks.json").Code; got != 200 {
		t.Errorf("HEAD: %d", got)
	}
	if got := get("POST", "/jwks.json").Code; got != 405 {
		t.Errorf("POST: %d", got)
	}
	for _, path := range []string{"/", "/jwks", "/jwks.json/x", "/debug/pprof/"} {
		if got := get("GET", path).Code; got != 404 {
			t.Errorf("%s: %d", path, got)
		}
	}
}
