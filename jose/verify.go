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

// The verifiers of jwx: one algorithm each, given one key. Nothing of a token reaches them but the bytes that were
// signed and the signature.
var verifiers = map[string]jws.Verifier{
	RS256: mustVerifier(jwa.RS256),
	ES256: mustVerifier(jwa.ES256),
}

func mustVerifier(algorithm jwa.SignatureAlgorithm) jws.Verifier {
	verifier, err := jws.NewVerifier(algorithm)
	if err != nil {
		panic(fmt.Sprintf("jose: jwx has no verifier for %s: %v", algorithm, err))
	}
	return verifier
}

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

func (t *Token) verify(key *PublicKey) error {
	if err := key.fits(t.Algorithm); err != nil {
		return err
	}
	switch t.Algorithm {
	case PS256:
		// jwx leaves the salt length open; RFC 7518, section 3.5 fixes it.
		digest := sha256.Sum256(t.signingInput)
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return rsa.VerifyPSS(key.public.(*rsa.PublicKey), crypto.SHA256, digest[:], t.signature, options)
	case ES256:
		if len(t.signature) != 64 {
			return fmt.Errorf("an ES256 signature has 64 bytes, this one %d", len(t.signature))
		}
	}
	verifier, ok := verifiers[t.Algorithm]
	if !ok {
		return fmt.Errorf("no verifier for %q", t.Algorithm)
	}
	return verifier.Verify(t.signingInput, t.signature, key.public)
}
