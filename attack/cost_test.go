// SPDX-License-Identifier: Apache-2.0

//go:build unix

package attack

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/launch"
	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// The limits of the cost of a refusal that needs no key of the platform: in units of one RSA-2048 verification (R), and
// more for each KiB of the token.
const (
	costFixed  = 0.2
	costPerKiB = 0.06

	mostCPU    = 10 * time.Millisecond // of any one request
	mostMemory = 16 << 20              // bytes allocated by any one request
	rounds     = 5
)

// costRow is one kind of refusal.
type costRow struct {
	Name   string        `json:"name"`
	KiB    float64       `json:"kib"`
	CPU    time.Duration `json:"cpu_ns"`
	Units  float64       `json:"verifications"`
	Limit  float64       `json:"limit"` // 0: only the limits of any one request
	Memory int64         `json:"bytes_allocated"`
}

// costReport is the cost of all kinds.
type costReport struct {
	Verification time.Duration `json:"rsa_2048_verification_ns"`
	Rows         []costRow     `json:"rows"`
}

var measured *costReport

func (r *costReport) print() {
	fmt.Printf("\ncost of refusal, beyond transport and without garbage collection (R = one RSA-2048 verification = %s)\n%-52s %8s %11s %8s %8s %11s\n", r.Verification, "request", "KiB", "CPU", "in R", "limit", "allocated")
	for _, row := range r.Rows {
		limit := "-"
		if row.Limit > 0 {
			limit = fmt.Sprintf("%.2f", row.Limit)
		}
		fmt.Printf("%-52s %8.1f %11s %8.2f %8s %11d\n", row.Name, row.KiB, row.CPU, row.Units, limit, row.Memory)
	}
}

// processTime is the CPU time that the process has used.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// cpuOf returns the least of some rounds of the CPU time of one call: what else the machine does can only add to it. The
// garbage collector rests in a round, because its share depends on the rest of the process; what a call leaves it to do
// is in the table beside it.
func cpuOf(t *testing.T, calls int, call func()) time.Duration {
	t.Helper()
	call()
	times := make([]time.Duration, rounds)
	for i := range times {
		runtime.GC()
		percent := debug.SetGCPercent(-1)
		before := processTime(t)
		for range calls {
			call()
		}
		times[i] = (processTime(t) - before) / time.Duration(calls)
		debug.SetGCPercent(percent)
	}
	return slices.Min(times)
}

// domainRequest is a request as the server hands it to the validator.
func domainRequest(request *pb.ValidateLaunchRequest) launch.Request {
	b := request.Browser
	r := launch.Request{LaunchURI: request.LaunchUri, Browser: launch.BrowserRequest{
		CookieHeader: b.CookieHeader, Method: b.Method, Origin: b.Origin, SecFetchSite: b.SecFetchSite, SecFetchDest: b.SecFetchDest,
	}}
	for _, parameter := range b.Parameters {
		r.Browser.Parameters = append(r.Browser.Parameters, launch.Parameter{Name: parameter.Name, Value: parameter.Value})
	}
	return r
}

