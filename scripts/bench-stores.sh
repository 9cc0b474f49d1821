#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Redemptions per second, and CPU time for each, of every nonce store: see scripts/benchstores/main.go.
. "$(dirname "$0")/env.sh"

go run ./scripts/benchstores ${MARKDOWN:+-markdown "$MARKDOWN"} "$@"
