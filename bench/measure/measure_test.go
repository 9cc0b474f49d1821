// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramBuckets(t *testing.T) {
	for index := range subBuckets * exponents {
		end := bucketEnd(index)
		if got := bucketOf(end); got != index {
			t.Fatalf("the end of bucket %d, %d, lies in bucket %d", index, end, got)
		}
		if next := bucketOf(end + 1); index < subBuckets*exponents-1 && next != index+1 {
			t.Fatalf("%d follows bucket %d and lies in bucket %d", end+1, index, next)
		}
	}
	if longest := time.Duration(bucketEnd(subBuckets*exponents - 1)); longest < 15*time.Minute {
		t.Errorf("the histogram ends at %s", longest)
	}
	if bucketOf(math.MaxUint64) != subBuckets*exponents-1 {
		t.Error("a latency beyond the end has a bucket of its own")
	}
}

func TestQuantile(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	var h, other Histogram
	var values []time.Duration
	for i := range 10_000 {
		value := time.Duration(math.Exp(random.Float64() * 25))
		values = append(values, value)
		if i%2 == 0 {
			h.Add(value)
		} else {
			other.Add(value)
		}
	}
	h.Merge(&other)
	slices.Sort(values)
	if h.Count() != uint64(len(values)) {
		t.Errorf("%d counted", h.Count())
	}
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := values[min(int(q*float64(len(values))), len(values)-1)]
		if got := h.Quantile(q); got < want || float64(got-want) > float64(want)/32+1 {
			t.Errorf("seed %d: quantile %g is %s, want %s", seed, q, got, want)
		}
	}
	if (&Histogram{}).Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
}

func TestFigure(t *testing.T) {
	lower := Figure{Name: "T2", Unit: "R", Goal: 2.6, Limit: 3.2}
	higher := Figure{Name: "T5", Unit: "x", Goal: 3.5, Limit: 3, AtLeast: true}
	count := Figure{Name: "T13", Goal: 80, Limit: 120}
	for _, c := range []struct {
		figure Figure
		value  float64
		want   string
	}{
		{lower, 2.601, "T2 2.60 R (goal 2.6, limit 3.2) ok"},
		{lower, 2.61, "T2 2.61 R (goal 2.6, limit 3.2) short"},
		{lower, 3.2, "T2 3.20 R (goal 2.6, limit 3.2) short"},
		{lower, 3.21, "T2 3.21 R (goal 2.6, limit 3.2) miss"},
		{lower, math.Inf(1), "T2 +Inf R (goal 2.6, limit 3.2) miss"},
		{lower, math.NaN(), "T2 NaN R (goal 2.6, limit 3.2) miss"},
		{higher, 3.5, "T5 3.50 x (goal 3.5, limit 3) ok"},
		{higher, 3, "T5 3.00 x (goal 3.5, limit 3) short"},
		{higher, 2.99, "T5 2.99 x (goal 3.5, limit 3) miss"},
		{higher, 0, "T5 0.00 x (goal 3.5, limit 3) miss"},
		{count, 80.04, "T13 80.0 (goal 80, limit 120) ok"},
		{count, 120.1, "T13 120.1 (goal 80, limit 120) miss"},
	} {
		if got := c.figure.Line(c.value); got != c.want {
			t.Errorf("%g: %q, want %q", c.value, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 9, 6}, 5}} {
		if got := Median(c.values); got != c.want {
			t.Errorf("the median of %v is %g, want %g", c.values, got, c.want)
		}
	}
}
