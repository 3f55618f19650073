# SPDX-License-Identifier: Apache-2.0
"""The ledger of a live database against docs/format/: entries, trees, seals, and what SQL says of them."""
import aegis_format as f
import aegis_proof as p
from aegis_format import Refused
from live_keys import NIL, uuid_bytes

# One snapshot: the ledger goes on meanwhile.
SNAPSHOT = r"""
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TIME ZONE 'Asia/Kathmandu';
SELECT json_build_object('table', 'entry', 'seq', seq, 'xid', xid::text::numeric, 'epoch', epoch, 'ordinal', ordinal, 'tenant_id', tenant_id,
                         'leaf', encode(leaf, 'hex'), 'body', encode(body, 'hex')) FROM aegis.entry ORDER BY seq;
SELECT json_build_object('table', 'seal', 'number', number, 'epoch', epoch, 'unix_micros', (extract(epoch FROM sealed_at) * 1000000)::bigint,
                         'snapshot', snapshot::text, 'wal_position', wal - '0/0', 'entries', entries, 'root_size', root_size,
                         'root', encode(root, 'hex'), 'previous', encode(previous, 'hex'), 'hash', encode(hash, 'hex'),
                         'frontier', encode(root_frontier, 'hex'), 'body', encode(body, 'hex')) FROM aegis.seal ORDER BY number;
SELECT json_build_object('table', 'seal_leaves', 'seal', seal, 'log', log, 'first_leaf', first_leaf, 'last_seq', last_seq, 'seqs', seqs,
                         'root', encode(root, 'hex')) FROM aegis.seal_leaves ORDER BY seal, log, first_leaf;
SELECT json_build_object('table', 'tenant_log', 'log', log, 'log_id', encode(log_id, 'hex'), 'tenant_id', tenant_id, 'size', size,
                         'frontier', encode(frontier, 'hex'), 'root', encode(root, 'hex')) FROM aegis.tenant_log ORDER BY log;
SELECT json_build_object('table', 'audit_log', 'seq', seq, 'unix_micros', (extract(epoch FROM "time") * 1000000)::bigint, 'event', event,
  'outcome', outcome, 'tenant_id', tenant_id, 'user_id', user_id, 'session_id', session_id, 'session_user', "session_user", 'rank', rank,
  'way', way, 'job', job, 'request_id', request_id, 'target_kind', target_kind, 'target_id', target_id, 'detail', detail, 'image', image,
  'origin', origin, 'seal', seal, 'leaf', leaf) FROM aegis.audit_log;
COMMIT;
"""
OUTCOMES = ["success", "failure", "denied"]
WAYS = {1: "session_token", 2: "sign_in", 3: "operator", 4: "job", 5: "service", 7: "webhook"}
IMAGE = {0: "relation", 1: "operation", 2: "key", 3: "old", 4: "new", 5: "sealed"}


def uuid_text(data):
    h = data.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def is_envelope(value):
    if not isinstance(value, bytes):
        return False
    try:
        f.parse_envelope(value)
        return True
    except Refused:
        return False


def shown(value, names=None):
    """A CBOR value as aegis.decode_entry shows it."""
    if isinstance(value, bytes):
        return f.armor(value) if is_envelope(value) else uuid_text(value) if len(value) == 16 else "\\x" + value.hex()
    if isinstance(value, dict):
        return {(names[k] if names else k): shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shown(v) for v in value]
    return value


def decoded(body):
    """The columns of aegis.decode_entry."""
    m = f.read_entry(body)
    actor, target = m.get(6, {}), m.get(9, ["", ""])
    uuid = lambda v: None if v is None else uuid_text(v)  # noqa: E731
    return {"unix_micros": m[4], "event": m[3], "outcome": OUTCOMES[m[5]], "tenant_id": uuid(m.get(2)), "user_id": uuid(actor.get(1)),
            "session_id": uuid(actor.get(2)), "session_user": actor.get(0), "rank": actor.get(3), "way": WAYS.get(actor.get(4)),
            "job": actor.get(5), "request_id": m.get(7), "target_kind": target[0] or None, "target_id": target[1] or None,
            "detail": shown(m[10]) if 10 in m else None, "image": shown(m[11], IMAGE) if 11 in m else None,
            "origin": f.armor(m[8]) if 8 in m else None}


