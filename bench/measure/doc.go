// SPDX-License-Identifier: Apache-2.0

// Package measure holds what a benchmark measures with: CPU time and memory of processes, the cost of a bare RSA
// verification, histograms of latencies, and figures with their goals and limits.
package measure
