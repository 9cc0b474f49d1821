// SPDX-License-Identifier: Apache-2.0

package jose_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
)

var (
	testKey  = must(jose.GenerateSigningKey(2048))
	otherKey = must(jose.GenerateSigningKey(2048))
	rs256    = []string{jose.RS256}
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// resign returns a token with this header and payload, correctly signed by key. jose.Sign writes its own header, so the
// signature is made over a payload that is chosen to give it: the header under test replaces it in the signing input.
func resign(t *testing.T, header, payload string) string {
	t.Helper()
	return signRaw(t, testKey, encode(header)+"."+encode(payload))
}

// REQ-045 REQ-051
func TestParseAcceptsWhatPlatformsSend(t *testing.T) {
	set := must(jose.ParseKeySet(must(jose.PublicKeySet(testKey))))
	kid := testKey.KeyID()
	for name, header := range map[string]string{
		"usual":            `{"typ":"JWT","alg":"RS256","kid":"` + kid + `"}`,
		"without typ":      `{"kid":"` + kid + `","alg":"RS256"}`,
		"typ twice":        `{"typ":"JWT","alg":"RS256","typ":"JWT","kid":"` + kid + `"}`,
		"lower-case typ":   `{"typ":"jwt","alg":"RS256","kid":"` + kid + `"}`,
		"escaped name":     `{"\u0061lg":"RS256","kid":"` + kid + `"}`,
		"foreign members":  `{"alg":"RS256","kid":"` + kid + `","x5t":"abc","jku":"https://evil.example/jwks","jwk":{"kty":"RSA"}}`,
		"white space":      ` { "alg" : "RS256" , "kid" : "` + kid + `" } `,
		"a member of null": `{"alg":"RS256","kid":"` + kid + `","cty":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			token, err := jose.Parse(resign(t, header, `{"iss":"https://lms.example"}`), rs256)
			if err != nil {
				t.Fatal(err)
			}
			key, err := set.Find(token.KeyID, token.Algorithm)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.Verify(key); err != nil {
				t.Fatal(err)
			}
			if string(token.Payload) != `{"iss":"https://lms.example"}` {
				t.Errorf("payload = %s", token.Payload)
			}
		})
	}
}

// REQ-037 REQ-038 REQ-041 REQ-046 REQ-047 REQ-048 REQ-049 REQ-050 REQ-051 REQ-052 REQ-123
func TestParseRejects(t *testing.T) {
	kid := testKey.KeyID()
	header := `{"alg":"RS256","kid":"` + kid + `"}`
	good := resign(t, header, `{"a":1}`)
	parts := strings.Split(good, ".")
	with := func(header string) string { return resign(t, header, `{"a":1}`) }
	payload := func(payload string) string { return resign(t, header, payload) }
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	wide := `{"a":[` + strings.Repeat("1,", 20001) + `1]}`

	for _, test := range []struct {
		name, token string
		want        lti.Reason
	}{
		{"empty", "", lti.ReasonTokenMalformed},
		{"one segment", parts[0], lti.ReasonTokenMalformed},
		{"two segments", parts[0] + "." + parts[1], lti.ReasonTokenMalformed},
		{"four segments", good + ".x", lti.ReasonTokenMalformed},
		{"five segments", good + ".x.y", lti.ReasonTokenMalformed},
		{"leading dot", "." + good, lti.ReasonTokenMalformed},
		{"many dots", strings.Repeat(".", 100000), lti.ReasonTokenMalformed},
		{"detached payload", parts[0] + ".." + parts[2], lti.ReasonTokenMalformed},
		{"no signature", parts[0] + "." + parts[1] + ".", lti.ReasonTokenMalformed},
		{"JSON serialization", `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, lti.ReasonTokenMalformed},
		{"padding", good + "==", lti.ReasonTokenMalformed},
		{"standard alphabet", parts[0] + "." + parts[1] + ".+/" + parts[2][2:], lti.ReasonTokenMalformed},
		{"line break inside", parts[0] + "." + parts[1][:2] + "\r\n" + parts[1][2:] + "." + parts[2], lti.ReasonTokenMalformed},
		{"line break behind", good + "\n", lti.ReasonTokenMalformed},
		{"blank before", " " + good, lti.ReasonTokenMalformed},
		{"Bearer before", "Bearer " + good, lti.ReasonTokenMalformed},
		{"quotes around", `"` + good + `"`, lti.ReasonTokenMalformed},
		{"spare bits", parts[0] + "." + parts[1] + "." + spareBits(parts[2]), lti.ReasonTokenMalformed},
		{"long header", encode(`{"alg":"RS256","kid":"`+strings.Repeat("k", 9000)+`"}`) + "." + parts[1] + "." + parts[2], lti.ReasonTokenMalformed},
		{"long header that is sound", resign(t, `{"alg":"RS256","kid":"`+kid+`","x":"`+strings.Repeat("x", 9000)+`"}`, `{"a":1}`), lti.ReasonTokenMalformed},
		{"long signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 4096), lti.ReasonTokenMalformed},

		{"alg none", with(`{"alg":"none","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg None", with(`{"alg":"None","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg empty", with(`{"alg":"","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg absent", with(`{"kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg in the wrong case", with(`{"Alg":"RS256","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg lower-case", with(`{"alg":"rs256","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg with a blank", with(`{"alg":"RS256 ","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg a number", with(`{"alg":256,"kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"alg a list", with(`{"alg":["RS256"],"kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"HS256", with(`{"alg":"HS256","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},
		{"ES256 not registered", with(`{"alg":"ES256","kid":"` + kid + `"}`), lti.ReasonAlgorithmNotAllowed},

		{"kid absent", with(`{"alg":"RS256"}`), lti.ReasonKIDMissing},
		{"kid empty", with(`{"alg":"RS256","kid":""}`), lti.ReasonKIDMissing},
		{"kid a number", with(`{"alg":"RS256","kid":1}`), lti.ReasonKIDMissing},
		{"kid null", with(`{"alg":"RS256","kid":null}`), lti.ReasonKIDMissing},
		{"kid a list", with(`{"alg":"RS256","kid":["` + kid + `"]}`), lti.ReasonKIDMissing},
		{"kid long", with(`{"alg":"RS256","kid":"` + strings.Repeat("k", 513) + `"}`), lti.ReasonTokenMalformed},
		{"alg twice", with(`{"alg":"RS256","alg":"RS256","kid":"` + kid + `"}`), lti.ReasonTokenMalformed},
		{"alg twice, one escaped", with(`{"alg":"RS256","\u0061lg":"none","kid":"` + kid + `"}`), lti.ReasonTokenMalformed},
		{"kid twice", with(`{"alg":"RS256","kid":"` + kid + `","kid":"x"}`), lti.ReasonTokenMalformed},
		{"typ twice, different", with(`{"alg":"RS256","typ":"JWT","typ":"at+jwt","kid":"` + kid + `"}`), lti.ReasonTokenMalformed},
		{"crit", with(`{"alg":"RS256","kid":"` + kid + `","crit":["exp"]}`), lti.ReasonHeaderUnsupported},
		{"crit empty", with(`{"alg":"RS256","kid":"` + kid + `","crit":[]}`), lti.ReasonHeaderUnsupported},
		{"b64 false", with(`{"alg":"RS256","kid":"` + kid + `","b64":false}`), lti.ReasonHeaderUnsupported},
		{"zip", with(`{"alg":"RS256","kid":"` + kid + `","zip":"DEF"}`), lti.ReasonHeaderUnsupported},
		{"enc", with(`{"alg":"RS256","kid":"` + kid + `","enc":"A128GCM"}`), lti.ReasonHeaderUnsupported},
		{"typ at+jwt", with(`{"alg":"RS256","kid":"` + kid + `","typ":"at+jwt"}`), lti.ReasonHeaderUnsupported},
		{"typ a number", with(`{"alg":"RS256","kid":"` + kid + `","typ":1}`), lti.ReasonHeaderUnsupported},
		{"header a list", with(`[]`), lti.ReasonTokenMalformed},
		{"header with more behind", with(header + `x`), lti.ReasonTokenMalformed},
		{"header nested deeply", with(`{"alg":"RS256","kid":"` + kid + `","x":` + deep + `}`), lti.ReasonTokenMalformed},
		{"header invalid UTF-8", with(`{"alg":"RS256","kid":"` + "\xff" + `"}`), lti.ReasonTokenMalformed},

		{"payload a list", payload(`[]`), lti.ReasonTokenMalformed},
		{"payload a text", payload(`"x"`), lti.ReasonTokenMalformed},
		{"payload null", payload(`null`), lti.ReasonTokenMalformed},
		{"payload empty text", payload(` `), lti.ReasonTokenMalformed},
		{"payload with more behind", payload(`{"a":1}{"a":2}`), lti.ReasonTokenMalformed},
		{"payload with text behind", payload(`{"a":1} x`), lti.ReasonTokenMalformed},
		{"payload with a BOM", payload("\ufeff" + `{"a":1}`), lti.ReasonTokenMalformed},
		{"payload with a comment", payload(`{"a":1/**/}`), lti.ReasonTokenMalformed},
		{"payload with single quotes", payload(`{'a':1}`), lti.ReasonTokenMalformed},
		{"payload with NaN", payload(`{"a":NaN}`), lti.ReasonTokenMalformed},
		{"payload with a repeated member", payload(`{"iss":"a","iss":"b"}`), lti.ReasonTokenMalformed},
		{"payload with a repeated escaped member", payload(`{"iss":"a","i\u0073s":"b"}`), lti.ReasonTokenMalformed},
		{"payload with a repeated nested member", payload(`{"a":{"b":[{"c":1,"c":2}]}}`), lti.ReasonTokenMalformed},
		{"payload invalid UTF-8", payload("{\"a\":\"\xff\"}"), lti.ReasonTokenMalformed},
		{"payload overlong UTF-8", payload("{\"a\":\"\xc0\xaf\"}"), lti.ReasonTokenMalformed},
		{"payload lone surrogate", payload(`{"a":"\ud800"}`), lti.ReasonTokenMalformed},
		{"payload nested deeply", payload(deep), lti.ReasonTokenMalformed},
		{"payload wide", payload(wide), lti.ReasonTokenMalformed},
		{"payload NUL", payload("{\"a\":\"\x00\"}"), lti.ReasonTokenMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := jose.Parse(test.token, rs256)
			if got := lti.ReasonOf(err); got != test.want {
				t.Errorf("reason = %q, want %q (%v)", got, test.want, err)
			}
		})
	}
	if _, err := jose.Parse(good, rs256); err != nil {
		t.Errorf("the unaltered token: %v", err)
	}
}

func spareBits(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + string(alphabet[last|1])
}

// REQ-036 REQ-038
func TestVerifyRejects(t *testing.T) {
	set := must(jose.ParseKeySet(must(jose.PublicKeySet(testKey))))
	key := must(set.Find(testKey.KeyID(), jose.RS256))
	good := resign(t, `{"alg":"RS256","kid":"`+testKey.KeyID()+`"}`, `{"a":1}`)
	parts := strings.Split(good, ".")
	signature := must(base64.RawURLEncoding.DecodeString(parts[2]))
	replaced := func(signature []byte) string {
		return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	flipped := append([]byte(nil), signature...)
	flipped[17] ^= 1
	mac := hmac.New(sha256.New, must(jose.PublicKeySet(testKey)))
	mac.Write([]byte(parts[0] + "." + parts[1]))

	for name, text := range map[string]string{
		"payload altered":     parts[0] + "." + encode(`{"a":2}`) + "." + parts[2],
		"header respelled":    encode(`{ "alg":"RS256","kid":"`+testKey.KeyID()+`"}`) + "." + parts[1] + "." + parts[2],
		"signature bit":       replaced(flipped),
		"signature short":     replaced(signature[1:]),
		"signature long":      replaced(append([]byte{0}, signature...)),
		"signature zero":      replaced(make([]byte, 256)),
		"HMAC in its place":   replaced(mac.Sum(nil)),
		"signed by another":   signRaw(t, otherKey, parts[0]+"."+parts[1]),
		"another's signature": parts[0] + "." + parts[1] + "." + strings.Split(must(testKey.Sign([]byte(`{"b":1}`))), ".")[2],
	} {
		t.Run(name, func(t *testing.T) {
			token, err := jose.Parse(text, rs256)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.Verify(key); lti.ReasonOf(err) != lti.ReasonSignatureInvalid {
				t.Errorf("error = %v", err)
			}
		})
	}
	t.Run("every bit of the token counts", func(t *testing.T) {
		for i := 0; i < len(good); i += 7 {
			altered := []byte(good)
			if altered[i] == 'A' {
				altered[i] = 'B'
			} else {
				altered[i] = 'A'
			}
			token, err := jose.Parse(string(altered), rs256)
			if err == nil {
				err = token.Verify(key)
			}
			if err == nil {
				t.Fatalf("accepted with byte %d altered", i)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(must(testKey.Sign([]byte(`{"iss":"a","aud":["b"]}`))))
	f.Add(`{"payload":"e30","signatures":[]}`)
	f.Add("e30.e30.e30")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := jose.Parse(text, rs256)
		if err != nil {
			var refusal *lti.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("error %T is no *lti.Error", err)
			}
			return
		}
		if oracle := independentCheck(text); oracle != nil {
			t.Fatalf("the gate accepted what an independent check refuses: %v\n%q", oracle, text)
		}
		if token.KeyID == "" || token.Algorithm != jose.RS256 {
			t.Fatalf("kid %q alg %q", token.KeyID, token.Algorithm)
		}
	})
}

// independentCheck says with the standard library alone why a token must not pass the gate.
func independentCheck(text string) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return errors.New("segments")
	}
	var decoded [3][]byte
	for i, part := range parts {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(data) != part || part == "" {
			return fmt.Errorf("segment %d is not canonical", i)
		}
		decoded[i] = data
	}
	var header map[string]any
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return err
	}
	if header["alg"] != "RS256" || header["kid"] == "" || header["kid"] == nil || header["crit"] != nil || header["b64"] != nil {
		return errors.New("header")
	}
	var payload map[string]any
	return json.Unmarshal(decoded[1], &payload)
}
