// SPDX-License-Identifier: Apache-2.0

// Package recordstest is the conformance suite of records.Store. The test of an implementation is one call:
//
//	func TestConformance(t *testing.T) {
//		recordstest.Run(t, func(t *testing.T) recordstest.Shelf { ... })
//	}
package recordstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/records"
)

// Shelf is one place of records, as the suite reaches it. Each test has one of its own, empty at first.
type Shelf struct {
	// Open opens one more handle. The suite closes every handle it opened. Required.
	Open func() (records.Store, error)

	// Exclusive says that an Open fails while another handle is open. False: handles share the records.
	Exclusive bool
}

// patience is how long the suite waits for what ought to happen at once. A correct store never makes it wait so long.
const patience = 60 * time.Second

// Run runs the suite. newShelf is called once for each test and registers its own cleanup.
func Run(t *testing.T, newShelf func(t *testing.T) Shelf) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"create and get", (*suite).create},
		{"versions", (*suite).versions},
		{"conflicts change nothing", (*suite).conflicts},
		{"delete", (*suite).remove},
		{"absent", (*suite).absent},
		{"one winner of many creating", (*suite).oneCreator},
		{"one winner of many changing", (*suite).oneChanger},
		{"list in order and in pages", (*suite).list},
		{"kinds are apart", (*suite).kinds},
		{"binary keys", (*suite).binaryKeys},
		{"values are copies", (*suite).copies},
		{"limits", (*suite).limits},
		{"ended context", (*suite).endedContext},
		{"closed store", (*suite).closed},
		{"open again", (*suite).openAgain},
		{"two handles", (*suite).twoHandles},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			test.run(&suite{T: t, Shelf: newShelf(t), ctx: ctx})
		})
	}
}

// suite is one test at work.
type suite struct {
	*testing.T
	Shelf
	ctx context.Context
}

func (s *suite) open() records.Store {
	s.Helper()
	store, err := s.Open()
	if err != nil {
		s.Fatalf("Open: %v", err)
	}
	s.Cleanup(func() {
		if err := store.Close(); err != nil && !errors.Is(err, records.ErrUnavailable) {
			s.Errorf("Close: %v", err)
		}
	})
	return store
}

// put writes a document and checks the version that comes back.
func (s *suite) put(store records.Store, kind, key string, version uint64, value string) {
	s.Helper()
	got, err := store.Put(s.ctx, records.Document{Kind: kind, Key: key, Version: version, Value: []byte(value)})
	if err != nil {
		s.Fatalf("Put %s %.40q version %d: %v", kind, key, version, err)
	}
	if got != version+1 {
		s.Fatalf("Put %s %.40q: version %d, want %d", kind, key, got, version+1)
	}
}

// has checks that a document is there and is exactly this one.
func (s *suite) has(store records.Store, kind, key string, version uint64, value string) {
	s.Helper()
	got, err := store.Get(s.ctx, kind, key)
	if err != nil {
		s.Fatalf("Get %s %.40q: %v", kind, key, err)
	}
	if got.Kind != kind || got.Key != key || got.Version != version || string(got.Value) != value {
		s.Fatalf("Get %s %.40q: %s %.40q version %d value %.40q, want version %d value %.40q",
			kind, key, got.Kind, got.Key, got.Version, got.Value, version, value)
	}
}

func (s *suite) hasNot(store records.Store, kind, key string) {
	s.Helper()
	_, err := store.Get(s.ctx, kind, key)
	s.is(err, records.ErrNotFound)
}

func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func (s *suite) create() {
	store := s.open()
	s.hasNot(store, "kind", "key")
	s.put(store, "kind", "key", 0, "value")
	s.has(store, "kind", "key", 1, "value")
	s.put(store, "kind", "empty", 0, "")
	s.has(store, "kind", "empty", 1, "")
	_, err := store.Put(s.ctx, records.Document{Kind: "kind", Key: "nil"})
	s.is(err, nil)
	s.has(store, "kind", "nil", 1, "")
}

