-- An entry is written with what it describes: also in read-only transactions, by any role, whatever stands on
-- the table; it is small; and writing fails closed when it must.
\set VERBOSITY terse
SELECT aegis.declare_event('ledger_test.done', 'for the test of the ledger', '{"n": "clear", "who": "personal"}');

-- allows: any role that may use the schema; in a read-only transaction; at REPEATABLE READ and SERIALIZABLE
CREATE ROLE regress_ledger_user;
GRANT USAGE ON SCHEMA aegis TO regress_ledger_user;
SET ROLE regress_ledger_user;
SELECT aegis.record('ledger_test.done', 'thing', '1', detail => '{"n": 1}');
SELECT count(*) FROM aegis.entry;
RESET ROLE;
BEGIN READ ONLY;
SELECT aegis.record('ledger_test.done', 'thing', '2', 'denied', '{"n": 2}');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT aegis.record('ledger_test.done', 'thing', '3', detail => '{"n": 3}');
SELECT aegis.record('ledger_test.done', 'thing', '4', 'failure', detail => '{"n": 4}');
COMMIT;
SELECT event, outcome, target_kind, target_id, detail, user_id IS NULL AS no_user, way IS NULL AS no_way
  FROM aegis.audit_log WHERE event = 'ledger_test.done' ORDER BY seq;

-- allows: entries of one transaction carry its number and their order
SELECT count(DISTINCT xid) AS transactions, array_agg(ordinal ORDER BY seq) AS ordinals
  FROM aegis.entry WHERE position('ledger_test.done'::bytea IN body) > 0 AND position('event.declared'::bytea IN body) = 0;

-- survives: personal details are stored as envelopes only, and differ every time
SELECT aegis.record('ledger_test.done', detail => '{"who": "Grace Hopper"}') FROM generate_series(1, 2);
SELECT count(*) AS entries, count(DISTINCT detail ->> 'who') AS envelopes, bool_and(detail ->> 'who' LIKE 'A1.%') AS sealed
  FROM aegis.audit_log WHERE event = 'ledger_test.done' AND detail ? 'who';
SELECT count(*) AS in_clear FROM aegis.entry WHERE position('Hopper'::bytea IN body) > 0;

-- survives: what is stored is what is hashed; small entries are small
SELECT bool_and(leaf = sha256('\x00'::bytea || body)) AS leaves FROM aegis.entry;
SELECT avg(pg_column_size(e.*)) < 250 AS small FROM aegis.entry e WHERE position('ledger_test.done'::bytea IN body) > 0;
SELECT pg_current_wal_insert_lsn() AS before \gset
SELECT count(aegis.record('ledger_test.done', detail => '{"n": 1}')) FROM generate_series(1, 2000);
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'before') / 2000 < 600 AS little_wal;

-- survives: partitions were made ahead of the sequence, each closed to change
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT count(*) >= 4 AS partitions, bool_or(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT') AS has_default,
       bool_and(pg_get_userbyid(c.relowner) = 'aegis_owner') AS owned, bool_and(c.relacl IS NULL OR NOT c.relacl::text ~ '[{,]=') AS closed
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'aegis.entry'::regclass;
SELECT count(*) AS in_default FROM aegis.entry_default;

-- refuses: writing while sealing lags behind the limit
ALTER SYSTEM SET aegis.seal_lag_limit = '1ms';
ALTER SYSTEM SET aegis.seal_interval = '60s';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SELECT aegis.record('ledger_test.done', detail => '{"n": 5}');
ALTER SYSTEM RESET aegis.seal_lag_limit;
ALTER SYSTEM RESET aegis.seal_interval;
SELECT pg_reload_conf();
SELECT pg_sleep(0.2);
SELECT aegis.record('ledger_test.done', detail => '{"n": 6}');
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;

-- refuses: a parallel worker
CREATE FUNCTION regress_record(n int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS
  $$ BEGIN PERFORM aegis.record('ledger_test.done', detail => jsonb_build_object('n', n)); RETURN n; END $$;
CREATE TABLE regress_many AS SELECT generate_series(1, 1000) AS n;
SET force_parallel_mode = on;
SELECT sum(regress_record(n)) FROM regress_many;
RESET force_parallel_mode;
DROP TABLE regress_many;
DROP FUNCTION regress_record(int);
REVOKE USAGE ON SCHEMA aegis FROM regress_ledger_user;
DROP ROLE regress_ledger_user;
