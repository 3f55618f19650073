-- Verification finds every change of a sealed ledger and names its place; an honest ledger passes.
\set VERBOSITY terse
SELECT aegis.declare_event('verify_test.done', 'for the test of verification', '{"n": "clear"}');
SELECT count(aegis.record('verify_test.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 700) n;
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT aegis.record('verify_test.done', detail => '{"n": 701}');
SELECT aegis.record('verify_test.done', detail => '{"n": 702}');
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
-- The entry to be touched, and what verification says with the numbers taken out.
CREATE VIEW regress_touched AS SELECT seq FROM aegis.entry WHERE position('verify_test.done'::bytea IN body) > 0
   AND position('event.declared'::bytea IN body) = 0 ORDER BY seq OFFSET 9 LIMIT 1;
CREATE FUNCTION regress_findings(OUT checked text, OUT subject text, OUT detail text, OUT times bigint) RETURNS SETOF record
  LANGUAGE sql AS $$
  SELECT checked, regexp_replace(subject, '[0-9]+', 'N', 'g'), regexp_replace(detail, '[0-9]+', 'N', 'g'), count(*)
    FROM aegis.verify_ledger() WHERE outcome = 'finding' AND detail !~ '^[0-9]+ findings$' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$;

-- allows: an honest ledger; the last row says what it was checked against
SELECT checked, regexp_replace(subject, '[0-9]+', 'N') AS subject, outcome FROM aegis.verify_ledger();
SELECT detail ~ '^root [0-9a-f]{64}, hash [0-9a-f]{64}, not signed$' AS named, subject = 'seal ' || (SELECT max(number) FROM aegis.seal) AS newest
  FROM aegis.verify_ledger() WHERE checked = 'checked against';
SELECT v.items = (SELECT count(*) FROM aegis.entry) AS all_read FROM aegis.verify_ledger() v WHERE checked = 'entries';
SELECT checked, regexp_replace(subject, '[0-9]+', 'N') AS subject, outcome FROM aegis.verify_ledger('00000000-0000-0000-0000-0000000000aa');
BEGIN;
SELECT aegis.record('verify_test.done', detail => '{"n": 703}');
SELECT checked, outcome, items FROM aegis.verify_ledger() WHERE checked = 'unsealed';
ROLLBACK;

-- The worker writes down what is found, and seals that: not in the midst of a change.
-- refuses: a body, a leaf, a column that was changed
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
SELECT subject = 'entry seq ' || (SELECT seq FROM regress_touched OFFSET 0) AS names_it FROM aegis.verify_ledger() WHERE checked = 'entries' AND subject LIKE 'entry%';
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET leaf = sha256('x') WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET tenant_id = '00000000-0000-0000-0000-0000000000aa' WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET ordinal = 77 WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: a body changed together with its leaf, two entries swapped whole
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET body = o.body, leaf = o.leaf, ordinal = o.ordinal
  FROM (SELECT body, leaf, ordinal FROM aegis.entry WHERE seq = (SELECT seq + 1 FROM regress_touched)) o WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$WITH t AS (SELECT seq FROM regress_touched) UPDATE aegis.entry e SET seq = CASE e.seq WHEN t.seq THEN t.seq + 1 ELSE t.seq END
  FROM t WHERE e.seq IN (t.seq, t.seq + 1)$$);
SELECT checked, subject, detail, times > 0 AS found FROM regress_findings();  -- the two may be in two nodes
ROLLBACK;

-- refuses: an entry that was deleted, inserted, repeated; a tail that was cut
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body)
  SELECT nextval('aegis.entry_seq'), xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq = (SELECT max(seq) FROM aegis.entry)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: a seal that was deleted, changed, or cut from the end with its leaves and entries
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.seal WHERE number = (SELECT max(number) - 1 FROM aegis.seal)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.seal SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE number = (SELECT max(number) - 1 FROM aegis.seal)$$);
SELECT count(*) > 0 AS found FROM regress_findings() WHERE checked = 'seals';
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.seal SET sealed_at = sealed_at + interval '1 s' WHERE number = 1$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal))$$) > 0 AS deleted;
SELECT regress_tamper($$DELETE FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal)$$);
SELECT regress_tamper($$DELETE FROM aegis.seal WHERE number = (SELECT max(number) FROM aegis.seal)$$);
-- but for the node of a tile that its head completes, which one head in 256 does
SELECT * FROM regress_findings() WHERE checked <> 'trees';
ROLLBACK;

