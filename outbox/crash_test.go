// SPDX-License-Identifier: Apache-2.0

package outbox

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// The child of the crash test is told by its environment where the file is and where it stops.
const (
	childPath  = "OUTBOX_TEST_CHILD_PATH"
	childPoint = "OUTBOX_TEST_CHILD_POINT"
)

// childMain runs as the child where it is one: it submits an entry, says so at its point, and waits to be killed.
func childMain() bool {
	path, point := os.Getenv(childPath), os.Getenv(childPoint)
	if path == "" {
		return false
	}
	reach := func(name string) {
		if name == point {
			fmt.Println("at", name)
			select {}
		}
	}
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	store, err := boltstore.Open(boltstore.Config{Path: path})
	fail(err)
	lanes, err := store.Lanes(boltstore.LanesConfig{})
	fail(err)
	box, err := New(Config{Lanes: lanes, Kind: "test", Logger: slog.New(slog.DiscardHandler), Deliver: func(ctx context.Context, attempt *Attempt) Verdict {
		reach("before the start")
		fail(attempt.Begin(ctx))
		reach("after the start")
		return Verdict{Kind: Delivered}
	}})
	fail(err)
	wait := time.Hour
	if point == "appended" {
		wait = 0
	}
	_, _, err = box.Submit(context.Background(), Item{Lane: "lane", Group: "host", Payload: []byte("a"), Request: "request", Ordered: true}, wait)
	fail(err)
	reach("appended")
	reach("delivered")
	fail(fmt.Errorf("there is no point %q", point))
	return true
}

// A process that is killed between append, attempt and outcome leaves the truth behind.
func TestKilledProcess(t *testing.T) {
	for point, want := range map[string]struct {
		state    records.EntryState
		started  bool
		attempts int
	}{
		"appended":         {records.StateQueued, false, 0},
		"before the start": {records.StateQueued, false, 0},
		"after the start":  {records.StateQueued, true, 1},
		"delivered":        {records.StateDelivered, false, 1},
	} {
		t.Run(point, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.db")
			command := exec.Command(os.Args[0])
			command.Env = append(os.Environ(), childPath+"="+path, childPoint+"="+point)
			output, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(output)
			reached := lines.Scan() && lines.Text() == "at "+point
			killed := command.Process.Kill()
			_ = command.Wait() // it was killed
			if !reached || killed != nil {
				t.Fatalf("the child said %q, %v", lines.Text(), killed)
			}
			r := &rig{t: t, path: path, now: time.Now(), script: []Verdict{verdict(Delivered)}, arrived: make(chan struct{}, 100)}
			r.open(nil)
			page, err := r.Entries(t.Context(), records.EntryFilter{}, "", 10)
			if err != nil || len(page.Entries) != 1 {
				t.Fatalf("%+v, %v", page, err)
			}
			entry := page.Entries[0]
			if entry.State != want.state || entry.Started.IsZero() == want.started || entry.Attempts != want.attempts {
				t.Errorf("%+v", entry)
			}
			// The tool repeats the call whose answer it never got: nothing is appended, and all is delivered.
			again, repeated, err := r.Submit(t.Context(), Item{Lane: "lane", Group: "host", Payload: []byte("a"), Request: "request", Ordered: true}, 0)
			if err != nil || !repeated || again.ID != entry.ID {
				t.Errorf("%+v, %v", again, err)
			}
			for range 3 {
				r.step()
			}
			r.is(entry.ID, records.StateDelivered, false)
		})
	}
}
