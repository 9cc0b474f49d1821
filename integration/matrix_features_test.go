// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/ltisidecar/ltisidecar/platformsim"
	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// core is a launch of each role, its replay, its token, and a service token.
func (c *course) core(t *testing.T) {
	registration := c.platform.Registration("quiz")
	posted := must(c.login(t, c.name, "student"))(t)
	got := validate(t, c.launches, posted)
	student := c.person(t, c.name, "student")
	if got.GetUser().GetId() != student.ID || got.GetRegistration() != c.name || got.GetDeploymentId() != registration.DeploymentID {
		t.Errorf("user %q, registration %q, deployment %q", got.GetUser().GetId(), got.GetRegistration(), got.GetDeploymentId())
	}
	if got.GetResourceLink().GetId() != registration.ResourceLinkID || got.GetTargetLinkUri() != profileLaunch || got.GetContext().GetId() == "" ||
		got.GetCustom()["chapter"] != "3" {
		t.Errorf("link %v, target %q, context %v, custom %v", got.GetResourceLink(), got.GetTargetLinkUri(), got.GetContext(), got.GetCustom())
	}
	if s := got.GetRoleSummary(); !s.GetLearner() || s.GetInstructor() {
		t.Errorf("student: %v", s)
	}
	if s := c.open(t, "teacher", "").GetRoleSummary(); !s.GetInstructor() || s.GetLearner() {
		t.Errorf("teacher: %v", s)
	}
	_, err := c.launches.ValidateLaunch(t.Context(), &ltisidecarv1.ValidateLaunchRequest{Browser: posted})
	refusedWith(t, "a replay", err, "NONCE_REPLAYED")
	checked := must(c.launches.CheckLaunchToken(t.Context(), &ltisidecarv1.CheckLaunchTokenRequest{LaunchToken: got.GetLaunchToken()}))(t)
	if checked.GetLaunch().GetLaunchId() != got.GetLaunchId() {
		t.Errorf("the launch token is of %q, want %q", checked.GetLaunch().GetLaunchId(), got.GetLaunchId())
	}
	token := must(c.tokens.GetServiceToken(t.Context(), &ltisidecarv1.GetServiceTokenRequest{
		Registration: c.name, DeploymentId: registration.DeploymentID, Scopes: []string{platformsim.ScopeScore},
	}))(t)
	if !slices.Contains(token.GetScopes(), platformsim.ScopeScore) || !slices.Contains(token.GetAllowedOrigins(), c.sim.URL()) {
		t.Errorf("service token with scopes %q for %q", token.GetScopes(), token.GetAllowedOrigins())
	}
	requests := c.platform.TokenRequests()
	if last := requests[len(requests)-1]; last.Error != "" || last.DeploymentID != registration.DeploymentID {
		t.Errorf("the platform saw the token request %+v", last)
	}
}

