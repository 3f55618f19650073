-- Why a user sees a row or not: as row security decides it, in words, and nothing of other tenants.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE ROLE regress_explain_member LOGIN;
GRANT aegis_member TO regress_explain_member;
CREATE ROLE regress_explain_operator LOGIN;
GRANT aegis_operator TO regress_explain_operator;
CREATE SCHEMA explained;
GRANT USAGE ON SCHEMA explained TO aegis_member, regress_explain_operator;
CREATE TABLE explained.note (tenant_id uuid, id text, PRIMARY KEY (tenant_id, id));
CREATE TABLE explained.common (tenant_id uuid, year integer, place text, PRIMARY KEY (tenant_id, year, place));
CREATE TABLE explained.bare (tenant_id uuid, id text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('explained.note');
SELECT aegis.protect_table('explained.common', created_by => false, team => false);
GRANT SELECT, INSERT, UPDATE ON explained.note, explained.common TO aegis_member;
GRANT SELECT ON explained.note TO regress_explain_operator;

\set password 'plum quartz lantern 47 river'
SELECT aegis.create_tenant('explain-one', 'One') AS one, aegis.create_tenant('explain-two', 'Two') AS two \gset
BEGIN;
SELECT aegis.assume_tenant(:'one', 'set up', 'T-1', read_only => false);
SELECT aegis.create_team('North') AS north, aegis.create_team('South') AS south \gset
SELECT aegis.create_team('City', :'north') AS city \gset
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, :'password') AS ada,
       aegis.create_user('max@example.test', 'Max', 3::smallint, :'north', :'password') AS max,
       aegis.create_user('leo@example.test', 'Leo', 2::smallint, :'north', :'password') AS leo,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, :'north', :'password') AS uli,
       aegis.create_user('ulf@example.test', 'Ulf', 1::smallint, :'city', :'password') AS ulf,
       aegis.create_user('sue@example.test', 'Sue', 3::smallint, :'south', :'password') AS sue \gset
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'two', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('bea@example.test', 'Bea', 4::smallint, NULL, :'password') AS bea \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('explain-one', 'ada@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS max_token FROM aegis.sign_in('explain-one', 'max@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS leo_token FROM aegis.sign_in('explain-one', 'leo@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('explain-one', 'uli@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS ulf_token FROM aegis.sign_in('explain-one', 'ulf@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS sue_token FROM aegis.sign_in('explain-one', 'sue@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS bea_token FROM aegis.sign_in('explain-two', 'bea@example.test', :'password', NULL, NULL, NULL) \gset
-- Everybody makes a row; the operator's has no creator.
BEGIN;
SELECT aegis.assume_tenant(:'one', 'set up', 'T-1', read_only => false);
INSERT INTO explained.note (id) VALUES ('of nobody');
INSERT INTO explained.common VALUES (aegis.tenant_id(), 2026, 'here');
COMMIT;
\c - regress_explain_member
\pset tuples_only on
\pset format unaligned
BEGIN; SELECT aegis.authenticate(:'ada_token'); INSERT INTO explained.note (id) VALUES ('of ada'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'max_token'); INSERT INTO explained.note (id) VALUES ('of max'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'leo_token'); INSERT INTO explained.note (id) VALUES ('of leo'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'uli_token'); INSERT INTO explained.note (id) VALUES ('of uli'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'ulf_token'); INSERT INTO explained.note (id) VALUES ('of ulf'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'sue_token'); INSERT INTO explained.note (id) VALUES ('of sue'); COMMIT;
BEGIN; SELECT aegis.authenticate(:'bea_token'); INSERT INTO explained.note (id) VALUES ('of bea'), ('of ada too'); COMMIT;

-- allows: an admin to ask for every user and row; the last step says what row security does
BEGIN; SELECT aegis.authenticate(:'ada_token'); SELECT string_agg(id, ', ' ORDER BY id) AS ada_sees FROM explained.note \gset
COMMIT;
BEGIN; SELECT aegis.authenticate(:'max_token'); SELECT string_agg(id, ', ' ORDER BY id) AS max_sees FROM explained.note \gset
COMMIT;
BEGIN; SELECT aegis.authenticate(:'leo_token'); SELECT string_agg(id, ', ' ORDER BY id) AS leo_sees FROM explained.note \gset
COMMIT;
BEGIN; SELECT aegis.authenticate(:'uli_token'); SELECT string_agg(id, ', ' ORDER BY id) AS uli_sees FROM explained.note \gset
COMMIT;
BEGIN; SELECT aegis.authenticate(:'ulf_token'); SELECT string_agg(id, ', ' ORDER BY id) AS ulf_sees FROM explained.note \gset
COMMIT;
BEGIN; SELECT aegis.authenticate(:'sue_token'); SELECT string_agg(id, ', ' ORDER BY id) AS sue_sees FROM explained.note \gset
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT u.name, string_agg(r.id, ', ' ORDER BY r.id), string_agg(r.id, ', ' ORDER BY r.id) = u.sees AS as_row_security
  FROM (VALUES ('ada', :'ada'::uuid, :'ada_sees'), ('max', :'max', :'max_sees'), ('leo', :'leo', :'leo_sees'),
               ('uli', :'uli', :'uli_sees'), ('ulf', :'ulf', :'ulf_sees'), ('sue', :'sue', :'sue_sees')) u(name, id, sees)
 CROSS JOIN explained.note r
 CROSS JOIN LATERAL aegis.explain_access('explained.note', jsonb_build_object('id', r.id), u.id) e
 WHERE e.step = 8 AND e.passed GROUP BY u.name, u.sees ORDER BY u.name;
\pset tuples_only off
\pset format aligned
-- allows: the same in words, for all four ranks; without a user, for whoever asks
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of nobody"}');
SELECT step, passed, replace(explanation, :'ulf', 'ULF') AS explanation
  FROM aegis.explain_access('explained.note', '{"id": "of ulf"}', :'max') WHERE step > 2;
SELECT step, passed, replace(explanation, :'ulf', 'ULF') AS explanation
  FROM aegis.explain_access('explained.note', '{"id": "of ulf"}', :'leo') WHERE step > 2;
SELECT step, passed, replace(explanation, :'leo', 'LEO') AS explanation
  FROM aegis.explain_access('explained.note', '{"id": "of leo"}', :'uli') WHERE step > 2;
SELECT step, passed, explanation FROM aegis.explain_access('explained.note', '{"id": "of uli"}', :'uli') WHERE step > 2;
SELECT step, passed, explanation FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'sue') WHERE step = 5;
SELECT step, passed, explanation FROM aegis.explain_access('explained.common', '{"year": 2026, "place": "here"}', :'uli') WHERE step > 2;
SELECT * FROM aegis.explain_access('explained.bare', '{"id": "x"}');

-- refuses: telling another tenant's row from one that does not exist, byte by byte
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of bea"}');
SELECT name, found = missing AS same FROM (
  SELECT w.name, (SELECT array_agg(e::text) FROM aegis.explain_access('explained.note', w.key, w.id) e) AS found,
         (SELECT array_agg(e::text) FROM aegis.explain_access('explained.note', '{"id": "of nowhere"}', w.id) e) AS missing
    FROM (VALUES ('admin', jsonb '{"id": "of bea"}', NULL::uuid), ('user', '{"id": "of bea"}', :'uli'),
                 ('with its tenant', jsonb_build_object('tenant_id', :'two', 'id', 'of bea'), NULL),
                 ('with a tenant that is none', jsonb_build_object('tenant_id', :'bea', 'id', 'of ada'), NULL),
                 ('no key', '{"id": null}', NULL)) w(name, key, id)) answers ORDER BY name;
SELECT passed FROM aegis.explain_access('explained.note', jsonb_build_object('tenant_id', :'one', 'id', 'of ada')) WHERE step = 4;
COMMIT;
-- refuses: telling another tenant's user from nobody
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'bea');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', '00000000-0000-4000-8000-00000000000f');
ROLLBACK;

-- refuses: everybody below admin, also through the parts, and everybody without a context
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of max"}');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'leo_token');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of leo"}', :'leo');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'ada');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT aegis.access_facts('explained.note', :'ada');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT row_found FROM aegis.row_facts('explained.note', '{"id": "of ada"}', true, true);
ROLLBACK;
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}');
SELECT aegis.access_facts('explained.note', :'ada');
SELECT row_found FROM aegis.row_facts('explained.note', '{"id": "of ada"}', true, true);

