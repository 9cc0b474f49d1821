// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// TokenRequests returns the last requests to the token endpoint (at most Config.RecordLimit), oldest first.
func (p *Platform) TokenRequests() []TokenRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokenLog.last(0)
}

// ScoreRequests returns the last scores that came (at most Config.RecordLimit), refused ones too, oldest first.
func (p *Platform) ScoreRequests() []ScoreRequest { return p.scoreRequests(0) }

// scoreRequests leaves out the first ones that ever came.
func (p *Platform) scoreRequests(after int) []ScoreRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scoreLog.last(after)
}

// ServiceRequests returns the last requests to the services (at most Config.RecordLimit), oldest first.
func (p *Platform) ServiceRequests() []ServiceRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requestLog.last(0)
}

// Launches returns the claims of the last id_tokens (at most Config.RecordLimit), oldest first.
func (p *Platform) Launches() []LaunchRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.launchLog.last(0)
}

func (p *Platform) controlRoutes(get, post, del func(string, http.HandlerFunc)) {
	show := func(path string, what func() any) {
		get(path, func(w http.ResponseWriter, _ *http.Request) { controlAnswer(w, what()) })
	}
	show("/sim/gradebook", func() any { return p.Gradebook() })
	show("/sim/people", func() any { return p.People() })
	show("/sim/tokens", func() any { return p.TokenRequests() })
	show("/sim/links", func() any { return p.Links() })
	show("/sim/groups", func() any { return p.Groups() })
	show("/sim/groupsets", func() any { return p.GroupSets() })
	show("/sim/deeplinking", func() any { return p.DeepLinkingResponses() })
	show("/sim/events", func() any { return p.EventRequests() })
	show("/sim/requests", func() any { return p.ServiceRequests() })
	get("/sim/scores", func(w http.ResponseWriter, r *http.Request) {
		controlAnswer(w, p.scoreRequests(atoiOr(r.URL.Query().Get("after"), 0)))
	})
	show("/sim/launches", func() any { return p.Launches() })
	show("/sim/hits", func() any { return p.Hits() })
	show("/sim/faults", func() any { return p.Faults() })
	show("/sim/registrations", func() any {
		list := []Registration{}
		for _, name := range p.Tools() {
			list = append(list, p.Registration(name))
		}
		return list
	})
	post("/sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var f FaultSetting
		control(w, r, &f, func() error { return p.SetFault(f) })
	})
	del("/sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		p.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	post("/sim/people", func(w http.ResponseWriter, r *http.Request) {
		var c RosterChange
		control(w, r, &c, func() error { return p.ChangeRoster(c) })
	})
	post("/sim/gradebook", func(w http.ResponseWriter, r *http.Request) {
		var c GradeChange
		control(w, r, &c, func() error { return p.ChangeGrades(c) })
	})
	post("/sim/tools", func(w http.ResponseWriter, r *http.Request) {
		var t toolJSON
		control(w, r, &t, func() error { return p.SetTool(ToolConfig(t)) })
	})
	post("/sim/keys/rotate", func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			r.Body = io.NopCloser(strings.NewReader("{}"))
		}
		var rotation struct {
			How Rotation `json:"how"`
		}
		control(w, r, &rotation, func() error { return p.RotateKeysAs(rotation.How) })
	})
	post("/sim/tokens/revoke", func(w http.ResponseWriter, _ *http.Request) {
		p.RevokeTokens()
		w.WriteHeader(http.StatusNoContent)
	})
}

// toolJSON is ToolConfig with the names that the configuration file uses.
type toolJSON struct {
	Name          string            `json:"name"`
	ClientID      string            `json:"client_id"`
	DeploymentID  string            `json:"deployment_id"`
	LoginURI      string            `json:"login_uri"`
	LaunchURIs    []string          `json:"launch_uris"`
	TargetLinkURI string            `json:"target_link_uri"`
	JWKSURI       string            `json:"jwks_uri"`
	JWKS          string            `json:"jwks"`
	Scopes        []string          `json:"scopes"`
	Custom        map[string]string `json:"custom"`
}

// control reads a JSON body into v, does something, and answers 204, or 400 with the reason.
func control(w http.ResponseWriter, r *http.Request, v any, do func() error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		err = do()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func controlAnswer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	write(w, body)
}
