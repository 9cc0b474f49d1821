// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// TestDrill is a short drill of every store, in two parts that add up.
func TestDrill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sidecar")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/sidecar").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	state := filepath.Join(t.TempDir(), "state.json")
	for _, stores := range [][]string{{"embedded", "clock"}, {"redis", "postgres"}} {
		var report strings.Builder
		d := &drill{binary: binary, launches: 36, copies: 4, count: 2, cycles: 6, stores: stores, state: state, seed: rand.Uint64(), out: &report}
		err := d.run(t.Context())
		t.Log("\n" + report.String())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(report.String(), "NOT DRILLED") {
			if os.Getenv("CI") == "true" {
				t.Error("a store was not drilled")
			}
			t.Skip("SKIPPED: the rest; redis-server or postgresql is not installed")
		}
	}
	totals, err := readTotals(state, 4)
	if err != nil {
		t.Fatal(err)
	}
	if totals.Parts != 2 || totals.faults() != 12 || totals.Launches < 72 || totals.Outcomes[accepted] < 36 {
		t.Errorf("the parts do not add up: %+v", totals)
	}
	if _, err := readTotals(state, 5); err == nil {
		t.Error("parts with another number of copies are added up")
	}
}

// forgetful is a store as it must not be: forget loses the memory and keeps the seal, and deaf makes it refuse.
type forgetful struct {
	mutex sync.Mutex
	seal  noncestore.Seal
	used  map[noncestore.Nonce]bool
	deaf  int // it refuses one redemption in so many; 0: none
	count int
}

func (s *forgetful) Seal(context.Context) (noncestore.Seal, error) { return s.seal, nil }

func (s *forgetful) Redeemed(context.Context, noncestore.Nonce) error { return nil }

func (s *forgetful) Redeem(_ context.Context, _ noncestore.Generation, nonce noncestore.Nonce) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.used[nonce] {
		return &noncestore.ReplayError{FirstUsed: time.Now()}
	}
	s.used[nonce] = true
	if s.count++; s.deaf > 0 && s.count%s.deaf == 0 {
		return noncestore.ErrUnavailable
	}
	return nil
}

func (s *forgetful) Close() error { return nil }

func (s *forgetful) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	clear(s.used)
}

// A drill that cannot fail would prove nothing.
func TestDrillFails(t *testing.T) {
	for name, c := range map[string]struct {
		deaf           int
		forget         bool
		twice, refused bool
	}{
		"as it must be":           {},
		"a memory that is lost":   {forget: true, twice: true},
		"a store that is too shy": {deaf: 10, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			platform, err := startPlatform()
			if err != nil {
				t.Fatal(err)
			}
			defer platform.close()
			tools, err := newTools(platform)
			if err != nil {
				t.Fatal(err)
			}
			store := &forgetful{used: map[noncestore.Nonce]bool{}, deaf: c.deaf}
			h := &handle{tools: tools, open: func(func() time.Time) (noncestore.Store, error) { return store, nil }}
			if err := h.start(); err != nil {
				t.Fatal(err)
			}
			g := &group{name: "broken", nodes: []node{h, h}, shared: true, faults: []fault{{"nothing is said", func(*scene) error {
				if c.forget {
					store.forget()
				}
				return nil
			}}}}
			p := &part{ctx: t.Context(), platform: platform, history: newHistory(), copies: 3, random: rand.New(rand.NewPCG(1, 1))}
			totals, err := readTotals("", 3)
			if err != nil {
				t.Fatal(err)
			}
			d := &drill{launches: 60, cycles: 2}
			if err := d.drillCycles(t.Context(), p, totals, g, 2); err != nil {
				t.Fatal(err)
			}
			v := p.history.check()
			if (v.twice > 0) != c.twice || (v.refused > 0) != c.refused || v.strange != 0 || v.launches != 60 {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestStrangeAnswersAreFound(t *testing.T) {
	h := newHistory()
	h.note(h.begin("here", disturbed), 0, "STATE_STALE")
	if v := h.check(); v.strange != 0 {
		t.Errorf("%+v", v)
	}
	h.note(h.begin("here", disturbed), 0, "INTERNAL")
	if v := h.check(); v.strange != 1 || len(v.told) != 1 {
		t.Errorf("%+v", v)
	}
}
