// SPDX-License-Identifier: Apache-2.0

package jose_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
)

// FuzzParseKeySet holds key sets to an oracle of the standard library: a key that was found must stand in the document
// as a public RSA key of enough bits, or as a curve's.
func FuzzParseKeySet(f *testing.F) {
	document := must(jose.PublicKeySet(testKey, otherKey))
	f.Add(document)
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AAAA","kid":"b"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","kid":"c","crv":"P-256","x":"AA","y":"AA"},null,7,"x",[]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := jose.ParseKeySet(data)
		if err != nil {
			if lti.ReasonOf(err) != lti.ReasonJWKSInvalid {
				t.Fatalf("reason of %v", err)
			}
			return
		}
		if !slices.IsSorted(set.KeyIDs()) {
			t.Fatal("the kids are not sorted")
		}
		for _, kid := range set.KeyIDs() {
			for _, algorithm := range jose.Algorithms() {
				key, err := set.Find(kid, algorithm)
				switch reason := lti.ReasonOf(err); {
				case err != nil && reason != lti.ReasonKeyUnsuitable && reason != lti.ReasonKeyAmbiguous:
					t.Fatalf("kid %q: %v", kid, err)
				case err == nil && key.KeyID() != kid:
					t.Fatalf("asked for %q, got %q", kid, key.KeyID())
				case err == nil:
					if err := publishes(data, kid); err != nil {
						t.Fatalf("kid %q, %s: %v\n%q", kid, algorithm, err, data)
					}
				}
			}
		}
	})
}

// publishes reports why no member of a key set can be used under a kid.
func publishes(data []byte, kid string) error {
	var document struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(data, &document); err != nil {
		return err
	}
	reasons := []error{errors.New("no such kid")}
	for _, value := range document.Keys {
		var members map[string]any
		if json.Unmarshal(value, &members) != nil || members["kid"] != kid {
			continue
		}
		n, _ := members["n"].(string)
		modulus, err := base64.RawURLEncoding.DecodeString(trimPadding(n))
		bits := new(big.Int).SetBytes(modulus).BitLen()
		switch {
		case members["d"] != nil || members["k"] != nil:
			reasons = append(reasons, errors.New("it is not public"))
		case members["kty"] == "EC" && members["crv"] == "P-256":
			return nil
		case members["kty"] != "RSA":
			reasons = append(reasons, fmt.Errorf("kty %v", members["kty"]))
		case err != nil || bits < 2048 || bits > 8192:
			reasons = append(reasons, fmt.Errorf("%d bits, %v", bits, err))
		default:
			return nil
		}
	}
	return errors.Join(reasons...)
}

func trimPadding(text string) string {
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	return text
}
