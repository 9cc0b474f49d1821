// SPDX-License-Identifier: Apache-2.0

//go:build unix

package launch_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ltisidecar/ltisidecar/bench/measure"
	"github.com/ltisidecar/ltisidecar/bench/workload"
	"github.com/ltisidecar/ltisidecar/keystore"
	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
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
	requests := f.benchmarkRequests(key, b.N)
	measureEach(b, len(requests), func(i int) error {
		_, err := f.Validate(b.Context(), "local", requests[i])
		return err
	})
}

// BenchmarkRefuse measures refusals, beyond transport: early ones on state, binding and token header, late ones after
// the payload was read, for what a stranger can know: a kid and a length of signatures.
func BenchmarkRefuse(b *testing.B) {
	f, key := newBenchmark(b)
	for name, refused := range map[string]struct {
		change func(r *launch.Request)
		want   lti.Reason
	}{
		"early/state":   {func(r *launch.Request) { setParameter(r, "state", func(s string) string { return flip(s, len(s)/2) }) }, lti.ReasonStateForged},
		"early/binding": {func(r *launch.Request) { r.Browser.CookieHeader = "" }, lti.ReasonBindingMissing},
		"early/header": {func(r *launch.Request) {
			setParameter(r, "id_token", func(token string) string {
				_, rest, _ := strings.Cut(token, ".")
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"key-1"}`)) + "." + rest
			})
		}, lti.ReasonAlgorithmNotAllowed},
		"late/payload": {func(r *launch.Request) {
			setParameter(r, "id_token", func(token string) string {
				// The last claim is the nonce; its last letters become something that is no JSON.
				end := strings.LastIndexByte(token, '.')
				return token[:end-8] + "AAAAAAAA" + token[end:]
			})
		}, lti.ReasonTokenMalformed},
		"late/issuer": {func(r *launch.Request) {
			setParameter(r, "id_token", func(token string) string {
				parts := strings.Split(token, ".")
				payload := must(base64.RawURLEncoding.DecodeString(parts[1]))
				parts[1] = base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("canvas.instructure.com"), []byte("canvas.instructure.org"), 1))
				return strings.Join(parts, ".")
			})
		}, lti.ReasonIssuerMismatch},
	} {
		b.Run(name, func(b *testing.B) {
			// One launch will do: it is never accepted.
			r := f.benchmarkRequests(key, 1)[0]
			if _, err := f.Validate(b.Context(), "local", f.benchmarkRequests(key, 1)[0]); err != nil {
				b.Fatal(err) // the keys are fetched now
			}
			refused.change(&r)
			measureEach(b, b.N, func(int) error {
				if _, err := f.Validate(b.Context(), "local", r); lti.ReasonOf(err) != refused.want {
					return fmt.Errorf("%v, want %s", err, refused.want)
				}
				return nil
			})
		})
	}
}

func setParameter(r *launch.Request, name string, change func(string) string) {
	for i := range r.Browser.Parameters {
		if p := &r.Browser.Parameters[i]; p.Name == name {
			p.Value = change(p.Value)
		}
	}
}

// flip changes one letter of a text.
func flip(text string, at int) string {
	other := "A"
	if text[at] == 'A' {
		other = "B"
	}
	return text[:at] + other + text[at+1:]
}

// benchmarkRequests begins logins and signs their tokens.
func (f *fixture) benchmarkRequests(key *workload.Key, count int) []launch.Request {
	requests := make([]launch.Request, count)
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
	must(0, making.Wait())
	return requests
}

// measureEach runs count calls and reports their CPU time in units of R.
func measureEach(b *testing.B, count int, call func(i int) error) {
	b.Helper()
	verification := must(measure.NewVerification())
	runtime.GC()
	unit := must(verification.Cost(2000))
	begun := must(measure.OwnCPU())
	var next atomic.Int64
	var calls errgroup.Group
	b.ReportAllocs()
	b.ResetTimer()
	for range benchmarkConcurrency {
		calls.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return nil
				}
				if err := call(i); err != nil {
					return err
				}
			}
		})
	}
	if err := calls.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	used := must(measure.OwnCPU()) - begun
	unit = (unit + must(verification.Cost(2000))) / 2
	b.ReportMetric(float64(used)/float64(count)/float64(unit), "R/op")
	b.ReportMetric(float64(unit.Nanoseconds()), "ns/R")
}

// newBenchmark makes a fixture of the workload's platform by the real clock, and the key that the platform signs with.
func newBenchmark(b *testing.B) (*fixture, *workload.Key) {
	b.Helper()
	debug.SetGCPercent(400) // as the sidecar does
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
