// SPDX-License-Identifier: Apache-2.0

// Package scores is what a score in the outbox is: how it is checked and kept, how it is sent, what the platform's answer
// means for it, and how the platform is asked whether it has it.
package scores
