// SPDX-License-Identifier: Apache-2.0

//go:build unix

package measure

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"syscall"
	"time"
)

// OwnCPU returns the CPU time, user and system, that this process has used.
func OwnCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// A Verification is a signature that can be verified again and again, to learn what that costs here and now.
type Verification struct {
	public    *rsa.PublicKey
	digest    [sha256.Size]byte
	signature []byte
}

// NewVerification makes a key of 2048 bits and a signature with it.
func NewVerification() (*Verification, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	v := &Verification{public: &key.PublicKey, digest: sha256.Sum256([]byte("measure"))}
	if v.signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, v.digest[:]); err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	return v, nil
}

// Cost returns R: the CPU time of one bare RSA-2048 verification of Go's crypto/rsa, as the mean of some.
func (v *Verification) Cost(count int) (time.Duration, error) {
	before, err := OwnCPU()
	if err != nil {
		return 0, err
	}
	for range count {
		if err := rsa.VerifyPKCS1v15(v.public, crypto.SHA256, v.digest[:], v.signature); err != nil {
			return 0, fmt.Errorf("measure: %w", err)
		}
	}
	after, err := OwnCPU()
	return (after - before) / time.Duration(count), err
}