func (s *suite) versions() {
	store := s.open()
	for version := range uint64(20) {
		value := fmt.Sprint("value ", version)
		s.put(store, "kind", "key", version, value)
		s.has(store, "kind", "key", version+1, value)
	}
}

func (s *suite) conflicts() {
	store := s.open()
	_, err := store.Put(s.ctx, records.Document{Kind: "kind", Key: "key", Version: 1, Value: []byte("no")})
	s.is(err, records.ErrConflict) // there is nothing to replace
	s.hasNot(store, "kind", "key")
	s.put(store, "kind", "key", 0, "first")
	s.put(store, "kind", "key", 1, "second")
	for _, version := range []uint64{0, 1, 3, 1 << 32, 1<<64 - 1} {
		_, err := store.Put(s.ctx, records.Document{Kind: "kind", Key: "key", Version: version, Value: []byte("no")})
		s.is(err, records.ErrConflict)
		s.is(store.Delete(s.ctx, "kind", "key", version), records.ErrConflict)
		s.has(store, "kind", "key", 2, "second")
	}
}

func (s *suite) remove() {
	store := s.open()
	s.put(store, "kind", "key", 0, "value")
	s.put(store, "kind", "other", 0, "stays")
	s.is(store.Delete(s.ctx, "kind", "key", 1), nil)
	s.hasNot(store, "kind", "key")
	s.is(store.Delete(s.ctx, "kind", "key", 1), records.ErrNotFound)
	s.has(store, "kind", "other", 1, "stays")
	s.put(store, "kind", "key", 0, "again")
	s.has(store, "kind", "key", 1, "again")
}

func (s *suite) absent() {
	store := s.open()
	s.hasNot(store, "kind", "key")
	s.is(store.Delete(s.ctx, "kind", "key", 1), records.ErrNotFound)
	s.is(store.Delete(s.ctx, "kind", "key", 0), records.ErrNotFound)
	list, err := store.List(s.ctx, "kind", "", 10)
	s.is(err, nil)
	if len(list) != 0 {
		s.Fatalf("List of an absent kind has %d documents", len(list))
	}
}

// race writes one document from many goroutines at once, and checks that exactly one wins and its value stays.
func (s *suite) race(stores []records.Store, key string, version uint64) {
	s.Helper()
	const racers = 16
	var start, done sync.WaitGroup
	errs := make([]error, racers)
	start.Add(1)
	for i := range racers {
		done.Go(func() {
			start.Wait()
			_, errs[i] = stores[i%len(stores)].Put(s.ctx, records.Document{Kind: "kind", Key: key, Version: version,
				Value: []byte(fmt.Sprint("racer ", i))})
		})
	}
	start.Done()
	done.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err != nil:
			s.is(err, records.ErrConflict)
		case winner >= 0:
			s.Fatalf("racers %d and %d both wrote version %d", winner, i, version+1)
		default:
			winner = i
		}
	}
	if winner < 0 {
		s.Fatalf("nobody wrote version %d", version+1)
	}
	s.has(stores[0], "kind", key, version+1, fmt.Sprint("racer ", winner))
}

func (s *suite) oneCreator() {
	store := s.open()
	for i := range 5 {
		s.race([]records.Store{store}, fmt.Sprint("key ", i), 0)
	}
}

func (s *suite) oneChanger() {
	store := s.open()
	for version := range uint64(5) {
		s.race([]records.Store{store}, "key", version)
	}
}

