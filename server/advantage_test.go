// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// startEverywhere makes a sidecar that is registered with all platforms, under their dialects, and accepts every message.
func startEverywhere(t *testing.T) *sidecar {
	t.Helper()
	return start(t, func(s *settings) {
		s.registrations = nil
		for _, name := range platformsim.ProfileNames() {
			r := registrationAt(name, "quiz")
			r.Dialect, r.MessageTypes = name, lti.MessageTypes()
			s.registrations = append(s.registrations, r)
		}
	})
}

// pick launches as a teacher who picks content.
func (c *sidecar) pick(name string) (*attempt, *pb.Launch) {
	c.t.Helper()
	a := c.begin(platformsim.Click{Platform: name, User: "teacher", Message: platformsim.MessageDeepLinking})
	a.launch.AcceptMessageTypes = []pb.MessageType{pb.MessageType_MESSAGE_TYPE_DEEP_LINKING}
	answer := must(a.validate())(c.t)
	l := answer.GetLaunch()
	c.secret("deep linking token", l.GetDeepLinking().GetDeepLinkingToken())
	return a, l
}

// quizItem is a link back to the tool.
func quizItem(name string) *pb.ContentItem {
	return &pb.ContentItem{Title: "Quiz " + name, Text: "Seven questions", Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{
		Uri: launchURI, Custom: map[string]string{"quiz": "7"},
	}}}
}

// What an author picks comes back as a link of the course, on every platform that there is, as strictly as it checks.
//
// REQ-203 REQ-204 REQ-207 REQ-213 REQ-214
func TestDeepLinking(t *testing.T) {
	c := startEverywhere(t)
	for _, name := range platformsim.ProfileNames() {
		t.Run(name, func(t *testing.T) {
			there := sim.Platform(name)
			a, l := c.pick(name)
			item := quizItem(name)
			settings := l.GetDeepLinking()
			if settings.GetAcceptLineItem() || name == "canvas" || name == "moodle" {
				item.GetResourceLink().LineItem = &pb.LineItem{ScoreMaximum: proto.Float64(12), Tag: "quiz"}
				if settings.AcceptLineItem != nil && !settings.GetAcceptLineItem() {
					item.GetResourceLink().LineItem = nil
				}
			}
			answer := must(c.launches.BuildDeepLinkingResponse(t.Context(), &pb.BuildDeepLinkingResponseRequest{
				DeepLinkingToken: settings.GetDeepLinkingToken(), Items: []*pb.ContentItem{item}, Message: "One quiz",
			}))(t)
			form := platformsim.FormOf([]byte(answer.Reply.Body))
			if form == nil || form.Action != answer.ReturnUri || answer.ReturnUri != settings.ReturnUri || form.Get("JWT") != answer.Jwt || answer.Reply.Status != 200 {
				t.Fatalf("reply = %v", answer.Reply)
			}
			before := len(there.DeepLinkingResponses())
			page := must(a.browser.Return(t.Context(), form))(t)
			responses := there.DeepLinkingResponses()
			if len(responses) != before+1 || responses[before].Error != "" || len(responses[before].Links) != 1 {
				t.Fatalf("page %d; responses %+v", page.Status, responses[before:])
			}
			made := c.launchTool(platformsim.Click{Platform: name, User: "student", Link: responses[before].Links[0]})
			if made.ResourceLink.GetId() == "" || made.Custom["quiz"] != "7" && name != "schoology" {
				t.Errorf("the link that was made: %v, custom %v", made.ResourceLink, made.Custom)
			}

			// Who chooses nothing is taken back as well.
			a, l = c.pick(name)
			cancelled := must(c.launches.BuildDeepLinkingResponse(t.Context(), &pb.BuildDeepLinkingResponseRequest{DeepLinkingToken: l.DeepLinking.DeepLinkingToken, ErrorMessage: "Nothing chosen"}))(t)
			must(a.browser.Return(t.Context(), platformsim.FormOf([]byte(cancelled.Reply.Body))))(t)
			responses = there.DeepLinkingResponses()
			if last := responses[len(responses)-1]; last.Error != "" || len(last.Links) != 0 {
				t.Errorf("cancelled: %+v", last)
			}
		})
	}
}

