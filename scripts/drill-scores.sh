#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Whether acknowledged scores survive a sidecar that is killed again and again: see scripts/drillscores/main.go.
# CYCLES=20 by default; DIRECTORY=... keeps the state, so that an interrupted drill goes on.
. "$(dirname "$0")/env.sh"

binary="$(mktemp -d)/sidecar"
trap 'rm -rf "$(dirname "$binary")"' EXIT
go build -o "$binary" ./cmd/sidecar
go run ./scripts/drillscores -sidecar "$binary" -cycles "${CYCLES:-20}" -directory "${DIRECTORY:-}" "$@"
