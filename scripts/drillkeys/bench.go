// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

const (
	launchURI = "https://tool.example/lti/launch"
	targetURI = "https://tool.example/quiz/7"
	caller    = "drill"
)

// clock stands still but for what a drill moves it by.
type clock struct {
	start time.Time
	mutex sync.Mutex
	moved time.Duration
}

func (c *clock) elapsed() time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.moved
}

func (c *clock) now() time.Time { return c.start.Add(c.elapsed()) }

func (c *clock) advance(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.moved += d
}

// bench is a validator over the real parts, and the platforms that launch it.
type bench struct {
	clock
	platforms []*testPlatform
	server    *keyServer
	directory string
	registry  *platform.Registry
	toolKeys  *keystore.ToolKeys
	records   *boltstore.Store
	nonces    *badgerstore.Store
	client    *outbound.Client
	keys      *keystore.PlatformKeys
	validator *launch.Validator
}

// newBench makes a bench of some platforms that publish nothing yet. directory must be empty.
func newBench(directory string, toolKeys *keystore.ToolKeys, count int) (*bench, error) {
	b := &bench{clock: clock{start: time.Now().Truncate(time.Second)}, directory: directory, toolKeys: toolKeys}
	for i := range count {
		b.platforms = append(b.platforms, &testPlatform{name: fmt.Sprintf("platform-%d", i+1)})
	}
	if err := b.open(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) open() error {
	var err error
	if b.server, err = startKeyServer(b.platforms); err != nil {
		return err
	}
	var registrations []platform.Registration
	for _, p := range b.platforms {
		registrations = append(registrations, platform.Registration{
			Name: p.name, Issuer: issuer(p), ClientID: "client", Deployments: []string{"1"},
			AuthorizationURI: issuer(p) + "/auth", TokenURI: issuer(p) + "/token", JWKSURI: b.server.url + "/" + p.name + "/jwks",
			LaunchURIs: []string{launchURI},
		})
	}
	if b.registry, err = platform.NewRegistry(registrations); err != nil {
		return err
	}
	if b.records, err = boltstore.Open(boltstore.Config{Path: filepath.Join(b.directory, "records.db")}); err != nil {
		return err
	}
	if b.nonces, err = badgerstore.Open(badgerstore.Config{InMemory: true, Instance: [4]byte{1, 2, 3, 4}, Now: b.now, Monotonic: b.elapsed}); err != nil {
		return err
	}
	if b.client, err = outbound.New(outbound.Config{RootCAs: b.server.roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Now: b.now}); err != nil {
		return err
	}
	return b.start()
}

// start makes what a process has in memory only: the keys, and the validator over them.
func (b *bench) start() error {
	var err error
	b.keys, err = keystore.NewPlatformKeys(keystore.PlatformKeysConfig{
		Fetcher: b.client, StaleIfError: keystore.DefaultStaleIfError, Now: b.now, Logger: slog.New(slog.DiscardHandler),
		Directory: b.keptKeys(), Sealer: b.toolKeys,
	})
	if err != nil {
		return err
	}
	learned, err := platform.NewLearned(platform.LearnedConfig{Store: b.records, Now: b.now})
	if err != nil {
		return err
	}
	b.validator, err = launch.New(launch.Config{
		Registry: b.registry, Keys: b.keys, Nonces: b.nonces, Deployments: learned, Sealer: b.toolKeys, Now: b.now,
	})
	return err
}

// restart forgets what a process forgets at its end. between runs while nothing does; it may be nil.
func (b *bench) restart(between func() error) error {
	b.keys.Close()
	if between != nil {
		if err := between(); err != nil {
			return err
		}
	}
	return b.start()
}

func (b *bench) keptKeys() string { return filepath.Join(b.directory, "platform_keys") }

func (b *bench) close() error {
	var failures []error
	if b.keys != nil {
		b.keys.Close()
	}
	if b.client != nil {
		b.client.Close()
	}
	if b.nonces != nil {
		failures = append(failures, b.nonces.Close())
	}
	if b.records != nil {
		failures = append(failures, b.records.Close())
	}
	if b.server != nil {
		failures = append(failures, b.server.close())
	}
	return errors.Join(append(failures, os.RemoveAll(b.directory))...)
}

func issuer(p *testPlatform) string { return "https://" + p.name + ".example" }

// login is a login that waits for its launch.
type login struct {
	platform      *testPlatform
	state, nonce  string
	cookies       string
	begun, ending time.Time // iat and exp of the token
}

// begin begins a login as a platform's frame does.
func (b *bench) begin(ctx context.Context, p *testPlatform) (*login, error) {
	now := b.now()
	reply, err := b.validator.BuildAuthRequest(ctx, caller, launch.AuthRequest{Browser: launch.BrowserRequest{
		Method: "POST", SecFetchDest: "iframe",
		Parameters: []launch.Parameter{
			{Name: "iss", Value: issuer(p)}, {Name: "client_id", Value: "client"}, {Name: "login_hint", Value: "user"},
			{Name: "target_link_uri", Value: targetURI}, {Name: "lti_deployment_id", Value: "1"},
		},
	}})
	if err != nil {
		return nil, err
	}
	authorization, err := url.Parse(reply.AuthorizationURI)
	if err != nil {
		return nil, err
	}
	l := &login{platform: p, state: reply.State, nonce: authorization.Query().Get("nonce"), begun: now, ending: now.Add(5 * time.Minute)}
	var cookies []string
	for _, header := range reply.Reply.Headers {
		if header.Name == "Set-Cookie" {
			pair, _, _ := strings.Cut(header.Value, ";")
			cookies = append(cookies, pair)
		}
	}
	l.cookies = strings.Join(cookies, "; ")
	return l, nil
}

func (l *login) claims() map[string]any {
	return map[string]any{
		"iss": issuer(l.platform), "aud": "client", "sub": "user", "iat": l.begun.Unix(), "exp": l.ending.Unix(), "nonce": l.nonce,
		lti.ClaimVersion: "1.3.0", lti.ClaimMessageType: "LtiResourceLinkRequest", lti.ClaimDeploymentID: "1",
		lti.ClaimTargetLinkURI: targetURI, lti.ClaimRoles: []string{}, lti.ClaimResourceLink: map[string]any{"id": "link"},
	}
}

// validate hands an id_token of the login to the validator.
func (b *bench) validate(ctx context.Context, l *login, token string) error {
	outcome, err := b.validator.Validate(ctx, caller, launch.Request{Browser: launch.BrowserRequest{
		Method: "POST", CookieHeader: l.cookies, Origin: issuer(l.platform), SecFetchSite: "cross-site", SecFetchDest: "iframe",
		Parameters: []launch.Parameter{{Name: "id_token", Value: token}, {Name: "state", Value: l.state}},
	}})
	if err == nil && outcome.Launch == nil {
		return errors.New("the launch was answered with a page")
	}
	return err
}

// launchWith makes a whole launch, signed with a key.
func (b *bench) launchWith(ctx context.Context, p *testPlatform, key platformKey) error {
	l, err := b.begin(ctx, p)
	if err != nil {
		return err
	}
	token, err := key.sign(l.claims())
	if err != nil {
		return err
	}
	return b.validate(ctx, l, token)
}

// launch makes a whole launch, signed as the platform does now.
func (b *bench) launch(ctx context.Context, p *testPlatform) error {
	return b.launchWith(ctx, p, p.signingKey())
}
