// SPDX-License-Identifier: Apache-2.0

package nrps

import (
	"hash/maphash"
	"slices"

	"github.com/ltisidecar/ltisidecar/lti"
)

// Limits of a batch, and of what is held back while the context has not come: some platforms may write it after the
// members. With more members than that the first batch has no context.
const (
	maxBatch      = 200
	maxBatchBytes = 256 << 10
	maxHeld       = 10_000
	maxHeldBytes  = 8 << 20
)

// roster filters and collects members and yields them in batches.
type roster struct {
	yield func(Batch) error
	role  lti.Role // to keep; zero: all
	seed  maphash.Seed
	users map[uint64]struct{} // hashes of the user ids yielded

	context      lti.RosterContext
	contextKnown bool
	started      bool // the first batch has been yielded
	held         []lti.Member
	heldBytes    int
	yielded      int64
}

// add takes a member in, unless the role filter drops it or the user has come before.
func (r *roster) add(member lti.Member) error {
	if !r.keeps(&member) {
		return nil
	}
	user := maphash.String(r.seed, member.UserID)
	if _, seen := r.users[user]; seen {
		return nil
	}
	r.users[user] = struct{}{}
	r.held = append(r.held, member)
	r.heldBytes += sizeOf(&member)
	if r.contextKnown || len(r.held) >= maxHeld || r.heldBytes >= maxHeldBytes {
		return r.flush(false)
	}
	return nil
}

// keeps reports whether one of a member's roles is the wanted one or a sub-role of it. Who was deleted is kept: often
// no roles are left.
func (r *roster) keeps(member *lti.Member) bool {
	return r.role.Kind == lti.RoleUnknown || member.Status == lti.StatusDeleted || slices.ContainsFunc(member.Roles, func(text string) bool {
		role := lti.ParseRole(text)
		return role.Kind == r.role.Kind && role.Principal == r.role.Principal && (r.role.Sub == "" || role.Sub == r.role.Sub)
	})
}

// flush yields full batches, or everything at the end of the roster, when an empty one is yielded if it is the first.
func (r *roster) flush(end bool) error {
	for len(r.held) > 0 || end && !r.started {
		count, bytes := 0, 0
		for count < len(r.held) && count < maxBatch && bytes < maxBatchBytes {
			bytes += sizeOf(&r.held[count])
			count++
		}
		if !end && count < maxBatch && bytes < maxBatchBytes {
			return nil
		}
		batch := Batch{Members: slices.Clone(r.held[:count])}
		if !r.started {
			batch.Context, r.started = r.context, true
		}
		rest := copy(r.held, r.held[count:])
		clear(r.held[rest:])
		r.held, r.heldBytes = r.held[:rest], r.heldBytes-bytes
		if err := r.yield(batch); err != nil {
			return err
		}
		r.yielded += int64(count)
	}
	return nil
}

// sizeOf returns about how many bytes a member takes in a message.
func sizeOf(m *lti.Member) int {
	size := 64 + len(m.UserID) + len(m.Name) + len(m.GivenName) + len(m.FamilyName) + len(m.MiddleName) + len(m.Email) +
		len(m.Picture) + len(m.PersonSourcedID) + len(m.LTI11LegacyUserID) + len(m.MessageJSON)
	for _, text := range slices.Concat(m.Roles, m.GroupIDs) {
		size += len(text) + 2
	}
	return size
}
