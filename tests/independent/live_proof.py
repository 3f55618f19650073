# SPDX-License-Identifier: Apache-2.0
"""Proofs and checkpoints of a live database: compared with those that the leaves give, and verified."""
import aegis_format as f
import aegis_note as n
import aegis_proof as p
import aegis_receipt as r
from aegis_format import Refused
from live_database import literal
from live_keys import uuid_bytes

HASHES = "(SELECT coalesce(json_agg(encode(h.hash, 'hex') ORDER BY h.at), '[]') FROM unnest({}) WITH ORDINALITY h (hash, at))"


def some(size):
    """Numbers from 1 to size: small ones, those around powers of two, the last."""
    near = {1 << k for k in range(12)} | {(1 << k) + 1 for k in range(12)} | {(1 << k) - 1 for k in range(12)}
    return sorted(v for v in near | {size, size - 1, size // 2, size // 3} if 1 <= v <= size)


class Proofs:
    def __init__(self, database, ledger, report):
        self.database, self.ledger, self.report = database, ledger, report
        self.names = {row["log"]: row for row in ledger.tables["tenant_log"]}

    def hashes(self, calls):
        """What each SQL call that returns bytea[] gives."""
        rows = self.database.rows("SELECT * FROM (VALUES %s) v (i, hashes)" % ", ".join(
            "(%d, %s)" % (i, HASHES.format(call)) for i, call in enumerate(calls)), "auditor")
        return [[bytes.fromhex(h) for h in row["hashes"]] for row in sorted(rows, key=lambda row: row["i"])]

    def check_cache(self):
        """Leaf hashes and nodes that are kept beside the entries."""
        rows = self.database.rows("SELECT seal, log, first_leaf, encode(leaves, 'hex') AS leaves FROM aegis.seal_leaves")
        findings = []
        for row in rows:
            leaves = self.ledger.logs.get(row["log"], [])
            got, known = bytes.fromhex(row["leaves"]), leaves[row["first_leaf"]:]
            if got != b"".join(known)[:len(got)] and len(known) * 32 >= len(got):
                findings.append("leaves of seal %(seal)d, log %(log)d" % row)
        self.report.result("kept leaf hashes are those of the entries", findings, len(rows))
        kept = {(row["log"], row["level"], row["index"]): row["hash"] for row in self.database.rows(
            "SELECT log, level, index, encode(hash, 'hex') AS hash FROM aegis.tree_node")}
        findings, count = [], 0
        for log, leaves in [(0, self.ledger.root_log)] + list(self.ledger.logs.items()):
            for level in (8, 16):
                for index in range(len(leaves) >> level):
                    count += 1
                    if kept.get((log, level, index)) != f.merkle_root(leaves[index << level:(index + 1) << level]).hex():
                        findings.append("log %d, level %d, index %d" % (log, level, index))
        if not any(log == 0 for log, _, _ in kept) or not any(log > 0 for log, _, _ in kept):
            findings.append("no node of the root log, or none of a tenant's: too few entries to compare")
        self.report.result("kept nodes of the trees follow from the leaves", findings, count)

    def check_log(self, name, leaves, inclusion, consistency, root):
        """inclusion, consistency, root: SQL calls with two, two and one places for numbers."""
        findings, sizes = [], some(len(leaves))
        pairs = [(i - 1, size) for size in sizes for i in some(size)[::3] + [size]]
        both = [(first, second) for second in sizes for first in some(second)[::2]]
        roots = {size: f.merkle_root(leaves[:size]) for size in set(sizes) | {first for first, _ in both}}
        for (index, size), proof in zip(pairs, self.hashes([inclusion % pair for pair in pairs])):
            if proof != p.inclusion_proof(index, leaves[:size]):
                findings.append("inclusion of %d in %d: another proof" % (index, size))
            try:
                p.verify_inclusion(index, size, leaves[index], proof, roots[size])
            except Refused as refused:
                findings.append("inclusion of %d in %d: %s" % (index, size, refused))
        for (first, second), proof in zip(both, self.hashes([consistency % pair for pair in both])):
            if proof != p.consistency_proof(first, leaves[:second]):
                findings.append("consistency of %d with %d: another proof" % (first, second))
            try:
                p.verify_consistency(first, second, proof, roots[first], roots[second])
            except Refused as refused:
                findings.append("consistency of %d with %d: %s" % (first, second, refused))
        if root is not None:
            given = self.database.rows("SELECT * FROM (VALUES %s) v (size, root)" % ", ".join(
                "(%d, encode(%s, 'hex'))" % (size, root % size) for size in [0] + list(roots)), "auditor")
            findings += ["root at size %d" % row["size"] for row in given
                         if row["root"] != (roots.get(row["size"]) or f.merkle_root([])).hex()]
        self.report.result("proofs and roots of %s" % name, findings, len(pairs) + len(both))

    def check_proofs(self):
        for log, leaves in self.ledger.logs.items():
            tenant = literal(self.names[log]["tenant_id"])
            self.check_log("the log of %s" % (self.names[log]["tenant_id"] or "the system"), leaves, "aegis.inclusion_proof(" + tenant + ", %d, %d)",
                           "aegis.consistency_proof(" + tenant + ", %d, %d)", "aegis.log_root(" + tenant + ", %d)")
        self.check_log("the root log", self.ledger.root_log, "aegis.root_inclusion_proof(%d, %d)", "aegis.root_consistency_proof(%d, %d)", None)

    def check_checkpoints(self, vkey):
        """Every checkpoint is signed, says what the heads add up to, and extends the one before."""
        rows = self.database.rows("SELECT number, seal, size, encode(root, 'hex') AS root, note FROM aegis.checkpoint ORDER BY number")
        key, findings, before, count = n.read_note_key(vkey), [], None, 0
        sizes = {seal["number"]: seal["root_size"] for seal in self.ledger.tables["seal"]}
        rows = [row for row in rows if row["size"] <= len(self.ledger.root_log)]
        for row in rows:
            where = "checkpoint %d" % row["number"]
            try:
                note = n.read_note(row["note"].encode())
                origin, size, root = n.read_checkpoint(note[0])
                if not n.is_signed(note, key) or origin != key[0]:
                    findings.append(where + ": not signed, or of another log")
                if (size, root.hex()) != (row["size"], row["root"]) or size != sizes.get(row["seal"]) \
                        or root != f.merkle_root(self.ledger.root_log[:size]):
                    findings.append(where + ": size or root")
                if before is not None:
                    p.verify_consistency(*before[:1], size, self.hashes(["aegis.root_consistency_proof(%d, %d)" % (before[0], size)])[0],
                                         before[1], root)
                before = size, root
                count += 1
            except Refused as refused:
                findings.append("%s: %s" % (where, refused))
        raw = rows[-1]["note"].encode() if rows else b""
        findings += ["byte %d of the newest changed: signed" % at for at in range(0, len(raw), 11)
                     if said(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:], key)]
        newest = self.database.value("SELECT aegis.latest_checkpoint() = (SELECT note FROM aegis.checkpoint ORDER BY number DESC LIMIT 1)")
        self.report.result("checkpoints are signed, say what the entries add up to, and extend each other",
                           findings + ([] if newest == "t" else ["aegis.latest_checkpoint() is another"])
                           + ([] if count > 1 else ["fewer than two"]), count)


    def check_receipts(self, vkey, verdict):
        """Receipts of entries of every log; verdict(receipt) is what aegis-verify says: its exit status."""
        origin, findings, count = n.read_note_key(vkey)[0], [], 0
        for log, leaves in self.ledger.logs.items():
            tenant = self.names[log]["tenant_id"]
            seqs = [seq for row in self.ledger.tables["seal_leaves"] if row["log"] == log for seq in row["seqs"]]
            for leaf in sorted({0, 1, len(leaves) // 2, len(leaves) - 1}):
                text = "\n".join(self.database.script("SELECT aegis.receipt(%s, %d);\n" % (literal(tenant), leaf), "auditor")).encode()
                where = "leaf %d of log %d" % (leaf, log)
                body = self.ledger.entries[seqs[leaf]]["bytes"]
                try:
                    if f.cbor(r.check_receipt(text, vkey, origin, None if tenant is None else uuid_bytes(tenant))) != body:
                        findings.append(where + ": another entry")
                except Refused as refused:
                    findings.append("%s: %s" % (where, refused))
                if verdict(text) != 0:
                    findings.append("%s: aegis-verify says %d" % (where, verdict(text)))
                count += 1
        for at in range(0, len(text), 23):
            changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1:]
            count += 1
            try:
                r.check_receipt(changed, vkey, origin)
                findings.append("byte %d changed: accepted here" % at)
            except Refused:
                pass
            if verdict(changed) == 0:
                findings.append("byte %d changed: accepted by aegis-verify" % at)
        self.report.result("receipts prove their entries, changed ones nothing, here and to aegis-verify", findings, count)


def said(raw, key):
    try:
        return n.is_signed(n.read_note(raw), key)
    except Refused:
        return False
