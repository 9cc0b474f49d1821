// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

func newKey(t testing.TB) *Key {
	t.Helper()
	key, err := NewKey("key-1")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestToken holds a token to the standard library's verification under the key that the key set names.
func TestToken(t *testing.T) {
	key := newKey(t)
	issued := time.Unix(1_900_000_000, 0)
	token := key.Token("nonce-1", issued)
	if len(token) < 4800 || len(token) > 5600 {
		t.Errorf("the token has %d bytes, not about 5 KB", len(token))
	}
	var set struct {
		Keys []struct{ Kid, N, E string }
	}
	if err := json.Unmarshal(key.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	n, err := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
	if err != nil || set.Keys[0].Kid != "key-1" || set.Keys[0].E != "AQAB" {
		t.Fatalf("key set %+v, %v", set, err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}
	if public.N.BitLen() != modulusBits {
		t.Fatalf("the modulus has %d bits", public.N.BitLen())
	}
	input, encoded, _ := cutLast(token)
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(input))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": Issuer, "aud": ClientID, "nonce": "nonce-1", "iat": 1_900_000_000.0, "exp": 1_900_003_600.0,
		"https://purl.imsglobal.org/spec/lti/claim/deployment_id":   DeploymentID,
		"https://purl.imsglobal.org/spec/lti/claim/target_link_uri": TargetURI,
	} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
}

func cutLast(token string) (before, after string, found bool) {
	i := strings.LastIndexByte(token, '.')
	return token[:i], token[i+1:], true
}

func BenchmarkToken(b *testing.B) {
	key := newKey(b)
	for b.Loop() {
		key.Token("nonce-1", time.Unix(1_900_000_000, 0))
	}
}
