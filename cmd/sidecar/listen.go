// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listenUnix listens on a Unix socket of mode 0660, whose directory it makes with 0750 where there is none. A socket
// that a dead process left behind is replaced; one that answers is not, and neither is anything but a socket.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	directory := filepath.Dir(path)
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return nil, fmt.Errorf("make the socket's directory: %w", err)
	}
	info, err := os.Stat(directory)
	if err != nil {
		return nil, fmt.Errorf("the socket's directory: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		return nil, fmt.Errorf("anyone can write to the socket's directory %s: run chmod o-w %s", directory, directory)
	}
	if err := removeStaleSocket(ctx, path); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("set the socket's mode: %w", err), listener.Close())
	}
	return listener, nil
}

func removeStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is no socket: move it away, or set listen.socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if connection, err := dialer.DialContext(ctx, "unix", path); err == nil {
		return errors.Join(fmt.Errorf("a sidecar already listens on %s: stop it, or set listen.socket", path), connection.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket that a dead process left: %w", err)
	}
	return nil
}
