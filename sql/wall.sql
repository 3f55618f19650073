-- What tenant sessions may not do, whatever was granted to them: the walls stand outside the catalogs.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_wall_gateway LOGIN;
GRANT aegis_gateway TO regress_wall_gateway;
CREATE ROLE regress_wall_member LOGIN;
GRANT aegis_member TO regress_wall_member;
CREATE ROLE regress_wall_owner LOGIN;
CREATE ROLE regress_wall_creator LOGIN CREATEROLE;
CREATE SCHEMA yard AUTHORIZATION regress_wall_owner;
GRANT ALL ON SCHEMA yard TO regress_wall_member, regress_wall_gateway;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('wall-one', 'One') AS one \gset
SELECT aegis.create_tenant('wall-two', 'Two') AS two \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
CREATE TABLE yard.forgotten (tenant_id uuid, note text);
CREATE TABLE yard.half (tenant_id uuid, note text);
ALTER TABLE yard.half ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON yard.half USING (true);
CREATE TABLE yard.good (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('yard.good');
INSERT INTO yard.good (tenant_id, id, note) VALUES (:'one', 1, 'mine'), (:'two', 0, 'theirs');
CREATE MATERIALIZED VIEW yard.snapshot AS SELECT * FROM yard.good;
CREATE VIEW yard.over_forgotten AS SELECT * FROM yard.forgotten;
CREATE VIEW yard.over_activity AS SELECT * FROM pg_stat_activity;
CREATE VIEW yard.over_good WITH (security_invoker) AS SELECT * FROM yard.good;
CREATE TABLE yard.parts (tenant_id uuid, id int) PARTITION BY LIST (id);
CREATE TABLE yard.part_1 PARTITION OF yard.parts FOR VALUES IN (1);
CREATE SEQUENCE yard.counter;
CREATE FUNCTION yard.definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM yard.forgotten';
-- Made by a superuser without a thought: its owner bypasses row security.
CREATE VIEW yard.past_good AS SELECT * FROM yard.good;
CREATE FUNCTION yard.past() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM yard.good';
GRANT ALL ON ALL TABLES IN SCHEMA yard TO regress_wall_member, regress_wall_gateway;
GRANT ALL ON ALL SEQUENCES IN SCHEMA yard TO regress_wall_member;

-- allows: members use protected tables, views over them, and the harmless catalogs
\c - regress_wall_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT note FROM yard.good;
SELECT note FROM yard.over_good;
SELECT relname FROM pg_class WHERE oid = 'yard.good'::regclass;
SELECT table_name FROM information_schema.tables WHERE table_schema = 'yard' AND table_name = 'good';
DECLARE c CURSOR FOR SELECT note FROM yard.good;
FETCH c;
CLOSE c;
COPY (SELECT note FROM yard.good) TO STDOUT;
SET LOCAL statement_timeout = '1s';
SET LOCAL search_path = yard;
SET TRANSACTION READ ONLY;
COMMIT;
-- a MERGE that reads no column of its target is bound like a SELECT, whatever it does
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
MERGE INTO yard.good USING (VALUES (1)) v ON true WHEN MATCHED THEN UPDATE SET note = 'merged';
SELECT id, note FROM yard.good;
MERGE INTO yard.good USING (VALUES (1)) v ON true WHEN MATCHED THEN DO NOTHING;
MERGE INTO yard.good USING (VALUES (1)) v ON false WHEN NOT MATCHED THEN INSERT (id, note) VALUES (7, 'new');
MERGE INTO yard.over_good USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
MERGE INTO yard.good USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE;
SELECT count(*) FROM yard.good;
ROLLBACK;
-- refuses: rows by the place where they lie, which system columns do not tell either
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SAVEPOINT s;
SELECT id FROM yard.good TABLESAMPLE BERNOULLI (100) REPEATABLE (1);
ROLLBACK TO s;
SELECT (SELECT count(*) FROM yard.good g TABLESAMPLE SYSTEM (100) WHERE g.id = o.id) FROM yard.good o;
ROLLBACK TO s;
WITH own AS (SELECT id FROM yard.good TABLESAMPLE SYSTEM (100)) INSERT INTO yard.good (id) SELECT id + 1 FROM own;
ROLLBACK TO s;
COPY (SELECT id FROM yard.good TABLESAMPLE SYSTEM (100)) TO STDOUT;
ROLLBACK TO s;
SELECT query_to_xml('SELECT id FROM yard.good TABLESAMPLE SYSTEM (100)', true, true, '');
ROLLBACK TO s;
DECLARE c CURSOR FOR SELECT id FROM yard.good TABLESAMPLE SYSTEM (100);
ROLLBACK;
SET application_name = 'till';
SET TIME ZONE 'UTC';
RESET ALL;
DISCARD ALL;

-- refuses: every relation that is not protected, however it is reached
SELECT * FROM yard.forgotten;
SELECT * FROM yard.half;
SELECT * FROM yard.snapshot;
SELECT * FROM yard.over_forgotten;
SELECT * FROM yard.parts;
SELECT * FROM yard.part_1;
SELECT last_value FROM yard.counter;
INSERT INTO yard.forgotten VALUES (NULL, 'x');
SELECT yard.definer();
-- refuses: a protected relation past row security, with and without a context
SELECT * FROM yard.past_good;
SELECT yard.past();
DELETE FROM yard.past_good;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT * FROM yard.past_good;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT yard.past();
ROLLBACK;
-- refuses: a protected relation without a context
SELECT * FROM yard.good;
SELECT * FROM yard.over_good;
DELETE FROM yard.good;
-- refuses: catalogs that show others
SELECT count(*) FROM pg_stat_activity;
SELECT count(*) FROM yard.over_activity;
SELECT count(*) FROM pg_stats;
SELECT count(*) FROM pg_locks;
SELECT count(*) FROM pg_prepared_statements;
SELECT count(*) FROM pg_stat_user_tables;
SELECT reltuples FROM pg_class WHERE relname = 'good';
SELECT * FROM pg_class WHERE relname = 'good';
SELECT c FROM pg_class c WHERE relname = 'good';
SELECT 1 FROM pg_class WHERE relname = 'good' AND relpages > 0;
-- refuses: places and transactions of rows, which count what of others lies between; the table's own number is harmless
SELECT ctid FROM yard.good;
SELECT 1 FROM yard.good ORDER BY cmax::text;
DELETE FROM yard.good RETURNING xmax;
SELECT xmin FROM yard.good g;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT tableoid::regclass, note FROM yard.good;
SELECT ctid FROM yard.good;
ROLLBACK;
-- refuses: debugging messages, which show transaction numbers
SET client_min_messages = debug1;
SET client_min_messages = notice;
-- refuses: for the session what changes how the next client of a pooler reads its values
SET extra_float_digits = -15;
SET bytea_output = escape;
SET IntervalStyle = iso_8601;
SELECT setseed(0.5);
BEGIN;
SET LOCAL extra_float_digits = 0;
SET LOCAL bytea_output = escape;
SET LOCAL IntervalStyle = iso_8601;
SELECT nextval('yard.counter') = lastval() AS last;
COMMIT;
SELECT lastval();
SELECT currval('yard.counter');

-- allows: to drop what the driver prepared
DEALLOCATE ALL;
-- refuses: statements that reach beyond the tenant or the transaction
EXPLAIN SELECT 1;
LISTEN x;
NOTIFY x;
UNLISTEN x;
PREPARE p AS SELECT 1;
EXECUTE p;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT 1;
ROLLBACK;
CREATE TEMP TABLE t (a int);
CREATE TEMP TABLE t AS SELECT 1;
SELECT 1 AS a INTO TEMP t;
CREATE TABLE yard.t (a int);
CREATE FUNCTION yard.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
BEGIN;
LOCK TABLE yard.good;
ROLLBACK;
SET search_path = yard;
SET work_mem = '1GB';
SET LOCAL work_mem = '1GB';
SET row_security = off;
SET ROLE aegis_member;
SET SESSION AUTHORIZATION regress_wall_owner;
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
LOAD 'plpgsql';
DO $$ BEGIN END $$;
COPY yard.good TO PROGRAM 'cat';
COPY yard.good TO '/tmp/x';
DROP OWNED BY CURRENT_USER;
ALTER ROLE CURRENT_USER PASSWORD 'x';
GRANT SELECT ON yard.good TO PUBLIC;
ANALYZE yard.good;
BEGIN;
PREPARE TRANSACTION 'x';
ROLLBACK;

-- refuses: functions that do the same
SELECT set_config('search_path', 'yard', false);
SELECT pg_notify('x', 'y');
SELECT pg_advisory_lock(1);
SELECT pg_try_advisory_xact_lock(1);
SELECT lo_create(0);
SELECT lo_get(1);
SELECT pg_cancel_backend(1);
SELECT pg_terminate_backend(1);
SELECT count(*) FROM pg_stat_get_activity(NULL);
SELECT pg_total_relation_size('yard.good');
SELECT pg_current_wal_lsn();
SELECT pg_sleep(0);
SELECT txid_current();
SELECT pg_current_snapshot();
SELECT pg_xact_status('3');
SELECT age('3'::xid);
SELECT mxid_age('3'::xid);
SELECT currtid2('yard.good', '(0,1)');
SELECT age(timestamp '2001-02-03', timestamp '2001-02-02');
SELECT 1 WHERE set_config('work_mem', '1GB', false) IS NULL;

-- allows: the gateway's login calls its entry functions and sets up its connection
\c - regress_wall_gateway
SELECT 1 AS one;
SET client_encoding = 'UTF8';
SET statement_timeout = '10s';
LISTEN aegis_route;
UNLISTEN *;
BEGIN;
COMMIT;
DISCARD ALL;
-- refuses: everything else, catalogs included
SELECT count(*) FROM pg_class;
SELECT count(*) FROM pg_roles;
SELECT count(*) FROM information_schema.tables;
SELECT * FROM yard.good;
SELECT * FROM aegis.tenant;
SELECT aegis.tenant_id();
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT current_setting('data_directory');
SELECT now();
SELECT query_to_xml('SELECT 1', true, true, '');
SELECT aegis.assume_tenant(:'one', 'x', 'y');
SET ROLE aegis_gateway;
SET search_path = yard;
LISTEN other;
NOTIFY aegis_route;
SHOW search_path;
DO $$ BEGIN END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT 1;
ROLLBACK;
CREATE TEMP TABLE t (a int);
COPY (SELECT 1) TO STDOUT;
INSERT INTO yard.forgotten VALUES (NULL, 'x');
DELETE FROM yard.good;

-- refuses: making the owner of the ledger somebody's role, for everybody
\c - regress_wall_creator
GRANT aegis_owner TO regress_wall_creator;
CREATE ROLE regress_wall_x IN ROLE aegis_owner;
GRANT aegis_operator TO regress_wall_creator;
ALTER ROLE aegis_operator CREATEROLE;
-- refuses: what CREATEROLE would reach by a detour, members of the roles and the server's own roles included
GRANT regress_wall_member TO regress_wall_creator;
CREATE ROLE regress_wall_x IN ROLE regress_wall_gateway;
ALTER GROUP aegis_operator ADD USER regress_wall_creator;
ALTER ROLE aegis_operator LOGIN PASSWORD 'x';
ALTER ROLE regress_wall_member PASSWORD 'x';
ALTER ROLE regress_wall_gateway SET search_path = yard;
ALTER ROLE regress_wall_member RESET ALL;
REVOKE aegis_member FROM regress_wall_member;
ALTER ROLE aegis_gateway RENAME TO regress_wall_x;
GRANT pg_read_all_data TO regress_wall_creator;
GRANT pg_execute_server_program TO regress_wall_creator;
-- allows: CREATEROLE for all other roles
CREATE ROLE regress_wall_x;
GRANT regress_wall_x TO regress_wall_creator;
ALTER ROLE regress_wall_x PASSWORD 'x';
ALTER ROLE regress_wall_x RENAME TO regress_wall_y;
REVOKE regress_wall_y FROM regress_wall_creator;
DROP ROLE regress_wall_y;
\c - :superuser
-- allows: whom a superuser gave the admin option
GRANT aegis_operator TO regress_wall_creator WITH ADMIN OPTION;
SET SESSION AUTHORIZATION regress_wall_creator;
CREATE ROLE regress_wall_x IN ROLE aegis_operator;
ALTER ROLE regress_wall_x PASSWORD 'x';
DROP ROLE regress_wall_x;
RESET SESSION AUTHORIZATION;
REVOKE aegis_operator FROM regress_wall_creator;
ALTER ROLE aegis_member RENAME TO regress_wall_x;
GRANT aegis_owner TO regress_wall_creator;
ALTER ROLE aegis_owner LOGIN;
ALTER ROLE aegis_owner PASSWORD 'x';
ALTER ROLE aegis_owner SET search_path = yard;
ALTER ROLE aegis_owner RENAME TO regress_wall_x;
ALTER GROUP aegis_owner ADD USER regress_wall_creator;
CREATE ROLE regress_wall_x ROLE aegis_owner;
CREATE ROLE regress_wall_x ADMIN aegis_owner;
ALTER GROUP regress_wall_creator ADD USER aegis_owner;
ALTER GROUP regress_wall_creator DROP USER aegis_owner;
ALTER ROLE aegis_member BYPASSRLS;
ALTER ROLE aegis_gateway SUPERUSER;
REASSIGN OWNED BY aegis_owner TO regress_wall_creator;
-- allows: what a dump of the roles says again
ALTER ROLE aegis_owner WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;

-- survives: a cached plan, a generic plan and a parallel plan keep to the context of each transaction
INSERT INTO yard.good (tenant_id, id, note) SELECT :'two', n, 'two' FROM generate_series(1, 2000) n;
ANALYZE yard.good;
ALTER ROLE regress_wall_member SET force_parallel_mode = on;
ALTER ROLE regress_wall_member SET plan_cache_mode = force_generic_plan;
CREATE FUNCTION yard.count_good() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
  RETURN (SELECT count(*) FROM yard.good);
END $$;
\c - regress_wall_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 2);
SELECT yard.count_good(), (SELECT count(*) FROM yard.good) AS parallel;
COMMIT;
BEGIN;
SELECT probe_context(:'two', :ann, 4, 1, 2);
SELECT yard.count_good(), (SELECT count(*) FROM yard.good) AS parallel;
COMMIT;
SELECT yard.count_good();

\c - :superuser
SET client_min_messages = warning;
DROP SCHEMA yard CASCADE;
DROP FUNCTION probe_context;
DROP OWNED BY regress_wall_gateway, regress_wall_member, regress_wall_owner, regress_wall_creator;
DROP ROLE regress_wall_gateway, regress_wall_member, regress_wall_owner, regress_wall_creator;
