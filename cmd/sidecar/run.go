// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/ltisidecar/ltisidecar/ags"
	"github.com/ltisidecar/ltisidecar/events"
	"github.com/ltisidecar/ltisidecar/groups"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/nrps"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/pages"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/server"
	"github.com/ltisidecar/ltisidecar/servicetoken"
)

const (
	drainTime       = 8 * time.Second // for calls under way when the process is asked to end; it is gone within 10 s
	httpDrainTime   = time.Second     // the same for the HTTP listeners
	httpHeaderTime  = 5 * time.Second
	httpRequestTime = 10 * time.Second
)

// The platform keys also measure clocks, which explains refusals of times; launch finds that out by itself.
var _ launch.SkewMeter = (*keystore.PlatformKeys)(nil)

// newServe returns `sidecar serve`.
func newServe() *cobra.Command {
	var flags epochFlags
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the sidecar until SIGTERM or an interrupt",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := configOf(command)
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: config.LogLevel}))
			for _, warning := range config.Warnings {
				logger.Warn("configuration", "warning", warning)
			}
			tuneMemory(logger, os.DirFS("/"))
			return serve(command.Context(), config, logger, flags)
		},
	}
	command.Flags().BoolVar(&flags.acceptLoss, "accept-loss", false, "start although the records or the keys of this sidecar are gone")
	command.Flags().BoolVar(&flags.release, "release-outbox", false, "send what is queued in an outbox that was restored or copied")
	command.Flags().BoolVar(&flags.discard, "discard-outbox", false, "drop what is queued in an outbox that was restored or copied")
	command.MarkFlagsMutuallyExclusive("release-outbox", "discard-outbox")
	return command
}

// closers ends what was started, last first.
type closers []func() error

func (c *closers) add(name string, end func() error) {
	*c = append(*c, func() error {
		if err := end(); err != nil {
			return fmt.Errorf("close %s: %w", name, err)
		}
		return nil
	})
}

func (c closers) close() error {
	var failures []error
	for i := len(c) - 1; i >= 0; i-- {
		failures = append(failures, c[i]())
	}
	return errors.Join(failures...)
}

