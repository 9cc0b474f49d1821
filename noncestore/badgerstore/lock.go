// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// holderName is the file whose lock says that a store uses the directory. It holds the process id of that store.
const holderName = "holder"

// A store that closes may still hold the lock for a moment when the next one opens.
const (
	lockPatience = time.Second
	lockInterval = 50 * time.Millisecond
)

// errHeld is what tryLock returns where another one has the lock.
var errHeld = errors.New("held")

// directoryLock is the lock on one directory. The kernel releases it when the process ends, however it ends.
type directoryLock struct{ file *os.File }

// lockDirectory makes the directory where it is absent, and locks it. It gives up after lockPatience.
func lockDirectory(directory string) (*directoryLock, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("badgerstore: make the directory: %w", err)
	}
	path := filepath.Join(directory, holderName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("badgerstore: lock the directory: %w", err)
	}
	deadline := time.Now().Add(lockPatience)
	for {
		err = tryLock(file)
		if !errors.Is(err, errHeld) || time.Now().After(deadline) {
			break
		}
		time.Sleep(lockInterval)
	}
	if errors.Is(err, errHeld) {
		err = fmt.Errorf("badgerstore: directory %s is in use by %s; stop it, or give this sidecar a directory of its own",
			directory, holder(path))
	} else if err != nil {
		err = fmt.Errorf("badgerstore: lock %s: %w", path, err)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, errors.Join(fmt.Errorf("badgerstore: write %s: %w", path, err), file.Close())
	}
	return &directoryLock{file}, nil
}

func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder says in words who has the lock.
func holder(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "another process"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return "another process"
	case pid == os.Getpid():
		return fmt.Sprintf("process %d (this process, which opened it before)", pid)
	}
	return fmt.Sprintf("process %d", pid)
}

// release lets the next store have the directory. The file stays: removing it would let two stores hold two files.
func (l *directoryLock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("badgerstore: release the directory: %w", err)
	}
	return nil
}
