// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"sync"
	"time"
)

const callTimeout = 10 * time.Second

// call is a line of the sidecar's log about one RPC.
type call struct {
	Message      string        `json:"msg"`
	Method       string        `json:"method"`
	Registration string        `json:"registration"`
	Code         string        `json:"code"`
	Reason       string        `json:"reason"`
	Duration     time.Duration `json:"duration"` // the log has nanoseconds
}

// callLog reads the sidecar's log as it is written, so that the demo can show the sidecar's own times.
type callLog struct {
	mutex   sync.Mutex
	partial []byte
	ready   bool
	calls   []call
	changed chan struct{} // closed and replaced at each new line
}

func newCallLog() *callLog { return &callLog{changed: make(chan struct{})} }

// Write takes a part of the log.
func (l *callLog) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.partial = append(l.partial, text...)
	for {
		line, rest, complete := bytes.Cut(l.partial, []byte("\n"))
		if !complete {
			break
		}
		l.partial = rest
		var c call
		if json.Unmarshal(line, &c) != nil {
			continue // not of the log: a message of the runtime, which the file has
		}
		switch c.Message {
		case "ready":
			l.ready = true
		case "call":
			l.calls = append(l.calls, c)
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(text), nil
}

func (l *callLog) isReady() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.ready
}

// take removes and returns the first call of a method for a registration, waiting for it.
func (l *callLog) take(ctx context.Context, method, registration string) (call, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		l.mutex.Lock()
		for i, c := range l.calls {
			if path.Base(c.Method) == method && c.Registration == registration {
				l.calls = append(l.calls[:i], l.calls[i+1:]...)
				l.mutex.Unlock()
				return c, nil
			}
		}
		changed := l.changed
		l.mutex.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return call{}, fmt.Errorf("the sidecar has not logged %s of %s", method, registration)
		}
	}
}
