// SPDX-License-Identifier: Apache-2.0

// Package model proves small models of the protocols that the promises rest on, by visiting every state that they can
// reach:
//
//   - Shared is the fence of a shared store (Redis, PostgreSQL): two servers, one the other's replica, and two sidecars,
//     through crashes, restored snapshots, failover and failing back;
//   - Embedded is the seal of the embedded store: clean stops, crashes, backups, restored and cloned directories;
//   - Lanes is the outbox: two sidecars with leases on one lane, lost answers, crashes, and a sender that comes back late.
//
// Each model has switches that take one rule of its protocol away. The tests show that the whole protocol keeps its
// invariant in every state, and that each rule is needed: without it the explorer finds the way to the failure, and
// prints it step by step.
//
// The explorer is our own, a hundred lines, because the models then stand beside the code in its language and run with
// its tests; a checker with a language of its own would be one more thing to install and to learn.
package model
