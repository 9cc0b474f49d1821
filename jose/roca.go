// SPDX-License-Identifier: Apache-2.0

package jose

import "math/big"

// rocaSieve is one small prime and the residues that a modulus of the ROCA defect can have for it: the powers of 65537.
type rocaSieve struct {
	prime  *big.Int
	powers [256]bool
}

// rocaSieves holds the primes up to 167 for which the powers of 65537 leave some residue out. The chips in question made
// primes that are all powers of 65537 modulo each of these (Nemec and others, "The Return of Coppersmith's Attack",
// 2017), so their products are too; of other moduli fewer than one in 2^80 looks so by chance.
var rocaSieves = func() []rocaSieve {
	var sieves []rocaSieve
	for prime := 3; prime <= 167; prime++ {
		if !big.NewInt(int64(prime)).ProbablyPrime(0) {
			continue
		}
		sieve := rocaSieve{prime: big.NewInt(int64(prime))}
		count := 0
		for power := 1; !sieve.powers[power]; power = power * 65537 % prime {
			sieve.powers[power] = true
			count++
		}
		if count < prime-1 {
			sieves = append(sieves, sieve)
		}
	}
	return sieves
}()

// hasROCAFingerprint reports whether a modulus was made by a chip with the defect CVE-2017-15361, which lets its
// factors be found. Nearly every other modulus is cleared by the first sieves.
func hasROCAFingerprint(modulus *big.Int) bool {
	var rest big.Int
	for i := range rocaSieves {
		if !rocaSieves[i].powers[rest.Mod(modulus, rocaSieves[i].prime).Int64()] {
			return false
		}
	}
	return true
}
