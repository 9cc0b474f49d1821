// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

func TestConfig(t *testing.T) {
	instance := [4]byte{1}
	for name, config := range map[string]Config{
		"no instance":                   {InMemory: true},
		"no directory":                  {Instance: instance},
		"both memory and a directory":   {Instance: instance, InMemory: true, Directory: t.TempDir()},
		"directory under a file":        {Instance: instance, Directory: os.Args[0] + "/below"},
		"no randomness":                 {Instance: instance, InMemory: true, Rand: iotest.ErrReader(errors.New("dry"))},
		"no randomness, in a directory": {Instance: instance, Directory: t.TempDir(), Rand: iotest.ErrReader(errors.New("dry"))},
	} {
		if s, err := Open(config); err == nil {
			t.Errorf("%s: Open succeeded", name)
			_ = s.Close()
		}
	}
}

func TestPermissions(t *testing.T) {
	b := newBench(t)
	b.config.Directory = filepath.Join(b.config.Directory, "deeper")
	b.open()
	for name, want := range map[string]fs.FileMode{
		filepath.Dir(b.config.Directory):              0o700,
		b.config.Directory:                            0o700,
		b.badgerDirectory():                           0o700,
		filepath.Join(b.config.Directory, holderName): 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", name, info.Mode().Perm(), want)
		}
	}
}

// TestNoPermissionIsAnError runs where permissions count, which is not so for root.
func TestNoPermissionIsAnError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("SKIPPED: this user may read everything")
	}
	b := newBench(t)
	b.cycle()
	if err := os.Chmod(b.badgerDirectory(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(b.badgerDirectory(), 0o700) })
	if _, err := open(b.config, b.host()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want an error of permission", err)
	}
}

func TestHeldByAnotherProcess(t *testing.T) {
	b := newBench(t)
	child := startChild(t, b.orders())
	began := time.Now()
	_, err := Open(b.config)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s to refuse, want 2 s at most", took)
	}
	if err == nil {
		t.Fatal("a second process opened the directory")
	}
	for _, part := range []string{b.config.Directory, fmt.Sprintf("process %d", child.command.Process.Pid)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	child.kill()
	b.open() // the lock of a dead process is no obstacle
}

func TestHeldByThisProcess(t *testing.T) {
	b := newBench(t)
	b.open()
	if _, err := open(b.config, b.host()); err == nil || !strings.Contains(err.Error(), "this process") {
		t.Errorf("got %v, want it to name this process", err)
	}
}

func TestClockJumpRollsTheSeal(t *testing.T) {
	for name, jump := range map[string]func(*machine){
		"the host slept":         func(m *machine) { m.wall, m.boot = m.wall.Add(time.Minute), m.boot+time.Minute },
		"the clock went forward": func(m *machine) { m.wall = m.wall.Add(time.Hour) },
		"the clock went back":    func(m *machine) { m.wall = m.wall.Add(-time.Hour) },
		"just over five seconds": func(m *machine) { m.wall = m.wall.Add(5*time.Second + time.Nanosecond) },
	} {
		for who, notice := range map[string]func(*bench, *Store, noncestore.Generation){
			"the watch notices": func(b *bench, s *Store, _ noncestore.Generation) { s.look() },
			"Seal notices":      func(b *bench, s *Store, _ noncestore.Generation) { b.seal(s) },
			"Redeem notices": func(b *bench, s *Store, generation noncestore.Generation) {
				b.is(s.Redeem(b.Context(), generation, newNonce()), noncestore.ErrStale)
			},
		} {
			t.Run(name+", "+who, func(t *testing.T) {
				b := newBench(t)
				s := b.open()
				seal, nonce := b.seal(s), newNonce()
				b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
				b.set(func() { jump(b.machine) })
				notice(b, s, seal.Generation)
				if held := s.current.Load(); held.Generation == seal.Generation {
					t.Fatal("the seal was not replaced")
				}
				b.renewed(s, seal, nonce, "the wall clock moved")
				b.set(func() { jump(b.machine) })
				b.close(s)
				b.logged("seal not kept") // it jumped, and nobody looked
			})
		}
	}
	t.Run("five seconds are tolerated", func(t *testing.T) {
		b := newBench(t)
		s := b.open()
		seal, nonce := b.seal(s), newNonce()
		b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
		b.set(func() { b.wall = b.wall.Add(5 * time.Second) })
		s.look()
		b.kept(s, seal, nonce)
	})
}