-- refuses: leaves that were removed, exchanged or pointed elsewhere; heads that were changed
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.seal_leaves WHERE first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves WHERE root IS NULL)$$);
SELECT checked, subject, detail, times > 0 AS found FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET seqs[2] = seqs[1] WHERE first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves WHERE root IS NULL)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET root = sha256('x') WHERE root IS NOT NULL AND seal = (SELECT max(number) FROM aegis.seal)$$);
-- but for the node of a tile that its head completes, which one head in 256 does
SELECT * FROM regress_findings() WHERE checked <> 'trees';
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.tenant_log SET size = size + 1 WHERE tenant_id IS NULL$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.tenant_log SET log_id = sha256('x') WHERE tenant_id IS NULL$$);
SELECT checked, times > 0 AS found FROM regress_findings() WHERE checked = 'root log';
ROLLBACK;

-- refuses: hashes that proofs are made of: changed, removed, added; leaf hashes that are not those of the entries
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.tree_node SET hash = sha256('x') WHERE log = 1 AND level = 8 AND index = 1$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$DELETE FROM aegis.tree_node WHERE log = 1 AND level = 8 AND index = 1$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$INSERT INTO aegis.tree_node VALUES (0, 48, 0, sha256('x')), (1, 8, 1000000, sha256('x')), (1000, 8, 0, sha256('x'))$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET leaves = set_byte(leaves, 32, get_byte(leaves, 32) # 1)
  WHERE first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves WHERE root IS NULL)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- allows: checkpoints that follow from the root log, and one that was kept; without a key signatures are not looked at
CREATE FUNCTION regress_note(size bigint, root bytea) RETURNS text LANGUAGE sql AS $$
  SELECT format(E'regress/log\n%s\n%s\n\n\u2014 regress/log %s\n', size, encode(root, 'base64'), replace(encode('\x01020304'::bytea || decode(repeat('ab', 64), 'hex'), 'base64'), E'\n', '')) $$;
CREATE FUNCTION regress_note(of_seal bigint) RETURNS text LANGUAGE sql AS 'SELECT regress_note(root_size, root) FROM aegis.seal WHERE number = of_seal';
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$INSERT INTO aegis.checkpoint SELECT row_number() OVER (ORDER BY number), number, root_size, root, now(), regress_note(number)
  FROM (SELECT * FROM aegis.seal ORDER BY number DESC LIMIT 3) s ORDER BY number$$);
SELECT checked, outcome, items FROM aegis.verify_ledger() WHERE checked = 'checkpoints';
SELECT detail ~ 'not signed$' AS not_signed FROM aegis.verify_ledger() WHERE checked = 'checked against';
SELECT bool_and(outcome = 'ok') AS verifies FROM aegis.verify_ledger(NULL, (SELECT note FROM aegis.checkpoint WHERE number = 1));
SELECT bool_and(outcome = 'ok') AS verifies FROM aegis.verify_ledger('00000000-0000-0000-0000-0000000000aa', (SELECT note FROM aegis.checkpoint WHERE number = 1));

-- refuses: checkpoints that were changed, removed, replaced, or that the ledger does not reach; what is no checkpoint
SAVEPOINT s;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET size = size + 1 WHERE number = 2$$);
SELECT * FROM regress_findings();
ROLLBACK TO s;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET note = replace(note, 'regress/log', 'regress log') WHERE number = 2$$);
SELECT * FROM regress_findings();
ROLLBACK TO s;
SELECT regress_tamper($$UPDATE aegis.checkpoint c SET note = o.note, size = o.size, root = o.root FROM aegis.checkpoint o WHERE c.number = 3 AND o.number = 2$$);
SELECT * FROM regress_findings();
ROLLBACK TO s;
SELECT regress_tamper($$DELETE FROM aegis.checkpoint WHERE number = 2$$);
SELECT * FROM regress_findings();
ROLLBACK TO s;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET seal = seal + 1000 WHERE number = 3$$);
SELECT * FROM regress_findings();
ROLLBACK TO s;
SELECT checked, subject, regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail
  FROM aegis.verify_ledger(NULL, regress_note(1000000, sha256('x'))) WHERE outcome = 'finding' AND detail !~ 'findings';
SELECT checked, subject, regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail
  FROM aegis.verify_ledger(NULL, regress_note(1, sha256('x'))) WHERE outcome = 'finding' AND detail !~ 'findings';
SELECT count(*) FROM aegis.verify_ledger(NULL, 'regress/log');
ROLLBACK;

-- allows: starting from a checkpoint: what it covers is not read, what came after is, and the result says so
SELECT max(number) - 1 AS middle FROM aegis.seal \gset
CREATE FUNCTION regress_since(of_seal bigint, OUT checked text, OUT subject text, OUT detail text, OUT times bigint) RETURNS SETOF record
  LANGUAGE sql AS $$
  SELECT checked, regexp_replace(subject, '[0-9]+', 'N', 'g'), regexp_replace(detail, '[0-9]+', 'N', 'g'), count(*)
    FROM aegis.verify_ledger(from_checkpoint => regress_note(of_seal))
   WHERE outcome = 'finding' AND detail !~ '^[0-9]+ findings$' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT checked, regexp_replace(subject, '[0-9]+', 'N') AS subject, outcome FROM aegis.verify_ledger(from_checkpoint => regress_note(:middle));
