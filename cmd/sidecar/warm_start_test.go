// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
)

// keyEndpoint serves the simulator's Moodle keys at an address of its own, until it is told to be down.
type keyEndpoint struct {
	*httptest.Server
	document []byte
	down     atomic.Bool
	asked    atomic.Int32
	requests chan struct{} // one element for each request
}

func newKeyEndpoint(t *testing.T) *keyEndpoint {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(sim.CAPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(sim.Platform("moodle").Registration("quiz").JWKSURI)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	k := &keyEndpoint{requests: make(chan struct{}, 16)}
	k.document, err = io.ReadAll(response.Body)
	check(t, err)
	k.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.asked.Add(1)
		k.requests <- struct{}{}
		if k.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, err := w.Write(k.document)
		check(t, err)
	}))
	t.Cleanup(k.Close)
	return k
}

// A restart while the platform's key endpoint is down.
func TestWarmStart(t *testing.T) {
	t.Parallel()
	for _, warm := range []bool{true, false} {
		endpoint := newKeyEndpoint(t)
		h := newHome(t)
		h.configure("platform_keys: {warm_start: " + strconv.FormatBool(warm) + "}\n")
		h.write("ca.pem", string(sim.CAPEM())+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: endpoint.Certificate().Raw})))
		rewrite(t, h, sim.Platform("moodle").Registration("quiz").JWKSURI, endpoint.URL)
		p := h.serve()
		h.launch("moodle")
		p.stop()
		endpoint.down.Store(true)
		files, err := filepath.Glob(h.path("data/platform_keys/*"))
		check(t, err)
		if !warm {
			if len(files) != 0 {
				t.Errorf("warm_start: false kept %q", files)
			}
			h.serve()
			_, err := h.begin("moodle").at(h)
			refused(t, err, lti.ReasonJWKSUnreachable)
			continue
		}
		if len(files) != 1 {
			t.Fatalf("%q are kept, want one file", files)
		}
		<-endpoint.requests
		p = h.serve()
		h.launch("moodle") // with the kept keys, while the platform is asked in the background
		select {
		case <-endpoint.requests:
		case <-time.After(patience):
			t.Error("the platform was not asked again")
		}
		p.stop()
		contains(t, p.log.String(), "platform keys of the last run taken up")
		if asked := endpoint.asked.Load(); asked != 2 {
			t.Errorf("%d fetches, want one a start", asked)
		}

		check(t, os.WriteFile(files[0], []byte("damaged"), 0o600))
		p = h.serve()
		_, err = h.begin("moodle").at(h)
		refused(t, err, lti.ReasonJWKSUnreachable)
		p.stop()
		contains(t, p.log.String(), `"level":"WARN"`, "platform keys on disk ignored", `"registration":"moodle"`)
	}
}
