#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A full disk under launches and scores, again and again: see scripts/drilldisk/main.go. With CI=true it must not be
# skipped.
. "$(dirname "$0")/env.sh"

scripts/build.sh
go run ./scripts/drilldisk -sidecar bin/sidecar "$@" | tee "$cache/log"
! in_ci || ! grep -q SKIPPED "$cache/log" || die "it was skipped"
