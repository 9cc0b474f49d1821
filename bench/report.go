// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

// writeReport writes the page with the results.
func writeReport(path string, kept *results, command string) error { return nil }
