#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the catalogue of attacks, the vectors of Wycheproof and the cost of refusals, and prints the table. JSON=FILE
# receives it as JSON. The exit status is 1 unless everything came out as it must.
. "$(dirname "$0")/env.sh"

export WYCHEPROOF_TALLY=$cache/wycheproof.json
rm -f "$WYCHEPROOF_TALLY"
status=0
go test -count=1 -run '^Test(Wycheproof|ROCAFingerprint)$' ./jose || status=1
ATTACK_REPORT=1 ATTACK_JSON=${JSON:+$(realpath -m "$JSON")} go test -count=1 ./attack -v |
  grep -vE '^(=== (RUN|PAUSE|CONT)|--- PASS|PASS$|ok )' || status=1
[ "${PIPESTATUS[0]}" -eq 0 ] || status=1
exit $status
