// SPDX-License-Identifier: Apache-2.0

package jose

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
)

// A difference is a set of Wycheproof vectors that are valid by the RFCs and that we refuse on purpose.
type difference struct {
	file  string
	cases []int
	why   string
}

const (
	noSymmetric = "symmetric signatures (HS256 and the like): LTI signs with private keys, and accepting one would open algorithm confusion"
	otherHash   = "RS384, RS512, PS384, PS512 and ES512 cannot be registered: LTI names RS256, and each further one is more to get wrong"
	noPayload   = "an empty payload is no id_token"
	otherBase64 = "a segment has characters that strict base64url does not have (and the algorithm is HS256)"
)

// differences is the whole list. A vector that differs and is not in it, or is in it and does not differ, fails the test.
var differences = []difference{
	{"json_web_signature", []int{1, 348, 352, 357, 358, 359, 376, 377}, noSymmetric},
	{"json_web_signature", []int{346, 347, 350, 351}, otherHash}, // PS384 and ES512
	{"json_web_signature", []int{264, 265, 266, 267}, otherHash}, // RS384
	{"json_web_signature", []int{268, 269, 270, 271}, otherHash}, // RS512
	{"json_web_signature", []int{320, 321, 322, 323}, otherHash}, // PS384
	{"json_web_signature", []int{325, 326, 327, 328}, otherHash}, // PS512
	{"json_web_signature", []int{259, 272}, noPayload},
	{"json_web_signature", []int{372, 373}, otherBase64},
	{"json_web_key", []int{2, 13, 14, 15}, noSymmetric},
	{"json_web_crypto", []int{1, 48}, noSymmetric},
}

