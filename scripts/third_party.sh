#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# third_party.sh [--check]: writes THIRD_PARTY.md, or checks that it is what would be written. Fails on a licence that
# is not on the list in third_party.py. Needs what setup.sh installs.
. "$(dirname "$0")/env.sh"

[ -x "$venv/bin/python" ] || die "run scripts/setup.sh first"
"$venv/bin/python" scripts/third_party.py >"$cache/THIRD_PARTY.md"
if [ "${1:-}" = --check ]; then
  diff -u THIRD_PARTY.md "$cache/THIRD_PARTY.md" || die "THIRD_PARTY.md is not fresh: run 'make gen' and commit it"
else
  cp "$cache/THIRD_PARTY.md" THIRD_PARTY.md
fi
