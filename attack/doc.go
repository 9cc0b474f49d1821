// SPDX-License-Identifier: Apache-2.0

// Package attack is the catalogue of attacks on a launch, and nothing else: its tests send each one to a whole sidecar,
// over a real socket, with real stores and platforms that serve their keys over HTTPS. Each attack names the one reason
// that must refuse it, and is signed correctly with the platform's real key unless the signature is the point, so that
// no refusal hides behind another. After each refusal the same login must still succeed, the counter of that reason
// must have grown by one and no other, and nothing may have been sent to a host that only the attack named.
//
// `make attack` prints the table. Families: J header, signature and JSON; K platform keys; C claims and mix-up; M
// messages and our own tokens; P platform notices; N replay; L login initiation; R open redirects; F the form, the state
// and the binding. docs/attacks.md says of each attack that is known where it is tried.
package attack
