// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ltisidecar/ltisidecar/records"
)

// Lanes lie in a bucket whose name is no kind, with one bucket for each kind in it, and in that these:
//
//	entries   sequence → entry, as JSON
//	lanes     lane → laneRow, as JSON; it outlives its entries
//	queue     lane '/' sequence → time of appending: the open entries
//	due       group '/' due lane: each lane that has open entries, by the first one's due
//	changes   number of the change → sequence: each entry once, at its last change
//	requests  request → sequence
//	asked     sequence → time of appending, request
//	counts    state, or "open" → number of entries
//	idle      time of last change, lane: the lanes that have no entry
//
// Sequences, numbers and times (milliseconds since 1970) are 8 bytes, big endian. A file with lanes has another format
// value, so that a sidecar from before them does not take it for damaged.
var (
	lanesBucket      = []byte("\x00lanes")
	lanesFormatValue = []byte("records 2")

	entriesBucket, laneRowsBucket, queueBucket, dueBucket    = []byte("entries"), []byte("lanes"), []byte("queue"), []byte("due")
	changesBucket, requestsBucket, askedBucket, countsBucket = []byte("changes"), []byte("requests"), []byte("asked"), []byte("counts")

	idleBucket = []byte("idle")
)

// openCount is the name of the number of open entries.
const openCount = "open"

// entry is a records.LaneEntry as it is stored. Times are in milliseconds, 0 for none.
type entry struct {
	ID          string             `json:"id"`
	Lane        string             `json:"lane"`
	Group       string             `json:"group"`
	Owner       string             `json:"owner,omitzero"`
	Request     string             `json:"request,omitzero"`
	Ordered     bool               `json:"ordered,omitzero"`
	Replaceable bool               `json:"replaceable,omitzero"`
	Event       int64              `json:"event,omitzero"`
	Sent        int64              `json:"sent,omitzero"`
	Payload     []byte             `json:"payload,omitzero"`
	State       records.EntryState `json:"state"`
	Due         int64              `json:"due,omitzero"`
	Started     int64              `json:"started,omitzero"`
	Attempts    int                `json:"attempts,omitzero"`
	Ambiguous   bool               `json:"ambiguous,omitzero"`
	Result      []byte             `json:"result,omitzero"`
	Appended    int64              `json:"appended"`
	Changed     int64              `json:"changed"`
	Change      uint64             `json:"change"`

	sequence uint64
	counted  [2]string // the counts that it is in, as it is stored; empty: none
}

// laneRow is what a lane remembers.
type laneRow struct {
	Sent         int64  `json:"sent,omitzero"`          // the last one given
	Standing     int64  `json:"standing,omitzero"`      // newest Event that the platform has, or may have
	StandingSent int64  `json:"standing_sent,omitzero"` // the Sent of that
	Changed      int64  `json:"changed"`
	Entries      int    `json:"entries"`
	Indexed      []byte `json:"indexed,omitzero"` // its key in due
	Idle         []byte `json:"idle,omitzero"`    // its key in idle
}

// kind is the buckets of one kind in one transaction.
type kind struct {
	name string

	entries, lanes, queue, due, changes, requests, asked, countBucket, idle *bolt.Bucket
}

