// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// Names of the Caliper connector.
const (
	ScopeEvents = "https://purl.imsglobal.org/spec/lti-ces/v1p0/scope/send"
	claimEvents = "https://purl.imsglobal.org/spec/lti-ces/claim/caliper-endpoint-service"
)

// EventRequest is one envelope of Caliper events that came, and why it was refused where it was.
type EventRequest struct {
	Time        time.Time       `json:"time"`
	Tool        string          `json:"tool"`
	ContentType string          `json:"content_type"`
	Envelope    json.RawMessage `json:"envelope,omitempty"`
	Events      int             `json:"events"`
	Error       string          `json:"error,omitempty"`
}

// offersEvents reports whether the platform offers an event store to this installation's tools.
func (p *Platform) offersEvents() bool { return p.profile.EventsPath != "" && p.cfg.Caliper }

// eventsClaim is nil where the platform offers no event store.
func (p *Platform) eventsClaim(l *launch) map[string]any {
	if !p.offersEvents() {
		return nil
	}
	return map[string]any{
		"scopes": []string{ScopeEvents}, "caliper_endpoint_url": p.expand(p.profile.EventsPath, l.tool, ""),
		"caliper_federated_session_id": "urn:uuid:" + derivedUUID(p.profile.Name+"/session/"+l.person.Key),
	}
}

func (p *Platform) serveEvents(w http.ResponseWriter, r *http.Request) {
	rec := EventRequest{Time: p.sim.now(), ContentType: r.Header.Get("Content-Type")}
	f := p.storeEvents(r, &rec)
	if f != nil {
		rec.Error = f.text
	}
	p.mu.Lock()
	p.eventLog.add(rec)
	p.mu.Unlock()
	if f != nil {
		p.sim.logf("%s: events refused: %s", p.profile.Name, f.text)
		p.profile.Fail(w, r, f, nil)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// storeEvents checks an envelope as Caliper 1.1 and 1.2 have it.
func (p *Platform) storeEvents(r *http.Request, rec *EventRequest) *failure {
	if r.Method != http.MethodPost {
		return refuse(failNoHandler, "the method must be POST")
	}
	t, f := p.bearer(r, ScopeEvents)
	if f != nil {
		return f
	}
	if f := p.checkPath(t, r); f != nil {
		return f
	}
	rec.Tool = t.cfg.Name
	if !hasMedia(r, "application/json") {
		return refuse(failMediaType, "the content type must be application/json")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refuse(failMalformed, "unreadable body")
	}
	var envelope struct {
		Sensor      string                       `json:"sensor"`
		SendTime    string                       `json:"sendTime"`
		DataVersion string                       `json:"dataVersion"`
		Data        []map[string]json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return refuse(failMalformed, "the body is not a Caliper envelope")
	}
	rec.Envelope, rec.Events = body, len(envelope.Data)
	_, isTime := parseISO8601(envelope.SendTime)
	switch {
	case envelope.Sensor == "":
		return refuse(failMissing, "sensor is missing")
	case !isTime:
		return refuse(failMalformed, "sendTime is not a date and time with a zone")
	case !strings.HasPrefix(envelope.DataVersion, "http://purl.imsglobal.org/ctx/caliper/"):
		return refuse(failMalformed, "dataVersion is no Caliper context")
	case len(envelope.Data) == 0:
		return refuse(failMissing, "data is empty")
	}
	for _, event := range envelope.Data {
		for _, name := range []string{"type", "id"} {
			if event[name] == nil {
				return refuse(failMissing, name+" of an event is missing")
			}
		}
	}
	return nil
}

// EventRequests returns the last envelopes that came, refused ones too, oldest first.
func (p *Platform) EventRequests() []EventRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eventLog.last(0)
}
