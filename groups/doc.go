// SPDX-License-Identifier: Apache-2.0

// Package groups reads the groups and group sets of a context (Course Groups 1.0): all pages or an error.
package groups
