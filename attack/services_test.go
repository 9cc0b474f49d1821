// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// services are a platform's token endpoint, line items, results and roster, under whatever path they are asked for. What
// they answer besides is set by the attacks.
type services struct {
	url string

	mutex    sync.Mutex
	tokens   int    // token requests that came
	requests int    // requests to services that came
	strange  int    // of those, without the platform's own token
	link     string // Link header of the first page after it is set
	status   int    // of a redirect; 0: none is answered
	location string
	bomb     bool // answer with far more than the limit, compressed
}

const serviceToken = "the-service-token"

// set changes what is answered, and forgets what was counted.
func (s *services) set(change func(*services)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tokens, s.requests, s.strange, s.link, s.status, s.location, s.bomb = 0, 0, 0, "", 0, "", false
	if change != nil {
		change(s)
	}
}

func (s *services) counted() (tokens, requests, strange int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.tokens, s.requests, s.strange
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	isToken := strings.HasPrefix(r.URL.Path, "/services/token")
	if isToken {
		s.tokens++
	} else if s.requests++; r.Header.Get("Authorization") != "Bearer "+serviceToken {
		s.strange++
	}
	redirects := s.status != 0 && (isToken == strings.HasPrefix(s.location, "token:"))
	switch {
	case redirects:
		w.Header()["Location"] = []string{strings.TrimPrefix(s.location, "token:")}
		w.WriteHeader(s.status)
		return
	case s.bomb:
		explode(w)
		return
	case isToken:
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600,"scope":%q}`, serviceToken, r.PostFormValue("scope"))
		return
	case s.link != "":
		w.Header()["Link"] = []string{s.link}
		s.link = ""
	}
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/scores"):
		w.WriteHeader(http.StatusOK)
	case strings.Contains(r.Header.Get("Accept"), "membership"):
		io.WriteString(w, `{"id":"x","context":{"id":"c"},"members":[]}`)
	case strings.Contains(r.Header.Get("Accept"), "contextgroup"):
		io.WriteString(w, `{"groups":[],"sets":[]}`)
	case strings.Contains(r.Header.Get("Accept"), "container"):
		io.WriteString(w, "[]")
	default:
		io.WriteString(w, `{"id":"`+s.url+`/services/items/1","label":"Quiz","scoreMaximum":10,"tag":"t"}`)
	}
}

// bomb is 40 MiB of blanks, which is more than any of the limits, as some 40 KiB.
var bomb = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	for range 40 {
		if _, err := writer.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			panic(err)
		}
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
})

func explode(w http.ResponseWriter) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb()) // the reader has had enough before the end
}
