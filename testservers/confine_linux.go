// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"os/exec"
	"syscall"
	"testing"
)

// confine has a command run as the unprivileged account, in a process group of its own, and end with this process.
func confine(t testing.TB, command *exec.Cmd) {
	t.Helper()
	who, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if who.other {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid}
	}
}
