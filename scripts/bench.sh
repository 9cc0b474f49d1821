#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh [quick]: what a launch costs, here and elsewhere: see bench/. The whole table takes at most 20 minutes, needs
# Python with venv and Node for the peers, and writes docs/performance.md; quick is T1, T2 and T13, one round, no peers.
# ROWS=T1,T4 chooses rows (and writes no page); RESUME=1 keeps the rows that an earlier run of this commit has measured.
# The exit status is 1 where a figure is beyond its limit.
. "$(dirname "$0")/env.sh"

scripts/build.sh
mkdir -p "$cache/bench"
go build -o "$cache/bench/bench" ./bench
if [ "${1:-}" = quick ]; then
  exec "$cache/bench/bench" -rows T1,T2 -rounds 1
fi
if [ -n "${ROWS:-}" ]; then
  exec "$cache/bench/bench" -rows "$ROWS" ${RESUME:+-resume}
fi
exec "$cache/bench/bench" ${RESUME:+-resume} -report docs/performance.md
