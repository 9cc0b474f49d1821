# SPDX-License-Identifier: Apache-2.0
"""Exits 0 when the 64-bit little-endian ELF file named asks for no interpreter, that is, when it is static."""

import struct
import sys

PT_DYNAMIC, PT_INTERP = 2, 3

with open(sys.argv[1], "rb") as file:
    header = file.read(64)
    if header[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{sys.argv[1]}: not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    kinds = set()
    for index in range(count):
        file.seek(table + index * size)
        kinds.add(struct.unpack("<I", file.read(4))[0])
if kinds & {PT_DYNAMIC, PT_INTERP}:
    sys.exit(f"{sys.argv[1]}: asks for a dynamic linker")
