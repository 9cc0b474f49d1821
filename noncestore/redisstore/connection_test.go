// SPDX-License-Identifier: Apache-2.0

package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
	"github.com/ltisidecar/ltisidecar/noncestore/noncestoretest"
	"github.com/ltisidecar/ltisidecar/testservers"
)

// lossyProxy stands before a server and loses answers on demand.
type lossyProxy struct {
	address string
	lose    atomic.Bool  // the next answer to a redemption is lost, and the connection with it
	lost    atomic.Int32 // how many were
}

func newLossyProxy(t *testing.T, server string) *lossyProxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { check(t, listener.Close()) })
	p := &lossyProxy{address: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go p.serve(client, server)
		}
	}()
	return p
}

// serve copies both ways until either side ends.
func (p *lossyProxy) serve(client net.Conn, server string) {
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(upstream, client)
		upstream.Close()
	}()
	defer client.Close()
	answer := make([]byte, 32<<10)
	for {
		n, err := upstream.Read(answer)
		if err != nil {
			return
		}
		if strings.Contains(string(answer[:n]), "accepted") && p.lose.CompareAndSwap(true, false) {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswer loses the answer to a redemption that was written. It is found out whose it was.
func TestLostAnswer(t *testing.T) {
	redis := testservers.StartRedis(t)
	proxy := newLossyProxy(t, redis.Addr)
	store := mustOpen(t, Config{URL: "redis://" + proxy.address})
	seal := sealOf(t, store)
	for i := range 20 {
		nonce := newNonce()
		proxy.lose.Store(true)
		if err := store.Redeem(t.Context(), seal.Generation, nonce); err != nil {
			t.Fatalf("redemption %d: %v", i, err)
		}
		if lost := proxy.lost.Load(); int(lost) != i+1 {
			t.Fatalf("%d answers were lost, want %d", lost, i+1)
		}
		for range 2 {
			if err := store.Redeem(t.Context(), seal.Generation, nonce); err == nil {
				t.Fatal("accepted twice")
			}
		}
	}
}

// TestLostAnswerAndFlush loses the answer, and then the memory: the redemption is not taken for accepted.
func TestLostAnswerAndFlush(t *testing.T) {
	redis := testservers.StartRedis(t)
	store := mustOpen(t, Config{URL: redis.URL()})
	generation := sealOf(t, store).Generation
	e, err := connect(&Config{URL: redis.URL()})
	check(t, err)
	t.Cleanup(func() { check(t, e.Close()) })
	attempt := redemption(generation, newNonce())
	answer, err := e.Redeem(t.Context(), attempt)
	check(t, err)
	if verdictName(answer.Verdict) != "accepted" {
		t.Fatalf("verdict %d", answer.Verdict)
	}
	if answer, err = e.Redeem(t.Context(), attempt); err != nil || verdictName(answer.Verdict) != "accepted" {
		t.Fatalf("asked again: %d, %v", answer.Verdict, err)
	}
	redis.Do("FLUSHALL")
	if answer, err = e.Redeem(t.Context(), attempt); err != nil || verdictName(answer.Verdict) != "stale" {
		t.Fatalf("asked again after a flush: %d, %v", answer.Verdict, err)
	}
}

// TestRoundTrips counts the commands of a redemption.
func TestRoundTrips(t *testing.T) {
	redis := testservers.StartRedis(t)
	store := mustOpen(t, Config{URL: redis.URL()})
	seal := sealOf(t, store)
	check(t, store.Redeem(t.Context(), seal.Generation, newNonce())) // the server has the script from here on
	redis.Do("CONFIG", "RESETSTAT")
	const redemptions = 100
	for range redemptions {
		check(t, store.Redeem(t.Context(), seal.Generation, newNonce()))
	}
	stats := redis.Info("cmdstat_evalsha")
	if !strings.HasPrefix(stats, "calls=10") { // a few polls are among them
		t.Errorf("evalsha: %s, want calls of %d redemptions and a few polls", stats, redemptions)
	}
	if info := redis.Do("INFO", "commandstats"); strings.Contains(info, "cmdstat_eval:") {
		t.Errorf("whole scripts were sent although the server had them: %s", info)
	}
	redis.Do("SCRIPT", "FLUSH")
	check(t, store.Redeem(t.Context(), seal.Generation, newNonce()))
}

// aclRule is the rule of docs/operations.md for a store with the name ltisidecar.
const aclRule = "~{ltisidecar}:* +eval +evalsha +info +time +get +set +del +hmget +hset +ping +hello +client|setname"

// TestTLSAndUser connects with TLS, as a user who may do no more than the documentation says.
func TestTLSAndUser(t *testing.T) {
	authority, arguments := certificates(t)
	redis := testservers.StartRedis(t, append(append(arguments, "--user", "default", "off", "--user", "tool", "on", ">pass/word"), strings.Fields(aclRule)...)...)
	host, port, err := net.SplitHostPort(redis.Addr)
	check(t, err)
	config := Config{URL: "rediss://tool@" + host + ":" + port, Password: "pass/word", RootCAs: authority}
	store := mustOpen(t, config)
	nonce := newNonce()
	check(t, store.Redeem(t.Context(), sealOf(t, store).Generation, nonce))
	if err := store.Redeem(t.Context(), sealOf(t, store).Generation, nonce); err == nil {
		t.Fatal("accepted twice")
	}
	for what, wrong := range map[string]Config{
		"unknown authority": {URL: config.URL, Password: config.Password, Secret: secret},
		"wrong password":    {URL: config.URL, Password: "wrong", RootCAs: authority, Secret: secret},
		"other keys":        {URL: config.URL, Password: config.Password, RootCAs: authority, Name: "other", Secret: secret},
	} {
		store, err := Open(t.Context(), wrong)
		if err == nil {
			t.Errorf("%s: it opened", what)
			check(t, store.Close())
		} else if strings.Contains(err.Error(), "pass/word") {
			t.Errorf("%s: the password is in the error: %v", what, err)
		}
	}
}

// certificates makes an authority and returns the arguments with which Redis serves TLS on its port.
func certificates(t *testing.T) (*x509.CertPool, []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	directory, err := os.MkdirTemp("", "lti-tls-") // t.TempDir is closed to the server's account
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(directory)) })
	check(t, os.Chmod(directory, 0o755))
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(directory, name)
		check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o644))
		return path
	}
	certificateFile, keyFile := write("server.pem", "CERTIFICATE", certificate), write("server.key", "PRIVATE KEY", private)
	parsed, err := x509.ParseCertificate(certificate)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool, []string{testservers.TLS, "--tls-cert-file", certificateFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certificateFile,
		"--tls-auth-clients", "no"}
}

