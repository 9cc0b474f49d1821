// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestListFits finds the mutants whose text a change of the source has moved or removed.
func TestListFits(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		if _, err := m.apply("../.."); err != nil {
			t.Error(err)
		}
		if names[m.name] || m.old == m.new {
			t.Errorf("%s: it is listed twice, or changes nothing", m.name)
		}
		names[m.name] = true
	}
	if len(mutants) < 70 {
		t.Errorf("%d mutants, want at least 70", len(mutants))
	}
}
