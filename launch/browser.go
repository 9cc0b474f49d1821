// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"github.com/ltisidecar/ltisidecar/lti"
)

// Parameter is one name and value of a query string or a form.
type Parameter struct{ Name, Value string }

// Header is one HTTP header line for the browser.
type Header struct{ Name, Value string }

// BrowserRequest is what a browser sent to the tool. All of it is untrusted.
type BrowserRequest struct {
	Parameters            []Parameter // of query and form, in order, repeats kept
	CookieHeader          string
	Method                string
	Origin                string
	SecFetchSite          string
	SecFetchDest          string
	SecFetchStorageAccess string
	CSPNonce              string // set by the tool, not by the browser; empty for none
}

// Reply is a complete answer for the browser.
type Reply struct {
	Status  int
	Headers []Header
	Body    string
}

// Names of the parameters of the messages (Security Framework 5.1.1, and ours for the storage proof).
const (
	paramIssuer        = "iss"
	paramLoginHint     = "login_hint"
	paramTarget        = "target_link_uri"
	paramMessageHint   = "lti_message_hint"
	paramDeployment    = "lti_deployment_id"
	paramDeploymentOld = "deployment_id" // what Canvas's documentation calls it
	paramClientID      = "client_id"
	paramStorageTarget = "lti_storage_target"
	paramState         = "state"
	paramIDToken       = "id_token"
	paramError         = "error"
	paramErrorText     = "error_description"
	paramStorageProof  = "lti_storage_proof"
)

// Caps of a request, before anything in it is decoded.
const (
	maxParameters   = 64
	maxRequestSize  = 192 << 10 // bytes, names and values together
	maxCookieHeader = 32 << 10  // bytes
	maxHeaderValue  = 2 << 10   // bytes, of the other headers
)

// parameterLimits has the longest value of each parameter that is read, in bytes, but for id_token, whose limit is
// configured.
var parameterLimits = map[string]int{
	paramIssuer:        2048,
	paramLoginHint:     8192,
	paramTarget:        4096,
	paramMessageHint:   8192,
	paramDeployment:    4 * lti.MaxIDLength,
	paramDeploymentOld: 4 * lti.MaxIDLength,
	paramClientID:      4 * lti.MaxIDLength,
	paramStorageTarget: 256,
	paramState:         512,
	paramError:         256,
	paramErrorText:     4096,
	paramStorageProof:  128,
}

// form holds the parameters that are read, each at most once.
type form map[string]string

// read takes the named parameters out of a request. A parameter that repeats, or is too long, is refused; others are
// ignored. The error is a *lti.Error PARAMETER_REPEATED, PARAMETER_TOO_LONG or REQUEST_INVALID.
func (r *BrowserRequest) read(maxTokenSize int, names ...string) (form, error) {
	size := 0
	for _, parameter := range r.Parameters {
		size += len(parameter.Name) + len(parameter.Value)
	}
	if len(r.Parameters) > maxParameters || size > maxRequestSize {
		return nil, tooLong("the request", "64 parameters of 192 KiB")
	}
	if len(r.CookieHeader) > maxCookieHeader {
		return nil, tooLong("Cookie", "32 KiB")
	}
	for _, value := range []string{r.Method, r.Origin, r.SecFetchSite, r.SecFetchDest, r.SecFetchStorageAccess} {
		if len(value) > maxHeaderValue {
			return nil, tooLong("a request header", "2 KiB")
		}
	}
	if err := checkCSPNonce(r.CSPNonce); err != nil {
		return nil, err
	}
	values := make(form, len(names))
	for _, parameter := range r.Parameters {
		if !contains(names, parameter.Name) {
			continue
		}
		if _, repeated := values[parameter.Name]; repeated {
			return nil, lti.Errorf(lti.ReasonParameterRepeated, "The parameter %q came twice.", parameter.Name).With("parameter", parameter.Name)
		}
		limit, ok := parameterLimits[parameter.Name]
		if !ok {
			limit = maxTokenSize
		}
		if len(parameter.Value) > limit {
			if parameter.Name == paramIDToken {
				return nil, lti.Errorf(lti.ReasonTokenTooLarge, "The id_token has %d bytes; the limit is %d.", len(parameter.Value), limit).With("limit", itoa(limit))
			}
			return nil, tooLong(parameter.Name, itoa(limit)+" bytes")
		}
		values[parameter.Name] = parameter.Value
	}
	return values, nil
}

// need returns the value of a parameter that must be there and not empty.
func (f form) need(name string) (string, error) {
	if value := f[name]; value != "" {
		return value, nil
	}
	return "", lti.Errorf(lti.ReasonParameterMissing, "The parameter %q did not come, or is empty.", name).With("parameter", name)
}

func tooLong(what, limit string) *lti.Error {
	return lti.Errorf(lti.ReasonParameterTooLong, "%s is larger than the limit of %s.", what, limit).With("parameter", what).With("limit", limit)
}

func checkCSPNonce(nonce string) error {
	for i := 0; i < len(nonce); i++ {
		c := nonce[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_') || i >= 128 {
			return lti.FieldError("browser.csp_nonce", "it takes 1 to 128 characters of base64 or base64url")
		}
	}
	return nil
}
