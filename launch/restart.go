// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// restarts remembers, for some of the newest logins, how to begin them anew in a new window, for users whose browser
// does not return what ties the launch to it. It is a convenience in bounded memory, not a part of the protocol: a
// flood, a restart or another replica only takes the link off the page. See docs/decisions/0002.
type restarts struct {
	recent *lru.Cache[string, restart]
}

type restart struct {
	uri    string
	issued time.Time
}

const (
	maxRestarts   = 1024
	maxRestartURI = 4 << 10 // bytes; longer ones are not kept
)

func newRestarts() (*restarts, error) {
	recent, err := lru.New[string, restart](maxRestarts)
	if err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	return &restarts{recent: recent}, nil
}

func (r *restarts) remember(loginID, uri string, now time.Time) {
	if len(uri) <= maxRestartURI {
		r.recent.Add(loginID, restart{uri: uri, issued: now})
	}
}

// uri returns where the login can be begun anew, or "".
func (r *restarts) uri(loginID string, now time.Time) string {
	known, ok := r.recent.Get(loginID)
	if !ok || now.Sub(known.issued) > noncestore.StateLifetime {
		return ""
	}
	return known.uri
}

func (r *restarts) forget(loginID string) { r.recent.Remove(loginID) }