// openKind opens the buckets of a kind, and makes them where they are absent and the transaction may. nil: they are
// absent.
func openKind(tx *bolt.Tx, name string) (*kind, error) {
	all := tx.Bucket(lanesBucket)
	if all == nil {
		return nil, errors.New("the file has no lanes")
	}
	k := &kind{name: name}
	parent := all.Bucket([]byte(name))
	if parent == nil {
		if !tx.Writable() {
			return nil, nil
		}
		var err error
		if parent, err = all.CreateBucket([]byte(name)); err != nil {
			return nil, err
		}
	}
	for _, b := range []struct {
		name   []byte
		bucket **bolt.Bucket
	}{
		{entriesBucket, &k.entries}, {laneRowsBucket, &k.lanes}, {queueBucket, &k.queue}, {dueBucket, &k.due},
		{changesBucket, &k.changes}, {requestsBucket, &k.requests}, {askedBucket, &k.asked}, {countsBucket, &k.countBucket}, {idleBucket, &k.idle},
	} {
		if *b.bucket = parent.Bucket(b.name); *b.bucket != nil {
			continue
		}
		if !tx.Writable() {
			return nil, fmt.Errorf("the lanes of kind %s lack %s", name, b.name)
		}
		var err error
		if *b.bucket, err = parent.CreateBucket(b.name); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// view shows a kind as it is. f does not run where there is nothing of that kind.
func (l *Lanes) view(name string, f func(*kind) error) error {
	return l.store.db.View(func(tx *bolt.Tx) error {
		k, err := openKind(tx, name)
		if err != nil || k == nil {
			return err
		}
		return f(k)
	})
}

// get returns the entry of a sequence; nil: there is none.
func (k *kind) get(sequence []byte) (*entry, error) {
	text := k.entries.Get(sequence)
	if text == nil {
		return nil, nil
	}
	e := &entry{sequence: binary.BigEndian.Uint64(sequence)}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("an entry of kind %s: %w", k.name, err)
	}
	e.counted = e.counts()
	return e, nil
}

// must returns the entry that an index names.
func (k *kind) must(sequence []byte) (*entry, error) {
	if len(sequence) != 8 {
		return nil, fmt.Errorf("an index of kind %s has %d bytes, not 8", k.name, len(sequence))
	}
	e, err := k.get(sequence)
	if err == nil && e == nil {
		err = fmt.Errorf("an index of kind %s names an entry that is not there", k.name)
	}
	return e, err
}

// find returns the entry of an ID; nil: there is none.
func (k *kind) find(id string) (*entry, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		return nil, nil
	}
	e, err := k.get(raw[:8])
	if err != nil || e == nil || e.ID != id {
		return nil, err
	}
	return e, nil
}