// lineItems makes, finds, lists, changes and deletes columns of the grade book.
func (c *course) lineItems(t *testing.T) {
	endpoint := c.endpoint(t)
	wanted := func(label string) *ltisidecarv1.LineItem {
		return &ltisidecarv1.LineItem{Label: label, ScoreMaximum: proto.Float64(20), ResourceId: "matrix-" + label, Tag: "matrix"}
	}
	ensure := func(item *ltisidecarv1.LineItem) *ltisidecarv1.EnsureLineItemResponse {
		return must(c.grades.EnsureLineItem(t.Context(), &ltisidecarv1.EnsureLineItemRequest{Endpoint: endpoint, Wanted: item}))(t)
	}
	var uris []string
	for _, label := range []string{"one", "two", "three"} {
		made := ensure(wanted(label))
		if !made.GetCreated() || made.GetItem().GetUri() == "" || made.GetItem().GetLabel() != label {
			t.Fatalf("made %v", made)
		}
		uris = append(uris, made.GetItem().GetUri())
	}
	again := wanted("two")
	again.ScoreMaximum = proto.Float64(30)
	found := ensure(again)
	if found.GetCreated() || found.GetItem().GetUri() != uris[1] || !slices.Equal(found.GetDifferingFields(), []string{"score_maximum"}) {
		t.Errorf("found %v, want %q with another score_maximum", found, uris[1])
	}
	// Small pages where the platform has pages.
	list := must(c.grades.ListLineItems(t.Context(), &ltisidecarv1.ListLineItemsRequest{Endpoint: endpoint, Tag: "matrix", PageSizeHint: 2}))(t)
	var listed []string
	for _, item := range list.GetItems() {
		listed = append(listed, item.GetUri())
	}
	if !slices.Equal(listed, uris) {
		t.Errorf("listed %q, want %q", listed, uris)
	}
	got := must(c.grades.GetLineItem(t.Context(), &ltisidecarv1.GetLineItemRequest{Endpoint: endpoint, LineItemUri: uris[0]}))(t)
	if item := got.GetItem(); item.GetLabel() != "one" || item.GetScoreMaximum() != 20 || item.GetResourceId() != "matrix-one" || item.GetTag() != "matrix" {
		t.Errorf("read %v", item)
	}
	must(c.grades.UpdateLineItem(t.Context(), &ltisidecarv1.UpdateLineItemRequest{
		Endpoint:   endpoint,
		Item:       &ltisidecarv1.LineItem{Uri: uris[0], Label: "changed", ScoreMaximum: proto.Float64(40)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"label", "score_maximum"}},
	}))(t)
	if item := c.item(t, "changed"); item == nil || item.ScoreMaximum != 40 || item.ResourceID != "matrix-one" || item.Tag != "matrix" {
		t.Errorf("after the change the platform has %+v", item)
	}
	_, err := c.grades.DeleteLineItem(t.Context(), &ltisidecarv1.DeleteLineItemRequest{Endpoint: endpoint, LineItemUri: uris[2]})
	if c.name == "openedx" { // its permission list forgets the deletion
		refusedWith(t, "the deletion", err, "SERVICE_REFUSED")
		return
	}
	if err != nil || c.item(t, "three") != nil {
		t.Errorf("deleted: %v; the platform has %+v", err, c.item(t, "three"))
	}
	_, err = c.grades.GetLineItem(t.Context(), &ltisidecarv1.GetLineItemRequest{Endpoint: endpoint, LineItemUri: uris[2]})
	refusedWith(t, "a line item that is deleted", err, "LINE_ITEM_NOT_FOUND")
}

func (c *course) post(t *testing.T, endpoint *ltisidecarv1.GradeEndpoint, user string, given float64) (*ltisidecarv1.ScoreDelivery, error) {
	t.Helper()
	posted, err := c.grades.PostScore(t.Context(), &ltisidecarv1.PostScoreRequest{
		Endpoint: endpoint, MaxWait: durationpb.New(scoreWait),
		Score: &ltisidecarv1.Score{UserId: user, ScoreGiven: proto.Float64(given), ScoreMaximum: proto.Float64(10), Comment: "Well done: ünïcode."},
	})
	return posted.GetDelivery(), err
}

// grade is what the platform has, out of the line item's maximum; nil for none.
func (c *course) grade(t *testing.T, uri, user string) *platformsim.Grade {
	t.Helper()
	for _, item := range c.platform.Gradebook() {
		base, _, _ := strings.Cut(uri, "?")
		if strings.Contains(base, "/"+item.ID) && item.Grades[user] != nil {
			return item.Grades[user]
		}
	}
	return nil
}

