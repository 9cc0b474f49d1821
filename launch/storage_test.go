// SPDX-License-Identifier: Apache-2.0

package launch_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// storageScenario is what happens around a storage page. Times are in milliseconds from the page's start.
type storageScenario struct {
	Frame     string         `json:"frame"`      // name of the platform's storage frame; "": there is none
	FrameFrom int            `json:"frame_from"` // when it is there
	TopLevel  bool           `json:"top_level"`  // the page stands in no frame
	Opener    bool           `json:"opener"`     // the platform opened its window
	Events    []storageEvent `json:"events"`
}

type storageEvent struct {
	At     int    `json:"at"`
	Origin string `json:"origin"`
	Source string `json:"source"` // frame, platform, stranger or null
	Data   any    `json:"data"`
}

// storageOutcome is what the page did.
type storageOutcome struct {
	Posted []struct {
		To      string         `json:"to"`
		At      int            `json:"at"`
		Message map[string]any `json:"message"`
		Origin  string         `json:"origin"`
	} `json:"posted"`
	Navigated []struct {
		At  int    `json:"at"`
		URI string `json:"uri"`
	} `json:"navigated"`
	Submitted []struct {
		At     int        `json:"at"`
		Method string     `json:"method"`
		Action string     `json:"action"`
		InPage bool       `json:"in_page"`
		Fields [][]string `json:"fields"`
	} `json:"submitted"`
	Timers int `json:"timers"` // still running at the end
}

