#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# browser.sh: launches in a real Chromium, with cookies allowed, partitioned and blocked. Without a Chromium it is
# installed on Debian as root, and otherwise the check is skipped, loudly; with CI=true it must run.
. "$(dirname "$0")/env.sh"

if ! command -v "${CHROMIUM:-chromium}" >/dev/null && in_ci && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'browser: installing chromium'
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >"$cache/apt.log" 2>&1 ||
    { tail -n 20 "$cache/apt.log" >&2; die "apt-get failed; its last lines are above"; }
fi
if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
  ! in_ci || die 'there is no chromium'
  echo 'browser: NOT TESTED in a real browser: install chromium, or name one with CHROMIUM=program' >&2
  exit 0
fi
npm_ci scripts/browser
[ -x bin/demo ] || scripts/build.sh
export DEMO_PYTHON=$venv/bin/python
node scripts/browser/check.mjs
