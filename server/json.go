// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ltisidecar/ltisidecar/lti"
)

// The API as JSON over HTTP/1.1, in the Connect protocol: for languages and tools without gRPC, and for those that have
// it at a price. The services are those of gRPC, behind the same interceptors; only the bytes differ.

const (
	// maxJSONMessage is what a body may have: base64 and escapes make JSON longer than the same message of gRPC.
	maxJSONMessage = 3 * maxMessage / 2
	// ReasonHeader is the header of an error's answer that has its reason, for those who do not want to parse the body.
	ReasonHeader = "Ltisidecar-Reason"
)

// jsonHandlers collects an HTTP handler for each RPC that a service registers.
type jsonHandlers struct {
	*Server
	mux *http.ServeMux
}

// JSONHandler serves every RPC as POST /ltisidecar.v1.Service/Method with a JSON body. It answers no browser.
func (s *Server) JSONHandler() http.Handler {
	handlers := &jsonHandlers{Server: s, mux: http.NewServeMux()}
	s.Register(handlers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			// A page of any site could otherwise reach a loopback address through the user's browser.
			http.Error(w, "this address is for the tool, not for browsers", http.StatusForbidden)
			return
		}
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		known := err == nil && (strings.HasSuffix(kind, "json") || kind == "application/proto" || kind == "application/connect+proto")
		if r.Method == http.MethodPost && !known {
			http.Error(w, "send Content-Type: application/json", http.StatusUnsupportedMediaType)
			return
		}
		handlers.mux.ServeHTTP(w, r)
	})
}

// RegisterService implements grpc.ServiceRegistrar.
func (h *jsonHandlers) RegisterService(service *grpc.ServiceDesc, implementation any) {
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxJSONMessage), connect.WithSendMaxBytes(maxSend),
		connect.WithCodec(jsonCodec{"json"}), connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
		connect.WithCodec(protoCodec{}),
		connect.WithCompression("gzip", nil, nil), // between two processes of one host it only costs
	}
	for _, method := range service.Methods {
		procedure := "/" + service.ServiceName + "/" + method.MethodName
		h.mux.Handle(procedure, connect.NewUnaryHandlerSimple(procedure, func(ctx context.Context, request *jsonMessage) (*jsonMessage, error) {
			return h.unary(ctx, procedure, method.Handler, implementation, request)
		}, options...))
	}
	for _, method := range service.Streams { // all of them are of answers only
		procedure := "/" + service.ServiceName + "/" + method.StreamName
		h.mux.Handle(procedure, connect.NewServerStreamHandlerSimple(procedure, func(ctx context.Context, request *jsonMessage, stream *connect.ServerStream[jsonMessage]) error {
			info := &grpc.StreamServerInfo{FullMethod: procedure, IsServerStream: true}
			return connectError(h.interceptStream(implementation, &jsonStream{ctx: ctx, request: request, stream: stream}, info, method.Handler))
		}, options...))
	}
}

// unary hands a request to the handler that gRPC has for it.
func (h *jsonHandlers) unary(ctx context.Context, procedure string, handler grpc.MethodHandler, implementation any, request *jsonMessage) (*jsonMessage, error) {
	var malformed error
	answer, err := handler(implementation, ctx, func(into any) error {
		malformed = request.decode(into)
		return malformed
	}, h.interceptUnary)
	if malformed != nil { // the interceptor has not seen it
		ctx, c := h.begin(ctx, procedure)
		err = h.finish(ctx, c, malformed)
	}
	if err != nil {
		return nil, connectError(err)
	}
	return &jsonMessage{answer: answer.(proto.Message)}, nil
}

// jsonMessage is a request that is not decoded yet, or an answer that is not encoded yet: only the handler of gRPC knows
// the type.
type jsonMessage struct {
	text   []byte
	binary bool // text is protobuf
	answer proto.Message
}

// jsonCodec is the codec of connect.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

