// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Sim is a running simulator: one HTTPS server with several platforms. Its methods are safe for concurrent use.
type Sim struct {
	cfg       Config
	now       func() time.Time
	random    io.Reader
	ca        *authority
	roots     *x509.CertPool
	client    *http.Client
	listener  net.Listener
	url       string
	mux       *http.ServeMux
	server    *http.Server
	platforms []*Platform

	startOnce sync.Once
	closeOnce sync.Once
	closing   chan struct{} // closed when Close begins
	served    chan struct{} // closed when Serve has returned
	serveErr  error         // set before served is closed
}

// New checks the configuration, makes keys and binds the address, so that URL and Registration can be used. Nothing is
// answered before Start. After a successful New, Close must be called.
func New(cfg Config) (*Sim, error) {
	s := &Sim{cfg: cfg, now: cfg.Now, random: cfg.Rand, mux: http.NewServeMux(), served: make(chan struct{}), closing: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	} else {
		s.random = &lockedReader{r: s.random}
	}
	if s.cfg.RosterSize == 0 {
		s.cfg.RosterSize = defaultRoster
	}
	if s.cfg.RecordLimit == 0 {
		s.cfg.RecordLimit = defaultRecord
	}
	if s.cfg.RecordLimit < 1 || s.cfg.RecordLimit > maxRecord {
		return nil, fmt.Errorf("platformsim: record limit %d: 1 to %d", cfg.RecordLimit, maxRecord)
	}
	if s.cfg.RosterSize < 3 || s.cfg.RosterSize > maxRoster {
		return nil, fmt.Errorf("platformsim: roster size %d: 3 to %d", cfg.RosterSize, maxRoster)
	}
	if s.cfg.Listen == "" {
		s.cfg.Listen = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("platformsim: listen: %w", err)
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("platformsim: listen %q: only loopback addresses; anybody who reaches the simulator can be any of its users", s.cfg.Listen)
	}
	if s.ca, err = openAuthority(cfg.Dir); err != nil {
		return nil, fmt.Errorf("platformsim: %w", err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(s.ca.cert)
	if len(cfg.ExtraRoots) > 0 && !s.roots.AppendCertsFromPEM(cfg.ExtraRoots) {
		return nil, errors.New("platformsim: ExtraRoots holds no certificate")
	}
	certPEM, keyPEM, err := s.ca.issue()
	if err != nil {
		return nil, fmt.Errorf("platformsim: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("platformsim: %w", err)
	}
	ln, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("platformsim: %w", err)
	}
	s.listener = ln
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err == nil {
		s.url = "https://" + net.JoinHostPort(host, port)
		err = s.addPlatforms()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("platformsim: %w", err), ln.Close())
	}
	s.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("too many redirects")
			}
			return fetchable(req.URL.String())
		},
	}
	s.server = &http.Server{
		Handler:           http.MaxBytesHandler(s.mux, 1<<20),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // handshakes that clients give up
	}
	if cfg.HTTP1 {
		s.server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	return s, nil
}

// answerTimeout is how long an answer may take; a long roster that goes on coming may take longer.
const answerTimeout = time.Minute

func (s *Sim) profiles() []*Profile {
	if s.cfg.profiles != nil {
		return s.cfg.profiles
	}
	return profiles()
}

func (s *Sim) addPlatforms() error {
	known := map[string]bool{}
	for _, pf := range s.profiles() {
		known[pf.Name] = true
		pc, wanted := s.cfg.Platforms[pf.Name]
		if !wanted && len(s.cfg.Platforms) > 0 {
			continue
		}
		p, err := newPlatform(s, pf, pc)
		if err != nil {
			return fmt.Errorf("%s: %w", pf.Name, err)
		}
		s.platforms = append(s.platforms, p)
		p.routes(s.mux)
	}
	for name := range s.cfg.Platforms {
		if !known[name] {
			return fmt.Errorf("there is no platform %q; known are %v", name, ProfileNames())
		}
	}
	s.mux.HandleFunc("GET /{$}", s.serveIndex)
	s.mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		write(w, s.ca.pem)
	})
	return nil
}

// Start begins to answer, in the background. It may be called once; later calls do nothing.
func (s *Sim) Start() {
	s.startOnce.Do(func() {
		go func() {
			defer close(s.served)
			if err := s.server.ServeTLS(s.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
				s.serveErr = err
			}
		}()
	})
}

// Done is closed when the server has stopped, by Close or by an error that Close then returns.
func (s *Sim) Done() <-chan struct{} { return s.served }

// Close stops the server, waiting up to five seconds for requests under way and then cutting them, and frees everything. It returns the error
// that stopped the server, if any. Later calls do nothing.
func (s *Sim) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.startOnce.Do(func() { close(s.served) }) // never started
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err = s.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			err = s.server.Close() // somebody holds a connection open: cut it
		}
		if cerr := s.listener.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
		<-s.served
		s.client.CloseIdleConnections()
		err = errors.Join(err, s.serveErr)
	})
	return err
}

// URL returns the address of the simulator, such as https://127.0.0.1:41234, without a trailing slash.
func (s *Sim) URL() string { return s.url }

// CAPEM returns the certificate of the simulator's authority.
func (s *Sim) CAPEM() []byte { return append([]byte(nil), s.ca.pem...) }

// IssueCert makes a server certificate for localhost, 127.0.0.1 and ::1 under the simulator's authority. It returns the
// chain and the private key as PEM.
func (s *Sim) IssueCert() (certPEM, keyPEM []byte, err error) { return s.ca.issue() }

// Platform returns the platform of that profile name, or nil if it is not configured.
func (s *Sim) Platform(name string) *Platform {
	for _, p := range s.platforms {
		if p.profile.Name == name {
			return p
		}
	}
	return nil
}

func (s *Sim) logf(format string, args ...any) {
	if s.cfg.Logf != nil {
		s.cfg.Logf(format, args...)
	}
}

// randomHex returns n random hexadecimal digits.
func (s *Sim) randomHex(n int) (string, error) {
	b := make([]byte, (n+1)/2)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", b)[:n], nil
}

type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// write sends a body. An error means that the client has gone: there is nobody to tell.
func write(w http.ResponseWriter, body []byte) { _, _ = w.Write(body) }
