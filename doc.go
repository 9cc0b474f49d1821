// SPDX-License-Identifier: Apache-2.0

// Package ltisidecar has no code of its own: it is the map of the repository.
//
// The sidecar runs beside a learning tool and is the one process that holds LTI secrets and talks to the platform. The
// tool asks it over gRPC. A launch comes in like this, each package doing one part:
//
//	browser → tool → server → launch → jose        is the id_token signed, strictly, by ...
//	                            ├──→ keystore       ... a key that the platform publishes?
//	                            └──→ noncestore     was this launch used before?
//
// and a score or a roster goes out like this:
//
//	tool → server → scores → outbox → records              a score is kept until the platform has it
//	          └──────→ ags, nrps → servicetoken → keystore  a service token, asked for with our own key
//	                      └───────────┴───────→ outbound    the only HTTP client; guards addresses and sizes
//
// Where things are:
//
//	proto/ltisidecar/v1   the API, and the Go generated from it
//	lti                   the vocabulary: claims, roles, scores, members, and the closed list of reasons
//	jose                  compact JWS: the strict gate, one signature check, signing
//	platform              registrations, and what differs from platform to platform, as data
//	outbound              HTTP to platforms
//	keystore              the platforms' keys and our own
//	noncestore            redeemed nonces and the seal: the contract; stores and their common suite lie below it
//	records               small durable records: the contract; stores and their common suite lie below it
//	postgres              what the stores in PostgreSQL share
//	launch                from login initiation to a validated launch
//	servicetoken          service tokens and their cache
//	pages                 lists that platforms give page by page
//	ags                   scores, line items and results
//	nrps, groups, events  rosters, groups, and Caliper events
//	outbox                what was accepted and is not yet delivered: order, states, retries
//	scores                what a score in the outbox is
//	server                gRPC in, the packages above out
//	cmd/sidecar           configuration and wiring: what runs
//	platformsim           a platform in a box, for demos and tests; it shares no code with what it judges
//	cmd/platformsim       the same as a binary
//	clients, examples     clients for Python and Node, and one small tool written with each
//	testservers           real Redis and PostgreSQL servers, started by tests
//	model                 models of the seal, the fence and the outbox, explored in full
//	docs                  errors.md, config.md, platforms.md, and decisions with their reasons
//	scripts               what the Makefile calls
//
// A package imports only from floors below its own; floors_test.go has the table. The security core (lti, jose,
// launch) knows neither gRPC nor disk, so that it can be read, fuzzed and measured alone.
package ltisidecar
