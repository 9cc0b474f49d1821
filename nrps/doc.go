// SPDX-License-Identifier: Apache-2.0

// Package nrps reads rosters of platforms (Names and Role Provisioning Services 2.0): whole or not at all, all pages,
// with memory that does not grow with the roster but for a hash of each user id.
package nrps
