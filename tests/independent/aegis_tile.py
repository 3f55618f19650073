# SPDX-License-Identifier: Apache-2.0
"""tile-v1 (C2SP tlog-tiles), written a second time from docs/format/."""
import re

import aegis_format as f
from aegis_cipher import Refused

WIDTH, LEVELS = 256, 8


def read_path(text):
    """(level or "entries", index, width)"""
    match = re.fullmatch(r"tile/([0-7]|entries)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", text)
    if not match:
        raise Refused("path of a tile")
    kind, groups, width = match.groups()
    groups = groups.replace("x", "").split("/")
    if len(groups) > 7 or len(groups) > 1 and groups[0] == "000" or width and int(width) >= WIDTH:
        raise Refused("path of a tile")
    index = int("".join(groups))
    if index >= 1 << 64:
        raise Refused("path of a tile")
    return kind if kind == "entries" else int(kind), index, int(width or WIDTH)


def path(kind, index, width=WIDTH):
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    return "tile/%s/%s%s" % (kind, "/".join(["x" + group for group in groups[:-1]] + groups[-1:]), "" if width == WIDTH else ".p/%d" % width)


def width_of(size, level, index):
    """How many hashes a log of this size has in a tile."""
    return max(0, min(WIDTH, (size >> 8 * level) - index * WIDTH))


def hashes(leaves, level):
    """Every hash of a level."""
    for _ in range(level):
        leaves = [f.merkle_root(leaves[at:at + WIDTH]) for at in range(0, len(leaves) - WIDTH + 1, WIDTH)]
    return leaves


def tile(leaves, level, index):
    return b"".join(hashes(leaves, level)[index * WIDTH:(index + 1) * WIDTH])


def read_entries(data, count):
    entries = []
    for _ in range(count):
        size = int.from_bytes(data[:2], "big")
        if len(data) < 2 + size or len(data) < 2:
            raise Refused("end of a tile of entries")
        entries.append(data[2:2 + size])
        data = data[2 + size:]
    if data:
        raise Refused("bytes behind a tile of entries")
    return entries
