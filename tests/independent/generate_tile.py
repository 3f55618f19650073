# SPDX-License-Identifier: Apache-2.0
"""Vectors of tile-v1: paths that are none and some that are, and tiles of a log whose leaves anybody can write down."""
import aegis_format as f
import aegis_tile as t

SIZE = 70000
INDEXES = (0, 999, 1000, 1234067, 1000000, 987654321, (1 << 64) - 1 >> 8)
REFUSED = ["", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/8/000", "tile/00/000", "tile/-1/000", "tile/0/x000/000",
           "tile/0/x001", "tile/0/001/002", "tile/0/x001/x002", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
           "tile/0/000/5", "tile/0/x001.p/5/000", "tile/0/000.p/5/6", "tile/0/000/", "tile/entries", "tile/entry/000", "/tile/0/000", "tile/0/\u0660\u0660\u0660",
           "tile/0/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/x018/x446/x744/x073/x709/x551/616"]


def tile_v1():
    leaves = [f.merkle_leaf(b"%d" % i) for i in range(SIZE)]
    tiles = []
    for level, index in ((0, 0), (0, 273), (1, 0), (1, 1), (2, 0)):
        data = t.tile(leaves, level, index)
        tiles.append({"level": level, "index": index, "width": t.width_of(SIZE, level, index), "path": t.path(level, index, len(data) // 32),
                      "sha256": f.sha256(data)})
    entries = [b"first", b"", b"third"]
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    return {"size": SIZE, "root": f.merkle_root(leaves), "tiles": tiles,
            "paths": [{"kind": str(kind), "index": str(index), "width": width, "path": t.path(kind, index, width)}
                      for kind in (0, 7, "entries") for index in INDEXES for width in (1, 255, 256)],
            "widths": [{"size": str(size), "level": level, "index": str(index), "width": t.width_of(size, level, index)}
                       for size, level, index in ((SIZE, 0, 272), (SIZE, 0, 273), (SIZE, 0, 274), (SIZE, 1, 0), (SIZE, 1, 1), (SIZE, 2, 0), (SIZE, 3, 0),
                                                  (0, 0, 0), ((1 << 64) - 1, 7, 0), (5, 0, (1 << 64) - 1))],
            "refused": [path.encode() for path in REFUSED], "entries": entries, "bundle": bundle,
            "refused_bundles": [bundle[:-1], bundle + b"\0", bundle[:1], b"", bundle[7:]]}
