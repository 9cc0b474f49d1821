// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"strings"
)

// maxStates is how many states are visited at most.
const maxStates = 20_000_000

// Step is one thing that can happen in a state.
type Step[S comparable] struct {
	Name string
	Next S
}

// Spec is a model: where it begins, what can happen, and what must always hold. Steps and Broken must depend on the state
// alone.
type Spec[S comparable] struct {
	Start  S
	Steps  func(S) []Step[S]
	Broken func(S) string // what is wrong with a state; empty: nothing
	Ended  func(S) string // what is wrong with a state in which nothing can happen any more; nil: nothing
}

// Result is what an exploration found.
type Result struct {
	States int    // visited
	Broken string // what is wrong; empty: nothing, in no state
	Trace  []string
}

// String returns the result as text, with the steps to the failure where there is one.
func (r Result) String() string {
	if r.Broken == "" {
		return fmt.Sprintf("%d states, none broken", r.States)
	}
	return fmt.Sprintf("after %d states: %s:\n  %s", r.States, r.Broken, strings.Join(r.Trace, "\n  "))
}

// Explore visits every state that can be reached, breadth first, so that the trace to a failure is a shortest one. It
// fails where there are more states than it may visit.
func Explore[S comparable](spec Spec[S]) (Result, error) {
	type origin struct {
		from S
		step string
	}
	seen := map[S]origin{spec.Start: {}}
	queue := []S{spec.Start}
	trace := func(state S) []string {
		var steps []string
		for state != spec.Start {
			came := seen[state]
			steps = append([]string{came.step}, steps...)
			state = came.from
		}
		return steps
	}
	for visited := 0; len(queue) > 0; visited++ {
		state := queue[0]
		queue = queue[1:]
		broken := spec.Broken(state)
		steps := spec.Steps(state)
		if broken == "" && len(steps) == 0 && spec.Ended != nil {
			broken = spec.Ended(state)
		}
		if broken != "" {
			return Result{States: visited + 1, Broken: broken, Trace: trace(state)}, nil
		}
		for _, step := range steps {
			if _, ok := seen[step.Next]; ok {
				continue
			}
			if len(seen) >= maxStates {
				return Result{}, fmt.Errorf("model: more than %d states", maxStates)
			}
			seen[step.Next] = origin{state, step.Name}
			queue = append(queue, step.Next)
		}
	}
	return Result{States: len(seen)}, nil
}
