# SPDX-License-Identifier: Apache-2.0
"""tenant-v1, written a second time from docs/format/tenant-v1.md.

    aegis_tenant.py FILE [PRIVATE]    checks an exported tenant; prints its tables and its chain, and opens its keys
"""
import base64
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
import aegis_hpke as h  # noqa: E402
import aegis_proof as p  # noqa: E402
from aegis_format import Refused  # noqa: E402

HEADER, KEY, TABLE, ROW, TABLE_END, LEDGER, END = "aegis/tenant/1", 1, 2, 3, 4, 5, 6


def _is(value, kind, size=None):
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool)) and (size is None or len(value) == size)


def _uint(value):
    return _is(value, int) and 0 <= value < 1 << 64


def _texts(value, nulls):
    return _is(value, list) and all(_is(v, str) or (nulls and v is None) for v in value)


SHAPES = {
    HEADER: lambda r: len(r) == 9 and _is(r[1], str) and _is(r[2], int) and _is(r[3], bytes, 16) and _is(r[4], str)
    and _is(r[5], str) and _is(r[6], bool) and _is(r[7], str) and _is(r[8], bytes, 32),
    KEY: lambda r: (len(r) == 5 or (len(r) == 7 and r[1] == "root" and _is(r[5], int) and r[5] == 2 and _is(r[6], bytes)
                                    and len(r[6]) in (0, 8))) and r[1] in ("root", "index") and _uint(r[2]) and 0 < r[2] < 1 << 31 and _is(r[3], bytes, 32)
    and _is(r[4], bytes, 48),
    TABLE: lambda r: len(r) == 3 and _is(r[1], str) and _texts(r[2], False) and r[2] and len(r[2]) % 2 == 0 and len(r[2]) <= 3200,
    ROW: lambda r: len(r) == 2 and _texts(r[1], True),
    TABLE_END: lambda r: len(r) == 3 and _uint(r[1]) and _is(r[2], bytes, 32),
    LEDGER: lambda r: len(r) == 2 and _is(r[1], bytes),
    END: lambda r: len(r) == 6 and all(_uint(v) for v in r[1:5]) and _is(r[5], bytes, 32),
}
# What may follow what.
AFTER = {None: (HEADER,), HEADER: (KEY,), KEY: (KEY, TABLE), TABLE: (ROW, TABLE_END), ROW: (ROW, TABLE_END),
         TABLE_END: (TABLE, LEDGER), LEDGER: (LEDGER, END), END: ()}


def read(text):
    """{header, keys, tables: {name: (columns, types, rows)}, ledger, chain}"""
    if not text.endswith(b"\n"):
        raise Refused("the last line has no end")
    out = {"keys": [], "tables": {}, "ledger": []}
    last, running, own, rows = None, bytes(32), bytes(32), 0
    for line in text[:-1].split(b"\n"):
        data = base64.b64decode(line, validate=True)
        if base64.b64encode(data) != line:
            raise Refused("base64 in another spelling")
        r = f.cbor_read(data)
        kind = r[0] if isinstance(r, list) and r and type(r[0]) in (int, str) else None
        if kind not in SHAPES or not SHAPES[kind](r):
            raise Refused("not a record")
        if kind not in AFTER[last] or (kind == TABLE and {k[1] for k in out["keys"]} != {"root", "index"}):
            raise Refused("order")
        if kind == HEADER:
            out["header"], out["header_hash"] = r, f.sha256(data)
        elif kind == KEY:
            out["keys"].append(r)
        elif kind == TABLE:
            table = out["tables"][r[1]] = (r[2][::2], r[2][1::2], [])
            own = bytes(32)
        elif kind == ROW:
            if len(r[1]) != len(table[0]):
                raise Refused("a row of another width")
            table[2].append(r[1])
            rows += 1
            own = p.chain(own, data)
        elif kind == TABLE_END:
            if r[1:] != [len(table[2]), own]:
                raise Refused("the rows of a table do not follow")
        elif kind == LEDGER:
            out["ledger"].append(r[1])
        elif r[1:] != [len(out["keys"]), len(out["tables"]), rows, len(out["ledger"]), running]:
            raise Refused("counts or chain do not follow")
        if kind != END:
            running = p.chain(running, data)
        last = kind
    if last != END:
        raise Refused("the end is missing")
    out["chain"] = running
    return out


def ledger_text(bundle):
    return b"".join(base64.b64encode(record) + b"\n" for record in bundle["ledger"])


def binding(kind, epoch, suite=1, check_value=b""):
    return bytes([kind == "index"]) + epoch.to_bytes(4, "big") + (b"" if suite == 1 else bytes([suite]) + check_value)


def open_keys(bundle, private):
    """{(kind, epoch): root}"""
    if h.public_key(private) != bundle["header"][8]:
        raise Refused("sealed for somebody else")
    return {(k[1], k[2]): h.open_sealed(private, k[3], b"aegis/tenant-key/1",
                                        bundle["header_hash"] + binding(*k[1:3], *k[5:]), k[4])
            for k in bundle["keys"]}


if __name__ == "__main__":
    try:
        with open(sys.argv[1], "rb") as file:
            bundle = read(file.read())
        p.check_bundle(ledger_text(bundle))
        for name, table in bundle["tables"].items():
            print("table", name, len(table[2]))
        if len(sys.argv) > 2:
            for (kind, epoch), root in open_keys(bundle, bytes.fromhex(sys.argv[2])).items():
                print("key", kind, epoch, root.hex())
        print("chain", bundle["chain"].hex())
    except (Refused, ValueError) as refused:
        print("refused:", refused)
        sys.exit(1)
