# SPDX-License-Identifier: Apache-2.0
"""bundle-v1 and proof-v1, written a second time from docs/format/.

    aegis_proof.py bundle FILE     checks an exported ledger; prints its last seal as "seal N hash HEX"

Everything is read into memory: it is made for checking, not for large ledgers.
"""
import base64
import binascii
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
from aegis_format import Refused  # noqa: E402


# --- bundle-v1 -----------------------------------------------------------------------------------

HEADER = "aegis/bundle/1"
SEAL, HEAD, ENTRY, OTHER_HEAD, END = 1, 2, 3, 4, 5


def bundle_line(record):
    return base64.b64encode(f.cbor(record)).decode()


def chain(before, record):
    return f.sha256(before, f.sha256(record))


def statement(running, last):
    """What whoever found nothing says of a bundle, from its chain and the hash of its newest seal."""
    return f.sha256(b"aegis/checked/1", running, last)


CUT = {"size": int, "root": str, "statement": str, "requested_by": str, "approved_by": str, "reason": str}


def read_cut(entry):
    """(size, root) of an entry that says that the beginning of its log was cut; None of any other"""
    if entry[3] != "ledger.cut":
        return None
    detail = entry.get(10, {})
    if entry[5] != 0 or set(detail) != set(CUT) or not all(_is(v, CUT[k]) and v not in ("", 0) for k, v in detail.items()) \
            or detail["size"] < 0 or not all(re.fullmatch("[0-9a-fA-F]{64}", detail[k]) for k in ("root", "statement")):
        raise Refused("not a cut")
    return detail["size"], bytes.fromhex(detail["root"])


def _is(value, kind, size=None):
    """Of this type, and of this length."""
    return isinstance(value, kind) and not isinstance(value, bool) and (size is None or len(value) == size)


def _uint(value):
    return _is(value, int) and 0 <= value < 1 << 64


def _int(value):
    return _is(value, int) and -(1 << 63) <= value < 1 << 63


SHAPES = {
    SEAL: lambda r: len(r) == 2 and _is(r[1], bytes),
    HEAD: lambda r: len(r) == 6 and _is(r[1], bytes, 32) and (r[2] is None or _is(r[2], bytes, 16)) and _uint(r[3])
    and _is(r[4], bytes, 32) and _uint(r[5]),
    ENTRY: lambda r: len(r) == 4 and _int(r[1]) and (r[2] is None or _is(r[2], bytes, 32))
    and (r[3] is None or (_is(r[3], bytes) and r[3] != b"")),
    OTHER_HEAD: lambda r: len(r) == 2 and _is(r[1], bytes, 32),
    END: lambda r: len(r) == 5 and all(_uint(v) for v in r[1:4]) and _is(r[4], bytes, 32),
    HEADER: lambda r: len(r) == 5 and _is(r[1], str) and _int(r[2]) and (r[3] is None or _is(r[3], bytes, 16))
    and _uint(r[4]),
}


def bundle_record(line):
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise Refused("not base64") from None
    if base64.b64encode(data) != line:
        raise Refused("base64 in another spelling")
    record = f.cbor_read(data)
    if not isinstance(record, list) or not record or type(record[0]) not in (int, str) or record[0] not in SHAPES \
            or not SHAPES[record[0]](record):
        raise Refused("not a record")
    return record, data


