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

-- refuses: a body, a leaf, a column that was changed
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
SELECT subject = 'entry seq ' || (SELECT seq FROM regress_touched OFFSET 0) AS names_it FROM aegis.verify_ledger() WHERE checked = 'entries' AND subject LIKE 'entry%';
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET leaf = sha256('x') WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET tenant_id = '00000000-0000-0000-0000-0000000000aa' WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET ordinal = 77 WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: a body changed together with its leaf, two entries swapped whole
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET body = o.body, leaf = o.leaf, ordinal = o.ordinal
  FROM (SELECT body, leaf, ordinal FROM aegis.entry WHERE seq = (SELECT seq + 1 FROM regress_touched)) o WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$WITH t AS (SELECT seq FROM regress_touched) UPDATE aegis.entry e SET seq = CASE e.seq WHEN t.seq THEN t.seq + 1 ELSE t.seq END
  FROM t WHERE e.seq IN (t.seq, t.seq + 1)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: an entry that was deleted, inserted, repeated; a tail that was cut
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body)
  SELECT nextval('aegis.entry_seq'), xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq = (SELECT max(seq) FROM aegis.entry)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: a seal that was deleted, changed, or cut from the end with its leaves and entries
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.seal WHERE number = (SELECT max(number) - 1 FROM aegis.seal)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.seal SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE number = (SELECT max(number) - 1 FROM aegis.seal)$$);
SELECT count(*) > 0 AS found FROM regress_findings() WHERE checked = 'seals';
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.seal SET sealed_at = sealed_at + interval '1 s' WHERE number = 1$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal))$$);
SELECT regress_tamper($$DELETE FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal)$$);
SELECT regress_tamper($$DELETE FROM aegis.seal WHERE number = (SELECT max(number) FROM aegis.seal)$$);
SELECT * FROM regress_findings();
ROLLBACK;

-- refuses: leaves that were removed, exchanged or pointed elsewhere; heads that were changed
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.seal_leaves WHERE first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves WHERE root IS NULL)$$);
SELECT checked, subject, detail, times > 0 AS found FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET seqs[2] = seqs[1] WHERE first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves WHERE root IS NULL)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET root = sha256('x') WHERE root IS NOT NULL AND seal = (SELECT max(number) FROM aegis.seal)$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.tenant_log SET size = size + 1 WHERE tenant_id IS NULL$$);
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper($$UPDATE aegis.tenant_log SET log_id = sha256('x') WHERE tenant_id IS NULL$$);
SELECT checked, times > 0 AS found FROM regress_findings();
ROLLBACK;

-- allows: other processes help to read a large partition, also what this transaction has not committed; an entry that is far from all others
SET min_parallel_table_scan_size = 0;
SET client_min_messages = debug1;
SELECT bool_and(outcome = 'ok') AS verifies FROM aegis.verify_ledger();
RESET client_min_messages;
SELECT v.items = (SELECT count(*) FROM aegis.entry) AS all_read FROM aegis.verify_ledger() v WHERE checked = 'entries';
BEGIN;
SELECT regress_tamper($$UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT regress_tamper($$INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = (SELECT seq FROM regress_touched)$$);
SELECT regress_tamper($$INSERT INTO aegis.entry (seq, xid, epoch, ordinal, tenant_id, leaf, body)
  SELECT 4611686018427387904 + n * 1000000000, xid, epoch, ordinal, tenant_id, leaf, body
    FROM generate_series(0, 1) n, (SELECT * FROM aegis.entry ORDER BY seq LIMIT 1) e$$);
SELECT * FROM regress_findings();
ROLLBACK;
RESET min_parallel_table_scan_size;

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
DROP FUNCTION regress_findings();
DROP VIEW regress_touched;
DROP FUNCTION regress_tamper(text);
