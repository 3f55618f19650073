#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of tests/stock/verify.mjs: what Aegis gives, as it is and changed.

    cases.py vectors                                     from tests/vectors
    cases.py live --psql PROGRAM --socket FOLDER         proofs of a live database, read with SELECT
"""
import argparse
import base64
import json
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "independent"))

import live_database  # noqa: E402


def b64(data):
    return base64.b64encode(data).decode()


def case(name, wanted, index, size, leaf_data, proof, root, **note):
    print(json.dumps({"name": name, "wanted": wanted, "index": index, "size": size, "leaf_data": b64(leaf_data),
                      "proof": [b64(p) for p in proof], "root": b64(root), **note}))


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def inclusion(name, index, size, leaf_data, proof, root, **note):
    """The case, and what must be refused of it."""
    def write(what, wanted, index=index, size=size, leaf_data=leaf_data, proof=proof, root=root, **other):
        case("%s, %s" % (name, what), wanted, index, size, leaf_data, proof, root, **{**note, **other})
    write("as it is", "ok")
    write("another leaf", "refused", leaf_data=leaf_data + b"x")
    write("another index", "refused", index=index + 1 if index + 1 < size else index - 1)
    write("an index beyond the tree", "refused", index=size)
    write("another root", "refused", root=flip(root, 31))
    write("a hash changed", "refused", proof=[flip(proof[0], 0)] + proof[1:])
    write("a hash missing", "refused", proof=proof[1:])
    write("a hash too many", "refused", proof=proof + [root])
    return write


def signed(write, text, signatures, size, root):
    """The checkpoint that goes with it, changed: only its signature tells."""
    def with_note(text, signatures=signatures):
        return {"note": text + "\n" + signatures}
    start, end = signatures.rsplit(" ", 1)
    signature = base64.b64decode(end)
    write("the checkpoint of another size", "refused", **with_note(text.replace("\n%d\n" % size, "\n%d\n" % (size + 1))))
    write("the checkpoint of another log", "refused", **with_note("x" + text))
    write("the checkpoint of another root", "refused", **with_note(text.replace(b64(root), b64(flip(root, 0)))))
    for at in (0, 4, 35, 36, 67):
        write("byte %d of the signature changed" % at, "refused", **with_note(text, "%s %s\n" % (start, b64(flip(signature, at)))))
    write("no signature", "refused", **with_note(text, ""))


def vectors():
    with open(os.path.join(here, "..", "vectors", "checkpoint_v1.json"), encoding="ascii") as file:
        v = json.load(file)
    root = bytes.fromhex(v["root"])
    write = inclusion("vector", 5, 8, bytes.fromhex(v["entry"]), [bytes.fromhex(p) for p in v["proof"]], root, note=v["note"], vkey=v["vkey"])
    text, signatures = v["note"].split("\n\n")
    signed(write, text + "\n", signatures, 8, root)


def live(database):
    """Entries in their tenants' logs, each at the size that the log has now."""
    hashes = "(SELECT coalesce(json_agg(encode(h.hash, 'hex') ORDER BY h.at), '[]') FROM unnest(%s) WITH ORDINALITY h (hash, at))"
    for log in database.rows("SELECT log, tenant_id, size FROM aegis.tenant_log WHERE size > 8 ORDER BY log"):
        for index in (0, log["size"] // 2, log["size"] - 1):
            arguments = "%s, %d, %d" % (live_database.literal(log["tenant_id"]), index, log["size"])
            found = database.rows(
                "SELECT encode(e.body, 'hex') AS body, " + hashes % ("aegis.inclusion_proof(%s)" % arguments) + " AS proof,"
                " encode(aegis.log_root(%s, %d), 'hex') AS root" % (live_database.literal(log["tenant_id"]), log["size"]) +
                " FROM aegis.audit_log l JOIN aegis.entry e USING (seq) WHERE l.tenant_id IS NOT DISTINCT FROM %s AND l.leaf = %d"
                % (live_database.literal(log["tenant_id"]), index))[0]
            inclusion("leaf %d of log %d" % (index, log["log"]), index, log["size"],
                      bytes.fromhex(found["body"]), [bytes.fromhex(p) for p in found["proof"]], bytes.fromhex(found["root"]))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("of", choices=["vectors", "live"])
    for name in ("--psql", "--socket"):
        options.add_argument(name)
    options = options.parse_args()
    if options.of == "vectors":
        vectors()
    else:
        live(live_database.Database(options.psql, options.socket))
    return 0


if __name__ == "__main__":
    sys.exit(main())
