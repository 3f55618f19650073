# SPDX-License-Identifier: Apache-2.0
"""What a superuser without the library does to a copy of the ledger, and what finds it.

Every edit has a name (as in docs/tamper-detection.md), SQL or a function of tamper_rebuild.py, and who must find it:
  v  aegis.verify_ledger()                                   k  the same with a checkpoint that was kept
  b  aegis-verify bundle --head, with a head that was kept   s  the signer, asked to sign the head
  f  aegis-verify fsck of all logs as tiles, with the key that signs alone; asked with AEGIS_LONG=yes only
An edit whose letters lack one must not be found there: the page says what each of them does not see.
`says` is what verification must say when it finds it.
"""
from collections import namedtuple

import tamper_rebuild as rebuild

Edit = namedtuple("Edit", "group name sql found says")

# An entry of tenant one, in the middle, and the newest seal.
ONE_LOG = "tenant_id = (SELECT id FROM aegis.tenant WHERE slug = 'one')"
T = f"(SELECT seq FROM aegis.entry WHERE {ONE_LOG} ORDER BY seq OFFSET 20 LIMIT 1)"
NEWEST = "(SELECT max(number) FROM aegis.seal)"
ONE = f"log = (SELECT log FROM aegis.tenant_log WHERE {ONE_LOG})"
ONE_ROW = f"(seal, log, first_leaf) = (SELECT seal, log, first_leaf FROM aegis.seal_leaves WHERE {ONE} AND root IS NOT NULL ORDER BY seal OFFSET 1 LIMIT 1)"
FLIP = "set_byte({0}, 60, get_byte({0}, 60) # 1)"
CUT = f"""DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal = {NEWEST});
          DELETE FROM aegis.seal_leaves WHERE seal = {NEWEST};"""
ROOT = r"its root at size [0-9]+ in seal [0-9]+ is not what its entries hash to"

# The older of two, of the witness and of each anchor.
COSIGNED = "(SELECT min(checkpoint) FROM aegis.cosignature)"
RECEIPT = "(anchor, checkpoint) = (SELECT anchor, min(checkpoint) FROM aegis.anchor_receipt WHERE anchor = 'folder' GROUP BY 1)"
STAMP = RECEIPT.replace("folder", "stamp")
NOT_COSIGNED = r'^checkpoints\|checkpoint [0-9]+\|"witness.example/one" did not cosign it'
NO_STAMP = r'^checkpoints\|checkpoint [0-9]+\|the receipt of anchor "stamp" holds no time stamp'


def loose(table, columns):
    return f"ALTER TABLE aegis.{table} " + ", ".join(f"ALTER {column} DROP NOT NULL" for column in columns.split()) + ";"


