// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"net/http"
	"testing"

	"github.com/ltisidecar/ltisidecar/jose"
	"github.com/ltisidecar/ltisidecar/lti"
)

// TestOnlyStatus200IsAKeySet serves a good key set under other statuses.
//
// REQ-060
func TestOnlyStatus200IsAKeySet(t *testing.T) {
	document, err := jose.PublicKeySet(signingKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]lti.Reason{
		http.StatusCreated: lti.ReasonJWKSInvalid, http.StatusPartialContent: lti.ReasonJWKSInvalid, http.StatusFound: lti.ReasonJWKSInvalid,
		http.StatusForbidden: lti.ReasonJWKSInvalid, http.StatusNotFound: lti.ReasonJWKSInvalid,
		http.StatusTooManyRequests: lti.ReasonJWKSUnreachable, http.StatusBadGateway: lti.ReasonJWKSUnreachable,
	} {
		p := newJWKSPlatform(t, 0)
		p.fail(status, string(document))
		p.wantReason(signingKeys()[0].KeyID(), want)
	}
}
