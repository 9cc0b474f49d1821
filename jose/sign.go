// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// SigningKey is a private RSA key of the tool. It is not changed and may be used by many goroutines. Formatting it
// shows the key id only.
type SigningKey struct {
	private *rsa.PrivateKey
	public  publicJWK
	header  string
}

// publicJWK is the public half of a SigningKey as platforms read it.
type publicJWK struct {
	KeyType   string `json:"kty"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	N         string `json:"n"`
	E         string `json:"e"`
}

// GenerateSigningKey makes a key of 2048 to 8192 bits from the system's randomness.
func GenerateSigningKey(bits int) (*SigningKey, error) {
	if bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("a signing key has %d to %d bits, not %d", minRSABits, maxRSABits, bits)
	}
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("generate RSA key: %w", err)
	}
	return newSigningKey(private)
}

// ParseSigningKey reads a PEM block of an unencrypted RSA key, PKCS#8 ("PRIVATE KEY") or PKCS#1 ("RSA PRIVATE KEY").
func ParseSigningKey(text []byte) (*SigningKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block found")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block is not a PKCS#8 key")
		}
		private, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New("the key is not RSA")
		}
		return newSigningKey(private)
	case "RSA PRIVATE KEY":
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block is not a PKCS#1 key")
		}
		return newSigningKey(private)
	}
	return nil, fmt.Errorf("the PEM block is a %q, not an unencrypted private key", block.Type)
}

func newSigningKey(private *rsa.PrivateKey) (*SigningKey, error) {
	if err := checkRSA(&private.PublicKey); err != nil {
		return nil, fmt.Errorf("the key is not usable: %w", err)
	}
	if err := private.Validate(); err != nil {
		return nil, errors.New("the key's parts do not fit each other")
	}
	encode := base64.RawURLEncoding.EncodeToString
	key := &SigningKey{private: private, public: publicJWK{
		KeyType: "RSA", Use: "sig", Algorithm: RS256,
		N: encode(private.N.Bytes()),
		E: encode(big.NewInt(int64(private.E)).Bytes()),
	}}
	// RFC 7638: the required members in order of their names. Neither value needs escaping.
	sum := sha256.Sum256([]byte(`{"e":"` + key.public.E + `","kty":"RSA","n":"` + key.public.N + `"}`))
	key.public.KeyID = encode(sum[:])
	key.header = encode([]byte(`{"alg":"RS256","kid":"` + key.public.KeyID + `","typ":"JWT"}`))
	return key, nil
}

// KeyID returns the RFC 7638 thumbprint of the key, so that no kid can ever name two keys.
func (k *SigningKey) KeyID() string { return k.public.KeyID }

// String returns the key id.
func (k *SigningKey) String() string { return "signing key " + k.public.KeyID }

// GoString returns the key id.
func (k *SigningKey) GoString() string { return k.String() }

// PEM returns the private key as a PKCS#8 PEM block, for its file.
func (k *SigningKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Sign returns a compact JWS over claims, signed with RS256, with kid and typ JWT in its header.
func (k *SigningKey) Sign(claims []byte) (string, error) {
	signer, err := jws.NewSigner(jwa.RS256)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	input := k.header + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := signer.Sign([]byte(input), k.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// PublicKeySet returns the key set document that platforms fetch (RFC 7517, section 5).
func PublicKeySet(keys ...*SigningKey) ([]byte, error) {
	document := struct {
		Keys []publicJWK `json:"keys"`
	}{Keys: make([]publicJWK, 0, len(keys))}
	for _, key := range keys {
		document.Keys = append(document.Keys, key.public)
	}
	return json.Marshal(document)
}
