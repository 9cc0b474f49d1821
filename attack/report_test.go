// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
)

// The least number of vectors that the catalogue must hold, so that none gets lost: single attacks without the open
// redirects and outbound requests, redirects, outbound requests, and oddities that must be accepted.
const (
	leastAttacks   = 2500
	leastOutbound  = 20000
	leastRedirects = 2000
	leastOddities  = 300
)

var familyNames = map[string]string{
	"C": "claims and mix-up", "F": "form, state and binding", "J": "header, signature, JSON", "K": "platform keys", "L": "login initiation", "M": "messages and our own tokens", "N": "replay",
	"P": "platform notices", "R": "open redirects", "S": "outbound requests",
}

// report is what `make attack` writes as JSON.
type report struct {
	Families   []*outcome `json:"families"`
	Attacks    int        `json:"attacks"`
	Refused    int        `json:"refused_with_the_expected_reason"`
	Oddities   int        `json:"oddities"`
	Accepted   int        `json:"accepted"`
	Wycheproof *struct {
		Vectors     int `json:"vectors"`
		Differences int `json:"differences"`
		Unlisted    int `json:"unlisted"`
	} `json:"wycheproof,omitempty"`
	Cost *costReport `json:"cost,omitempty"`
}

// TestMain runs the families and, for `make attack`, prints the table.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("ATTACK_REPORT") != "" {
		if err := printReport(); err != nil {
			fmt.Println("attack:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func printReport() error {
	r := report{Cost: measured}
	fmt.Printf("\n%-28s %9s %9s %9s %9s\n", "family", "attacks", "refused", "oddities", "accepted")
	for _, family := range slices.Sorted(maps.Keys(outcomes)) {
		o := outcomes[family]
		fmt.Printf("%s %-26s %9d %9d %9d %9d\n", family, familyNames[family], o.Attacks, o.Refused, o.Oddities, o.Accepted)
		r.Families = append(r.Families, o)
		r.Attacks += o.Attacks
		r.Refused += o.Refused
		r.Oddities += o.Oddities
		r.Accepted += o.Accepted
	}
	if r.Cost != nil {
		r.Cost.print()
	}
	text, err := os.ReadFile(os.Getenv("WYCHEPROOF_TALLY"))
	if err == nil {
		err = json.Unmarshal(text, &r.Wycheproof)
	}
	if err != nil {
		return fmt.Errorf("the tally of Wycheproof: %w", err)
	}
	if file := os.Getenv("ATTACK_JSON"); file != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	listed := "all listed"
	if r.Wycheproof.Unlisted > 0 {
		listed = fmt.Sprintf("%d NOT LISTED", r.Wycheproof.Unlisted)
	}
	fmt.Printf("\nattack: %d of %d refused with the expected reason, %d of %d accepted, %d wycheproof differences (%s)\n",
		r.Refused, r.Attacks, r.Accepted, r.Oddities, r.Wycheproof.Differences, listed)
	attacksOf := func(family string) int {
		if o := outcomes[family]; o != nil {
			return o.Attacks
		}
		return 0
	}
	redirects, outbound := attacksOf("R"), attacksOf("S")
	switch {
	case r.Refused != r.Attacks || r.Accepted != r.Oddities || r.Wycheproof.Unlisted > 0:
		return fmt.Errorf("not all came out as they must")
	case r.Attacks-redirects-outbound < leastAttacks || redirects < leastRedirects || outbound < leastOutbound || r.Oddities < leastOddities:
		return fmt.Errorf("vectors are missing: at least %d attacks, %d redirects, %d outbound requests and %d oddities are expected", leastAttacks, leastRedirects, leastOutbound, leastOddities)
	}
	return nil
}
