// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
)

// platformKey is one RSA key of a platform.
type platformKey struct {
	kid string
	key *rsa.PrivateKey
}

// keyRing holds the keys of one platform, or of one tool there, in the order they are published.
type keyRing struct {
	mu      sync.Mutex
	keys    []platformKey
	old     []platformKey       // signs no more and is still published
	fillers []map[string]string // published keys that never sign
	made    int                 // keys made since the start
}

// maxOldKeys bounds what rotations with overlap leave in a key set.
const maxOldKeys = 32

// Rotation is how a platform changes its keys.
type Rotation string

// The rotations. After RotateOverlap the keys that went stay published; after RotateAbrupt no key from before is; after
// RotateSameKid the signing key is another under the same kid, which no platform should do.
const (
	RotateUsual   Rotation = ""
	RotateOverlap Rotation = "overlap"
	RotateAbrupt  Rotation = "abrupt"
	RotateSameKid Rotation = "same_kid"
)

// ringOf returns the keys that sign for a tool. A nil tool is the platform itself.
func (p *Platform) ringOf(t *tool) *keyRing {
	if t != nil && t.ring != nil {
		return t.ring
	}
	return &p.ring
}

// newKey is called with r.mu held, or before the ring is shared.
func (p *Platform) newKey(r *keyRing) (platformKey, error) {
	newRSA := p.sim.cfg.newRSA
	if newRSA == nil {
		newRSA = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	}
	key, err := newRSA()
	if err != nil {
		return platformKey{}, err
	}
	kid, err := p.profile.Keys.Kid(p.sim.now(), r.made, p.sim.random)
	if err != nil {
		return platformKey{}, err
	}
	r.made++
	return platformKey{kid: kid, key: key}, nil
}

func (p *Platform) newKeys(r *keyRing) ([]platformKey, error) {
	var keys []platformKey
	for range p.profile.Keys.Count {
		k, err := p.newKey(r)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// makeKeys fills a new ring.
func (p *Platform) makeKeys(r *keyRing) (err error) {
	if r.keys, err = p.newKeys(r); err != nil {
		return err
	}
	r.fillers, err = p.fillerKeys(p.cfg.ExtraKeys)
	return err
}

// fillerKeys makes public keys that nobody can sign with: their moduli are random numbers.
func (p *Platform) fillerKeys(n int) ([]map[string]string, error) {
	var list []map[string]string
	for i := range n {
		kid, err := p.profile.Keys.Kid(p.sim.now(), p.profile.Keys.Count+i, p.sim.random)
		if err != nil {
			return nil, err
		}
		modulus := make([]byte, 256)
		if _, err := rand.Read(modulus); err != nil {
			return nil, err
		}
		modulus[0] |= 0x80
		modulus[255] |= 1
		list = append(list, publicJWK(kid, &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}))
	}
	return list, nil
}

// RotateKeys replaces the platform's keys as the platform does: where several are published the next one begins to
// sign and the oldest goes; where there is one it is swapped at once.
func (p *Platform) RotateKeys() error { return p.RotateKeysAs(RotateUsual) }

// RotateKeysAs replaces the platform's keys in a way of the caller's choice, those of each tool where each has its own.
func (p *Platform) RotateKeysAs(how Rotation) error {
	rings := []*keyRing{&p.ring}
	if p.profile.Keys.PerTool {
		rings = nil
		p.mu.Lock()
		for _, t := range p.tools {
			rings = append(rings, t.ring)
		}
		p.mu.Unlock()
	}
	for _, r := range rings {
		if err := p.rotate(r, how); err != nil {
			return err
		}
	}
	return nil
}

func (p *Platform) rotate(r *keyRing, how Rotation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch how {
	case RotateAbrupt:
		keys, err := p.newKeys(r)
		if err == nil {
			r.keys, r.old = keys, nil
		}
		return err
	case RotateUsual, RotateOverlap, RotateSameKid:
	default:
		return fmt.Errorf("unknown rotation %q", how)
	}
	k, err := p.newKey(r)
	if err != nil {
		return err
	}
	if how == RotateSameKid {
		r.keys = slices.Clone(r.keys)
		r.keys[p.profile.Keys.Signing].key = k.key
		return nil
	}
	gone := r.keys[0]
	r.keys = append(slices.Clone(r.keys[1:]), k)
	switch {
	case how == RotateOverlap && len(r.old) >= maxOldKeys:
		return errors.New("too many old keys are published")
	case how == RotateOverlap:
		r.old = append(r.old, gone)
	case p.profile.Keys.KeepOld:
		r.old = []platformKey{gone}
	default:
		r.old = nil
	}
	return nil
}

func (p *Platform) signingKey(t *tool) platformKey {
	r := p.ringOf(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[p.profile.Keys.Signing]
}

// jwksJSON returns a key set: further ones first, then the keys of the ring.
func (p *Platform) jwksJSON(r *keyRing, further []map[string]string) ([]byte, error) {
	r.mu.Lock()
	keys := slices.Concat(r.old, r.keys)
	list := slices.Concat(further, r.fillers)
	r.mu.Unlock()
	if p.profile.Keys.SortByKid {
		slices.SortFunc(keys, func(a, b platformKey) int { return cmp.Compare(a.kid, b.kid) })
	}
	for _, k := range keys {
		list = append(list, publicJWK(k.kid, &k.key.PublicKey))
	}
	for _, k := range list {
		for _, name := range p.profile.Keys.Without {
			delete(k, name)
		}
	}
	return json.Marshal(map[string]any{"keys": list})
}

func publicJWK(kid string, pub *rsa.PublicKey) map[string]string {
	return map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
		"n": b64(pub.N.Bytes()), "e": b64(big.NewInt(int64(pub.E)).Bytes()),
	}
}
