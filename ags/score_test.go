// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/outbound"
	"github.com/ltisidecar/ltisidecar/platform"
)

// tokens hands out t1, t2, ...: the next one after each Drop.
type tokens struct {
	mutex   sync.Mutex
	issued  int
	dropped []string
	scopes  []string
	err     error
}

func (s *tokens) Token(_ context.Context, _ *platform.Registration, _ string, scopes []string) (platform.ServiceToken, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.scopes = scopes
	if s.err != nil {
		return platform.ServiceToken{}, s.err
	}
	s.issued++
	return platform.ServiceToken{AccessToken: platform.NewAccessToken(fmt.Sprintf("t%d", len(s.dropped)+1))}, nil
}

func (s *tokens) Drop(token platform.ServiceToken) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.dropped = append(s.dropped, token.AccessToken.Reveal())
}

// answer is one scripted answer; the connection is cut where cut is set.
type answer struct {
	status  int
	body    string
	headers map[string]string
	cut     bool
}

// gradePlatform is a score endpoint on a real TLS server, and a Client with a clock of its own.
type gradePlatform struct {
	t            *testing.T
	client       *Client
	tokens       *tokens
	registration *platform.Registration
	endpoint     lti.GradeEndpoint
	now          time.Time
	begun        int   // calls of Begin
	beginError   error // what Begin answers

	mutex    sync.Mutex
	script   []answer // the last one repeats
	requests []*http.Request
	bodies   []string
	hold     chan struct{}
	arrived  chan struct{}
}