-- refuses: keys that are none
\set VERBOSITY default
\set SHOW_CONTEXT never
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SAVEPOINT s;
SELECT * FROM aegis.explain_access('explained.common', '{"year": 2026}');
ROLLBACK TO s;
\set VERBOSITY terse
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada", "created_by": 1}');
ROLLBACK TO s;
SELECT * FROM aegis.explain_access('explained.note', '"of ada"');
ROLLBACK TO s;
SELECT * FROM aegis.explain_access('explained.note', NULL);
ROLLBACK TO s;
SELECT * FROM aegis.explain_access('explained.common', '{"year": "x", "place": "here"}');
ROLLBACK;

-- allows: an operator in the tenant, and refuses a superuser the rows of others, though no row security binds it
\c - regress_explain_operator
BEGIN;
SELECT aegis.assume_tenant(:'one', 'cannot find a note', 'T-2');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ulf"}', :'sue') WHERE step IN (3, 5, 8);
SELECT replace(explanation, :'ulf', 'ULF') FROM aegis.explain_access('explained.note', '{"id": "of ulf"}') WHERE step > 2;
COMMIT;
\c - :superuser
SET client_min_messages = warning;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'cannot find a note', 'T-2');
SELECT count(*) > 7 AS bypasses FROM explained.note;
SELECT passed, explanation FROM aegis.explain_access('explained.note', '{"id": "of bea"}') WHERE step = 4;
SELECT passed, explanation FROM aegis.explain_access('explained.note', '{"id": "of ada too"}') WHERE step = 4;
COMMIT;

-- allows: seeing what else stands in the way: policies of one's own, deactivation, suspension, privileges
CREATE POLICY quiet ON explained.note AS RESTRICTIVE FOR SELECT USING (id <> 'of max');
BEGIN;
SELECT aegis.assume_tenant(:'one', 'change', 'T-3', read_only => false);
SELECT aegis.deactivate_user(:'uli');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of uli"}', :'uli') WHERE step IN (3, 7, 8);
COMMIT;
SELECT aegis.suspend_tenant(:'one', 'to see what is said');
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'T-4');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'ada') WHERE step IN (3, 8);
COMMIT;
REVOKE SELECT ON explained.note FROM aegis_member;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'T-4');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'ada');
COMMIT;
GRANT SELECT ON explained.note TO aegis_member;
REVOKE USAGE ON SCHEMA explained FROM aegis_member;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'T-4');
SELECT * FROM aegis.explain_access('explained.note', '{"id": "of ada"}', :'ada') WHERE step = 2;
COMMIT;

DROP SCHEMA explained CASCADE;
DROP OWNED BY regress_explain_member, regress_explain_operator;
DROP ROLE regress_explain_member, regress_explain_operator;
