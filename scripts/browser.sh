#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# browser.sh: launches in a real Chromium, with cookies allowed, partitioned and blocked. On Debian as root a missing
# Chromium is installed; elsewhere it says what to install. SHOTS=directory keeps a picture of each page.
. "$(dirname "$0")/env.sh"

if ! command -v "${CHROMIUM:-chromium}" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo 'browser: installing chromium'
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >"$cache/apt.log" 2>&1 ||
    { tail -n 20 "$cache/apt.log" >&2; die "apt-get failed; its last lines are above"; }
fi
command -v "${CHROMIUM:-chromium}" >/dev/null || die 'there is no chromium: install it, or name one with CHROMIUM=program'
scripts/setup.sh demo
npm_ci scripts/browser
scripts/build.sh
(cd clients/node && npm run --silent build)
export DEMO_PYTHON=$venv/bin/python
node scripts/browser/check.mjs
