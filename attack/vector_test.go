// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	pb "github.com/ltisidecar/ltisidecar/proto/ltisidecar/v1"
)

// A vector is one attack, or one oddity that must be accepted: a good launch with one thing changed. It is made from
// the inside out: claims, payload, header, segments, signature, token, request. All fields but family and name may be
// left out.
type vector struct {
	family, name string
	want         lti.Reason // "": accepted
	claim        string     // the claim that the refusal must name; "": not compared

	on       string                             // platform; "": a, or the vector's own where keys is set
	login    []string                           // further parameters of the login initiation
	auth     func(*pb.BuildAuthRequestRequest)  // attacks the login initiation itself
	claims   map[string]any                     // see claims
	payload  func(text string) string           // rewrites the payload's JSON
	header   string                             // JSON; "": the usual
	segments func(h, p string) (string, string) // rewrites the encoded header and payload, before they are signed
	sign     func(input string) []byte          // nil: RS256 with the platform's key
	token    func(token string) string          // rewrites the token, after it was signed
	request  func(*login, *pb.ValidateLaunchRequest)
	keys     string         // the key set that the platform serves at first; a good one follows
	after    time.Duration  // between login and launch
	then     map[string]any // claims of the good launch that follows
	spent    bool           // the login cannot be used any more afterwards, and should not
}

// outcome is what became of the vectors of a family.
type outcome struct {
	Family   string `json:"family"`
	Attacks  int    `json:"attacks"`
	Refused  int    `json:"refused"`
	Oddities int    `json:"oddities"`
	Accepted int    `json:"accepted"`
}

var outcomes = map[string]*outcome{}

// record counts a vector for the table.
func record(family string, attack, passed bool) {
	o := outcomes[family]
	if o == nil {
		o = &outcome{Family: family}
		outcomes[family] = o
	}
	one := 0
	if passed {
		one = 1
	}
	if attack {
		o.Attacks++
		o.Refused += one
	} else {
		o.Oddities++
		o.Accepted += one
	}
}

// runAll runs vectors one after the other, and refuses a name that comes twice.
func (s *stack) runAll(t *testing.T, vectors []vector) {
	t.Helper()
	names := map[string]bool{}
	for i := range vectors {
		v := &vectors[i]
		if names[v.family+v.name] {
			t.Errorf("two vectors are called %s %s", v.family, v.name)
		}
		names[v.family+v.name] = true
		problems := s.run(v)
		for _, problem := range problems {
			t.Errorf("%s %s: %s", v.family, v.name, problem)
		}
		record(v.family, v.want != "", len(problems) == 0)
	}
	if visits := s.tripwire.visits.Load(); visits != 0 {
		t.Errorf("%d connections to a host that only attacks named", visits)
	}
}

// run runs one vector and says what went wrong.
func (s *stack) run(v *vector) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	p := s.parties["a"]
	if v.on != "" {
		p = s.parties[v.on]
	}
	if v.keys != "" {
		p.set(document(v.keys))
	}
	before, errorsBefore, visits := s.refusals(), s.errors.Load(), s.tripwire.visits.Load()
	var l *login
	var err error
	if v.auth != nil {
		request := s.authRequest(p, v.login...)
		v.auth(request)
		_, err = s.launches.BuildAuthRequest(s.t.Context(), request)
	} else if l, err = s.begin(p, v.login...); err == nil {
		s.clock.add(v.after)
		err = s.validate(s.attack(v, l))
	}
	if info := infoOf(err); v.want == "" && err != nil {
		wrong("refused: %v", err)
	} else if info.GetReason() != string(v.want) {
		wrong("reason %q, want %q (%v)", info.GetReason(), v.want, err)
	} else if v.claim != "" && info.GetMetadata()["claim"] != v.claim {
		wrong("it names the claim %q, want %q", info.GetMetadata()["claim"], v.claim)
	}
	for reason, count := range s.refusals() {
		grown := count - before[reason]
		if want := reason == string(v.want); want && grown != 1 || !want && grown != 0 {
			wrong("the counter of %s grew by %v", reason, grown)
		}
	}
	if s.errors.Load() != errorsBefore {
		wrong("it was logged as a defect")
	}
	if s.tripwire.visits.Load() != visits {
		wrong("the sidecar connected to a host that only the attack named")
	}
	if v.want != "" && !v.spent {
		if err := s.stillGood(v, p, l); err != nil {
			wrong("afterwards, a good launch is refused: %v", err)
		}
	}
	return problems
}

// stillGood launches with the login of a vector, or with a new one where the attack was on the login.
func (s *stack) stillGood(v *vector, p *party, l *login) error {
	if v.keys != "" {
		p.set(document(keySet(rsaKey(goodKID, &p.key.PublicKey, ""))))
		s.clock.add(2 * time.Minute) // the sidecar looks again when the set expires
	}
	if l == nil {
		var err error
		if l, err = s.begin(p); err != nil {
			return err
		}
	}
	return s.validate(s.good(l, v.then))
}

// attack makes the request of a vector.
func (s *stack) attack(v *vector, l *login) *pb.ValidateLaunchRequest {
	body := payload(s.claims(l, v.claims))
	if v.payload != nil {
		body = v.payload(body)
	}
	header := v.header
	if header == "" {
		header = `{"typ":"JWT","alg":"RS256","kid":"` + goodKID + `"}`
	}
	header = strings.ReplaceAll(header, "TRIPWIRE", s.tripwire.address)
	h, b := base64url([]byte(header)), base64url([]byte(body))
	if v.segments != nil {
		h, b = v.segments(h, b)
	}
	sign := v.sign
	if sign == nil {
		sign = func(input string) []byte { return signRS256(l.party.key, input) }
	}
	token := h + "." + b + "." + base64url(sign(h+"."+b))
	if v.token != nil {
		token = v.token(token)
	}
	request := launchRequest(l, token)
	if v.request != nil {
		v.request(l, request)
	}
	return request
}