def read_bundle(text):
    """Records in the order of the file: header, seals [(body, heads [(head, entries)])], end; and the chain."""
    if not text.endswith(b"\n"):
        raise Refused("the last line has no end")
    header = end = None
    seals, running = [], bytes(32)
    for line in text[:-1].split(b"\n"):
        record, data = bundle_record(line)
        kind = record[0]
        if end or (kind == HEADER) != (header is None):
            raise Refused("order")
        due = seals[-1][1][-1] if seals and seals[-1][1] else None
        wanting = due is not None and due[0][0] == HEAD and len(due[1]) < due[0][5]
        if wanting != (kind == ENTRY):
            raise Refused("order")
        if kind == HEADER:
            header = record
        elif kind == SEAL:
            seals.append((record[1], []))
        elif kind == END:
            end = (record, running)
        elif kind == ENTRY:
            due[1].append(record)
        else:
            if not seals:
                raise Refused("order")
            if header[3] is None if kind == OTHER_HEAD else header[3] not in (None, record[2]):
                raise Refused("tenant")
            seals[-1][1].append((record, []))
        running = chain(running, data)
    if end is None:
        raise Refused("the end is missing")
    return header, seals, end


def tried(read, data):
    """What was read, None for bytes that are none."""
    try:
        return read(data)
    except Refused:
        return None


def read_kept(text):
    """{"seals": [(number, hash)], "logs": [(id, size, root)]} of the lines of kept heads"""
    kept = {"seals": [], "logs": []}
    for line in text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"):
        found = re.fullmatch("seal ([1-9][0-9]{0,18}) hash ([0-9a-fA-F]{64})|log ([0-9a-fA-F]{64}) size ([1-9][0-9]{0,18}) root ([0-9a-fA-F]{64})",
                             line)
        if not found:
            raise Refused("not a kept head")
        if found[1]:
            kept["seals"].append((int(found[1]), bytes.fromhex(found[2])))
        else:
            kept["logs"].append((bytes.fromhex(found[3]), int(found[4]), bytes.fromhex(found[5])))
    return kept


def check_bundle(text, kept=None, roots=()):
    """(findings, number of the last seal, its hash); roots: sizes and roots that signed checkpoints give the root log"""
    findings = []
    kept = kept or {"seals": [], "logs": []}
    seals_seen, heads_seen = {}, {}

    def want(true, what):
        if not true:
            findings.append(what)

    header, seals, (end, running) = read_bundle(text)
    number, previous, epoch, root_log, logs = 0, bytes(32), 0, [], {}
    heads = entries = 0
    hollow, cuts = {}, {}   # of each log: one more than its last leaf without a body; what its newest cut says
    for body, of_seal in seals:
        fields = tried(f.read_seal, body)
        name = "seal %d" % (fields["number"] if fields else number + 1)
        want(fields is not None, name + ": not a seal")
        if fields is None:
            number += 1
        else:
            want(fields["number"] == number + 1, name + ": number")
            want(fields["previous"] == previous, name + ": previous")
            want(fields["epoch"] >= epoch, name + ": epoch")
            number, epoch = fields["number"], fields["epoch"]
        previous = f.sha256(body)
        seals_seen.setdefault(number, previous)
        count, of_logs = 0, [head[1] for head, _ in of_seal if head[0] == HEAD]
        want(len(of_logs) == len(set(of_logs)), name + ": two heads of a log")
        for head, of_log in of_seal:
            heads += 1
            if head[0] == OTHER_HEAD:
                root_log.append(head[1])
                continue
            _, log_id, tenant, size, root, _ = head
            leaves = logs.setdefault((log_id, tenant), [])
            last = None
            for _, seq, stored, entry in of_log:
                entries += 1
                count += 1
                where = "%s, entry seq %d" % (name, seq)
                want(last is None or seq > last, where + ": order")
                last = seq
                leaves.append(stored if stored is not None else bytes(32))
                if entry is None and stored is not None:
                    hollow[log_id] = len(leaves)
                    continue
                want(entry is not None and stored == f.merkle_leaf(entry), where + ": body")
                m = None if entry is None else tried(f.read_entry, entry)
                want(m is not None and m.get(2) == tenant and (fields is None or m[1] <= epoch), where + ": not an entry of this log")
                try:
                    cut = read_cut(m) if m else None
                except Refused:
                    findings.append(where + ": not a cut")
                    continue
                if cut:
                    want(cuts.get(log_id, (0,))[0] < cut[0] < len(leaves), where + ": size of a cut")
                    cuts[log_id] = cut
            heads_seen.setdefault((log_id, size), root)
            want(len(leaves) == size and of_log != [], name + ": size of a log")
            want(f.merkle_root(leaves) == root, name + ": root of a log")
            root_log.append(f.merkle_leaf(f.head_leaf_data(log_id, size, root)))
        if fields is not None:
            want(header[3] is not None or count == fields["entries"], name + ": entries")
            want(len(root_log) == fields["root_size"], name + ": size of the root log")
            want(f.merkle_root(root_log) == fields["root"], name + ": root")
    for log_id, end_of_hollow in hollow.items():
        size, root = cuts.get(log_id, (0, None))
        want(size >= end_of_hollow, "log %s: leaves below %d have no body" % (log_id.hex(), end_of_hollow))
        want(size != end_of_hollow or heads_seen.get((log_id, size), root) == root, "log %s: root of the cut" % log_id.hex())
    want(len({log for log, _ in logs}) == len(logs) == len({tenant for _, tenant in logs}), "a log changed its tenant")
    for its_number, its_hash in kept["seals"]:
        want(seals_seen.get(its_number) == its_hash, "kept seal %d" % its_number)
    for log_id, size, root in kept["logs"]:
        want(heads_seen.get((log_id, size)) == root, "kept head of log %s at size %d" % (log_id.hex(), size))
    for size, root in roots:
        want(size <= len(root_log) and f.merkle_root(root_log[:size]) == root, "checkpoint at size %d" % size)
    want(header[4] == number, "header: newest seal")
    want(end[1:4] == [len(seals), heads, entries], "end: counts")
    want(end[4] == running, "end: chain")
    return findings, number, previous


