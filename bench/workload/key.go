// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
)

// A Key signs as a platform does. Its RSA-2048 modulus is a product of eight primes, so that a signature takes a sixth
// of the usual time: every launch that is measured needs one of its own. Whoever verifies sees a modulus of 2048 bits and
// the exponent 65537, and does the same work as for any other. It protects nothing.
type Key struct {
	kid     string
	modulus *big.Int
	header  string // of a token, encoded
	primes  [primes]prime
}

const (
	primes      = 8
	primeBits   = modulusBits / primes
	modulusBits = 2048
	exponent    = 65537
)

// prime is one prime of a Key with what the Chinese remainder theorem needs.
type prime struct {
	p, exponent *big.Int // exponent: the private one, modulo p-1
	coefficient *big.Int // 1 modulo p, and 0 modulo the others
}

// NewKey makes a key with a kid.
func NewKey(kid string) (*Key, error) {
	for {
		key := &Key{kid: kid, modulus: big.NewInt(1)}
		key.header = encode(fmt.Appendf(nil, `{"typ":"JWT","alg":"RS256","kid":%q}`, kid))
		usable := true
		for i := range key.primes {
			p, err := rand.Prime(rand.Reader, primeBits)
			if err != nil {
				return nil, fmt.Errorf("workload: make a prime: %w", err)
			}
			less := new(big.Int).Sub(p, big.NewInt(1))
			inverse := new(big.Int).ModInverse(big.NewInt(exponent), less)
			usable = usable && inverse != nil
			key.primes[i] = prime{p: p, exponent: inverse}
			key.modulus.Mul(key.modulus, p)
		}
		if !usable || key.modulus.BitLen() != modulusBits {
			continue
		}
		for i := range key.primes {
			others := new(big.Int).Div(key.modulus, key.primes[i].p)
			inverse := new(big.Int).ModInverse(others, key.primes[i].p)
			if inverse == nil {
				usable = false // two primes are equal
				break
			}
			key.primes[i].coefficient = inverse.Mul(inverse, others)
		}
		if usable {
			return key, nil
		}
	}
}

// KeySet returns the key set that the platform publishes.
func (k *Key) KeySet() []byte {
	return fmt.Appendf(nil, `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":"AQAB"}]}`, k.kid, encode(k.modulus.Bytes()))
}

// digestInfo precedes a SHA-256 digest in a PKCS #1 v1.5 signature (RFC 8017, section 9.2).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// Sign returns a compact JWS over claims.
func (k *Key) Sign(claims []byte) string {
	input := k.header + "." + encode(claims)
	return input + "." + encode(k.signature(input))
}

// signature returns the RSASSA-PKCS1-v1_5 signature of a text.
func (k *Key) signature(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	padded := make([]byte, modulusBits/8)
	padded[1] = 1
	end := len(padded) - len(digest) - len(digestInfo)
	for i := 2; i < end-1; i++ {
		padded[i] = 0xff
	}
	copy(padded[end:], digestInfo)
	copy(padded[end+len(digestInfo):], digest[:])
	message := new(big.Int).SetBytes(padded)
	sum, part := new(big.Int), new(big.Int)
	for i := range k.primes {
		p := &k.primes[i]
		part.Exp(new(big.Int).Mod(message, p.p), p.exponent, p.p)
		sum.Add(sum, part.Mul(part, p.coefficient))
	}
	return sum.Mod(sum, k.modulus).FillBytes(padded)
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
