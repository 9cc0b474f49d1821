// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// fullOrders names the directory in the environment of a child process of TestDiskFilledByOthers.
const fullOrders = "BADGERSTORE_TEST_FULL"

// fullMain is a process that redeems as fast as it can, until its input ends. It says when the first redemption is
// accepted, when one is refused because the disk is full, and when one is accepted again.
func fullMain(directory string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s, err := Open(Config{Directory: directory, Instance: [4]byte{1}, SealDirectories: []string{}})
	fail(err)
	var stop atomic.Bool
	done := make(chan error)
	const workers = 64
	states := make(chan string)
	for range workers {
		go func() {
			last := ""
			for !stop.Load() {
				seal, err := s.Seal(context.Background())
				if err == nil {
					err = s.Redeem(context.Background(), seal.Generation, newNonce())
				}
				now := "accepted"
				if errors.Is(err, noncestore.ErrFull) {
					now = "full"
					time.Sleep(time.Millisecond)
				} else if err != nil {
					done <- err
					return
				}
				if now != last {
					states <- now
					last = now
				}
			}
			done <- nil
		}()
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
		stop.Store(true)
	}()
	last := ""
	for ended := 0; ended < workers; {
		select {
		case state := <-states:
			if state != last {
				last = state
				fail(json.NewEncoder(os.Stdout).Encode(state))
			}
		case err := <-done:
			fail(err)
			ended++
		}
	}
	fail(s.Close())
}