func newGradePlatform(t *testing.T, dialect string, script ...answer) *gradePlatform {
	t.Helper()
	p := &gradePlatform{t: t, tokens: &tokens{}, script: script, now: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC), arrived: make(chan struct{}, 1000)}
	if len(p.script) == 0 {
		p.script = []answer{{status: 200}}
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mutex.Lock()
		p.requests, p.bodies = append(p.requests, r), append(p.bodies, string(body))
		next := p.script[0]
		if len(p.script) > 1 {
			p.script = p.script[1:]
		}
		hold := p.hold
		p.mutex.Unlock()
		p.arrived <- struct{}{}
		if hold != nil {
			<-hold
		}
		if next.cut {
			panic(http.ErrAbortHandler)
		}
		for name, value := range next.headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(next.status)
		io.WriteString(w, next.body)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := outbound.New(outbound.Config{RootCAs: roots, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	p.client, err = New(Config{
		HTTP: client, Tokens: p.tokens, Now: func() time.Time { return p.now },
		Allowed: func(_ context.Context, r *platform.Registration, deploymentID, uri string) error {
			if r != p.registration || deploymentID != "d" || !strings.HasPrefix(uri, server.URL) {
				return lti.Errorf(lti.ReasonServiceOriginPending, "no").With("registration", r.Name)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.registration = &platform.Registration{Name: "school", Dialect: dialect}
	p.endpoint = lti.GradeEndpoint{Registration: "school", DeploymentID: "d", LineItemURI: server.URL + "/li/7/lineitem?type_id=3", Scopes: []string{lti.ScopeScore}}
	return p
}

func value(f float64) *float64 { return &f }

func goodScore() lti.Score {
	return lti.Score{UserID: "ann", ScoreGiven: value(0.1), ScoreMaximum: value(1)}
}

// post drafts and sends a score, as the outbox does at the first attempt.
func (p *gradePlatform) post(score lti.Score) (Answer, error) {
	draft, err := p.client.Draft(p.t.Context(), p.registration, p.endpoint, score)
	if err != nil {
		return Answer{}, err
	}
	answer := p.send(draft, false)
	if answer.Problem != nil {
		return answer, answer.Problem
	}
	return answer, nil
}

func (p *gradePlatform) send(draft Draft, ambiguous bool) Answer {
	at := draft.Event
	if at.IsZero() {
		at = p.now
	}
	return p.client.Send(p.t.Context(), Sending{
		Registration: p.registration, DeploymentID: "d", URI: draft.URI, Body: draft.Body, Time: at, Ambiguous: ambiguous,
		Begin: func(context.Context) error { p.begun++; return p.beginError },
	})
}

func (p *gradePlatform) draft(score lti.Score) Draft {
	p.t.Helper()
	draft, err := p.client.Draft(p.t.Context(), p.registration, p.endpoint, score)
	if err != nil {
		p.t.Fatal(err)
	}
	return draft
}

func (p *gradePlatform) wantDelivered(score lti.Score) Answer {
	p.t.Helper()
	answer, err := p.post(score)
	if err != nil || answer.Outcome != Taken {
		p.t.Fatalf("answer = %+v, %v", answer, err)
	}
	return answer
}

func (p *gradePlatform) wantReason(score lti.Score, reason lti.Reason) *lti.Error {
	p.t.Helper()
	_, err := p.post(score)
	var e *lti.Error
	if !errors.As(err, &e) || e.Reason != reason {
		p.t.Fatalf("error = %v, want %s", err, reason)
	}
	for key := range e.Metadata {
		if !slices.Contains(reason.Info().Metadata, key) {
			p.t.Errorf("%s has metadata %q, which its row does not list", reason, key)
		}
	}
	return e
}

func TestRequest(t *testing.T) {
	p := newGradePlatform(t, "", answer{status: 201, body: `{"resultUrl":"https://lms.example/r/1"}`})
	score := goodScore()
	score.Comment, score.ScoringUserID = "fine <b>\n", "bob"
	delivery := p.wantDelivered(score)
	r := p.requests[0]
	if r.Method != "POST" || r.RequestURI != "/li/7/lineitem/scores?type_id=3" || r.Header.Get("Authorization") != "Bearer t1" ||
		!slices.Equal(r.Header["Content-Type"], []string{"application/vnd.ims.lis.v1.score+json"}) {
		t.Errorf("request = %s %s %v", r.Method, r.RequestURI, r.Header)
	}
	want := `{"timestamp":"2026-01-02T03:04:05.678Z","scoreGiven":0.1,"scoreMaximum":1,"comment":"fine \u003cb\u003e\n","activityProgress":"Completed","gradingProgress":"FullyGraded","userId":"ann","scoringUserId":"bob"}`
	if p.bodies[0] != want {
		t.Errorf("body = %s\nwant   %s", p.bodies[0], want)
	}
	if delivery.ResultURI != "https://lms.example/r/1" || p.begun != 1 {
		t.Errorf("answer = %+v, begun %d times", delivery, p.begun)
	}
	if !slices.Equal(p.tokens.scopes, []string{lti.ScopeScore}) {
		t.Errorf("asked for the scopes %q", p.tokens.scopes)
	}
}

func TestScoresURI(t *testing.T) {
	for lineItem, want := range map[string]string{
		"https://h/li/7":                       "https://h/li/7/scores",
		"https://h/li/7/":                      "https://h/li/7/scores",
		"https://h/li/7?type_id=1":             "https://h/li/7/scores?type_id=1",
		"https://h/li/7/?":                     "https://h/li/7/scores?",
		"https://h/li/a%2Fb%20c:::x?u=a/b&v=?": "https://h/li/a%2Fb%20c:::x/scores?u=a/b&v=?",
	} {
		if got, err := scoresURI(lineItem); err != nil || got != want {
			t.Errorf("scoresURI(%q) = %q, %v, want %q", lineItem, got, err, want)
		}
	}
	if _, err := scoresURI("https://h/li/7#x"); lti.ReasonOf(err) != lti.ReasonRequestInvalid {
		t.Errorf("a fragment: %v", err)
	}
}

func TestNumbers(t *testing.T) {
	for number, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 1: "1", 0.1: "0.1", 1e21: "1000000000000000000000", 1e-7: "0.0000001", 88.123456789: "88.123456789", 100: "100",
	} {
		if got := string(numberOf(&number)); got != want {
			t.Errorf("numberOf(%v) = %q, want %q", number, got, want)
		}
	}
}

func TestNoScoreIsNotZero(t *testing.T) {
	p := newGradePlatform(t, "")
	p.wantDelivered(lti.Score{UserID: "ann", ActivityProgress: lti.ActivityStarted, GradingProgress: lti.GradingNotReady})
	p.wantDelivered(lti.Score{UserID: "ann", ScoreGiven: value(0), ScoreMaximum: value(10)})
	if strings.Contains(p.bodies[0], "score") || strings.Contains(p.bodies[0], "comment") || strings.Contains(p.bodies[0], "scoringUserId") {
		t.Errorf("no score: %s", p.bodies[0])
	}
	if !strings.Contains(p.bodies[1], `"scoreGiven":0,"scoreMaximum":10`) {
		t.Errorf("zero: %s", p.bodies[1])
	}
}

func TestFieldsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*lti.Score)
		field  string
	}{
		"no user":          {func(s *lti.Score) { s.UserID = "" }, "score.user_id"},
		"long user":        {func(s *lti.Score) { s.UserID = strings.Repeat("ä", 256) }, "score.user_id"},
		"user with NUL":    {func(s *lti.Score) { s.UserID = "a\x00" }, "score.user_id"},
		"user not UTF-8":   {func(s *lti.Score) { s.UserID = "\xff" }, "score.user_id"},
		"grader":           {func(s *lti.Score) { s.ScoringUserID = "a\n" }, "score.scoring_user_id"},
		"negative":         {func(s *lti.Score) { s.ScoreGiven = value(-0.5) }, "score.score_given"},
		"NaN":              {func(s *lti.Score) { s.ScoreGiven = value(math.NaN()) }, "score.score_given"},
		"infinite":         {func(s *lti.Score) { s.ScoreGiven = value(math.Inf(1)) }, "score.score_given"},
		"no maximum":       {func(s *lti.Score) { s.ScoreMaximum = nil }, "score.score_maximum"},
		"zero maximum":     {func(s *lti.Score) { s.ScoreMaximum = value(0) }, "score.score_maximum"},
		"NaN maximum":      {func(s *lti.Score) { s.ScoreMaximum = value(math.NaN()) }, "score.score_maximum"},
		"infinite maximum": {func(s *lti.Score) { s.ScoreMaximum = value(math.Inf(1)) }, "score.score_maximum"},
		"activity":         {func(s *lti.Score) { s.ActivityProgress = "completed" }, "score.activity_progress"},
		"grading":          {func(s *lti.Score) { s.GradingProgress = "Done" }, "score.grading_progress"},
		"long comment":     {func(s *lti.Score) { s.Comment = strings.Repeat("a", maxCommentSize+1) }, "score.comment"},
		"comment NUL":      {func(s *lti.Score) { s.Comment = "\x00" }, "score.comment"},
		"future":           {func(s *lti.Score) { s.ScoreTime = time.Date(2026, 1, 2, 3, 9, 5, 678_900_001, time.UTC) }, "score.score_time"},
		"distant past":     {func(s *lti.Score) { s.ScoreTime = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, "score.score_time"},
	} {
		p := newGradePlatform(t, "")
		score := goodScore()
		test.change(&score)
		if e := p.wantReason(score, lti.ReasonRequestInvalid); e.Metadata["field"] != test.field {
			t.Errorf("%s: field %q, want %q", name, e.Metadata["field"], test.field)
		}
		if len(p.requests) != 0 || p.tokens.issued != 0 {
			t.Errorf("%s: something was sent", name)
		}
	}
	p := newGradePlatform(t, "")
	score := goodScore()
	score.UserID, score.Comment = strings.Repeat("ä", 255), strings.Repeat("a", maxCommentSize)
	score.ScoreGiven, score.ScoreTime = value(2), p.now.Add(maxAhead) // above the maximum is allowed
	p.wantDelivered(score)
}

func TestMissingServiceSaysWhatToSwitchOn(t *testing.T) {
	p := newGradePlatform(t, "moodle")
	whole := p.endpoint
	p.endpoint.LineItemURI = ""
	if e := p.wantReason(goodScore(), lti.ReasonServiceNotOffered); e.Metadata["missing"] != "line_item_uri" || !strings.Contains(e.Message, "In Moodle") {
		t.Errorf("%v %v", e, e.Metadata)
	}
	p.endpoint = whole
	p.endpoint.Scopes = []string{lti.ScopeMemberships}
	if e := p.wantReason(goodScore(), lti.ReasonServiceNotOffered); e.Metadata["missing"] != lti.ScopeScore {
		t.Errorf("%v", e.Metadata)
	}
	if len(p.requests) != 0 || p.tokens.issued != 0 {
		t.Error("something was sent")
	}
}

func TestTokenGoesOnlyWhereAllowed(t *testing.T) {
	p := newGradePlatform(t, "")
	p.endpoint.LineItemURI = "https://evil.example/li"
	p.wantReason(goodScore(), lti.ReasonServiceOriginPending)
	if p.tokens.issued != 0 {
		t.Error("a token was fetched")
	}
}

func TestAnswers(t *testing.T) {
	canvasThrottle := "403 Forbidden (Rate Limit Exceeded)"
	for name, test := range map[string]struct {
		dialect  string
		answer   answer
		reason   lti.Reason // empty: delivered
		requests int
		words    string
	}{
		"200 empty":               {"", answer{status: 200}, "", 1, ""},
		"201 echo":                {"", answer{status: 201, body: "{}"}, "", 1, ""},
		"204":                     {"", answer{status: 204}, "", 1, ""},
		"202 page":                {"", answer{status: 202, body: "<html>"}, "", 1, ""},
		"Moodle's 200 []":         {"moodle", answer{status: 200, body: "[]\n"}, lti.ReasonScoreRefused, 1, ""},
		"200 [] elsewhere":        {"canvas", answer{status: 200, body: "[]"}, "", 1, ""},
		"400":                     {"", answer{status: 400, body: `{"error":"ann is no student, mail a@b.example"}`}, lti.ReasonScoreRefused, 1, "[hidden] is no student, mail [address]"},
		"Canvas older":            {"canvas", answer{status: 400, body: `{"errors":{"message":"Provided timestamp of x before last updated timestamp of y"}}`}, lti.ReasonScoreOutdated, 1, ""},
		"Canvas other 400":        {"canvas", answer{status: 400, body: `{"errors":{"message":"Timestamp must be ISO8601"}}`}, lti.ReasonScoreRefused, 1, "Timestamp must be ISO8601"},
		"401":                     {"", answer{status: 401, body: "no"}, lti.ReasonServiceRefused, 2, "no"},
		"403 generic":             {"", answer{status: 403}, lti.ReasonServiceRefused, 2, ""},
		"403 Moodle":              {"moodle", answer{status: 403}, lti.ReasonServiceRefused, 1, ""},
		"403 Canvas":              {"canvas", answer{status: 403, body: "{}"}, lti.ReasonServiceRefused, 1, "{}"},
		"403 Canvas throttle":     {"canvas", answer{status: 403, body: canvasThrottle}, lti.ReasonPlatformThrottled, 1, ""},
		"404 JSON":                {"moodle", answer{status: 404, body: `{"status":404}`, headers: map[string]string{"Content-Type": "application/json"}}, lti.ReasonLineItemNotFound, 1, ""},
		"404 page Moodle":         {"moodle", answer{status: 404, body: "<html>", headers: map[string]string{"Content-Type": "text/html"}}, lti.ReasonPlatformUnavailable, 1, ""},
		"404 page elsewhere":      {"canvas", answer{status: 404, body: "<html>"}, lti.ReasonLineItemNotFound, 1, ""},
		"409":                     {"moodle", answer{status: 409, body: "[]"}, lti.ReasonScoreOutdated, 1, ""},
		"412":                     {"", answer{status: 412}, lti.ReasonScoreRefused, 1, ""},
		"422":                     {"", answer{status: 422, body: "User not found in course"}, lti.ReasonScoreRefused, 1, "User not found in course"},
		"429":                     {"", answer{status: 429, headers: map[string]string{"Retry-After": "7"}}, lti.ReasonPlatformThrottled, 1, ""},
		"302":                     {"", answer{status: 302, headers: map[string]string{"Location": "/login"}}, lti.ReasonServiceRefused, 1, ""},
		"500":                     {"", answer{status: 500, body: "[]"}, lti.ReasonPlatformUnavailable, 1, ""},
		"503":                     {"", answer{status: 503}, lti.ReasonPlatformUnavailable, 1, ""},
		"cut":                     {"", answer{cut: true}, lti.ReasonPlatformUnreachable, 1, ""},
		"token echoed":            {"", answer{status: 400, body: "bad token t1 here"}, lti.ReasonScoreRefused, 1, "bad token [hidden] here"},
		"an answer without bound": {"", answer{status: 200, body: strings.Repeat("a", maxAnswer+1)}, lti.ReasonPlatformAnswerInvalid, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newGradePlatform(t, test.dialect, test.answer)
			if test.reason == "" {
				p.wantDelivered(goodScore())
			} else {
				e := p.wantReason(goodScore(), test.reason)
				if test.words != "" && e.Metadata["platform_error"] != test.words {
					t.Errorf("platform_error = %q, want %q", e.Metadata["platform_error"], test.words)
				}
				if status := e.Metadata["platform_status"]; !test.answer.cut && test.reason != lti.ReasonPlatformAnswerInvalid && status != fmt.Sprint(test.answer.status) {
					t.Errorf("platform_status = %q", status)
				}
				if e.Reason == lti.ReasonPlatformThrottled && e.RetryAfter != map[bool]time.Duration{true: 7 * time.Second, false: defaultThrottle}[test.answer.status == 429] {
					t.Errorf("RetryAfter = %v", e.RetryAfter)
				}
			}
			if len(p.requests) != test.requests {
				t.Errorf("%d requests, want %d", len(p.requests), test.requests)
			}
		})
	}
}

func TestExpiredTokenIsReplacedOnce(t *testing.T) {
	for _, status := range []int{401, 403} {
		p := newGradePlatform(t, "", answer{status: status}, answer{status: 200})
		p.wantDelivered(goodScore())
		if len(p.bodies) != 2 || p.bodies[0] != p.bodies[1] {
			t.Fatalf("bodies = %q", p.bodies)
		}
		if got := p.requests[1].Header.Get("Authorization"); got != "Bearer t2" || !slices.Equal(p.tokens.dropped, []string{"t1"}) {
			t.Errorf("%d: %q, dropped %q", status, got, p.tokens.dropped)
		}
	}
}

func TestCommentWhereItIsRequired(t *testing.T) {
	for _, test := range []struct{ dialect, comment, want string }{
		{"", "", ""},
		{"moodle", "", ""},
		{"schoology", "", `"comment":""`},
		{"schoology", "Well done.", `"comment":"Well done."`},
		{"", "Well done.", `"comment":"Well done."`},
	} {
		p := newGradePlatform(t, test.dialect)
		score := goodScore()
		score.Comment = test.comment
		p.wantDelivered(score)
		body := string(p.bodies[0])
		if has := strings.Contains(body, `"comment"`); has != (test.want != "") || !strings.Contains(body, test.want) {
			t.Errorf("%q with comment %q: %s", test.dialect, test.comment, body)
		}
	}
}

func TestDraft(t *testing.T) {
	yes := true
	for name, test := range map[string]struct {
		change                func(*lti.Score)
		replaces, replaceable bool
	}{
		"plain":       {func(*lti.Score) {}, true, true},
		"graded":      {func(s *lti.Score) { s.GradingProgress = lti.GradingFullyGraded }, true, true},
		"pending":     {func(s *lti.Score) { s.GradingProgress = lti.GradingPending }, false, true},
		"no score":    {func(s *lti.Score) { s.ScoreGiven = nil }, false, true},
		"comment":     {func(s *lti.Score) { s.Comment = "fine" }, false, false},
		"submission":  {func(s *lti.Score) { s.SubmissionTime = time.Unix(1e9, 0) }, false, false},
		"extension":   {func(s *lti.Score) { s.ExtensionsJSON = `{"https://a.example/x":1}` }, false, false},
		"canvas":      {func(s *lti.Score) { s.Canvas = &lti.CanvasSubmission{NewSubmission: &yes} }, false, false},
		"no members":  {func(s *lti.Score) { s.ExtensionsJSON = `{}` }, true, true},
		"own grading": {func(s *lti.Score) { s.ScoringUserID = "bob" }, true, true},
	} {
		p := newGradePlatform(t, "canvas")
		score := goodScore()
		score.ScoreTime = time.Date(2026, 1, 1, 0, 0, 0, 1_999_999, time.FixedZone("", 3600))
		test.change(&score)
		draft := p.draft(score)
		if draft.Replaces != test.replaces || draft.Replaceable != test.replaceable || draft.Grain != time.Millisecond ||
			!draft.Event.Equal(time.Date(2025, 12, 31, 23, 0, 0, 1_000_000, time.UTC)) || len(p.requests) != 0 {
			t.Errorf("%s: %+v", name, draft)
		}
	}
	if draft := newGradePlatform(t, "moodle").draft(goodScore()); !draft.Event.IsZero() || draft.Grain != time.Second {
		t.Errorf("%+v", draft)
	}
}

func TestSameBytesAtEveryAttempt(t *testing.T) {
	p := newGradePlatform(t, "", answer{cut: true}, answer{status: 200})
	draft := p.draft(goodScore())
	if answer := p.send(draft, false); answer.Outcome != Unknown || lti.ReasonOf(answer.Problem) != lti.ReasonPlatformUnreachable || !answer.HostFault {
		t.Fatalf("%+v", answer)
	}
	if answer := p.send(draft, true); answer.Outcome != Taken {
		t.Fatalf("%+v", answer)
	}
	if p.bodies[0] != p.bodies[1] || p.begun != 2 {
		t.Errorf("%q, begun %d times", p.bodies, p.begun)
	}
}

// What "not newer" says of a score that was sent before.
func TestOutdatedAsEvidence(t *testing.T) {
	canvas := answer{status: 400, body: `{"errors":{"message":"Provided timestamp of x before last updated timestamp of y"}}`}
	openedx := answer{status: 400, body: `{"timestamp":["Score already exists for the provided timestamp"]}`}
	for _, test := range []struct {
		dialect         string
		answer          answer
		plain, repeated Outcome
	}{
		{"moodle", answer{status: 409, body: "[]"}, Outdated, Taken},
		{"openedx", openedx, Outdated, Taken},
		{"", answer{status: 409}, Outdated, Taken},
		{"canvas", canvas, Outdated, Outdated}, // Canvas takes an equal time, so it is a newer score that it has
		{"sakai", answer{status: 400}, Refused, Refused},
	} {
		p := newGradePlatform(t, test.dialect, test.answer)
		draft := p.draft(goodScore())
		if plain, repeated := p.send(draft, false), p.send(draft, true); plain.Outcome != test.plain || repeated.Outcome != test.repeated {
			t.Errorf("%s: %d and %d, want %d and %d", test.dialect, plain.Outcome, repeated.Outcome, test.plain, test.repeated)
		}
	}
}

// Where the beginning cannot be recorded, nothing leaves.
func TestNothingLeavesBeforeItsStartIsKept(t *testing.T) {
	p := newGradePlatform(t, "")
	p.beginError = errors.New("disk full")
	if answer := p.send(p.draft(goodScore()), false); answer.Outcome != NotTaken || len(p.requests) != 0 {
		t.Errorf("%+v after %d requests", answer, len(p.requests))
	}
}

func TestExtensions(t *testing.T) {
	yes, no := true, false
	score := goodScore()
	score.SubmissionStart, score.SubmissionTime = time.Date(2026, 1, 1, 10, 0, 0, 0, time.FixedZone("", 3600)), time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC)
	score.ExtensionsJSON = " {\"https://b.example/x\" : {\"z\": [1, 2.50, \"é\"] } , \"urn:a\":null}\n"
	score.Canvas = &lti.CanvasSubmission{
		NewSubmission: &yes, SubmissionType: "online_upload", SubmissionData: "d", SubmissionTime: time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC),
		PrioritizeNonToolGrade: &no, PreserveScore: &no, Files: []lti.CanvasFile{{URI: "https://t.example/f", Title: "f.pdf", MediaType: "application/pdf"}, {URI: "https://t.example/g", Title: "g"}},
	}
	common := `{"timestamp":"2026-01-02T03:04:05.678Z","scoreGiven":0.1,"scoreMaximum":1,"activityProgress":"Completed","gradingProgress":"FullyGraded","userId":"ann",` +
		`"submission":{"startedAt":"2026-01-01T09:00:00.000Z","submittedAt":"2026-01-01T09:30:00.000Z"},"https://b.example/x":{"z":[1,2.50,"é"]},"urn:a":null`
	canvas := `,"https://canvas.instructure.com/lti/submission":{"new_submission":true,"submission_type":"online_upload","submission_data":"d",` +
		`"submitted_at":"2026-01-01T09:30:00.000Z","content_items":[{"type":"file","url":"https://t.example/f","title":"f.pdf","media_type":"application/pdf"},` +
		`{"type":"file","url":"https://t.example/g","title":"g"}],"prioritize_non_tool_grade":false,"preserve_score":false}`
	for dialect, want := range map[string]string{"canvas": common + canvas + "}", "moodle": common + "}"} {
		p := newGradePlatform(t, dialect)
		p.wantDelivered(score)
		if p.bodies[0] != want {
			t.Errorf("%s: %s\nwant %s", dialect, p.bodies[0], want)
		}
	}
}

