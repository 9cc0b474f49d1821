// SPDX-License-Identifier: Apache-2.0

package platformsim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
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
}

// Name returns the full name.
func (p *Person) Name() string { return strings.TrimSpace(p.Given + " " + p.Family) }

var (
	givenNames  = []string{"Ada", "Björn", "Chloé", "Dmitri", "Eun-ji", "Fatima", "Grace", "Héctor", "Ingrid", "João", "Keiko", "Liam"}
	familyNames = []string{"Lovelace", "Åkesson", "Dubois", "Ivanov", "Kim", "Haddad", "Hopper", "Núñez", "Olsen", "Silva", "Tanaka"}
)

// roster makes the people of one course, the same at every start: a teacher, a teaching assistant and size-2 students,
// then two who are not enrolled.
func roster(pf *Profile, base string, size int) (enrolled, others []*Person) {
	add := func(n int, key string, role Role) *Person {
		p := &Person{
			Key: key, Role: role, Username: key,
			Given:  givenNames[n%len(givenNames)],
			Family: familyNames[n%len(familyNames)],
			Email:  key + "@example.org",
		}
		if role != Anonymous {
			p.ID = pf.PersonID(base, n, key)
		} else {
			p.Given, p.Family, p.Email, p.Username = "", "", "", ""
		}
		p.LoginHint = pf.LoginHint(p)
		return p
	}
	for i := range size {
		switch i {
		case 0:
			enrolled = append(enrolled, add(i, string(Teacher), Teacher))
		case 1:
			enrolled = append(enrolled, add(i, string(Assistant), Assistant))
		case 2:
			enrolled = append(enrolled, add(i, string(Student), Student))
		default:
			enrolled = append(enrolled, add(i, fmt.Sprintf("student%d", i-1), Student))
		}
	}
	others = append(others, add(size, string(Admin), Admin), add(size+1, string(Anonymous), Anonymous))
	return enrolled, others
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
