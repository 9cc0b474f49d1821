// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// browserFromProto reads a relayed browser request. That it is there at all is the tool's duty.
func browserFromProto(request *pb.BrowserRequest) (launch.BrowserRequest, error) {
	if request == nil {
		return launch.BrowserRequest{}, lti.FieldError("browser", "it is required: relay the browser's request")
	}
	parameters := make([]launch.Parameter, 0, len(request.Parameters))
	for _, parameter := range request.Parameters {
		parameters = append(parameters, launch.Parameter{Name: parameter.GetName(), Value: parameter.GetValue()})
	}
	return launch.BrowserRequest{
		Parameters:            parameters,
		CookieHeader:          request.CookieHeader,
		Method:                request.Method,
		Origin:                request.Origin,
		SecFetchSite:          request.SecFetchSite,
		SecFetchDest:          request.SecFetchDest,
		SecFetchStorageAccess: request.SecFetchStorageAccess,
		CSPNonce:              request.CspNonce,
	}, nil
}

func replyToProto(reply *launch.Reply) *pb.BrowserReply {
	return &pb.BrowserReply{Status: int32(reply.Status), Headers: headersToProto(reply.Headers), Body: reply.Body}
}

func headersToProto(headers []launch.Header) []*pb.Header {
	converted := make([]*pb.Header, 0, len(headers))
	for _, header := range headers {
		converted = append(converted, &pb.Header{Name: header.Name, Value: header.Value})
	}
	return converted
}