# --- proof-v1 (RFC 9162 section 2.1) -------------------------------------------------------------

def _split(size):
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index, leaves):
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return inclusion_proof(index, leaves[:k]) + [f.merkle_root(leaves[k:])]
    return inclusion_proof(index - k, leaves[k:]) + [f.merkle_root(leaves[:k])]


def consistency_proof(first, leaves, whole=True):
    if first == len(leaves):
        return [] if whole else [f.merkle_root(leaves)]
    k = _split(len(leaves))
    if first <= k:
        return consistency_proof(first, leaves[:k], whole) + [f.merkle_root(leaves[k:])]
    return consistency_proof(first - k, leaves[k:], False) + [f.merkle_root(leaves[:k])]


def inclusion_root(index, size, leaf, proof):
    """The root that a leaf and its proof lead to."""
    if not 0 <= index < size or any(len(h) != 32 for h in [leaf] + proof):
        raise Refused("index, or length of a hash")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise Refused("too many hashes")
        if fn & 1 or fn == sn:
            r = f.merkle_node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = f.merkle_node(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise Refused("too few hashes")
    return r


def verify_inclusion(index, size, leaf, proof, root):
    if inclusion_root(index, size, leaf, proof) != root:
        raise Refused("not in the tree")


def verify_consistency(first, second, proof, first_root, second_root):
    if not 0 < first <= second or any(len(h) != 32 for h in [first_root, second_root] + proof):
        raise Refused("sizes, or length of a hash")
    if first == second:
        if proof or first_root != second_root:
            raise Refused("not the same")
        return
    if not proof:
        raise Refused("empty")
    if first & (first - 1) == 0:
        proof = [first_root] + proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            raise Refused("too many hashes")
        if fn & 1 or fn == sn:
            fr, sr = f.merkle_node(c, fr), f.merkle_node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = f.merkle_node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or fr != first_root or sr != second_root:
        raise Refused("does not extend it")


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "bundle":
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        try:
            findings, number, last = check_bundle(file.read())
        except Refused as refused:
            print("refused:", refused)
            return 2
    for finding in findings:
        print("finding:", finding)
    print("seal %d hash %s" % (number, last.hex()))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
