// SPDX-License-Identifier: Apache-2.0

package ags

import (
	"context"
	"crypto/x509"
	"encoding/json"
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

func (p *gradePlatform) post(score lti.Score) (Delivery, error) {
	return p.client.PostScore(p.t.Context(), p.registration, p.endpoint, score)
}

func (p *gradePlatform) wantDelivered(score lti.Score) Delivery {
	p.t.Helper()
	delivery, err := p.post(score)
	if err != nil || delivery.Superseded {
		p.t.Fatalf("delivery = %+v, %v", delivery, err)
	}
	return delivery
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

func (p *gradePlatform) timestamps() []string {
	p.t.Helper()
	var list []string
	for _, body := range p.bodies {
		var members struct{ Timestamp string }
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, members.Timestamp)
	}
	return list
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
	if delivery.ResultURI != "https://lms.example/r/1" || !delivery.SentTime.Equal(p.now.Truncate(time.Millisecond)) {
		t.Errorf("delivery = %+v", delivery)
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

func TestTimestampsRiseByTheGrain(t *testing.T) {
	for dialect, want := range map[string][]string{
		"":       {"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z", "2026-01-02T03:04:05.680Z", "2026-01-02T03:04:06.000Z"},
		"moodle": {"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.678Z", "2026-01-02T03:04:07.678Z", "2026-01-02T03:04:08.678Z"},
	} {
		p := newGradePlatform(t, dialect)
		p.wantDelivered(goodScore())
		p.wantDelivered(goodScore())
		p.now = p.now.Add(-time.Hour) // the clock is set back
		p.wantDelivered(goodScore())
		p.now = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
		p.wantDelivered(goodScore())
		if got := p.timestamps(); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", dialect, got, want)
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

func TestLanesAreApart(t *testing.T) {
	p := newGradePlatform(t, "moodle")
	p.wantDelivered(goodScore())
	other := goodScore()
	other.UserID = "bob"
	p.wantDelivered(other)
	p.endpoint.LineItemURI = strings.Replace(p.endpoint.LineItemURI, "/7/", "/8/", 1)
	p.wantDelivered(goodScore())
	if got := p.timestamps(); got[0] != got[1] || got[1] != got[2] {
		t.Errorf("timestamps = %q", got)
	}
}

func TestOlderScoreIsSuperseded(t *testing.T) {
	p := newGradePlatform(t, "")
	score := goodScore()
	score.ScoreTime = p.now
	p.wantDelivered(score)
	p.wantDelivered(score) // equal ones keep their order of arrival
	score.ScoreTime = p.now.Add(-time.Millisecond)
	delivery, err := p.post(score)
	if err != nil || !delivery.Superseded || !delivery.SentTime.IsZero() || len(p.requests) != 2 {
		t.Errorf("%+v, %v after %d requests", delivery, err, len(p.requests))
	}
}

func TestRefusedScoreSupersedesNothing(t *testing.T) {
	p := newGradePlatform(t, "", answer{status: 422}, answer{status: 200})
	score := goodScore()
	score.ScoreTime = p.now
	p.wantReason(score, lti.ReasonScoreRefused)
	score.ScoreTime = p.now.Add(-time.Minute)
	p.wantDelivered(score)
}

func TestRepeatAfterUnknownOutcome(t *testing.T) {
	for _, unknown := range []answer{{cut: true}, {status: 504}} {
		p := newGradePlatform(t, "moodle", unknown, answer{status: 409, body: "[]"}, answer{status: 200})
		score := goodScore()
		score.ScoreTime = p.now
		if _, err := p.post(score); err == nil {
			t.Fatal("no error")
		}
		delivery := p.wantDelivered(score) // 409 now means that the first one arrived
		if p.bodies[0] != p.bodies[1] || !delivery.SentTime.Equal(p.now.Truncate(time.Millisecond)) {
			t.Errorf("%q, %+v", p.bodies, delivery)
		}
		p.wantDelivered(score) // a repeat after a known outcome is a new score
		if got := p.timestamps(); got[2] != "2026-01-02T03:04:06.678Z" {
			t.Errorf("timestamps = %q", got)
		}
	}
}

func TestOtherContentAfterUnknownOutcomeIsANewScore(t *testing.T) {
	p := newGradePlatform(t, "", answer{cut: true}, answer{status: 409})
	score := goodScore()
	score.ScoreTime = p.now
	p.wantReason(score, lti.ReasonPlatformUnreachable)
	score.ScoreGiven = value(0.2)
	p.wantReason(score, lti.ReasonScoreOutdated)
	if got := p.timestamps(); got[0] == got[1] {
		t.Errorf("timestamps = %q", got)
	}
}

func TestFailedTokenLeavesTheLaneAlone(t *testing.T) {
	p := newGradePlatform(t, "")
	p.tokens.err = outbound.Explain(&outbound.Error{Kind: outbound.Timeout, Sent: true}, "school")
	score := goodScore()
	score.ScoreTime = p.now
	p.wantReason(score, lti.ReasonPlatformUnreachable)
	p.tokens.err = nil
	score.ScoreTime = p.now.Add(-time.Minute)
	p.wantDelivered(score)
}

func TestTimestampsDoNotRunAhead(t *testing.T) {
	p := newGradePlatform(t, "moodle")
	for range int(maxAhead/time.Second) + 1 {
		p.wantDelivered(goodScore())
	}
	if e := p.wantReason(goodScore(), lti.ReasonPlatformThrottled); e.RetryAfter != time.Second {
		t.Errorf("RetryAfter = %v", e.RetryAfter)
	}
	p.now = p.now.Add(time.Second)
	p.wantDelivered(goodScore())
}

func TestScoresOfALaneAreSentOneByOne(t *testing.T) {
	p := newGradePlatform(t, "")
	hold := make(chan struct{})
	p.hold = hold
	results := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := p.post(goodScore())
			results <- err
		}()
	}
	<-p.arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.client.PostScore(ctx, p.registration, p.endpoint, goodScore()); lti.ReasonOf(err) != lti.ReasonCanceled {
		t.Errorf("waiting for the turn: %v", err)
	}
	select {
	case <-p.arrived:
		t.Error("two scores of a lane are on their way")
	default:
	}
	close(hold)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := p.timestamps(); len(got) != 3 || !slices.IsSorted(got) || got[0] == got[1] || got[1] == got[2] {
		t.Errorf("timestamps = %q", got)
	}
}
