// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/jose"
)

func fixedNow() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600)) }

func newDirectory(t *testing.T) string { return filepath.Join(t.TempDir(), "deep", "keys") }

func openKeys(t *testing.T, directory string, create bool) *ToolKeys {
	t.Helper()
	keys, err := NewToolKeys(ToolKeysConfig{Directory: directory, Create: create, Now: fixedNow})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func putKey(t *testing.T, directory, made string, key *jose.SigningKey) string {
	t.Helper()
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "tool-"+made+"-"+key.KeyID()[:8]+".pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func kidsOf(t *testing.T, keys *ToolKeys) []string {
	t.Helper()
	document, lifetime := keys.KeySet()
	if lifetime != KeySetLifetime {
		t.Errorf("lifetime = %v", lifetime)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, key := range set.Keys {
		kids = append(kids, key["kid"])
		for member := range key {
			if !strings.Contains(" kty kid use alg n e ", " "+member+" ") {
				t.Errorf("the published key has a member %q", member)
			}
		}
	}
	return kids
}

func TestFirstStartMakesKeysAndTheNextOneKeepsThem(t *testing.T) {
	directory := newDirectory(t)
	keys := openKeys(t, directory, true)
	list := names(t, directory)
	if len(list) != 2 || list[0] != "token.key" || !regexp.MustCompile(`^tool-20260203T030506Z-.{8}\.pem$`).MatchString(list[1]) {
		t.Fatalf("files = %q", list)
	}
	for _, name := range append(list, ".") {
		info, err := os.Stat(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[info.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	if kids := kidsOf(t, keys); len(kids) != 1 || kids[0] != keys.Active().KeyID() {
		t.Errorf("published %q", kids)
	}
	sealed, err := keys.Seal("p", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{true, false} {
		again := openKeys(t, directory, create)
		if again.Active().KeyID() != keys.Active().KeyID() {
			t.Error("the second start has another key")
		}
		if opened, err := again.Open("p", sealed); err != nil || string(opened) != "x" {
			t.Errorf("the second start cannot open: %v", err)
		}
	}
	jws, err := keys.Sign([]byte("{}"))
	if err != nil || strings.Count(jws, ".") != 2 {
		t.Errorf("Sign: %q, %v", jws, err)
	}
}

func TestTwoFirstStartsAtOnce(t *testing.T) {
	directory := newDirectory(t)
	var group sync.WaitGroup
	kids := make([]string, 4)
	for i := range kids {
		group.Go(func() {
			keys, err := NewToolKeys(ToolKeysConfig{Directory: directory, Create: true})
			if err != nil {
				t.Error(err)
				return
			}
			kids[i] = keys.Active().KeyID()
		})
	}
	group.Wait()
	for _, kid := range kids {
		if kid != kids[0] {
			t.Errorf("the starts have different keys: %q", kids)
		}
	}
	if list := names(t, directory); len(list) != 2 {
		t.Errorf("files = %q", list)
	}
}

// REQ-219
func TestNewestKeySignsAndAllArePublished(t *testing.T) {
	directory := newDirectory(t)
	openKeys(t, directory, true)
	older, newer := signingKeys()[0], signingKeys()[1]
	putKey(t, directory, "20250101T000000Z", older)
	putKey(t, directory, "20270101T000000Z", newer)
	keys := openKeys(t, directory, false)
	if keys.Active().KeyID() != newer.KeyID() {
		t.Error("not the newest key signs")
	}
	if kids := kidsOf(t, keys); len(kids) != 3 || kids[0] != newer.KeyID() || kids[2] != older.KeyID() {
		t.Errorf("published %q", kids)
	}
}

func TestFirstStartThatWasCutShort(t *testing.T) {
	directory := newDirectory(t)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	putKey(t, directory, "20250101T000000Z", signingKeys()[0])
	if err := os.WriteFile(filepath.Join(directory, ".new-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := openKeys(t, directory, true)
	if keys.Active().KeyID() != signingKeys()[0].KeyID() {
		t.Error("the tool key was not kept")
	}
	if list := names(t, directory); len(list) != 2 || list[0] != "token.key" {
		t.Errorf("files = %q", list)
	}
}

// REQ-218
func TestRefusals(t *testing.T) {
	seal := func(d string) string { return filepath.Join(d, "token.key") }
	tool := func(t *testing.T, d string) string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(d, "tool-*"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	weak, err := os.ReadFile("testdata/rsa1024.pem")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spoil  func(t *testing.T, directory string)
		create bool
		want   []string // parts of the message
	}{
		"directory open":     {func(t *testing.T, d string) { must(t, os.Chmod(d, 0o750)) }, true, []string{"chmod 700 "}},
		"tool key open":      {func(t *testing.T, d string) { must(t, os.Chmod(tool(t, d), 0o640)) }, true, []string{"chmod 600 ", "/tool-"}},
		"token.key open":     {func(t *testing.T, d string) { must(t, os.Chmod(seal(d), 0o604)) }, true, []string{"chmod 600 ", "/token.key"}},
		"no directory":       {func(t *testing.T, d string) { must(t, os.RemoveAll(d)) }, false, []string{"does not exist"}},
		"empty directory":    {func(t *testing.T, d string) { must(t, os.Remove(tool(t, d))); must(t, os.Remove(seal(d))) }, false, []string{"holds no tool key"}},
		"tool keys lost":     {func(t *testing.T, d string) { must(t, os.Remove(tool(t, d))) }, true, []string{"tool keys were lost"}},
		"token.key lost":     {func(t *testing.T, d string) { must(t, os.Remove(seal(d))) }, false, []string{"token.key is missing"}},
		"token.key short":    {func(t *testing.T, d string) { must(t, os.Truncate(seal(d), 31)) }, true, []string{"31 bytes, not 32"}},
		"tool key malformed": {func(t *testing.T, d string) { must(t, os.WriteFile(tool(t, d), []byte("x"), 0o600)) }, true, []string{"not a usable tool key", "/tool-"}},
		"tool key huge":      {func(t *testing.T, d string) { must(t, os.Truncate(tool(t, d), maxKeyFileSize+1)) }, true, []string{"larger than"}},
		"tool key weak":      {func(t *testing.T, d string) { must(t, os.WriteFile(tool(t, d), weak, 0o600)) }, true, []string{"not a usable tool key", "1024 bits"}},
		"wrong name":         {func(t *testing.T, d string) { must(t, os.Rename(tool(t, d), filepath.Join(d, "tool-mine.pem"))) }, true, []string{"tool-mine.pem", "rename it"}},
		"name of another key": {func(t *testing.T, d string) {
			must(t, os.Rename(tool(t, d), filepath.Join(d, "tool-20260101T000000Z-AAAAAAAA.pem")))
		}, true, []string{"another key", "rename it to tool-20260101T000000Z-"}},
		"same key twice": {func(t *testing.T, d string) {
			putKey(t, d, "20250101T000000Z", signingKeys()[0])
			putKey(t, d, "20250102T000000Z", signingKeys()[0])
		}, true, []string{"the same key"}},
		"too many keys": {func(t *testing.T, d string) {
			for i := range maxToolKeys {
				putKey(t, d, time.Unix(int64(i), 0).UTC().Format(keyTimeFormat), signingKeys()[0])
			}
		}, true, []string{"more than 32"}},
		"link to the directory": {func(t *testing.T, d string) {
			must(t, os.Rename(d, d+"2"))
			must(t, os.Symlink(d+"2", d))
		}, true, []string{"symbolic link"}},
		"link to a key": {func(t *testing.T, d string) {
			must(t, os.Rename(seal(d), d+".key"))
			must(t, os.Symlink(d+".key", seal(d)))
		}, true, []string{"token.key is not a regular file"}},
		"file for a directory": {func(t *testing.T, d string) {
			must(t, os.RemoveAll(d))
			must(t, os.WriteFile(d, nil, 0o600))
		}, false, []string{"is not a directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := newDirectory(t)
			openKeys(t, directory, true)
			test.spoil(t, directory)
			_, err := NewToolKeys(ToolKeysConfig{Directory: directory + "/", Create: test.create})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range append(test.want, directory) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestSeal(t *testing.T) {
	keys, other := openKeys(t, newDirectory(t), true), openKeys(t, newDirectory(t), true)
	sealed, err := keys.Seal("launch", []byte("secret text"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(sealed) {
		t.Errorf("sealed = %q", sealed)
	}
	if again, _ := keys.Seal("launch", []byte("secret text")); again == sealed {
		t.Error("two seals are equal")
	}
	if opened, err := keys.Open("launch", sealed); err != nil || !bytes.Equal(opened, []byte("secret text")) {
		t.Errorf("Open = %q, %v", opened, err)
	}
	changed := []byte(sealed)
	changed[30] ^= 1
	spare, err := keys.Seal("launch", []byte("secret text.")) // 52 bytes: four bits of the last character are spare
	if err != nil {
		t.Fatal(err)
	}
	if last := spare[len(spare)-1]; !strings.ContainsRune("AQgw", rune(last)) {
		t.Fatalf("%q has no spare bits", spare)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other purpose": func() ([]byte, error) { return keys.Open("deep", sealed) },
		"other key":     func() ([]byte, error) { return other.Open("launch", sealed) },
		"changed":       func() ([]byte, error) { return keys.Open("launch", string(changed)) },
		"cut":           func() ([]byte, error) { return keys.Open("launch", sealed[:len(sealed)-4]) },
		"empty":         func() ([]byte, error) { return keys.Open("launch", "") },
		"padded":        func() ([]byte, error) { return keys.Open("launch", sealed+"=") },
		"spare bits":    func() ([]byte, error) { return keys.Open("launch", spare[:len(spare)-1]+string(spare[len(spare)-1]+1)) },
		"line feed":     func() ([]byte, error) { return keys.Open("launch", sealed[:8]+"\n"+sealed[8:]) },
		"not base64":    func() ([]byte, error) { return keys.Open("launch", "!"+sealed[1:]) },
	} {
		if opened, err := open(); err != errSealed || opened != nil {
			t.Errorf("%s: %q, %v", name, opened, err)
		}
	}
}
