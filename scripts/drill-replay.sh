#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Launches in many copies while stores, processes, disks and clocks break: see scripts/drillreplay/main.go. LAUNCHES,
# COPIES, NODES and CYCLES set the size of this part, STATE names a file that parts add up in.
. "$(dirname "$0")/env.sh"

scripts/build.sh
go build -o "$cache/drillreplay" ./scripts/drillreplay
exec "$cache/drillreplay" -sidecar bin/sidecar ${LAUNCHES:+-launches "$LAUNCHES"} ${COPIES:+-copies "$COPIES"} \
  ${NODES:+-nodes "$NODES"} ${CYCLES:+-cycles "$CYCLES"} ${STATE:+-state "$STATE"} "$@"
