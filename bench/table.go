// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ltisidecar/ltisidecar/bench/measure"
)

// row measures some figures together.
type row struct {
	name    string
	figures []measure.Figure
	rounds  int // 0: as many as the run says
	measure func(ctx context.Context, b *bench) (reading, error)
}

// reading is one round: a value for each figure, and a word for the reader.
type reading struct {
	values []float64
	note   string
	extra  map[string]float64 // what the page says beside the figures, by name
}

// result is what a row came to.
type result struct {
	Values []float64     `json:"values"` // the median of each figure
	Rounds [][]float64   `json:"rounds"`
	Note   string        `json:"note"` // of the last round
	Took   time.Duration `json:"took_ns"`

	Extra map[string]float64 `json:"extra,omitempty"` // medians
}

// results are the rows of one commit, kept from run to run.
type results struct {
	path   string
	Commit string            `json:"commit"`
	Rows   map[string]result `json:"rows"`
}

// openResults returns the results of an earlier run of this commit, or none.
func openResults(path string, resume bool) (*results, error) {
	commit, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return nil, fmt.Errorf("git describe: %w", err)
	}
	r := &results{path: path, Commit: strings.TrimSpace(string(commit)), Rows: map[string]result{}}
	if !resume {
		return r, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	var earlier results
	if err := json.Unmarshal(text, &earlier); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if earlier.Commit == r.Commit && earlier.Rows != nil {
		r.Rows = earlier.Rows
	}
	return r, nil
}

func (r *results) keep(name string, measured result) error {
	r.Rows[name] = measured
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.path, text, 0o644)
}

// table measures rows and prints a line for each figure. A row that misses is measured once more first.
func (b *bench) table(ctx context.Context, chosen []row, kept *results) (missed int, err error) {
	for _, r := range chosen {
		measured, known := kept.Rows[r.name]
		for attempt := 1; !known && attempt <= 2; attempt++ {
			if measured, err = b.row(ctx, &r); err != nil {
				return missed, fmt.Errorf("%s: %w", r.name, err)
			}
			if r.misses(measured.Values) == 0 {
				break
			}
			if attempt == 1 {
				progress("%s misses and is measured once more", r.name)
			}
		}
		if err := kept.keep(r.name, measured); err != nil {
			return missed, err
		}
		for i := range r.figures {
			fmt.Println(r.figures[i].Line(measured.Values[i]))
		}
		missed += r.misses(measured.Values)
	}
	return missed, nil
}

func (r *row) misses(values []float64) int {
	missed := 0
	for i := range r.figures {
		if r.figures[i].Judge(values[i]) == measure.Miss {
			missed++
		}
	}
	return missed
}

// row measures the rounds of one row.
func (b *bench) row(ctx context.Context, r *row) (result, error) {
	begun := time.Now()
	rounds := r.rounds
	if rounds == 0 || rounds > b.rounds {
		rounds = b.rounds
	}
	var measured result
	extra := map[string][]float64{}
	for round := range rounds {
		one, err := r.measure(ctx, b)
		if err != nil {
			return result{}, err
		}
		if len(one.values) != len(r.figures) {
			return result{}, fmt.Errorf("%d values for %d figures", len(one.values), len(r.figures))
		}
		progress("%s %d/%d: %s", r.name, round+1, rounds, one.note)
		measured.Rounds, measured.Note = append(measured.Rounds, one.values), one.note
		for name, value := range one.extra {
			extra[name] = append(extra[name], value)
		}
	}
	measured.Extra = map[string]float64{}
	for name, values := range extra {
		measured.Extra[name] = measure.Median(values)
	}
	for i := range r.figures {
		var values []float64
		for _, round := range measured.Rounds {
			values = append(values, round[i])
		}
		measured.Values = append(measured.Values, measure.Median(values))
	}
	measured.Took = time.Since(begun)
	return measured, nil
}
