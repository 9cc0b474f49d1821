// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

const (
	hugeKeySet   = 5000             // keys; more than 2 MiB
	slowAnswer   = 2 * time.Second  // unless the fault has a value
	stalledLimit = 30 * time.Second // after this a stalled answer is cut
)

func (p *Platform) serveJWKS(w http.ResponseWriter, r *http.Request) {
	p.hit("jwks")
	t := p.pathTool(r)
	if t == nil && pathNamesTool(r) {
		p.errorPage(w, http.StatusNotFound, "No such key set.")
		return
	}
	ring := p.ringOf(t)
	if !p.profile.Keys.PerTool {
		ring = &p.ring
	}
	further, done := p.spoilJWKS(w, r, ring)
	if done {
		return
	}
	body, err := p.jwksJSON(ring, further)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.keySetHeader(w)
	write(w, body)
}

func pathNamesTool(r *http.Request) bool {
	return r.PathValue("tool") != "" || r.PathValue("client") != "" || r.PathValue("config") != ""
}

func (p *Platform) keySetHeader(w http.ResponseWriter) {
	for name, value := range p.profile.Keys.Headers {
		w.Header().Set(name, value)
	}
	if value, strikes := p.takeFault(FaultJWKSCacheControl); strikes {
		w.Header().Set("Cache-Control", cmp.Or(value, "max-age=31536000, immutable"))
	}
}

// spoilJWKS applies the faults of the key set. It returns keys to add, or that the answer is already given.
func (p *Platform) spoilJWKS(w http.ResponseWriter, r *http.Request, ring *keyRing) (further []map[string]string, done bool) {
	const upgrade = "<!DOCTYPE html>\n<html><body>The site is being upgraded.</body></html>\n"
	html := func(status int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		write(w, []byte(upgrade))
	}
	if value, strikes := p.takeFault(FaultJWKSUnavailable); strikes {
		status, err := strconv.Atoi(value)
		if err != nil || status < 400 || status > 599 {
			status = http.StatusServiceUnavailable
		}
		html(status)
		return nil, true
	}
	if _, strikes := p.takeFault(FaultJWKSHTML); strikes {
		html(http.StatusOK)
		return nil, true
	}
	if value, strikes := p.takeFault(FaultJWKSRedirect); strikes {
		if value == "" {
			value = r.URL.Path + "?moved=1"
		}
		http.Redirect(w, r, value, http.StatusFound)
		return nil, true
	}
	if _, strikes := p.takeFault(FaultJWKSEmpty); strikes {
		p.keySetHeader(w)
		write(w, []byte(`{"keys":[]}`))
		return nil, true
	}
	if value, strikes := p.takeFault(FaultJWKSSlow); strikes {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > stalledLimit {
			d = slowAnswer
		}
		if !p.sim.pause(r, d) {
			return nil, true
		}
	}
	if _, strikes := p.takeFault(FaultJWKSStalled); strikes {
		p.stall(w, r, ring)
		return nil, true
	}
	if _, strikes := p.takeFault(FaultJWKSHuge); strikes {
		var err error
		if further, err = p.fillerKeys(hugeKeySet); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return nil, true
		}
	}
	return further, false
}

// stall sends half of the key set and then nothing, until the client has had enough.
func (p *Platform) stall(w http.ResponseWriter, r *http.Request, ring *keyRing) {
	body, err := p.jwksJSON(ring, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.keySetHeader(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	write(w, body[:len(body)/2])
	if http.NewResponseController(w).Flush() == nil {
		p.sim.pause(r, stalledLimit)
	}
	panic(http.ErrAbortHandler) // the documented way to cut the connection
}

// pause waits for real time, and reports whether the whole time passed: not if the client has gone or the simulator is closing.
func (s *Sim) pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.closing:
	}
	return false
}