// Every member of the API's items arrives in what is signed.
func TestContentItemsAreConvertedWhole(t *testing.T) {
	s := startSchool(t)
	at := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	launched := s.message(pb.MessageType_MESSAGE_TYPE_DEEP_LINKING, "LtiDeepLinkingRequest", claimSet{lti.ClaimDeepLinkingSettings: claimSet{
		"deep_link_return_url": schoolIssuer + "/return", "accept_types": []any{"link", "ltiResourceLink", "file", "html", "image", "ltiAssetProcessor", "urn:poll"},
		"accept_presentation_document_targets": []any{"iframe", "window", "embed"}, "accept_multiple": true,
	}})
	image := &pb.ContentImage{Uri: "https://x.example/i", Width: 1, Height: 2}
	window := &pb.ContentWindow{TargetName: "n", Width: 3, Height: 4, WindowFeatures: "f"}
	times := &pb.TimeWindow{StartTime: timestamppb.New(at), EndTime: timestamppb.New(at.Add(time.Second))}
	items := []*pb.ContentItem{
		{Title: "T", Text: "X", Icon: image, Thumbnail: image, ExtensionsJson: `{"urn:e:x":[1]}`, Kind: &pb.ContentItem_Link{Link: &pb.LinkItem{
			Uri: "https://x.example/", EmbedHtml: "<i>", Window: window, Iframe: &pb.ContentIframe{SrcUri: "https://x.example/f", Width: 5, Height: 6},
		}}},
		{Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{
			Uri: launchURI, Custom: map[string]string{"a": "b"}, Window: window, Iframe: &pb.ContentIframe{Width: 5, Height: 6}, Available: times, Submission: times,
			LineItem: &pb.LineItem{Label: "L", ScoreMaximum: proto.Float64(2.5), ResourceId: "r", Tag: "t", GradesReleased: proto.Bool(false), SubmissionReview: &pb.SubmissionReview{
				ReviewableStatus: []string{"Submitted"}, Label: "R", Uri: launchURI, Custom: map[string]string{"c": "d"},
			}},
		}}},
		{Kind: &pb.ContentItem_File{File: &pb.FileItem{Uri: "https://x.example/f", ExpireTime: timestamppb.New(at), MediaType: "text/plain"}}},
		{Kind: &pb.ContentItem_Html{Html: &pb.HtmlItem{Html: "<b>"}}},
		{Kind: &pb.ContentItem_Image{Image: &pb.ImageItem{Uri: "https://x.example/p", Width: 7, Height: 8}}},
		{Kind: &pb.ContentItem_AssetProcessor{AssetProcessor: &pb.AssetProcessorItem{Uri: launchURI, Custom: map[string]string{"e": "f"}, ReportJson: `{"x":1}`}}},
		{Kind: &pb.ContentItem_Other{Other: &pb.OtherItem{Type: "urn:poll", MembersJson: `{"choices":2}`}}},
	}
	answer := must(s.launches.BuildDeepLinkingResponse(t.Context(), &pb.BuildDeepLinkingResponseRequest{
		DeepLinkingToken: launched.DeepLinking.DeepLinkingToken, Items: items, Message: "m", Log: "l", ErrorMessage: "em", ErrorLog: "el", CspNonce: "bm9u",
	}))(t)
	claims := payloadOf(t, answer.Jwt)
	got := string(must(json.Marshal([]any{claims[lti.ClaimContentItems], claims[lti.ClaimDeepLinkingMessage], claims[lti.ClaimDeepLinkingLog], claims[lti.ClaimDeepLinkingErrorMessage], claims[lti.ClaimDeepLinkingErrorLog]}))(t))
	span := `{"endDateTime":"2099-01-02T03:04:06Z","startDateTime":"2099-01-02T03:04:05Z"}`
	icon, win := `{"height":2,"url":"https://x.example/i","width":1}`, `{"height":4,"targetName":"n","width":3,"windowFeatures":"f"}`
	want := `[[{"embed":{"html":"\u003ci\u003e"},"icon":` + icon + `,"iframe":{"height":6,"src":"https://x.example/f","width":5},"text":"X","thumbnail":` + icon + `,"title":"T","type":"link","url":"https://x.example/","urn:e:x":[1],"window":` + win + `},` +
		`{"available":` + span + `,"custom":{"a":"b"},"iframe":{"height":6,"width":5},"lineItem":{"gradesReleased":false,"label":"L","resourceId":"r","scoreMaximum":2.5,"submissionReview":{"custom":{"c":"d"},"label":"R","reviewableStatus":["Submitted"],"url":"` + launchURI + `"},"tag":"t"},"submission":` + span + `,"type":"ltiResourceLink","url":"` + launchURI + `","window":` + win + `},` +
		`{"expiresAt":"2099-01-02T03:04:05Z","mediaType":"text/plain","type":"file","url":"https://x.example/f"},{"html":"\u003cb\u003e","type":"html"},` +
		`{"height":8,"type":"image","url":"https://x.example/p","width":7},{"custom":{"e":"f"},"report":{"x":1},"type":"ltiAssetProcessor","url":"` + launchURI + `"},{"choices":2,"type":"urn:poll"}],"m","l","em","el"]`
	if got != want {
		t.Errorf("signed\n%s, want\n%s", got, want)
	}
	if !strings.Contains(answer.Reply.Body, `nonce="bm9u"`) {
		t.Error("the CSP nonce is not in the page")
	}

	for field, item := range map[string]*pb.ContentItem{
		"items[0].kind":                                  {Title: "T"},
		"items[0].other.type":                            {Kind: &pb.ContentItem_Other{Other: &pb.OtherItem{Type: "link"}}},
		"items[0].file.expire_time":                      {Kind: &pb.ContentItem_File{File: &pb.FileItem{Uri: "https://x.example/", ExpireTime: &timestamppb.Timestamp{Nanos: -1}}}},
		"items[0].resource_link.available.start_time":    {Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{Available: &pb.TimeWindow{StartTime: &timestamppb.Timestamp{Nanos: -1}}}}},
		"items[0].resource_link.submission.end_time":     {Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{Submission: &pb.TimeWindow{EndTime: &timestamppb.Timestamp{Nanos: -1}}}}},
		"items[0].resource_link.line_item.uri":           {Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{LineItem: &pb.LineItem{Uri: "https://x.example/"}}}},
		"items[0].resource_link.line_item.start_time":    {Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{LineItem: &pb.LineItem{StartTime: timestamppb.Now()}}}},
		"items[0].resource_link.line_item.score_maximum": {Title: "T", Kind: &pb.ContentItem_ResourceLink{ResourceLink: &pb.ResourceLinkItem{LineItem: &pb.LineItem{}}}},
	} {
		_, err := s.launches.BuildDeepLinkingResponse(t.Context(), &pb.BuildDeepLinkingResponseRequest{DeepLinkingToken: launched.DeepLinking.DeepLinkingToken, Items: []*pb.ContentItem{item}})
		if r := refused(t, err, lti.ReasonRequestInvalid); r.info.Metadata["field"] != field {
			t.Errorf("%s: %v %s", field, r.info.Metadata, r.message)
		}
	}
	_, err := s.launches.BuildDeepLinkingResponse(t.Context(), &pb.BuildDeepLinkingResponseRequest{DeepLinkingToken: "x"})
	refused(t, err, lti.ReasonLaunchTokenInvalid)
}