// waiting returns the open entries of a lane, in their order.
func (k *kind) waiting(lane string) ([]*entry, error) {
	var list []*entry
	prefix := append([]byte(lane), '/')
	cursor := k.queue.Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		e, err := k.must(key[len(prefix):])
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// requested returns the entry that a request is remembered for.
func (k *kind) requested(request string) (records.LaneEntry, bool, error) {
	if request == "" {
		return records.LaneEntry{}, false, nil
	}
	sequence := k.requests.Get([]byte(request))
	if sequence == nil {
		return records.LaneEntry{}, false, nil
	}
	e, err := k.must(sequence)
	if err != nil {
		return records.LaneEntry{}, false, err
	}
	return e.export(k.name), true, nil
}

func (k *kind) remember(e *entry) error {
	if e.Request == "" {
		return nil
	}
	sequence := sequenceKey(e.sequence)
	if err := k.requests.Put([]byte(e.Request), sequence); err != nil {
		return err
	}
	return k.asked.Put(sequence, append(sequenceKey(uint64(e.Appended)), e.Request...))
}

// supersede ends an open entry for which a newer one stands. The caller writes the lane.
func (k *kind) supersede(e *entry, now time.Time) error {
	e.State, e.Due, e.Started = records.StateSuperseded, 0, 0
	return k.write(e, now)
}

// write stores an entry that changed, with all that is derived from it but its lane's row.
func (k *kind) write(e *entry, now time.Time) error {
	if e.Change != 0 {
		if err := k.changes.Delete(sequenceKey(e.Change)); err != nil {
			return err
		}
	}
	var err error
	if e.Change, err = k.changes.NextSequence(); err != nil {
		return err
	}
	e.Changed = milliseconds(now)
	sequence := sequenceKey(e.sequence)
	if err := k.changes.Put(sequenceKey(e.Change), sequence); err != nil {
		return err
	}
	place := append(append([]byte(e.Lane), '/'), sequence...)
	if e.Due != 0 {
		err = k.queue.Put(place, sequenceKey(uint64(e.Appended)))
	} else {
		err = k.queue.Delete(place)
	}
	if err != nil {
		return err
	}
	if err := k.recount(e, e.counts()); err != nil {
		return err
	}
	return k.put(e)
}

// put stores an entry and nothing else.
func (k *kind) put(e *entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return k.entries.Put(sequenceKey(e.sequence), text)
}

// counts names the counts that an entry belongs to.
func (e *entry) counts() [2]string {
	names := [2]string{string(e.State)}
	if e.Due != 0 {
		names[1] = openCount
	}
	return names
}

func (k *kind) recount(e *entry, names [2]string) error {
	for i, name := range names {
		if name == e.counted[i] {
			continue
		}
		for _, step := range []struct {
			name string
			by   int
		}{{e.counted[i], -1}, {name, 1}} {
			if step.name == "" {
				continue
			}
			count, err := k.count(step.name)
			if err != nil {
				return err
			}
			if err := k.countBucket.Put([]byte(step.name), sequenceKey(uint64(count+step.by))); err != nil {
				return err
			}
		}
	}
	e.counted = names
	return nil
}

func (k *kind) count(name string) (int, error) {
	value := k.countBucket.Get([]byte(name))
	if value == nil {
		return 0, nil
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("a count of kind %s has %d bytes, not 8", k.name, len(value))
	}
	return int(binary.BigEndian.Uint64(value)), nil
}

// lane returns the row of a lane; an empty one where there is none.
func (k *kind) lane(name string) (*laneRow, error) {
	row := &laneRow{}
	if text := k.lanes.Get([]byte(name)); text != nil {
		if err := json.Unmarshal(text, row); err != nil {
			return nil, fmt.Errorf("a lane of kind %s: %w", k.name, err)
		}
	}
	return row, nil
}

// writeLane stores a lane's row, and makes its places in due and idle anew.
func (k *kind) writeLane(name string, row *laneRow) error {
	var due, idle []byte
	prefix := append([]byte(name), '/')
	if first, _ := k.queue.Cursor().Seek(prefix); bytes.HasPrefix(first, prefix) {
		head, err := k.must(first[len(prefix):])
		if err != nil {
			return err
		}
		due = dueEntry{head.Group, head.Due, name}.key()
	}
	if row.Entries == 0 {
		idle = append(sequenceKey(uint64(row.Changed)), name...)
	}
	if err := errors.Join(move(k.due, &row.Indexed, due), move(k.idle, &row.Idle, idle)); err != nil {
		return err
	}
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return k.lanes.Put([]byte(name), text)
}

// move gives a lane another place in an index. nil is no place.
func move(index *bolt.Bucket, place *[]byte, to []byte) error {
	if bytes.Equal(*place, to) {
		return nil
	}
	if *place != nil {
		if err := index.Delete(*place); err != nil {
			return err
		}
	}
	*place = to
	if to == nil {
		return nil
	}
	return index.Put(to, nil)
}

// dueEntry is one entry in due.
type dueEntry struct {
	group string
	at    int64
	lane  string
}

func (d dueEntry) key() []byte {
	key := append([]byte(d.group), '/')
	return append(binary.BigEndian.AppendUint64(key, uint64(d.at)), d.lane...)
}

func parseDue(key []byte) (dueEntry, bool) {
	group, rest, found := bytes.Cut(key, []byte{'/'})
	if !found || len(rest) <= 8 {
		return dueEntry{}, false
	}
	return dueEntry{string(group), int64(binary.BigEndian.Uint64(rest)), string(rest[8:])}, true
}

// export makes the entry that callers see, with memory of its own.
func (e *entry) export(kind string) records.LaneEntry {
	return records.LaneEntry{
		Kind: kind, Lane: e.Lane, ID: e.ID, Group: e.Group, Owner: e.Owner, Request: e.Request,
		Event: moment(e.Event), Sent: moment(e.Sent), Payload: bytes.Clone(e.Payload), State: e.State, Due: moment(e.Due),
		Started: moment(e.Started), Attempts: e.Attempts, Ambiguous: e.Ambiguous, Result: bytes.Clone(e.Result),
		AppendTime: moment(e.Appended), ChangeTime: moment(e.Changed), Cursor: cursorOf(e.Change),
	}
}

func sequenceKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func cursorOf(change uint64) string { return hex.EncodeToString(sequenceKey(change)) }

// milliseconds and moment turn a time into what is stored and back. The zero time is 0.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
