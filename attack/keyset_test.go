// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// rocaModulus is of the kind that chips with the ROCA defect made: a power of 65537 modulo each small prime.
func rocaModulus() *big.Int {
	product := big.NewInt(1)
	for prime := int64(2); prime <= 167; prime++ {
		if big.NewInt(prime).ProbablyPrime(0) {
			product.Mul(product, big.NewInt(prime))
		}
	}
	modulus := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), product)
	cofactor := new(big.Int).Lsh(big.NewInt(1), uint(2047-product.BitLen())) // puts the modulus at 2048 bits
	return modulus.Add(modulus, cofactor.Mul(cofactor, product).Lsh(cofactor, 1))
}

// keyVectors: K01-K08: what the platform publishes under the kid of the token.
func keyVectors() []vector {
	n := platformKey.N
	e := base64url([]byte{1, 0, 1})
	bits := func(count uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), count-1), big.NewInt(1))
	}
	modulus := func(number *big.Int) string { return numbersKey(goodKID, base64url(number.Bytes()), e, "") }
	exponent := func(number *big.Int) string {
		return numbersKey(goodKID, base64url(n.Bytes()), base64url(number.Bytes()), "")
	}
	own := func(more string) string { return rsaKey(goodKID, &platformKey.PublicKey, more) }
	good := own("")
	var vectors []vector
	add := func(want lti.Reason, name string, keys ...string) {
		vectors = append(vectors, vector{name: name, keys: keySet(keys...), want: want})
	}
	for _, count := range []uint{8, 512, 768, 1024, 1536, 2047, 8193, 16384, 65536} {
		add(lti.ReasonKeyUnsuitable, fmt.Sprintf("modulus of %d bits", count), modulus(bits(count)))
	}
	for name, number := range map[string]*big.Int{
		"zero": new(big.Int), "one": big.NewInt(1), "even": new(big.Int).Sub(n, big.NewInt(1)), "of the ROCA defect": rocaModulus(), "of 7": big.NewInt(7),
	} {
		add(lti.ReasonKeyUnsuitable, "modulus "+name, modulus(number))
	}
	for name, number := range map[string]*big.Int{
		"zero": new(big.Int), "one": big.NewInt(1), "two": big.NewInt(2), "four": big.NewInt(4), "65536": big.NewInt(65536), "2^32+1": bits(33), "2^63+1": bits(64), "of 4,096 bits": bits(4096),
		"the modulus": n,
	} {
		add(lti.ReasonKeyUnsuitable, "exponent "+name, exponent(number))
	}
	for _, more := range []string{
		`,"use":"enc"`, `,"use":"SIG"`, `,"use":"sig "`, `,"use":"tls"`, `,"key_ops":[]`, `,"key_ops":["encrypt"]`, `,"key_ops":["sign"]`, `,"key_ops":["Verify"]`, `,"key_ops":["wrapKey","deriveKey"]`,
		`,"alg":"RS384"`, `,"alg":"RS512"`, `,"alg":"PS256"`, `,"alg":"ES256"`, `,"alg":"HS256"`, `,"alg":"none"`, `,"alg":"RSA-OAEP"`, `,"alg":"rs256"`, `,"use":"enc","alg":"RS256"`,
		`,"d":"AQAB"`, `,"d":""`, `,"k":"AQAB"`, `,"d":null,"k":"AA"`, `,"use":1`, `,"alg":1`, `,"key_ops":"verify"`, `,"key_ops":[1]`, `,"n":"AQAB"`, `,"kid":"k1"`, `,"kty":"EC"`,
	} {
		add(lti.ReasonKeyUnsuitable, "good numbers with "+more[1:], own(more))
	}
	for _, key := range []string{
		`{"kty":"oct","kid":"k1","k":"AQAB"}`, `{"kty":"OKP","kid":"k1","crv":"Ed25519","x":"AAAA"}`, `{"kty":"rsa","kid":"k1","n":"AQAB","e":"AQAB"}`, `{"kid":"k1"}`, `{"kty":null,"kid":"k1"}`,
		`{"kty":"RSA","kid":"k1"}`, `{"kty":"RSA","kid":"k1","n":"","e":""}`, `{"kty":"RSA","kid":"k1","n":"AQAB"}`, `{"kty":"RSA","kid":"k1","e":"AQAB"}`, `{"kty":"RSA","kid":"k1","n":1,"e":65537}`,
		`{"kty":"RSA","kid":"k1","n":null,"e":null}`, `{"kty":"RSA","kid":"k1","n":["AQAB"],"e":"AQAB"}`, `{"kty":"EC","kid":"k1","crv":"P-256","x":"AA","y":"AA"}`, `{"kty":"EC","kid":"k1"}`,
		`{"kty":"AKP","kid":"k1","alg":"ML-DSA-44","pub":"AA"}`,
		numbersKey(goodKID, base64url(n.Bytes())[:100]+"!!"+base64url(n.Bytes())[102:], e, ""), ecKey(goodKID, &curveKey.PublicKey, ""),
	} {
		add(lti.ReasonKeyUnsuitable, fmt.Sprintf("key %.90s", key), key)
	}
	add(lti.ReasonKIDUnknown, "a second kid behind the first", own(`,"kid":"k9"`))
	add(lti.ReasonSignatureInvalid, "another platform's key under the kid", rsaKey(goodKID, &secondKey.PublicKey, ""))
	add(lti.ReasonKeyAmbiguous, "two different keys, the good one first", good, rsaKey(goodKID, &secondKey.PublicKey, ""))
	add(lti.ReasonKeyAmbiguous, "two different keys, the good one last", rsaKey(goodKID, &secondKey.PublicKey, ""), good)
	add(lti.ReasonKeyAmbiguous, "three keys, two of them equal", good, good, rsaKey(goodKID, &secondKey.PublicKey, ""))
	for name, keys := range map[string][]string{
		"no keys": {}, "only null": {"null"}, "the key without kid": {strings.Replace(good, `"kid":"k1",`, "", 1)}, "the kid in capitals": {strings.Replace(good, `"k1"`, `"K1"`, 1)},
		"the kid with a blank": {strings.Replace(good, `"k1"`, `"k1 "`, 1)}, "the kid as a number": {strings.Replace(good, `"k1"`, `1`, 1)}, "the kid null": {strings.Replace(good, `"k1"`, `null`, 1)},
		"the kid in a list": {strings.Replace(good, `"k1"`, `["k1"]`, 1)}, "the member KID": {strings.Replace(good, `"kid"`, `"KID"`, 1)}, "another kid": {rsaKey("k2", &platformKey.PublicKey, "")},
		"the key as a text": {quoted(good)}, "the key in a list": {"[" + good + "]"}, "a prefix of the kid": {rsaKey("k", &platformKey.PublicKey, "")},
	} {
		add(lti.ReasonKIDUnknown, name, keys...)
	}
	garbage := []string{
		"null", "1", "true", `"x"`, "[]", "{}", `{"kty":"OKP","kid":"ed","crv":"Ed25519","x":"AA"}`, `{"kty":"oct","kid":"s","k":"AAAA"}`, `{"kty":"RSA","kid":"x","n":"!!","e":"AQAB"}`, `{"kty":"RSA","kid":"y","kid":"y"}`,
		`{"kty":7,"kid":"z"}`, ecKey("ec", &curveKey.PublicKey, ""),
	}
	add("", "odd: a dozen spoiled neighbours", append(garbage, good)...)
	for i, neighbour := range garbage {
		add("", fmt.Sprintf("odd: spoiled neighbour %d in front", i), neighbour, good)
		add("", fmt.Sprintf("odd: spoiled neighbour %d behind", i), good, neighbour)
	}
	for _, more := range []string{`,"use":"sig"`, `,"alg":"RS256"`, `,"use":"sig","alg":"RS256","key_ops":["verify"]`, `,"key_ops":["sign","verify"]`, `,"x5c":["AAAA"],"x5t":"AA"`, `,"ext":true`, `,"alg":""`, `,"use":""`, `,"exp":1`, `,"ALG":"HS256"`} {
		add("", "odd: good key with "+more[1:], own(more))
	}
	add("", "odd: leading zeros in the modulus", numbersKey(goodKID, base64url(append([]byte{0}, n.Bytes()...)), e, ""))
	add(lti.ReasonKeyUnsuitable, "padding behind modulus and exponent", numbersKey(goodKID, base64url(n.Bytes())+"==", e+"=", ""))
	add("", "odd: the same key twice", good, good)
	add("", "odd: one of two is for encryption", good, rsaKey(goodKID, &secondKey.PublicKey, `,"use":"enc"`))
	add("", "odd: one of two is of another type", ecKey(goodKID, &curveKey.PublicKey, ""), good)
	many := make([]string, 0, 701)
	for i := range 700 {
		many = append(many, rsaKey(fmt.Sprintf("key-%d", i), &secondKey.PublicKey, ""))
	}
	add("", "odd: 700 other keys", append(many, good)...)

	for name, text := range map[string]string{
		"a bare list": "[" + good + "]", "a single key": good, "keys null": `{"keys":null}`, "keys an object": `{"keys":{"k1":` + good + `}}`, "keys a text": `{"keys":"x"}`, "no member keys": `{"jwks":[` + good + `]}`,
		"KEYS in capitals": `{"KEYS":[` + good + `]}`, "an empty text": " ", "HTML": "<!doctype html><title>Sign in</title>", "null": "null", "a number": "7", "cut off": keySet(good)[:200], "text behind": keySet(good) + "x",
		"two documents": keySet(good) + keySet(good), "single quotes": `{'keys':[]}`, "UTF-16": "\xfe\xff\x00{\x00}", "a PEM certificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", "100,000 deep": strings.Repeat("[", 100000),
		"5,000 keys": `{"keys":[` + strings.Repeat("1,", 5000) + good + `]}`, "1 MiB and more": `{"keys":[` + good + `],"x":"` + strings.Repeat("x", 1<<20) + `"}`,
		"a JWS": "eyJhbGciOiJub25lIn0.eyJrZXlzIjpbXX0.", "nulls": strings.Repeat("\x00", 100), "keys a number": `{"keys":1}`, "a comment": `{"keys":[]} // x`, "a BOM in front": "\ufeff" + keySet(good),
	} {
		vectors = append(vectors, vector{name: "document: " + name, keys: text, want: lti.ReasonJWKSInvalid})
	}
	return vectors
}

