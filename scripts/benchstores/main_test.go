// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv(childVariable); directory != "" {
		if err := child(directory); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// Every contender redeems, and the table has a line for each.
func TestBench(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out, 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	for _, c := range contenders {
		if !strings.Contains(out.String(), "| "+c.name+" |") {
			t.Errorf("there is no line for %s", c.name)
		}
	}
	if strings.Contains(out.String(), "NOT MEASURED") && os.Getenv("CI") == "true" {
		t.Error("a store was not measured")
	}
	if !strings.Contains(out.String(), "after a kill -9") {
		t.Error("the time to open is missing")
	}
}

// A store that refuses ends the measurement.
func TestRefusalFailsTheBench(t *testing.T) {
	refusal := errors.New("no")
	c := &contender{redeem: func(context.Context) error { return refusal }}
	if _, err := measure(t.Context(), c, 4, time.Second); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
}
