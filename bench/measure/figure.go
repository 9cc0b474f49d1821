// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"slices"
	"strconv"
)

// A Figure is one line of the table: what is measured, what is aimed at, and what is the least.
type Figure struct {
	Name    string // such as T2
	What    string
	Unit    string // as it stands behind the value: "R", "x", "%", "ms", "MB", "B", or "" for a plain number
	Goal    float64
	Limit   float64
	AtLeast bool // larger values are better
}

// A Verdict says how a value does.
type Verdict string

// The verdicts.
const (
	OK    Verdict = "ok"    // the goal is reached
	Short Verdict = "short" // within the limit, but the goal is not reached
	Miss  Verdict = "miss"  // beyond the limit
)

// Judge returns the verdict on a value, as it is printed: a line never says "2.6 (goal 2.6) short".
func (f *Figure) Judge(value float64) Verdict {
	value = f.printed(value)
	reaches := func(bound float64) bool {
		if f.AtLeast {
			return value >= bound
		}
		return value <= bound
	}
	switch {
	case reaches(f.Goal):
		return OK
	case reaches(f.Limit):
		return Short
	}
	return Miss
}

// Line returns a value as a line of the table, such as "T2 2.61 R (goal 2.6, limit 3.2) short".
func (f *Figure) Line(value float64) string {
	unit := f.Unit
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Sprintf("%s %s%s (goal %s, limit %s) %s", f.Name, f.text(value), unit, number(f.Goal), number(f.Limit), f.Judge(value))
}

// text returns a value with as many digits as its limit's size is worth.
func (f *Figure) text(value float64) string {
	if f.Limit < 10 {
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
	return strconv.FormatFloat(value, 'f', 1, 64)
}

func (f *Figure) printed(value float64) float64 {
	printed, err := strconv.ParseFloat(f.text(value), 64)
	if err != nil {
		return value // infinite, or not a number
	}
	return printed
}

func number(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// Median returns the middle value, or the mean of the two middle ones; 0 where there is none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
