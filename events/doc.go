// SPDX-License-Identifier: Apache-2.0

// Package events forwards Caliper envelopes to the endpoint that a launch names (LTI Caliper Connector 1.0).
package events