// TestSentinel lets Sentinel promote the replica of a primary that was killed. The store finds the new primary by
// itself, with another seal.
func TestSentinel(t *testing.T) {
	primary, replica := testservers.StartRedis(t), testservers.StartRedis(t)
	replica.Follow(primary)
	sentinel := testservers.StartSentinel(t, "tool", primary, 500)
	for !strings.Contains(sentinel.Do("SENTINEL", "REPLICAS", "tool"), replica.Addr) {
		if t.Context().Err() != nil {
			t.Fatal("the Sentinel does not see the replica")
		}
	}
	store := mustOpen(t, Config{URL: sentinel.URL() + "?master_set=tool"})
	before, nonce := sealOf(t, store), newNonce()
	check(t, store.Redeem(t.Context(), before.Generation, nonce))
	primary.Kill()
	deadline := time.Now().Add(60 * time.Second)
	after, err := store.Refresh(t.Context())
	for err != nil || after == before {
		if time.Now().After(deadline) {
			t.Fatalf("no new seal after the failover: %v", err)
		}
		after, err = store.Refresh(t.Context())
	}
	wantError(t, store.Redeem(t.Context(), before.Generation, nonce), noncestore.ErrStale)
	check(t, store.Redeem(t.Context(), after.Generation, newNonce()))
}

// TestCluster runs the suite on a cluster, where all keys must lie in one slot.
func TestCluster(t *testing.T) {
	first, second := testservers.StartRedis(t, "--cluster-enabled", "yes"), testservers.StartRedis(t, "--cluster-enabled", "yes")
	host, port, err := net.SplitHostPort(second.Addr)
	check(t, err)
	first.Do("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	second.Do("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	first.Do("CLUSTER", "MEET", host, port)
	for _, node := range []*testservers.Redis{first, second} {
		for !strings.Contains(node.Do("CLUSTER", "INFO"), "cluster_state:ok") {
			if t.Context().Err() != nil {
				t.Fatal("the cluster does not form")
			}
		}
	}
	names := 0
	noncestoretest.Run(t, func(t *testing.T) noncestoretest.Memory {
		names++
		config := Config{URL: first.URL() + "?addr=" + second.Addr, Name: "store-" + string(rune('a'+names)), Secret: secret}
		return noncestoretest.Memory{
			Open: func() (noncestore.Store, error) { return opened(Open(t.Context(), config)) },
			Losses: map[string]func(){"flushed": func() {
				first.Do("FLUSHALL")
				second.Do("FLUSHALL")
			}},
		}
	})
}
