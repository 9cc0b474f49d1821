// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// jwt is a compact JWS taken apart, nothing checked yet.
type jwt struct {
	header map[string]any
	claims map[string]any
	input  string
	sig    []byte
}

var errNotJWT = errors.New("not a compact JWT")

const maxJWT = 64 << 10

func parseJWT(s string) (*jwt, error) {
	if len(s) > maxJWT {
		return nil, errNotJWT
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil, errNotJWT
	}
	h, err1 := unb64(parts[0])
	c, err2 := unb64(parts[1])
	sig, err3 := unb64(parts[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, errNotJWT
	}
	t := &jwt{input: parts[0] + "." + parts[1], sig: sig}
	if decodeNumbers(h, &t.header) != nil || decodeNumbers(c, &t.claims) != nil || t.header == nil || t.claims == nil {
		return nil, errNotJWT
	}
	return t, nil
}

// decodeNumbers is json.Unmarshal that keeps numbers as they were written.
func decodeNumbers(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errNotJWT
	}
	return nil
}

func (t *jwt) text(name string) (string, bool) {
	s, ok := t.claims[name].(string)
	return s, ok
}

// seconds returns a NumericDate claim, which must be an integer and not a string or a fraction.
func (t *jwt) seconds(name string) (int64, error) {
	v, ok := t.claims[name]
	if !ok {
		return 0, fmt.Errorf("the '%s' is missing", name)
	}
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("the '%s' must be a number", name)
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the '%s' must be an integer", name)
	}
	return i, nil
}

// audienceIs reports whether aud is the wanted string or an array containing it.
func (t *jwt) audienceIs(want string) bool {
	switch aud := t.claims["aud"].(type) {
	case string:
		return aud == want
	case []any:
		for _, a := range aud {
			if a == any(want) {
				return true
			}
		}
	}
	return false
}

func (t *jwt) verify(pub *rsa.PublicKey) error {
	digest := sha256.Sum256([]byte(t.input))
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], t.sig)
}

// keySet maps kid to key; entries that are not RSA signing keys are skipped, as platforms do.
type keySet map[string]*rsa.PublicKey

func parseJWKS(b []byte) (keySet, error) {
	var doc struct {
		Keys []struct {
			Kty, Kid, Alg, Use, N, E string
			D                        string
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("JWK Error: Invalid JSON")
	}
	if len(doc.Keys) == 0 {
		return nil, errors.New("JWK Set did not contain any keys")
	}
	set := keySet{}
	for _, k := range doc.Keys {
		if k.D != "" {
			return nil, errors.New("the key set contains a private key")
		}
		if k.Kty != "RSA" || k.Kid == "" || (k.Use != "" && k.Use != "sig") || (k.Alg != "" && k.Alg != "RS256") {
			continue
		}
		n, err1 := unb64(k.N)
		e, err2 := unb64(k.E)
		if err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 {
			continue
		}
		mod := new(big.Int).SetBytes(n)
		exp := int(new(big.Int).SetBytes(e).Int64())
		if mod.BitLen() < 2048 || mod.BitLen() > 8192 || exp < 3 || exp%2 == 0 {
			continue
		}
		set[k.Kid] = &rsa.PublicKey{N: mod, E: exp}
	}
	return set, nil
}