// TestHeldUpWhileReadingTheClocks lets time pass between the look at one clock and the look at the other: neither was set.
func TestHeldUpWhileReadingTheClocks(t *testing.T) {
	b := newBench(t)
	holdUps := 0
	b.config.Now = func() time.Time {
		wall := b.now()
		if holdUps > 0 {
			holdUps--
			b.pass(time.Minute)
		}
		return wall
	}
	s := b.open()
	seal, nonce := b.seal(s), newNonce()
	b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
	holdUps = 3
	s.look()
	b.kept(s, seal, nonce)
}

// TestClockJumpsWhileRedeeming lets the clock jump between the look at it and the write: the nonce must not count.
func TestClockJumpsWhileRedeeming(t *testing.T) {
	b := newBench(t)
	s := b.open()
	seal := b.seal(s)
	calls := 0
	inner := b.now
	s.config.Now = func() time.Time {
		now := inner()
		if calls++; calls == 2 { // the first look at the clock was good, this is the time of first use
			b.set(func() { b.wall = b.wall.Add(time.Hour) })
		}
		return now
	}
	b.is(s.redeemAll([]*redemption{{generation: seal.Generation, nonce: newNonce()}}), errClockJumped)
	s.config.Now = inner
	b.is(s.Redeem(t.Context(), seal.Generation, newNonce()), noncestore.ErrStale)
}

// TestRollAndRedeemExcludeEachOther redeems from many goroutines while the clock jumps again and again: once a seal is
// replaced, nothing is accepted under it.
func TestRollAndRedeemExcludeEachOther(t *testing.T) {
	b := newBench(t)
	s := b.open()
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				seal, err := s.Seal(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Redeem(t.Context(), seal.Generation, newNonce()); err != nil && !errors.Is(err, noncestore.ErrStale) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		former := b.seal(s)
		b.set(func() { b.wall = b.wall.Add(time.Minute) })
		s.look()
		b.is(s.Redeem(t.Context(), former.Generation, newNonce()), noncestore.ErrStale)
		if b.seal(s).Generation == former.Generation {
			t.Error("the seal was not replaced")
			break
		}
	}
	close(stop)
	group.Wait()
}

func TestContextEndsWhileRedeeming(t *testing.T) {
	b := newBench(t)
	s := b.open()
	seal := b.seal(s)
	s.mu.Lock()                // as a write that hangs, with a roll behind it, would
	for range 2 * maxRunning { // more than may run at once
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- s.Redeem(ctx, seal.Generation, newNonce()) }()
		cancel()
		if err := <-result; !errors.Is(err, noncestore.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err) // not Fatal: Close needs the lock
		}
	}
	s.mu.Unlock()
	b.accepted(s.Redeem(t.Context(), seal.Generation, newNonce()))
}