func TestExtensionsAreChecked(t *testing.T) {
	canvas := func(c lti.CanvasSubmission) func(*lti.Score) { return func(s *lti.Score) { s.Canvas = &c } }
	extensions := func(text string) func(*lti.Score) { return func(s *lti.Score) { s.ExtensionsJSON = text } }
	for _, test := range []struct {
		change func(*lti.Score)
		field  string
	}{
		{extensions("[]"), "score.extensions_json"}, {extensions("{"), "score.extensions_json"}, {extensions(`{"a":1}`), "score.extensions_json"},
		{extensions(`{"https://a.example/x":1,"https://a.example/x":2}`), "score.extensions_json"}, {extensions(`{"https://a.example/x":}`), "score.extensions_json"},
		{extensions(`{"https://a.example/x":1} {}`), "score.extensions_json"}, {extensions(`{"scoreGiven":1}`), "score.extensions_json"},
		{extensions(`{"https://a.example/x":"` + strings.Repeat("a", maxExtensionsSize) + `"}`), "score.extensions_json"},
		{extensions("{\"https://a.example/x\":\"\xff\"}"), "score.extensions_json"},
		{func(s *lti.Score) {
			s.Canvas, s.ExtensionsJSON = &lti.CanvasSubmission{}, `{"https://canvas.instructure.com/lti/submission":{}}`
		}, "score.extensions_json"},
		{canvas(lti.CanvasSubmission{SubmissionType: "essay"}), "score.canvas_submission.submission_type"},
		{canvas(lti.CanvasSubmission{SubmissionData: strings.Repeat("a", maxSubmissionData+1)}), "score.canvas_submission.submission_data"},
		{canvas(lti.CanvasSubmission{SubmissionData: "\xff"}), "score.canvas_submission.submission_data"},
		{canvas(lti.CanvasSubmission{SubmissionTime: time.Date(2026, 1, 2, 3, 5, 6, 0, time.UTC)}), "score.canvas_submission.submission_time"},
		{canvas(lti.CanvasSubmission{Files: make([]lti.CanvasFile, 21)}), "score.canvas_submission.files"},
		{canvas(lti.CanvasSubmission{Files: []lti.CanvasFile{{URI: "file:///etc/passwd", Title: "t"}}}), "score.canvas_submission.files.uri"},
		{canvas(lti.CanvasSubmission{Files: []lti.CanvasFile{{URI: "https://a.example"}}}), "score.canvas_submission.files.title"},
		{canvas(lti.CanvasSubmission{Files: []lti.CanvasFile{{URI: "https://a.example", Title: "t", MediaType: "\xff"}}}), "score.canvas_submission.files.media_type"},
		{func(s *lti.Score) { s.SubmissionTime = time.Unix(-1, 0) }, "score.submission_time"},
		{func(s *lti.Score) { s.SubmissionStart = time.Unix(-1, 0) }, "score.submission_start_time"},
		{func(s *lti.Score) { s.SubmissionStart, s.SubmissionTime = time.Unix(2, 0), time.Unix(1, 0) }, "score.submission_time"},
	} {
		p := newGradePlatform(t, "canvas")
		score := goodScore()
		test.change(&score)
		if e := p.wantReason(score, lti.ReasonRequestInvalid); e.Metadata["field"] != test.field {
			t.Errorf("field %q, want %q: %v", e.Metadata["field"], test.field, e)
		}
	}
}

