// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
)

// storageScript talks to the platform's storage. It is constant, so that one hash in the Content-Security-Policy
// permits it and nothing else; what differs stands in a JSON block beside it.
//
//go:embed storage.js
var storageScript string

// pageStyle is the style of all pages.
const pageStyle = `body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#222}` +
	`a.button{display:inline-block;padding:.5rem 1rem;border-radius:.4rem;background:#1a5fb4;color:#fff;text-decoration:none}` +
	`small{color:#666}`

var (
	scriptSource = sourceHash(storageScript)
	styleSource  = sourceHash(pageStyle)
)

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// storageData is the JSON block of the storage page.
type storageData struct {
	Target     string      `json:"target"` // frame name or "_parent"
	Origin     string      `json:"origin"` // of the authorization endpoint
	Key        string      `json:"key"`
	Value      string      `json:"value,omitempty"` // to put; empty to get
	Next       string      `json:"next,omitempty"`  // where to go after a put
	ProofName  string      `json:"proof_name,omitempty"`
	Parameters []Parameter `json:"parameters,omitempty"` // to post again with the proof after a get
}

var storagePage = template.Must(template.New("storage").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Opening the activity</title><style{{with .Nonce}} nonce="{{.}}"{{end}}>{{.Style}}</style></head>
<body><noscript><p>Your browser has JavaScript switched off. Switch it on and open the activity again from your course.</p></noscript>
<script type="application/json" id="ltisidecar">{{.Data}}</script>
<script{{with .Nonce}} nonce="{{.}}"{{end}}>{{.Script}}</script></body></html>
`))

// storageReply returns the page that puts a value into the platform's storage, or gets it.
func storageReply(data storageData, cspNonce string) (*Reply, error) {
	var block bytes.Buffer
	encoder := json.NewEncoder(&block) // escapes <, > and &, so that nothing can end the block
	if err := encoder.Encode(data); err != nil {
		return nil, fmt.Errorf("storage page: %w", err)
	}
	var body strings.Builder
	err := storagePage.Execute(&body, map[string]any{
		"Nonce":  cspNonce,
		"Style":  template.CSS(pageStyle),
		"Data":   template.JS(strings.TrimSpace(block.String())),
		"Script": template.JS(storageScript),
	})
	if err != nil {
		return nil, fmt.Errorf("storage page: %w", err)
	}
	formAction := "'none'"
	if data.Value == "" {
		formAction = "'self'"
	}
	return pageReply(200, body.String(), cspNonce, "script-src "+scriptSource, "form-action "+formAction), nil
}

// pageReply returns a page with the headers that all pages have. It never sets X-Frame-Options or
// Cross-Origin-Opener-Policy, which would blank frames and cut the opener off, nor a Referrer-Policy that would make
// the Origin of its own form null.
func pageReply(status int, body, cspNonce string, policies ...string) *Reply {
	directives := append([]string{"default-src 'none'", "base-uri 'none'", "style-src " + styleSource}, policies...)
	if cspNonce != "" {
		for i, directive := range directives {
			if strings.HasPrefix(directive, "script-src") || strings.HasPrefix(directive, "style-src") {
				directives[i] = directive + " 'nonce-" + cspNonce + "'"
			}
		}
	}
	return &Reply{Status: status, Body: body, Headers: []Header{
		{"Content-Type", "text/html; charset=utf-8"},
		{"Content-Security-Policy", strings.Join(directives, "; ")},
		{"Cache-Control", "no-store"},
		{"Referrer-Policy", "strict-origin-when-cross-origin"},
		{"X-Content-Type-Options", "nosniff"},
	}}
}

// redirectReply returns a redirect.
func redirectReply(status int, location string, headers []Header) *Reply {
	return &Reply{Status: status, Headers: append([]Header{
		{"Location", location},
		{"Cache-Control", "no-store"},
		{"Referrer-Policy", "strict-origin-when-cross-origin"},
	}, headers...)}
}

var refusalPage = template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>The activity could not be opened</title><style{{with .Nonce}} nonce="{{.}}"{{end}}>{{.Style}}</style></head>
<body><h1>The activity could not be opened</h1>
<p>{{.Sentence}}</p>
{{with .Restart}}<p>Or try this:</p><p><a class="button" href="{{.}}" target="_blank">Open in a new window</a></p>
{{end}}<p><small>If it happens again, tell your support this number: {{.ID}}</small></p></body></html>
`))

// sentences are what a person in front of the browser reads. None names the check that failed: that is for the tool and
// the log.
var sentences = map[lti.Reason]string{
	lti.ReasonStateExpired:        "Signing in took too long. Please open the activity again from your course.",
	lti.ReasonStateStale:          "The service was restarted while you were signing in. Please open the activity again from your course.",
	lti.ReasonNonceReplayed:       "This link was already used. Please open the activity again from your course.",
	lti.ReasonBindingMissing:      "Your browser did not return what is needed to sign you in here. Allow cookies for this site, or use another browser, and open the activity again from your course. Your teacher can also let it open in a new window.",
	lti.ReasonBindingMismatch:     "The activity must be opened in the browser in which you started. Please open it again from your course.",
	lti.ReasonLaunchTokenExpired:  "You were signed out after a while. Please open the activity again from your course.",
	lti.ReasonPlatformDenied:      "Your course platform did not sign you in. Please sign in there, and open the activity again from your course.",
	lti.ReasonAnonymousNotAllowed: "This activity needs to know who you are. Please sign in to your course platform, and open it again.",
	lti.ReasonDeploymentPending:   "This activity still has to be approved by its operator.",
}

// RefusalReply returns the page that a user sees instead of the activity: one sentence, the id to tell to support, and,
// where the login can be begun anew, a link that does so in a new window. Its status follows the reason's class.
func RefusalReply(refusal *lti.Error, id, restartURI, cspNonce string) *Reply {
	sentence, ok := sentences[refusal.Reason]
	status := 400
	switch code := refusal.Reason.Info().Code; {
	case code == lti.CodePermissionDenied:
		status = 403
	case code == lti.CodeUnavailable || code == lti.CodeResourceExhausted:
		status = 503
	case code == lti.CodeInternal:
		status = 500
	}
	if !ok && status >= 500 {
		sentence = "Something does not work at the moment. Please open the activity again from your course in a few minutes."
	} else if !ok {
		sentence = "Please go back to your course and open the activity again."
	}
	var body strings.Builder
	err := refusalPage.Execute(&body, map[string]any{"Sentence": sentence, "ID": id, "Restart": restartURI, "Nonce": cspNonce, "Style": template.CSS(pageStyle)})
	if err != nil {
		body.Reset()
		body.WriteString("<!doctype html><title>The activity could not be opened</title><p>Please open it again from your course.")
	}
	return pageReply(status, body.String(), cspNonce, "form-action 'none'")
}
