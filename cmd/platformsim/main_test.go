// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary play the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("PLATFORMSIM_TEST_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), "PLATFORMSIM_TEST_MAIN=1")
	return c
}

const config = `
roster_size: 5
platforms:
  moodle:
    login_method: GET
    tools:
      - name: quiz
        login_uri: https://localhost:9443/login
        launch_uris: [https://localhost:9443/launch]
        jwks_uri: https://localhost:9443/jwks
`

func TestReadyAndStop(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sim.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := program(t, "--dir", filepath.Join(dir, "ca"), "--issue-cert", "tool", "--issue-cert", "other", "--config", file)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%v; %s", err, stderr.String())
	}
	var ready struct{ Event, URL string }
	if err := json.Unmarshal(line, &ready); err != nil || ready.Event != "ready" {
		t.Fatalf("%s: %v", line, err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	for path, marker := range map[string]string{"/": "Moodle", "/moodle/sim/registrations": `"tool":"quiz"`, "/moodle/sim/people": `"student3"`} {
		resp, err := client.Get(ready.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil || !strings.Contains(string(body), marker) {
			t.Errorf("%s: %d %s %v", path, resp.StatusCode, body, err)
		}
	}
	for _, name := range []string{"tool", "other"} {
		base := filepath.Join(dir, "ca", name)
		if _, err := tls.LoadX509KeyPair(base+".pem", base+"-key.pem"); err != nil {
			t.Error(err)
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("more output: %s %v", rest, err)
	}
	if err := c.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("stopped with %v; %s", err, stderr.String())
	}
}

func TestMistakesAreExplained(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(file, []byte("platform: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for marker, args := range map[string][]string{
		"loopback":        {"--listen", "192.0.2.1:0"},
		"needs --dir":     {"--issue-cert", "x"},
		"and not ca":      {"--dir", dir, "--issue-cert", "ca"},
		"platform":        {"--config", file},
		"no such file":    {"--config", filepath.Join(dir, "none.yaml")},
		"unknown flag":    {"--nonsense"},
		"unknown command": {"serve"},
	} {
		out, err := program(t, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), marker) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
