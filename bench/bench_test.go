// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/bench/measure"
)

func TestParseCounters(t *testing.T) {
	const text = "# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total 1.5e+06\ngo_gc_duration_seconds{quantile=\"0\"} 1\ngo_gc_duration_seconds_count 7\n"
	if got, err := parseCounters(strings.NewReader(text)); err != nil || got != (counters{1.5e6, 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "go_memstats_mallocs_total 1\n", "go_memstats_mallocs_total many\ngo_gc_duration_seconds_count 7\n"} {
		if got, err := parseCounters(strings.NewReader(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestParseBenchmark(t *testing.T) {
	values, note := parseBenchmark([]byte("goos: linux\nBenchmarkRefuse/early/state-2  \t 3000\t 3789 ns/op\t 0.07 R/op\nBenchmarkRefuse/late/x-2 1 2 ns/op 0.5 R/op\nBenchmarkOther-2 1 2 ns/op\nPASS\n"))
	if len(values) != 2 || values["BenchmarkRefuse/early/state"][0] != 0.07 || values["BenchmarkRefuse/late/x"][0] != 0.5 || !strings.Contains(note, "3789 ns/op") {
		t.Errorf("%v %q", values, note)
	}
}

// TestLoops: every request is sent once, what fails is counted apart, and an open loop turns away what its workers
// cannot take.
func TestLoops(t *testing.T) {
	var calls [100]atomic.Int32
	odd := errors.New("odd")
	call := func(_ context.Context, i int) error {
		calls[i].Add(1)
		if i%2 == 1 {
			return odd
		}
		return nil
	}
	for name, o := range map[string]*outcome{
		"closed": closed(t.Context(), 100, 7, call),
		"open":   open(t.Context(), 100, 1e6, 100, time.Minute, call),
	} {
		if o.latencies.Count() != 50 || o.failed != 50 || !errors.Is(o.err(), odd) {
			t.Errorf("%s: %d answered, %d failed, %v", name, o.latencies.Count(), o.failed, o.err())
		}
	}
	for i := range calls {
		if n := calls[i].Load(); n != 2 {
			t.Errorf("request %d was sent %d times by two loops", i, n)
		}
	}
	release := make(chan struct{})
	var held atomic.Int32
	o := open(t.Context(), 50, 1e6, 3, 0, func(context.Context, int) error {
		if held.Add(1) == 3 {
			close(release)
		}
		<-release
		return nil
	})
	if o.failed == 0 || int(o.latencies.Count())+o.failed != 50 || !errors.Is(o.err(), errBusy) {
		t.Errorf("with three workers: %d answered, %d failed, %v", o.latencies.Count(), o.failed, o.err())
	}
}

func TestResultsResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	first, err := openResults(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.keep("T2", result{Values: []float64{2.5}}); err != nil {
		t.Fatal(err)
	}
	again, err := openResults(path, true)
	if err != nil || again.Rows["T2"].Values[0] != 2.5 {
		t.Errorf("%+v, %v", again, err)
	}
	if fresh, err := openResults(path, false); err != nil || len(fresh.Rows) != 0 {
		t.Errorf("without resume: %+v, %v", fresh, err)
	}
	first.Commit = "another"
	if err := first.keep("T1", result{}); err != nil {
		t.Fatal(err)
	}
	if other, err := openResults(path, true); err != nil || len(other.Rows) != 0 {
		t.Errorf("of another commit: %+v, %v", other, err)
	}
}

// TestTableMeasuresAMissTwice runs rows of its own.
func TestTableMeasuresAMissTwice(t *testing.T) {
	kept, err := openResults(filepath.Join(t.TempDir(), "results.json"), false)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{rounds: 3}
	runs := map[string]int{}
	of := func(name string, values ...float64) row {
		return row{name: name, figures: []measure.Figure{{Name: name, Unit: "R", Goal: 1, Limit: 2}}, measure: func(context.Context, *bench) (reading, error) {
			value := values[runs[name]%len(values)]
			runs[name]++
			return reading{values: []float64{value}}, nil
		}}
	}
	missed, err := b.table(t.Context(), []row{of("good", 0.5), of("median", 9, 1, 1), of("bad", 3), of("second", 3, 3, 3, 1, 1, 1)}, kept)
	if err != nil || missed != 1 {
		t.Errorf("%d missed, %v", missed, err)
	}
	for name, want := range map[string]int{"good": 3, "median": 3, "bad": 6, "second": 6} {
		if runs[name] != want {
			t.Errorf("%s was measured %d times, want %d", name, runs[name], want)
		}
	}
	if missed, err := b.table(t.Context(), []row{of("good", 9)}, kept); err != nil || missed != 0 || runs["good"] != 3 {
		t.Errorf("a row that is known was measured again: %d, %v", runs["good"], err)
	}
}

func TestReport(t *testing.T) {
	kept := &results{Commit: "c0ffee", Rows: map[string]result{
		"T2":  {Values: []float64{2.5, 90, 70}, Rounds: [][]float64{{2.5, 90, 70}}, Note: "a note", Extra: map[string]float64{"R in microseconds": 30, "launch": 2.5, "login": 0.5, "client": 1}},
		"T5":  {Values: []float64{4, 2}, Rounds: [][]float64{{4, 2}}, Extra: map[string]float64{"PyLTI1p3": 10, "ltijs": 5, "jsonwebtoken": 2, "golang-jwt": 3, "jwx": 5, "sidecar": 2.5}},
		"T4":  {Values: []float64{4}, Rounds: [][]float64{{4}}},
		"T14": {Values: []float64{1.5}, Rounds: [][]float64{{1.5}}, Extra: map[string]float64{"Node tool": 3, "jsonwebtoken": 2}},
	}}
	path := filepath.Join(t.TempDir(), "performance.md")
	if err := writeReport(path, kept, "-rounds 1"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"T2 2.50 R (goal 2.6, limit 3.2) ok", "c0ffee", "| PyLTI1p3 | 10.00 R | 3333 |", "| one core | 11111 |", "| Node, JSON | 3.0 R | 4.0 R | 7.0 R | 5.0 R with ltijs", "T2: a note"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page has nothing of %q:\n%s", want, text)
		}
	}
	if err := writeReport(path, &results{}, ""); err != nil {
		t.Errorf("a page of nothing: %v", err)
	}
}
