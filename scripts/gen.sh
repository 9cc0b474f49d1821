#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Generates code again from proto/: Go beside it, and the Python and Node stubs through the clients' own scripts.
# Needs Node (for buf) and Python; `scripts/setup.sh` installs what they need.
. "$(dirname "$0")/env.sh"

npm_ci tools
export PATH=$root/tools/node_modules/.bin:$PATH

fresh=$(mktemp -d "$cache/gen.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
"$buf" generate --output "$fresh"
# The new files replace all old ones, so that those of a deleted .proto go too.
find proto -name '*.pb.go' -delete
cp -R "$fresh/proto/." proto/

if [ -f clients/python/generate.py ]; then
  [ -x "$venv_generate/bin/python" ] || die "run scripts/setup.sh first"
  "$venv_generate/bin/python" clients/python/generate.py
fi
if [ -f clients/node/package.json ]; then
  npm_ci clients/node
  (cd clients/node && npm run --silent gen)
fi
