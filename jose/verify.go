// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/ltisidecar/ltisidecar/lti"
)

// es256 is jwx's verifier, given one key. Nothing of a token reaches it but the bytes that were signed and the
// signature. RSA is the standard library's own.
var es256 = func() jws.Verifier {
	verifier, err := jws.NewVerifier(jwa.ES256)
	if err != nil {
		panic(fmt.Sprintf("jose: jwx has no verifier for ES256: %v", err))
	}
	return verifier
}()

const es256Size = 64 // bytes of a signature (RFC 7518, section 3.4)

// Verify verifies the signature over the bytes as they were received, once, with one key. The key must be one that
// KeySet.Find returned for this token's kid and algorithm. The error is a *lti.Error SIGNATURE_INVALID.
func (t *Token) Verify(key *PublicKey) error {
	if err := t.verify(key); err != nil {
		return &lti.Error{
			Reason:   lti.ReasonSignatureInvalid,
			Message:  "The id_token's signature does not fit the platform's key of this kid.",
			Metadata: map[string]string{"kid": lti.Excerpt(t.KeyID)},
			Cause:    err,
		}
	}
	return nil
}

// SignatureFits reports whether the signature has the length that a key of this kind makes: one that has not cannot
// verify, and is found out for free.
func (t *Token) SignatureFits(key *PublicKey) bool {
	if public, ok := key.public.(*rsa.PublicKey); ok {
		return len(t.signature) == public.Size()
	}
	return len(t.signature) == es256Size
}

func (t *Token) verify(key *PublicKey) error {
	if err := key.fits(t.Algorithm); err != nil {
		return err
	}
	if !t.SignatureFits(key) {
		return fmt.Errorf("the signature has %d bytes, which a key of this kind never makes", len(t.signature))
	}
	switch t.Algorithm {
	case RS256:
		digest := digestOf(t.text)
		return rsa.VerifyPKCS1v15(key.public.(*rsa.PublicKey), crypto.SHA256, digest[:], t.signature)
	case PS256:
		// The salt length is fixed by RFC 7518, section 3.5.
		digest := digestOf(t.text)
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return rsa.VerifyPSS(key.public.(*rsa.PublicKey), crypto.SHA256, digest[:], t.signature, options)
	case ES256:
		return es256.Verify([]byte(t.text), t.signature, key.public)
	}
	return fmt.Errorf("no verifier for %q", t.Algorithm)
}

// digestOf hashes a text piece by piece: a conversion would copy all of it first.
func digestOf(text string) (digest [sha256.Size]byte) {
	hash := sha256.New()
	piece := make([]byte, 512)
	for text != "" {
		n := copy(piece, text)
		hash.Write(piece[:n])
		text = text[n:]
	}
	hash.Sum(digest[:0])
	return digest
}