var (
	pageData   = regexp.MustCompile(`(?s)<script type="application/json" id="ltisidecar">(.*?)</script>`)
	pageScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// runStoragePage runs the script of a page in Node, once for each scenario.
func runStoragePage(t *testing.T, body string, scenarios []storageScenario) []storageOutcome {
	t.Helper()
	data, script := pageData.FindStringSubmatch(body), pageScript.FindStringSubmatch(body)
	if data == nil || script == nil {
		t.Fatalf("the page has no script:\n%s", body)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("NOT TESTED: the script of the storage page, because there is no node: ", err)
	}
	command := exec.CommandContext(t.Context(), node, "testdata/storage_page.mjs")
	command.Stdin = bytes.NewReader(must(json.Marshal(map[string]any{"script": script[1], "data": json.RawMessage(data[1]), "scenarios": scenarios})))
	var complaint strings.Builder
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	var outcomes []storageOutcome
	if err := json.Unmarshal(output, &outcomes); err != nil || len(outcomes) != len(scenarios) {
		t.Fatalf("%d outcomes of %d scenarios, %v: %s", len(outcomes), len(scenarios), err, output)
	}
	return outcomes
}

// answer is a good answer of the platform's storage, changed by a patch; nil removes.
func (l *login) answer(subject string, patch object) object {
	key := "ltisidecar-" + regexp.MustCompile(`__Host-lti-([0-9a-f]{8})`).FindStringSubmatch(strings.Join(l.cookies, ";"))[1]
	answer := object{"subject": subject + ".response", "message_id": "ltisidecar-" + key + "-" + subject, "key": key, "value": "the proof"}
	for name, value := range patch {
		if value == nil {
			delete(answer, name)
		} else {
			answer[name] = value
		}
	}
	return answer
}

// storageDeadline is how long the page waits for the platform's storage, in milliseconds.
const storageDeadline = 1500

// TestStoragePageGets plays a platform that answers well, badly, late and not at all, and strangers, to the page that asks
// for the proof of a login.
//
// REQ-237 REQ-238 REQ-243
func TestStoragePageGets(t *testing.T) {
	f := newFixture(t)
	l := f.begin("lti_storage_target", "platform_storage")
	token := sign(f.claims(l, nil))
	bare := request(l, token)
	bare.Browser.CookieHeader = ""
	outcome, err := f.validate(bare)
	if err != nil || outcome.Step == nil {
		t.Fatalf("outcome %+v, error %v", outcome, err)
	}
	const platform, subject = "https://lms.example", "lti.get_data"
	good := storageEvent{100, platform, "frame", l.answer(subject, nil)}
	event := func(origin, source string, data any) storageEvent { return storageEvent{50, origin, source, data} }
	wrong := map[string]storageEvent{
		"another origin":              event("https://evil.example", "frame", good.Data),
		"an origin of another scheme": event("http://lms.example", "frame", good.Data),
		"an origin with a port":       event("https://lms.example:8443", "frame", good.Data),
		"an origin that begins so":    event("https://lms.example.evil.example", "frame", good.Data),
		"the tool's own origin":       event("https://tool.example", "frame", good.Data),
		"the origin null":             event("null", "frame", good.Data),
		"no origin":                   event("", "frame", good.Data),
		"another window":              event(platform, "stranger", good.Data),
		"the platform's own page":     event(platform, "platform", good.Data),
		"a closed window":             event(platform, "null", good.Data),
		"another subject":             event(platform, "frame", l.answer("lti.put_data", object{"message_id": l.answer(subject, nil)["message_id"]})),
		"the subject of a request":    event(platform, "frame", l.answer(subject, object{"subject": subject})),
		"the subject in capitals":     event(platform, "frame", l.answer(subject, object{"subject": "LTI.GET_DATA.RESPONSE"})),
		"no subject":                  event(platform, "frame", l.answer(subject, object{"subject": nil})),
		"another request":             event(platform, "frame", l.answer(subject, object{"message_id": "ltisidecar-ltisidecar-00000000-lti.get_data"})),
		"the key as request":          event(platform, "frame", l.answer(subject, object{"message_id": l.answer(subject, nil)["key"]})),
		"no request":                  event(platform, "frame", l.answer(subject, object{"message_id": nil})),
		"a request in a list":         event(platform, "frame", l.answer(subject, object{"message_id": []any{l.answer(subject, nil)["message_id"]}})),
		"a text":                      event(platform, "frame", string(must(json.Marshal(good.Data)))),
		"a number":                    event(platform, "frame", 7),
		"null":                        event(platform, "frame", nil),
		"a list":                      event(platform, "frame", []any{good.Data}),
		"the answer inside":           event(platform, "frame", object{"data": good.Data}),
	}
	type expectation struct {
		name, proof string
		at          int // when the form is sent
	}
	var scenarios []storageScenario
	var want []expectation
	add := func(name, proof string, at int, scenario storageScenario) {
		scenarios, want = append(scenarios, scenario), append(want, expectation{name, proof, at})
	}
	framed := func(events ...storageEvent) storageScenario {
		return storageScenario{Frame: "platform_storage", Events: events}
	}
	with := func(patch object) storageEvent { return event(platform, "frame", l.answer(subject, patch)) }
	add("a good answer", "the proof", 100, framed(good))
	add("two answers", "the proof", 100, framed(good, storageEvent{150, platform, "frame", l.answer(subject, object{"value": "another"})}))
	add("no answer", "", storageDeadline, framed())
	add("an answer after the deadline", "", storageDeadline, framed(storageEvent{storageDeadline + 1, platform, "frame", good.Data}))
	add("an error", "", 50, framed(with(object{"error": object{"code": "bad_request"}})))
	add("no value", "", 50, framed(with(object{"value": nil})))
	add("a value that is no text", "", 50, framed(with(object{"value": object{"toString": 1}})))
	add("a frame that comes late", "the proof", 450, storageScenario{Frame: "platform_storage", FrameFrom: 300, Events: []storageEvent{{450, platform, "frame", good.Data}}})
	add("no frame, and an answer of nobody", "", storageDeadline, storageScenario{Events: []storageEvent{event(platform, "null", good.Data)}})
	add("a window that the platform opened", "the proof", 100, storageScenario{Frame: "platform_storage", TopLevel: true, Opener: true, Events: []storageEvent{good}})
	add("no platform around", "", storageDeadline, storageScenario{Frame: "platform_storage", TopLevel: true, Events: []storageEvent{good}})
	for name, bad := range wrong {
		add(name, "", storageDeadline, framed(bad))
		add(name+", and then a good answer", "the proof", 100, framed(bad, good))
	}
	for i, got := range runStoragePage(t, outcome.Step.Body, scenarios) {
		fields := [][]string{{"hidden", "id_token", token}, {"hidden", "state", l.state}, {"hidden", "lti_storage_proof", want[i].proof}}
		if len(got.Submitted) != 1 || len(got.Navigated) != 0 || got.Timers != 0 {
			t.Errorf("%s: %+v", want[i].name, got)
		} else if form := got.Submitted[0]; form.At != want[i].at || form.Method != "post" || form.Action != launchURI || !form.InPage || !reflect.DeepEqual(form.Fields, fields) {
			t.Errorf("%s: the form %+v, want the proof %q after %d ms", want[i].name, form, want[i].proof, want[i].at)
		}
		for _, sent := range got.Posted {
			message := map[string]any{"subject": subject, "message_id": l.answer(subject, nil)["message_id"], "key": l.answer(subject, nil)["key"]}
			if sent.To != "frame" || sent.Origin != platform || !reflect.DeepEqual(sent.Message, message) {
				t.Errorf("%s: it sent %+v", want[i].name, sent)
			}
		}
		if hasFrame := scenarios[i].Frame != "" && (!scenarios[i].TopLevel || scenarios[i].Opener); hasFrame != (len(got.Posted) > 0) {
			t.Errorf("%s: %d messages sent", want[i].name, len(got.Posted))
		}
	}
}

// TestStoragePagePuts plays the same to the page that begins a login: it goes on to the platform once, and whoever
// answers cannot say where.
//
// REQ-237 REQ-238
func TestStoragePagePuts(t *testing.T) {
	f := newFixture(t)
	l := f.begin("lti_storage_target", "_parent")
	_, secret, _ := strings.Cut(l.cookies[0], "=")
	const platform, subject = "https://lms.example", "lti.put_data"
	answer := l.answer(subject, object{"value": secret})
	scenarios := []storageScenario{
		{Events: []storageEvent{{40, platform, "platform", answer}, {60, platform, "platform", answer}}},
		{Events: []storageEvent{{40, platform, "platform", l.answer(subject, object{"error": object{"code": "storage_exhaustion"}})}}},
		{Events: []storageEvent{{40, "https://evil.example", "platform", answer}, {50, platform, "stranger", l.answer(subject, object{"next": "https://evil.example/"})}, {60, platform, "platform", l.answer("lti.get_data", nil)}}},
	}
	for i, got := range runStoragePage(t, l.reply.Body, scenarios) {
		at := []int{40, 40, storageDeadline}[i]
		if len(got.Submitted) != 0 || len(got.Navigated) != 1 || got.Navigated[0].At != at || !strings.HasPrefix(got.Navigated[0].URI, "https://lms.example/auth?tool=7&") || !strings.Contains(got.Navigated[0].URI, l.nonce) || got.Timers != 0 {
			t.Errorf("scenario %d: %+v", i, got)
		}
		if len(got.Posted) == 0 {
			t.Errorf("scenario %d: nothing was sent", i)
		}
		for _, sent := range got.Posted {
			if sent.To != "platform" || sent.Origin != platform || sent.Message["subject"] != subject || sent.Message["value"] != secret {
				t.Errorf("scenario %d: it sent %+v", i, sent)
			}
		}
	}
}
