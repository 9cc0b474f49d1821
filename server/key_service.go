// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// jwksContentType is what platforms expect of a JWKS URL; some refuse the type of RFC 7517.
const jwksContentType = "application/json"

// keyService implements KeyService.
type keyService struct {
	pb.UnimplementedKeyServiceServer
	*Server
}

// GetToolKeySet returns the tool's public keys.
func (s *keyService) GetToolKeySet(context.Context, *pb.GetToolKeySetRequest) (*pb.GetToolKeySetResponse, error) {
	document, lifetime := s.config.ToolKeys.KeySet()
	return &pb.GetToolKeySetResponse{Jwks: string(document), ContentType: jwksContentType, CacheLifetime: durationpb.New(lifetime)}, nil
}

// JWKSHandler serves the tool's public keys over HTTP at /jwks.json and nothing else, for platforms that fetch them
// through a proxy straight from the sidecar.
func (s *Server) JWKSHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		document, lifetime := s.config.ToolKeys.KeySet()
		w.Header().Set("Content-Type", jwksContentType)
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(lifetime/time.Second)))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(document) // a platform that goes away is no concern of ours
	})
	return mux
}
