#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Known vulnerabilities in the code that is linked, by govulncheck. VULNDB is a directory that holds a copy of a Go
# vulnerability database, or the URL of one. Without it nothing is checked: loudly here, as a failure in CI.
. "$(dirname "$0")/env.sh"

if [ -z "${VULNDB:-}" ]; then
  in_ci && die "CI needs a vulnerability database: set VULNDB to a directory or URL"
  echo "vuln: SKIPPED, nothing was checked: name a database, as in 'make vuln VULNDB=directory'"
  exit 0
fi
case $VULNDB in
*://*) database=$VULNDB ;;
*) [ -d "$VULNDB/ID" ] || die "VULNDB=$VULNDB: no Go vulnerability database there (it has no directory ID)"
  database=file://$(cd "$VULNDB" && pwd) ;;
esac
go tool -modfile=tools/govulncheck.mod govulncheck -db "$database" ./...
