// SPDX-License-Identifier: Apache-2.0

// Package jose reads, verifies and signs compact JWS (RFC 7515), strictly: a gate of its own stands before the one
// signature check, because the libraries accept far more than LTI may. It is the only importer of jwx.
package jose
