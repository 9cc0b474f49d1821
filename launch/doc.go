// SPDX-License-Identifier: Apache-2.0

// Package launch takes a browser through an LTI 1.3 launch: login.go answers the login initiation, validate.go checks
// the authentication response in a fixed order, cheap before dear, and redeems its nonce last.
//
// A login costs no storage. What must come back is sealed into the state; what ties it to the browser is a secret in
// two cookies (cookie.go) or in the platform's storage (page.go). The package has no gRPC, no disk and no clock of its
// own, so that it can be audited, fuzzed and measured alone.
package launch