func TestLittleFreeSpace(t *testing.T) {
	little := map[string]func(*machine){
		"few bytes":      func(m *machine) { m.room = room{spaceReserve - 1, math.MaxUint64} },
		"few files":      func(m *machine) { m.room = room{math.MaxUint64, fileReserve - 1} },
		"not measurable": func(m *machine) { m.roomErr = errors.New("no such device") },
	}
	plenty := func(m *machine) { m.room, m.roomErr = room{spaceReserve * 2, fileReserve}, nil }
	for name, full := range little {
		t.Run(name+" while running", func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			seal, nonce := b.seal(s), newNonce()
			b.set(func() { full(b.machine) })
			b.pass(spaceInterval) // a redemption looks by itself, and one that is refused writes nothing
			b.is(s.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrUnavailable)
			_, err := s.Seal(t.Context())
			b.is(err, noncestore.ErrUnavailable)
			b.logged("too little free disk space")
			s.look()
			b.is(s.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrUnavailable)
			b.set(func() { plenty(b.machine) })
			s.look()
			b.logged("enough free disk space again")
			if b.seal(s) != seal {
				t.Error("the seal was replaced although nothing was lost")
			}
			b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
			b.replayed(s.Redeem(t.Context(), seal.Generation, nonce))
		})
		t.Run(name+" at the start", func(t *testing.T) {
			b := newBench(t)
			seal, nonce := b.cycle()
			b.set(func() { full(b.machine) })
			s := b.open()
			if s.db != nil {
				t.Fatal("Badger was opened on a full disk")
			}
			_, err := s.Seal(t.Context())
			b.is(err, noncestore.ErrUnavailable)
			b.is(s.Redeem(t.Context(), seal.Generation, nonce), noncestore.ErrUnavailable)
			s.look()
			b.close(s) // a store that never began leaves all as it was
			s = b.open()
			b.set(func() { plenty(b.machine) })
			s.look()
			b.kept(s, seal, nonce)
		})
	}
}

func TestFullDiskAtTheStop(t *testing.T) {
	b := onThisHost(t)
	o := b.orders()
	o.FullAtStop = true
	child := startChild(t, o)
	child.stop()
	b.renewed(b.openReal(), child.Seal, child.Nonce, "no clean stop left its seal")
}

// TestReallyFullDisk fills a small file system of its own, on which Badger without the guard dies.
func TestReallyFullDisk(t *testing.T) {
	mountPoint := t.TempDir()
	if output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs", mountPoint).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this user cannot mount a file system: %s", output)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", mountPoint).Run(); err != nil {
			t.Error(err)
		}
	})
	config := Config{Directory: filepath.Join(mountPoint, "nonces"), Instance: [4]byte{1}, SealDirectories: []string{}}
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	closeStore := func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { closeStore() })
	redeem := func() error {
		seal, err := s.Seal(t.Context())
		if err != nil {
			return err
		}
		return s.Redeem(t.Context(), seal.Generation, newNonce())
	}
	if err := redeem(); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(mountPoint, "filler")
	fill := func(bytes int) error {
		file, err := os.OpenFile(filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Write(make([]byte, bytes))
		return errors.Join(err, file.Close())
	}
	if err := fill(40 << 20); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return errors.Is(redeem(), noncestore.ErrFull) })
	if err := fill(160 << 20); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 1000 {
		if err := redeem(); !errors.Is(err, noncestore.ErrFull) {
			t.Fatalf("on a full disk: %v", err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return redeem() == nil }) // by itself
	closeStore()

	if err := fill(160 << 20); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if s, err = Open(config); err != nil {
		t.Fatalf("Open on a full disk: %v", err)
	}
	if err := redeem(); !errors.Is(err, noncestore.ErrFull) {
		t.Fatalf("on a full disk: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return redeem() == nil })
}

// until waits for what the store does by itself within a second or two.
func until(t *testing.T, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-limit.C:
			t.Fatal("it did not happen")
		}
	}
}

// TestTablesCountAgainstFreeSpace fills more than one memory table.
func TestTablesCountAgainstFreeSpace(t *testing.T) {
	b := newBench(t)
	s := b.open()
	generation := b.seal(s).Generation
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 10_000 {
				if err := s.Redeem(t.Context(), generation, newNonce()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	s.look()
	tables := s.tableBytes.Load()
	if tables == 0 {
		t.Fatal("160,000 redemptions made no table")
	}
	b.set(func() { b.room.bytes = spaceReserve + uint64(tables) - 1 })
	s.look()
	b.is(s.Redeem(t.Context(), generation, newNonce()), noncestore.ErrFull)
}
