-- Nobody changes the ledger while the library is loaded: not its owner, not a superuser, by no road.
\set VERBOSITY terse
SELECT aegis.declare_event('guard_test.done', 'for the test of the guard');
SELECT aegis.record('guard_test.done');
SELECT aegis.wait_sealed() > 0 AS sealed;
CREATE TABLE regress_before AS SELECT count(*) OVER () AS entries, leaf AS last_leaf FROM aegis.entry ORDER BY seq DESC LIMIT 1;

-- refuses: every statement that writes rows
UPDATE aegis.entry SET body = '\x00';
UPDATE aegis.entry_p0 SET body = '\x00';
DELETE FROM aegis.entry;
DELETE FROM aegis.seal;
UPDATE aegis.tenant_log SET size = 0;
UPDATE aegis.seal_leaves SET seqs = '{}';
DELETE FROM aegis.ledger_epoch;
UPDATE aegis.event_type SET writer = 'sql';
INSERT INTO aegis.entry_p0 SELECT * FROM aegis.entry_p0 LIMIT 1;
INSERT INTO aegis.entry SELECT * FROM aegis.entry LIMIT 1;
INSERT INTO aegis.event_type SELECT 'x.y', 'x', 'c', '{}', true ON CONFLICT (name) DO UPDATE SET writer = 'sql';
MERGE INTO aegis.entry e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE;
MERGE INTO aegis.seal e USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT (number) VALUES (1);
WITH gone AS (DELETE FROM aegis.entry RETURNING 1) SELECT count(*) FROM gone;
SELECT seq FROM aegis.entry LIMIT 1 FOR UPDATE;
COPY aegis.event_type (name, description, writer, by_extension) FROM stdin;
x.y	x	c	f
\.
TRUNCATE aegis.entry;
TRUNCATE aegis.entry_p0, regress_before;
TRUNCATE aegis.seal CASCADE;
DO $$ BEGIN DELETE FROM aegis.entry; END $$;
CREATE VIEW regress_view AS SELECT * FROM aegis.seal;
DELETE FROM regress_view;
DROP VIEW regress_view;

-- refuses: the same under session_replication_role = replica, as the owner, and in a function of the owner
SET session_replication_role = replica;
DELETE FROM aegis.entry;
TRUNCATE aegis.seal;
RESET session_replication_role;
SET ROLE aegis_owner;
DELETE FROM aegis.entry;
ALTER TABLE aegis.entry DISABLE TRIGGER ALL;
DROP TABLE aegis.seal;
RESET ROLE;

-- refuses: functions that change rows below all of this, under another name too, in a function, to everybody
CREATE EXTENSION pg_surgery;
SELECT heap_force_kill('aegis.entry_p0', ARRAY['(0,1)'::tid]);
SELECT heap_force_freeze('aegis.seal', ARRAY['(0,1)'::tid]);
DO $$ BEGIN PERFORM heap_force_kill('aegis.seal', ARRAY['(0,1)'::tid]); END $$;
CREATE FUNCTION regress_surgery(regclass, tid[]) RETURNS void AS '$libdir/pg_surgery', 'heap_force_kill' LANGUAGE C STRICT;
SELECT regress_surgery('aegis.seal', ARRAY['(0,1)'::tid]);
DROP FUNCTION regress_surgery(regclass, tid[]);
DROP EXTENSION pg_surgery;

-- refuses: every change of a table
ALTER TABLE aegis.entry DISABLE TRIGGER refuse_change;
ALTER TABLE aegis.entry_p0 DISABLE TRIGGER ALL;
ALTER TABLE aegis.entry_p0 ENABLE TRIGGER refuse_change;
ALTER TABLE aegis.seal ALTER COLUMN entries TYPE integer USING 0;
ALTER TABLE aegis.seal DROP COLUMN entries;
ALTER TABLE aegis.seal ADD COLUMN more text DEFAULT 'x';
ALTER TABLE aegis.seal ADD CONSTRAINT never CHECK (false) NOT VALID;
ALTER TABLE aegis.seal RENAME TO seal_old;
ALTER TABLE aegis.seal RENAME COLUMN root TO toor;
ALTER TABLE aegis.seal SET SCHEMA public;
ALTER TABLE aegis.seal OWNER TO CURRENT_USER;
ALTER TABLE aegis.seal SET UNLOGGED;
ALTER TABLE aegis.seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE aegis.entry DETACH PARTITION aegis.entry_p0;
CREATE TABLE regress_part PARTITION OF aegis.entry FOR VALUES FROM (-10) TO (0);
CREATE TABLE regress_child () INHERITS (aegis.seal);
CREATE TABLE regress_like (LIKE aegis.seal);
ALTER TABLE regress_like INHERIT aegis.seal;
DROP TABLE regress_like;
CREATE FOREIGN DATA WRAPPER regress_wrapper;
CREATE SERVER regress_server FOREIGN DATA WRAPPER regress_wrapper;
CREATE FOREIGN TABLE regress_foreign PARTITION OF aegis.entry FOR VALUES FROM (-10) TO (0) SERVER regress_server;
DROP FOREIGN DATA WRAPPER regress_wrapper CASCADE;
CREATE TABLE regress_over (LIKE aegis.ledger_epoch) PARTITION BY LIST (epoch);
ALTER TABLE regress_over ATTACH PARTITION aegis.ledger_epoch DEFAULT;
DROP TABLE regress_over;
CREATE TABLE regress_refers (seal bigint REFERENCES aegis.seal ON DELETE CASCADE);
CREATE STATISTICS regress_statistics ON (entries::text) FROM aegis.seal;
ALTER SEQUENCE aegis.entry_seq RESTART;
ALTER INDEX aegis.entry_p0_xid RENAME TO entry_p0_xdi;
DROP INDEX aegis.entry_p0_xid;
CREATE INDEX ON aegis.seal (entries);
CREATE RULE r AS ON INSERT TO aegis.seal DO INSTEAD NOTHING;
CREATE FUNCTION regress_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t BEFORE INSERT ON aegis.seal FOR EACH ROW EXECUTE FUNCTION regress_trigger();
CREATE POLICY p ON aegis.seal USING (false);
DROP TRIGGER refuse_change ON aegis.seal;
ALTER TRIGGER refuse_change ON aegis.seal RENAME TO x;
DROP TABLE aegis.entry_p0;
DROP TABLE aegis.entry CASCADE;
DROP OWNED BY aegis_owner CASCADE;
REASSIGN OWNED BY aegis_owner TO CURRENT_USER;
DROP SCHEMA aegis CASCADE;
ALTER SCHEMA aegis RENAME TO sigea;
ALTER SCHEMA aegis OWNER TO pg_monitor;
ALTER TRIGGER refuse_change ON aegis.seal DEPENDS ON EXTENSION plpgsql;
DROP EXTENSION aegis CASCADE;
ALTER EXTENSION aegis DROP TABLE aegis.seal;

