// SPDX-License-Identifier: Apache-2.0

// Package outbound holds the only HTTP client of the sidecar. Everything that leaves for a platform goes through it, so
// that the rules stand in one place: https with TLS 1.2 or later, no proxy taken from the environment, no redirect
// followed, no address that is not public unless the operator allows it, a limit on every time and every size, and a
// pause for hosts that keep failing.
package outbound
