// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// onThisHost returns a bench on the real host, with a place for seals on its tmpfs.
func onThisHost(t *testing.T) *bench {
	b := newBench(t)
	directory := tmpfsDirectory(t)
	if directory == "" {
		t.Skip("SKIPPED: this host has no tmpfs on /dev/shm, so no seal is ever kept on it")
	}
	b.config.SealDirectories, b.config.Now = []string{directory}, nil
	return b
}

func (b *bench) orders() orders {
	return orders{Directory: b.config.Directory, SealDirectory: b.config.SealDirectories[0]}
}

// openReal opens the store on the real host.
func (b *bench) openReal() *Store {
	b.Helper()
	s, err := Open(b.config)
	if err != nil {
		b.Fatalf("Open: %v", err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// REQ-083
func TestCleanStopOfAProcessKeepsTheSeal(t *testing.T) {
	b := onThisHost(t)
	child := startChild(t, b.orders())
	child.stop()
	b.kept(b.openReal(), child.Seal, child.Nonce)
}

func TestKilledProcessLosesTheSeal(t *testing.T) {
	b := onThisHost(t)
	for range 3 {
		child := startChild(t, b.orders())
		child.kill()
		s := b.openReal()
		b.renewed(s, child.Seal, child.Nonce, "no clean stop left its seal")
		b.close(s) // cleanly: the next child takes that seal, and takes it with it
	}
}

func TestRestoredBackupLosesTheSeal(t *testing.T) {
	b := onThisHost(t)
	child := startChild(t, b.orders())
	child.stop()
	backup := b.copyDirectory(b.config.Directory)
	second := startChild(t, b.orders())
	if second.Seal != child.Seal {
		t.Fatal("the clean stop did not keep the seal, so this test shows nothing")
	}
	second.kill()
	if err := os.RemoveAll(b.config.Directory); err != nil {
		t.Fatal(err)
	}
	b.config.Directory = backup
	b.renewed(b.openReal(), second.Seal, second.Nonce, "no clean stop left its seal")
}

func TestRestoredBackupBesideANewerSealFile(t *testing.T) {
	b := newBench(t)
	seal, _ := b.cycle()
	backup := b.copyDirectory(b.config.Directory)
	s := b.open()
	nonce := newNonce()
	b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
	b.close(s)
	b.config.Directory = backup
	b.renewed(b.open(), seal, nonce, "the files differ")
}

func TestOfTwoClonesOneKeepsTheSeal(t *testing.T) {
	b := newBench(t)
	seal, nonce := b.cycle()
	clone := *b
	clone.config.Directory = b.copyDirectory(b.config.Directory)
	first := b.open()
	second := clone.open()
	b.kept(first, seal, nonce)
	clone.renewed(second, seal, nonce, "no clean stop left its seal")
}

func TestSealFileIsTakenOnce(t *testing.T) {
	b := newBench(t)
	seal, nonce := b.cycle()
	files, err := os.ReadDir(b.config.SealDirectories[0])
	if err != nil || len(files) != 1 {
		t.Fatalf("after a clean stop there are %v (%v), want one seal file", files, err)
	}
	if want := "seal-" + hex.EncodeToString(b.config.Instance[:]); files[0].Name() != want {
		t.Errorf("the seal file is %s, want %s", files[0].Name(), want)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the seal file has mode %v (%v), want 0600", info.Mode(), err)
	}
	s := b.open()
	b.kept(s, seal, nonce)
	if files, err := os.ReadDir(b.config.SealDirectories[0]); err != nil || len(files) != 0 {
		t.Fatalf("while the store is open there are %v (%v), want no file", files, err)
	}
	if _, err := readMark(s.db); err == nil {
		t.Error("the stop mark is still there although the store is open")
	}
}

// TestDamage changes the files between a clean stop and the next start, in ways that Badger itself mostly overlooks.
func TestDamage(t *testing.T) {
	table := func(t *testing.T, directory string) string {
		t.Helper()
		tables, err := filepath.Glob(filepath.Join(directory, "*.sst"))
		if err != nil || len(tables) == 0 {
			t.Fatalf("there is no table (%v)", err)
		}
		return tables[0]
	}
	flip := func(path func(*testing.T, string) string, offset int) func(*testing.T, string) {
		return func(t *testing.T, directory string) {
			name := path(t, directory)
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			data[(len(data)+offset)%len(data)] ^= 1
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	manifest := func(_ *testing.T, directory string) string { return filepath.Join(directory, "MANIFEST") }
	truncate := func(path func(*testing.T, string) string, size int64) func(*testing.T, string) {
		return func(t *testing.T, directory string) {
			if err := os.Truncate(path(t, directory), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(path func(*testing.T, string) string) func(*testing.T, string) {
		return func(t *testing.T, directory string) {
			if err := os.Remove(path(t, directory)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"first byte of a table":    flip(table, 0),
		"middle byte of a table":   flip(table, 100),
		"last byte of a table":     flip(table, -1),
		"first byte of MANIFEST":   flip(manifest, 0),
		"last byte of MANIFEST":    flip(manifest, -1),
		"table cut short":          truncate(table, 64),
		"table emptied":            truncate(table, 0),
		"MANIFEST emptied":         truncate(manifest, 0),
		"table removed":            remove(table),
		"MANIFEST removed":         remove(manifest),
		"a foreign file":           func(t *testing.T, directory string) { writeFile(t, filepath.Join(directory, "000099.sst"), "x") },
		"a directory in the midst": func(t *testing.T, directory string) { makeDirectory(t, filepath.Join(directory, "lost+found")) },
		"everything replaced": func(t *testing.T, directory string) {
			if err := os.RemoveAll(directory); err != nil {
				t.Fatal(err)
			}
			writeFile(t, directory, "not a directory")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			seal, nonce := b.cycle()
			damage(t, b.badgerDirectory())
			b.renewed(b.open(), seal, nonce, "set aside")
			aside, err := filepath.Glob(b.badgerDirectory() + ".corrupt-*")
			if err != nil || len(aside) != 1 {
				t.Errorf("set aside: %v (%v), want one directory", aside, err)
			}
			if !strings.Contains(b.log.String(), "level=WARN") {
				t.Errorf("no warning was logged, but:\n%s", b.log)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func makeDirectory(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestWipedDirectory(t *testing.T) {
	b := newBench(t)
	seal, nonce := b.cycle()
	if err := os.RemoveAll(b.config.Directory); err != nil {
		t.Fatal(err)
	}
	b.renewed(b.open(), seal, nonce, "new seal")
}

func TestOnlyTheNewestDamagedDirectoriesAreKept(t *testing.T) {
	b := newBench(t)
	var last []string
	for range keptAside + 3 {
		b.cycle()
		writeFile(t, filepath.Join(b.badgerDirectory(), "foreign"), "x")
		b.close(b.open())
		b.pass(time.Minute)
		var err error
		if last, err = filepath.Glob(b.badgerDirectory() + ".corrupt-*"); err != nil {
			t.Fatal(err)
		}
	}
	if len(last) != keptAside {
		t.Fatalf("%d directories are set aside, want %d", len(last), keptAside)
	}
	newest := b.now().Add(-time.Minute).UTC().Format("20060102T150405Z")
	if !strings.Contains(last[len(last)-1], newest) {
		t.Errorf("the newest kept is %s, want the one of %s", last[len(last)-1], newest)
	}
}

// TestGarbageNeverPreventsAStart puts into the place of Badger's files what it cannot open, with no seal to disagree.
// What is not opened is gone when the store closes, and so is what an earlier start did not come to remove. Nothing waits
// for that.
func TestDiscardedDirectoriesAreRemoved(t *testing.T) {
	b := newBench(t)
	b.config.Directory = filepath.Join(b.config.Directory, "[odd]*name")
	b.cycle()
	makeDirectory(t, b.badgerDirectory()+discardedInfix+"left")
	b.pass(noncestore.StateLifetime) // so that the seal does not stay
	b.close(b.open())
	left, err := namesWith(b.badgerDirectory(), discardedInfix)
	if err != nil || len(left) != 0 {
		t.Errorf("%q is still there (%v)", left, err)
	}
}

func TestGarbageNeverPreventsAStart(t *testing.T) {
	for name, litter := range map[string]func(t *testing.T, directory string){
		"empty directory": func(t *testing.T, d string) { makeDirectory(t, d) },
		"a file":          func(t *testing.T, d string) { writeFile(t, d, "x") },
		"garbage in every file": func(t *testing.T, d string) {
			makeDirectory(t, d)
			for _, name := range []string{"MANIFEST", "000001.sst", "00001.mem", "000001.vlog", "KEYREGISTRY", "DISCARD", "LOCK"} {
				writeFile(t, filepath.Join(d, name), strings.Repeat("garbage", 100))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := os.MkdirAll(b.config.Directory, 0o700); err != nil {
				t.Fatal(err)
			}
			litter(t, b.badgerDirectory())
			s := b.open()
			b.accepted(s.Redeem(t.Context(), b.seal(s).Generation, newNonce()))
		})
	}
}

// TestDoubt changes the host between a clean stop and the next start.
func TestDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*machine)
		reason string // empty: the seal is kept
	}{
		"nothing":                      {func(*machine) {}, ""},
		"almost a state's lifetime":    {func(m *machine) { m.pass(noncestore.StateLifetime - time.Second) }, ""},
		"a state's lifetime":           {func(m *machine) { m.pass(noncestore.StateLifetime) }, "the last stop was 10m0s ago"},
		"a day":                        {func(m *machine) { m.pass(24 * time.Hour) }, "the last stop was"},
		"another boot":                 {func(m *machine) { m.set(func() { m.id = "boot-2" }) }, "the host was started again"},
		"no boot id any more":          {func(m *machine) { m.set(func() { m.id = "" }) }, "no boot id"},
		"no tmpfs any more":            {func(m *machine) { m.set(func() { m.memory = false }) }, "no clean stop"},
		"wall clock 5 s ahead":         {func(m *machine) { m.set(func() { m.wall = m.wall.Add(5 * time.Second) }) }, ""},
		"wall clock over 5 s ahead":    {func(m *machine) { m.set(func() { m.wall = m.wall.Add(5001 * time.Millisecond) }) }, "the wall clock moved by 5.001s"},
		"wall clock over 5 s back":     {func(m *machine) { m.set(func() { m.wall = m.wall.Add(-5001 * time.Millisecond) }) }, "the wall clock moved by -5.001s"},
		"the snapshot of a minute ago": {func(m *machine) { m.set(func() { m.boot -= time.Minute }) }, "the wall clock moved by 1m0s"},
		"another monotonic clock":      {func(m *machine) { m.set(func() { m.monotonic = 0 }) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			seal, nonce := b.cycle()
			test.change(b.machine)
			s := b.open()
			if test.reason == "" {
				b.kept(s, seal, nonce)
			} else {
				b.renewed(s, seal, nonce, test.reason)
			}
		})
	}
}

// TestSmallStepsAddUp sets the clock by four seconds twice, with a restart between.
func TestSmallStepsAddUp(t *testing.T) {
	step := func(b *bench) { b.set(func() { b.wall = b.wall.Add(4 * time.Second) }) }
	t.Run("before the second start", func(t *testing.T) {
		b := newBench(t)
		seal, nonce := b.cycle()
		step(b)
		s := b.open()
		b.kept(s, seal, nonce)
		b.close(s)
		step(b)
		b.renewed(b.open(), seal, nonce, "the wall clock moved by 8s")
	})
	t.Run("while running", func(t *testing.T) {
		b := newBench(t)
		s := b.open()
		seal, nonce := b.seal(s), newNonce()
		b.accepted(s.Redeem(t.Context(), seal.Generation, nonce))
		step(b)
		b.close(s)
		s = b.open()
		b.kept(s, seal, nonce)
		step(b)
		b.renewed(s, seal, nonce, "the wall clock moved")
	})
}

// rewrite changes the seal file that a clean stop left.
func (b *bench) rewrite(change func(*sealRecord)) {
	b.Helper()
	path := filepath.Join(b.config.SealDirectories[0], "seal-"+hex.EncodeToString(b.config.Instance[:]))
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var record sealRecord
	if err := json.Unmarshal(text, &record); err != nil {
		b.Fatal(err)
	}
	change(&record)
	if text, err = json.Marshal(record); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
}

// TestStopMark lets the files agree with the seal file, but not the mark in Badger.
func TestStopMark(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*badger.DB) error
		reason string
	}{
		"another": {func(db *badger.DB) error { return writeMark(db, [16]byte{1}) }, "the stop mark differs"},
		"none":    {eraseMark, "the stop mark is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			seal, nonce := b.cycle()
			db, err := badger.Open(badgerOptions(b.badgerDirectory(), b.config))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(test.change(db), db.Close()); err != nil {
				t.Fatal(err)
			}
			print, err := fingerprint(b.badgerDirectory())
			if err != nil {
				t.Fatal(err)
			}
			b.rewrite(func(r *sealRecord) { r.Files = print })
			b.renewed(b.open(), seal, nonce, test.reason)
		})
	}
}

func TestSealFileOfAnotherKind(t *testing.T) {
	for name, change := range map[string]func(*sealRecord){
		"format":   func(r *sealRecord) { r.Format++ },
		"instance": func(r *sealRecord) { r.Generation[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			seal, nonce := b.cycle()
			b.rewrite(change)
			b.renewed(b.open(), seal, nonce, "new seal")
		})
	}
}

// TestSealPlaces says where a seal may lie.
func TestSealPlaces(t *testing.T) {
	path := func(b *bench) string {
		return filepath.Join(b.config.SealDirectories[0], "seal-"+hex.EncodeToString(b.config.Instance[:]))
	}
	try := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, prepare := range map[string]struct{ before, between func(*bench) }{
		"none":          {before: func(b *bench) { b.config.SealDirectories = []string{} }},
		"relative path": {before: func(b *bench) { b.config.SealDirectories = []string{"seals"} }},
		"data directory": {before: func(b *bench) {
			b.config.SealDirectories = []string{b.config.Directory, filepath.Join(b.config.Directory, "seals")}
		}},
		"others may write": {before: func(b *bench) { try(os.Chmod(b.config.SealDirectories[0], 0o770)) }},
		"a link": {before: func(b *bench) {
			link := filepath.Join(b.TempDir(), "link")
			try(os.Symlink(b.config.SealDirectories[0], link))
			b.config.SealDirectories[0] = link
		}},
		"others may read the file":  {between: func(b *bench) { try(os.Chmod(path(b), 0o644)) }},
		"others could write, later": {between: func(b *bench) { try(os.Chmod(b.config.SealDirectories[0], 0o777)) }},
		"the file is a link": {between: func(b *bench) {
			other := filepath.Join(b.TempDir(), "other")
			try(os.Rename(path(b), other))
			try(os.Symlink(other, path(b)))
		}},
		"the file is garbage":   {between: func(b *bench) { try(os.WriteFile(path(b), []byte("{garbage"), 0o600)) }},
		"the file is too large": {between: func(b *bench) { try(os.WriteFile(path(b), make([]byte, maxSealFile+1), 0o600)) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if prepare.before != nil {
				prepare.before(b)
			}
			seal, nonce := b.cycle()
			if prepare.between != nil {
				prepare.between(b)
			} else {
				b.logged("seal not kept")
			}
			b.renewed(b.open(), seal, nonce, "new seal")
		})
	}
	t.Run("the second where the first is not usable", func(t *testing.T) {
		b := newBench(t)
		b.config.SealDirectories = append([]string{filepath.Join(b.TempDir(), "absent", "deeper")}, b.config.SealDirectories...)
		seal, nonce := b.cycle()
		b.kept(b.open(), seal, nonce)
	})
	t.Run("made where its parent is on tmpfs", func(t *testing.T) {
		b := newBench(t)
		b.config.SealDirectories[0] = filepath.Join(b.config.SealDirectories[0], "made")
		seal, nonce := b.cycle()
		info, err := os.Stat(b.config.SealDirectories[0])
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v %v, want mode 0700", info, err)
		}
		b.kept(b.open(), seal, nonce)
	})
	t.Run("what died half way is removed", func(t *testing.T) {
		b := newBench(t)
		b.cycle()
		for _, tail := range []string{".taken-00", ".new-00"} {
			writeFile(t, path(b)+tail, "{}")
		}
		b.open()
		if files, err := os.ReadDir(b.config.SealDirectories[0]); err != nil || len(files) != 0 {
			t.Errorf("there are %v (%v), want nothing", files, err)
		}
	})
}

// TestSealFilesOfOthers keeps the seal files of other instances until nobody can use them any more.
func TestSealFilesOfOthers(t *testing.T) {
	b := newBench(t)
	at := func(name string) string { return filepath.Join(b.config.SealDirectories[0], name) }
	for name, age := range map[string]time.Duration{
		"seal-0a0a0a0a": noncestore.StateLifetime - time.Minute, "seal-0b0b0b0b": noncestore.StateLifetime + time.Minute,
		"seal-0c0c0c0c.taken-00": time.Hour, "sidecar.sock": time.Hour,
	} {
		writeFile(t, at(name), "{}")
		if err := os.Chtimes(at(name), time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	b.open()
	for name, want := range map[string]bool{
		"seal-0a0a0a0a": true, "seal-0b0b0b0b": false, "seal-0c0c0c0c.taken-00": false, "sidecar.sock": true,
	} {
		if exists(at(name)) != want {
			t.Errorf("%s: there is %t, want %t", name, !want, want)
		}
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	b := newBench(t)
	seal, nonce := b.cycle()
	writeFile(t, filepath.Join(b.badgerDirectory(), "foreign"), "x")
	b.close(b.open())
	b.close(b.open())
	for _, secret := range [][]byte{seal.Key[:], nonce[:]} {
		for _, text := range []string{hex.EncodeToString(secret), fmt.Sprint(secret), string(secret)} {
			if strings.Contains(b.log.String(), text) {
				t.Errorf("%q was logged", text)
			}
		}
	}
}