// scores posts, repeats in the same second, loses service tokens and an answer, and is refused where it must be.
func (c *course) scores(t *testing.T) {
	endpoint := c.endpoint(t)
	student := c.person(t, c.name, "student5").ID // never launched: a grade needs no launch
	for _, given := range []float64{3, 8.5} {
		delivery, err := c.post(t, endpoint, student, given)
		if err != nil || delivery.GetState() != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Fatalf("a score of %v: %v, %v", given, delivery, err)
		}
		c.platform.RevokeTokens()
		if grade := c.grade(t, endpoint.GetLineItemUri(), student); grade == nil || grade.Score == nil || *grade.Score != given*10 || grade.Comment != "Well done: ünïcode." {
			t.Fatalf("after a score of %v the platform has %+v", given, grade)
		}
	}
	for _, fault := range []platformsim.Fault{platformsim.FaultAnswerLost, platformsim.FaultServiceUnavailable, platformsim.FaultThrottled} {
		if err := c.platform.SetFault(platformsim.FaultSetting{Fault: fault, Endpoint: platformsim.EndpointScores}); err != nil {
			t.Fatal(err)
		}
		user := c.person(t, c.name, map[platformsim.Fault]string{
			platformsim.FaultAnswerLost: "student6", platformsim.FaultServiceUnavailable: "student7", platformsim.FaultThrottled: "student8",
		}[fault]).ID
		delivery, err := c.post(t, endpoint, user, 6)
		if err != nil {
			t.Fatalf("%s: %v", fault, err)
		}
		state := c.settled(t, delivery)
		t.Logf("%s: %v", fault, state)
		unknown := fault == platformsim.FaultAnswerLost && state == ltisidecarv1.DeliveryState_DELIVERY_STATE_UNCONFIRMED
		if state != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED && !unknown {
			t.Errorf("%s: %v", fault, state)
		}
		if grade := c.grade(t, endpoint.GetLineItemUri(), user); grade == nil || grade.Score == nil || *grade.Score != 60 || grade.Posts != 1 {
			t.Errorf("%s: the platform has %+v, want 60, posted once", fault, grade)
		}
		c.platform.ClearFaults()
	}
	if c.name == "openedx" { // it asks nobody who the user is
		return
	}
	_, err := c.post(t, endpoint, "nobody", 1)
	refusedWith(t, "a score for nobody", err, "SCORE_REFUSED")
}

// settled waits until a delivery is no longer under way.
func (c *course) settled(t *testing.T, delivery *ltisidecarv1.ScoreDelivery) ltisidecarv1.DeliveryState {
	t.Helper()
	under := func(d *ltisidecarv1.ScoreDelivery) bool {
		return d.GetState() == ltisidecarv1.DeliveryState_DELIVERY_STATE_QUEUED || d.GetState() == ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERING
	}
	if !under(delivery) {
		return delivery.GetState()
	}
	watch := must(c.grades.WatchScoreDeliveries(t.Context(), &ltisidecarv1.WatchScoreDeliveriesRequest{Registration: c.name}))(t)
	for {
		message, err := watch.Recv()
		if err != nil {
			t.Fatalf("WatchScoreDeliveries: %v", err)
		}
		if d := message.GetDelivery(); d.GetDeliveryId() == delivery.GetDeliveryId() && !under(d) {
			return d.GetState()
		}
	}
}

// results reads grades back, those that a teacher changed too.
func (c *course) results(t *testing.T) {
	endpoint := c.endpoint(t)
	made := must(c.grades.EnsureLineItem(t.Context(), &ltisidecarv1.EnsureLineItemRequest{
		Endpoint: endpoint, Wanted: &ltisidecarv1.LineItem{Label: "results", ScoreMaximum: proto.Float64(50), ResourceId: "matrix-results"},
	}))(t)
	endpoint = proto.Clone(endpoint).(*ltisidecarv1.GradeEndpoint)
	endpoint.LineItemUri, endpoint.CanPostScore = made.GetItem().GetUri(), true
	want := map[string]float64{}
	for i, key := range []string{"student2", "student3", "student4"} {
		person := c.person(t, c.name, key)
		if delivery, err := c.post(t, endpoint, person.ID, float64(i+1)); err != nil || delivery.GetState() != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
			t.Fatalf("score %d: %v, %v", i, delivery, err)
		}
		want[person.ID] = float64(i+1) * 5
	}
	override := 49.0
	if err := c.platform.ChangeGrades(platformsim.GradeChange{LineItem: c.item(t, "results").ID, User: "student3", Override: &override}); err != nil {
		t.Fatal(err)
	}
	want[c.person(t, c.name, "student3").ID] = override
	read := func(user string) map[string]float64 {
		stream := must(c.grades.ListResults(t.Context(), &ltisidecarv1.ListResultsRequest{Endpoint: endpoint, UserId: user}))(t)
		got := map[string]float64{}
		for {
			message, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				t.Fatal("the stream ended without an end message")
			}
			if err != nil {
				t.Fatalf("ListResults: %v", err)
			}
			for _, result := range message.GetBatch().GetResults() {
				got[result.GetUserId()] = result.GetScore()
				if result.GetScoreMaximum() != 50 {
					t.Errorf("result %v, want it out of 50", result)
				}
			}
			if end := message.GetEnd(); end != nil {
				if end.GetResultCount() != int64(len(got)) {
					t.Errorf("the end counts %d results, %d came", end.GetResultCount(), len(got))
				}
				return got
			}
		}
	}
	if got := read(""); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("results %v, want %v", got, want)
	}
	one := c.person(t, c.name, "student4").ID
	if got := read(one); len(got) != 1 || got[one] != want[one] {
		t.Errorf("results of one %v, want %v", got, want[one])
	}
}

