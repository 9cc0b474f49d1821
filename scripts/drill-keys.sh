#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What happens to launches when platforms' keys make trouble: see scripts/drillkeys/main.go.
. "$(dirname "$0")/env.sh"

go run ./scripts/drillkeys "$@"
