// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"strings"

	"github.com/ltisidecar/ltisidecar/lti"
	"github.com/ltisidecar/ltisidecar/platform"
)

// checkBinding ties the launch to the browser that began the login. Where nothing came back and the platform offered
// its storage, it answers with the page that asks there.
func (c *validation) checkBinding() (*Reply, error) {
	browser := &c.request.Browser
	var names []string
	plain, partitioned := false, false
	for _, cookie := range loginCookies(browser.CookieHeader) {
		if cookie.id != c.loginID {
			continue
		}
		names = append(names, cookieName(cookie))
		if !c.state.fitsBinding(cookie.value) {
			return nil, c.bindingError(lti.ReasonBindingMismatch, "The login cookie is not the one of this login.", names)
		}
		plain, partitioned = plain || !cookie.partitioned, partitioned || cookie.partitioned
	}
	switch {
	case plain:
		c.binding = BindingCookie
		return nil, nil
	case partitioned:
		c.binding = BindingPartitionedCookie
		return nil, nil
	}
	proof, offered := c.form[paramStorageProof]
	if !offered {
		if !c.state.storage || c.form[paramIDToken] == "" {
			return nil, c.bindingError(lti.ReasonBindingMissing, "No login cookie came back, and the platform offered no storage.", names)
		}
		return storageReply(storageData{
			Target: c.state.storageTarget, Origin: authorizationOrigin(c.registration), Key: storageKey(c.loginID), ProofName: paramStorageProof,
			Parameters: []Parameter{{paramIDToken, c.form[paramIDToken]}, {paramState, c.form[paramState]}},
		}, browser.CSPNonce)
	}
	if !c.state.storage || !c.isOwnPost() {
		// Anyone can post a proof of his own login in another's browser: it counts only from our own page.
		return nil, c.bindingError(lti.ReasonBindingMissing, "A storage proof came, but not from the sidecar's own page.", names)
	}
	if proof == "" {
		return nil, c.bindingError(lti.ReasonBindingMissing, "No login cookie came back, and the platform's storage did not answer.", names)
	}
	if !c.state.fitsBinding(proof) {
		return nil, c.bindingError(lti.ReasonBindingMismatch, "The storage proof is not the one of this login.", names)
	}
	c.binding = BindingPlatformStorage
	return nil, nil
}

// isOwnPost reports whether the browser says that the request came from a page of the launch URI's own origin.
func (c *validation) isOwnPost() bool {
	browser := &c.request.Browser
	if browser.SecFetchSite != "" {
		return browser.SecFetchSite == "same-origin"
	}
	uri, err := launchURI(c.registration, c.request.LaunchURI)
	if err != nil {
		return false
	}
	own, err := platform.Origin(uri)
	return err == nil && browser.Origin == own
}

// bindingError explains a blank frame: which cookies came, and what the browser says of the frame.
func (c *validation) bindingError(reason lti.Reason, message string, names []string) *lti.Error {
	browser := &c.request.Browser
	cookies := strings.Join(names, " ")
	if cookies == "" {
		cookies = fmt.Sprintf("none of this login, %d of others", len(loginCookies(browser.CookieHeader)))
	}
	return lti.Errorf(reason, "%s", message).With("cookies", cookies).
		With("sec_fetch_dest", lti.Excerpt(browser.SecFetchDest)).With("sec_fetch_storage_access", lti.Excerpt(browser.SecFetchStorageAccess))
}

func cookieName(cookie loginCookie) string {
	if cookie.partitioned {
		return cookiePartitioned + cookie.id
	}
	return cookiePlain + cookie.id
}
