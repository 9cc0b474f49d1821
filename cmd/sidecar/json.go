// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

const (
	noListener         = "none" // what listen.json says where there is to be none
	maxJSONConnections = 1024
	jsonReadTime       = 30 * time.Second
	jsonIdleTime       = 5 * time.Minute
)

// defaultJSON returns the socket for JSON where the configuration names none: beside the one for gRPC, if there is one,
// and named after it, so that two sidecars with sockets in one directory do not meet.
func (c *ListenConfig) defaultJSON() string {
	if c.Socket == "" {
		return ""
	}
	return strings.TrimSuffix(c.Socket, ".sock") + "-json.sock"
}

// listenJSON opens the listeners for JSON.
func listenJSON(ctx context.Context, config ListenConfig) ([]net.Listener, error) {
	var listeners []net.Listener
	if config.JSON != "" {
		listener, err := listenUnix(ctx, config.JSON)
		if err != nil {
			return nil, fmt.Errorf("listen.json: %w", err)
		}
		listeners = append(listeners, netutil.LimitListener(listener, maxJSONConnections))
	}
	if config.JSONTCP != "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.JSONTCP)
		if err != nil {
			err = fmt.Errorf("listen on %s: %w", config.JSONTCP, err)
			for _, other := range listeners {
				err = errors.Join(err, other.Close())
			}
			return nil, err
		}
		listeners = append(listeners, netutil.LimitListener(listener, maxJSONConnections))
	}
	return listeners, nil
}

// newJSONServer returns the server of the listeners for JSON. An answer may take as long as its call: rosters are
// streams, and the calls have deadlines of their own.
func newJSONServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTime,
		ReadTimeout:       jsonReadTime,
		IdleTimeout:       jsonIdleTime,
		MaxHeaderBytes:    16 << 10,
	}
}

// drainJSON lets calls under way finish, for a limited time.
func drainJSON(jsonServer *http.Server) error {
	limited, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := jsonServer.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		return jsonServer.Close()
	}
	return err
}
