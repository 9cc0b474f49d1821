// SPDX-License-Identifier: Apache-2.0

//go:build unix

package launch_test

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/noncestore/badgerstore"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
	"github.com/ltisidecar/ltisidecar/records/boltstore"
)

// keySetFetcher answers every request with one key set.
type keySetFetcher []byte

func (f keySetFetcher) Do(context.Context, outbound.Request) (*outbound.Response, error) {
	return &outbound.Response{Status: http.StatusOK, Header: http.Header{}, Body: f}, nil
}

// benchmarkConcurrency is how many launches are under way at once.
const benchmarkConcurrency = 64

// BenchmarkValidate measures a whole launch in process: a fresh login and id_token each, platform keys as in production,
// Badger in memory. `make bench` runs it as a process of its own, with -benchtime=Nx, and reads its metric R/op: CPU
// time in units of a bare RSA-2048 verification of the same process.
func BenchmarkValidate(b *testing.B) {
	f, key := newBenchmark(b)
	requests := make([]launch.Request, b.N)
	var making errgroup.Group
	making.SetLimit(runtime.GOMAXPROCS(0))
	for i := range requests {
		making.Go(func() error {
			l := f.beginWith(launch.AuthRequest{Browser: launch.BrowserRequest{Method: "POST", SecFetchDest: "iframe", Parameters: parameters(
				"iss", workload.Issuer, "client_id", workload.ClientID, "login_hint", "user", "target_link_uri", workload.TargetURI)}})
			requests[i] = request(l, key.Token(l.nonce, time.Now()))
			return nil
		})
	}
	if err := making.Wait(); err != nil {
		b.Fatal(err)
	}
	verification := must(measure.NewVerification())
	runtime.GC()
	unit := must(verification.Cost(2000))
	begun := must(measure.OwnCPU())
	var next atomic.Int64
	var launches errgroup.Group
	b.ReportAllocs()
	b.ResetTimer()
	for range benchmarkConcurrency {
		launches.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				if _, err := f.Validate(b.Context(), "local", requests[i]); err != nil {
					return err
				}
			}
		})
	}
	if err := launches.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	used := must(measure.OwnCPU()) - begun
	unit = (unit + must(verification.Cost(2000))) / 2
	b.ReportMetric(float64(used)/float64(b.N)/float64(unit), "R/op")
	b.ReportMetric(float64(unit.Nanoseconds()), "ns/R")
}

// newBenchmark makes a fixture of the workload's platform by the real clock, and the key that the platform signs with.
func newBenchmark(b *testing.B) (*fixture, *workload.Key) {
	b.Helper()
	key := must(workload.NewKey("key-1"))
	f := &fixture{t: b}
	f.nonces = must(badgerstore.Open(badgerstore.Config{InMemory: true, Instance: [4]byte{1, 2, 3, 4}}))
	f.records = must(boltstore.Open(boltstore.Config{Path: b.TempDir() + "/records.db"}))
	platformKeys := must(keystore.NewPlatformKeys(keystore.PlatformKeysConfig{Fetcher: keySetFetcher(key.KeySet())}))
	b.Cleanup(func() {
		platformKeys.Close()
		must(0, f.nonces.Close())
		must(0, f.records.Close())
	})
	registry := must(platform.NewRegistry([]platform.Registration{{
		Name: "lms", Issuer: workload.Issuer, ClientID: workload.ClientID, Deployments: []string{workload.DeploymentID},
		AuthorizationURI: "https://lms.example/auth", TokenURI: "https://lms.example/token", JWKSURI: "https://lms.example/jwks",
		LaunchURIs: []string{launchURI}, LoginURI: "https://tool.example/lti/login",
	}}))
	f.Validator = must(launch.New(launch.Config{
		Registry: registry, Keys: platformKeys, Nonces: f.nonces, Sealer: toolKeys(), Signer: toolKeys(),
		Deployments: must(platform.NewLearned(platform.LearnedConfig{Store: f.records})),
	}))
	return f, key
}
