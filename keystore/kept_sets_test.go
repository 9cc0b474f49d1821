// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// sealer is made once: its keys are dear.
var sealer = sync.OnceValue(func() *ToolKeys {
	directory, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	keys, err := NewToolKeys(ToolKeysConfig{Directory: directory, Create: true})
	if err != nil {
		panic(err)
	}
	return keys
})

// logBuffer is a log that many goroutines write to.
type logBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// restart ends the PlatformKeys and begins anew over a directory, as a new process would. It returns the new log.
func (p *jwksPlatform) restart(directory string) *logBuffer {
	p.t.Helper()
	p.keys.Close()
	log := &logBuffer{}
	config := p.keys.config
	config.Directory, config.Sealer, config.Logger = directory, sealer(), slog.New(slog.NewTextHandler(log, nil))
	keys, err := NewPlatformKeys(config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(keys.Close)
	p.keys = keys
	return log
}

// keptFile returns the one file of the directory.
func keptFile(t *testing.T, directory string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the directory holds %q (%v), want one file", files, err)
	}
	return files[0]
}

// keptPlatform is a platform whose set with the key "a" was fetched and kept, max-age 60, and that is now down.
func keptPlatform(t *testing.T, staleIfError time.Duration) (p *jwksPlatform, directory string) {
	t.Helper()
	p = newJWKSPlatform(t, staleIfError)
	directory = filepath.Join(t.TempDir(), "deep", "platform_keys")
	p.restart(directory)
	p.publish("max-age=60", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.keys.kept.running.Wait()
	p.fail(503, "")
	return p, directory
}

func TestKeptSetServesAfterARestart(t *testing.T) {
	p, directory := keptPlatform(t, time.Hour)
	log := p.restart(directory)
	p.wantKey("a")
	p.settled()
	p.wantFetches(2) // the first use asks anew all the same
	if !strings.Contains(log.String(), "platform keys of the last run taken up") {
		t.Errorf("log: %s", log)
	}
	p.advance(2 * minWindow)
	p.wantReason("b", lti.ReasonJWKSUnreachable)

	p.advance(time.Hour + time.Minute - 2*minWindow - 1) // now 1 ns before the expiry and the grace are over
	p.restart(directory)
	p.wantKey("a")
	p.advance(1)
	p.wantReason("a", lti.ReasonJWKSUnreachable)
	p.restart(directory)
	p.wantReason("a", lti.ReasonJWKSUnreachable)
}

func TestKeptSetIsNotEvenLoadedOnceItsTimeIsOver(t *testing.T) {
	p, directory := keptPlatform(t, time.Hour)
	p.restart(directory)
	identity, end := p.keys.source(p.registration).identity, p.clock().Add(time.Minute+time.Hour)
	if set, _ := p.keys.kept.load(identity, "school", end.Add(-1), time.Hour); set == nil {
		t.Error("not loaded in time")
	}
	if set, _ := p.keys.kept.load(identity, "school", end, time.Hour); set != nil {
		t.Error("loaded too late")
	}
}

func TestKeptSetWithoutGraceServesUntilItExpires(t *testing.T) {
	p, directory := keptPlatform(t, 0)
	p.advance(time.Minute - 1)
	p.restart(directory)
	p.wantKey("a")
	p.settled()
	p.advance(1)
	p.restart(directory)
	p.wantReason("a", lti.ReasonJWKSUnreachable)
}

func TestKeptSetDoesNotOutliveWithdrawal(t *testing.T) {
	for _, named := range []map[string]*jose.SigningKey{nil, {"b": signingKeys()[1]}} {
		p, directory := keptPlatform(t, time.Hour)
		p.publish("", named)
		p.advance(minWindow)
		p.wantReason("c", lti.ReasonKIDUnknown) // fetches
		p.fail(503, "")
		p.restart(directory)
		p.wantReason("a", lti.ReasonJWKSUnreachable)
	}
}

func TestKeptSetsOfRegistrationsAreApart(t *testing.T) {
	p, directory := keptPlatform(t, time.Hour)
	kept := keptFile(t, directory)
	original := *p.registration
	for _, change := range []func(r *platform.Registration){
		func(r *platform.Registration) { r.Name = "other" },
		func(r *platform.Registration) { r.Issuer = "https://other.example" },
		func(r *platform.Registration) { r.JWKSURI += "2" },
	} {
		other := original
		change(&other)
		p.restart(directory)
		if _, err := p.keys.Key(t.Context(), &other, "a", "RS256"); lti.ReasonOf(err) != lti.ReasonJWKSUnreachable {
			t.Errorf("%+v took the keys: %v", other, err)
		}
		// Another's file under its own name does not open either.
		stolen := filepath.Join(directory, p.keys.source(&other).identity+keptSuffix)
		content, err := os.ReadFile(kept)
		if err == nil {
			err = os.WriteFile(stolen, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		log := p.restart(directory)
		if _, err := p.keys.Key(t.Context(), &other, "a", "RS256"); lti.ReasonOf(err) != lti.ReasonJWKSUnreachable {
			t.Errorf("%+v took another's file: %v", other, err)
		}
		if !strings.Contains(log.String(), "platform keys on disk ignored") {
			t.Errorf("log: %s", log)
		}
	}
}

func TestDamagedKeptSetIsIgnoredWithAWarning(t *testing.T) {
	seal := func(t *testing.T, p *jwksPlatform, text string) string {
		sealed, err := sealer().Seal(keptPurpose+p.keys.source(p.registration).identity, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	for name, damage := range map[string]func(t *testing.T, p *jwksPlatform, content string) string{
		"empty": func(*testing.T, *jwksPlatform, string) string { return "" },
		"torn":  func(_ *testing.T, _ *jwksPlatform, content string) string { return content[:len(content)/2] },
		"one character": func(_ *testing.T, _ *jwksPlatform, content string) string {
			damaged := []byte(content)
			if damaged[0]++; damaged[0] == 'Z'+1 || damaged[0] == 'z'+1 || damaged[0] == '9'+1 {
				damaged[0] = 'A'
			}
			return string(damaged)
		},
		"plain":     func(*testing.T, *jwksPlatform, string) string { return `{"keys":[]}` },
		"too large": func(*testing.T, *jwksPlatform, string) string { return strings.Repeat("A", maxKeptSize+1) },
		"no JSON":   func(t *testing.T, p *jwksPlatform, _ string) string { return seal(t, p, "x") },
		"no set": func(t *testing.T, p *jwksPlatform, _ string) string {
			return seal(t, p, `{"fetched_time":"2026-01-01T00:00:00Z","expire_time":"2026-01-01T01:00:00Z","key_set":"W10="}`)
		},
		"lives for ever": func(t *testing.T, p *jwksPlatform, _ string) string {
			return seal(t, p, `{"fetched_time":"2026-01-01T00:00:00Z","expire_time":"2036-01-01T01:00:00Z","key_set":"eyJrZXlzIjpbXX0="}`)
		},
		"from the future": func(t *testing.T, p *jwksPlatform, _ string) string {
			return seal(t, p, `{"fetched_time":"2026-01-01T00:05:01Z","expire_time":"2026-01-01T01:00:00Z","key_set":"eyJrZXlzIjpbXX0="}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, directory := keptPlatform(t, time.Hour)
			p.keys.Close()
			file := keptFile(t, directory)
			content, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, []byte(damage(t, p, string(content))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			log := p.restart(directory)
			p.wantReason("a", lti.ReasonJWKSUnreachable)
			if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "platform keys on disk ignored") || !strings.Contains(text, "registration=school") {
				t.Errorf("log: %s", text)
			}
			p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
			p.advance(2 * minWindow)
			p.wantKey("a")
			p.fail(503, "")
			p.restart(directory)
			p.wantKey("a") // the good set took the place of the damaged one
		})
	}
}

func TestKeptFilesArePrivateAndBounded(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	directory := filepath.Join(t.TempDir(), "platform_keys")
	p.keys.config.MaxPlatforms = 3
	p.restart(directory)
	leftover := filepath.Join(directory, ".new-123")
	if err := os.WriteFile(leftover, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(i int) error {
		school := *p.registration
		school.Name = fmt.Sprint("school-", i)
		_, err := p.keys.Key(t.Context(), &school, "a", "RS256")
		return err
	}
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	for i := range 5 {
		if err := ask(i); err != nil {
			t.Fatal(err)
		}
		p.keys.kept.running.Wait()
	}
	p.restart(directory)
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files (%v), want 3", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
		if content, err := os.ReadFile(filepath.Join(directory, entry.Name())); err != nil || bytes.Contains(content, []byte("kid")) {
			t.Errorf("%s is not sealed (%v)", entry.Name(), err)
		}
	}
	if info, err := os.Stat(directory); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	p.fail(503, "")
	fetches := p.fetches
	for i := range 5 {
		err := ask(i)
		if kept := i >= 2; (err == nil) != kept {
			t.Errorf("school-%d: %v", i, err)
		}
	}
	p.settled()
	p.wantFetches(fetches + 5)
	p.keys.config.MaxPlatforms = 1
	p.restart(directory)
	if kept := filepath.Base(keptFile(t, directory)); kept == ".new-123" {
		t.Error("a leftover was kept")
	}
}

func TestKeptBytesAreBounded(t *testing.T) {
	directory := t.TempDir()
	kept, err := openKeptSets(directory, 100, sealer(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.close()
	for i := range 70 {
		name := fmt.Sprint(i, keptSuffix)
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		kept.count(name, 1<<20)
		kept.count(name, 1<<20) // replaced, not added
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 64 || kept.size != maxKeptBytes {
		t.Errorf("%d files of %d bytes (%v)", len(files), kept.size, err)
	}
	if _, err := os.Stat(filepath.Join(directory, "5"+keptSuffix)); err == nil {
		t.Error("an old file outlived a newer one")
	}
}

func TestPlatformKeysDirectory(t *testing.T) {
	client := panicking{}
	if _, err := NewPlatformKeys(PlatformKeysConfig{Fetcher: client, Directory: t.TempDir()}); err == nil {
		t.Error("a Directory without a Sealer was accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPlatformKeys(PlatformKeysConfig{Fetcher: client, Directory: file, Sealer: sealer()}); err == nil {
		t.Error("a file was taken for a Directory")
	}
}

func TestUnwritableDirectoryStopsNothing(t *testing.T) {
	p := newJWKSPlatform(t, 0)
	directory := filepath.Join(t.TempDir(), "platform_keys")
	log := p.restart(directory)
	if err := os.RemoveAll(directory); err != nil {
		t.Fatal(err)
	}
	p.publish("", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	p.keys.Close()
	if !strings.Contains(log.String(), "platform keys not kept on disk") {
		t.Errorf("log: %s", log)
	}
}

// An outage that shows itself by silence, met first by a caller of little patience.
func TestStaleKeyServesACallerWhoseTimeIsOver(t *testing.T) {
	p := newJWKSPlatform(t, time.Hour)
	p.publish("max-age=60", map[string]*jose.SigningKey{"a": signingKeys()[0]})
	p.wantKey("a")
	<-p.arrived
	hold := make(chan struct{})
	p.mutex.Lock()
	p.hold = hold
	p.mutex.Unlock()
	p.advance(2 * time.Minute)
	ask := func(kid string) error {
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.keys.Key(impatient, p.registration, kid, "RS256")
		return err
	}
	if err := ask("a"); err != nil {
		t.Errorf("a key that was good an hour ago: %v", err)
	}
	if err := ask("b"); lti.ReasonOf(err) != lti.ReasonJWKSUnreachable {
		t.Errorf("a kid that is not held: %v", err)
	}
	p.advance(time.Hour)
	if err := ask("a"); lti.ReasonOf(err) != lti.ReasonJWKSUnreachable {
		t.Errorf("after the grace: %v", err)
	}
	close(hold)
	p.settled()
	p.wantFetches(2)
}
