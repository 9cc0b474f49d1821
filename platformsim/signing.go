// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"sync"
)

// platformKey is one RSA key of a platform.
type platformKey struct {
	kid string
	key *rsa.PrivateKey
}

// keyRing holds the keys of one platform in the order they are published.
type keyRing struct {
	mu   sync.Mutex
	keys []platformKey
	made int // keys made since the start
}

func (p *Platform) newKey(n int) (platformKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return platformKey{}, err
	}
	kid, err := p.profile.Keys.Kid(p.sim.now(), n, p.sim.random)
	if err != nil {
		return platformKey{}, err
	}
	return platformKey{kid: kid, key: key}, nil
}

func (p *Platform) makeKeys() error {
	for n := range p.profile.Keys.Count {
		k, err := p.newKey(n)
		if err != nil {
			return err
		}
		p.ring.keys = append(p.ring.keys, k)
		p.ring.made++
	}
	return nil
}

// RotateKeys replaces the platform's keys as the platform does: where several are published the next one begins to
// sign and the oldest goes; where there is one it is swapped at once.
func (p *Platform) RotateKeys() error {
	p.ring.mu.Lock()
	defer p.ring.mu.Unlock()
	k, err := p.newKey(p.ring.made)
	if err != nil {
		return err
	}
	p.ring.made++
	p.ring.keys = append(p.ring.keys[1:len(p.ring.keys):len(p.ring.keys)], k)
	return nil
}

func (p *Platform) signingKey() platformKey {
	p.ring.mu.Lock()
	defer p.ring.mu.Unlock()
	return p.ring.keys[p.profile.Keys.Signing]
}

// jwksJSON returns the published key set.
func (p *Platform) jwksJSON() ([]byte, error) {
	p.ring.mu.Lock()
	defer p.ring.mu.Unlock()
	var keys []map[string]string
	for _, k := range p.ring.keys {
		jwk := publicJWK(k.kid, &k.key.PublicKey)
		if p.profile.Keys.Bare {
			delete(jwk, "alg")
			delete(jwk, "use")
		}
		keys = append(keys, jwk)
	}
	return json.Marshal(map[string]any{"keys": keys})
}

func publicJWK(kid string, pub *rsa.PublicKey) map[string]string {
	return map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
		"n": b64(pub.N.Bytes()), "e": b64(big.NewInt(int64(pub.E)).Bytes()),
	}
}

func (p *Platform) serveJWKS(w http.ResponseWriter, r *http.Request) {
	p.hit("jwks")
	if _, broken := p.takeFault(FaultJWKSUnavailable); broken {
		http.Error(w, "<html><body>The site is being upgraded.</body></html>", http.StatusServiceUnavailable)
		return
	}
	body, err := p.jwksJSON()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, value := range p.profile.Keys.Headers {
		w.Header().Set(name, value)
	}
	write(w, body)
}

// signRS256 returns a compact JWS.
func signRS256(header map[string]any, claims any, key *rsa.PrivateKey) (string, error) {
	input, err := signingInput(header, claims)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return input + "." + b64(sig), nil
}

// signHS256 returns a compact JWS under a secret that only this process knows: message hints and access tokens of
// platforms that make them so.
func (p *Platform) signHS256(claims any) (string, error) {
	input, err := signingInput(map[string]any{"typ": "JWT", "alg": "HS256"}, claims)
	if err != nil {
		return "", err
	}
	return input + "." + b64(p.mac(input)), nil
}

func (p *Platform) mac(s string) []byte {
	m := hmac.New(sha256.New, p.secret)
	m.Write([]byte(s))
	return m.Sum(nil)
}

// openHS256 checks a token of signHS256 and decodes its claims. It does not look at exp.
func (p *Platform) openHS256(token string, claims any) error {
	input, sig, ok := cutLast(token, '.')
	if !ok {
		return fmt.Errorf("not a JWT")
	}
	got, err := unb64(sig)
	if err != nil || !hmac.Equal(got, p.mac(input)) {
		return fmt.Errorf("signature does not fit")
	}
	_, payload, ok := cutLast(input, '.')
	if !ok {
		return fmt.Errorf("not a JWT")
	}
	raw, err := unb64(payload)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, claims)
}

func signingInput(header map[string]any, claims any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return b64(h) + "." + b64(c), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }

func cutLast(s string, sep byte) (before, after string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
