-- Everything that commits is sealed once, in the order of its tenant's log, and the chain of seals has no gap.
\set VERBOSITY terse
SELECT aegis.declare_event('seal_test.done', 'a step of the test of seals', '{"step": "clear"}');

-- allows: an entry is sealed after it was committed, as the leaf that seal_leaves names
SELECT aegis.record('seal_test.done', detail => '{"step": 1}');
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT count(*) AS leaves_of_the_entry FROM aegis.entry e JOIN aegis.seal_leaves l ON e.seq = ANY (l.seqs)
 WHERE position('seal_test.done'::bytea IN e.body) > 0 AND position('event.declared'::bytea IN e.body) = 0;

-- allows: savepoints; what was rolled back is in no seal
BEGIN;
SELECT aegis.record('seal_test.done', detail => '{"step": 2}');
SAVEPOINT s;
SELECT aegis.record('seal_test.done', detail => '{"step": 3}');
ROLLBACK TO s;
SELECT aegis.record('seal_test.done', detail => '{"step": 4}');
COMMIT;
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT count(*) AS entries, count(DISTINCT e.xid) AS transactions FROM aegis.entry e JOIN aegis.seal_leaves l ON e.seq = ANY (l.seqs)
 WHERE position('seal_test.done'::bytea IN e.body) > 0 AND position('event.declared'::bytea IN e.body) = 0;

-- allows: many entries of one transaction, in several rows of leaves
SELECT count(aegis.record('seal_test.done', detail => '{"step": 5}')) FROM generate_series(1, 1000);
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT max(cardinality(seqs)) AS leaves_per_row, bool_and(last_seq = seqs[cardinality(seqs)]) AS last_is_last FROM aegis.seal_leaves;

-- survives: every entry has one leaf; numbers of seals and indexes of leaves have no gaps; hashes chain
SELECT count(*) = (SELECT count(*) FROM aegis.entry) AS every_entry, count(*) = count(DISTINCT s) AS once
  FROM aegis.seal_leaves, unnest(seqs) s;
SELECT max(number) = count(*) AS gapless, bool_and(hash = sha256(body)) AS hashed,
       bool_and(previous = coalesce(before, decode(repeat('00', 32), 'hex'))) AS chained
  FROM (SELECT *, lag(hash) OVER (ORDER BY number) AS before FROM aegis.seal) s;
SELECT bool_and(first_leaf = coalesce(expected, 0)) AS leaves_gapless
  FROM (SELECT first_leaf, sum(cardinality(seqs)) OVER (PARTITION BY log ORDER BY seal, first_leaf ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS expected
          FROM aegis.seal_leaves) l;
SELECT bool_and(t.size = (SELECT sum(cardinality(seqs)) FROM aegis.seal_leaves l WHERE l.log = t.log)
            AND t.root = (SELECT root FROM aegis.seal_leaves l WHERE l.log = t.log ORDER BY seal DESC, first_leaf DESC LIMIT 1)) AS heads
  FROM aegis.tenant_log t;
SELECT (SELECT count(*) FROM aegis.seal_leaves WHERE root IS NOT NULL) = max(root_size) AS a_head_for_each_log_that_grew FROM aegis.seal;
SELECT count(*) AS epochs, min(epoch) FROM aegis.ledger_epoch;

-- refuses: an epoch begun by anybody or in the middle of a transaction
BEGIN;
SELECT aegis.record('seal_test.done', detail => '{"step": 6}');
SELECT aegis.begin_epoch('test');
ROLLBACK;
CREATE ROLE regress_seal_nobody;
GRANT USAGE ON SCHEMA aegis TO regress_seal_nobody;
SET ROLE regress_seal_nobody;
SELECT aegis.begin_epoch('test');
SELECT count(*) FROM aegis.seal;
SELECT aegis.wait_sealed() > 0 AS sealed;
RESET ROLE;
REVOKE USAGE ON SCHEMA aegis FROM regress_seal_nobody;
DROP ROLE regress_seal_nobody;

-- survives: a new epoch goes on in the same chain; its entry has the reason, and the newest checkpoint once there is one
SELECT aegis.begin_epoch('test of a new epoch');
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT event, outcome, detail, reason FROM aegis.audit_log WHERE event = 'ledger.epoch_begun';
SELECT s.epoch, s.previous = p.hash AS commits_to_the_last FROM aegis.seal s JOIN aegis.seal p ON p.number = s.number - 1
 ORDER BY s.number DESC LIMIT 1;
SELECT count(*) = (SELECT count(*) FROM aegis.entry) AS every_entry FROM aegis.seal_leaves, unnest(seqs) s;

-- survives: a pass looks its entries up; at no size of the ledger does it read all of them
CREATE FUNCTION regress_pass() RETURNS integer AS '$libdir/aegis', 'aegis_test_seal_pass' LANGUAGE C;
\c
BEGIN;
SELECT count(regress_pass()) AS passes FROM generate_series(1, 8);
SELECT sum(seq_scan) AS read_whole, sum(idx_scan) > 0 AS looked_up FROM pg_stat_xact_all_tables
 WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'aegis.entry'::regclass);
COMMIT;

-- survives: a pass looks up the logs that grow; however many there are, it does not read all of them
BEGIN;
CREATE TABLE regress_seal (tenant_id uuid, id integer PRIMARY KEY);
SELECT aegis.audit_table('regress_seal');
SELECT aegis.record('seal_test.done', detail => '{"step": 7}');
INSERT INTO regress_seal VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 1), ('aaaaaaaa-0000-4000-8000-000000000002', 2);
SELECT regress_pass() > 2 AS sealed;
SELECT seq_scan AS read_whole, idx_scan > 2 AS looked_up FROM pg_stat_xact_all_tables WHERE relid = 'aegis.tenant_log'::regclass;
ROLLBACK;
DROP FUNCTION regress_pass();
