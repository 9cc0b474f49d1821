// SPDX-License-Identifier: Apache-2.0

// Package ags sends scores to platforms (Assignment and Grade Services 2.0, section 3.4).
package ags
