// SPDX-License-Identifier: Apache-2.0

package badgerstore

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/ltisidecar/ltisidecar/noncestore"
)

// recentSize is how many redemptions are remembered in memory at most: 24 bytes each, so under a megabyte.
const recentSize = 1 << 15

// recentNonces remembers the newest redemptions, to refuse nearly every replay before its signature is verified without
// asking Badger. Only Badger decides: what is not here is not known.
type recentNonces struct {
	mutex   sync.Mutex
	entries [recentSize]recentNonce
}

type recentNonce struct {
	nonce     noncestore.Nonce
	firstUsed int64 // Unix time in nanoseconds; 0: nothing
}

// at returns where a nonce is remembered. Nonces are our own random values: they spread by themselves.
func (r *recentNonces) at(nonce noncestore.Nonce) *recentNonce {
	return &r.entries[binary.LittleEndian.Uint16(nonce[:])%recentSize]
}

func (r *recentNonces) add(nonce noncestore.Nonce, now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	*r.at(nonce) = recentNonce{nonce, now.UnixNano()}
}

// find returns a *noncestore.ReplayError where a redemption of the nonce is remembered and still counts.
func (r *recentNonces) find(nonce noncestore.Nonce, now time.Time) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	entry := r.at(nonce)
	if entry.firstUsed == 0 || entry.nonce != nonce {
		return nil
	}
	firstUsed := time.Unix(0, entry.firstUsed)
	if now.Sub(firstUsed) > noncestore.Retention {
		return nil
	}
	return &noncestore.ReplayError{FirstUsed: firstUsed}
}
