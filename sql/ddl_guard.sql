-- In a guarded schema no transaction leaves a hole behind, and whoever tried is in the ledger.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_guard_owner LOGIN;
CREATE ROLE regress_guard_operator LOGIN;
CREATE ROLE regress_guard_member LOGIN;
GRANT aegis_operator TO regress_guard_operator;
GRANT aegis_member TO regress_guard_member;
GRANT USAGE ON SCHEMA aegis TO regress_guard_owner;
CREATE SCHEMA guarded AUTHORIZATION regress_guard_owner;
CREATE SCHEMA free AUTHORIZATION regress_guard_owner;
GRANT USAGE ON SCHEMA guarded, free TO PUBLIC;
-- Waits until the worker has written what rollbacks left; false after 20 seconds.
CREATE FUNCTION collected() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
CREATE FUNCTION tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
SELECT max(seq) AS before FROM aegis.audit_log \gset

-- refuses: whoever is no operator, other modes, the extension's own schema
\c - regress_guard_owner
SELECT aegis.guard_schema('guarded');
INSERT INTO aegis.guarded_schema VALUES ('free', 'refuse');
\c - regress_guard_operator
SELECT aegis.guard_schema('guarded', 'maybe');
SELECT aegis.guard_schema('guarded', NULL);
SELECT aegis.guard_schema('aegis');
SELECT aegis.guard_schema('pg_catalog');
SELECT aegis.guard_schema('nowhere');