// memberships reads the whole roster, a role of it, and small pages.
func (c *course) memberships(t *testing.T) {
	launch := c.open(t, "student", "")
	endpoint := launch.GetMemberships()
	people := map[string]platformsim.Person{}
	learners := 0
	for _, person := range c.platform.People() {
		if person.Role != platformsim.Admin && person.Role != platformsim.Anonymous {
			people[person.ID] = person
		}
		if person.Role == platformsim.Student || (person.Role == platformsim.Assistant && c.name == "moodle") { // its non-editing teachers are learners
			learners++
		}
	}
	for what, request := range map[string]*ltisidecarv1.ListMembersRequest{
		"everybody": {Endpoint: endpoint}, "in pages of 20": {Endpoint: endpoint, PageSizeHint: 20}, "with groups": {Endpoint: endpoint, Groups: true},
	} {
		seen := map[string]bool{}
		for _, member := range c.members(t, request) {
			person, known := people[member.GetUserId()]
			if !known || seen[member.GetUserId()] || member.GetName() != person.Name() || member.GetStatus() != ltisidecarv1.MemberStatus_MEMBER_STATUS_ACTIVE {
				t.Fatalf("%s: member %v, is %+v, seen before: %t", what, member, person, seen[member.GetUserId()])
			}
			if request.GetGroups() && c.platform.NotOffered("groups") == "" && person.Role == platformsim.Student && len(member.GetGroupIds()) == 0 {
				t.Fatalf("%s: %v is in no group", what, member)
			}
			seen[member.GetUserId()] = true
			if member.GetUserId() == launch.GetUser().GetId() && member.GetUserKey() != launch.GetUser().GetKey() {
				t.Errorf("the student's key is %q, in the launch %q", member.GetUserKey(), launch.GetUser().GetKey())
			}
		}
		if len(seen) != len(people) {
			t.Errorf("%s: %d members, want %d", what, len(seen), len(people))
		}
	}
	if got := c.members(t, &ltisidecarv1.ListMembersRequest{Endpoint: endpoint, Role: "Learner", PageSizeHint: 20}); len(got) != learners {
		t.Errorf("%d learners, want %d", len(got), learners)
	}
}