class Ledger:
    def __init__(self, rows):
        self.tables = {name: [] for name in ("entry", "seal", "seal_leaves", "tenant_log", "audit_log")}
        for row in rows:
            self.tables[row["table"]].append(row)
        for entry in self.tables["entry"]:
            entry["bytes"] = bytes.fromhex(entry["body"])
        self.entries = {entry["seq"]: entry for entry in self.tables["entry"]}

    def check_entries(self, report):
        """Every body is an entry, its leaf follows from it, and the columns beside it repeat it."""
        findings = []
        for entry in self.tables["entry"]:
            try:
                m = f.read_entry(entry["bytes"])
            except Refused as refused:
                findings.append("entry %d: %s" % (entry["seq"], refused))
                continue
            beside = (entry["epoch"], entry["xid"], entry["ordinal"], uuid_bytes(entry["tenant_id"]), entry["leaf"])
            inside = (m[1], m.get(12, 0), m.get(13, 0), m.get(2, NIL), f.merkle_leaf(entry["bytes"]).hex())
            if beside != inside:
                findings.append("entry %d: %r beside %r" % (entry["seq"], beside, inside))
            if f.cbor(m) != entry["bytes"]:
                findings.append("entry %d is written in another way" % entry["seq"])
        report.result("every entry is one of entry-v1, and its leaf follows from its body", findings, len(self.entries))

    def check_audit_log(self, report):
        findings, places = [], {}
        for row in self.tables["seal_leaves"]:
            for i, seq in enumerate(row["seqs"]):
                places[seq] = (row["seal"], row["first_leaf"] + i)
        for row in self.tables["audit_log"]:
            wanted = decoded(self.entries[row["seq"]]["bytes"])
            wanted["seal"], wanted["leaf"] = places.get(row["seq"], (None, None))
            for name, value in wanted.items():
                if row[name] != value or type(row[name]) is not type(value):
                    findings.append("entry %d, %s: SQL says %r, the page %r" % (row["seq"], name, row[name], value))
        if len(self.tables["audit_log"]) != len(self.entries):
            findings.append("%d rows for %d entries" % (len(self.tables["audit_log"]), len(self.entries)))
        report.result("aegis.audit_log says field by field what the bytes say", findings, len(self.tables["audit_log"]))

    def check_seals(self, report):
        """Trees, root log and chain are built again from the bodies."""
        findings, logs, root_log, sealed = [], {}, [], set()
        names = {row["log"]: row for row in self.tables["tenant_log"]}

        def want(true, what, *arguments):
            if not true:
                findings.append(what % arguments)

        number, previous = 0, bytes(32)
        for seal in self.tables["seal"]:
            body = bytes.fromhex(seal["body"])
            fields = f.read_seal(body)
            where = "seal %d" % seal["number"]
            columns = {name: bytes.fromhex(seal[name]) if name in ("root", "previous") else seal[name] for name in f.SEAL_FIELDS}
            want(columns == fields, "%s: columns %r, bytes %r", where, columns, fields)
            want(f.seal(fields) == body and f.sha256(body).hex() == seal["hash"], "%s: hash", where)
            want((fields["number"], fields["previous"]) == (number + 1, previous), "%s: chain", where)
            number, previous = fields["number"], f.sha256(body)
            count, grown = 0, []
            for row in (r for r in self.tables["seal_leaves"] if r["seal"] == number):
                leaves = logs.setdefault(row["log"], [])
                want(row["first_leaf"] == len(leaves) and row["last_seq"] == row["seqs"][-1], "%s, log %d: place", where, row["log"])
                for seq in row["seqs"]:
                    entry = self.entries.get(seq)
                    if entry is None or seq in sealed or entry["tenant_id"] != names[row["log"]]["tenant_id"]:
                        findings.append("%s, log %d: entry %d" % (where, row["log"], seq))
                        continue
                    sealed.add(seq)
                    leaves.append(f.merkle_leaf(entry["bytes"]))
                count += len(row["seqs"])
                if row["root"] is not None:
                    want(row["log"] not in grown, "%s, log %d: two roots", where, row["log"])
                    grown.append(row["log"])
                    root = f.merkle_root(leaves)
                    want(row["root"] == root.hex(), "%s, log %d: root", where, row["log"])
                    root_log.append(f.merkle_leaf(f.head_leaf_data(bytes.fromhex(names[row["log"]]["log_id"]), len(leaves), root)))
            want(grown == sorted(grown) and len(grown) > 0, "%s: order of the heads", where)
            want(fields["entries"] == count, "%s: entries", where)
            want((fields["root_size"], fields["root"]) == (len(root_log), f.merkle_root(root_log)), "%s: root log", where)
            want(seal["frontier"] == f.frontier(root_log).hex(), "%s: frontier", where)
        report.result("tenant logs, root log and the chain of seals follow from the entries", findings, number)

        findings = []
        for row in self.tables["tenant_log"]:
            leaves = logs.get(row["log"], [])
            if (row["size"], row["root"], row["frontier"]) != (len(leaves), f.merkle_root(leaves).hex(), f.frontier(leaves).hex()):
                findings.append("log %d" % row["log"])
        report.result("current heads and frontiers follow from the leaves", findings, len(names))
        self.root_log, self.logs = root_log, logs
        return sealed

    def check_bundle(self, report, text, name, tenant, roots):
        """The bundle holds what the tables hold; tenant: None for the whole ledger; roots: of signed checkpoints."""
        findings, number, last = p.check_bundle(text, roots=roots)
        if not roots or not p.check_bundle(text, roots=[(size, f.sha256(root)) for size, root in roots])[0]:
            findings.append("it holds against any root")
        header, seals, _ = p.read_bundle(text)
        if header[3] != (None if tenant is None else uuid_bytes(tenant)):
            findings.append("tenant of the header")
        stored = {seal["number"]: seal for seal in self.tables["seal"]}
        count = 0
        for i, (body, heads) in enumerate(seals, 1):
            if i in stored and body.hex() != stored[i]["body"]:
                findings.append("seal %d is another" % i)
            for head, entries in heads:
                for _, seq, leaf, entry in entries:
                    count += 1
                    known = self.entries.get(seq)
                    if known is not None and (known["body"], known["leaf"], uuid_bytes(known["tenant_id"])) != (entry.hex(), leaf.hex(), head[2] or NIL):
                        findings.append("entry %d is another" % seq)
        report.result("%s holds, and is what the tables hold" % name, findings, count)
        return "seal %d hash %s" % (number, last.hex())
