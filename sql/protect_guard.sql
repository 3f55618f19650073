-- The owner of a protected table reads no row of a tenant by a query, and takes nothing of its protection away without an
-- entry that stays.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_guarded_owner LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_guarded_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_guarded_owner', current_database()) \gexec
CREATE SCHEMA held AUTHORIZATION regress_guarded_owner;
CREATE SCHEMA before AUTHORIZATION regress_guarded_owner;
CREATE FUNCTION regress_wait_collected() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_collected();
SELECT aegis.create_tenant('held-one', 'One') AS one \gset
SELECT aegis.create_tenant('held-two', 'Two') AS two \gset
\c - regress_guarded_owner
SET client_min_messages = warning;
CREATE TABLE held.note (tenant_id uuid, id int, body text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('held.note');
\c - :superuser
INSERT INTO held.note (tenant_id, id, body) VALUES (:'one', 1, 'of one'), (:'two', 1, 'of two');
SELECT max(seq) AS start FROM aegis.audit_log \gset

-- refuses: another name for the tenant, by a statement for types too
\c - regress_guarded_owner
SET client_min_messages = warning;
BEGIN;
ALTER TYPE held.note RENAME ATTRIBUTE tenant_id TO tenant;
ROLLBACK;
BEGIN;
ALTER TYPE held.note RENAME ATTRIBUTE tenant_id TO tenant CASCADE;
CREATE POLICY everything ON held.note USING (true);
SELECT body FROM held.note;
ROLLBACK;
ALTER TYPE held.note RENAME ATTRIBUTE body TO words;
ALTER TABLE held.note RENAME words TO body;

-- refuses: a trigger of ours under a condition, for fewer commands or columns, at another time, or with another function of ours
CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON held.note FOR EACH ROW WHEN (false) EXECUTE FUNCTION aegis.stamp_row();
CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.stamp_row();
CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE OF id ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.stamp_row();
CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('body');
CREATE OR REPLACE TRIGGER aegis_audit_row AFTER DELETE ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.audit_row();
CREATE OR REPLACE TRIGGER aegis_audit_row AFTER INSERT OR UPDATE OR DELETE ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.audit_row('body');
CREATE OR REPLACE TRIGGER aegis_audit_truncate AFTER TRUNCATE ON held.note FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_truncate();
-- allows: the same once more, and a trigger of one's own
CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON held.note FOR EACH ROW EXECUTE FUNCTION aegis.stamp_row();
CREATE OR REPLACE TRIGGER own BEFORE INSERT ON held.note FOR EACH ROW WHEN (false) EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE OR REPLACE TRIGGER own BEFORE UPDATE ON held.note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
DROP TRIGGER own ON held.note;
SELECT aegis.protect_table('held.note');

-- refuses: a trigger of ours that goes with an extension
CREATE EXTENSION citext SCHEMA held;
ALTER TRIGGER zzy_aegis_stamp ON held.note DEPENDS ON EXTENSION citext;
ALTER TRIGGER aegis_audit_row ON held.note DEPENDS ON EXTENSION citext;
ALTER TRIGGER aegis_audit_row ON held.note NO DEPENDS ON EXTENSION citext;
DROP EXTENSION citext;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'held.note'::regclass ORDER BY 1;

-- survives: a partition that has the name of its table, in a schema that is looked through before
CREATE TABLE held.event (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
SELECT aegis.protect_table('held.event');
SET search_path = before, held, pg_catalog;
CREATE TABLE pg_class PARTITION OF held.event FOR VALUES FROM (10) TO (20);
CREATE TABLE event PARTITION OF event FOR VALUES FROM (0) TO (10);
RESET search_path;
SELECT c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c WHERE c.relnamespace = 'before'::regnamespace AND c.relkind = 'r' ORDER BY 1;
\c - :superuser
INSERT INTO held.event (tenant_id, id) VALUES (:'two', 1), (:'two', 11);
\c - regress_guarded_owner
SET client_min_messages = warning;
SELECT id FROM before.event;
SELECT id FROM before.pg_class;

-- survives: the entry of what was taken away, when a rollback gives it back
BEGIN;
SELECT aegis.unprotect_table('held.note');
SELECT body FROM held.note ORDER BY body;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT aegis.unprotect_table('held.note');
ROLLBACK TO s;
COMMIT;
SELECT body FROM held.note;

-- survives: the entries of what a function does that protect_table and others call
CREATE FUNCTION held.widen() RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'CREATE POLICY everything ON held.note USING (true)';
  EXECUTE 'DROP POLICY everything ON held.note';
  RETURN NULL;
END $$;
CREATE TABLE held.open (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE held.other (tenant_id uuid NOT NULL, id int PRIMARY KEY);
CREATE TABLE held.named (id int PRIMARY KEY, other int REFERENCES held.other);
INSERT INTO held.open VALUES ('00000000-0000-4000-8000-000000000001', 1);
INSERT INTO held.other VALUES ('00000000-0000-4000-8000-000000000001', 1);
INSERT INTO held.named VALUES (1, 1);
CREATE FUNCTION held.widen_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM held.widen(); RETURN NEW; END';
CREATE TRIGGER widen BEFORE UPDATE ON held.named FOR EACH ROW EXECUTE FUNCTION held.widen_row();
SELECT count(*) FROM aegis.protection_findings('held.open', created_by_from => 'held.widen()');
CALL aegis.backfill_table('held.open', 'NULL', 'held.widen()');
SELECT count(*) FROM aegis.convert_keys('held.other', true);
\c - :superuser
SELECT regress_wait_collected();
SELECT event, outcome, "session_user", target_kind, target_id, coalesce(detail ->> 'note', detail ->> 'statement') AS how FROM aegis.audit_log
 WHERE seq > :start AND (event = 'table.unprotected' OR event = 'ddl.changed' AND target_id ~ 'everything') ORDER BY event DESC, seq;

DROP SCHEMA held, before CASCADE;
DROP FUNCTION regress_wait_collected();
DROP OWNED BY regress_guarded_owner;
DROP ROLE regress_guarded_owner;
