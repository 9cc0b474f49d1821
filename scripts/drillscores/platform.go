// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Shares of the answers, in percent.
const (
	lostAnswers  = 5  // the score is stored, and the connection cut
	lostRequests = 1  // the connection is cut, and nothing stored
	unavailable  = 10 // 503
	throttled    = 2  // 429 with Retry-After
)

// lms is a platform that takes scores, and takes only what is newer (Assignment and Grade Services 2.0, section 3.4.4).
type lms struct {
	url    string
	caFile string
	book   *book
	server *http.Server
	ended  chan error

	mutex   sync.Mutex
	random  *rand.Rand
	latest  map[string]time.Time // by line item and user
	counted map[string]int
}

// startPlatform starts the platform, on the port that it had before where the directory has one.
func startPlatform(directory string, book *book, seed uint64) (*lms, error) {
	p := &lms{
		caFile: filepath.Join(directory, "ca.pem"), book: book, ended: make(chan error, 1), random: rand.New(rand.NewPCG(seed, 2)),
		latest: map[string]time.Time{}, counted: map[string]int{},
	}
	for _, e := range book.effects {
		if p.latest[e.Lane].Before(e.Time) {
			p.latest[e.Lane] = e.Time
		}
	}
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600); err != nil {
		return nil, err
	}
	addressFile := filepath.Join(directory, "address")
	address, err := os.ReadFile(addressFile)
	if errors.Is(err, fs.ErrNotExist) {
		address, err = []byte("127.0.0.1:0"), nil
	}
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", string(address))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(addressFile, []byte(listener.Addr().String()), 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.url = "https://" + listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", p.serveToken)
	mux.HandleFunc("POST /items/{item}/scores", p.serveScore)
	p.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { p.ended <- p.server.ServeTLS(listener, "", "") }()
	return p, nil
}

func (p *lms) close() error {
	err := p.server.Close()
	if ended := <-p.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

func (p *lms) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "drill", "token_type": "Bearer", "expires_in": 3600, "scope": r.PostFormValue("scope")})
}

// serveScore takes a score, or does one of the faults instead or besides.
func (p *lms) serveScore(w http.ResponseWriter, r *http.Request) {
	var score struct {
		Timestamp  time.Time `json:"timestamp"`
		UserID     string    `json:"userId"`
		ScoreGiven float64   `json:"scoreGiven"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&score); err != nil || r.Header.Get("Authorization") != "Bearer drill" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	p.mutex.Lock()
	lot := p.random.IntN(100)
	count := func(what string) { p.counted[what]++ }
	switch {
	case lot < unavailable:
		count("503")
		p.mutex.Unlock()
		http.Error(w, "upgrading", http.StatusServiceUnavailable)
		return
	case lot < unavailable+throttled:
		count("429")
		p.mutex.Unlock()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
		return
	case lot < unavailable+throttled+lostRequests:
		count("requests lost")
		p.mutex.Unlock()
		panic(http.ErrAbortHandler)
	}
	lane := r.PathValue("item") + "/" + score.UserID
	if !score.Timestamp.After(p.latest[lane]) {
		count("409")
		p.mutex.Unlock()
		http.Error(w, "not newer", http.StatusConflict)
		return
	}
	p.latest[lane] = score.Timestamp
	err := p.book.addEffect(effect{Lane: lane, Score: int(score.ScoreGiven), Time: score.Timestamp})
	lost := lot >= 100-lostAnswers
	count(map[bool]string{true: "answers lost", false: "taken"}[lost])
	p.mutex.Unlock()
	if lost || err != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *lms) tally() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var parts []string
	for _, what := range []string{"taken", "answers lost", "requests lost", "503", "429", "409"} {
		parts = append(parts, fmt.Sprintf("%d %s", p.counted[what], what))
	}
	return strings.Join(parts, ", ")
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(7 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