// serve wires the parts and runs until ctx ends. It returns nil after a clean stop.
func serve(ctx context.Context, config *Config, logger *slog.Logger, flags epochFlags) (failure error) {
	begun := time.Now()
	var ends closers
	defer func() { failure = errors.Join(failure, ends.close()) }()

	metrics := server.NewMetrics()
	api, err := assemble(ctx, config, logger, metrics, flags, &ends)
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer(api.Options()...)
	api.Register(grpcServer)
	healthServer := health.NewServer()
	healthpb.RegisterHealthServer(grpcServer, healthService{healthServer})
	if config.Dev {
		reflection.Register(grpcServer)
	}
	listeners, err := listen(ctx, config.Listen)
	if err != nil {
		return err
	}
	jsonListeners, err := listenJSON(ctx, config.Listen)
	if err != nil {
		for _, listener := range listeners {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	failed := make(chan error, len(listeners)+len(jsonListeners)+2)
	for _, listener := range listeners {
		go func() { failed <- grpcServer.Serve(listener) }()
	}
	jsonServer := newJSONServer(api.JSONHandler())
	for _, listener := range jsonListeners {
		go func() {
			if err := jsonServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	ends.add("JSON listener", jsonServer.Close) // of no use after a drain
	if config.Listen.JWKS != "" {
		end, err := serveHTTP(ctx, config.Listen.JWKS, api.JWKSHandler(), failed)
		if err != nil {
			grpcServer.Stop()
			return err
		}
		ends.add("JWKS listener", end)
	}
	if config.Listen.Metrics != "" {
		ready := func() bool { return ctx.Err() == nil }
		end, err := serveHTTP(ctx, config.Listen.Metrics, metrics.Handler(ready), failed)
		if err != nil {
			grpcServer.Stop()
			return err
		}
		ends.add("metrics listener", end)
	}
	logger.Info("ready", "version", version, "addresses", addresses(listeners), "json_addresses", addresses(jsonListeners), "registrations", len(config.Registrations), "dev", config.Dev, "start_duration", time.Since(begun))

	select {
	case <-ctx.Done():
	case err := <-failed:
		grpcServer.Stop()
		return fmt.Errorf("listener: %w", err)
	}
	logger.Info("stopping")
	healthServer.Shutdown()
	drained := make(chan error, 1)
	go func() { drained <- drainJSON(jsonServer) }()
	drain(grpcServer)
	if err := <-drained; err != nil {
		return fmt.Errorf("JSON listener: %w", err)
	}
	logger.Info("stopped")
	return nil
}

// assemble makes the parts, lowest first, and hands their ends to ends.
func assemble(ctx context.Context, config *Config, logger *slog.Logger, metrics *server.Metrics, flags epochFlags, ends *closers) (*server.Server, error) {
	held, err := openState(ctx, config, logger, flags.acceptLoss, ends)
	if err != nil {
		return nil, err
	}
	toolKeys := held.keys

	client, err := newOutbound(config, func(host string, pause time.Duration) {
		metrics.CountSuspension()
		logger.Warn("a host keeps failing: nothing is sent to it for a while", "host", host, "pause", pause)
	})
	if err != nil {
		return nil, err
	}
	ends.add("connections", func() error { client.Close(); return nil })
	keysConfig := keystore.PlatformKeysConfig{Fetcher: countedFetcher{client, metrics}, StaleIfError: config.StaleIfError, Logger: logger}
	if warmStart := config.PlatformKeys.WarmStart; warmStart == nil || *warmStart {
		keysConfig.Directory, keysConfig.Sealer = filepath.Join(config.DataDir, "platform_keys"), toolKeys
	}
	platformKeys, err := keystore.NewPlatformKeys(keysConfig)
	if err != nil {
		return nil, err
	}
	ends.add("platform keys", func() error { platformKeys.Close(); return nil })
	learned, err := platform.NewLearned(platform.LearnedConfig{Store: held.records, AllowHTTP: config.Dev})
	if err != nil {
		return nil, err
	}
	launches, err := launch.New(launch.Config{
		Registry: config.Registry, Keys: platformKeys, Nonces: held.nonces, Deployments: learned, Sealer: toolKeys, Signer: toolKeys, AllowHTTP: config.Dev,
	})
	if err != nil {
		return nil, err
	}
	tokens, err := servicetoken.New(servicetoken.Config{HTTP: client, Signer: toolKeys, Observe: platformKeys.ObserveClock})
	if err != nil {
		return nil, err
	}
	ends.add("service tokens", func() error { tokens.Close(); return nil })
	shared, err := servicetoken.NewShared(tokens)
	if err != nil {
		return nil, err
	}
	grades, err := ags.New(ags.Config{HTTP: client, Tokens: shared, Allowed: learned.CheckOrigin, Dialect: learned.Dialect})
	if err != nil {
		return nil, err
	}
	reader, err := pages.NewReader(pages.Config{HTTP: client, Tokens: shared, Allowed: learned.CheckOrigin, Dialect: learned.Dialect})
	if err != nil {
		return nil, err
	}
	lineItems, err := ags.NewLineItemClient(ags.LineItemConfig{HTTP: client, Tokens: shared, Pages: reader, Allowed: learned.CheckOrigin})
	if err != nil {
		return nil, err
	}
	rosters, err := nrps.New(nrps.Config{Pages: reader})
	if err != nil {
		return nil, err
	}
	groupLists, err := groups.New(groups.Config{Pages: reader})
	if err != nil {
		return nil, err
	}
	sensors, err := events.New(events.Config{HTTP: client, Tokens: shared, Allowed: learned.CheckOrigin, Dialect: learned.Dialect})
	if err != nil {
		return nil, err
	}
	kept, err := openOutbox(ctx, config, logger, flags, held)
	if err != nil {
		return nil, err
	}
	book, err := openScores(ctx, config, logger, metrics, kept, grades, lineItems, ends)
	if err != nil {
		return nil, err
	}
	queue, err := openEvents(ctx, config, logger, kept, sensors, learned, ends)
	if err != nil {
		return nil, err
	}
	return server.New(server.Config{
		Registry: config.Registry, Launches: launches, Learned: learned, Tokens: tokens, Scores: book, LineItems: lineItems, Rosters: rosters, Groups: groupLists, Events: queue, ToolKeys: toolKeys, Logger: logger, Metrics: metrics,
	})
}

// countedFetcher counts the requests for platforms' key sets.
type countedFetcher struct {
	keystore.Fetcher
	metrics *server.Metrics
}

func (f countedFetcher) Do(ctx context.Context, request outbound.Request) (*outbound.Response, error) {
	answer, err := f.Fetcher.Do(ctx, request)
	f.metrics.CountKeyFetch(err == nil && answer.Status == http.StatusOK)
	return answer, err
}

func newOutbound(config *Config, suspended func(host string, pause time.Duration)) (*outbound.Client, error) {
	settings := outbound.Config{AllowCIDRs: config.AllowCIDRs, AllowHTTP: config.Dev, Suspended: suspended}
	if config.CAPEM != nil {
		roots, err := outbound.RootsWith(config.CAPEM)
		if err != nil {
			return nil, fmt.Errorf("outbound.ca_file %s: %w", config.Outbound.CAFile, err)
		}
		settings.RootCAs = roots
	}
	return outbound.New(settings)
}

// listen opens the listeners of the API.
func listen(ctx context.Context, config ListenConfig) ([]net.Listener, error) {
	var listeners []net.Listener
	if config.Socket != "" {
		listener, err := listenUnix(ctx, config.Socket)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	if config.TCP != "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.TCP)
		if err != nil {
			err = fmt.Errorf("listen on %s: %w", config.TCP, err)
			for _, other := range listeners {
				err = errors.Join(err, other.Close())
			}
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

func addresses(listeners []net.Listener) []string {
	var list []string
	for _, listener := range listeners {
		list = append(list, listener.Addr().Network()+":"+listener.Addr().String())
	}
	return list
}

// serveHTTP serves one of the small HTTP listeners: the tool's public keys, or metrics and probes.
func serveHTTP(ctx context.Context, address string, handler http.Handler, failed chan<- error) (end func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	httpServer := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTime,
		ReadTimeout:       httpRequestTime,
		WriteTimeout:      httpRequestTime,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	go func() {
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return func() error {
		limited, cancel := context.WithTimeout(context.Background(), httpDrainTime)
		defer cancel()
		err := httpServer.Shutdown(limited)
		if errors.Is(err, context.DeadlineExceeded) {
			return httpServer.Close() // a slow client is no reason for an unclean stop
		}
		return err
	}, nil
}

// drain lets calls under way finish, for a limited time.
func drain(grpcServer *grpc.Server) {
	done := make(chan struct{})
	go func() {
		grpcServer.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainTime):
		grpcServer.Stop()
		<-done
	}
}
