// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// inProcess runs the benchmark of package launch, compiled, as a process of its own.
func inProcess(ctx context.Context, b *bench) (reading, error) {
	values, note, err := b.goBenchmark(ctx, "./launch", "BenchmarkValidate", b.count)
	return reading{values: values["BenchmarkValidate"], note: note}, err
}

// refusals runs the benchmark of package launch that sends what is refused: in process, so without the transport. The
// dearest kind of each figure counts.
func refusals(ctx context.Context, b *bench) (reading, error) {
	values, note, err := b.goBenchmark(ctx, "./launch", "BenchmarkRefuse", b.count)
	if err != nil {
		return reading{}, err
	}
	var early, late float64
	for name, rounds := range values {
		target := &early
		if strings.HasPrefix(name, "BenchmarkRefuse/late") {
			target = &late
		}
		*target = max(*target, rounds[0])
	}
	return reading{values: []float64{early, late}, note: note}, nil
}

// goBenchmark runs benchmarks of a package with a fixed count, and returns the metric R/op of each.
func (b *bench) goBenchmark(ctx context.Context, directory, name string, count int) (values map[string][]float64, note string, err error) {
	binary := filepath.Join(b.directory, filepath.Base(directory)+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, directory)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("go test -c %s: %w\n%s", directory, err, output)
	}
	command := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench=^"+name+"$", "-test.benchtime="+strconv.Itoa(count)+"x")
	command.Dir = directory
	output, err := command.CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	if values, note = parseBenchmark(output); len(values) == 0 {
		return nil, "", fmt.Errorf("%s: no metric R/op in\n%s", name, output)
	}
	return values, note, nil
}

// parseBenchmark finds the metric R/op of each benchmark in the output of `go test -bench`, and the lines that had
// one, without their blanks.
func parseBenchmark(output []byte) (values map[string][]float64, note string) {
	values = map[string][]float64{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		for i, field := range fields {
			if field != "R/op" || i == 0 {
				continue
			}
			value, err := strconv.ParseFloat(fields[i-1], 64)
			if err != nil {
				continue
			}
			name, _, _ := strings.Cut(fields[0], "-")
			values[name] = append(values[name], value)
			note += strings.Join(fields, " ") + "; "
		}
	}
	return values, note
}
