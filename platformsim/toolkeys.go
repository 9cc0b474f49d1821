// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// toolKeys holds the key set of one tool, as the platform knows it.
type toolKeys struct {
	mu     sync.Mutex
	cached keySet
}

const (
	maxJWKS      = 1 << 20
	fetchTimeout = 10 * time.Second
)

// verifyAssertion checks the signature with the tool's key set. The set is cached; an unknown kid or a signature that
// does not fit is tried again with a fresh one, as platforms do.
func (p *Platform) verifyAssertion(ctx context.Context, t *tool, tok *jwt, kid string) error {
	t.keys.mu.Lock()
	defer t.keys.mu.Unlock()
	fresh := false
	if t.keys.cached == nil {
		if err := p.loadToolKeys(ctx, t); err != nil {
			return err
		}
		fresh = true
	}
	for {
		pub := t.keys.cached[kid]
		if pub != nil && tok.verify(pub) == nil {
			return nil
		}
		if p.cfg.Lax && p.profile.Token.AnyKey {
			for _, pub := range t.keys.cached {
				if tok.verify(pub) == nil {
					return nil
				}
			}
		}
		if fresh || t.cfg.JWKSURI == "" {
			if pub == nil {
				return errKidUnknown
			}
			return errSignature
		}
		if err := p.loadToolKeys(ctx, t); err != nil {
			return err
		}
		fresh = true
	}
}

var (
	errKidUnknown = errors.New("kid unknown")
	errSignature  = errors.New("signature invalid")
)

// loadToolKeys is called with t.keys.mu held.
func (p *Platform) loadToolKeys(ctx context.Context, t *tool) error {
	body := []byte(t.cfg.JWKS)
	switch {
	case t.cfg.JWKSURI != "":
		p.hit("tool_jwks_fetch")
		var err error
		if body, err = p.fetch(ctx, t.cfg.JWKSURI); err != nil {
			return fmt.Errorf("JWK Error: %w", err)
		}
	case t.cfg.JWKS == "":
		return errors.New("JWK Error: the tool has no key set")
	}
	set, err := parseJWKS(body)
	if err != nil {
		return err
	}
	t.keys.cached = set
	return nil
}

func (p *Platform) fetch(ctx context.Context, uri string) ([]byte, error) {
	if err := fetchable(uri); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", p.profile.Token.UserAgent)
	req.Header.Set("Accept", "application/json")
	resp, err := p.sim.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read only: nothing is lost
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxJWKS {
		return nil, errors.New("key set too large")
	}
	return body, nil
}

// fetchable allows https, and http where the host is this machine.
func fetchable(uri string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	if u.Scheme == "https" && u.Host != "" {
		return nil
	}
	if u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q must be https (http only on loopback)", uri)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
