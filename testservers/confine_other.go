// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testservers

import (
	"os/exec"
	"testing"
)

// confine does nothing here: the servers run as whoever runs the test.
func confine(testing.TB, *exec.Cmd) {}
