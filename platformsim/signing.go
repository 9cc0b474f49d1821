// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

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
