// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platformsim"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/server"
)

const launchService = "/ltisidecar.v1.LaunchService/"

// jsonClient speaks HTTP over a Unix socket, as curl --unix-socket does.
type jsonClient struct {
	t    *testing.T
	http *http.Client
}

// serveJSON serves the sidecar's JSON on a socket of its own.
func serveJSON(t *testing.T, c *sidecar) *jsonClient {
	t.Helper()
	directory := must(os.MkdirTemp("", "lti"))(t)
	socket := filepath.Join(directory, "s")
	listener := must(net.Listen("unix", socket))(t)
	httpServer := &http.Server{Handler: c.server.JSONHandler()}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		check(t, httpServer.Close())
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		check(t, os.RemoveAll(directory))
	})
	return &jsonClient{t: t, http: &http.Client{Transport: transport}}
}

// send posts a body with pairs of headers and returns the answer with its body.
func (c *jsonClient) send(method, path, body string, headers ...string) (*http.Response, string) {
	c.t.Helper()
	request := must(http.NewRequestWithContext(c.t.Context(), method, "http://ltisidecar"+path, strings.NewReader(body)))(c.t)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response := must(c.http.Do(request))(c.t)
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body))(c.t))
}

// call sends a message and reads the answer into another; an error's body is returned.
func (c *jsonClient) call(path string, request, answer proto.Message) (*http.Response, string) {
	c.t.Helper()
	response, body := c.send(http.MethodPost, path, string(must(protojson.Marshal(request))(c.t)))
	if response.StatusCode != http.StatusOK {
		return response, body
	}
	check(c.t, protojson.Unmarshal([]byte(body), answer))
	return response, ""
}

// TestProtobufOverHTTP: the listener takes the same messages as protobuf, as the clients of this repository send them.
func TestProtobufOverHTTP(t *testing.T) {
	c := start(t)
	client := serveJSON(t, c)
	a := c.begin(platformsim.Click{Platform: "canvas", User: "teacher"})
	kind := []string{"Content-Type", "application/proto"}
	request := string(must(proto.Marshal(a.launch))(t))
	response, body := client.send(http.MethodPost, launchService+"ValidateLaunch", request, kind...)
	var answer pb.ValidateLaunchResponse
	if check(t, proto.Unmarshal([]byte(body), &answer)); response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/proto" {
		t.Fatalf("%s %v", response.Status, response.Header)
	}
	if answer.GetLaunch().GetUser().GetId() != person(t, "canvas", "teacher").ID {
		t.Errorf("launch %v", &answer)
	}
	// An error is JSON, whatever came.
	response, body = client.send(http.MethodPost, launchService+"ValidateLaunch", request, kind...)
	if response.Header.Get(server.ReasonHeader) != string(lti.ReasonNonceReplayed) || !json.Valid([]byte(body)) {
		t.Errorf("replay: %s %s", response.Status, body)
	}

	members := must(proto.Marshal(&pb.ListMembersRequest{Endpoint: answer.GetLaunch().GetMemberships()}))(t)
	framed := string(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(members))), members...))
	response, body = client.send(http.MethodPost, "/ltisidecar.v1.RosterService/ListMembers", framed, "Content-Type", "application/connect+proto")
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", response.Status, body)
	}
	var parts []*pb.ListMembersResponse
	for rest := []byte(body); len(rest) > 0; {
		size := binary.BigEndian.Uint32(rest[1:5])
		frame := rest[5 : 5+size]
		if last := rest[0] == 2; last != (uint32(len(rest)) == 5+size) || last && string(frame) != "{}" {
			t.Fatalf("frame %d %q", rest[0], frame)
		} else if !last {
			part := &pb.ListMembersResponse{}
			check(t, proto.Unmarshal(frame, part))
			parts = append(parts, part)
		}
		rest = rest[5+size:]
	}
	if end := parts[len(parts)-1].GetEnd(); end.GetMemberCount() == 0 {
		t.Errorf("no end: %v", parts)
	}
}

// TestJSONLaunch: the same launch, the same refusal, the same words as over gRPC.
func TestJSONLaunch(t *testing.T) {
	c := start(t)
	client := serveJSON(t, c)
	a := c.begin(platformsim.Click{Platform: "canvas", User: "student"})
	var answer pb.ValidateLaunchResponse
	if response, body := client.call(launchService+"ValidateLaunch", a.launch, &answer); response.StatusCode != http.StatusOK || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%s %s", response.Status, body)
	}
	l := answer.GetLaunch()
	if l.GetUser().GetId() != person(t, "canvas", "student").ID || !json.Valid([]byte(l.GetClaimsJson())) || len(answer.Headers) == 0 {
		t.Errorf("launch %v", &answer)
	}
	c.secret("launch token", l.LaunchToken)

	response, body := client.call(launchService+"ValidateLaunch", a.launch, &answer)
	if response.StatusCode != http.StatusForbidden || response.Header.Get(server.ReasonHeader) != string(lti.ReasonNonceReplayed) {
		t.Errorf("replay: %s, %v", response.Status, response.Header)
	}
	_, overGRPC := a.validate()
	want := refused(t, overGRPC, lti.ReasonNonceReplayed)
	var got struct {
		Code, Message string
		Details       []struct {
			Type  string
			Debug json.RawMessage
		}
	}
	check(t, json.Unmarshal([]byte(body), &got))
	if got.Code != "permission_denied" || got.Message != want.message || len(got.Details) != 3 {
		t.Fatalf("replay: %s", body)
	}
	var info errdetails.ErrorInfo
	check(t, protojson.Unmarshal(got.Details[0].Debug, &info))
	if got.Details[0].Type != "google.rpc.ErrorInfo" || info.Reason != want.info.Reason || info.Metadata["launch_id"] != l.LaunchId {
		t.Errorf("details %s", body)
	}
	if got.Details[2].Type != "ltisidecar.v1.BrowserReply" {
		t.Errorf("no page: %s", body)
	}
	log := c.log.String()
	if strings.Count(log, `"method":"`+launchService+`ValidateLaunch"`) != 3 || strings.Count(log, `"launch_id":"`+l.LaunchId) == 0 {
		t.Errorf("log:\n%s", log)
	}
}

