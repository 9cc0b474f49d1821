#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target there is, FUZZTIME each. FUZZ_COUNTS names a file that receives the counts, for tally.py.
# Inputs are made smaller for ten runs only: what has randomness or goroutines of its own covers other lines each time,
# so that the search for a smaller input would take up all the time there is.
. "$(dirname "$0")/env.sh"

time=${FUZZTIME:-30s}
passed=0
failed=0
while IFS=: read -r file target; do
  package=./$(dirname "$file")
  started=$SECONDS
  if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" >"$cache/fuzz.log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok    %-44s %3ds  %s\n' "$package.$target" $((SECONDS - started)) \
      "$(grep -oE 'execs: [0-9]+' "$cache/fuzz.log" | tail -n 1 || true)"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$package.$target"
    cat "$cache/fuzz.log"
  fi
done < <(sources '*_test.go' | tr '\n' '\0' | xargs -0 -r grep -HoE '^func Fuzz[A-Za-z0-9_]*' /dev/null | sed 's/:func /:/')

[ -z "${FUZZ_COUNTS:-}" ] || printf 'passed %d\nfailed %d\n' $passed $failed >"$FUZZ_COUNTS"
printf 'fuzz: %d targets, %d crashes\n' $((passed + failed)) "$failed"
[ "$failed" -eq 0 ]
