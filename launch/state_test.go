// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/noncestore"
)

var (
	stateIssued = time.UnixMilli(1_900_000_000_123)
	stateSeal   = noncestore.Seal{Generation: noncestore.Generation{1, 2, 3, 4, 5, 6, 7, 8}, Key: [32]byte{9}}
)

func newState(t testing.TB) (*loginState, string) {
	t.Helper()
	s := &loginState{issued: stateIssued, nonce: noncestore.Nonce{1}, binding: [32]byte{2}, storage: true, storageTarget: "_parent", caller: fingerprintOf("caller", "a")}
	text, err := sealState(stateSeal, bytes.NewReader(make([]byte, 64)), s) // the same text in every process
	if err != nil {
		t.Fatal(err)
	}
	return s, text
}

// REQ-025 REQ-250
func TestStateTimes(t *testing.T) {
	_, text := newState(t)
	for after, want := range map[time.Duration]lti.Reason{
		0:                             "",
		-maxFuture:                    "",
		-maxFuture - time.Millisecond: lti.ReasonStateStale,
		noncestore.StateLifetime - time.Millisecond: "",
		noncestore.StateLifetime:                    lti.ReasonStateExpired,
		noncestore.StateLifetime + 1000*time.Hour:   lti.ReasonStateExpired,
	} {
		if _, err := openState(stateSeal, text, stateIssued.Add(after)); lti.ReasonOf(err) != want {
			t.Errorf("after %s: %v, want %q", after, err, want)
		}
	}
	if fingerprintOf("caller", "x") == fingerprintOf("target", "x") {
		t.Error("fingerprints of two kinds are alike")
	}
}

// FuzzOpenState opens any text as a state: none but the one that was sealed may open.
func FuzzOpenState(f *testing.F) {
	s, text := newState(f)
	f.Add(text)
	f.Add(text + "\n")
	f.Add(text[:len(text)-1])
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, given string) {
		opened, err := openState(stateSeal, given, stateIssued)
		switch reason := lti.ReasonOf(err); {
		case err == nil && given != text:
			t.Fatalf("%q opens", given)
		case err == nil && !bytes.Equal(opened.marshal(), s.marshal()):
			t.Fatalf("opened %+v", opened)
		case err != nil && given == text:
			t.Fatal(err)
		case err != nil && reason != lti.ReasonStateForged && reason != lti.ReasonStateStale && reason != lti.ReasonStateOtherInstance:
			t.Fatalf("reason %q of %v", reason, err)
		}
	})
}

// FuzzUnmarshalState reads any bytes as an opened state; what can be read is written again as it was.
func FuzzUnmarshalState(f *testing.F) {
	s, _ := newState(f)
	f.Add(s.marshal())
	f.Add(bytes.Repeat([]byte{stateVersion}, stateFixedSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := unmarshalState(data)
		if err != nil {
			return
		}
		again := opened.marshal()
		again[57] = data[57] // of the flags only the first bit has a meaning
		if !bytes.Equal(again, data) || opened.storage != (data[57]&1 == 1) {
			t.Fatalf("%x became %x", data, again)
		}
	})
}
