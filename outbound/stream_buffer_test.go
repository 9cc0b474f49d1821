// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An answer whose reader pauses waits at the platform, not in our memory: a sender gets rid of no more than the buffer
// and what the sockets hold.
func TestAnswerWaitsForItsReader(t *testing.T) {
	const whole = 16 << 20
	sent := make(chan int, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		count, chunk := 0, make([]byte, 64<<10)
		for count < whole {
			n, err := w.Write(chunk)
			count += n
			if err != nil {
				break
			}
		}
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		sent <- count
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	stream, err := clientOf(t, server, Config{}).Stream(t.Context(), Request{URI: server.URL, MaxBody: whole})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if count := <-sent; count > 2<<20 {
		t.Errorf("%d bytes were taken in without a reader", count)
	}
	if _, err := io.ReadAll(stream.Body); err == nil {
		t.Error("a cut answer was read to a good end")
	}
}
