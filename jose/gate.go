// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Limits of a compact JWS. The whole is limited by the caller, who sees the text first.
const (
	maxHeaderSize    = 8 << 10 // bytes, encoded
	maxSignatureSize = 2 << 10 // bytes, encoded: RSA of 8192 bits takes 1366
	maxKeyIDLength   = 512     // bytes
)

// The signature algorithms that a registration may name (RFC 7518, section 3.1).
const (
	RS256 = "RS256"
	PS256 = "PS256"
	ES256 = "ES256"
)

// Algorithms returns the signature algorithms that this package can verify.
func Algorithms() []string { return []string{RS256, PS256, ES256} }

// Token is a compact JWS that has passed the gate. Its content is well-formed and still untrusted: call Verify.
type Token struct {
	KeyID     string // never empty
	Algorithm string // one of the allowed
	Payload   []byte // strict JSON object, decoded from base64url; nil before ReadPayload

	text         string // header and payload as they came, with the dot between: what was signed
	payloadStart int
	signature    []byte
}

// Parse takes a compact JWS through the strict gate: Split, then ReadPayload. Errors are *lti.Error.
func Parse(text string, allowed []string) (*Token, error) {
	token, err := Split(text, allowed)
	if err != nil {
		return nil, err
	}
	if err := token.ReadPayload(); err != nil {
		return nil, err
	}
	return token, nil
}

// Split takes a compact JWS through the cheap part of the gate (RFC 7515, sections 3.1, 4.1 and 7.1): three segments, of
// which header and signature are raw base64url without padding, line breaks or spare bits; a header that is strict
// JSON, with an allowed alg, a kid that is a non-empty string, and nothing that asks for other processing. Members that
// name keys or places of keys (jku, jwk, x5u, x5c) are never looked at. Payload stays nil until ReadPayload: whoever
// knows no kid of the platform's must not be able to have 64 KiB of JSON read. Errors are *lti.Error.
func Split(text string, allowed []string) (*Token, error) {
	first := strings.IndexByte(text, '.')
	last := strings.LastIndexByte(text, '.')
	if first < 0 || first == last || strings.IndexByte(text[first+1:last], '.') >= 0 {
		return nil, malformed("it does not have three segments")
	}
	header, payload, signature := text[:first], text[first+1:last], text[last+1:]
	if len(header) > maxHeaderSize {
		return nil, malformed("its header is longer than 8 KiB")
	}
	if len(signature) > maxSignatureSize {
		return nil, malformed("its signature is longer than 2 KiB")
	}
	token := &Token{text: text[:last], payloadStart: first + 1}
	headerJSON, err := decodeSegment("header", header)
	if err != nil {
		return nil, err
	}
	if err := token.readHeader(headerJSON, allowed); err != nil {
		return nil, err
	}
	if token.signature, err = decodeSegment("signature", signature); err != nil {
		return nil, err
	}
	if payload == "" {
		return nil, malformed("its payload is empty")
	}
	return token, nil
}

// ReadPayload decodes the payload, which must be raw base64url of a strict JSON object. The error is a *lti.Error
// TOKEN_MALFORMED.
func (t *Token) ReadPayload() error {
	payload, err := decodeSegment("payload", t.text[t.payloadStart:])
	if err != nil {
		return err
	}
	if err := CheckObject(payload); err != nil {
		return malformed("its payload is not a strict JSON object: " + err.Error())
	}
	t.Payload = payload
	return nil
}

var segmentEncoding = base64.RawURLEncoding.Strict()

// decodeSegment decodes raw base64url. The standard decoder refuses all else outside the alphabet, but skips CR and LF.
func decodeSegment(name, text string) ([]byte, error) {
	if text == "" {
		return nil, malformed("its " + name + " is empty")
	}
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, malformed("its " + name + " is not raw base64url")
	}
	data, err := segmentEncoding.DecodeString(text)
	if err != nil {
		return nil, malformed("its " + name + " is not raw base64url")
	}
	return data, nil
}

// readHeader applies the rules for the header's members.
func (t *Token) readHeader(data []byte, allowed []string) error {
	members, err := readHeaderMembers(data)
	if err != nil {
		return malformed("its header is not a strict JSON object: " + err.Error())
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, ok := members[name]; ok {
			return lti.Errorf(lti.ReasonHeaderUnsupported, "The id_token's header has the member %q, which LTI does not use.", name).With("detail", name)
		}
	}
	if kind, ok := members["typ"]; ok && !(kind.Kind == '"' && strings.EqualFold(kind.Text, "JWT")) {
		return lti.Errorf(lti.ReasonHeaderUnsupported, "The id_token's header says that it is no id_token: typ must be JWT or absent.").With("detail", "typ")
	}
	algorithm := members["alg"]
	if algorithm.Kind != '"' || !slices.Contains(allowed, algorithm.Text) {
		actual := algorithm.Text
		if algorithm.Kind != '"' {
			actual = "none given as text"
		}
		return lti.Errorf(lti.ReasonAlgorithmNotAllowed, "The id_token is signed with %q; the registration allows %s.", lti.Excerpt(actual), strings.Join(allowed, ", ")).
			With("actual", lti.Excerpt(actual)).With("expected", strings.Join(allowed, " "))
	}
	keyID := members["kid"]
	if keyID.Kind != '"' || keyID.Text == "" {
		return lti.Errorf(lti.ReasonKIDMissing, "The id_token's header has no kid, or one that is not a text.")
	}
	if len(keyID.Text) > maxKeyIDLength {
		return malformed("its kid is longer than 512 bytes")
	}
	t.Algorithm, t.KeyID = algorithm.Text, keyID.Text
	return nil
}

func malformed(detail string) *lti.Error {
	return lti.Errorf(lti.ReasonTokenMalformed, "The id_token is malformed: %s.", detail).With("detail", detail)
}