// TestJSONStream reads a roster with connect's own client.
func TestJSONStream(t *testing.T) {
	c := start(t)
	client := serveJSON(t, c)
	l := c.launchAt("canvas", "teacher")
	rosters := connect.NewClient[pb.ListMembersRequest, pb.ListMembersResponse](client.http, "http://ltisidecar/ltisidecar.v1.RosterService/ListMembers", connect.WithProtoJSON())
	stream := must(rosters.CallServerStream(t.Context(), connect.NewRequest(&pb.ListMembersRequest{Endpoint: l.Memberships})))(t)
	var members, end int64
	for stream.Receive() {
		members += int64(len(stream.Msg().GetBatch().GetMembers()))
		end += stream.Msg().GetEnd().GetMemberCount()
	}
	check(t, stream.Err())
	check(t, stream.Close())
	if members == 0 || members != end {
		t.Errorf("%d members, the end says %d", members, end)
	}
	stream = must(rosters.CallServerStream(t.Context(), connect.NewRequest(&pb.ListMembersRequest{})))(t)
	if stream.Receive() {
		t.Error("a roster of nothing")
	}
	var failure *connect.Error
	if !errors.As(stream.Err(), &failure) || failure.Code() != connect.CodeInvalidArgument || len(failure.Details()) != 2 {
		t.Fatalf("%v", stream.Err())
	}
	detail := must(failure.Details()[0].Value())(t)
	if info, ok := detail.(*errdetails.ErrorInfo); !ok || info.Reason != string(lti.ReasonRequestInvalid) || info.Metadata["field"] != "endpoint" {
		t.Errorf("detail %v", detail)
	}
	check(t, stream.Close())
}

// TestJSONRefuses sends what is no good request.
func TestJSONRefuses(t *testing.T) {
	c := start(t)
	client := serveJSON(t, c)
	const validate = launchService + "ValidateLaunch"
	for _, test := range []struct {
		what, method, path, body string
		headers                  []string
		status                   int
		reason                   lti.Reason
		message                  string
	}{
		{"no JSON", "POST", validate, `{"browser":`, nil, 400, lti.ReasonRequestInvalid, "it is not the JSON of this message"},
		{"a field with a secret of another type", "POST", validate, `{"launchUri": {"x": "eyJhbGciOi-secret"}}`, nil, 400, lti.ReasonRequestInvalid, "it is not the JSON of this message (line 1:15)"},
		{"an unknown field", "POST", validate, `{"idToken": "eyJ"}`, nil, 400, lti.ReasonRequestInvalid, `it has no field \"idToken\" (line 1:2)`},
		{"an empty request", "POST", validate, `{}`, nil, 400, lti.ReasonRequestInvalid, "relay the browser's request"},
		{"another content type", "POST", validate, `{}`, []string{"Content-Type", "text/plain"}, 415, "", "application/json"},
		{"gRPC in place of Connect", "POST", validate, ``, []string{"Content-Type", "application/grpc-web+proto"}, 415, "", "application/json"},
		{"no protobuf", "POST", validate, "\xff", []string{"Content-Type", "application/proto"}, 400, lti.ReasonRequestInvalid, "it is not the protobuf of this message"},
		{"a browser's form", "POST", validate, `{}`, []string{"Origin", "https://evil.example"}, 403, "", "not for browsers"},
		{"a browser's fetch", "POST", validate, `{}`, []string{"Sec-Fetch-Site", "none"}, 403, "", "not for browsers"},
		{"a GET", "GET", validate, ``, nil, 405, "", ""},
		{"an unknown method", "POST", launchService + "Forge", `{}`, nil, 404, "", ""},
		{"an unknown service", "POST", "/", `{}`, nil, 404, "", ""},
		{"too large a body", "POST", validate, `{"launchUri":"` + strings.Repeat("x", 400<<10) + `"}`, nil, 429, "", "resource_exhausted"},
		{"a compressed body", "POST", validate, `{}`, []string{"Content-Encoding", "gzip"}, 501, "", "unimplemented"},
		{"no time left", "POST", validate, `{"browser":{}}`, []string{"Connect-Timeout-Ms", "0"}, 504, "", "deadline_exceeded"},
	} {
		response, body := client.send(test.method, test.path, test.body, test.headers...)
		if response.StatusCode != test.status || response.Header.Get(server.ReasonHeader) != string(test.reason) || !strings.Contains(body, test.message) {
			t.Errorf("%s: %s, reason %q, %s", test.what, response.Status, response.Header.Get(server.ReasonHeader), body)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s: the answer quotes what came", test.what)
		}
	}
	if response, body := client.send("POST", validate, "\xff"+`{}`); response.StatusCode != 400 {
		t.Errorf("invalid UTF-8: %s %s", response.Status, body)
	}
	if n := bytes.Count([]byte(c.log.String()), []byte(fmt.Sprintf(`"reason":%q`, lti.ReasonRequestInvalid))); n != 6 {
		t.Errorf("%d refusals of bad requests are in the log", n)
	}
}
