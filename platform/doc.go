// SPDX-License-Identifier: Apache-2.0

// Package platform knows the platforms that the tool is registered with: registrations, their deployments, the origins
// that service tokens may go to, and what differs from product to product, as data.
package platform
