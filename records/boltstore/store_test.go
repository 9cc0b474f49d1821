// SPDX-License-Identifier: Apache-2.0

package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/ltisidecar/ltisidecar/records"
	"github.com/ltisidecar/ltisidecar/records/recordstest"
)

// childPath names the file in the environment of a child process of these tests.
const childPath = "BOLTSTORE_TEST_CHILD_PATH"

// childLanes says in the environment that the child works on lanes.
const childLanes = "BOLTSTORE_TEST_CHILD_LANES"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if os.Getenv(childLanes) != "" {
			laneChild(path)
		}
		child(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// child opens the store, says so, and then writes documents without end, printing the number of each once Put returned.
func child(path string) {
	store, err := Open(Config{Path: path})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		_, err := store.Put(context.Background(), records.Document{Kind: "kind", Key: strconv.Itoa(i), Value: []byte("value")})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

// startChild starts a child process and returns once it holds the store.
func startChild(t *testing.T, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childPath+"="+path)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	lines := bufio.NewScanner(output)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the child said %q", lines.Text())
	}
	return command, lines
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	store, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestConformance(t *testing.T) {
	recordstest.Run(t, func(t *testing.T) recordstest.Shelf {
		path := filepath.Join(t.TempDir(), "records.db")
		return recordstest.Shelf{Exclusive: true,
			Open: func() (records.Store, error) { return Open(Config{Path: path, LockPatience: 100 * time.Millisecond}) }}
	})
}

func TestKilledProcessLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	command, lines := startChild(t, path)
	last := -1
	for lines.Scan() {
		number, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the child said %q", lines.Text())
		}
		if last = number; last == 50 {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last < 50 {
		t.Fatalf("the child wrote up to %d only", last)
	}
	store := openAt(t, path) // the dead process's lock and pid file are no obstacle
	for i := range last + 1 {
		if _, err := store.Get(t.Context(), "kind", strconv.Itoa(i)); err != nil {
			t.Fatalf("document %d of %d was acknowledged and is gone: %v", i, last, err)
		}
	}
}

func TestHeldByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	command, _ := startChild(t, path)
	began := time.Now()
	_, err := Open(Config{Path: path})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s to refuse", took)
	}
	if err == nil {
		t.Fatal("a second process opened the file")
	}
	for _, part := range []string{path, fmt.Sprintf("process %d", command.Process.Pid)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if errors.Is(err, ErrDamaged) {
		t.Errorf("%q calls a file in use damaged", err)
	}
}

func TestPermissions(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "data", "deeper")
	path := filepath.Join(directory, "records.db")
	store := openAt(t, path)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	for name, want := range map[string]fs.FileMode{path: 0o600, path + ".pid": 0o600, directory: 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", name, info.Mode().Perm(), want)
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("there are %v, want the file and its pid file only", entries)
	}
}

// TestDamage damages a store in ways that bbolt itself does not notice, or dies of.
func TestDamage(t *testing.T) {
	write := func(t *testing.T, path string, documents int) {
		t.Helper()
		store := openAt(t, path)
		for i := range documents {
			value := make([]byte, 3000)
			if _, err := store.Put(t.Context(), records.Document{Kind: "kind", Key: fmt.Sprintf("%06d", i), Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	page := int64(os.Getpagesize())
	zero := func(offset, length int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.WriteAt(make([]byte, length), offset); err != nil {
				t.Fatal(err)
			}
		}
	}
	truncate := func(size func(int64) int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, size(info.Size())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"both meta pages zeroed":        zero(0, 2*page),
		"everything but the meta pages": zero(2*page, 40*page),
		"emptied":                       truncate(func(int64) int64 { return 0 }),
		"a few bytes left":              truncate(func(int64) int64 { return 100 }),
		"only the meta pages left":      truncate(func(int64) int64 { return 2 * page }),
		"cut in half":                   truncate(func(size int64) int64 { return size / 2 / page * page }),
		"not a store": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("something else ", 4000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"another bbolt file": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"a newer format": func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bolt.Tx) error {
				return tx.Bucket(formatBucket).Put(formatKey, []byte("records 3"))
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.db")
			write(t, path, 40)
			damage(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(Config{Path: path})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want a refusal that names the file", err)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) {
				t.Error("the damaged file was changed")
			}
			_, err = Open(Config{Path: path}) // and it is not locked by the attempt
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("the second time: %v", err)
			}
		})
	}
}

func TestNotAllowed(t *testing.T) {
	if _, err := Open(Config{}); err == nil {
		t.Error("an empty path was accepted")
	}
	if _, err := Open(Config{Path: filepath.Join(t.TempDir(), "a"), LockPatience: -1}); err == nil {
		t.Error("a negative patience was accepted")
	}
	directory := t.TempDir()
	if _, err := Open(Config{Path: directory}); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory as file: %v", err)
	}
}

// TestContextEndsDuringWrite checks that a call that waits for another writer ends with its context.
func TestContextEndsDuringWrite(t *testing.T) {
	store := openAt(t, filepath.Join(t.TempDir(), "records.db"))
	writer, err := store.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := store.Put(ctx, records.Document{Kind: "kind", Key: "key"})
		result <- err
	}()
	select {
	case err := <-result:
		t.Fatalf("Put returned %v although another writer was at work", err)
	default:
	}
	cancel()
	if err := <-result; !errors.Is(err, records.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable because the context ended", err)
	}
	if err := writer.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// TestTruncatedWhileOpen takes the disk away from under the memory map: the calls fail, and the process lives.
func TestTruncatedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	store := openAt(t, path)
	for i := range 40 {
		document := records.Document{Kind: "kind", Key: strconv.Itoa(i), Value: make([]byte, 3000)}
		if _, err := store.Put(t.Context(), document); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), "kind", "7"); !errors.Is(err, records.ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	if _, err := store.List(t.Context(), "kind", "", 1000); !errors.Is(err, records.ErrUnavailable) {
		t.Errorf("List: %v", err)
	}
}

// TestFullDisk fills a small file system of its own.
func TestFullDisk(t *testing.T) {
	mountPoint := t.TempDir()
	output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", mountPoint).CombinedOutput()
	if err != nil {
		t.Skipf("SKIPPED: this user cannot mount a file system: %s", output)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", mountPoint).Run(); err != nil {
			t.Error(err)
		}
	})
	path, filler := filepath.Join(mountPoint, "records.db"), filepath.Join(mountPoint, "filler")
	store := openAt(t, path)
	put := func(key string) error {
		_, err := store.Put(t.Context(), records.Document{Kind: "kind", Key: key, Value: make([]byte, records.MaxValueSize)})
		return err
	}
	if err := put("before"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 10 {
		if err := put("while"); !errors.Is(err, records.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("Put on a full disk: %v, want ErrUnavailable because of the disk", err)
		}
	}
	if _, err := store.Get(t.Context(), "kind", "before"); err != nil {
		t.Errorf("Get on a full disk: %v", err)
	}
	if _, err := store.Get(t.Context(), "kind", "while"); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("what was refused is there: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := put("while"); err != nil {
		t.Errorf("Put once there is room again: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openAt(t, path)
	for _, key := range []string{"before", "while"} {
		if _, err := store.Get(t.Context(), "kind", key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
