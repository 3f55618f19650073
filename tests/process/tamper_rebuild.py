# SPDX-License-Identifier: Apache-2.0
"""The strongest attacks: whoever knows the formats changes the ledger and computes everything again.

Each function gets a database and does it. The formats come from tests/independent/, which is written from docs/format/.
"""
import sys

import aegis_format as f
import aegis_note as note

FORGER = bytes(range(32))
# With what was built on them.
NO_CHECKPOINTS = "DELETE FROM aegis.checkpoint; DELETE FROM aegis.cosignature; DELETE FROM aegis.anchor_receipt;"


class Ledger:
    """The tables of the ledger, read, rebuilt from the bodies of the entries, and written back."""

    def __init__(self, database):
        self.database = database
        self.entries = {int(seq): bytes.fromhex(body) for seq, body in
                        database.rows("SELECT seq, encode(body, 'hex') FROM aegis.entry")}
        self.logs = {int(log): bytes.fromhex(log_id) for log, log_id in
                     database.rows("SELECT log, encode(log_id, 'hex') FROM aegis.tenant_log")}
        # Of what was cut there is only this.
        self.hashes = {int(seq): bytes.fromhex(leaf) for seq, leaf in database.rows(
            "SELECT s.seq, encode(substr(l.leaves, (s.at::integer - 1) * 32 + 1, 32), 'hex') FROM aegis.seal_leaves l, unnest(l.seqs) WITH ORDINALITY s(seq, at)")}
        self.leaves = [[int(seal), int(log), [int(seq) for seq in seqs.split(",")], last == "t"] for seal, log, seqs, last in database.rows(
            "SELECT seal, log, array_to_string(seqs, ','), root IS NOT NULL FROM aegis.seal_leaves ORDER BY seal, log, first_leaf")]
        self.seals = [f.read_seal(bytes.fromhex(body)) for (body,) in
                      database.rows("SELECT encode(body, 'hex') FROM aegis.seal ORDER BY number")]

    def write(self):
        """SQL that puts everything that follows from the entries in the place of what is there."""
        sql = ["BEGIN; UPDATE aegis.entry SET leaf = sha256('\\x00' || body);",
               "DELETE FROM aegis.seal_leaves; DELETE FROM aegis.tree_node;"]
        trees = {log: [] for log in self.logs}
        root_log, before, at = [], bytes(32), 0
        for seal in self.seals:
            covered = 0
            while at < len(self.leaves) and self.leaves[at][0] == seal["number"]:
                _, log, seqs, last = self.leaves[at]
                hashes = [f.merkle_leaf(self.entries[seq]) if seq in self.entries else self.hashes[seq] for seq in seqs]
                first = len(trees[log])
                trees[log] += hashes
                root = f.merkle_root(trees[log])
                if last:
                    root_log.append(f.merkle_leaf(f.head_leaf_data(self.logs[log], len(trees[log]), root)))
                sql.append("INSERT INTO aegis.seal_leaves (seal, log, first_leaf, last_seq, seqs, root, leaves) VALUES "
                           f"({seal['number']}, {log}, {first}, {seqs[-1]}, '{{{','.join(map(str, seqs))}}}', "
                           f"{hex_of(root) if last else 'NULL'}, {hex_of(b''.join(hashes))});")
                covered += len(seqs)
                at += 1
            seal.update(entries=covered, root_size=len(root_log), root=f.merkle_root(root_log), previous=before)
            body = f.seal(seal)
            before = f.sha256(body)
            sql.append(f"UPDATE aegis.seal SET entries = {covered}, root_size = {len(root_log)}, root = {hex_of(seal['root'])}, "
                       f"previous = {hex_of(seal['previous'])}, hash = {hex_of(before)}, body = {hex_of(body)}, "
                       f"root_frontier = {hex_of(f.frontier(root_log))}, sealed_at = 'epoch'::timestamptz + {seal['unix_micros']} * interval '1 us' "
                       f"WHERE number = {seal['number']};")
        for log, tree in list(trees.items()) + [(0, root_log)]:
            if log:
                sql.append(f"UPDATE aegis.tenant_log SET size = {len(tree)}, root = {hex_of(f.merkle_root(tree))}, "
                           f"frontier = {hex_of(f.frontier(tree))} WHERE log = {log};")
            sql += [f"INSERT INTO aegis.tree_node VALUES ({log}, 8, {index}, {hex_of(f.merkle_root(tree[index * 256:index * 256 + 256]))});"
                    for index in range(len(tree) // 256)]
        self.database.run("\n".join(sql + ["COMMIT;"]))


def hex_of(data):
    return f"'\\x{data.hex()}'::bytea"


def victim(ledger):
    """An entry of tenant one in the middle, as in tamper_edits.py."""
    return int(ledger.database.rows("SELECT seq FROM aegis.entry WHERE tenant_id = (SELECT id FROM aegis.tenant WHERE slug = 'one')"
                                    " ORDER BY seq OFFSET 20 LIMIT 1")[0][0])


def everything(database):
    ledger = Ledger(database)
    seq = victim(ledger)
    changed = ledger.entries[seq].replace(b"tamper.done", b"tamper.fake")
    if changed == ledger.entries[seq]:
        sys.exit("the entry was not changed")
    ledger.entries[seq] = changed
    database.run(f"UPDATE aegis.entry SET body = {hex_of(changed)} WHERE seq = {seq}")
    ledger.write()


def everything_unsigned(database):
    everything(database)
    database.run(NO_CHECKPOINTS)


def forge(database, where):
    for number, size, root, origin in database.rows(
            "SELECT c.number, s.root_size, encode(s.root, 'hex'), split_part(c.note, E'\\n', 1) FROM aegis.checkpoint c"
            f" JOIN aegis.seal s ON s.number = c.seal WHERE {where}"):
        signed = note.signed_note(note.checkpoint(origin, int(size), bytes.fromhex(root)), origin, FORGER)
        database.run(f"UPDATE aegis.checkpoint SET size = {size}, root = '\\x{root}', note = $note${signed}$note$ WHERE number = {number}")


def forged_note(database):
    forge(database, "c.number = (SELECT max(number) FROM aegis.checkpoint)")


def everything_forged(database):
    everything(database)
    forge(database, "true")


def without_an_entry(database):
    ledger = Ledger(database)
    seq = victim(ledger)
    for row in ledger.leaves:
        row[2] = [other for other in row[2] if other != seq]
    database.run(f"DELETE FROM aegis.entry WHERE seq = {seq}; {NO_CHECKPOINTS}")
    ledger.write()


def cut_further(database):
    """The edge of a cut is moved, and what lies below it deleted."""
    database.run("DELETE FROM aegis.entry WHERE seq IN (SELECT s.seq FROM aegis.ledger_cut c JOIN aegis.seal_leaves l USING (log),"
                 " unnest(l.seqs) WITH ORDINALITY s(seq, at) WHERE l.first_leaf + s.at - 1 < c.size + 30); UPDATE aegis.ledger_cut SET size = size + 30")


def other_time(database):
    ledger = Ledger(database)
    ledger.seals[2]["unix_micros"] -= 86400 * 1000000
    ledger.write()


def cut(database):
    """Back to the seal before the kept one: what an older copy would hold, made from the newest."""
    last = database.kept_seal - 1
    database.run(f"DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal > {last});"
                 f"DELETE FROM aegis.seal_leaves WHERE seal > {last}; DELETE FROM aegis.seal WHERE number > {last};"
                 f"DELETE FROM aegis.checkpoint WHERE seal > {last}; DELETE FROM aegis.cosignature WHERE checkpoint NOT IN (SELECT number FROM aegis.checkpoint);"
                 "DELETE FROM aegis.anchor_receipt WHERE checkpoint NOT IN (SELECT number FROM aegis.checkpoint)")
    Ledger(database).write()


def older(database):
    """Nothing to do: the copy was made from the older database."""
