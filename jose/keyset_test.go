// SPDX-License-Identifier: Apache-2.0

package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
)

// private returns the RSA key behind a signing key, as its file has it.
func private(t *testing.T, key *jose.SigningKey) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(must(key.PEM()))
	return must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
}

// signRaw signs a signing input with the standard library, independently of the package under test.
func signRaw(t *testing.T, key *jose.SigningKey, input string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	signature := must(rsa.SignPKCS1v15(rand.Reader, private(t, key), crypto.SHA256, digest[:]))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func rsaJWK(kid string, n *big.Int, e int64, more string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q%s}`, kid, encode(n.Bytes()), encode(big.NewInt(e).Bytes()), more)
}

// REQ-053 REQ-054 REQ-055 REQ-056 REQ-057 REQ-058
func TestParseKeySetToleratesNeighbours(t *testing.T) {
	n := private(t, testKey).N
	other := private(t, otherKey).N
	set, err := jose.ParseKeySet([]byte(`{"keys":[
		null, 7, "x", [], {}, {"kty":"OKP","kid":"ed","crv":"Ed25519","x":"AA"},
		{"kty":"oct","kid":"secret","k":"AAAA"},
		{"kty":"RSA","kid":"broken","n":"!!","e":"AQAB"},
		{"kty":"RSA","kid":"twice","kid":"twice","n":"AA","e":"AQAB"},
		` + rsaJWK("good", n, 65537, "") + `,
		` + rsaJWK("padded", n, 65537, `,"alg":"RS256","use":"sig","key_ops":["verify"]`) + `,
		` + rsaJWK("enc", n, 65537, `,"use":"enc"`) + `,
		` + rsaJWK("ops", n, 65537, `,"key_ops":["encrypt"]`) + `,
		` + rsaJWK("rs512", n, 65537, `,"alg":"RS512"`) + `,
		` + rsaJWK("private", n, 65537, `,"d":"AA"`) + `,
		` + rsaJWK("small", new(big.Int).SetBit(big.NewInt(1), 1023, 1), 65537, "") + `,
		` + rsaJWK("huge", new(big.Int).SetBit(big.NewInt(1), 8192, 1), 65537, "") + `,
		` + rsaJWK("even", new(big.Int).SetBit(big.NewInt(2), 2047, 1), 65537, "") + `,
		` + rsaJWK("e1", n, 1, "") + `,
		` + rsaJWK("e4", n, 4, "") + `,
		` + rsaJWK("e33", n, 1<<33+1, "") + `,
		` + rsaJWK("same", n, 65537, "") + `,` + rsaJWK("same", n, 65537, "") + `,
		` + rsaJWK("two", n, 65537, "") + `,` + rsaJWK("two", other, 65537, "") + `,
		` + rsaJWK("one fits", n, 65537, "") + `,` + rsaJWK("one fits", other, 65537, `,"use":"enc"`) + `
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	for kid, want := range map[string]lti.Reason{
		"good": "", "padded": "", "same": "", "one fits": "",
		"absent": lti.ReasonKIDUnknown, "GOOD": lti.ReasonKIDUnknown, "good ": lti.ReasonKIDUnknown,
		"ed": lti.ReasonKeyUnsuitable, "secret": lti.ReasonKeyUnsuitable, "broken": lti.ReasonKeyUnsuitable,
		"twice": lti.ReasonKeyUnsuitable, "enc": lti.ReasonKeyUnsuitable, "ops": lti.ReasonKeyUnsuitable,
		"rs512": lti.ReasonKeyUnsuitable, "private": lti.ReasonKeyUnsuitable, "small": lti.ReasonKeyUnsuitable,
		"huge": lti.ReasonKeyUnsuitable, "even": lti.ReasonKeyUnsuitable, "e1": lti.ReasonKeyUnsuitable,
		"e4": lti.ReasonKeyUnsuitable, "e33": lti.ReasonKeyUnsuitable, "two": lti.ReasonKeyAmbiguous,
	} {
		if _, err := set.Find(kid, jose.RS256); lti.ReasonOf(err) != want {
			t.Errorf("%s: reason %q, want %q (%v)", kid, lti.ReasonOf(err), want, err)
		}
	}
	if _, err := set.Find("good", jose.ES256); lti.ReasonOf(err) != lti.ReasonKeyUnsuitable {
		t.Errorf("an RSA key for ES256: %v", err)
	}
}

func TestParseKeySetRejects(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "HTML": "<html></html>", "bare list": "[]", "no keys": "{}", "keys null": `{"keys":null}`,
		"keys an object": `{"keys":{}}`, "one key": rsaJWK("k", big.NewInt(7), 3, ""), "more behind": `{"keys":[]}x`,
		"too many": `{"keys":[` + strings.Repeat("1,", 5000) + `1]}`,
	} {
		if _, err := jose.ParseKeySet([]byte(text)); lti.ReasonOf(err) != lti.ReasonJWKSInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if set, err := jose.ParseKeySet([]byte(`{"keys":[]}`)); err != nil || len(set.KeyIDs()) != 0 {
		t.Errorf("an empty set: %v", err)
	}
}

func TestPS256AndES256(t *testing.T) {
	input := encode(`{"alg":"PS256","kid":"ps"}`) + "." + encode(`{}`)
	digest := sha256.Sum256([]byte(input))
	sign := func(salt int) string {
		signature := must(rsa.SignPSS(rand.Reader, private(t, testKey), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt}))
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	curveKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	point := must(curveKey.PublicKey.Bytes())
	coordinate := base64.RawURLEncoding.EncodeToString
	set := must(jose.ParseKeySet([]byte(`{"keys":[` + rsaJWK("ps", private(t, testKey).N, 65537, "") +
		`,{"kty":"EC","kid":"es","crv":"P-256","x":"` + coordinate(point[1:33]) + `","y":"` + coordinate(point[33:]) + `"}]}`)))
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"PS256, salt of the hash's length": {sign(32), true},
		"PS256, other salt":                {sign(20), false},
		"PS256, no salt":                   {sign(0), false},
	} {
		token := must(jose.Parse(test.text, []string{jose.PS256}))
		if err := token.Verify(must(set.Find("ps", jose.PS256))); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	input = encode(`{"alg":"ES256","kid":"es"}`) + "." + encode(`{}`)
	digest = sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, curveKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	for name, test := range map[string]struct {
		signature []byte
		ok        bool
	}{
		"ES256":           {raw, true},
		"ES256, 65 bytes": {append([]byte{0}, raw...), false},
		"ES256, DER":      {must(curveKey.Sign(rand.Reader, digest[:], crypto.SHA256)), false},
		"ES256, zeros":    {make([]byte, 64), false},
	} {
		token := must(jose.Parse(input+"."+coordinate(test.signature), []string{jose.ES256}))
		if err := token.Verify(must(set.Find("es", jose.ES256))); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// REQ-216 REQ-217 REQ-218 REQ-221
func TestSigningKey(t *testing.T) {
	again := must(jose.ParseSigningKey(must(testKey.PEM())))
	if again.KeyID() != testKey.KeyID() {
		t.Error("the key id changes when the key is read again")
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private(t, testKey))})
	if must(jose.ParseSigningKey(pkcs1)).KeyID() != testKey.KeyID() {
		t.Error("PKCS#1 gives another key")
	}
	for _, text := range []string{fmt.Sprintf("%v", testKey), fmt.Sprintf("%#v", testKey), fmt.Sprintf("%+v", testKey)} {
		if strings.Contains(text, private(t, testKey).D.String()[:20]) || len(text) > 100 {
			t.Errorf("formatting shows the key: %s", text)
		}
	}
	if document := string(must(jose.PublicKeySet(testKey, otherKey))); strings.Contains(document, `"d"`) || strings.Count(document, `"kid"`) != 2 {
		t.Errorf("document = %s", document)
	}
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	if _, err := jose.ParseSigningKey(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})); err == nil {
		t.Error("a 1024-bit key was accepted")
	}
	for _, text := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"} {
		if _, err := jose.ParseSigningKey([]byte(text)); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}