func (s *suite) list() {
	store := s.open()
	var keys []string
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("key %02d", (i*7)%25))
	}
	for _, key := range keys {
		s.put(store, "kind", key, 0, "value of "+key)
	}
	slices.Sort(keys)
	for _, size := range []int{1, 2, 7, 24, 25, 26, 1000} {
		var got []string
		after := ""
		for {
			page, err := store.List(s.ctx, "kind", after, size)
			s.is(err, nil)
			if len(page) > size {
				s.Fatalf("a page of at most %d has %d documents", size, len(page))
			}
			for _, document := range page {
				if document.Kind != "kind" || document.Version != 1 || string(document.Value) != "value of "+document.Key {
					s.Fatalf("listed %+v", document)
				}
				got = append(got, document.Key)
				after = document.Key
			}
			if len(page) < size {
				break
			}
		}
		if !slices.Equal(got, keys) {
			s.Fatalf("in pages of %d: %q, want %q", size, got, keys)
		}
	}
	page, err := store.List(s.ctx, "kind", "key 09x", 1) // between two keys
	s.is(err, nil)
	if len(page) != 1 || page[0].Key != "key 10" {
		s.Fatalf("after a key that is absent: %+v", page)
	}
}

func (s *suite) kinds() {
	store := s.open()
	kinds := []string{"a", "a-b", "a_b", "ab", "0", strings.Repeat("z", records.MaxKindLength)}
	for _, kind := range kinds {
		s.put(store, kind, "key", 0, "of "+kind)
	}
	for _, kind := range kinds {
		s.has(store, kind, "key", 1, "of "+kind)
		page, err := store.List(s.ctx, kind, "", 10)
		s.is(err, nil)
		if len(page) != 1 || page[0].Kind != kind {
			s.Fatalf("kind %s lists %+v", kind, page)
		}
	}
	s.is(store.Delete(s.ctx, "a", "key", 1), nil)
	s.has(store, "ab", "key", 1, "of ab")
}

func (s *suite) binaryKeys() {
	store := s.open()
	keys := []string{"\x00", "\x00\x00", "\x00\x01", "\n", " ", "%", "'", "A", "B", "\\", "_", "a", "a\x00", "a\x00b", "b",
		"\x7f", "\x80", "\xc3\x28", "é", "\xff", "\xff\xff", strings.Repeat("\xff", records.MaxKeyLength)}
	for i := range keys {
		s.put(store, "kind", keys[len(keys)-1-i], 0, "\x00\xff"+keys[len(keys)-1-i])
	}
	slices.Sort(keys) // by bytes, whatever the language
	page, err := store.List(s.ctx, "kind", "", 1000)
	s.is(err, nil)
	var got []string
	for _, document := range page {
		got = append(got, document.Key)
	}
	if !slices.Equal(got, keys) {
		s.Fatalf("listed %q, want %q", got, keys)
	}
	for i, key := range keys {
		s.has(store, "kind", key, 1, "\x00\xff"+key)
		page, err := store.List(s.ctx, "kind", key, 1)
		s.is(err, nil)
		if i+1 < len(keys) && (len(page) != 1 || page[0].Key != keys[i+1]) || i+1 == len(keys) && len(page) != 0 {
			s.Fatalf("after %.20q: %+v", key, page)
		}
	}
}

func (s *suite) copies() {
	store := s.open()
	value := []byte("value")
	_, err := store.Put(s.ctx, records.Document{Kind: "kind", Key: "key", Value: value})
	s.is(err, nil)
	value[0] = 'X'
	got, err := store.Get(s.ctx, "kind", "key")
	s.is(err, nil)
	got.Value[1] = 'X'
	_ = append(got.Value, "XXXX"...)
	page, err := store.List(s.ctx, "kind", "", 1)
	s.is(err, nil)
	if len(page) != 1 || string(page[0].Value) != "value" {
		s.Fatalf("List: %+v", page)
	}
	page[0].Value[2] = 'X'
	s.has(store, "kind", "key", 1, "value")
}

