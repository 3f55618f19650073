#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of tests/stock/verify.mjs: what Aegis gives, as it is and changed.

    cases.py vectors                                     from tests/vectors
    cases.py live --psql PROGRAM --socket FOLDER --vkey KEY
                                                         checkpoint and proofs of a live database, read with SELECT
"""
import argparse
import base64
import json
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "independent"))

import aegis_format  # noqa: E402
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


HASHES = "(SELECT coalesce(json_agg(encode(h.hash, 'hex') ORDER BY h.at), '[]') FROM unnest(%s) WITH ORDINALITY h (hash, at))"


def entries(database):
    """Entries in their tenants' logs, each at the size that the log has now."""
    for log in database.rows("SELECT log, tenant_id, size FROM aegis.tenant_log WHERE size > 8 ORDER BY log"):
        tenant = live_database.literal(log["tenant_id"])
        for index in (0, log["size"] // 2, log["size"] - 1):
            found = database.rows(
                "SELECT encode(e.body, 'hex') AS body, %s AS proof, encode(aegis.log_root(%s, %d), 'hex') AS root"
                " FROM aegis.audit_log l JOIN aegis.entry e USING (seq) WHERE l.tenant_id IS NOT DISTINCT FROM %s AND l.leaf = %d"
                % (HASHES % ("aegis.inclusion_proof(%s, %d, %d)" % (tenant, index, log["size"])), tenant, log["size"], tenant, index))[0]
            inclusion("leaf %d of log %d" % (index, log["log"]), index, log["size"], bytes.fromhex(found["body"]),
                      [bytes.fromhex(p) for p in found["proof"]], bytes.fromhex(found["root"]))


def heads(database, vkey):
    """Heads of the logs, in the root log as it was signed last."""
    note = database.rows("SELECT aegis.latest_checkpoint() AS note")[0]["note"]
    text, signatures = note.split("\n\n")
    _, size, root = text.split("\n")
    size, root = int(size), base64.b64decode(root)
    # Size of a log at a seal: where its last leaves of that seal end.
    leaves = database.rows("SELECT encode(t.log_id, 'hex') AS log_id, l.first_leaf + cardinality(l.seqs) AS size, encode(l.root, 'hex') AS root"
                           " FROM aegis.seal_leaves l JOIN aegis.tenant_log t USING (log) WHERE l.root IS NOT NULL ORDER BY l.seal, l.log")
    for index in sorted({0, 1, size // 3, size // 2, size - 1}):
        head = leaves[index]
        data = aegis_format.head_leaf_data(bytes.fromhex(head["log_id"]), head["size"], bytes.fromhex(head["root"]))
        proof = database.rows("SELECT %s AS proof" % (HASHES % ("aegis.root_inclusion_proof(%d, %d)" % (index, size))))[0]["proof"]
        write = inclusion("head %d" % index, index, size, data, [bytes.fromhex(p) for p in proof], root, note=note, vkey=vkey)
    signed(write, text + "\n", signatures, size, root)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("of", choices=["vectors", "live"])
    for name in ("--psql", "--socket", "--vkey"):
        options.add_argument(name)
    options = options.parse_args()
    if options.of == "vectors":
        vectors()
    else:
        database = live_database.Database(options.psql, options.socket)
        entries(database)
        heads(database, options.vkey)
    return 0


if __name__ == "__main__":
    sys.exit(main())
