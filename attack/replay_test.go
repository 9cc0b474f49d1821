// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// stateVectors: C10-C13, and the form around the token.
func stateVectors() []vector {
	var vectors []vector
	add := func(name string, want lti.Reason, change func(l *login, b *pb.BrowserRequest)) {
		vectors = append(vectors, vector{family: "F", name: name, want: want, request: func(l *login, r *pb.ValidateLaunchRequest) { change(l, r.Browser) }})
	}
	for name, change := range map[string]func(string) string{
		"foreign": func(string) string { return "af0ifjsldkj" }, "of zeros behind the seal's id": func(s string) string { return s[:11] + strings.Repeat("A", len(s)-11) }, "cut by one": func(s string) string { return s[:len(s)-1] },
		"cut by half": func(s string) string { return s[:len(s)/2] }, "with one more": func(s string) string { return s + "A" }, "padded": func(s string) string { return s + "==" }, "with a line break": func(s string) string { return s[:100] + "\n" + s[100:] },
		"with CR LF behind": func(s string) string { return s + "\r\n" }, "with a blank": func(s string) string { return s + " " }, "in capitals": func(s string) string { return s[:12] + strings.ToUpper(s[12:]) }, "twice": func(s string) string { return s + s }, "a JSON text": func(string) string { return `{"nonce":"x"}` },
		"a JWT": func(string) string { return "eyJhbGciOiJub25lIn0.e30." }, "an encoded NUL": func(s string) string { return s + "\x00" }, "of one letter": func(string) string { return "x" },
	} {
		add("state "+name, lti.ReasonStateForged, func(l *login, b *pb.BrowserRequest) { setParameter(b, "state", change(l.state)) })
	}
	for position := 12; position < 190; position += 17 { // behind the clear part, in nonce, fields and tag
		add(fmt.Sprintf("state with character %d altered", position), lti.ReasonStateForged, func(l *login, b *pb.BrowserRequest) {
			other := byte('A')
			if l.state[position] == other {
				other = 'B'
			}
			setParameter(b, "state", l.state[:position]+string(other)+l.state[position+1:])
		})
	}
	add("state and nonce swapped", lti.ReasonStateForged, func(l *login, b *pb.BrowserRequest) { setParameter(b, "state", l.nonce) })
	add("state too long", lti.ReasonParameterTooLong, func(_ *login, b *pb.BrowserRequest) { setParameter(b, "state", strings.Repeat("A", 513)) })
	add("state of another instance", lti.ReasonStateOtherInstance, func(l *login, b *pb.BrowserRequest) { setParameter(b, "state", "AAAA"+l.state[4:]) })
	add("state of zeros", lti.ReasonStateOtherInstance, func(l *login, b *pb.BrowserRequest) { setParameter(b, "state", strings.Repeat("A", len(l.state))) })
	add("state of a former seal", lti.ReasonStateStale, func(l *login, b *pb.BrowserRequest) {
		setParameter(b, "state", l.state[:7]+rotate(l.state[7])+l.state[8:])
	})
	for _, name := range []string{"state", "id_token"} {
		add("no "+name, lti.ReasonParameterMissing, func(_ *login, b *pb.BrowserRequest) { dropParameter(b, name) })
		add(name+" empty", lti.ReasonParameterMissing, func(_ *login, b *pb.BrowserRequest) { setParameter(b, name, "") })
		add("the name "+name+" in capitals", lti.ReasonParameterMissing, func(_ *login, b *pb.BrowserRequest) {
			for _, parameter := range b.Parameters {
				if parameter.Name == name {
					parameter.Name = strings.ToUpper(name)
				}
			}
		})
		add(name+" twice, equal", lti.ReasonParameterRepeated, func(_ *login, b *pb.BrowserRequest) {
			b.Parameters = append(b.Parameters, slices.Clone(b.Parameters)...)
		})
		add(name+" twice, the other first", lti.ReasonParameterRepeated, func(_ *login, b *pb.BrowserRequest) { repeatParameter(b, name, "x") })
		add(name+" twice, the other empty", lti.ReasonParameterRepeated, func(_ *login, b *pb.BrowserRequest) { repeatParameter(b, name, "") })
	}
	for _, name := range []string{"error", "error_description", "lti_storage_proof"} {
		add(name+" twice", lti.ReasonParameterRepeated, func(_ *login, b *pb.BrowserRequest) {
			repeatParameter(b, name, "x")
			repeatParameter(b, name, "x")
		})
	}
	for _, code := range []string{"login_required", "access_denied", "launch_no_longer_valid", "x\r\ny", "<script>alert(1)</script>", "", "\u202e"} {
		add(fmt.Sprintf("error %q beside a good token", code), lti.ReasonPlatformDenied, func(_ *login, b *pb.BrowserRequest) { setParameter(b, "error", code) })
	}
	for _, method := range []string{"GET", "PUT", "HEAD", "", "post", "POST ", "OPTIONS", "POST\r\n"} {
		add(fmt.Sprintf("method %q", method), lti.ReasonMethodNotAllowed, func(_ *login, b *pb.BrowserRequest) { b.Method = method })
	}
	add("65 parameters", lti.ReasonParameterTooLong, func(_ *login, b *pb.BrowserRequest) {
		for i := range 65 {
			setParameter(b, fmt.Sprintf("x%d", i), "x")
		}
	})
	add("33 KiB of cookies", lti.ReasonParameterTooLong, func(_ *login, b *pb.BrowserRequest) { b.CookieHeader += "; x=" + strings.Repeat("x", 33<<10) })

	// The binding to the browser.
	for name, cookies := range map[string]string{
		"none": "", "another's": "session=abc; lti=x", "a name alone": "__Host-lti-", "a name without the hash": "__Host-lti=x", "of another login": "__Host-lti-00000000=x; __Host-ltip-00000000=x", "rubbish": "=;;;==; ,", "8,000 of them": strings.Repeat("a=b; ", 6000),
	} {
		add("cookies: "+name, lti.ReasonBindingMissing, func(_ *login, b *pb.BrowserRequest) { b.CookieHeader = cookies })
	}
	for name, change := range map[string]func(string) string{
		"in capitals": strings.ToUpper, "with __Secure-": func(c string) string { return strings.ReplaceAll(c, "__Host-", "__Secure-") }, "without __Host-": func(c string) string { return strings.ReplaceAll(c, "__Host-", "") },
		"with a letter more": func(c string) string { return strings.ReplaceAll(c, "__Host-lti", "__Host-xlti") },
	} {
		add("cookie name "+name, lti.ReasonBindingMissing, func(_ *login, b *pb.BrowserRequest) { b.CookieHeader = change(b.CookieHeader) })
	}
	for name, change := range map[string]func(value string) string{
		"empty": func(string) string { return "" }, "foreign": func(string) string { return "1.AAAAAAAAAAAAAAAAAAAAAA" }, "cut": func(v string) string { return v[:len(v)-1] }, "longer": func(v string) string { return v + "A" },
		"in the other case": swapCase,
	} {
		add("cookie value "+name, lti.ReasonBindingMismatch, func(l *login, b *pb.BrowserRequest) {
			var list []string
			for _, cookie := range l.cookies {
				cookieName, value, _ := strings.Cut(cookie, "=")
				list = append(list, cookieName+"="+change(value))
			}
			b.CookieHeader = strings.Join(list, "; ")
		})
	}
	add("one good cookie and one bad of its login", lti.ReasonBindingMismatch, func(l *login, b *pb.BrowserRequest) {
		cookieName, _, _ := strings.Cut(l.cookies[1], "=")
		b.CookieHeader = l.cookies[0] + "; " + cookieName + "=x"
	})
	// A storage proof, where the platform offered no storage, or from a page that is not ours.
	proof := func(b *pb.BrowserRequest, l *login) {
		_, value, _ := strings.Cut(l.cookies[0], "=")
		b.CookieHeader = ""
		setParameter(b, "lti_storage_proof", value)
	}
	add("storage proof without storage", lti.ReasonBindingMissing, func(l *login, b *pb.BrowserRequest) {
		proof(b, l)
		b.SecFetchSite = "same-origin"
	})
	for name, change := range map[string]func(*pb.BrowserRequest){
		"cross-site": func(b *pb.BrowserRequest) { b.SecFetchSite = "cross-site" }, "same-site": func(b *pb.BrowserRequest) { b.SecFetchSite = "same-site" }, "typed in": func(b *pb.BrowserRequest) { b.SecFetchSite = "none" },
		"in capitals": func(b *pb.BrowserRequest) { b.SecFetchSite = "Same-Origin" }, "cross-site with our origin": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "cross-site", "https://tool.example" },
		"without a word": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "" }, "of origin null": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "null" },
		"of the platform's origin": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "https://a.example" }, "of an origin with a port": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "https://tool.example:444" },
		"of an origin like ours": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "https://tool.example.evil.example" }, "of our origin on http": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "http://tool.example" },
	} {
		vectors = append(vectors, vector{family: "F", name: "storage proof " + name, login: []string{"lti_storage_target", "frame"}, want: lti.ReasonBindingMissing, request: func(l *login, r *pb.ValidateLaunchRequest) {
			proof(r.Browser, l)
			change(r.Browser)
		}})
	}
	for name, value := range map[string]string{"foreign": "1.AAAAAAAAAAAAAAAAAAAAAA", "of one letter": "x"} {
		vectors = append(vectors, vector{family: "F", name: "storage proof " + name, login: []string{"lti_storage_target", "frame"}, want: lti.ReasonBindingMismatch, request: func(l *login, r *pb.ValidateLaunchRequest) {
			proof(r.Browser, l)
			r.Browser.SecFetchSite = "same-origin"
			setParameter(r.Browser, "lti_storage_proof", value)
		}})
	}
	for name, site := range map[string]func(*pb.BrowserRequest){
		"by Sec-Fetch-Site": func(b *pb.BrowserRequest) { b.SecFetchSite = "same-origin" }, "by Origin": func(b *pb.BrowserRequest) { b.SecFetchSite, b.Origin = "", "https://tool.example" },
	} {
		vectors = append(vectors, vector{family: "F", name: "odd: storage proof, our own page's " + name, login: []string{"lti_storage_target", "frame"}, request: func(l *login, r *pb.ValidateLaunchRequest) {
			proof(r.Browser, l)
			site(r.Browser)
		}})
	}
	for name, pick := range map[string]func(*login) string{
		"a quoted cookie":       func(l *login) string { return strings.Replace(l.cookies[0], "=", `="`, 1) + `"` },
		"only the plain cookie": func(l *login) string { return l.cookies[0] }, "only the partitioned cookie": func(l *login) string { return l.cookies[1] },
		"cookies of other logins too": func(l *login) string {
			return "a=b; __Host-lti-00000000=x; " + strings.Join(l.cookies, "; ") + "; __Host-ltip-11111111=y"
		},
	} {
		add("odd: "+name, "", func(l *login, b *pb.BrowserRequest) { b.CookieHeader = pick(l) })
	}
	vectors = append(vectors,
		vector{family: "F", name: "launch URI other than the login's", want: lti.ReasonStateMismatch, request: func(_ *login, r *pb.ValidateLaunchRequest) { r.LaunchUri = "https://staging.tool.example/lti/launch" }},
		vector{family: "F", name: "launch URI not listed", want: lti.ReasonLaunchURINotListed, request: func(_ *login, r *pb.ValidateLaunchRequest) { r.LaunchUri = "https://evil.example/" }},
		vector{family: "F", name: "no browser request", want: lti.ReasonRequestInvalid, request: func(_ *login, r *pb.ValidateLaunchRequest) { r.Browser = nil }},
		vector{family: "F", name: "state expired", after: 10 * time.Minute, want: lti.ReasonStateExpired, spent: true},
		vector{family: "F", name: "state expired long ago", after: 100 * time.Hour, want: lti.ReasonStateExpired, spent: true},
		vector{family: "F", name: "token expired while the user waited", after: 7 * time.Minute, claims: map[string]any{"exp": seconds(60), "iat": seconds(0)}, want: lti.ReasonTokenExpired})
	return vectors
}