// What an answer says of the host, and what becomes of the score.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		dialect string
		answer  answer
		want    Outcome
		host    bool
	}{
		{"", answer{status: 503}, NotTaken, true},
		{"", answer{status: 408}, NotTaken, false},
		{"", answer{status: 500}, Failed, false}, // Moodle's answer for a locked item
		{"", answer{status: 502}, Failed, true},
		{"", answer{status: 504}, Failed, true},
		{"moodle", answer{status: 404, body: "<html>"}, Failed, false},
		{"", answer{cut: true}, Unknown, true},
		{"", answer{status: 200, body: strings.Repeat("a", maxAnswer+1)}, Unknown, true},
		{"", answer{status: 401}, Unready, false},
		{"", answer{status: 302}, Unready, false},
		{"", answer{status: 404}, Refused, false},
		{"", answer{status: 422}, Refused, false},
	} {
		p := newGradePlatform(t, test.dialect, test.answer)
		if got := p.send(p.draft(goodScore()), false); got.Outcome != test.want || got.HostFault != test.host || got.Throttled || got.Problem == nil {
			t.Errorf("%s %d: %+v, want %d, host %v", test.dialect, test.answer.status, got, test.want, test.host)
		}
	}
	p := newGradePlatform(t, "", answer{status: 429, headers: map[string]string{"Retry-After": "7"}})
	if got := p.send(p.draft(goodScore()), false); got.Outcome != NotTaken || !got.Throttled || got.HostFault || got.Problem.RetryAfter != 7*time.Second {
		t.Errorf("%+v", got)
	}
	for _, test := range []struct {
		err  error
		want Outcome
		host bool
	}{
		{&lti.Error{Reason: lti.ReasonTokenRequestRefused}, Unready, false},
		{&lti.Error{Reason: lti.ReasonScopeNotGranted}, Unready, false},
		{&lti.Error{Reason: lti.ReasonPlatformUnreachable}, NotTaken, true},
		{&lti.Error{Reason: lti.ReasonPlatformUnavailable}, NotTaken, true},
		{&lti.Error{Reason: lti.ReasonDeadlineExceeded}, NotTaken, false},
		{errors.New("defect"), Unready, false},
	} {
		p := newGradePlatform(t, "")
		draft := p.draft(goodScore())
		p.tokens.err = test.err
		if got := p.send(draft, false); got.Outcome != test.want || got.HostFault != test.host || p.begun != 0 || len(p.requests) != 0 {
			t.Errorf("no token, %v: %+v, begun %d times", test.err, got, p.begun)
		}
	}
}
