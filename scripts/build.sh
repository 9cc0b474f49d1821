#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build.sh [DIRECTORY]: the binaries for GOOS and GOARCH (this machine's where unset), static, without paths of the
# machine that built them. `git describe` is their version. DIRECTORY is bin/ where none is named.
. "$(dirname "$0")/env.sh"

out=${1:-bin}
version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
suffix=$(go env GOEXE)
mkdir -p "$out"
for main in cmd/*/; do
  [ -d "$main" ] || die "there is no cmd/ to build"
  name=$(basename "$main")
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$out/$name$suffix" "./cmd/$name"
done
