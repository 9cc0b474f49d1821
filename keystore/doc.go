// SPDX-License-Identifier: Apache-2.0

// Package keystore holds keys: those of the platforms, fetched from their JWKS URIs, found by kid, and kept on disk
// under a seal for the next start (PlatformKeys), and the tool's own, kept as files in a directory or encrypted in the
// records that several sidecars share, which sign client assertions and seal tokens (ToolKeys).
package keystore