// rotate returns another letter of the alphabet, so that a clear part of the state names another seal of this instance.
func rotate(letter byte) string {
	if letter == 'A' {
		return "B"
	}
	return "A"
}

// TestStateAndBinding runs the F family. What moves the clock comes last.
func TestStateAndBinding(t *testing.T) {
	s := newStack(t, 1)
	vectors := stateVectors()
	slices.SortStableFunc(vectors, func(a, b vector) int { return int(a.after - b.after) })
	s.runAll(t, vectors)
}

// expect sends a request and records whether it came out as it must.
func expect(t *testing.T, s *stack, name string, request *pb.ValidateLaunchRequest, want lti.Reason) {
	t.Helper()
	before := s.refusals()
	err := s.validate(request)
	passed := infoOf(err).GetReason() == string(want) && (err == nil) == (want == "")
	if !passed {
		t.Errorf("N %s: %v, want %q", name, err, want)
	}
	for reason, count := range s.refusals() {
		if grown := count - before[reason]; (reason == string(want)) != (grown == 1) || grown > 1 {
			t.Errorf("N %s: the counter of %s grew by %v", name, reason, grown)
			passed = false
		}
	}
	record("N", want != "", passed)
}

// TestReplay runs the N family: what was accepted once is never accepted again, in whatever form it comes.
func TestReplay(t *testing.T) {
	s := newStack(t, 1)
	a := s.parties["a"]
	fresh := func(on string) (*login, *pb.ValidateLaunchRequest) {
		l := must(s.begin(s.parties[on]))
		return l, s.good(l, nil)
	}
	l, first := fresh("a")
	expect(t, s, "the first time", first, "")
	for i := range 20 {
		expect(t, s, fmt.Sprintf("copy %d", i), first, lti.ReasonNonceReplayed)
	}
	again := func(name string, change func(*pb.ValidateLaunchRequest), want lti.Reason) {
		copied := s.good(l, nil)
		change(copied)
		expect(t, s, name, copied, want)
	}
	again("signed anew", func(*pb.ValidateLaunchRequest) {}, lti.ReasonNonceReplayed)
	again("with another cookie order", func(r *pb.ValidateLaunchRequest) { r.Browser.CookieHeader = l.cookies[1] + "; " + l.cookies[0] }, lti.ReasonNonceReplayed)
	again("with one cookie", func(r *pb.ValidateLaunchRequest) { r.Browser.CookieHeader = l.cookies[0] }, lti.ReasonNonceReplayed)
	again("without cookies", func(r *pb.ValidateLaunchRequest) { r.Browser.CookieHeader = "" }, lti.ReasonNonceReplayed)
	again("parameters in another order", func(r *pb.ValidateLaunchRequest) { slices.Reverse(r.Browser.Parameters) }, lti.ReasonNonceReplayed)
	again("with further parameters", func(r *pb.ValidateLaunchRequest) { setParameter(r.Browser, "x", "y") }, lti.ReasonNonceReplayed)
	again("from our own page", func(r *pb.ValidateLaunchRequest) {
		r.Browser.SecFetchSite, r.Browser.Origin = "same-origin", "https://tool.example"
	}, lti.ReasonNonceReplayed)
	again("at another launch URI", func(r *pb.ValidateLaunchRequest) { r.LaunchUri = "https://staging.tool.example/lti/launch" }, lti.ReasonStateMismatch)
	again("for other message types", func(r *pb.ValidateLaunchRequest) {
		r.AcceptMessageTypes = []pb.MessageType{pb.MessageType_MESSAGE_TYPE_RESOURCE_LINK}
	}, lti.ReasonNonceReplayed)
	for name, patch := range map[string]map[string]any{
		"another iat": only("iat", seconds(-10)), "another exp": only("exp", seconds(1000)), "another sub": only("sub", "user-2"), "a jti": only("jti", "x"), "another target": only(lti.ClaimTargetLinkURI, "https://tool.example/other"),
		"another deployment": only(lti.ClaimDeploymentID, "d2"), "another resource link": only(lti.ClaimResourceLink, map[string]any{"id": "x"}),
	} {
		expect(t, s, "signed anew with "+name, s.good(l, patch), lti.ReasonNonceReplayed)
	}
	for _, minutes := range []int{1, 3, 5} {
		s.clock.add(time.Duration(minutes) * time.Minute) // 9 minutes in all: the state still lives
		expect(t, s, fmt.Sprintf("signed anew, %d minutes later", minutes), s.good(l, nil), lti.ReasonNonceReplayed)
	}
	s.clock.add(time.Minute)
	expect(t, s, "when the state is over", s.good(l, nil), lti.ReasonStateExpired)
	s.clock.add(time.Hour)
	expect(t, s, "an hour later", s.good(l, nil), lti.ReasonStateExpired)

	// The nonce of an accepted launch, in the token of another login.
	other := must(s.begin(a))
	expect(t, s, "a used nonce in another login", s.good(other, only("nonce", l.nonce)), lti.ReasonNonceMismatch)
	expect(t, s, "the other login", s.good(other, nil), "")
	atB, _ := fresh("b")
	expect(t, s, "a used nonce at another platform", s.good(atB, only("nonce", other.nonce)), lti.ReasonNonceMismatch)
	expect(t, s, "the other platform", s.good(atB, nil), "")

	// Parallel copies: exactly one is accepted.
	for round, copies := range []int{48, 48, 48, 48, 1000} {
		_, request := fresh("a")
		reasons := make([]string, copies)
		var running sync.WaitGroup
		for i := range copies {
			running.Go(func() {
				err := s.validate(request)
				reasons[i] = infoOf(err).GetReason()
				if err == nil {
					reasons[i] = "accepted"
				}
			})
		}
		running.Wait()
		accepted, replayed := 0, 0
		for _, reason := range reasons {
			switch reason {
			case "accepted":
				accepted++
			case string(lti.ReasonNonceReplayed):
				replayed++
			}
		}
		if accepted != 1 || replayed != copies-1 {
			t.Errorf("N round %d of %d parallel copies: %d accepted, %d refused as a replay: %q", round, copies, accepted, replayed, reasons)
		}
		record("N", true, accepted == 1 && replayed == copies-1)
	}

	// A sidecar whose memory is gone, and a stranger.
	_, pending := fresh("a")
	restarted, stranger := newStack(t, 1), newStack(t, 9)
	for _, elsewhere := range []*stack{restarted, stranger} {
		elsewhere.clock.add(s.clock.elapsed())
	}
	expect(t, restarted, "an accepted launch after the memory is lost", s.good(other, nil), lti.ReasonStateStale)
	expect(t, restarted, "a pending launch after the memory is lost", pending, lti.ReasonStateStale)
	expect(t, stranger, "an accepted launch at another sidecar", s.good(other, nil), lti.ReasonStateOtherInstance)
	expect(t, stranger, "a pending launch at another sidecar", pending, lti.ReasonStateOtherInstance)
	expect(t, s, "the pending launch where it belongs", pending, "")
}
