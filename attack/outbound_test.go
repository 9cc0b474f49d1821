// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// entry is a place where a tool hands a URI in.
type entry struct {
	name string
	call func(s *stack, registration, deployment, uri string) error
	read bool // it sends one GET, whose answer is a whole list or item
	good int  // requests to the platform that come before the one to the URI
}

// gradesAt returns an endpoint whose URIs are all good but for the one that a call replaces.
func (s *stack) gradesAt(registration, deployment string, change func(*pb.GradeEndpoint)) *pb.GradeEndpoint {
	endpoint := &pb.GradeEndpoint{
		Registration: registration, DeploymentId: deployment, LineItemUri: s.services.url + "/services/items/1", LineItemsUri: s.services.url + "/services/items",
		Scopes: []string{lti.ScopeScore, lti.ScopeLineItem, lti.ScopeResultReadOnly},
	}
	change(endpoint)
	return endpoint
}

// drain reads a stream to its end.
func drain[T any](stream grpc.ServerStreamingClient[T], err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func unchanged(*pb.GradeEndpoint) {}

var maximum = 10.0

// entries are all of them.
var entries = []entry{
	{"PostScore", func(s *stack, registration, deployment, uri string) error {
		endpoint := s.gradesAt(registration, deployment, func(e *pb.GradeEndpoint) { e.LineItemUri = uri })
		_, err := s.grades.PostScore(s.t.Context(), &pb.PostScoreRequest{Endpoint: endpoint, Score: &pb.Score{UserId: "u", ScoreGiven: &maximum, ScoreMaximum: &maximum}})
		return err
	}, false, 0},
	{"GetLineItem of the endpoint", func(s *stack, registration, deployment, uri string) error {
		endpoint := s.gradesAt(registration, deployment, func(e *pb.GradeEndpoint) { e.LineItemUri = uri })
		_, err := s.grades.GetLineItem(s.t.Context(), &pb.GetLineItemRequest{Endpoint: endpoint})
		return err
	}, true, 0},
	{"GetLineItem", func(s *stack, registration, deployment, uri string) error {
		_, err := s.grades.GetLineItem(s.t.Context(), &pb.GetLineItemRequest{Endpoint: s.gradesAt(registration, deployment, unchanged), LineItemUri: uri})
		return err
	}, true, 0},
	{"UpdateLineItem", func(s *stack, registration, deployment, uri string) error {
		_, err := s.grades.UpdateLineItem(s.t.Context(), &pb.UpdateLineItemRequest{Endpoint: s.gradesAt(registration, deployment, unchanged), Item: &pb.LineItem{Uri: uri, Label: "x"}})
		return err
	}, false, 0},
	{"DeleteLineItem", func(s *stack, registration, deployment, uri string) error {
		_, err := s.grades.DeleteLineItem(s.t.Context(), &pb.DeleteLineItemRequest{Endpoint: s.gradesAt(registration, deployment, unchanged), LineItemUri: uri})
		return err
	}, false, 0},
	{"ListLineItems", func(s *stack, registration, deployment, uri string) error {
		endpoint := s.gradesAt(registration, deployment, func(e *pb.GradeEndpoint) { e.LineItemsUri = uri })
		_, err := s.grades.ListLineItems(s.t.Context(), &pb.ListLineItemsRequest{Endpoint: endpoint})
		return err
	}, true, 0},
	{"EnsureLineItem", func(s *stack, registration, deployment, uri string) error {
		endpoint := s.gradesAt(registration, deployment, func(e *pb.GradeEndpoint) { e.LineItemsUri = uri })
		_, err := s.grades.EnsureLineItem(s.t.Context(), &pb.EnsureLineItemRequest{Endpoint: endpoint, Wanted: &pb.LineItem{Label: "Quiz", ScoreMaximum: &maximum, Tag: "t"}})
		return err
	}, false, 0},
	{"ListResults", func(s *stack, registration, deployment, uri string) error {
		return drain(s.grades.ListResults(s.t.Context(), &pb.ListResultsRequest{Endpoint: s.gradesAt(registration, deployment, unchanged), LineItemUri: uri}))
	}, true, 0},
	{"ListMembers", func(s *stack, registration, deployment, uri string) error {
		endpoint := &pb.MembershipEndpoint{Registration: registration, DeploymentId: deployment, ContextMembershipsUri: uri}
		return drain(s.rosters.ListMembers(s.t.Context(), &pb.ListMembersRequest{Endpoint: endpoint}))
	}, true, 0},
	{"ListMembers of differences", func(s *stack, registration, deployment, uri string) error {
		endpoint := &pb.MembershipEndpoint{Registration: registration, DeploymentId: deployment, ContextMembershipsUri: s.services.url + "/services/members"}
		return drain(s.rosters.ListMembers(s.t.Context(), &pb.ListMembersRequest{Endpoint: endpoint, DifferencesUri: uri}))
	}, true, 0},
	{"ListGroups", func(s *stack, registration, deployment, uri string) error {
		_, err := s.rosters.ListGroups(s.t.Context(), &pb.ListGroupsRequest{Endpoint: &pb.GroupEndpoint{Registration: registration, DeploymentId: deployment, ContextGroupsUri: uri}})
		return err
	}, true, 0},
	{"ListGroups of sets", func(s *stack, registration, deployment, uri string) error {
		_, err := s.rosters.ListGroups(s.t.Context(), &pb.ListGroupsRequest{Endpoint: &pb.GroupEndpoint{
			Registration: registration, DeploymentId: deployment, ContextGroupsUri: s.services.url + "/services/groups", ContextGroupSetsUri: uri,
		}})
		return err
	}, false, 1},
	{"SendEvents", func(s *stack, registration, deployment, uri string) error {
		endpoint := &pb.EventEndpoint{Registration: registration, DeploymentId: deployment, CaliperEndpointUri: uri}
		_, err := s.events.SendEvents(s.t.Context(), &pb.SendEventsRequest{Endpoint: endpoint, EnvelopeJson: `{"sensor":"s","sendTime":"2031-01-01T00:00:00.000Z","dataVersion":"v1p2","data":[{"id":"urn:uuid:1"}]}`})
		return err
	}, false, 0},
}

// spellings are the strings of the open redirects, with the platform in the place of the tool and the tripwire in that of
// the attacker, and those that only an HTTP client could misread.
func (s *stack) spellings() []string {
	own := strings.TrimPrefix(s.services.url, "https://")
	_, port, _ := net.SplitHostPort(s.tripwire.address)
	var list []string
	replacer := strings.NewReplacer("tool.example", own, "evil.example", s.tripwire.address)
	for _, text := range redirects() {
		list = append(list, replacer.Replace(text))
	}
	for _, host := range []string{
		"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
		"[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[fe80::1%25lo]", "①②⑦.⓪.⓪.①", "127。0。0。1", "ip6-localhost", "127.0.0.1.nip.io", "169.254.169.254", "metadata.google.internal", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[fd00::1]",
	} {
		list = append(list, "https://"+host+":"+port+"/x", "http://"+host+":"+port+"/x", "https://"+own+"@"+host+":"+port+"/x")
	}
	for _, scheme := range []string{"ftp", "file", "gopher", "dict", "ldap", "unix", "tftp", "jar:https", "ws", "wss", "data", "javascript", "http+unix"} {
		list = append(list, scheme+"://"+s.tripwire.address+"/x")
	}
	for _, rest := range []string{"/x y", "/x\r\nHost: " + s.tripwire.address, "/x\nX: y", "/x\x00", "/x\x7f", "/x\t", `/x\y`, "/x HTTP/1.1\r\nHost: " + s.tripwire.address + "\r\n\r\n"} {
		list = append(list, "https://"+own+rest)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// note records a vector and says what went wrong with it.
func (s *stack) note(name string, attack bool, problems ...string) {
	s.t.Helper()
	for _, problem := range problems {
		s.t.Errorf("S %s: %s", name, problem)
	}
	record("S", attack, len(problems) == 0)
}

// confined makes a call and returns what went wrong: a reason that is none of the wanted ones, a defect, more requests to
// the platform than allowed, or anything that reached a tripwire or left with another token than the platform's.
func (s *stack) confined(call func() error, requests int, wires []*tripwire, want ...lti.Reason) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	errorsBefore := s.errors.Load()
	err := call()
	if reason := infoOf(err).GetReason(); !slices.Contains(want, lti.Reason(reason)) || reason == "" && err != nil {
		wrong("reason %q, want one of %q (%v)", reason, want, err)
	}
	tokens, sent, strange := s.services.counted()
	if strange > 0 || sent > requests || requests == 0 && tokens > 0 {
		wrong("%d token requests and %d requests came, %d of them without the token; at most %d are in order", tokens, sent, strange, requests)
	}
	if s.errors.Load() != errorsBefore {
		wrong("it was logged as a defect")
	}
	for _, wire := range append(wires, s.tripwire) {
		if visits := wire.visits.Swap(0); visits != 0 {
			wrong("%d connections reached %s", visits, wire.address)
		}
	}
	return problems
}

// TestURIsOfTheTool hands in every spelling at every entry. None may cause a request of any kind.
//
// REQ-202
func TestURIsOfTheTool(t *testing.T) {
	s := newStackOf(t, 1, addServices)
	list := s.spellings()
	for _, e := range entries {
		for _, uri := range list {
			s.services.set(nil)
			problems := s.confined(func() error { return e.call(s, "services", "d1", uri) }, e.good, nil, lti.ReasonServiceOriginPending, lti.ReasonRequestInvalid)
			s.note(fmt.Sprintf("%s %.120q", e.name, uri), true, problems...)
		}
	}
	if len(list) < 300 {
		t.Errorf("only %d spellings", len(list))
	}
	// The platform's own URIs work, however odd they look.
	own := strings.TrimPrefix(s.services.url, "https://")
	for _, uri := range []string{
		"https://" + own + "/x", "HTTPS://" + own + "/x", "https://" + own + "/x?next=https://" + s.tripwire.address, "https://" + own + "/@" + s.tripwire.address, "https://" + own + "/%40" + s.tripwire.address, "https://" + own + "//" + s.tripwire.address + "/",
		"https://" + own + "/%2f%2f" + s.tripwire.address, "https://" + own + "/a/../b", "https://" + own + "/a;b=c:d", "https://" + own + "/x?u=//" + s.tripwire.address + "&v=a@b", "https://" + own + "/:::site:::content:6", "https://" + own + "/%2e%2e/x?type_id=3",
	} {
		for _, e := range entries {
			if !e.read {
				continue
			}
			s.services.set(nil)
			problems := s.confined(func() error { return e.call(s, "services", "d1", uri) }, 1, nil, "")
			s.note(fmt.Sprintf("odd: %s %q", e.name, uri), false, problems...)
		}
	}
}

// addServices adds a platform whose token endpoint and services answer.
func addServices(s *stack, add addParty) {
	add("services", platformKey, func(r *platform.Registration) { r.TokenURI = s.services.url + "/services/token" })
}

// TestLinksOfThePlatform answers with every spelling as the next page, and as where the service has moved. The token
// follows none of them.
//
// REQ-202
func TestLinksOfThePlatform(t *testing.T) {
	s := newStackOf(t, 1, addServices)
	for _, e := range entries {
		if !e.read || !strings.HasPrefix(e.name, "List") {
			continue
		}
		for _, uri := range s.spellings() {
			if strings.ContainsFunc(uri, func(c rune) bool { return c < ' ' || c == 0x7f || c == '>' }) {
				continue // no header can carry it
			}
			s.services.set(func(v *services) { v.link = "<" + uri + `>; rel="next"` })
			var refused error
			problems := s.confined(func() error {
				refused = e.call(s, "services", "d1", s.services.url+"/services/list")
				return refused
			}, 2, nil, lti.ReasonPlatformAnswerInvalid, "")
			// What is relative lies at the platform itself, and is read there.
			if _, sent, _ := s.services.counted(); refused == nil && sent != 2 || refused != nil && sent != 1 {
				problems = append(problems, fmt.Sprintf("%d requests with the answer %v", sent, refused))
			}
			s.note(fmt.Sprintf("next page of %s %.120q", e.name, uri), true, problems...)
		}
	}
	locations := []string{"https://" + s.tripwire.address + "/", "http://" + s.tripwire.address + "/", "//" + s.tripwire.address + "/", s.services.url + "@" + s.tripwire.address + "/", s.services.url + "/elsewhere", "/elsewhere", "file:///etc/passwd"}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range locations {
			for _, e := range entries {
				s.services.set(func(v *services) { v.status, v.location = status, location })
				problems := s.confined(func() error { return e.call(s, "services", "d1", s.services.url+"/services/x") }, 1, nil, lti.ReasonServiceRefused)
				s.note(fmt.Sprintf("%d of %s to %s", status, e.name, location), true, problems...)
			}
			s.services.set(func(v *services) { v.status, v.location = status, "token:"+location })
			s.clock.add(2 * time.Hour) // the token before has expired, and the refusal before is forgotten
			problems := s.confined(func() error {
				_, err := s.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "services", DeploymentId: "d2", Scopes: []string{lti.ScopeScore}})
				return err
			}, 1, nil, lti.ReasonTokenRequestRefused)
			s.note(fmt.Sprintf("%d of the token endpoint to %s", status, location), true, problems...)
			s.services.set(nil)
			s.parties["services"].set(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = []string{location}
				w.WriteHeader(status)
			})
			problems = s.confined(func() error {
				l, err := s.begin(s.parties["services"])
				if err != nil {
					return err
				}
				return s.validate(s.good(l, nil))
			}, 0, nil, lti.ReasonJWKSInvalid)
			s.note(fmt.Sprintf("%d of the key set to %s", status, location), true, problems...)
		}
	}
}

