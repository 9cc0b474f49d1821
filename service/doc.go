// SPDX-License-Identifier: Apache-2.0

// Package service is what calls of platforms' services have in common: containers (rosters, groups) are read page after
// page along their `next` links, whole or not at all, with the service token going to one origin only; and an answer
// other than success is explained.
package service