-- refuses: the functions and catalogs behind the guard
CREATE OR REPLACE FUNCTION aegis.refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
ALTER FUNCTION aegis.refuse_ledger_change() RENAME TO x;
DROP FUNCTION aegis.refuse_ledger_change() CASCADE;
CREATE OR REPLACE FUNCTION aegis.verify_ledger(tenant uuid DEFAULT NULL, checkpoint text DEFAULT NULL, from_checkpoint text DEFAULT NULL, OUT checked text, OUT subject text, OUT outcome text, OUT items bigint, OUT detail text)
  RETURNS SETOF record LANGUAGE sql AS $$ SELECT 'all', 'all', 'ok', 1::bigint, 'trust me' $$;
CREATE FUNCTION aegis.verify_ledger(tenant uuid, OUT checked text, OUT outcome text) RETURNS SETOF record LANGUAGE sql AS $$ SELECT 'all', 'ok' $$;
ALTER FUNCTION aegis.record(text, text, text, text, jsonb) RENAME TO x;
ALTER FUNCTION aegis.export_ledger(uuid) RENAME TO x;
CREATE OR REPLACE FUNCTION pg_catalog.pg_snapshot_xmax(pg_snapshot) RETURNS xid8 LANGUAGE sql AS 'SELECT ''1''::xid8';
ALTER VIEW aegis.checkpoints RENAME TO x;
DROP VIEW aegis.audit_log CASCADE;
ALTER VIEW aegis.audit_log RENAME TO x;
CREATE RULE r AS ON INSERT TO aegis.audit_log DO INSTEAD NOTHING;
SET allow_system_table_mods = on;
UPDATE pg_namespace SET nspname = 'sigea' WHERE nspname = 'aegis';
DELETE FROM pg_partitioned_table WHERE partrelid = 'aegis.entry'::regclass;
DELETE FROM pg_sequence WHERE seqrelid = 'aegis.entry_seq'::regclass;
DELETE FROM pg_type WHERE typname = 'seal';
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'aegis.seal'::regclass;
DELETE FROM pg_trigger WHERE tgrelid = 'aegis.seal'::regclass;
UPDATE pg_class SET relname = 'seal_old' WHERE oid = 'aegis.seal'::regclass;
UPDATE pg_class SET relhastriggers = false WHERE oid = 'aegis.seal'::regclass;
UPDATE pg_proc SET prosrc = 'x' WHERE proname = 'refuse_ledger_change';
UPDATE pg_authid SET rolcanlogin = true WHERE rolname = 'aegis_owner';
UPDATE pg_operator SET oprcode = 'int8ne'::regproc WHERE oid = 410;
DELETE FROM pg_depend WHERE refobjid = 'aegis.seal'::regclass;
SELECT format('ALTER INDEX %s RENAME TO x', indexrelid::regclass) AS toast_index FROM pg_index
 WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'aegis.seal'::regclass) \gset
:toast_index;
RESET allow_system_table_mods;

-- allows: reading, dumping, maintenance
BEGIN;
LOCK TABLE aegis.entry, aegis.seal IN ACCESS SHARE MODE;
COPY (SELECT count(*) > 0 FROM aegis.entry) TO stdout;
COMMIT;
VACUUM aegis.seal;
VACUUM FULL aegis.entry_p0;
CLUSTER aegis.seal USING seal_pkey;
REINDEX TABLE aegis.entry_p0;
REINDEX TABLE CONCURRENTLY aegis.seal;
ANALYZE aegis.entry;
COMMENT ON TABLE aegis.entry_p1 IS 'the entries that follow';

-- survives: nothing is lost, and the ledger goes on
SELECT bool_and(EXISTS (SELECT FROM aegis.entry e WHERE e.leaf = b.last_leaf)) AS still_there,
       bool_and((SELECT count(*) FROM aegis.entry) >= entries) AS none_lost FROM regress_before b;
SELECT aegis.record('guard_test.done');
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT count(*) AS triggers, bool_and(tgenabled = 'A') AS always FROM pg_trigger
 WHERE tgname IN ('refuse_change', 'refuse_truncate') AND tgrelid::regclass::text !~ 'entry_p[2-9]';
-- A subscription writes below the permissions of plans: the triggers must fire for rows that it inserts.
SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'refuse_change' AND tgtype & 31 <> 31 ORDER BY 1;
DROP FUNCTION regress_trigger();
DROP TABLE regress_before;