// TestAnswersAreBounded answers with bombs.
func TestAnswersAreBounded(t *testing.T) {
	bomb() // which takes a busy host seconds to make: not within the first call
	s := newStackOf(t, 1, addServices)
	for _, e := range entries {
		if !e.read {
			continue
		}
		s.services.set(nil)
		if err := e.call(s, "services", "d1", s.services.url+"/services/x"); err != nil { // the token is kept
			t.Fatal(err)
		}
		s.services.set(func(v *services) { v.bomb = true })
		problems := s.confined(func() error { return e.call(s, "services", "d1", s.services.url+"/services/x") }, 1, nil, lti.ReasonPlatformAnswerInvalid)
		s.note("a bomb for "+e.name, true, problems...)
	}
	s.services.set(func(v *services) { v.bomb = true })
	problems := s.confined(func() error {
		_, err := s.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: "services", DeploymentId: "d2", Scopes: []string{lti.ScopeScore}})
		return err
	}, 1, nil, lti.ReasonPlatformAnswerInvalid)
	s.note("a bomb for the token endpoint", true, problems...)
}

// addresses are where nothing may be sent although a registration names them: not public, and not in allow_cidrs. %s is
// the port of a second tripwire.
var addresses = []string{
	"127.0.0.2:%s", "0.0.0.0:%s", "[::]:%s", "[::1]:%s", "10.0.0.1", "10.255.255.254:22", "100.64.0.1", "169.254.169.254", "172.16.0.1:6379", "172.31.255.254", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1:25", "192.168.255.254",
	"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[100::1]",
	"[2001::1]", "[2001:db8::1]", "[2002:7f00:1::]", "[::7f00:1]",
}

