// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Role is what a person is in the course.
type Role string

// The roles of the simulated course.
const (
	Student   Role = "student"
	Teacher   Role = "teacher"
	Assistant Role = "ta"
	Admin     Role = "admin"     // not enrolled: never in the roster
	Anonymous Role = "anonymous" // a visitor without an account: no sub
)

// Person is somebody who can launch a tool.
type Person struct {
	Key       string `json:"key"` // "teacher", "ta", "student", "student2", ..., "admin", "anonymous"
	ID        string `json:"id"`  // sub and user_id; empty for anonymous
	Role      Role   `json:"role"`
	Given     string `json:"given_name"`
	Family    string `json:"family_name"`
	Email     string `json:"email"`
	Username  string `json:"username"`
	LoginHint string `json:"login_hint"`

	n int // position in the crowd
}

// Name returns the full name.
func (p *Person) Name() string { return strings.TrimSpace(p.Given + " " + p.Family) }

var (
	givenNames  = []string{"Ada", "Björn", "Chloé", "Dmitri", "Eun-ji", "Fatima", "Grace", "Héctor", "Ingrid", "João", "Keiko", "Liam"}
	familyNames = []string{"Lovelace", "Åkesson", "Dubois", "Ivanov", "Kim", "Haddad", "Hopper", "Núñez", "Olsen", "Silva", "Tanaka"}
)

// crowd is everybody of one course: a teacher, a teaching assistant and size-2 students, then two who are not enrolled,
// the same at every start. People are made when they are asked for, so that a course of 200,000 costs little memory. Its
// methods are safe for concurrent use.
type crowd struct {
	profile *Profile
	base    string
	size    int // of those who are enrolled at the start

	mu     sync.Mutex
	met    map[string]*Person // by key, who was asked for by key or id: one pointer for each person
	byHash map[uint64]int32   // from the hash of an id to the number; made when an id is first asked for
	status map[int]change     // who is not as at the start, by number
	seq    int                // number of the last change
}

// change is the last thing that happened to a member.
type change struct {
	status string // Active, Inactive or Deleted
	seq    int
}

func newCrowd(pf *Profile, base string, size int) *crowd {
	return &crowd{profile: pf, base: base, size: size, met: map[string]*Person{}, status: map[int]change{}}
}

// role is what the person of that number is.
func (c *crowd) role(n int) Role {
	switch n {
	case 0:
		return Teacher
	case 1:
		return Assistant
	case c.size:
		return Admin
	case c.size + 1:
		return Anonymous
	}
	return Student
}

func (c *crowd) key(n int) string {
	if role := c.role(n); role != Student || n == 2 {
		return string(role)
	}
	return "student" + strconv.Itoa(n-1)
}

// number is the inverse of key; -1 if nobody has that key.
func (c *crowd) number(key string) int {
	for _, n := range []int{0, 1, 2, c.size, c.size + 1} {
		if c.key(n) == key {
			return n
		}
	}
	digits, ok := strings.CutPrefix(key, "student")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 2 || n+1 >= c.size || c.key(n+1) != key {
		return -1
	}
	return n + 1
}

// at makes the person of that number, from 0 to size+1.
func (c *crowd) at(n int) *Person {
	key, role := c.key(n), c.role(n)
	p := &Person{
		Key: key, Role: role, Username: key,
		Given:  givenNames[n%len(givenNames)],
		Family: familyNames[n%len(familyNames)],
		Email:  key + "@example.org",
		n:      n,
	}
	if role != Anonymous {
		p.ID = c.profile.PersonID(c.base, n, key)
	} else {
		p.Given, p.Family, p.Email, p.Username = "", "", "", ""
	}
	p.LoginHint = c.profile.LoginHint(p)
	return p
}

// byKey returns the person of that key, the same pointer each time; nil if there is none.
func (c *crowd) byKey(key string) *Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.meet(key)
}

// meet is byKey with c.mu held.
func (c *crowd) meet(key string) *Person {
	if p := c.met[key]; p != nil {
		return p
	}
	n := c.number(key)
	if n < 0 {
		return nil
	}
	p := c.at(n)
	c.met[key] = p
	return p
}

func hashID(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}

// byID returns the person of that user id, the same pointer each time; nil if there is none.
func (c *crowd) byID(id string) *Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" {
		return nil
	}
	if c.byHash == nil {
		c.byHash = make(map[uint64]int32, c.size+1)
		for n := range c.size + 1 { // the last one is the administrator
			c.byHash[hashID(c.profile.PersonID(c.base, n, c.key(n)))] = int32(n)
		}
	}
	n, ok := c.byHash[hashID(id)]
	if !ok {
		return nil
	}
	if p := c.meet(c.key(int(n))); p.ID == id {
		return p
	}
	return nil
}

// enrolled reports whether a person is in the course now.
func (c *crowd) enrolled(pr *Person) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return pr.n < c.size && c.status[pr.n].status != statusDeleted
}

const (
	statusActive   = "Active"
	statusInactive = "Inactive"
	statusDeleted  = "Deleted"
)

// members lists who is in the course: their numbers, in order. Those that want refuses are left out; it is not asked for
// those who are Deleted. since is the number of a change: only members that changed after it are listed, Deleted ones
// among them; -1 lists everybody.
func (c *crowd) members(since int, want func(n int, status string) bool) []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]int32, 0, 64)
	for n := range c.size {
		at, changed := c.status[n]
		if !changed {
			at.status = statusActive
		}
		switch {
		case since >= 0 && at.seq <= since:
		case at.status == statusDeleted && since < 0:
		case at.status == statusDeleted || want(n, at.status):
			list = append(list, int32(n))
		}
	}
	return list
}

// state returns the member's status and the number of the last change of the course.
func (c *crowd) state(n int) (status string, seq int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, changed := c.status[n]; changed {
		return at.status, c.seq
	}
	return statusActive, c.seq
}

// RosterChange is what a registrar does to a member of the course.
type RosterChange struct {
	User   string `json:"user"`   // key of somebody who is enrolled at the start
	Status string `json:"status"` // Active, Inactive or Deleted
}

// ChangeRoster changes what a member of the course is.
func (p *Platform) ChangeRoster(ch RosterChange) error {
	c := p.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.number(ch.User)
	if n < 0 || n >= c.size {
		return fmt.Errorf("%q is not enrolled", ch.User)
	}
	if !slices.Contains([]string{statusActive, statusInactive, statusDeleted}, ch.Status) {
		return fmt.Errorf("status %q: Active, Inactive or Deleted", ch.Status)
	}
	c.seq++
	c.status[n] = change{ch.Status, c.seq}
	return nil
}

// derived returns n hexadecimal digits (at most 64) that depend only on the seed.
func derived(n int, seed string) string {
	sum := sha256.Sum256([]byte("platformsim\x00" + seed))
	return hex.EncodeToString(sum[:])[:n]
}

// derivedNumber returns a number below 2^32 that depends only on the seed.
func derivedNumber(seed string) int {
	sum := sha256.Sum256([]byte("platformsim\x00" + seed))
	return int(binary.BigEndian.Uint32(sum[:4]))
}

// uuidFrom returns a random UUID.
func uuidFrom(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

func (s *Sim) randomUUID() (string, error) { return uuidFrom(s.random) }

// derivedUUID returns a UUID that depends only on the seed.
func derivedUUID(seed string) string {
	h := derived(32, seed)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}