// answerVectors: K08, K09: what the platform's server answers instead of a key set. The tripwire is where it redirects.
func answerVectors(s *stack) map[string]struct {
	serve http.HandlerFunc
	want  lti.Reason
} {
	type answer = struct {
		serve http.HandlerFunc
		want  lti.Reason
	}
	good := keySet(rsaKey(goodKID, &platformKey.PublicKey, ""))
	answers := map[string]answer{}
	for code, want := range map[int]lti.Reason{
		204: lti.ReasonJWKSInvalid, 206: lti.ReasonJWKSInvalid, 301: lti.ReasonJWKSInvalid, 302: lti.ReasonJWKSInvalid, 303: lti.ReasonJWKSInvalid, 304: lti.ReasonJWKSInvalid, 307: lti.ReasonJWKSInvalid, 308: lti.ReasonJWKSInvalid,
		400: lti.ReasonJWKSInvalid, 401: lti.ReasonJWKSInvalid, 403: lti.ReasonJWKSInvalid, 404: lti.ReasonJWKSInvalid, 410: lti.ReasonJWKSInvalid,
		429: lti.ReasonJWKSUnreachable, 500: lti.ReasonJWKSUnreachable, 502: lti.ReasonJWKSUnreachable, 503: lti.ReasonJWKSUnreachable, 504: lti.ReasonJWKSUnreachable,
	} {
		answers[fmt.Sprintf("status %d", code)] = answer{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://"+s.tripwire.address+"/jwks")
			w.WriteHeader(code)
			if code != 204 && code != 304 {
				_, _ = io.WriteString(w, good)
			}
		}, want}
	}
	encoded := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", name)
			_, _ = io.WriteString(w, good)
		}
	}
	answers["an unknown Content-Encoding"] = answer{encoded("br"), lti.ReasonJWKSInvalid}
	answers["gzip that is none"] = answer{encoded("gzip"), lti.ReasonJWKSUnreachable}
	answers["a gzip bomb"] = answer{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		block := []byte(strings.Repeat(" ", 1<<16))
		for range 1024 { // 64 MiB, unless the reader leaves
			if _, err := zip.Write(block); err != nil {
				return
			}
		}
		_ = zip.Close()
	}, lti.ReasonJWKSInvalid}
	answers["an endless body"] = answer{func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
				return
			}
		}
	}, lti.ReasonJWKSInvalid}
	answers["one byte a second"] = answer{func(w http.ResponseWriter, r *http.Request) { // until the fetcher has had enough
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for _, letter := range []byte(good) {
			if _, err := w.Write([]byte{letter}); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}, lti.ReasonJWKSUnreachable}
	answers["a body that is cut off"] = answer{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, good)
	}, lti.ReasonJWKSUnreachable}
	answers["a connection that is cut"] = answer{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, lti.ReasonJWKSUnreachable}
	answers["100 KiB of headers"] = answer{func(w http.ResponseWriter, _ *http.Request) {
		for i := range 100 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1<<10))
		}
		_, _ = io.WriteString(w, good)
	}, lti.ReasonJWKSUnreachable}
	// What is odd and good.
	kind := func(header, value, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			_, _ = io.WriteString(w, text)
		}
	}
	answers["odd: gzip"] = answer{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		_, _ = io.WriteString(zip, good)
		_ = zip.Close()
	}, ""}
	answers["odd: text/html"] = answer{kind("Content-Type", "text/html", good), ""}
	answers["odd: no Content-Type"] = answer{kind("Content-Type", "", good), ""}
	answers["odd: Cache-Control no-store"] = answer{kind("Cache-Control", "no-store", good), ""}
	answers["odd: Cache-Control of rubbish"] = answer{kind("Cache-Control", "max-age=-1, max-age=x,,=", good), ""}
	answers["odd: Cache-Control for 30 years"] = answer{kind("Cache-Control", "max-age=1000000000", good), ""}
	answers["odd: white space around"] = answer{kind("Content-Type", "application/json", "\r\n "+good+"\n\n"), ""}
	answers["odd: further members"] = answer{kind("Content-Type", "application/jwk-set+json", `{"issuer":"x","keys":[`+rsaKey(goodKID, &platformKey.PublicKey, "")+`],"next":null}`), ""}
	return answers
}