// TestAddressesAreChecked names each address in a registration: as the service's origin, the token endpoint and the key
// set. The one that is dialled is looked at, so what the operator wrote does not matter.
func TestAddressesAreChecked(t *testing.T) {
	wire := newTripwire(t, "127.0.0.2:0")
	_, port, _ := net.SplitHostPort(wire.address)
	var origins []string
	for _, address := range addresses {
		origins = append(origins, "https://"+strings.ReplaceAll(address, "%s", port))
	}
	s := newStackOf(t, 1, func(s *stack, add addParty) {
		add("listed", platformKey, func(r *platform.Registration) {
			r.TokenURI, r.ServiceOrigins = s.services.url+"/services/token", origins
		})
		for i, origin := range origins {
			add(fmt.Sprintf("at-%d", i), platformKey, func(r *platform.Registration) { r.TokenURI, r.JWKSURI = origin+"/token", origin+"/jwks" })
		}
	})
	wires := []*tripwire{wire}
	for i, origin := range origins {
		for _, e := range entries {
			s.services.set(nil)
			problems := s.confined(func() error { return e.call(s, "listed", "d1", origin+"/x") }, 1, wires, lti.ReasonAddressNotAllowed)
			s.note(e.name+" at "+origin, true, problems...)
		}
		name := fmt.Sprintf("at-%d", i)
		s.services.set(nil)
		problems := s.confined(func() error {
			_, err := s.tokens.GetServiceToken(t.Context(), &pb.GetServiceTokenRequest{Registration: name, DeploymentId: "d1", Scopes: []string{lti.ScopeScore}})
			return err
		}, 0, wires, lti.ReasonAddressNotAllowed)
		s.note("token endpoint at "+origin, true, problems...)
		problems = s.confined(func() error {
			l, err := s.begin(s.parties[name])
			if err != nil {
				return err
			}
			return s.validate(s.good(l, nil))
		}, 0, wires, lti.ReasonAddressNotAllowed)
		s.note("key set at "+origin, true, problems...)
	}
}

