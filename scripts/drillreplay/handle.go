// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/platform"
)

// handle is a node in this process: the real validator over a store, with a wall clock that can be set.
type handle struct {
	ahead     atomic.Int64 // of the system's clock, in nanoseconds
	validator atomic.Pointer[launch.Validator]
	store     noncestore.Store // nil: closed
	open      func(now func() time.Time) (noncestore.Store, error)
	tools     *tools
}

// tools are what validators of one sidecar, or of its replicas, share.
type tools struct {
	registry *platform.Registry
	keys     staticKeys
	sealer   launch.TokenSealer
}

// staticKeys is the platform's key set as it is all the time.
type staticKeys struct{ set *jose.KeySet }

func (k staticKeys) Key(_ context.Context, _ *platform.Registration, kid, algorithm string) (*jose.PublicKey, error) {
	return k.set.Find(kid, algorithm)
}

func (k staticKeys) Replaced(context.Context, *platform.Registration, string, string, *jose.PublicKey) (*jose.PublicKey, error) {
	return nil, nil
}

// anyDeployment accepts all deployments.
type anyDeployment struct{}

func (anyDeployment) CheckDeployment(context.Context, *platform.Registration, string, bool) error {
	return nil
}

func newTools(p *testPlatform) (*tools, error) {
	directory, err := os.MkdirTemp("", "drill")
	if err != nil {
		return nil, err
	}
	sealer, err := keystore.NewToolKeys(keystore.ToolKeysConfig{Directory: directory, Create: true}) // read once
	if err := errors.Join(err, os.RemoveAll(directory)); err != nil {
		return nil, err
	}
	set, err := jose.ParseKeySet([]byte(p.keySet))
	if err != nil {
		return nil, err
	}
	registry, err := platform.NewRegistry([]platform.Registration{{
		Name: "drill", Issuer: issuer, ClientID: clientID, Deployments: []string{"1"}, AuthorizationURI: issuer + "/auth",
		JWKSURI: issuer + "/jwks", LaunchURIs: []string{launchURI}, Algorithms: []string{jose.ES256},
	}})
	return &tools{registry: registry, keys: staticKeys{set}, sealer: sealer}, err
}

// start opens the store.
func (h *handle) start() error {
	store, err := h.open(h.now)
	if err != nil {
		return err
	}
	validator, err := launch.New(launch.Config{Registry: h.tools.registry, Keys: h.tools.keys, Nonces: store, Deployments: anyDeployment{}, Sealer: h.tools.sealer, Now: h.now})
	if err != nil {
		return err
	}
	h.store = store
	h.validator.Store(validator)
	return nil
}

// stop closes the store as a clean stop does.
func (h *handle) stop() error {
	if h.store == nil {
		return nil
	}
	h.validator.Store(nil)
	err := h.store.Close()
	h.store = nil
	return err
}

func (h *handle) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// set moves the wall clock to so much ahead of the system's.
func (h *handle) set(ahead time.Duration) { h.ahead.Store(int64(ahead)) }

func (h *handle) login(ctx context.Context) (state, uri string, cookies []string, err error) {
	validator := h.validator.Load()
	if validator == nil {
		return "", "", nil, noncestore.ErrUnavailable
	}
	request := launch.BrowserRequest{Method: "POST", SecFetchDest: "iframe"}
	for _, p := range loginParameters {
		request.Parameters = append(request.Parameters, launch.Parameter{Name: p[0], Value: p[1]})
	}
	reply, err := validator.BuildAuthRequest(ctx, caller, launch.AuthRequest{Browser: request})
	if err != nil {
		return "", "", nil, err
	}
	for _, header := range reply.Reply.Headers {
		if header.Name == "Set-Cookie" {
			cookies = append(cookies, header.Value)
		}
	}
	return reply.State, reply.AuthorizationURI, cookies, nil
}

var loginParameters = [][2]string{
	{"iss", issuer}, {"client_id", clientID}, {"login_hint", "user"}, {"target_link_uri", launchURI}, {"lti_deployment_id", "1"},
}

func (h *handle) launch(ctx context.Context, t *ticket) string {
	validator := h.validator.Load()
	if validator == nil {
		return lost
	}
	outcome, err := validator.Validate(ctx, caller, launch.Request{Browser: launch.BrowserRequest{
		Method: "POST", CookieHeader: t.cookies, Origin: issuer, SecFetchSite: "cross-site", SecFetchDest: "iframe",
		Parameters: []launch.Parameter{{Name: "id_token", Value: t.token}, {Name: "state", Value: t.state}},
	}})
	switch {
	case err != nil && lti.ReasonOf(err) != "":
		return string(lti.ReasonOf(err))
	case err != nil:
		return err.Error()
	case outcome.Launch == nil:
		return "a page"
	}
	return accepted
}
