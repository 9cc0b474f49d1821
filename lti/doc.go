// SPDX-License-Identifier: Apache-2.0

// Package lti is the vocabulary of LTI 1.3 and LTI Advantage: names of claims, messages, roles and scopes, the values
// that travel between packages, and the closed list of reasons. It does no I/O, reads no clock, and imports nothing
// of this module.
package lti
