// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
)

// million is how many live nonces the rows about the store have: what some 1,400 launches a second leave behind.
const million = 1_000_000

// fillCommand runs this program as one that redeems nonces in the store of a sidecar that is not running.
const fillCommand = "fill"

// fill redeems count nonces and prints by how many bytes its memory grew. With "COUNT,hold" it then waits to be killed;
// otherwise it closes the store as a sidecar does.
func fill(ctx context.Context, home, how string) error {
	debug.SetGCPercent(400)
	text, hold := strings.CutSuffix(how, ",hold")
	count, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	instance, err := os.ReadFile(filepath.Join(home, "keys", "instance"))
	if err != nil {
		return err
	}
	config := badgerstore.Config{Directory: filepath.Join(home, "data", "nonces")}
	if _, err := hex.Decode(config.Instance[:], []byte(strings.TrimSpace(string(instance)))); err != nil {
		return err
	}
	store, err := badgerstore.Open(config)
	if err != nil {
		return err
	}
	if err := redeem(ctx, store, count/1000); err != nil { // buffers and pools
		return errors.Join(err, store.Close())
	}
	before, err := settled()
	if err != nil {
		return err
	}
	if err := redeem(ctx, store, count); err != nil {
		return errors.Join(err, store.Close())
	}
	after, err := settled()
	if err != nil {
		return err
	}
	fmt.Println(after - before)
	if hold {
		<-ctx.Done()
		return nil
	}
	return store.Close()
}

// settled returns the memory once the heap has nothing that is not in use. Pages of Badger's files, which it maps, do not
// count: the system takes them back when it needs them.
func settled() (int64, error) {
	runtime.GC()
	debug.FreeOSMemory()
	memory, err := measure.MemoryOf(os.Getpid())
	return memory.Anonymous, err
}

func redeem(ctx context.Context, store noncestore.Store, count int) error {
	seal, err := store.Seal(ctx)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var group errgroup.Group
	for range 256 {
		group.Go(func() error {
			for next.Add(1) <= int64(count) {
				var nonce noncestore.Nonce
				if _, err := rand.Read(nonce[:]); err != nil {
					return err
				}
				if err := store.Redeem(ctx, seal.Generation, nonce); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// filled fills a home's store in a process of its own, and returns by how much that process grew. killed: it ends as
// with kill -9.
func (b *bench) filled(ctx context.Context, home string, killed bool) (grown int64, err error) {
	own, err := os.Executable()
	if err != nil {
		return 0, err
	}
	how := strconv.Itoa(million)
	if killed {
		how += ",hold"
	}
	command := exec.CommandContext(ctx, own, fillCommand, home, how)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+b.shm, "RUNTIME_DIRECTORY=")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	_, err = fmt.Fscan(output, &grown)
	if killed {
		err = errors.Join(err, command.Process.Kill())
		_ = command.Wait() // it says that it was killed
		return grown, err
	}
	return grown, errors.Join(err, command.Wait())
}

// started makes a home whose keys are there, and no nonces.
func (b *bench) started(ctx context.Context) (home string, err error) {
	c, err := b.startSidecar(ctx, settings{})
	if err != nil {
		return "", err
	}
	return c.home, c.stop()
}

// ready returns how long a sidecar takes from its start to serving.
func (b *bench) ready(ctx context.Context, home string) (time.Duration, error) {
	c, err := b.startSidecar(ctx, settings{home: home})
	if err != nil {
		return 0, err
	}
	return c.ready, c.stop()
}

// nonces measures what a million live nonces take, and what they do to a start.
func nonces(ctx context.Context, b *bench) (reading, error) {
	home, err := b.started(ctx)
	if err != nil {
		return reading{}, err
	}
	empty, err := b.ready(ctx, home)
	if err != nil {
		return reading{}, err
	}
	before, err := diskUse(home)
	if err != nil {
		return reading{}, err
	}
	grown, err := b.filled(ctx, home, false)
	if err != nil {
		return reading{}, err
	}
	after, err := diskUse(home)
	if err != nil {
		return reading{}, err
	}
	clean, err := b.ready(ctx, home)
	if err != nil {
		return reading{}, err
	}
	if _, err := b.filled(ctx, home, true); err != nil {
		return reading{}, err
	}
	killed, err := b.ready(ctx, home)
	if err != nil {
		return reading{}, err
	}
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	values := []float64{float64(grown) / 1e6, float64(after-before) / million, milliseconds(empty), milliseconds(clean), milliseconds(killed)}
	return reading{values: values, note: fmt.Sprintf("%.0f MB, %.0f B each on disk, ready after %s empty, %s full, %s killed", values[0], values[1], empty, clean, killed)}, os.RemoveAll(home)
}

// diskUse returns how many bytes the files below a directory take up on the disk, holes left out.
func diskUse(directory string) (bytes int64, err error) {
	err = filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		var status unix.Stat_t
		if err := unix.Lstat(path, &status); err != nil {
			return err
		}
		bytes += status.Blocks * 512
		return nil
	})
	return bytes, err
}
