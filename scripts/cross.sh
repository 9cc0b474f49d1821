#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds for every platform that is supported: Linux to run, macOS and Windows to develop. The Linux binaries of the
# sidecar must be static and under 40 MB.
. "$(dirname "$0")/env.sh"

limit=40000000
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
  out=dist/${target/\//-}
  GOOS=${target%/*} GOARCH=${target#*/} scripts/build.sh "$out"
  for binary in "$out"/*; do
    bytes=$(wc -c <"$binary")
    printf 'cross: %-36s %6.1f MB\n' "$binary" "$(awk "BEGIN { print $bytes / 1e6 }")"
    case $binary in
    dist/linux-*/sidecar)
      [ "$bytes" -lt $limit ] || die "$binary has $bytes bytes; the limit is $limit"
      python3 scripts/elf_is_static.py "$binary" || die "$binary is not static"
      ;;
    esac
  done
done
