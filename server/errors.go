// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"maps"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
)

const (
	// errorDomain is the domain of every ErrorInfo.
	errorDomain = "ltisidecar"
	// helpURI is the page that explains the reasons. A reason's section has its name in lower case.
	helpURI = "https://github.com/ltisidecar/ltisidecar/blob/main/docs/errors.md#"
)

// known returns the *lti.Error behind an error. A context's end is the caller's; anything else is a defect of ours,
// whose text stays in the log.
func known(ctx context.Context, err error) *lti.Error {
	var refusal *lti.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &lti.Error{Reason: lti.ReasonDeadlineExceeded, Cause: err}
	case errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled):
		return &lti.Error{Reason: lti.ReasonCanceled, Cause: err}
	}
	return &lti.Error{Reason: lti.ReasonInternal, Cause: err}
}

// browserError is an error of an RPC that answers a browser: it carries the page to show.
type browserError struct {
	err        error
	restartURI string
	cspNonce   string
}

func (e *browserError) Error() string { return e.err.Error() }
func (e *browserError) Unwrap() error { return e.err }

// toStatus makes the status of an error: one ErrorInfo, one Help with a link to the explanation, RetryInfo where there
// is advice, and for browser-facing RPCs the page. Each carries the launch id or, where there is none, the request id.
func toStatus(refusal *lti.Error, err error, requestID string) *status.Status {
	info := refusal.Reason.Info()
	message := refusal.Message
	if message == "" {
		message = info.Summary
	}
	metadata := maps.Clone(refusal.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata["request_id"] = requestID
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: string(refusal.Reason), Domain: errorDomain, Metadata: metadata},
		&errdetails.Help{Links: []*errdetails.Help_Link{{Description: "What happened, how to confirm it, and what to do", Url: helpURI + strings.ToLower(string(refusal.Reason))}}},
	}
	if refusal.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(refusal.RetryAfter)})
	}
	var page *browserError
	if errors.As(err, &page) {
		id := metadata["launch_id"]
		if id == "" {
			id = requestID
		}
		details = append(details, protoadapt.MessageV1Of(replyToProto(launch.RefusalReply(refusal, id, page.restartURI, page.cspNonce))))
	}
	answer := status.New(codes.Code(info.Code), message)
	if detailed, err := answer.WithDetails(details...); err == nil {
		return detailed
	}
	return answer
}

// isOurs reports whether a refusal is for the operator to look at: a defect, or a store that failed. Without a cause the
// store did not fail: it was just closed.
func isOurs(refusal *lti.Error) bool {
	switch refusal.Reason {
	case lti.ReasonInternal:
		return true
	case lti.ReasonStoreUnavailable, lti.ReasonStoreFull, lti.ReasonStoreClockSkew:
		return refusal.Cause != nil
	}
	return false
}