SELECT regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail, subject = 'seal ' || :middle AS there
  FROM aegis.verify_ledger(from_checkpoint => regress_note(:middle)) WHERE checked = 'checked from';
SELECT v.items > 0 AS some, v.items = (SELECT count(*) FROM aegis.entry e, aegis.seal s WHERE s.number = :middle AND NOT pg_visible_in_snapshot(e.xid, s.snapshot)) AS what_came_after
  FROM aegis.verify_ledger(from_checkpoint => regress_note(:middle)) v WHERE checked = 'entries';
SELECT bool_and(outcome = 'ok') AS verifies, bool_and(items > 0) FILTER (WHERE checked = 'checkpoints') AS both
  FROM aegis.verify_ledger('00000000-0000-0000-0000-0000000000aa', regress_note(:middle - 1), regress_note(:middle));
SELECT bool_and(v.outcome = 'ok') AS from_every_seal FROM (SELECT number FROM aegis.seal ORDER BY number DESC LIMIT 20) s, aegis.verify_ledger(from_checkpoint => regress_note(s.number)) v;
SAVEPOINT s;
SELECT regress_tamper($$UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT count(*) AS before FROM regress_since(:middle);
SELECT count(*) AS whole FROM regress_findings();
ROLLBACK TO s;

-- refuses: hashes below the checkpoint that do not lead to it; a checkpoint that the ledger does not have, or that is none.
-- At an odd size the last leaf is one of the hashes that the log goes on from, whatever the sizes before were.
SELECT max(seal) AS odd FROM aegis.seal_leaves WHERE log = 1 AND root IS NOT NULL AND seal <= :middle AND (first_leaf + cardinality(seqs)) % 2 = 1 \gset
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET leaves = set_byte(leaves, octet_length(leaves) - 1, get_byte(leaves, octet_length(leaves) - 1) # 1)
  WHERE log = 1 AND root IS NOT NULL AND seal = $$ || :odd);
SELECT checked, subject, detail FROM regress_since(:odd);
ROLLBACK TO s;
SELECT checked, subject, regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail
  FROM aegis.verify_ledger(from_checkpoint => regress_note(1000000, sha256('x'))) WHERE (outcome = 'finding' OR checked = 'checked from') AND detail !~ 'findings';
SELECT checked, subject, regexp_replace(detail, '[0-9]+', 'N', 'g') AS detail
  FROM aegis.verify_ledger(from_checkpoint => regress_note(1, sha256('x'))) WHERE outcome = 'finding' AND detail !~ 'findings';
SELECT count(*) FROM aegis.verify_ledger(from_checkpoint => 'regress/log');
ROLLBACK;

-- refuses: damage after the checkpoint, whoever reads: one process or several, all of the ledger or what came after. The three say the same.
CREATE FUNCTION regress_say(since text, workers text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  said text[];
BEGIN
  PERFORM set_config('min_parallel_table_scan_size', '0', true), set_config('max_parallel_maintenance_workers', workers, true);
  SELECT array_agg(concat_ws(' | ', v.checked, v.subject, v.outcome, CASE WHEN since IS NULL THEN v.items END, v.detail) ORDER BY v.checked, v.subject, v.detail) INTO said
    FROM aegis.verify_ledger(from_checkpoint => since) v WHERE since IS NULL OR v.outcome = 'finding' OR v.checked = 'checked against';
  RETURN said;
END $$;
CREATE FUNCTION regress_damages(of_seal bigint, OUT damage text, OUT seen boolean, OUT in_parallel boolean, OUT from_checkpoint boolean) RETURNS SETOF record
  LANGUAGE plpgsql AS $$
DECLARE
  newest text := format('(SELECT seqs[1] FROM aegis.seal_leaves WHERE seal > %s ORDER BY seal, log LIMIT 1)', of_seal);
  statement text;
  whole text[];
BEGIN
  FOR damage, statement IN VALUES
    ('none', 'SELECT 1'),
    ('body', 'UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = ' || newest),
    ('leaf', 'UPDATE aegis.entry SET leaf = sha256(''x'') WHERE seq = ' || newest),
    ('tenant', 'UPDATE aegis.entry SET tenant_id = ''00000000-0000-0000-0000-0000000000aa'' WHERE seq = ' || newest),
    ('ordinal', 'UPDATE aegis.entry SET ordinal = 77 WHERE seq = ' || newest),
    ('transaction', 'UPDATE aegis.entry SET xid = ''1000000'' WHERE seq = ' || newest),
    ('deleted', 'DELETE FROM aegis.entry WHERE seq = ' || newest),
    ('twice', 'INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = ' || newest),
    ('smuggled in', 'INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body) SELECT nextval(''aegis.entry_seq''), xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry WHERE seq = ' || newest),
    ('far away', 'INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body) SELECT seq + 4611686018427387904 + n * 1000000000, xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry, generate_series(0, 1) n WHERE seq = ' || newest),
    ('leaves', 'UPDATE aegis.seal_leaves SET seqs[1] = seqs[1] + 1000 WHERE seal = (SELECT max(number) FROM aegis.seal)'),
    ('hashes', 'UPDATE aegis.seal_leaves SET leaves = set_byte(leaves, 0, get_byte(leaves, 0) # 1) WHERE seal = (SELECT max(number) FROM aegis.seal)'),
    ('root', 'UPDATE aegis.seal_leaves SET root = sha256(''x'') WHERE seal = (SELECT max(number) FROM aegis.seal)'),
    ('older root', format('UPDATE aegis.seal_leaves SET root = sha256(''x'') WHERE root IS NOT NULL AND seal < %s', of_seal)),
    ('leaves removed', 'DELETE FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal)'),
    ('seal', 'UPDATE aegis.seal SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE number = (SELECT max(number) FROM aegis.seal)'),
    ('seal removed', 'DELETE FROM aegis.seal WHERE number = (SELECT max(number) FROM aegis.seal)'),
    ('head', 'UPDATE aegis.tenant_log SET size = size + 1 WHERE tenant_id IS NULL'),
    ('frontier', 'UPDATE aegis.tenant_log SET frontier = set_byte(frontier, 20, get_byte(frontier, 20) # 1) WHERE tenant_id IS NULL'),
    ('node', 'INSERT INTO aegis.tree_node VALUES (0, 48, 0, sha256(''x'')), (1, 8, 1000000, sha256(''x'')), (1000, 8, 0, sha256(''x''))')
  LOOP
    BEGIN
      PERFORM regress_tamper(statement);
      whole := regress_say(NULL, '0');
      seen := array_to_string(whole, E'\n') LIKE '% | finding | %';
      in_parallel := whole = regress_say(NULL, '2');
      from_checkpoint := seen = (array_to_string(regress_say(regress_note(of_seal), '0'), E'\n') LIKE '% | finding | %')
        AND regress_say(regress_note(of_seal), '0') = regress_say(regress_note(of_seal), '2');
      RAISE EXCEPTION USING ERRCODE = 'ZZ999';
    EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
    END;
    RETURN NEXT;
  END LOOP;
END $$;
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT * FROM regress_damages(:middle);
ROLLBACK;
DROP FUNCTION regress_damages(bigint), regress_say(text, text), regress_since(bigint);

-- allows: other processes help to read a large partition, also what this transaction has not committed; an entry that is far from all others
SET min_parallel_table_scan_size = 0;
SET client_min_messages = debug1;
SELECT bool_and(outcome = 'ok') AS verifies FROM aegis.verify_ledger();
RESET client_min_messages;
SELECT v.items = (SELECT count(*) FROM aegis.entry) AS all_read FROM aegis.verify_ledger() v WHERE checked = 'entries';
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN SHARE ROW EXCLUSIVE MODE;
SELECT regress_tamper($$UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT regress_tamper($$INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT regress_tamper($$INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body)
  SELECT 4611686018427387904 + n * 1000000000, xid, epoch, ordinal, tenant_id, leaf, body
    FROM generate_series(0, 1) n, (SELECT * FROM aegis.entry ORDER BY seq LIMIT 1) e$$);
SELECT * FROM regress_findings();
ROLLBACK;
RESET min_parallel_table_scan_size;

-- survives: what was found is in the ledger, though nobody who looked committed anything
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN EXISTS (SELECT FROM aegis.audit_log WHERE event = 'ledger.finding');
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT DISTINCT outcome, target_kind, target_id ~ '^seal [0-9]+$' AS seal, detail ->> 'detail' ~ '^[0-9]+ findings$' AS findings
  FROM aegis.audit_log WHERE event = 'ledger.finding';

-- refuses: anybody but an auditor
CREATE ROLE regress_verify_auditor IN ROLE aegis_auditor INHERIT;
CREATE ROLE regress_verify_nobody;
GRANT USAGE ON SCHEMA aegis TO regress_verify_nobody;
SET ROLE regress_verify_nobody;
SELECT count(*) FROM aegis.verify_ledger();
SET ROLE regress_verify_auditor;
SELECT bool_and(outcome = 'ok') AS verifies FROM aegis.verify_ledger();
RESET ROLE;
REVOKE USAGE ON SCHEMA aegis FROM regress_verify_nobody;
DROP ROLE regress_verify_auditor, regress_verify_nobody;
DROP FUNCTION regress_findings(), regress_note(bigint), regress_note(bigint, bytea);
DROP VIEW regress_touched;
DROP FUNCTION regress_tamper(text);