// TestPlatformKeys runs the K family: each vector with a platform of its own, so that each is the first fetch.
func TestPlatformKeys(t *testing.T) {
	vectors := keyVectors()
	answered := answerVectors(&stack{tripwire: &tripwire{}})
	names := make([]string, 0, len(vectors)+len(answered))
	for i := range vectors {
		vectors[i].family, vectors[i].on = "K", fmt.Sprintf("key-%d", i)
		names = append(names, vectors[i].on)
	}
	for i := range len(answered) {
		names = append(names, fmt.Sprintf("answer-%d", i))
	}
	s := newStack(t, 1, names...)
	s.runAll(t, vectors)

	next := 0
	for name, answer := range answerVectors(s) {
		on := fmt.Sprintf("answer-%d", next)
		next++
		s.parties[on].set(answer.serve)
		problems := s.run(&vector{family: "K", name: "answer: " + name, on: on, want: answer.want, spent: true})
		if answer.want != "" {
			l := must(s.begin(s.parties[on]))
			s.parties[on].set(document(keySet(rsaKey(goodKID, &platformKey.PublicKey, ""))))
			s.clock.add(2 * time.Minute)
			if err := s.validate(s.good(l, nil)); err != nil {
				problems = append(problems, fmt.Sprintf("afterwards: %v", err))
			}
		}
		for _, problem := range problems {
			t.Errorf("K answer: %s: %s", name, problem)
		}
		record("K", answer.want != "", len(problems) == 0)
	}
	if visits := s.tripwire.visits.Load(); visits != 0 {
		t.Errorf("%d connections to where a key set was redirected", visits)
	}
}
