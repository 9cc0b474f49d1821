// SPDX-License-Identifier: Apache-2.0

// Package attack is the catalogue of attacks on a launch and on the sidecar's own requests, and nothing else. Its tests
// send each one to a whole sidecar, over a real socket, with real stores and platforms that serve over HTTPS. Each attack
// on a launch names the one reason that must refuse it, and is signed correctly with the platform's real key unless the
// signature is the point, so that no refusal hides behind another. After each refusal the same login must still succeed,
// the counter of that reason must have grown by one and no other, and nothing may have been sent to a host that only the
// attack named.
//
// Attacks on the sidecar's requests name a tripwire in as many spellings as there are, at every place where a URI comes
// in: from the tool, from a platform's answer, from a launch, from the configuration. Nothing may be sent there, and no
// service token may leave the platform that it is of.
//
// `make attack` prints the table. Families: J header, signature and JSON; K platform keys; C claims and mix-up; M
// messages and our own tokens; P platform notices; N replay; L login initiation; R open redirects; F the form, the state
// and the binding; S outbound requests. docs/attacks.md says of each attack that is known where it is tried.
package attack
