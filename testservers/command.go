// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// ErrMissing says that a program is not installed.
var ErrMissing = errors.New("not installed")

// Run calls f outside of any test, for commands that need servers. What fails f becomes the error; where a program is
// missing, that is ErrMissing. The servers end with Run. The servers may fail f from f's own goroutine only.
func Run(ctx context.Context, f func(testing.TB)) error {
	c := &command{ctx: ctx}
	c.call(func() { f(c) })
	for len(c.cleanups) > 0 {
		last := c.cleanups[len(c.cleanups)-1]
		c.cleanups = c.cleanups[:len(c.cleanups)-1]
		c.call(last)
	}
	return errors.Join(c.failures...)
}

// command is a testing.TB with what this package asks of one. The other methods panic.
type command struct {
	testing.TB
	ctx context.Context

	mutex    sync.Mutex
	failures []error
	cleanups []func()
}

// call calls f on a goroutine that fatal can end.
func (c *command) call(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (c *command) fail(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.failures = append(c.failures, err)
}

func (c *command) Helper()                  {}
func (c *command) Context() context.Context { return c.ctx }
func (c *command) Cleanup(f func())         { c.cleanups = append(c.cleanups, f) }

func (c *command) Error(words ...any) { c.fail(errors.New(fmt.Sprint(words...))) }

func (c *command) Fatal(words ...any) {
	c.Error(words...)
	runtime.Goexit()
}

func (c *command) Fatalf(format string, words ...any) {
	c.fail(fmt.Errorf(format, words...))
	runtime.Goexit()
}

func (c *command) Skip(words ...any) {
	c.fail(fmt.Errorf("%w: %s", ErrMissing, fmt.Sprint(words...)))
	runtime.Goexit()
}
