-- An open session finds the partition that takes an entry, and its index, whatever happened to either since its last entry;
-- an entry is committed exactly when its subtransaction is.
\set VERBOSITY terse
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
SELECT aegis.declare_event('entry_test.done', 'for the test of entries', '{"n": "clear"}');
-- What stands in the table and what the sealer finds by the index must be the same.
CREATE FUNCTION regress_entries(OUT by_table text, OUT by_index text) LANGUAGE plpgsql AS $$
DECLARE
  query text := $q$ SELECT string_agg(d.detail ->> 'n', ' ' ORDER BY e.seq) FROM aegis.entry e, aegis.decode_entry(e.body) d
                    WHERE e.epoch > 0 AND e.xid >= '0' AND d.event = 'entry_test.done' $q$;
BEGIN
  PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
  EXECUTE query INTO by_table;
  PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'off', true);
  EXECUTE query INTO by_index;
END $$;
CREATE FUNCTION regress_record(n int) RETURNS void LANGUAGE sql AS $$ SELECT aegis.record('entry_test.done', detail => jsonb_build_object('n', n)) $$;
SELECT regress_record(1);

-- survives: the index is made anew, dropped and made again, and joined by another, between entries of one session
REINDEX TABLE aegis.entry_p0;
SELECT regress_record(2);
REINDEX TABLE CONCURRENTLY aegis.entry_p0;
SELECT regress_record(3);
SELECT * FROM regress_entries();
SELECT regress_tamper('DROP INDEX aegis.entry_p0_xid');
SELECT regress_record(4);
SELECT regress_tamper('CREATE INDEX entry_p0_xid ON aegis.entry_p0 (epoch, xid)');
SELECT regress_record(5);
SELECT regress_tamper('CREATE INDEX entry_p0_seq ON aegis.entry_p0 (seq)');
SELECT regress_record(6);
SET enable_seqscan = off;
SELECT count(*) FROM aegis.entry_p0 WHERE seq = (SELECT last_value FROM aegis.entry_seq);
RESET enable_seqscan;
SELECT regress_tamper('DROP INDEX aegis.entry_p0_seq');
SELECT regress_record(7);
SELECT * FROM regress_entries();

-- survives: savepoints; what was locked and cached in one that was rolled back serves the next
DISCARD ALL;
BEGIN;
SAVEPOINT a;
SELECT regress_record(100);
ROLLBACK TO a;
SELECT regress_record(8);
SAVEPOINT b;
SELECT regress_record(101);
SAVEPOINT c;
SELECT regress_record(102);
RELEASE c;
ROLLBACK TO b;
SELECT regress_record(9);
SELECT mode FROM pg_locks WHERE relation IN ('aegis.entry'::regclass, 'aegis.entry_p0'::regclass) AND pid = pg_backend_pid();
COMMIT;
BEGIN;
SELECT regress_record(103);
ROLLBACK;
SELECT * FROM regress_entries();

-- survives: a range of partitions ends, and another begins, within one session and one transaction
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT setval('aegis.entry_seq', 4194302);
BEGIN;
SELECT regress_record(n) FROM generate_series(10, 12) n;
COMMIT;
-- An entry finds the default partition, or one that the worker has made meanwhile.
SELECT setval('aegis.entry_seq', 50 * 4194304::bigint - 2);
SELECT regress_record(13), regress_record(14);
SELECT tableoid::regclass::text ~ 'entry_p0$' AS first, tableoid::regclass::text ~ 'entry_p1$' AS second, count(*)
  FROM aegis.entry e, aegis.decode_entry(e.body) d WHERE d.event = 'entry_test.done' GROUP BY 1, 2 ORDER BY 1 DESC, 2 DESC;
SELECT * FROM regress_entries();
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT count(*) AS unsealed FROM aegis.audit_log WHERE event = 'entry_test.done' AND seal IS NULL;
SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok';
DROP FUNCTION regress_record(int), regress_entries(), regress_tamper(text);
