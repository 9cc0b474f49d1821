// SPDX-License-Identifier: Apache-2.0

// Package server translates: gRPC in, domain out, and errors back. Rules live below it.
package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/ltisidecar/ltisidecar/groups"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/nrps"
	"github.com/ltisidecar/ltisidecar/platform"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
	"github.com/ltisidecar/ltisidecar/scores"
)

// ServiceTokens gets service tokens.
type ServiceTokens interface {
	Token(ctx context.Context, registration *platform.Registration, deploymentID string, scopes []string) (platform.ServiceToken, error)
}

// Scores keeps scores until their platforms have them. A *scores.Book is one.
type Scores interface {
	Post(ctx context.Context, request scores.Request) (scores.Delivery, error)
	List(ctx context.Context, filter scores.Filter, after string, limit int) (scores.Page, error)
	Watch(ctx context.Context, registration, after string, yield func(delivery *scores.Delivery, cursor string) error) error
	Retry(ctx context.Context, registration, id string) (scores.Delivery, error)
}

// Rosters reads members.
type Rosters interface {
	Members(ctx context.Context, registration *platform.Registration, endpoint lti.MembershipEndpoint, options nrps.Options, yield func(nrps.Batch) error) (nrps.End, error)
}

// Groups reads groups.
type Groups interface {
	Groups(ctx context.Context, registration *platform.Registration, endpoint lti.GroupEndpoint, options groups.Options) ([]lti.Group, error)
	Sets(ctx context.Context, registration *platform.Registration, endpoint lti.GroupEndpoint, options groups.Options) ([]lti.GroupSet, error)
}

// Events sends Caliper events, or keeps them until their platforms have them. An *events.Queue is one.
type Events interface {
	Send(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string) (time.Time, error)
	Keep(ctx context.Context, registration *platform.Registration, endpoint lti.EventEndpoint, envelope string) error
}

// ToolKeys gives the tool's public keys.
type ToolKeys interface {
	KeySet() (document []byte, lifetime time.Duration)
}

// Config configures a Server. All fields are required but Metrics and Now.
type Config struct {
	Registry  *platform.Registry
	Launches  *launch.Validator
	Learned   *platform.Learned
	Tokens    ServiceTokens
	Scores    Scores
	LineItems LineItems
	Rosters   Rosters
	Groups    Groups
	Events    Events
	ToolKeys  ToolKeys
	Logger    *slog.Logger
	Metrics   *Metrics         // nil: nothing is counted
	Now       func() time.Time // nil: time.Now
}

// Server is the API. It may be used by many goroutines.
type Server struct {
	config Config
	log    *slog.Logger
}

// New makes a Server.
func New(config Config) (*Server, error) {
	if config.Registry == nil || config.Launches == nil || config.Learned == nil || config.Tokens == nil || config.Scores == nil || config.LineItems == nil || config.Rosters == nil || config.Groups == nil || config.Events == nil || config.ToolKeys == nil || config.Logger == nil {
		return nil, errors.New("server: a part is missing")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Server{config: config, log: config.Logger}, nil
}

// Limits of the gRPC server. Each is explicit: the library's own are unlimited streams and 16 MiB of headers.
const (
	maxStreams     = 128       // concurrent, on one connection: beyond, calls wait at the caller, where they cost us nothing
	maxHeaderList  = 16 << 10  // bytes
	maxMessage     = 264 << 10 // bytes received: a body of notices has at most 256 KiB, an id_token 128 KiB
	maxSend        = 4 << 20   // bytes
	handshake      = 5 * time.Second
	keepaliveTime  = 2 * time.Minute
	keepaliveWait  = 20 * time.Second
	minClientPing  = 10 * time.Second
	defaultTimeout = 30 * time.Second // of a unary call whose caller sets no deadline
	streamWorkers  = 64               // goroutines that stay: a new one would have to grow its stack for each call
)

// Options returns the options that every gRPC server of the sidecar takes.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaderList),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxSend),
		grpc.ConnectionTimeout(handshake),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.UnaryInterceptor(s.interceptUnary),
		grpc.StreamInterceptor(s.interceptStream),
	}
}

// Register adds the services to a gRPC server made with Options.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	pb.RegisterLaunchServiceServer(registrar, &launchService{Server: s})
	pb.RegisterTokenServiceServer(registrar, &tokenService{Server: s})
	pb.RegisterGradeServiceServer(registrar, &gradeService{Server: s})
	pb.RegisterRosterServiceServer(registrar, &rosterService{Server: s})
	pb.RegisterEventServiceServer(registrar, &eventService{Server: s})
	pb.RegisterKeyServiceServer(registrar, &keyService{Server: s})
}

// localCaller is the logical name of every caller: without a list of callers, whoever reaches the socket is local.
const localCaller = "local"

// registrationOf returns the registration that a tool names in a field.
func (s *Server) registrationOf(field, name string) (*platform.Registration, error) {
	if name == "" {
		return nil, lti.FieldError(field, "it is required")
	}
	registration, err := s.config.Registry.ByName(name)
	if err != nil {
		var unknown *lti.Error
		if errors.As(err, &unknown) {
			return nil, unknown.With("field", field)
		}
		return nil, err
	}
	return registration, nil
}

// serviceRegistration returns the registration for a service call of a deployment. A deployment that may not launch may
// not call services either.
func (s *Server) serviceRegistration(ctx context.Context, field, name, deploymentID string) (*platform.Registration, error) {
	registration, err := s.registrationOf(field+"registration", name)
	if err != nil {
		return nil, err
	}
	if deploymentID == "" {
		return nil, lti.FieldError(field+"deployment_id", "it is required")
	}
	if len(deploymentID) > 4*lti.MaxIDLength {
		return nil, lti.FieldError(field+"deployment_id", "it is longer than 255 characters")
	}
	if err := s.config.Learned.CheckDeployment(ctx, registration, deploymentID, false); err != nil {
		return nil, err
	}
	return registration, nil
}
