#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Size of the binary, time to ready and idle memory, with their limits: see scripts/size/main.go.
. "$(dirname "$0")/env.sh"

[ -d cmd/sidecar ] || die "there is no cmd/sidecar"
scripts/build.sh
go run ./scripts/size bin/sidecar
