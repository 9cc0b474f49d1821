#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes every feature to every simulated platform with the real sidecar, and prints the table after whatever failed. The
# last line counts the cells that the platforms offer. The exit status is 1 unless all of them are well, and what a
# platform does not offer was seen to be absent.
. "$(dirname "$0")/env.sh"

export MATRIX_REPORT=$cache/matrix
rm -f "$MATRIX_REPORT"
status=0
go test -count=1 -run '^TestMatrix$' ./integration >"$cache/log" 2>&1 || { status=1; cat "$cache/log"; }
cat "$MATRIX_REPORT" || status=1
exit $status
