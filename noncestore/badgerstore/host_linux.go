// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func readBootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(text))
	if id == "" {
		return "", errors.New("the boot id is empty")
	}
	return id, nil
}

func readBootTime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

func readFree(directory string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(directory, &s); err != nil {
		return room{}, &os.PathError{Op: "statfs", Path: directory, Err: err}
	}
	files := uint64(math.MaxUint64)
	if s.Files > 0 {
		files = s.Ffree
	}
	return room{bytes: s.Bavail * uint64(s.Bsize), files: files}, nil
}

func isTmpfs(directory string) bool {
	var s unix.Statfs_t
	return unix.Statfs(directory, &s) == nil && s.Type == unix.TMPFS_MAGIC
}

func defaultSealDirectories() []string {
	var directories []string
	if list := filepath.SplitList(os.Getenv("RUNTIME_DIRECTORY")); len(list) > 0 {
		directories = append(directories, list[0])
	}
	if user := os.Getenv("XDG_RUNTIME_DIR"); user != "" {
		directories = append(directories, filepath.Join(user, "ltisidecar"))
	}
	return append(directories, "/run/ltisidecar", "/dev/shm/ltisidecar-"+strconv.Itoa(os.Geteuid()))
}
