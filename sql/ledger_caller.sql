-- Holds, retention rules, noted exports and requests change by the functions that record it, and by nobody else; code of
-- somebody else that runs within ours is under the guard.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_caller_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_caller_otto LOGIN IN ROLE aegis_operator;
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
\c - regress_caller_olga
SET client_min_messages = warning;
SELECT aegis.create_tenant('caller-one', 'One') AS one \gset
SELECT aegis.set_ledger_retention(:'one', '7 years', 'policy');
SELECT aegis.hold_ledger(:'one', 'case 1') AS hold \gset
SELECT aegis.suspend_tenant(:'one', 'contract ended');
SELECT aegis.request_tenant_action('erase', :'one', 'caller-one', 'contract ended') AS request \gset
\c - :superuser
SET client_min_messages = warning;
CREATE VIEW regress_beside AS SELECT (SELECT count(*) FROM aegis.ledger_hold WHERE released_at IS NULL) AS holds,
  (SELECT keep FROM aegis.ledger_retention r JOIN aegis.tenant t ON t.id = r.tenant_id WHERE t.slug = 'caller-one') AS keep,
  (SELECT count(*) FROM aegis.ledger_export) AS exports, (SELECT count(*) FROM aegis.tenant_request WHERE approved_by IS NOT NULL) AS approved;
SELECT * FROM regress_beside \gset before_

-- refuses: a hold that vanishes, a rule that is shorter, an export that was none, an agreement that nobody gave
DELETE FROM aegis.ledger_hold;
UPDATE aegis.ledger_hold SET released_by = 'x', released_at = now(), release_reason = 'x';
UPDATE aegis.ledger_retention SET keep = '0';
INSERT INTO aegis.ledger_export (tenant_id, seal, statement, exported_by) VALUES (:'one', 1, sha256('x'), 'x');
UPDATE aegis.tenant_request SET approved_by = 'otto', approved_at = now();
INSERT INTO aegis.tenant_request (action, tenant_id, reason, argument, requested_by, approved_by, approved_at, expires_at)
  VALUES ('cut_ledger', :'one', 'x', '1:' || repeat('0', 64), 'x', 'y', now(), now() + interval '1 hour');
DELETE FROM aegis.witness;
INSERT INTO aegis.witness (name, vkey, destination, required, added_at, next_at) VALUES ('w', 'w', 'w', true, now(), now());
UPDATE aegis.anchor SET standing = 'anchoring';
MERGE INTO aegis.ledger_hold h USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE;
SELECT id FROM aegis.ledger_hold FOR UPDATE;
TRUNCATE aegis.ledger_hold;
TRUNCATE aegis.tenant_request CASCADE;
COPY aegis.ledger_retention (tenant_id, keep, set_by) FROM stdin;
00000000-0000-4000-8000-00000000000f	0	x
\.
SET session_replication_role = replica;
DELETE FROM aegis.ledger_hold;
RESET session_replication_role;
SET ROLE aegis_owner;
DELETE FROM aegis.ledger_hold;
ALTER TABLE aegis.ledger_hold DISABLE TRIGGER ALL;
RESET ROLE;

-- refuses: the ways around: another table, another function in the place of ours, one of the owner's, a member more
ALTER TABLE aegis.ledger_hold RENAME TO held;
DROP TABLE aegis.ledger_retention;
ALTER TABLE aegis.tenant_request DROP CONSTRAINT tenant_request_check;
CREATE TRIGGER regress BEFORE INSERT ON aegis.ledger_hold FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE regress AS ON INSERT TO aegis.ledger_hold DO INSTEAD NOTHING;
CREATE OR REPLACE FUNCTION aegis.hold_ledger(tenant uuid, reason text) RETURNS bigint LANGUAGE sql AS 'DELETE FROM aegis.ledger_hold RETURNING id';
CREATE OR REPLACE FUNCTION aegis.approve_tenant_action(request bigint, slug text) RETURNS void LANGUAGE sql AS 'UPDATE aegis.tenant_request SET approved_by = slug';
CREATE FUNCTION aegis.approve_tenant_action(request bigint) RETURNS void LANGUAGE sql AS 'UPDATE aegis.tenant_request SET approved_by = session_user';
ALTER FUNCTION aegis.erase_tenant(bigint, text) RENAME TO x;
CREATE FUNCTION public.hold_ledger() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'DELETE FROM aegis.ledger_hold';
ALTER FUNCTION public.hold_ledger() OWNER TO aegis_owner;
SELECT public.hold_ledger();
ALTER EXTENSION aegis ADD FUNCTION public.hold_ledger();
DROP FUNCTION public.hold_ledger();

