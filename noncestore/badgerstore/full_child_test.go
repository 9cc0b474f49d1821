// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	redeem := func() error {
		seal, err := s.Seal(context.Background())
		if err == nil {
			err = s.Redeem(context.Background(), seal.Generation, newNonce())
		}
		return err
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
		stop.Store(true)
	}()
	var working sync.WaitGroup
	for range 64 {
		working.Go(func() {
			for !stop.Load() {
				if redeem() != nil { // what is wrong is told below
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	// One redemption after the other says how things are: those of many would be told out of order.
	for last := ""; !stop.Load(); {
		now, err := "accepted", redeem()
		if errors.Is(err, noncestore.ErrFull) {
			now = "full"
		} else {
			fail(err)
		}
		if now != last {
			last = now
			fail(json.NewEncoder(os.Stdout).Encode(now))
		}
	}
	working.Wait()
	fail(s.Close())
}
