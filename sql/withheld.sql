-- Of a withheld table, its fields and events a tenant's own log has no entry and no gap; the system's log has all of them.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('withheld-one', 'One') AS one \gset
CREATE ROLE regress_withheld LOGIN IN ROLE aegis_member;
CREATE ROLE regress_withheld_operator LOGIN IN ROLE aegis_operator;
CREATE SCHEMA quiet;
GRANT USAGE ON SCHEMA quiet, aegis TO regress_withheld, regress_withheld_operator;
CREATE TABLE quiet.report (tenant_id uuid, id int, about text, body aegis.sealed_text, PRIMARY KEY (tenant_id, id));
CREATE TABLE quiet.loud (tenant_id uuid, id int, body aegis.sealed_text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('quiet.report', created_by => false, team => false);
SELECT aegis.protect_table('quiet.loud', created_by => false, team => false);
SELECT aegis.encrypt_column('quiet.report', 'body', 'quiet.body');
SELECT aegis.encrypt_column('quiet.loud', 'body', 'loud.body');
SELECT aegis.declare_event('quiet.filed', 'somebody filed a report', '{"about": "personal"}', withheld => true);
SELECT aegis.declare_event('loud.said', 'somebody said something', '{"about": "personal"}');
GRANT SELECT, INSERT, UPDATE, DELETE ON quiet.report, quiet.loud TO regress_withheld;

-- refuses: whoever is no operator or does not own the table; what is no table; another declaration of the same name
\c - regress_withheld
SELECT aegis.withhold_table('quiet.report');
SELECT aegis.legible_withheld('x'::aegis.sealed_text);
\c - regress_withheld_operator
SELECT aegis.withhold_table('quiet.report');
SELECT aegis.legible_withheld('x'::aegis.sealed_text);
\c - :superuser
SELECT aegis.legible_withheld('x'::aegis.sealed_text);
CREATE VIEW quiet.seen AS SELECT id FROM quiet.loud;
SELECT aegis.withhold_table('quiet.seen');
SELECT aegis.declare_event('quiet.filed', 'somebody filed a report', '{"about": "personal"}');

-- allows
SELECT aegis.withhold_table('quiet.report');
SELECT aegis.withhold_table('quiet.report');
SELECT relation FROM aegis.withheld_table WHERE NOT by_extension;
SELECT target_id, tenant_id IS NULL AS of_the_system FROM aegis.audit_log WHERE event = 'table.withheld' AND target_id ~ '^quiet';

-- survives: one does the same to both tables
\c - regress_withheld
BEGIN;
SELECT public.probe_context(:'one', '00000000-0000-4000-8000-00000000000a', 4, 1, 1);
INSERT INTO quiet.report (id, about, body) VALUES (1, 'Mallory', 'paid in cash');
INSERT INTO quiet.loud (id, body) VALUES (1, 'paid by card');
UPDATE quiet.report SET about = 'Mallory M.';
SELECT aegis.reveal(body) FROM quiet.report;
SELECT aegis.reveal(body) FROM quiet.loud;
SELECT aegis.record('quiet.filed', 'report', '1', detail => '{"about": "Mallory"}');
SELECT aegis.record('loud.said', 'loud', '1', detail => '{"about": "Mallory"}');
DELETE FROM quiet.report;
COMMIT;
-- and a reveal whose transaction was rolled back, which the worker records
BEGIN;
SELECT public.probe_context(:'one', '00000000-0000-4000-8000-00000000000a', 4, 1, 1);
INSERT INTO quiet.report (id, about, body) VALUES (2, 'Mallory', 'again');
SELECT aegis.reveal(body) FROM quiet.report;
ROLLBACK;
\c - :superuser
DO $$ BEGIN  -- the worker writes it within seconds
  FOR i IN 1..600 LOOP
    EXIT WHEN (SELECT count(*) FROM aegis.audit_log WHERE event = 'pii.revealed' AND target_id = 'quiet.body') = 2;
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT l.event, coalesce(l.image ->> 'relation', l.target_id) AS about, l.image ->> 'operation' AS operation
  FROM aegis.audit_log l WHERE l.tenant_id = :'one' AND l.event IN ('row.changed', 'quiet.filed', 'loud.said', 'pii.revealed') ORDER BY l.seq;
SELECT l.event, coalesce(l.image ->> 'relation', l.target_id) AS about, l.image ->> 'operation' AS operation, l.user_id IS NOT NULL AS actor,
       l.body ~ 'Mallory' AS in_clear
  FROM (SELECT a.*, encode(e.body, 'escape') AS body FROM aegis.audit_log a JOIN aegis.entry e USING (seq)) l
 WHERE l.tenant_id IS NULL AND l.event <> 'field.registered' AND (l.image ->> 'relation' = 'quiet.report' OR l.event = 'quiet.filed' OR l.target_id = 'quiet.body') ORDER BY l.seq;
-- nothing is missing in the tenant's log, by whose numbers an entry would be missed
SELECT aegis.wait_sealed() \g /dev/null
SELECT bool_and(l.leaf = l.place - 1) AS without_gaps FROM (SELECT a.leaf, row_number() OVER (ORDER BY a.leaf) AS place FROM aegis.audit_log a WHERE a.tenant_id = :'one') l;

-- refuses: to make a route known that its event withholds
CREATE FUNCTION quiet.answer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200); END $$;
SELECT aegis.register_route('POST', '/regress/quiet', 'quiet.answer(aegis.request)', event => 'quiet.filed');
SELECT aegis.register_route('POST', '/regress/quiet', 'quiet.answer(aegis.request)', event => 'loud.said');
SELECT aegis.register_route('POST', '/regress/quiet', 'quiet.answer(aegis.request)', withheld => true);
SELECT aegis.drop_route('POST', '/regress/quiet');

SET client_min_messages = warning;
DROP SCHEMA quiet CASCADE;
DELETE FROM aegis.field WHERE name IN ('quiet.body', 'loud.body');
DROP FUNCTION probe_context;
DROP OWNED BY regress_withheld, regress_withheld_operator;
DROP ROLE regress_withheld, regress_withheld_operator;
