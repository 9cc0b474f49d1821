// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// streamBody limits a body by bytes and by the time between them. It is read by one goroutine.
type streamBody struct {
	ctx    context.Context // the caller's own
	cancel context.CancelFunc
	body   io.ReadCloser
	host   string
	idle   time.Duration
	limit  int64 // decoded bytes still allowed
	read   int64
	idled  atomic.Bool
	failed error
}

// Read waits at most the idle limit. An error stays.
func (b *streamBody) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than allowed is asked for, so that a body of exactly the limit still ends in EOF.
	if room := b.limit - b.read + 1; int64(len(p)) > room {
		p = p[:room]
	}
	timer := time.AfterFunc(b.idle, func() { b.idled.Store(true); b.cancel() })
	n, err := b.body.Read(p)
	timer.Stop()
	b.read += int64(n)
	switch {
	case b.read > b.limit:
		b.failed = tooLarge(b.host, b.limit)
		return n - 1, b.failed
	case errors.Is(err, io.EOF):
		b.failed = io.EOF
		return n, io.EOF
	case err != nil && b.idled.Load() && b.ctx.Err() == nil:
		b.failed = &Error{Kind: Timeout, Sent: true, Host: b.host, Detail: "the answer stopped arriving"}
		return n, b.failed
	case err != nil:
		b.failed = classify(b.ctx, err, b.host, true)
		return n, b.failed
	}
	return n, nil
}

// Close ends the request, whether or not the body was read to its end.
func (b *streamBody) Close() error {
	b.cancel()
	return b.body.Close()
}
