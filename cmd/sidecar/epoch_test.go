// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// epochPlace is the two places that the epoch lies in.
type epochPlace struct {
	t    *testing.T
	keys string
	data string
}

func newEpochPlace(t *testing.T) *epochPlace {
	return &epochPlace{t: t, keys: t.TempDir(), data: filepath.Join(t.TempDir(), "records.db")}
}

func (p *epochPlace) start(flags epochFlags) (epoch, string) {
	p.t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: p.data})
	if err != nil {
		p.t.Fatal(err)
	}
	found, held, err := raiseEpoch(p.t.Context(), p.keys, store, flags, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err := errors.Join(err, store.Close()); err != nil {
		p.t.Fatal(err)
	}
	return found, held
}

func (p *epochPlace) starts() epoch {
	p.t.Helper()
	found, held := p.start(epochFlags{})
	if held != "" {
		p.t.Fatalf("held: %s", held)
	}
	return found
}

func (p *epochPlace) isHeld(why string) {
	p.t.Helper()
	for range 2 { // and stays so
		if _, held := p.start(epochFlags{}); held == "" || !strings.Contains(held, why) {
			p.t.Fatalf("held: %q, want it to say %q", held, why)
		}
	}
}

// put sets the record, as a crash or a backup leaves it.
func (p *epochPlace) put(value string) {
	p.t.Helper()
	store, err := boltstore.Open(boltstore.Config{Path: p.data})
	if err != nil {
		p.t.Fatal(err)
	}
	document, err := store.Get(p.t.Context(), epochKind, epochKey)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		p.t.Fatal(err)
	}
	_, err = store.Put(p.t.Context(), records.Document{Kind: epochKind, Key: epochKey, Version: document.Version, Value: []byte(value)})
	if err := errors.Join(err, store.Close()); err != nil {
		p.t.Fatal(err)
	}
}

func (p *epochPlace) file() string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.keys, epochFile))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (p *epochPlace) setFile(text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.keys, epochFile), []byte(text+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func TestEpochRises(t *testing.T) {
	p := newEpochPlace(t)
	for i := 1; i <= 12; i++ {
		if found := p.starts(); numberOf(found.Name) != i || found.Name != p.file() || found.Rising != "" || !found.DoubtBefore.IsZero() || !found.DiscardBefore.IsZero() {
			t.Fatalf("start %d: %+v, the file says %q", i, found, p.file())
		}
	}
}

// A crash at any point of a start is no copy.
func TestEpochSurvivesACrash(t *testing.T) {
	first := newEpochPlace(t)
	first.put(`{"name":"","rising":"1-a"}`)
	first.starts()

	p := newEpochPlace(t)
	p.starts()
	name := p.file()
	p.put(`{"name":"` + name + `","rising":"2-next"}`) // the file was not yet written
	p.starts()
	name = p.file()
	p.put(`{"name":"` + name + `","rising":"9-next"}`)
	p.setFile("9-next") // the file was written, and the record not ended
	if found := p.starts(); numberOf(found.Name) != 10 {
		t.Errorf("%+v", found)
	}
}

func TestEpochOfACopy(t *testing.T) {
	p := newEpochPlace(t)
	p.starts()
	oldFile := p.file()
	backup, err := os.ReadFile(p.data)
	if err != nil {
		t.Fatal(err)
	}
	p.starts()
	restore := func() {
		t.Helper()
		if err := os.WriteFile(p.data, backup, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	p.isHeld("the records are the older ones")
	if found, held := p.start(epochFlags{release: true}); held != "" || found.DoubtBefore.IsZero() || !found.DiscardBefore.IsZero() {
		t.Fatalf("released: %+v, held %q", found, held)
	}
	if found := p.starts(); found.DoubtBefore.IsZero() { // until what was taken before has ended
		t.Error("the doubt is forgotten")
	}
	restore()
	if found, held := p.start(epochFlags{discard: true}); held != "" || found.DiscardBefore.IsZero() {
		t.Fatalf("discarded: %+v, held %q", found, held)
	}
	p.starts()
	p.setFile(oldFile)
	p.isHeld("the key directory is the older one")
	p.setFile(strings.Split(oldFile, "-")[0] + "-other")
	p.isHeld("")
	if err := os.Remove(filepath.Join(p.keys, epochFile)); err != nil {
		t.Fatal(err)
	}
	p.isHeld("")
	if _, held := p.start(epochFlags{acceptLoss: true}); held != "" { // the operator knows that the file is gone
		t.Errorf("held: %s", held)
	}
	p.starts()
	// Without need, the flags do nothing.
	if found, held := p.start(epochFlags{release: true}); held != "" || !found.DoubtBefore.Equal(p.starts().DoubtBefore) {
		t.Errorf("%+v, held %q", found, held)
	}
	// Records that are gone hold nothing, so there is nothing to hold; findInstance refuses them by itself.
	if err := os.Remove(p.data); err != nil {
		t.Fatal(err)
	}
	if _, held := p.start(epochFlags{acceptLoss: true}); held != "" {
		t.Errorf("held: %s", held)
	}
	p.put("{")
	store, err := boltstore.Open(boltstore.Config{Path: p.data})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, _, err := raiseEpoch(t.Context(), p.keys, store, epochFlags{}, time.Now()); err == nil {
		t.Error("a damaged record was taken")
	}
}
