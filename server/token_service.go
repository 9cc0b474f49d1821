// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// Limits of a token request.
const (
	maxScopes      = 32
	maxScopeLength = 512 // bytes
)

// tokenService implements TokenService.
type tokenService struct {
	pb.UnimplementedTokenServiceServer
	*Server
}

// GetServiceToken returns a cached or fresh service token.
func (s *tokenService) GetServiceToken(ctx context.Context, request *pb.GetServiceTokenRequest) (*pb.GetServiceTokenResponse, error) {
	registration, err := s.serviceRegistration(ctx, "", request.Registration, request.DeploymentId)
	if err != nil {
		return nil, err
	}
	note(ctx, slog.String("registration", registration.Name))
	if err := checkScopes(request.Scopes); err != nil {
		return nil, err
	}
	token, err := s.config.Tokens.Token(ctx, registration, request.DeploymentId, request.Scopes)
	if err != nil {
		return nil, err
	}
	origins, err := s.config.Learned.Origins(ctx, registration, request.DeploymentId)
	if err != nil {
		return nil, err
	}
	return &pb.GetServiceTokenResponse{
		AccessToken:    token.AccessToken.Reveal(),
		ExpireTime:     timestamppb.New(token.ExpireTime),
		Scopes:         token.Scopes,
		AllowedOrigins: origins,
	}, nil
}

func checkScopes(scopes []string) error {
	if len(scopes) == 0 {
		return lti.FieldError("scopes", "name at least one")
	}
	if len(scopes) > maxScopes {
		return lti.FieldError("scopes", "there are %d; at most %d are allowed", len(scopes), maxScopes)
	}
	for i, scope := range scopes {
		field := fmt.Sprintf("scopes[%d]", i)
		switch {
		case scope == "":
			return lti.FieldError(field, "it is empty")
		case len(scope) > maxScopeLength:
			return lti.FieldError(field, "it is longer than %d bytes", maxScopeLength)
		case strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }):
			return lti.FieldError(field, "a scope has no blanks, quotes or characters beyond ASCII; give each scope an entry of its own")
		}
	}
	return nil
}
