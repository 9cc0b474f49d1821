// SPDX-License-Identifier: Apache-2.0

// Package ags speaks to the grade books of platforms (Assignment and Grade Services 2.0): a Client sends scores (section
// 3.4), a LineItemClient manages line items (section 3.2) and reads results (section 3.3).
package ags
