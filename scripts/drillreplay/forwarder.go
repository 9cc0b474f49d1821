// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"sync"
)

// forwarder is an address that leads to a server, as a name or a load balancer does, and later to another.
type forwarder struct {
	listener net.Listener
	running  sync.WaitGroup

	mutex       sync.Mutex
	target      string
	connections map[net.Conn]struct{} // both ends
}

func newForwarder(target string) (*forwarder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{listener: listener, target: target, connections: map[net.Conn]struct{}{}}
	f.running.Go(f.accept)
	return f, nil
}

func (f *forwarder) address() string { return f.listener.Addr().String() }

func (f *forwarder) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.running.Go(func() { f.serve(client) })
	}
}

// serve passes on what both ends say until one of them ends.
func (f *forwarder) serve(client net.Conn) {
	defer f.drop(client)
	f.mutex.Lock()
	f.connections[client] = struct{}{}
	server, err := net.Dial("tcp", f.target)
	if err == nil {
		f.connections[server] = struct{}{}
	}
	f.mutex.Unlock()
	if err != nil {
		return // the server is down, and so this connection ends
	}
	defer f.drop(server)
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		ways.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // either end may be killed
			f.drop(client)
			f.drop(server)
		})
	}
	ways.Wait()
}

func (f *forwarder) drop(connection net.Conn) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if _, open := f.connections[connection]; open {
		_ = connection.Close() // it may be closed already
		delete(f.connections, connection)
	}
}

// lead cuts all connections and leads new ones to a target.
func (f *forwarder) lead(target string) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.target = target
	return f.cut()
}

// cut ends all connections. The mutex is held.
func (f *forwarder) cut() error {
	var failures []error
	for connection := range f.connections {
		if err := connection.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			failures = append(failures, err)
		}
		delete(f.connections, connection)
	}
	return errors.Join(failures...)
}

// close ends the address and all its connections.
func (f *forwarder) close() error {
	err := f.listener.Close()
	f.mutex.Lock()
	f.target = "" // a connection that was accepted just now leads nowhere
	err = errors.Join(err, f.cut())
	f.mutex.Unlock()
	f.running.Wait()
	return err
}
