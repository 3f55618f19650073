#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for canaries and keys in files, in every form in which they could stand there.

    leak.py --text NAME=WORD ... --bytes NAME=HEX ... PLACE=PATH ...    prints "PLACE NAME FORM" for each that is found
    leak.py keys KEYRING FIELD TYPE < ROWS                              NAME=HEX of the master key, of all root keys, and of what
                                                                        is derived from those of tenants for the field and type

ROWS are those of aegis.tenant_key as JSON, one a line; roots are unwrapped by the second implementation."""
import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "independent"))
from live_keys import Keys, f, read_provider  # noqa: E402


def in_base64(data):
    """What stays the same of the base64 of a longer text, for each of three alignments."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + data)
        text = whole[-(-shift * 8 // 6) + (1 if shift else 0):len(whole) - 4]
        yield "base64-%d" % shift, text
        yield "base64url-%d" % shift, text.replace(b"+", b"-").replace(b"/", b"_")


def forms(data, is_text):
    yield "raw", data
    yield "hex", data.hex().encode()
    yield "HEX", data.hex().upper().encode()
    yield from in_base64(data)
    if is_text:
        yield "utf-16le", data.decode().encode("utf-16le")
        yield "utf-16be", data.decode().encode("utf-16be")


def files(path):
    if os.path.isfile(path):
        yield path
    for folder, _, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in names)


def search(arguments):
    needles, places, kind = [], [], None
    for argument in arguments:
        if argument in ("--text", "--bytes"):
            kind = argument
            continue
        name, value = argument.split("=", 1)
        if value.startswith("/"):
            places.append((name, value))
        else:
            data = value.encode() if kind == "--text" else bytes.fromhex(value)
            needles += [(name, form, needle) for form, needle in forms(data, kind == "--text")]
    found = set()
    for place, path in places:
        for one in files(path):
            try:
                with open(one, "rb") as file:
                    content = file.read()
            except OSError:  # gone meanwhile, or a socket
                continue
            found.update((place, name, form) for name, form, needle in needles if needle in content)
    for line in sorted(found):
        print(*line)


def keys(keyring, field, kind_of_field):
    with open(keyring, encoding="ascii") as file:
        masters = read_provider(file.read())
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    nil = "00000000-0000-0000-0000-000000000000"
    roots = Keys(masters, [dict(row, tenant_id=None if row["tenant_id"] == nil else row["tenant_id"]) for row in rows])
    for version, master in masters.items():
        print("master-%d=%s" % (version, master.hex()))
    for (tenant, kind, epoch), root in roots.roots.items():
        print("%s-%s-%d=%s" % (kind, tenant.hex()[:8], epoch, root.hex()))
        derived = {"field": roots.field(tenant, epoch, f.field_reference(field)), "audit": roots.audit(tenant, epoch)} if kind == "root" else \
            {"search": roots.derived(tenant, "index", "blind_index", epoch, f.type_reference(kind_of_field))}
        for name, key in derived.items():
            print("%s-%s-%d=%s" % (name, tenant.hex()[:8], epoch, key.hex()))


if __name__ == "__main__":
    if sys.argv[1] == "keys":
        keys(*sys.argv[2:])
    else:
        search(sys.argv[1:])