EDITS = [
    Edit("entries", "body changed", f"UPDATE aegis.entry SET body = {FLIP.format('body')} WHERE seq = {T}", "vkbf",
         r"^entries\|entry seq [0-9]+\|leaf 20 of the log of tenant .*: its body was changed"),
    Edit("entries", "leaf changed", f"UPDATE aegis.entry SET leaf = sha256('x') WHERE seq = {T}", "vkb",
         r"^entries\|entry seq [0-9]+\|leaf 20 .*: its body was changed"),
    Edit("entries", "body and leaf changed",
         f"UPDATE aegis.entry SET body = {FLIP.format('body')}, leaf = sha256('\\x00' || {FLIP.format('body')}) WHERE seq = {T}", "vkbf",
         r"^tenant logs\|the log of tenant .*\|" + ROOT),
    Edit("entries", "body emptied", loose("entry", "body") + f"UPDATE aegis.entry SET body = NULL WHERE seq = {T}", "vkbf",
         r"^entries\|entry seq [0-9]+\|leaf 20 .*: its body"),
    Edit("entries", "column tenant_id changed",
         f"UPDATE aegis.entry SET tenant_id = (SELECT id FROM aegis.tenant WHERE slug = 'two') WHERE seq = {T}", "vkf",
         r"^entries\|entry seq [0-9]+\|.*: its tenant has another log"),
    Edit("entries", "column xid changed", f"UPDATE aegis.entry SET xid = '3' WHERE seq = {T}", "vkf",
         r"^entries\|entry seq [0-9]+\|.*: its columns say something else"),
    Edit("entries", "column epoch changed", f"UPDATE aegis.entry SET epoch = epoch + 1 WHERE seq = {T}", "vkf",
         r"^entries\|entry seq [0-9]+\|.*: its columns say something else"),
    Edit("entries", "column ordinal changed", f"UPDATE aegis.entry SET ordinal = ordinal + 7 WHERE seq = {T}", "vk",
         r"^entries\|entry seq [0-9]+\|.*: its columns say something else"),
    Edit("entries", "given another number", f"UPDATE aegis.entry SET seq = 1000000 WHERE seq = {T}", "vkbf",
         r"^entries\|entry seq [0-9]+\|leaf 20 .*: it is sealed and missing"),
    Edit("entries", "moved to another tenant, whole",
         f"""UPDATE aegis.entry SET tenant_id = two.id, body = moved.body, leaf = sha256('\\x00' || moved.body)
             FROM aegis.tenant two, aegis.tenant one, LATERAL (SELECT decode(replace(encode(body, 'hex'), replace(one.id::text, '-', ''),
               replace(two.id::text, '-', '')), 'hex') AS body FROM aegis.entry WHERE seq = {T}) moved
             WHERE two.slug = 'two' AND one.slug = 'one' AND seq = {T}""", "vkbf",
         r"^entries\|entry seq [0-9]+\|.*: its tenant has another log"),
    Edit("entries", "deleted", f"DELETE FROM aegis.entry WHERE seq = {T}", "vkbf",
         r"^entries\|entry seq [0-9]+\|leaf 20 .*: it is sealed and missing"),
    Edit("entries", "killed by pg_surgery",
         # Apart from the look-up, which keeps the page for itself.
         "CREATE EXTENSION pg_surgery; DO $$ DECLARE part regclass; place tid; BEGIN "
         f"SELECT tableoid, ctid INTO part, place FROM aegis.entry WHERE seq = {T}; PERFORM heap_force_kill(part, ARRAY[place]); END $$", "vkbf",
         r"^entries\|entry seq [0-9]+\|leaf 20 .*: it is sealed and missing"),
    Edit("entries", "inserted",
         f"INSERT INTO aegis.entry SELECT nextval('aegis.entry_seq'), xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry WHERE seq = {T}",
         "vk", r"^entries\|entry seq [0-9]+\|no leaf names it"),
    Edit("entries", "repeated", f"INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = {T}", "vkf",
         r"^entries\|entry seq [0-9]+\|there are two entries with this seq"),
    Edit("entries", "two swapped",
         f"""WITH pair AS (SELECT seq, lead(seq) OVER (ORDER BY seq) AS other FROM aegis.entry WHERE {ONE_LOG})
             UPDATE aegis.entry e SET seq = CASE e.seq WHEN p.seq THEN p.other ELSE p.seq END
             FROM pair p WHERE p.seq = {T} AND e.seq IN (p.seq, p.other)""", "vkbf", r"^tenant logs\|the log of tenant .*\|" + ROOT),
    Edit("entries", "newest deleted", "DELETE FROM aegis.entry WHERE seq > (SELECT max(seq) - 10 FROM aegis.entry)", "vkb",
         r"^entries\|entry seq [0-9]+\|.*: it is sealed and missing"),
    Edit("entries", "newest deleted with leaves and seal", CUT + f"DELETE FROM aegis.seal WHERE number = {NEWEST}", "vks",
         r"^(heads|tenant logs)\|the .*log.*\|(its head says size|leaf [0-9]+ is followed by)"),

    Edit("leaves", "leaf hash changed", f"UPDATE aegis.seal_leaves SET leaves = {FLIP.format('leaves')} WHERE {ONE_ROW}", "vkf",
         r"^trees\|the log of tenant .*\|row from leaf [0-9]+ in seal [0-9]+ has leaf hashes that are not"),
    Edit("leaves", "two entries of a row swapped",
         f"UPDATE aegis.seal_leaves SET seqs = array_cat(ARRAY[seqs[2], seqs[1]], seqs[3:]) WHERE {ONE_ROW}", "vkbf",
         r"^entries\|entry seq [0-9]+\|.*: it is out of order"),
    Edit("leaves", "an entry named twice", f"UPDATE aegis.seal_leaves SET seqs[2] = seqs[1] WHERE {ONE_ROW}", "vkbf",
         r"^entries\|entry seq [0-9]+\|.*: two leaves name it"),
    Edit("leaves", "entries emptied", loose("seal_leaves", "seqs") + f"UPDATE aegis.seal_leaves SET seqs = NULL WHERE {ONE_ROW}", "vkbf",
         r"^seals\|seal [0-9]+\|it covers"),
    Edit("leaves", "first_leaf changed", f"UPDATE aegis.seal_leaves SET first_leaf = first_leaf + 1 WHERE {ONE_ROW}", "vkbf",
         r"^tenant logs\|the log of tenant .*\|leaf [0-9]+ is followed by leaf"),
    Edit("leaves", "last_seq changed", f"UPDATE aegis.seal_leaves SET last_seq = last_seq - 1 WHERE {ONE_ROW}", "vk",
         r"^tenant logs\|the log of tenant .*\|row from leaf [0-9]+ in seal [0-9]+ does not end"),
    Edit("leaves", "root changed", f"UPDATE aegis.seal_leaves SET root = sha256('x') WHERE {ONE_ROW}", "vkbf",
         r"^tenant logs\|the log of tenant .*\|" + ROOT),
    Edit("leaves", "row deleted", f"DELETE FROM aegis.seal_leaves WHERE {ONE_ROW}", "vkbf", r"^seals\|seal [0-9]+\|it covers"),
    Edit("leaves", "row repeated",
         f"""ALTER TABLE aegis.seal_leaves DROP CONSTRAINT seal_leaves_pkey;
             INSERT INTO aegis.seal_leaves SELECT * FROM aegis.seal_leaves WHERE {ONE_ROW}""", "vkbf", r"^entries\|.*: two leaves name it"),

    Edit("seals", "body changed", f"UPDATE aegis.seal SET body = {FLIP.format('body')} WHERE number = 3", "vkb",
         r"^seals\|seal 3\|its (body|columns)"),
    Edit("seals", "hash changed", "UPDATE aegis.seal SET hash = sha256('x') WHERE number = 3", "vk",
         r"^seals\|seal 3\|its body does not have its hash"),
    Edit("seals", "previous changed", "UPDATE aegis.seal SET previous = sha256('x') WHERE number = 3", "vk",
         r"^seals\|seal 3\|its columns say something else"),
    Edit("seals", "number changed", f"UPDATE aegis.seal SET number = number + 1 WHERE number = {NEWEST}", "vkb",
         r"^seals\|seal [0-9]+\|it follows seal"),
    Edit("seals", "time changed", "UPDATE aegis.seal SET sealed_at = sealed_at - interval '1 day' WHERE number = 3", "vk",
         r"^seals\|seal 3\|its columns say something else"),
    Edit("seals", "root_frontier changed", f"UPDATE aegis.seal SET root_frontier = set_byte(root_frontier, 20, get_byte(root_frontier, 20) # 1) WHERE number = {NEWEST}",
         "vk", r"^root log\|seal [0-9]+\|its frontier is not"),
    Edit("seals", "emptied", loose("seal", "body snapshot hash") + "UPDATE aegis.seal SET body = NULL, snapshot = NULL, hash = NULL WHERE number = 3", "vkbf",
         r"^seals\|seal 3\|its body is not a seal"),
    Edit("seals", "deleted", "DELETE FROM aegis.seal WHERE number = 3", "vkbf", r"^seals\|seal 4\|it follows seal 2"),
    Edit("seals", "time changed, all later seals recomputed", rebuild.other_time, "b", None),

    Edit("trees", "node changed", f"UPDATE aegis.tree_node SET hash = sha256('x') WHERE level = 8 AND {ONE} AND index = 1", "vkf",
         r"^trees\|the log of tenant .*\|node 1 of level 8 is not what its leaves hash to"),
    Edit("trees", "node deleted", f"DELETE FROM aegis.tree_node WHERE level = 8 AND {ONE} AND index = 0", "vkf",
         r"^trees\|.*log.*\|node 0 of level 8 is missing"),
    Edit("trees", "node added", "INSERT INTO aegis.tree_node VALUES (1, 16, 0, sha256('x'))", "vk", r"^trees\|.*\|node 0 of level 16 is there, but"),
    Edit("trees", "node moved to another log", f"UPDATE aegis.tree_node SET log = 77 WHERE level = 8 AND {ONE} AND index = 1", "vkf",
         r"^trees\|an unknown log\|node 1 of level 8 belongs to no log"),

    Edit("heads", "frontier changed", f"UPDATE aegis.tenant_log SET frontier = set_byte(frontier, 20, get_byte(frontier, 20) # 1) WHERE {ONE_LOG}", "vk",
         r"^heads\|the log of tenant .*\|its head says size"),
    Edit("heads", "root changed", f"UPDATE aegis.tenant_log SET root = sha256('x') WHERE {ONE_LOG}", "vk", r"^heads\|the log of tenant"),
    Edit("heads", "size changed", f"UPDATE aegis.tenant_log SET size = size + 1 WHERE {ONE_LOG}", "vk", r"^heads\|the log of tenant"),
    Edit("heads", "log_id changed", f"UPDATE aegis.tenant_log SET log_id = sha256('x') WHERE {ONE_LOG}", "vkbf", r"^root log\|seal [0-9]+\|its root is not"),
    Edit("heads", "tenants swapped",
         """ALTER TABLE aegis.tenant_log DROP CONSTRAINT tenant_log_tenant_id_key;
            UPDATE aegis.tenant_log l SET tenant_id = (SELECT id FROM aegis.tenant t WHERE t.id <> l.tenant_id AND t.slug IN ('one', 'two'))
            WHERE tenant_id IN (SELECT id FROM aegis.tenant WHERE slug IN ('one', 'two'))""", "vkbf", r"^entries\|entry seq [0-9]+\|.*: its tenant has another log"),
    Edit("heads", "log deleted", f"DELETE FROM aegis.tenant_log WHERE {ONE_LOG}", "vkbf", r"^tenant logs\|seal [0-9]+\|it covers log [0-9]+, which does not exist"),

    Edit("checkpoints", "note changed", "UPDATE aegis.checkpoint SET note = replace(note, '/ledger', '/other') WHERE number = 2", "vk",
         r"^checkpoints\|checkpoint 2\|it is not signed"),
    Edit("checkpoints", "columns changed", "UPDATE aegis.checkpoint SET size = size + 1 WHERE number = 2", "vk",
         r"^checkpoints\|checkpoint 2\|its columns say something else"),
    Edit("checkpoints", "one deleted", "DELETE FROM aegis.checkpoint WHERE number = 2", "vk", r"^checkpoints\|checkpoint 3\|it follows checkpoint 1"),
    Edit("checkpoints", "newest replaced by an earlier one",
         """UPDATE aegis.checkpoint c SET note = o.note, size = o.size, root = o.root FROM aegis.checkpoint o
            WHERE c.number = (SELECT max(number) FROM aegis.checkpoint) AND o.number = 2""", "vk",
         r"^checkpoints\|checkpoint [0-9]+\|it says size [0-9]+ or a root that the ledger does not have"),
    Edit("checkpoints", "one signed by another key", rebuild.forged_note, "vk", r"^checkpoints\|checkpoint [0-9]+\|it is not signed"),
    Edit("checkpoints", "newest deleted", "DELETE FROM aegis.checkpoint WHERE number = (SELECT max(number) FROM aegis.checkpoint)", "", None),
    Edit("checkpoints", "all deleted", "DELETE FROM aegis.checkpoint", "vkf", NOT_COSIGNED),
    Edit("checkpoints", "all deleted, cosignatures and receipts of anchors too", rebuild.NO_CHECKPOINTS, "f", None),

    Edit("cosignatures", "line changed", f"UPDATE aegis.cosignature SET line = (SELECT line FROM aegis.cosignature o WHERE o.checkpoint > {COSIGNED} ORDER BY checkpoint LIMIT 1) WHERE checkpoint = {COSIGNED}", "vk", NOT_COSIGNED),
    Edit("cosignatures", "line truncated", f"UPDATE aegis.cosignature SET line = left(line, 60) WHERE checkpoint = {COSIGNED}", "vk", NOT_COSIGNED),
    Edit("cosignatures", "moved to another checkpoint", f"UPDATE aegis.cosignature SET checkpoint = checkpoint - 1 WHERE checkpoint = {COSIGNED}", "vk", NOT_COSIGNED),
    Edit("cosignatures", "given to another witness", f"UPDATE aegis.cosignature c SET witness = w.name, vkey = w.vkey FROM aegis.witness w WHERE w.name ~ 'two' AND checkpoint = {COSIGNED}", "vk",
         r'^checkpoints\|checkpoint [0-9]+\|"witness.example/two" did not cosign it'),
    Edit("cosignatures", "one inserted for another checkpoint", f"INSERT INTO aegis.cosignature SELECT checkpoint - 1, witness, vkey, cosigned_at, received_at, line FROM aegis.cosignature WHERE checkpoint = {COSIGNED}", "vk", NOT_COSIGNED),
    Edit("cosignatures", "time of arrival changed", f"UPDATE aegis.cosignature SET received_at = received_at - interval '1 day' WHERE checkpoint = {COSIGNED}", "", None),
    Edit("cosignatures", "one deleted", f"DELETE FROM aegis.cosignature WHERE checkpoint = {COSIGNED}", "", None),
    Edit("cosignatures", "witness replaced by one with another key", "UPDATE aegis.witness SET vkey = 'x' WHERE name ~ 'one'", "", None),

    Edit("anchors", "digest of a receipt changed", f"UPDATE aegis.anchor_receipt SET digest = sha256('x') WHERE {RECEIPT}", "vk", r'^checkpoints\|checkpoint [0-9]+\|the receipt of anchor "folder" is about another'),
    Edit("anchors", "receipt moved to another checkpoint", f"UPDATE aegis.anchor_receipt SET checkpoint = checkpoint - 1 WHERE {RECEIPT}", "vk", r'^checkpoints\|checkpoint [0-9]+\|the receipt of anchor "folder" is about another'),
    Edit("anchors", "time stamp changed", f"UPDATE aegis.anchor_receipt SET receipt = set_byte(receipt, 200, get_byte(receipt, 200) # 1) WHERE {STAMP}", "vk", NO_STAMP),
    Edit("anchors", "time stamp truncated", f"UPDATE aegis.anchor_receipt SET receipt = substr(receipt, 1, length(receipt) / 2) WHERE {STAMP}", "vk", NO_STAMP),
    Edit("anchors", "time stamp emptied", f"UPDATE aegis.anchor_receipt SET receipt = NULL WHERE {STAMP}", "vk", NO_STAMP),
    Edit("anchors", "time of a stamp changed", f"UPDATE aegis.anchor_receipt SET stamped_at = stamped_at - interval '1 day' WHERE {STAMP}", "vk", NO_STAMP),
    Edit("anchors", "time of a stamp made infinite", f"UPDATE aegis.anchor_receipt SET stamped_at = 'infinity' WHERE {STAMP}", "vk", NO_STAMP),
    Edit("anchors", "two time stamps swapped",
         "UPDATE aegis.anchor_receipt a SET receipt = o.receipt, stamped_at = o.stamped_at FROM aegis.anchor_receipt o WHERE o.anchor = 'stamp' AND a.anchor = 'stamp' AND o.checkpoint <> a.checkpoint", "vk", NO_STAMP),
    Edit("anchors", "authorities replaced", "UPDATE aegis.anchor SET authorities = 'x' WHERE name = 'stamp'", "vk", NO_STAMP),
    Edit("anchors", "place of a receipt changed", f"UPDATE aegis.anchor_receipt SET place = 'elsewhere' WHERE {RECEIPT}", "", None),
    Edit("anchors", "name in a receipt emptied",
         f"ALTER TABLE aegis.anchor_receipt DROP CONSTRAINT anchor_receipt_pkey; ALTER TABLE aegis.anchor_receipt ALTER anchor DROP NOT NULL; UPDATE aegis.anchor_receipt SET anchor = NULL WHERE {RECEIPT}", "", None),
    Edit("anchors", "receipt deleted", f"DELETE FROM aegis.anchor_receipt WHERE {RECEIPT}", "", None),

    Edit("cuts", "size changed", "UPDATE aegis.ledger_cut SET size = size + 1", "vk", r"^cuts\|the log of tenant .*\|the cut at size [0-9]+: its columns say something else than its entry"),
    Edit("cuts", "frontier changed", "UPDATE aegis.ledger_cut SET frontier = set_byte(frontier, 20, get_byte(frontier, 20) # 1)", "vk", r"^cuts\|.*: its frontier is not what"),
    Edit("cuts", "seal changed", "UPDATE aegis.ledger_cut SET seal = seal + 1", "vk", r"^cuts\|.*: it names seal [0-9]+, the log had this size in seal"),
    Edit("cuts", "body changed", f"UPDATE aegis.ledger_cut SET body = {FLIP.format('body')}", "vkf", r"^cuts\|the log of tenant"),
    Edit("cuts", "body truncated", "UPDATE aegis.ledger_cut SET body = substr(body, 1, 20)", "vkf", r"^cuts\|.*: its body is not an entry that records a cut"),
    Edit("cuts", "deleted", "DELETE FROM aegis.ledger_cut", "vkbf", r"^entries\|entry seq [0-9]+\|.*: it is sealed and missing"),
    Edit("cuts", "moved to another log", f"UPDATE aegis.ledger_cut SET log = (SELECT log FROM aegis.tenant_log WHERE {ONE_LOG})", "vkbf", r"^cuts\|the log of tenant"),
    Edit("cuts", "edge moved, and the entries below it deleted", rebuild.cut_further, "vkb", r"^entries\|entry seq [0-9]+\|.*: it is sealed and missing"),

    Edit("the whole ledger", "an entry changed, everything after it recomputed", rebuild.everything, "vkbsf",
         r"^checkpoints\|checkpoint [0-9]+\|it says size [0-9]+ or a root that the ledger does not have"),
    Edit("the whole ledger", "the same, checkpoints deleted", rebuild.everything_unsigned, "kbsf", None),
    Edit("the whole ledger", "the same, checkpoints signed by another key", rebuild.everything_forged, "vkbsf",
         r"^checkpoints\|checkpoint [0-9]+\|it is not signed"),
    Edit("the whole ledger", "an entry removed, everything after it recomputed, checkpoints deleted", rebuild.without_an_entry, "kbsf", None),
    Edit("the whole ledger", "the end cut off with leaves, nodes, heads, seals and checkpoints", rebuild.cut, "kbs", None),
    Edit("the whole ledger", "restored from an older copy of the database", rebuild.older, "kbs", None),
]