// TestOriginsOfOthers: what a platform's launches teach is for its own deployment. A platform that names the tripwire as
// its services gets no token of another, whichever registration and deployment the tool names.
//
// REQ-202
func TestOriginsOfOthers(t *testing.T) {
	s := newStackOf(t, 1, addServices)
	hostile := "https://" + s.tripwire.address
	l, err := s.begin(s.parties["b"])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.validate(s.good(l, map[string]any{
		lti.ClaimGradeEndpoint: map[string]any{"scope": []any{lti.ScopeScore}, "lineitems": hostile + "/items", "lineitem": hostile + "/items/1"},
		lti.ClaimMemberships:   map[string]any{"context_memberships_url": hostile + "/members", "service_versions": []any{"2.0"}},
	})); err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]string{{"services", "d1"}, {"a", "d1"}, {"a2", "d1"}, {"all", "d1"}, {"open", "d1"}, {"b", "d2"}} {
		for _, e := range entries {
			if e.good > 0 && at[0] != "services" {
				continue // these platforms have no token endpoint for what comes before
			}
			s.services.set(nil)
			problems := s.confined(func() error { return e.call(s, at[0], at[1], hostile+"/items/1") }, e.good, nil, lti.ReasonServiceOriginPending)
			s.note(fmt.Sprintf("%s with what b learned, at %s of %s", e.name, at[1], at[0]), true, problems...)
		}
	}
}