// wycheproofFile is what the tests read of a file of vectors.
type wycheproofFile struct {
	TestGroups []struct {
		Type         string          `json:"type"`
		Public       json.RawMessage `json:"public"`
		Private      json.RawMessage `json:"private"`
		PublicKeyDER string          `json:"publicKeyDer"`
		Tests        []struct {
			ID        int             `json:"tcId"`
			Comment   string          `json:"comment"`
			JWS       json.RawMessage `json:"jws"`
			JWE       json.RawMessage `json:"jwe"`
			Message   string          `json:"msg"`
			Signature string          `json:"sig"`
			Result    string          `json:"result"`
			Flags     []string        `json:"flags"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func readVectors(t *testing.T, name string) *wycheproofFile {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, name+"_test.json")
	if err != nil {
		t.Fatal(err)
	}
	file := new(wycheproofFile)
	if err := json.Unmarshal(text, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// tally is what became of the vectors.
type tally struct {
	Vectors     int `json:"vectors"`
	Differences int `json:"differences"`
	Unlisted    int `json:"unlisted"`
}

// compare holds what we say of the vectors of a file against what Wycheproof says.
func (a *tally) compare(t *testing.T, file string, accepted, valid map[int]bool, comments map[int]string) {
	t.Helper()
	listed := map[int]bool{}
	for _, d := range differences {
		if d.file == file {
			for _, id := range d.cases {
				listed[id] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(accepted)) {
		a.Vectors++
		switch {
		case accepted[id] && !valid[id]:
			a.Unlisted++
			t.Errorf("%s %d (%s): accepted, though it is invalid", file, id, comments[id])
		case !accepted[id] && valid[id] && listed[id]:
			a.Differences++
		case !accepted[id] && valid[id]:
			a.Unlisted++
			t.Errorf("%s %d (%s): refused, though it is valid and not in the list of differences", file, id, comments[id])
		case listed[id]:
			a.Unlisted++
			t.Errorf("%s %d (%s): in the list of differences, but there is none", file, id, comments[id])
		}
	}
}

// TestWycheproof runs the published vectors for JWS, JWK, RSA and ECDSA. Accepting an invalid one is always a failure.
func TestWycheproof(t *testing.T) {
	var all tally
	for _, file := range []string{"json_web_signature", "json_web_key", "json_web_crypto", "json_web_encryption"} {
		accepted, valid, comments := map[int]bool{}, map[int]bool{}, map[int]string{}
		for _, group := range readVectors(t, file).TestGroups {
			for _, test := range group.Tests {
				text := test.JWS
				if text == nil {
					text = test.JWE // never a launch, so none is valid here
				} else {
					valid[test.ID] = test.Result != "invalid"
				}
				comments[test.ID] = test.Comment
				accepted[test.ID] = acceptsJWS(t, group.Public, group.Private, text)
			}
		}
		all.compare(t, file, accepted, valid, comments)
	}
	for file, algorithm := range map[string]string{
		"rsa_signature_2048_sha256": RS256, "rsa_signature_3072_sha256": RS256, "rsa_signature_4096_sha256": RS256,
		"rsa_signature_8192_sha256": RS256, "rsa_pss_2048_sha256_mgf1_32": PS256, "ecdsa_secp256r1_sha256_p1363": ES256,
	} {
		accepted, valid, comments := map[int]bool{}, map[int]bool{}, map[int]string{}
		for _, group := range readVectors(t, file).TestGroups {
			key := publicKeyOf(t, group.PublicKeyDER)
			for _, test := range group.Tests {
				token := &Token{Algorithm: algorithm, text: string(fromHex(t, test.Message)), signature: fromHex(t, test.Signature)}
				comments[test.ID] = test.Comment
				accepted[test.ID] = token.Verify(key) == nil
				// "Acceptable" is a signature that old software made wrongly: refusing it is right too.
				valid[test.ID] = test.Result == "valid" || test.Result == "acceptable" && accepted[test.ID]
			}
		}
		all.compare(t, file, accepted, valid, comments)
	}
	if all.Vectors < 1900 {
		t.Errorf("only %d vectors were run", all.Vectors)
	}
	for _, d := range differences {
		t.Logf("difference: %s %v: %s", d.file, d.cases, d.why)
	}
	t.Logf("wycheproof: %d vectors, %d differences, %d not listed", all.Vectors, all.Differences, all.Unlisted)
	if file := os.Getenv("WYCHEPROOF_TALLY"); file != "" {
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// acceptsJWS takes a vector through the gate, the key set and the verification, as a launch goes. A JWS that is not in
// compact form is given as the JSON that it is.
func acceptsJWS(t *testing.T, public, private, jws json.RawMessage) bool {
	t.Helper()
	text := string(jws)
	var compact string
	if json.Unmarshal(jws, &compact) == nil {
		text = compact
	}
	token, err := Split(text, Algorithms())
	if err != nil {
		return false
	}
	// Of ReadPayload only the encoding counts here: the vectors carry any bytes.
	if _, err := decodeSegment("payload", token.text[token.payloadStart:]); err != nil {
		return false
	}
	key := public
	if key == nil {
		key = private // a group of a symmetric key
	}
	document := string(key)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(key, &members); err != nil {
		t.Fatal(err)
	}
	if members["keys"] == nil {
		document = `{"keys":[` + document + `]}`
	}
	set, err := ParseKeySet([]byte(document))
	if err != nil {
		return false
	}
	found, err := set.Find(token.KeyID, token.Algorithm)
	return err == nil && token.Verify(found) == nil
}

func publicKeyOf(t *testing.T, der string) *PublicKey {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(fromHex(t, der))
	if err != nil {
		t.Fatal(err)
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(key); err != nil {
			t.Fatal(err)
		}
	case *ecdsa.PublicKey:
	default:
		t.Fatalf("a key of type %T", public)
	}
	return &PublicKey{public: public}
}

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestROCAFingerprint holds the check to moduli made in the way of the defect and to others.
func TestROCAFingerprint(t *testing.T) {
	primorial := big.NewInt(1)
	for prime := int64(2); prime <= 167; prime++ {
		if big.NewInt(prime).ProbablyPrime(0) {
			primorial.Mul(primorial, big.NewInt(prime))
		}
	}
	for exponent := int64(1); exponent < 200; exponent++ {
		modulus := new(big.Int).Exp(big.NewInt(65537), big.NewInt(exponent), primorial)
		modulus.Add(modulus, new(big.Int).Mul(primorial, new(big.Int).Lsh(big.NewInt(exponent), 1900)))
		if !hasROCAFingerprint(modulus) {
			t.Fatalf("a modulus congruent to 65537^%d was not found", exponent)
		}
	}
	for range 3 {
		key, err := GenerateSigningKey(2048)
		if err != nil || hasROCAFingerprint(key.private.N) {
			t.Fatalf("a good key has the fingerprint, or none was made: %v", err)
		}
	}
	if len(rocaSieves) < 15 {
		t.Errorf("only %d sieves", len(rocaSieves))
	}
}
