// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ltisidecar/ltisidecar/lti"
)

// call is one call on its way: what the log line says of it.
type call struct {
	id     string
	method string
	begun  time.Time
	fields []slog.Attr // added by the handler
}

type callKey struct{}

// note adds fields to the log line of the call. A handler calls it from its own goroutine only.
func note(ctx context.Context, fields ...slog.Attr) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.fields = append(c.fields, fields...)
	}
}

func (s *Server) begin(ctx context.Context, method string) (context.Context, *call) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: the runtime ends the process where the system has no randomness
	c := &call{id: hex.EncodeToString(id[:]), method: method, begun: s.config.Now()}
	return context.WithValue(ctx, callKey{}, c), c
}

// finish logs and counts the call and makes its status. Metadata that may quote a platform's or a browser's words is bounded and
// escaped where it was made.
func (s *Server) finish(ctx context.Context, c *call, err error) error {
	took := s.config.Now().Sub(c.begun)
	fields := append([]slog.Attr{
		slog.String("method", c.method),
		slog.String("request_id", c.id),
		slog.Duration("duration", took),
	}, c.fields...)
	if err == nil {
		s.config.Metrics.call(c.method, codes.OK, "", took)
		s.log.LogAttrs(ctx, slog.LevelInfo, "call", append(fields, slog.String("code", "OK"))...)
		return nil
	}
	if grpcStatus, ok := status.FromError(err); ok && lti.ReasonOf(err) == "" {
		// Of the gRPC library: an unknown method, a message over the limit.
		s.config.Metrics.call(c.method, grpcStatus.Code(), "", took)
		s.log.LogAttrs(ctx, slog.LevelInfo, "call", append(fields, slog.String("code", grpcStatus.Code().String()))...)
		return err
	}
	refusal := known(ctx, err)
	answer := toStatus(refusal, err, c.id)
	s.config.Metrics.call(c.method, answer.Code(), refusal.Reason, took)
	level := slog.LevelInfo
	if isOurs(refusal) {
		level = slog.LevelError
	}
	fields = append(fields, slog.String("code", answer.Code().String()), slog.String("reason", string(refusal.Reason)), slog.String("message", answer.Message()))
	for _, key := range refusal.Reason.Info().Metadata {
		if value := refusal.Metadata[key]; value != "" && key != "platform_description" {
			fields = append(fields, slog.String(key, value))
		}
	}
	if id := refusal.Metadata["launch_id"]; id != "" && refusal.Reason != lti.ReasonNonceReplayed {
		fields = append(fields, slog.String("launch_id", id))
	}
	if refusal.Cause != nil {
		fields = append(fields, slog.String("cause", lti.Excerpt(refusal.Cause.Error())))
	}
	s.log.LogAttrs(ctx, level, "call", fields...)
	return answer.Err()
}

// recovered turns a panic of a handler into an error, so that one call cannot end the process.
func (s *Server) recovered(ctx context.Context, method string, err *error) {
	if value := recover(); value != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("method", method), slog.String("value", lti.Excerpt(fmt.Sprint(value))), slog.String("stack", string(debug.Stack())))
		*err = lti.Errorf(lti.ReasonInternal, "A defect of the sidecar.")
	}
}

func (s *Server) interceptUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	ctx, c := s.begin(ctx, info.FullMethod)
	var answer any
	err := func() (err error) {
		defer s.recovered(ctx, info.FullMethod, &err)
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err() // nobody waits for the answer any more
		}
		answer, err = handler(ctx, request)
		return err
	}()
	if isHealth(info.FullMethod) && err == nil {
		return answer, nil
	}
	if err := s.finish(ctx, c, err); err != nil {
		return nil, err
	}
	return answer, nil
}

// contextStream is a stream with another context.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *contextStream) Context() context.Context { return s.ctx }

func (s *Server) interceptStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, c := s.begin(stream.Context(), info.FullMethod)
	err := func() (err error) {
		defer s.recovered(ctx, info.FullMethod, &err)
		return handler(server, &contextStream{ServerStream: stream, ctx: ctx})
	}()
	if isHealth(info.FullMethod) && (err == nil || status.Code(err) == codes.Canceled) {
		return err
	}
	return s.finish(ctx, c, err)
}

func isHealth(method string) bool {
	return method == "/grpc.health.v1.Health/Check" || method == "/grpc.health.v1.Health/Watch" || method == "/grpc.health.v1.Health/List"
}
