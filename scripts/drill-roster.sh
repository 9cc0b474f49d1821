#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Rosters of 100,000 members through a real sidecar, and how much it grows: see scripts/drillroster/main.go.
. "$(dirname "$0")/env.sh"

scripts/build.sh
go run ./scripts/drillroster "$@" bin/sidecar