func (c jsonCodec) Marshal(message any) ([]byte, error) {
	switch m := message.(type) {
	case *jsonMessage:
		return protojson.Marshal(m.answer)
	case proto.Message: // of connect's own
		return protojson.Marshal(m)
	}
	return nil, fmt.Errorf("server: a %T is no message", message)
}

func (c jsonCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(*jsonMessage)
	if !ok {
		return fmt.Errorf("server: a %T is no request", message)
	}
	m.text = append([]byte(nil), text...) // connect uses its buffer again
	return nil
}

// protoCodec takes the same messages as protobuf: what the clients of this repository send, because their languages read
// it with less effort than JSON.
type protoCodec struct{}

func (protoCodec) Name() string { return "proto" }

func (protoCodec) Marshal(message any) ([]byte, error) {
	switch m := message.(type) {
	case *jsonMessage:
		return proto.Marshal(m.answer)
	case proto.Message: // of connect's own
		return proto.Marshal(m)
	}
	return nil, fmt.Errorf("server: a %T is no message", message)
}

func (protoCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(*jsonMessage)
	if !ok {
		return fmt.Errorf("server: a %T is no request", message)
	}
	m.text, m.binary = append([]byte(nil), data...), true // connect uses its buffer again
	return nil
}

// decode reads the request. Its error is a *lti.Error REQUEST_INVALID.
func (m *jsonMessage) decode(into any) error {
	if m.binary {
		if proto.Unmarshal(m.text, into.(proto.Message)) != nil {
			return lti.FieldError("request", "it is not the protobuf of this message")
		}
		return nil
	}
	if err := protojson.Unmarshal(m.text, into.(proto.Message)); err != nil {
		return lti.FieldError("request", "%s", jsonDefect(err.Error()))
	}
	return nil
}

var (
	jsonPosition = regexp.MustCompile(`\(line [0-9]{1,9}:[0-9]{1,9}\)`)
	unknownField = regexp.MustCompile(`unknown field "([A-Za-z0-9_]{1,64})"`)
)

// jsonDefect says where the body is wrong. The decoder's own words can quote what is secret.
func jsonDefect(words string) string {
	defect := "it is not the JSON of this message"
	if name := unknownField.FindStringSubmatch(words); name != nil {
		defect = fmt.Sprintf("it has no field %q", name[1])
	}
	if position := jsonPosition.FindString(words); position != "" {
		defect += " " + position
	}
	return defect
}

// connectError turns the status of an error into connect's, with the same details, and copies reason and advice into
// headers.
func connectError(err error) error {
	if err == nil {
		return nil
	}
	answer := status.Convert(err)
	converted := connect.NewError(connect.Code(answer.Code()), errors.New(answer.Message()))
	for _, detail := range answer.Proto().GetDetails() {
		if added, err := connect.NewErrorDetail(detail); err == nil { // it never fails for an Any
			converted.AddDetail(added)
		}
	}
	for _, detail := range answer.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			converted.Meta().Set(ReasonHeader, d.Reason)
		case *errdetails.RetryInfo:
			// Whole seconds, and never none: 0 would say to try at once.
			converted.Meta().Set("Retry-After", strconv.FormatInt(max(1, (d.RetryDelay.AsDuration().Milliseconds()+999)/1000), 10))
		}
	}
	return converted
}

// jsonStream is a stream of answers as the handlers of gRPC know it.
type jsonStream struct {
	ctx     context.Context
	request *jsonMessage // nil once it was received
	stream  *connect.ServerStream[jsonMessage]
}

func (s *jsonStream) Context() context.Context     { return s.ctx }
func (s *jsonStream) SetHeader(metadata.MD) error  { return nil }
func (s *jsonStream) SendHeader(metadata.MD) error { return nil }
func (s *jsonStream) SetTrailer(metadata.MD)       {}

func (s *jsonStream) SendMsg(message any) error {
	return s.stream.Send(&jsonMessage{answer: message.(proto.Message)})
}

func (s *jsonStream) RecvMsg(message any) error {
	if s.request == nil {
		return io.EOF
	}
	request := s.request
	s.request = nil
	return request.decode(message)
}
