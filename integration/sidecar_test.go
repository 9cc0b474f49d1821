// SPDX-License-Identifier: Apache-2.0

// Package integration_test drives the real sidecar binary against platform code that is not this project's own.
package integration_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	ltisidecarv1 "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// authority is a certificate authority for one test, with one server certificate for 127.0.0.1.
type authority struct {
	caFile, certFile, keyFile string // PEM files
	pool                      *x509.CertPool
	server                    tls.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Integration test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	leafKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	caDER := must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))(t)
	// The parsed form has the key identifier that the leaf must name.
	ca = must(x509.ParseCertificate(caDER))(t)
	leafDER := must(x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey))(t)

	directory := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	a := &authority{
		caFile:   write("ca.pem", "CERTIFICATE", caDER),
		certFile: write("server.pem", "CERTIFICATE", leafDER),
		keyFile:  write("server.key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(leafKey))(t)),
		pool:     x509.NewCertPool(),
		server:   tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
	}
	a.pool.AddCert(ca)
	return a
}

// httpClient returns a client that trusts the authority alone and follows no redirect.
func (a *authority) httpClient(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// buildSidecar builds the sidecar from this module and returns the binary's path.
func buildSidecar(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sidecar")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/sidecar")
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the sidecar: %v\n%s", err, output)
	}
	return binary
}

// sidecar is where one sidecar of a test lives. It may be dialled before it is started.
type sidecar struct {
	directory string // short: the path of a Unix socket has at most 107 bytes
	*grpc.ClientConn
}

func newSidecar(t *testing.T) *sidecar {
	t.Helper()
	directory := must(os.MkdirTemp("", "lti"))(t)
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	connection := must(grpc.NewClient("unix://"+filepath.Join(directory, "sidecar.sock"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true))))(t)
	t.Cleanup(func() { connection.Close() })
	return &sidecar{directory: directory, ClientConn: connection}
}

// start runs the binary with registrations, each given as the fields of a YAML mapping, until the test ends. It
// returns once the sidecar answers, and fails the test if it does not stop cleanly.
func (s *sidecar) start(t *testing.T, binary string, ca *authority, registrations ...map[string]string) {
	t.Helper()
	var list strings.Builder
	for _, registration := range registrations {
		var fields []string
		for name, value := range registration {
			fields = append(fields, name+": "+value)
		}
		fmt.Fprintf(&list, "  - {%s}\n", strings.Join(fields, ", "))
	}
	config := fmt.Sprintf(`listen: {socket: %[1]s/sidecar.sock}
data_dir: %[1]s/data
keys: {directory: %[1]s/keys}
outbound: {ca_file: %[2]q, allow_cidrs: [127.0.0.0/8]}
registrations:
%[3]s`, s.directory, ca.caFile, list.String())
	file := filepath.Join(s.directory, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}

	startProcess(t, "sidecar", exec.Command(binary, "serve", "--config", file), func(c *exec.Cmd) error {
		return c.Process.Signal(syscall.SIGTERM)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := ltisidecarv1.NewKeyServiceClient(s).GetToolKeySet(ctx, &ltisidecarv1.GetToolKeySetRequest{}); err != nil {
		t.Fatalf("the sidecar does not answer: %v\nconfig:\n%s", err, config)
	}
}

// startProcess starts a process and at the end of the test asks it to stop, waits, and demands exit status 0. What
// it wrote to standard error is logged where the test failed.
func startProcess(t *testing.T, name string, command *exec.Cmd, stop func(*exec.Cmd) error) {
	t.Helper()
	var stderr bytes.Buffer // read after Wait only
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		kill := time.AfterFunc(20*time.Second, func() { command.Process.Kill() })
		defer kill.Stop()
		if err := stop(command); err != nil {
			t.Errorf("stopping %s: %v", name, err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if t.Failed() {
			t.Logf("standard error of %s:\n%s", name, stderr.Bytes())
		}
	})
}

// reasonOf returns the reason of an RPC error and its metadata. It fails the test where err carries none.
func reasonOf(t *testing.T, err error) (string, map[string]string) {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "ltisidecar" {
			return info.GetReason(), info.GetMetadata()
		}
	}
	t.Fatalf("got %v, want an error with a reason", err)
	return "", nil
}

// must takes a function's results and returns a function that yields the value or fails the test.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