// payloadOf decodes the claims of a JWT without looking at its signature.
func payloadOf(t *testing.T, jwt string) map[string]any {
	t.Helper()
	var claims map[string]any
	check(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1]))(t), &claims))
	return claims
}

// REQ-245
func TestListGroups(t *testing.T) {
	c := startEverywhere(t)
	for _, name := range platformsim.ProfileNames() {
		there := sim.Platform(name)
		l := c.launchAt(name, "student")
		if offered := name == "blackboard" || name == "sakai"; offered != (l.Groups != nil) {
			t.Fatalf("%s: groups %v", name, l.Groups)
		} else if !offered {
			continue
		}
		student := l.User.Id
		var all, mine []string
		for _, g := range there.Groups() {
			all = append(all, g.ID)
			if slices.Contains(g.Members, student) {
				mine = append(mine, g.ID)
			}
		}
		ids := func(request *pb.ListGroupsRequest) (found []string) {
			t.Helper()
			request.Endpoint = l.Groups
			answer := must(c.rosters.ListGroups(t.Context(), request))(t)
			for _, g := range answer.Groups {
				found = append(found, g.Id)
			}
			if len(answer.Sets) != len(there.GroupSets()) || len(answer.Groups) > 0 && (answer.Groups[0].Name == "" || len(answer.Groups[0].SetIds) > 0 != (len(answer.Sets) > 0)) {
				t.Errorf("%s: %v", name, answer)
			}
			return found
		}
		// Sakai's links to further pages lead nowhere: a page size must not cost groups there.
		for _, size := range []int32{0, 1, 4, 1000} {
			if got := ids(&pb.ListGroupsRequest{PageSizeHint: size}); !slices.Equal(got, all) || len(all) < 2 {
				t.Errorf("%s: groups %q, want %q", name, got, all)
			}
		}
		if got := ids(&pb.ListGroupsRequest{UserId: student}); !slices.Equal(got, mine) || len(mine) == 0 {
			t.Errorf("%s: groups of the student %q, want %q", name, got, mine)
		}
		r := must(c.members(&pb.ListMembersRequest{Endpoint: l.Memberships, Groups: true}))(t)
		own := slices.IndexFunc(r.members, func(m *pb.Member) bool { return m.UserId == student })
		if own < 0 || !slices.Equal(r.members[own].GroupIds, mine) {
			t.Errorf("%s: the roster has the groups %q, want %q", name, r.members[max(own, 0)].GroupIds, mine)
		}
	}
	_, err := c.rosters.ListGroups(t.Context(), &pb.ListGroupsRequest{})
	if r := refused(t, err, lti.ReasonRequestInvalid); r.info.Metadata["field"] != "endpoint" {
		t.Error(r.info)
	}
	l := c.launchAt("blackboard", "student")
	for field, request := range map[string]*pb.ListGroupsRequest{
		"page_size_hint":                  {Endpoint: l.Groups, PageSizeHint: 1001},
		"user_id":                         {Endpoint: l.Groups, UserId: strings.Repeat("u", 4*lti.MaxIDLength+1)},
		"endpoint.context_groups_uri":     {Endpoint: &pb.GroupEndpoint{Registration: "blackboard", DeploymentId: l.DeploymentId, ContextGroupsUri: "https://" + strings.Repeat("x", 4096)}},
		"endpoint.context_group_sets_uri": {Endpoint: &pb.GroupEndpoint{Registration: "blackboard", DeploymentId: l.DeploymentId, ContextGroupSetsUri: "https://" + strings.Repeat("x", 4096)}},
	} {
		_, err := c.rosters.ListGroups(t.Context(), request)
		if r := refused(t, err, lti.ReasonRequestInvalid); r.info.Metadata["field"] != field {
			t.Errorf("%s: %v", field, r.info)
		}
	}
	// A token goes to no other origin, whoever wrote the address.
	elsewhere := proto.Clone(l.Groups).(*pb.GroupEndpoint)
	elsewhere.ContextGroupsUri = "https://evil.example/groups"
	_, err = c.rosters.ListGroups(t.Context(), &pb.ListGroupsRequest{Endpoint: elsewhere})
	refused(t, err, lti.ReasonServiceOriginPending)
	elsewhere = proto.Clone(l.Groups).(*pb.GroupEndpoint)
	elsewhere.ContextGroupSetsUri = "https://evil.example/sets"
	_, err = c.rosters.ListGroups(t.Context(), &pb.ListGroupsRequest{Endpoint: elsewhere})
	refused(t, err, lti.ReasonServiceOriginPending)
}