// deepLinking picks content as a teacher, and then opens the link that was made as a student.
func (c *course) deepLinking(t *testing.T) {
	browser := must(c.sim.NewBrowser())(t)
	defer browser.Close()
	request := platformsim.Click{Platform: c.name, Tool: "quiz", User: "teacher", Message: platformsim.MessageDeepLinking}
	response := must(c.launches.ValidateLaunch(t.Context(), &ltisidecarv1.ValidateLaunchRequest{
		Browser:            must(c.loginBy(t, browser, request))(t),
		AcceptMessageTypes: []ltisidecarv1.MessageType{ltisidecarv1.MessageType_MESSAGE_TYPE_DEEP_LINKING},
	}))(t)
	settings := response.GetLaunch().GetDeepLinking()
	if settings.GetDeepLinkingToken() == "" || !slices.Contains(settings.GetAcceptTypes(), "ltiResourceLink") {
		t.Fatalf("settings %v", settings)
	}
	answer := func(items ...*ltisidecarv1.ContentItem) (*ltisidecarv1.BuildDeepLinkingResponseResponse, error) {
		return c.launches.BuildDeepLinkingResponse(t.Context(), &ltisidecarv1.BuildDeepLinkingResponseRequest{
			DeepLinkingToken: settings.GetDeepLinkingToken(), Items: items, Message: "Chosen.",
		})
	}
	item := &ltisidecarv1.ContentItem{Title: "Chapter 7", Kind: &ltisidecarv1.ContentItem_ResourceLink{ResourceLink: &ltisidecarv1.ResourceLinkItem{
		Uri: profileLaunch + "?chapter=7", Custom: map[string]string{"chapter": "7"},
		LineItem: &ltisidecarv1.LineItem{Label: "Chapter 7", ScoreMaximum: proto.Float64(30), ResourceId: "matrix-chapter"},
	}}}
	if !settings.GetAcceptMultiple() {
		_, err := answer(item, item)
		refusedWith(t, "two items where one is wanted", err, "REQUEST_INVALID")
	}
	built := must(answer(item))(t)
	form := platformsim.FormOf([]byte(built.GetReply().GetBody()))
	if form == nil || form.Method != http.MethodPost || form.Get("JWT") != built.GetJwt() || form.Action != built.GetReturnUri() {
		t.Fatalf("the reply has the form %+v", form)
	}
	page := must(browser.Return(t.Context(), form))(t)
	log := c.platform.DeepLinkingResponses()
	if len(log) == 0 {
		t.Fatalf("no response came: %d %s", page.Status, page.Body)
	}
	taken := log[len(log)-1]
	if page.Status != http.StatusOK || taken.Error != "" || len(taken.Links) != 1 {
		t.Fatalf("the platform answers %d and has %+v", page.Status, taken)
	}
	made := c.item(t, "Chapter 7")
	if made == nil || made.ScoreMaximum != 30 || made.ResourceLinkID != taken.Links[0] {
		t.Errorf("line item %+v of link %s", made, taken.Links[0])
	}
	launch := c.open(t, "student", taken.Links[0])
	if launch.GetResourceLink().GetId() != taken.Links[0] || launch.GetTargetLinkUri() != profileLaunch+"?chapter=7" || launch.GetCustom()["chapter"] != "7" {
		t.Errorf("the new link %v leads to %q with %v", launch.GetResourceLink(), launch.GetTargetLinkUri(), launch.GetCustom())
	}
	if delivery, err := c.post(t, launch.GetGrades(), launch.GetUser().GetId(), 5); err != nil || delivery.GetState() != ltisidecarv1.DeliveryState_DELIVERY_STATE_DELIVERED {
		t.Errorf("a score for the new link: %v, %v", delivery, err)
	}
	if grade := c.item(t, "Chapter 7").Grades[launch.GetUser().GetId()]; grade == nil || grade.Score == nil || *grade.Score != 15 {
		t.Errorf("the platform has %+v, want 15 of 30", grade)
	}
	// The author who chooses nothing is taken back, too.
	cancelled := must(answer())(t)
	page = must(browser.Return(t.Context(), platformsim.FormOf([]byte(cancelled.GetReply().GetBody()))))(t)
	log = c.platform.DeepLinkingResponses()
	if last := log[len(log)-1]; page.Status != http.StatusOK || last.Error != "" || len(last.Links) != 0 {
		t.Errorf("nothing chosen: the platform answers %d and has %+v", page.Status, last)
	}
}

// envelope is one Caliper event.
func envelope(id string) string {
	return `{"sensor":"https://tool.example/sensor","sendTime":"2026-01-15T10:00:00.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p2",` +
		`"data":[{"@context":"http://purl.imsglobal.org/ctx/caliper/v1p2","type":"ViewEvent","id":"urn:uuid:` + id + `","action":"Viewed"}]}`
}

