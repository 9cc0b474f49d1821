// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// explore explores a model and compares what it finds. need is a part of what must be broken, empty for nothing; a model
// that is not broken must have at least some states, or it says nothing.
func explore[S comparable](t *testing.T, spec Spec[S], need string) {
	t.Helper()
	result, err := Explore(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	switch {
	case need == "" && result.Broken != "":
		t.Error("the protocol does not keep its promise")
	case need == "" && result.States < 1000:
		t.Error("too few states: the model has lost a step")
	case need != "" && !strings.Contains(result.Broken, need):
		t.Errorf("the explorer does not find that %s without this rule", need)
	}
}

const twice = "the launch was accepted twice"

// full says to explore what takes minutes too: `make model` sets it.
var full = os.Getenv("MODEL_FULL") != ""

// TestShared explores two sidecars over two servers through crashes, failover and back, and a flush.
func TestShared(t *testing.T) {
	worlds := []SharedRules{{Promotions: 2}, {Restarts: 2}, {Restarts: 1, Flushes: 1}}
	if full {
		worlds = []SharedRules{{Restarts: 1, Promotions: 2}, {Restarts: 2, Promotions: 1}, {Restarts: 1, Promotions: 1, Flushes: 1}}
	}
	for _, world := range worlds {
		t.Run(fmt.Sprintf("%d restarts, %d promotions, %d flushes", world.Restarts, world.Promotions, world.Flushes), func(t *testing.T) {
			explore(t, Shared(world), "")
		})
	}
}

// TestSharedNeeds shows that each rule of the fence is needed.
func TestSharedNeeds(t *testing.T) {
	for name, rules := range map[string]SharedRules{
		"proof per connection":                   {ProofPerConnection: true, Promotions: 2},
		"redemption not bound to the generation": {GenerationUnchecked: true, Flushes: 1},
		"the replication id alone":               {IgnoreRunID: true, Restarts: 1, Promotions: 1},
		"the run id alone":                       {IgnoreReplicationID: true, Promotions: 2},
	} {
		t.Run(name, func(t *testing.T) { explore(t, Shared(rules), twice) })
	}
}

// TestEmbedded explores a store and its clone through starts, kills, clean stops, damage, backups and restores.
func TestEmbedded(t *testing.T) {
	faults := EmbeddedRules{Starts: 4, Copies: 3}
	for _, test := range []struct {
		name   string
		change func(*EmbeddedRules)
		broken string
	}{
		{"the whole protocol", func(*EmbeddedRules) {}, ""},
		{"the seal in the directory", func(r *EmbeddedRules) { r.SealInDirectory = true }, twice},
		{"a seal file that stays, and a mark that stays", func(r *EmbeddedRules) { r.SealFileStays, r.MarkStays = true, true }, twice},
		{"files not compared", func(r *EmbeddedRules) { r.FilesUnchecked = true }, twice},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules := faults
			test.change(&rules)
			explore(t, Embedded(rules), test.broken)
		})
	}
}

// TestLanes explores two sidecars that share one lane, at platforms of each sort.
func TestLanes(t *testing.T) {
	for name, rules := range map[string]LanesRules{
		"takes only newer scores":                         {NewerOnly: true, Late: true},
		"takes only newer scores, and grades can be read": {NewerOnly: true, Late: true, Readable: true},
		"takes every score":                               {},
		"takes every score, and grades can be read":       {Readable: true},
	} {
		rules.Crashes, rules.Losses = 2, 2
		t.Run(name, func(t *testing.T) { explore(t, Lanes(rules), "") })
	}
}

// TestLanesNeeds shows that each rule of the outbox is needed.
func TestLanesNeeds(t *testing.T) {
	for _, test := range []struct {
		name   string
		rules  LanesRules
		broken string
	}{
		{"a start that is not durable", LanesRules{StartNotDurable: true, NewerOnly: true}, "is shown as refused, and arrived"},
		{"a new timestamp after a lost answer", LanesRules{NewTimestamp: true, NewerOnly: true}, "changed the grade twice"},
		{"no order in the lane", LanesRules{Unordered: true}, "an older score replaced a newer one"},
		{"no answer taken for a delivery", LanesRules{TakesUnknown: true}, "is shown as delivered, and never arrived"},
		{"a lease that is not looked at", LanesRules{LeaseUnchecked: true, NewerOnly: true, Late: true}, "is shown as refused, and arrived"},
	} {
		test.rules.Crashes, test.rules.Losses = 1, 2
		t.Run(test.name, func(t *testing.T) { explore(t, Lanes(test.rules), test.broken) })
	}
}