func (s *suite) limits() {
	store := s.open()
	longest := strings.Repeat("k", records.MaxKeyLength)
	largest := bytes.Repeat([]byte{0xa5}, records.MaxValueSize)
	s.put(store, strings.Repeat("k", records.MaxKindLength), longest, 0, string(largest))
	s.has(store, strings.Repeat("k", records.MaxKindLength), longest, 1, string(largest))

	refuse := func(kind, key string, value []byte) {
		s.Helper()
		_, err := store.Put(s.ctx, records.Document{Kind: kind, Key: key, Value: value})
		s.is(err, records.ErrInvalid)
		if len(value) > 0 {
			return
		}
		_, err = store.Get(s.ctx, kind, key)
		s.is(err, records.ErrInvalid)
		s.is(store.Delete(s.ctx, kind, key, 1), records.ErrInvalid)
	}
	for _, kind := range []string{"", strings.Repeat("k", records.MaxKindLength+1), "Kind", "a b", "a.b", "a/b", "é",
		"\x00", "a\n", "a;"} {
		refuse(kind, "key", nil)
		_, err := store.List(s.ctx, kind, "", 1)
		s.is(err, records.ErrInvalid)
	}
	refuse("kind", "", nil)
	refuse("kind", longest+"k", nil)
	refuse("kind", "key", append(largest, 0))
	for _, limit := range []int{-1, 0, 1001} {
		_, err := store.List(s.ctx, "kind", "", limit)
		s.is(err, records.ErrInvalid)
	}
	_, err := store.List(s.ctx, "kind", longest+"k", 1)
	s.is(err, records.ErrInvalid)
	s.hasNot(store, "kind", "key")
}

func (s *suite) endedContext() {
	store := s.open()
	s.put(store, "kind", "key", 0, "value")
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, cancelLate := context.WithDeadline(s.ctx, time.Unix(1, 0))
	defer cancelLate()
	for _, ctx := range []context.Context{cancelled, late} {
		_, err := store.Put(ctx, records.Document{Kind: "kind", Key: "key", Version: 1, Value: []byte("no")})
		s.is(err, records.ErrUnavailable)
		_, err = store.Get(ctx, "kind", "key")
		s.is(err, records.ErrUnavailable)
		_, err = store.List(ctx, "kind", "", 1)
		s.is(err, records.ErrUnavailable)
		s.is(store.Delete(ctx, "kind", "key", 1), records.ErrUnavailable)
	}
	s.has(store, "kind", "key", 1, "value") // a context that had ended before changes nothing
}

func (s *suite) closed() {
	store := s.open()
	s.put(store, "kind", "key", 0, "value")
	s.is(store.Close(), nil)
	_, err := store.Put(s.ctx, records.Document{Kind: "kind", Key: "key", Version: 1})
	s.is(err, records.ErrUnavailable)
	_, err = store.Get(s.ctx, "kind", "key")
	s.is(err, records.ErrUnavailable)
	_, err = store.List(s.ctx, "kind", "", 1)
	s.is(err, records.ErrUnavailable)
	s.is(store.Delete(s.ctx, "kind", "key", 1), records.ErrUnavailable)
	if err := store.Close(); err != nil {
		s.is(err, records.ErrUnavailable)
	}
}

func (s *suite) openAgain() {
	for version := range uint64(3) {
		store := s.open()
		if version > 0 {
			s.has(store, "kind", "key", version, fmt.Sprint("value ", version-1))
			s.hasNot(store, "kind", "gone")
		}
		s.put(store, "kind", "key", version, fmt.Sprint("value ", version))
		s.put(store, "kind", "gone", 0, "value")
		s.is(store.Delete(s.ctx, "kind", "gone", 1), nil)
		s.is(store.Close(), nil)
	}
}

func (s *suite) twoHandles() {
	first := s.open()
	s.put(first, "kind", "key", 0, "value")
	if s.Exclusive {
		if second, err := s.Open(); err == nil {
			s.Fatal(fmt.Errorf("a second handle opened: %w", errors.Join(errors.New("want an error"), second.Close())))
		}
		s.put(first, "kind", "key", 1, "still") // and the first one is none the worse
		return
	}
	second := s.open()
	s.has(second, "kind", "key", 1, "value")
	s.put(second, "kind", "key", 1, "by the second")
	s.has(first, "kind", "key", 2, "by the second")
	for version := uint64(2); version < 7; version++ {
		s.race([]records.Store{first, second}, "key", version)
	}
	s.is(first.Close(), nil)
	s.put(second, "kind", "key", 7, "after the first was closed")
}
