// SPDX-License-Identifier: Apache-2.0

// Package pages reads the containers of platforms' services (rosters, groups): page after page along the `next` links,
// whole or not at all, with the service token going to one origin only. It also says what a service's refusal means.
package pages