// TestCostOfRefusal measures. It fails on times only for `make attack`: elsewhere the machine is not its own.
func TestCostOfRefusal(t *testing.T) {
	report := os.Getenv("ATTACK_REPORT") != ""
	if !report {
		t.Skip("make attack measures the cost of refusals")
	}
	s := newStack(t, 1)
	digest := sha256.Sum256([]byte("x"))
	signature := signRS256(platformKey, "x")
	r := &costReport{Verification: cpuOf(t, 5000, func() {
		if err := rsa.VerifyPKCS1v15(&platformKey.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
			t.Fatal(err)
		}
	})}
	measured = r
	// The keys are fetched before.
	if err := s.validate(s.good(must(s.begin(s.parties["a"])), nil)); err != nil {
		t.Fatal(err)
	}
	// measure measures one kind of request. limited: it has no well-formed signature by a known kid.
	measure := func(name string, size int, limited bool, call func()) {
		t.Helper()
		var before, after runtime.MemStats
		call()
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		row := costRow{Name: name, KiB: float64(size) / 1024, Memory: int64(after.TotalAlloc - before.TotalAlloc)}
		row.CPU = cpuOf(t, max(50, int(200*time.Millisecond/time.Duration(10_000+size*20))), call)
		row.Units = float64(row.CPU) / float64(r.Verification)
		if limited {
			row.Limit = costFixed + costPerKiB*row.KiB
		}
		r.Rows = append(r.Rows, row)
		if row.Limit > 0 && row.Units > row.Limit {
			t.Errorf("%s (%.1f KiB): %.2f R, over the limit of %.2f", name, row.KiB, row.Units, row.Limit)
		}
		if row.CPU > mostCPU || row.Memory > mostMemory {
			t.Errorf("%s: %s and %d bytes, over the limit of any one request", name, row.CPU, row.Memory)
		}
	}
	add := func(v *vector, limited bool) {
		t.Helper()
		request := s.attack(v, must(s.begin(s.parties["a"], v.login...)))
		domain := domainRequest(request)
		size := 0
		for _, parameter := range request.Browser.Parameters {
			size += len(parameter.Value)
		}
		measure(v.name, size, limited, func() {
			if _, err := s.validator.Validate(t.Context(), "local", domain); lti.ReasonOf(err) != v.want {
				t.Fatalf("%s: %v, want %q", v.name, err, v.want)
			}
		})
	}
	for _, kib := range []int{0, 8, 32, 44} {
		fill := func(p string) string {
			return p[:len(p)-1] + `,"x":"` + strings.Repeat("x", kib<<10) + `"}`
		}
		members := func(p string) string { return p[:len(p)-1] + many(kib*100) + "}" }
		with := func(name string, want lti.Reason, v vector) {
			v.name, v.want = name, want
			if v.payload == nil {
				v.payload = fill
			}
			add(&v, true)
		}
		with("state forged", lti.ReasonStateForged, vector{request: func(l *login, q *pb.ValidateLaunchRequest) {
			setParameter(q.Browser, "state", l.state[:len(l.state)-2]+"AA")
		}})
		with("no cookie", lti.ReasonBindingMissing, vector{request: func(_ *login, q *pb.ValidateLaunchRequest) { q.Browser.CookieHeader = "" }})
		with("another's cookie", lti.ReasonBindingMismatch, vector{request: func(l *login, q *pb.ValidateLaunchRequest) {
			q.Browser.CookieHeader = strings.Split(l.cookies[0], "=")[0] + "=x"
		}})
		with("alg none", lti.ReasonAlgorithmNotAllowed, vector{header: headerWith(`"none"`, "")})
		with("crit", lti.ReasonHeaderUnsupported, vector{header: headerWith(`"RS256"`, `,"crit":["x"]`)})
		with("no kid", lti.ReasonKIDMissing, vector{header: `{"alg":"RS256"}`})
		with("signature not base64url", lti.ReasonTokenMalformed, vector{token: func(token string) string { return token + "=" }})
		with("one long text, unknown kid", lti.ReasonKIDUnknown, vector{header: headerKID(`"k9"`, "")})
		with("many members, unknown kid", lti.ReasonKIDUnknown, vector{header: headerKID(`"k9"`, ""), payload: members})
		with("many members, signature of another length", lti.ReasonSignatureInvalid, vector{payload: members, sign: func(string) []byte { return []byte("x") }})
		// With a well-formed signature by a known kid, the payload is read and the signature verified: no limit but that
		// of any request.
		for _, v := range []vector{
			{name: "well-formed signature, one long text, cut off", want: lti.ReasonTokenMalformed, payload: func(p string) string { return strings.TrimSuffix(fill(p), "}") }},
			{name: "well-formed signature, one long text, wrong issuer", want: lti.ReasonIssuerMismatch, payload: fill, claims: only("iss", "https://evil.example")},
			{name: "well-formed signature, many members, cut off", want: lti.ReasonTokenMalformed, payload: func(p string) string { return strings.TrimSuffix(members(p), "}") }},
		} {
			add(&v, false)
		}
	}
	// A body of notices as large as it may be. Which keys a notice can be signed with is known only when its payload was
	// read, so there is no limit but that of any request.
	notices := func(name string, count int, v vector) {
		t.Helper()
		v.claims = noticeClaims("n1", v.claims)
		token := idToken(s.attack(&v, must(s.begin(s.parties["a"]))))
		body := []byte(`{"notices":[` + strings.TrimSuffix(strings.Repeat(`{"jwt":"`+token+`"},`, count), ",") + `]}`)
		measure(fmt.Sprintf("%d notices, %s", count, name), len(body), false, func() {
			results, err := s.validator.ValidateNotices(t.Context(), body)
			if err != nil || len(results) != count || results[0].Refusal == nil || results[0].Refusal.Reason != v.want {
				t.Fatalf("%s: %+v, %v", name, results, err)
			}
		})
	}
	members := func(p string) string { return p[:len(p)-1] + many(3800) + "}" }
	notices("unknown kid", 100, vector{header: headerKID(`"k9"`, ""), want: lti.ReasonKIDUnknown})
	notices("signature of another key", 100, vector{sign: func(input string) []byte { return signRS256(attackerKey, input) }, want: lti.ReasonSignatureInvalid})
	notices("many members, unknown kid", 5, vector{header: headerKID(`"k9"`, ""), payload: members, want: lti.ReasonKIDUnknown})
	notices("a long list, unknown issuer", 4, vector{claims: map[string]any{"iss": "https://evil.example", "x": raw("[" + strings.Repeat("0,", 19800) + "0]")}, want: lti.ReasonIssuerUnknown})
	// What is allowed a verification, and what is made to cost.
	add(&vector{name: "signature of another key", want: lti.ReasonSignatureInvalid, sign: func(input string) []byte { return signRS256(attackerKey, input) }}, false)
	for _, v := range []vector{
		{name: "60,000 dots", want: lti.ReasonTokenMalformed, token: func(string) string { return strings.Repeat(".", 60000) }},
		{name: "20,000 deep", want: lti.ReasonTokenMalformed, payload: func(string) string { return strings.Repeat(`{"":`, 10000) }},
		{name: "a list of 20,001", want: lti.ReasonTokenMalformed, payload: func(p string) string { return p[:len(p)-1] + `,"x":[` + strings.Repeat("1,", 20000) + "1]}" }},
		{name: "a header of 1,000 members", want: lti.ReasonTokenMalformed, header: `{"alg":"RS256"` + many(1000) + `}`},
		{name: "a header of 700 members", want: lti.ReasonKIDUnknown, header: `{"alg":"RS256","kid":"k9"` + many(600) + `}`},
		{name: "a number of 40,000 digits", want: lti.ReasonClaimInvalid, claims: only("exp", raw(strings.Repeat("9", 40000)))},
		{name: "an exponent of 40,000 digits", want: lti.ReasonClaimInvalid, claims: only("exp", raw("1e"+strings.Repeat("9", 40000)))},
		{name: "3,000 audiences", want: lti.ReasonAudienceMismatch, claims: only("aud", slices.Repeat([]string{"x"}, 3000))},
		{name: "aud of 9,000 nulls", want: lti.ReasonClaimInvalid, claims: only("aud", raw("["+strings.Repeat("null,", 9000)+"1]"))},
		{name: "40 KiB of escapes in iss", want: lti.ReasonIssuerMismatch, claims: only("iss", raw(`"`+strings.Repeat(`\u0061`, 7000)+`"`))},
		{name: "cookies of 30 KiB", want: lti.ReasonBindingMissing, request: func(_ *login, q *pb.ValidateLaunchRequest) {
			q.Browser.CookieHeader = strings.Repeat("__Host-lti-00000000=x; ", 1300)
		}},
		{name: "64 parameters of 2 KiB", want: lti.ReasonParameterRepeated, request: func(_ *login, q *pb.ValidateLaunchRequest) {
			q.Browser.Parameters = nil
			for range 64 {
				q.Browser.Parameters = append(q.Browser.Parameters, &pb.Parameter{Name: "error_description", Value: strings.Repeat("x", 2048)})
			}
		}},
	} {
		add(&v, false)
	}
}
