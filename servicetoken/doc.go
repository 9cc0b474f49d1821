// SPDX-License-Identifier: Apache-2.0

// Package servicetoken gets the bearer tokens of platforms' services (1EdTech Security Framework 1.0, section 4.1): it
// signs client assertions, asks token endpoints, and keeps what they grant until shortly before it expires.
package servicetoken