func (c *course) sendEvents(t *testing.T) {
	endpoint := c.open(t, "student", "").GetEvents()
	if endpoint.GetCaliperEndpointUri() == "" || !strings.HasPrefix(endpoint.GetFederatedSessionId(), "urn:uuid:") {
		t.Fatalf("endpoint %v", endpoint)
	}
	const id = "0b8a2b53-40a1-4d5b-9d3f-2f5e6c1a7b90"
	sent := must(c.events.SendEvents(t.Context(), &ltisidecarv1.SendEventsRequest{Endpoint: endpoint, EnvelopeJson: envelope(id)}))(t)
	if sent.GetState() != ltisidecarv1.EventDeliveryState_EVENT_DELIVERY_STATE_DELIVERED {
		t.Errorf("%v", sent)
	}
	log := c.platform.EventRequests()
	if len(log) == 0 || log[len(log)-1].Error != "" || log[len(log)-1].Events != 1 || !json.Valid(log[len(log)-1].Envelope) ||
		!strings.Contains(string(log[len(log)-1].Envelope), id) {
		t.Errorf("the platform has %+v", log)
	}
}

func (c *course) noEvents(t *testing.T) {
	launch := c.open(t, "student", "")
	if launch.GetEvents() != nil {
		t.Errorf("the launch has %v", launch.GetEvents())
	}
	_, err := c.events.SendEvents(t.Context(), &ltisidecarv1.SendEventsRequest{
		Endpoint:     &ltisidecarv1.EventEndpoint{Registration: c.name, DeploymentId: launch.GetDeploymentId()},
		EnvelopeJson: envelope("0b8a2b53-40a1-4d5b-9d3f-2f5e6c1a7b91"),
	})
	refusedWith(t, "an event", err, "SERVICE_NOT_OFFERED")
}

func (c *course) groups(t *testing.T) {
	endpoint := c.open(t, "student", "").GetGroups()
	list := must(c.rosters.ListGroups(t.Context(), &ltisidecarv1.ListGroupsRequest{Endpoint: endpoint}))(t)
	truth, sets := c.platform.Groups(), c.platform.GroupSets()
	if len(list.GetGroups()) != len(truth) || len(list.GetSets()) != len(sets) || len(truth) == 0 {
		t.Fatalf("%d groups and %d sets, want %d and %d", len(list.GetGroups()), len(list.GetSets()), len(truth), len(sets))
	}
	student := c.person(t, c.name, "student").ID
	var mine []string
	for i, group := range truth {
		if got := list.GetGroups()[i]; got.GetId() != group.ID || got.GetName() != group.Name ||
			(len(sets) > 0 && group.SetID != "" && !slices.Equal(got.GetSetIds(), []string{group.SetID})) {
			t.Errorf("group %v, want %+v", got, group)
		}
		if slices.Contains(group.Members, student) {
			mine = append(mine, group.ID)
		}
	}
	own := must(c.rosters.ListGroups(t.Context(), &ltisidecarv1.ListGroupsRequest{Endpoint: endpoint, UserId: student}))(t)
	var got []string
	for _, group := range own.GetGroups() {
		got = append(got, group.GetId())
	}
	if !slices.Equal(got, mine) {
		t.Errorf("the student is in %q, want %q", got, mine)
	}
}

func (c *course) noGroups(t *testing.T) {
	launch := c.open(t, "student", "")
	if launch.GetGroups() != nil {
		t.Errorf("the launch has %v", launch.GetGroups())
	}
	_, err := c.rosters.ListGroups(t.Context(), &ltisidecarv1.ListGroupsRequest{
		Endpoint: &ltisidecarv1.GroupEndpoint{Registration: c.name, DeploymentId: launch.GetDeploymentId()},
	})
	refusedWith(t, "ListGroups", err, "SERVICE_NOT_OFFERED")
}
