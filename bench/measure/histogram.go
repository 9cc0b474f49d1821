// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"math/bits"
	"time"
)

// A Histogram counts latencies from 1 ns to some 17 minutes with an error of at most 1/32. The zero value is empty. It
// is not safe for use by several goroutines: give each one of its own, and Merge them.
type Histogram struct {
	counts [subBuckets * exponents]uint64
	total  uint64
}

const (
	subBits    = 5
	subBuckets = 1 << subBits
	exponents  = 36 // powers of two above the first 32 ns
)

// Add counts one latency. A longer one than the histogram can tell counts as its longest.
func (h *Histogram) Add(latency time.Duration) {
	h.counts[bucketOf(uint64(max(latency, 0)))]++
	h.total++
}

// Merge adds what another histogram has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.total += other.total
}

// Count returns how many latencies were counted.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile returns the latency that a part q of all, from 0 to 1, do not exceed; 0 where nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q * float64(h.total))
	if rank >= h.total {
		rank = h.total - 1
	}
	var seen uint64
	for i, count := range h.counts {
		if seen += count; seen > rank {
			return time.Duration(bucketEnd(i))
		}
	}
	return time.Duration(bucketEnd(len(h.counts) - 1))
}

// bucketOf returns the bucket of a value: the first 32 are one value wide, then each power of two has 32.
func bucketOf(value uint64) int {
	if value < subBuckets {
		return int(value)
	}
	exponent := bits.Len64(value) - subBits
	index := exponent*subBuckets + int(value>>(exponent-1)) - subBuckets
	return min(index, subBuckets*exponents-1)
}

// bucketEnd returns the largest value of a bucket.
func bucketEnd(index int) uint64 {
	if index < subBuckets {
		return uint64(index)
	}
	exponent := index / subBuckets
	return (uint64(index%subBuckets)+subBuckets+1)<<(exponent-1) - 1
}
