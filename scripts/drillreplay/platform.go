// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	issuer    = "https://platform.example"
	clientID  = "client"
	launchURI = "https://tool.example/launch"
	caller    = "local" // what the sidecar calls a peer on its socket
)

// testPlatform signs launches with ES256, which costs a platform less than RS256: the signature is not what is drilled.
type testPlatform struct {
	key    *ecdsa.PrivateKey
	keySet string
	uri    string // of the key set
	server *http.Server
	ended  chan error
}

func startPlatform() (*testPlatform, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	p := &testPlatform{key: key, ended: make(chan error, 1)}
	p.keySet = fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k","x":%q,"y":%q}]}`, encode(point[1:33]), encode(point[33:]))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.uri = "http://" + listener.Addr().String() + "/jwks"
	p.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, p.keySet) // a sidecar that is killed meanwhile is no news
	})}
	go func() { p.ended <- p.server.Serve(listener) }()
	return p, nil
}

func (p *testPlatform) close() error {
	err := p.server.Close()
	if ended := <-p.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// sign returns an id_token for a login, made without the code that is drilled.
func (p *testPlatform) sign(nonce string, now time.Time) (string, error) {
	const claims = "https://purl.imsglobal.org/spec/lti/claim/"
	payload, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": clientID, "sub": "user", "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		claims + "version": "1.3.0", claims + "message_type": "LtiResourceLinkRequest", claims + "deployment_id": "1",
		claims + "target_link_uri": launchURI, claims + "roles": []string{}, claims + "resource_link": map[string]any{"id": "link"},
	})
	if err != nil {
		return "", err
	}
	input := encode([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature), nil
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// ticket is a login that waits for its launch: what the browser has in its hands.
type ticket struct {
	launch         uint32 // in the history
	node           int    // where the login was
	state, cookies string
	token          string
}

// node is a sidecar, or its launches alone. Its methods are called from many goroutines.
type node interface {
	// login begins a login and returns its state, its authorization URI and its Set-Cookie headers.
	login(ctx context.Context) (state, authorizationURI string, cookies []string, err error)
	// launch hands in a launch and returns accepted, a reason, lost, or what nobody expects.
	launch(ctx context.Context, t *ticket) string
	// now is the clock of the node, which signs too: a platform's clock is not what is drilled.
	now() time.Time
}

// begin begins a login at a node.
func (p *testPlatform) begin(ctx context.Context, n node) (*ticket, error) {
	now := n.now()
	state, uri, setCookies, err := n.login(ctx)
	if err != nil {
		return nil, err
	}
	authorization, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	var pairs []string
	for _, cookie := range setCookies {
		pair, _, _ := strings.Cut(cookie, ";")
		pairs = append(pairs, pair)
	}
	t := &ticket{state: state, cookies: strings.Join(pairs, "; ")}
	t.token, err = p.sign(authorization.Query().Get("nonce"), now)
	return t, err
}