-- refuses: a trigger of somebody else's within a function of ours, and an event trigger within our own statements
\c - regress_caller_otto
SELECT aegis.approve_tenant_action(:request, 'caller-one');
\c - :superuser
CREATE FUNCTION regress_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM aegis.ledger_hold; RETURN NULL; END $$;
BEGIN;
CREATE TRIGGER regress_release AFTER UPDATE ON aegis.tenant FOR EACH ROW EXECUTE FUNCTION regress_release();
SELECT aegis.release_ledger(:hold, 'for a moment') \g /dev/null
SELECT aegis.erase_tenant(:request, 'caller-one');
ROLLBACK;
BEGIN;
CREATE FUNCTION regress_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF tg_tag = 'CREATE TRIGGER' THEN
    UPDATE aegis.entry SET body = body || '\x00';
  END IF;
END $$;
CREATE EVENT TRIGGER regress_rewrite ON ddl_command_end EXECUTE FUNCTION regress_rewrite();
CREATE TABLE regress_audited (id integer PRIMARY KEY);
SELECT aegis.audit_table('regress_audited');
ROLLBACK;
-- The same with the owner's rights, and by a function that a statement of ours calls.
BEGIN;
CREATE FUNCTION regress_rewrite() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM aegis.seal; END $$;
ALTER FUNCTION regress_rewrite() OWNER TO aegis_owner;
CREATE EVENT TRIGGER regress_rewrite ON ddl_command_end WHEN tag IN ('CREATE TRIGGER') EXECUTE FUNCTION regress_rewrite();
CREATE TABLE regress_audited (id integer PRIMARY KEY);
SELECT aegis.audit_table('regress_audited');
ROLLBACK;
CREATE FUNCTION regress_forget() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN DELETE FROM aegis.seal; RETURN 1; END $$;
SELECT regress_tamper('SELECT regress_forget()');
-- allows: our own code goes on after a call of somebody else's, also one that failed
CREATE FUNCTION regress_harmless(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / n; RETURN n; EXCEPTION WHEN division_by_zero THEN RETURN 0; END $$;
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.ledger_hold WHERE regress_harmless(0) = 0 AND regress_harmless(1) = 1') > 0 AS still_ours;
ROLLBACK;

-- refuses: the entry of a cut by any other way than a cut; a cut is what leaves leaves without entries
SET ROLE aegis_owner;
SELECT aegis.record_tenant_event('ledger.cut', :'one', 'ledger', :'one',
  jsonb_build_object('size', 1, 'root', repeat('0', 64), 'statement', repeat('0', 64), 'reason', 'x', 'requested_by', 'olga', 'approved_by', 'otto'));
RESET ROLE;

-- survives: everything is as it was, and the functions go on
SELECT * FROM regress_beside \gset after_
SELECT :before_holds = :after_holds AS holds, :'before_keep' = :'after_keep' AS keep, :before_exports = :after_exports AS exports,
       :before_approved + 1 = :after_approved AS approved;
\c - regress_caller_olga
SELECT aegis.release_ledger(:hold, 'over');
SELECT aegis.set_ledger_retention(:'one', NULL, 'over');
SELECT aegis.withdraw_tenant_action(:request, 'caller-one');
\c - :superuser
SET client_min_messages = error;
DROP VIEW regress_beside;
DROP FUNCTION regress_release(), regress_forget(), regress_harmless(bigint), regress_tamper(text);
DROP ROLE regress_caller_olga, regress_caller_otto;