-- refuses: a schema that has holes already
\c - regress_guard_owner
CREATE TABLE guarded.early (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
\c - regress_guard_operator
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT aegis.guard_schema('guarded');
\set VERBOSITY terse
\c - regress_guard_owner
SELECT aegis.protect_table('guarded.early');
SELECT count(*) FROM aegis.guarded_schema;
\c - regress_guard_operator
SELECT finding, fix FROM aegis.coverage() WHERE object = 'guarded';
SELECT aegis.guard_schema('guarded');
SELECT * FROM aegis.guarded_schema WHERE schema = 'guarded';
-- refuses: another name for it, which the list of guarded schemas would not know
\c - :superuser
ALTER SCHEMA guarded RENAME TO unguarded;
\c - regress_guard_operator
SELECT finding FROM aegis.coverage() WHERE object = 'guarded';

-- refuses: a table that is not protected when the transaction ends; allows: one that is by then, and other schemas
\c - regress_guard_owner
CREATE TABLE guarded.open (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE guarded.copied AS SELECT 1 AS id;
SELECT 1 AS id INTO guarded.copied;
CREATE TABLE free.open (id int);
CREATE TEMP TABLE scratch (id int);
BEGIN;
CREATE TABLE guarded.customer (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('guarded.customer');
COMMIT;
BEGIN;
CREATE TABLE guarded.open (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
DROP TABLE guarded.open;
COMMIT;
-- refuses: moving a table in, whatever is done about the constraint meanwhile
ALTER TABLE free.open SET SCHEMA guarded;
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE free.open SET SCHEMA guarded;
COMMIT;
BEGIN;
CREATE TABLE guarded.second (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('guarded.second');
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
ALTER TABLE free.open SET SCHEMA guarded;
COMMIT;
BEGIN;
SAVEPOINT a;
ALTER TABLE free.open SET SCHEMA guarded;
ROLLBACK TO a;
COMMIT;
SELECT relname FROM pg_class WHERE relnamespace = 'guarded'::regnamespace AND relkind = 'r' ORDER BY 1;
-- refuses: everything else that opens a hole
DROP POLICY aegis_select ON guarded.customer;
CREATE POLICY everything ON guarded.customer USING (true);
ALTER POLICY aegis_select ON guarded.customer USING (true);
ALTER TABLE guarded.customer ADD UNIQUE (id);
CREATE TABLE guarded.child () INHERITS (guarded.customer);
CREATE VIEW guarded.customer_view AS SELECT * FROM guarded.customer;
CREATE RULE aside AS ON INSERT TO guarded.customer DO ALSO NOTHING;
CREATE FUNCTION guarded.count_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
ALTER TABLE guarded.customer ADD COLUMN phone aegis.sealed_text;
-- allows: what opens none
CREATE VIEW guarded.customer_view WITH (security_invoker) AS SELECT * FROM guarded.customer;
ALTER TABLE guarded.customer ADD COLUMN city text;
CREATE INDEX CONCURRENTLY ON guarded.customer (tenant_id, city);
CREATE POLICY narrower ON guarded.customer AS RESTRICTIVE USING (true);
GRANT SELECT ON guarded.customer TO regress_guard_member;
-- refuses: a superuser and a replica too
\c - :superuser
SET client_min_messages = warning;
CREATE TABLE guarded.open (id int);
SET session_replication_role = replica;
CREATE TABLE guarded.open (id int);
RESET session_replication_role;
CREATE MATERIALIZED VIEW guarded.total AS SELECT count(*) FROM guarded.customer;
GRANT SELECT ON guarded.total TO regress_guard_member;
DROP MATERIALIZED VIEW guarded.total;
SELECT count(*) AS pending FROM aegis.ddl_pending;

-- survives: every refusal is in the ledger, though all was rolled back
SELECT collected();
SELECT a.event, a.outcome, a.session_user, a.target_kind, target_id, detail->>'detail' AS finding, detail->>'note' AS note
  FROM aegis.audit_log a WHERE seq > :before AND event LIKE 'ddl.%' ORDER BY time, seq;

-- repair: what was forgotten is done, with the rights of the owner
\c - regress_guard_operator
SELECT aegis.guard_schema('guarded', 'repair');
SELECT aegis.guard_schema('guarded', 'repair');
\c - regress_guard_owner
SET client_min_messages = warning;
CREATE TABLE guarded.forgotten (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'guarded.forgotten'::regclass;
GRANT SELECT ON guarded.forgotten TO regress_guard_member;
DROP POLICY aegis_select ON guarded.customer;
ALTER POLICY aegis_insert ON guarded.customer WITH CHECK (true);
ALTER TABLE guarded.customer ADD CONSTRAINT customer_city UNIQUE (city);
CREATE VIEW guarded.forgotten_view AS SELECT * FROM guarded.forgotten;
SELECT polname FROM pg_policy WHERE polrelid = 'guarded.customer'::regclass ORDER BY 1;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'customer_city';
SELECT reloptions FROM pg_class WHERE oid = 'guarded.forgotten_view'::regclass;
-- refuses: what cannot be repaired, and what would take away what somebody made
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE TABLE guarded.keyless (id int);
CREATE TABLE guarded.global (id int PRIMARY KEY);
CREATE POLICY everything ON guarded.customer USING (true);
CREATE TABLE guarded.child () INHERITS (guarded.customer);
\set VERBOSITY terse
-- a superuser's change is repaired with the owner's rights too
\c - :superuser
SET client_min_messages = warning;
SELECT tamper('DROP TRIGGER zzy_aegis_stamp ON guarded.customer');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'guarded.customer'::regclass AND tgname = 'zzy_aegis_stamp';
SELECT finding FROM aegis.coverage() WHERE severity = 'high' AND object ~ 'guarded';
SELECT collected();
SELECT a.event, a.outcome, a.session_user, a.target_kind, target_id, detail FROM aegis.audit_log a
 WHERE seq > :before AND event IN ('ddl.repaired', 'schema.guarded') ORDER BY time, seq;

-- coverage tells when the guard itself is switched off
ALTER EVENT TRIGGER aegis_ddl_end DISABLE;
ALTER TABLE aegis.ddl_pending DISABLE TRIGGER check_ddl;
SELECT severity, object_kind, object, finding, fix FROM aegis.coverage() WHERE finding = 'guard-off' ORDER BY 3;
SELECT fix FROM aegis.coverage() WHERE finding = 'guard-off' ORDER BY object \gexec
SELECT count(*) FROM aegis.coverage() WHERE finding = 'guard-off';

-- allows: everything again once the guard is off; a schema that is dropped is forgotten
SELECT aegis.guard_schema('guarded', 'off');
SELECT aegis.guard_schema('guarded', 'off');
CREATE TABLE guarded.open (id int);
SELECT fix FROM aegis.coverage() WHERE finding = 'schema-unguarded' AND object = 'guarded';
DROP TABLE guarded.open;
SELECT fix FROM aegis.coverage() WHERE finding = 'schema-unguarded' AND object = 'guarded' \gexec
SELECT count(*) FROM aegis.coverage() WHERE finding = 'schema-unguarded' AND object = 'guarded';
DROP SCHEMA guarded, free CASCADE;
SELECT count(*) FROM aegis.guarded_schema;
DROP FUNCTION collected();
DROP FUNCTION tamper(text);
DROP OWNED BY regress_guard_owner, regress_guard_operator, regress_guard_member;
DROP ROLE regress_guard_owner, regress_guard_operator, regress_guard_member;

-- allows: what is done to captured and protected tables is recorded, by name and command, not by text
CREATE SCHEMA regress_ddl;
CREATE TABLE regress_ddl.captured (id int PRIMARY KEY, note text);
SELECT aegis.audit_table('regress_ddl.captured');
CREATE TABLE regress_ddl.plain (id int PRIMARY KEY);
CREATE TABLE regress_ddl.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
SELECT aegis.audit_table('regress_ddl.parted');
SELECT max(seq) AS start FROM aegis.entry \gset
ALTER TABLE regress_ddl.captured ADD COLUMN secret text DEFAULT 'hunter2';
CREATE INDEX captured_note ON regress_ddl.captured (note) WHERE note <> 'hunter2';
CREATE FUNCTION regress_ddl.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER mine BEFORE INSERT ON regress_ddl.captured FOR EACH ROW EXECUTE FUNCTION regress_ddl.f();
DROP TRIGGER mine ON regress_ddl.captured;
CREATE RULE quiet AS ON DELETE TO regress_ddl.captured DO INSTEAD NOTHING;
DROP RULE quiet ON regress_ddl.captured;
CREATE POLICY wide ON regress_ddl.captured USING (note <> 'hunter2');
DROP POLICY wide ON regress_ddl.captured;
ALTER TABLE regress_ddl.captured DROP COLUMN secret;
ALTER TABLE regress_ddl.plain ADD COLUMN note text;
DROP TABLE regress_ddl.plain;
CREATE TABLE regress_ddl.part PARTITION OF regress_ddl.parted FOR VALUES FROM (0) TO (10);
ALTER TABLE regress_ddl.part ADD CHECK (id <> 7);
CREATE TABLE aegis.regress_mine (id int);
DROP TABLE aegis.regress_mine;
BEGIN;
ALTER TABLE regress_ddl.captured ADD COLUMN gone int;
ROLLBACK;
DO $$ BEGIN ALTER TABLE regress_ddl.captured RENAME TO renamed; END $$;
-- what Aegis does itself says so in other words
CREATE TABLE regress_ddl.ours (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('regress_ddl.ours', created_by => false, team => false);
ALTER TABLE regress_ddl.ours ADD COLUMN note text;
SET client_min_messages = warning;
DROP SCHEMA regress_ddl CASCADE;
RESET client_min_messages;
SELECT event, target_kind, target_id, detail ->> 'statement' AS statement FROM aegis.audit_log
 WHERE seq > :start AND event ~ '^(ddl|table)[.]' ORDER BY seq;
SELECT count(*) AS literals FROM aegis.entry WHERE position('hunter2'::bytea IN body) > 0;