// REQ-246
func TestSendEvents(t *testing.T) {
	c := startEverywhere(t)
	l := c.launchAt("brightspace", "student")
	there := sim.Platform("brightspace")
	if l.Events.GetCaliperEndpointUri() == "" || !strings.HasPrefix(l.Events.FederatedSessionId, "urn:uuid:") {
		t.Fatalf("events = %v", l.Events)
	}
	if other := c.launchAt("canvas", "student"); other.Events != nil {
		t.Errorf("events of canvas: %v", other.Events)
	}
	const envelope = `{"sensor":"https://tool.example/sensor","sendTime":"2031-01-15T10:00:00.000Z","dataVersion":"http://purl.imsglobal.org/ctx/caliper/v1p2","data":[{"type":"ViewEvent","id":"urn:uuid:%d"}]}`
	before := time.Now().Add(-time.Second)
	answer := must(c.events.SendEvents(t.Context(), &pb.SendEventsRequest{Endpoint: l.Events, EnvelopeJson: fmt.Sprintf(envelope, 1)}))(t)
	if answer.State != pb.EventDeliveryState_EVENT_DELIVERY_STATE_DELIVERED || answer.DeliverTime.AsTime().Before(before) {
		t.Errorf("answer = %v", answer)
	}
	requests := there.EventRequests()
	if len(requests) != 1 || requests[0].Error != "" || string(requests[0].Envelope) != fmt.Sprintf(envelope, 1) {
		t.Errorf("requests = %+v", requests)
	}
	for field, request := range map[string]*pb.SendEventsRequest{
		"endpoint":                      {EnvelopeJson: fmt.Sprintf(envelope, 2)},
		"envelope_json":                 {Endpoint: l.Events, EnvelopeJson: "{}"},
		"endpoint.caliper_endpoint_uri": {Endpoint: &pb.EventEndpoint{Registration: "brightspace", DeploymentId: l.DeploymentId, CaliperEndpointUri: "https://" + strings.Repeat("x", 4096)}, EnvelopeJson: fmt.Sprintf(envelope, 2)},
	} {
		_, err := c.events.SendEvents(t.Context(), request)
		if r := refused(t, err, lti.ReasonRequestInvalid); r.info.Metadata["field"] != field {
			t.Errorf("%s: %v", field, r.info)
		}
	}
	elsewhere := proto.Clone(l.Events).(*pb.EventEndpoint)
	elsewhere.CaliperEndpointUri = "https://evil.example/caliper"
	for _, durable := range []bool{false, true} {
		_, err := c.events.SendEvents(t.Context(), &pb.SendEventsRequest{Endpoint: elsewhere, EnvelopeJson: fmt.Sprintf(envelope, 2), Durable: durable})
		refused(t, err, lti.ReasonServiceOriginPending)
	}
	if requests := there.EventRequests(); len(requests) != 1 {
		t.Errorf("%d requests", len(requests))
	}

	// Kept ones are answered before they arrive, and arrive.
	answer = must(c.events.SendEvents(t.Context(), &pb.SendEventsRequest{Endpoint: l.Events, EnvelopeJson: fmt.Sprintf(envelope, 3), Durable: true}))(t)
	if answer.State != pb.EventDeliveryState_EVENT_DELIVERY_STATE_QUEUED || answer.DeliverTime != nil {
		t.Errorf("answer = %v", answer)
	}
	look, patience := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer look.Stop()
	for len(there.EventRequests()) < 2 {
		select {
		case <-look.C:
		case <-patience:
			t.Fatal("the kept envelope did not arrive")
		}
	}
	if last := there.EventRequests()[1]; last.Error != "" || string(last.Envelope) != fmt.Sprintf(envelope, 3) {
		t.Errorf("it came as %+v", last)
	}
}

