-- A row that this process has read before is found as it is now, wherever it went, and never taken for another one.
\set VERBOSITY terse
SET client_min_messages = warning;
-- Nobody signs in before the worker runs.
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
-- Places are counted on below, so no session of another test may be between them.
TRUNCATE aegis.session;
CREATE ROLE regress_own_table_member LOGIN;
GRANT aegis_member TO regress_own_table_member;
SELECT aegis.create_tenant('regress-own-table', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_team('North') AS north \gset
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, :'north', 'plum quartz lantern 47 river') AS uli \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('regress-own-table', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('regress-own-table', 'uli@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT id AS uli_session FROM aegis.session WHERE token_hash = sha256(convert_to(:'uli_token', 'UTF8')) \gset
-- One process throughout: as a member, whom row security binds, who Uli is; changed by the superuser in between.
\set who 'SET SESSION AUTHORIZATION regress_own_table_member; BEGIN; SELECT aegis.authenticate(:''uli_token''); SELECT CASE aegis.user_id() WHEN :''uli'' THEN ''Uli'' WHEN :''ada'' THEN ''Ada'' END AS who, aegis.rank(); ROLLBACK; RESET SESSION AUTHORIZATION;'

-- allows: the same row again
:who
:who

-- allows: the index once in a while, which tells the buffer manager that its pages and the row's are in use
\set scans 'SELECT pg_stat_get_numscans(''aegis.session_token_hash_key''::regclass)'
SELECT set_config('regress.token', :'uli_token', false) IS NOT NULL AS token;
SELECT pg_stat_force_next_flush();
:scans AS before \gset
DO $$
BEGIN
  FOR i IN 1 .. 128 LOOP
    SET LOCAL SESSION AUTHORIZATION regress_own_table_member;
    PERFORM aegis.authenticate(current_setting('regress.token'));
    ROLLBACK;
  END LOOP;
END $$;
SELECT pg_stat_force_next_flush();
:scans - :before AS scans_of_128;

-- allows: what was changed, in this transaction and after it, and not what was undone
UPDATE aegis.user SET rank = 2 WHERE id = :'uli';
:who
:who
BEGIN;
UPDATE aegis.user SET rank = 3 WHERE id = :'uli';
SET LOCAL SESSION AUTHORIZATION regress_own_table_member;
SELECT aegis.authenticate(:'uli_token');
SELECT aegis.rank() AS of_this_transaction;
ROLLBACK;
:who

-- refuses: a session, a user and a tenant that ended meanwhile
BEGIN;
UPDATE aegis.session SET ended_at = now(), end_reason = 'revoked' WHERE id = :'uli_session';
COMMIT;
:who
UPDATE aegis.session SET ended_at = NULL, end_reason = NULL WHERE id = :'uli_session';
UPDATE aegis.user SET status = 'inactive' WHERE id = :'uli';
:who
UPDATE aegis.user SET status = 'active' WHERE id = :'uli';
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'tenant';
:who
UPDATE aegis.tenant SET status = 'active' WHERE id = :'tenant';
:who

-- allows: limits that a tenant gets while the table of them has no row, has one, and has none again
\set limit 'SET SESSION AUTHORIZATION regress_own_table_member; BEGIN; SELECT aegis.authenticate(:''uli_token''); SHOW lock_timeout; ROLLBACK; RESET SESSION AUTHORIZATION;'
CREATE TEMP TABLE others AS SELECT * FROM aegis.tenant_limit;
DELETE FROM aegis.tenant_limit;
VACUUM FULL aegis.tenant_limit;
SELECT pg_relation_size('aegis.tenant_limit') AS nothing;
:limit
INSERT INTO aegis.tenant_limit (tenant_id, lock_ms) VALUES (:'tenant', 1234);
:limit
:limit
UPDATE aegis.tenant_limit SET lock_ms = 2345 WHERE tenant_id = :'tenant';
:limit
DELETE FROM aegis.tenant_limit WHERE tenant_id = :'tenant';
:limit
INSERT INTO aegis.tenant_limit SELECT * FROM others;
:limit

-- survives: tables that are written anew
VACUUM FULL aegis.session;
VACUUM FULL aegis.user;
VACUUM FULL aegis.tenant;
VACUUM FULL aegis.team;
:who
:who
CLUSTER aegis.session USING session_pkey;
:who

-- survives: a row whose place another one took, which is not taken for it: that one was superseded
\set wait 'DO $$ BEGIN FOR i IN 1 .. 400 LOOP PERFORM pg_catalog.pg_stat_clear_snapshot(); EXIT WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.backend_xmin::text::bigint <= current_setting(''regress.deleted'')::bigint); PERFORM pg_catalog.pg_sleep(0.05); END LOOP; END $$;'
CREATE TEMP TABLE gone AS SELECT s.ctid AS place, s.* FROM aegis.session s WHERE s.id = :'uli_session';
BEGIN;
DELETE FROM aegis.session WHERE id = :'uli_session';
SELECT set_config('regress.deleted', txid_current()::text, false) IS NOT NULL AS deleted;
COMMIT;
:who
:wait
VACUUM aegis.session;
INSERT INTO aegis.session (tenant_id, user_id, token_hash, expires_at, ended_at, end_reason)
  SELECT :'tenant', :'ada', sha256(g::text::bytea), now() + interval '1 hour', now(), 'superseded' FROM generate_series(1, 200) g;
SELECT s.user_id = :'ada' AS taken FROM aegis.session s JOIN gone g ON s.ctid = g.place;
:who

-- survives: a table that was cut off before the place
INSERT INTO aegis.session (tenant_id, user_id, token_hash, expires_at)
  SELECT g.tenant_id, g.user_id, g.token_hash, g.expires_at FROM gone g;
:who
:who
SELECT pg_relation_size('aegis.session') AS before \gset
BEGIN;
DELETE FROM aegis.session WHERE tenant_id = :'tenant';
SELECT set_config('regress.deleted', txid_current()::text, false) IS NOT NULL AS deleted;
COMMIT;
:wait
VACUUM aegis.session;
SELECT pg_relation_size('aegis.session') < :before AS cut_off;
:who

DROP ROLE regress_own_table_member;
