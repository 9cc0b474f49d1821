// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// platformKey is a key of a platform under the name it is published with.
type platformKey struct {
	kid     string
	private *rsa.PrivateKey
}

// jwk returns the key as a member of a key set.
func (k platformKey) jwk() string {
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":"AQAB"}`, k.kid, encode(k.private.N.Bytes()))
}

// sign returns a compact JWS, made without the code that is drilled.
func (k platformKey) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := encode([]byte(fmt.Sprintf(`{"alg":"RS256","typ":"JWT","kid":%q}`, k.kid))) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:])
	return input + "." + encode(signature), err
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// makeKeys generates key pairs, which costs the most of all preparations.
func makeKeys(count int) ([]*rsa.PrivateKey, error) {
	keys := make([]*rsa.PrivateKey, count)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// fault is what a key endpoint does instead of answering well.
type fault string

const (
	healthy     fault = ""
	unavailable fault = "503"
	notFound    fault = "404"
	redirected  fault = "302"
	loginPage   fault = "200 with a login page"
	cut         fault = "connection cut"
)

// testPlatform is one platform: its key endpoint, and the key it signs with.
type testPlatform struct {
	name string

	mutex    sync.Mutex
	document string
	cache    string // Cache-Control
	fault    fault
	hold     chan struct{} // answers wait for it; nil: they do not
	fetches  int
	signer   platformKey
}

// publish takes a key set into effect, from the next fetch on.
func (p *testPlatform) publish(keys ...platformKey) {
	document := ""
	for i, key := range keys {
		if i > 0 {
			document += ","
		}
		document += key.jwk()
	}
	p.publishDocument(`{"keys":[` + document + `]}`)
}

func (p *testPlatform) publishDocument(document string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.document = document
}

// signWith chooses the key of launches to come.
func (p *testPlatform) signWith(key platformKey) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.signer = key
}

func (p *testPlatform) signingKey() platformKey {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.signer
}

func (p *testPlatform) setFault(f fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.fault = f
}

// fetched returns how often the keys were asked for.
func (p *testPlatform) fetched() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.fetches
}

func (p *testPlatform) serveKeys(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	p.fetches++
	document, cache, fault, hold := p.document, p.cache, p.fault, p.hold
	p.mutex.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	status := http.StatusOK
	switch fault {
	case unavailable:
		status, document = http.StatusServiceUnavailable, "upgrading"
	case notFound:
		status, document = http.StatusNotFound, "no such page"
	case redirected:
		w.Header().Set("Location", "/login")
		status, document = http.StatusFound, ""
	case loginPage:
		document = "<html><body>Please log in.</body></html>"
	case cut:
		panic(http.ErrAbortHandler)
	}
	if cache != "" {
		w.Header().Set("Cache-Control", cache)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, document) // a tool that went away is its own affair
}

// keyServer is the HTTPS server of all platforms of a drill, on loopback.
type keyServer struct {
	url    string
	roots  *x509.CertPool
	server *http.Server
	ended  chan error
}

func startKeyServer(platforms []*testPlatform) (*keyServer, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, p := range platforms {
		mux.HandleFunc("GET /"+p.name+"/jwks", p.serveKeys)
	}
	s := &keyServer{url: "https://" + listener.Addr().String(), roots: x509.NewCertPool(), ended: make(chan error, 1)}
	s.roots.AddCert(certificate.Leaf)
	s.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ErrorLog:  log.New(io.Discard, "", 0), // of connections that a fault cuts
	}
	go func() { s.ended <- s.server.ServeTLS(listener, "", "") }()
	return s, nil
}

// close ends the server. Afterwards connections to it are refused.
func (s *keyServer) close() error {
	err := s.server.Close()
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