// The origins of the groups and Caliper claims are learned from a launch, as those of the other services are.
func TestOriginsOfFurtherServicesAreLearned(t *testing.T) {
	for name, claims := range map[string]claimSet{
		"https://groups.example":  {lti.ClaimGroups: claimSet{"context_groups_url": "https://groups.example/g", "scope": []any{lti.ScopeGroups}}},
		"https://caliper.example": {lti.ClaimCaliper: claimSet{"caliper_endpoint_url": "https://caliper.example/c", "scopes": []any{lti.ScopeSendEvents}}},
	} {
		s := startSchool(t)
		claims[lti.ClaimTargetLinkURI], claims[lti.ClaimResourceLink] = launchURI, claimSet{"id": "l"}
		l := s.message(pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK, "LtiResourceLinkRequest", claims)
		if l.Groups != nil {
			equalProto(t, "groups", l.Groups, &pb.GroupEndpoint{Registration: "school", DeploymentId: "d1", ContextGroupsUri: "https://groups.example/g", Scopes: []string{lti.ScopeGroups}})
		} else {
			equalProto(t, "events", l.Events, &pb.EventEndpoint{Registration: "school", DeploymentId: "d1", CaliperEndpointUri: "https://caliper.example/c", Scopes: []string{lti.ScopeSendEvents}})
		}
		if origins := must(s.learned.Origins(t.Context(), &platform.Registration{Issuer: schoolIssuer, ClientID: schoolClient}, "d1"))(t); !slices.Contains(origins, name) {
			t.Errorf("origins = %q, want %s among them", origins, name)
		}
	}
}
