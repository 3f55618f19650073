-- A customer's personal data is ciphertext to a DBA, plaintext to whoever may see the row, and nothing to
-- anybody else; the e-mail address finds it.
\set VERBOSITY terse
SELECT current_user AS administrator \gset
\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
SELECT token AS leo FROM aegis.sign_in('regress-one', 'leo@one.example', 'violet-harbour-paints-13', '192.0.2.1', 'test', 't') \gset
SELECT token AS other FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset

-- allows: create, read, find by e-mail in any spelling, change
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'id' AS customer, r.body ->> 'name' AS name
  FROM aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request,
    '{"body": {"name": "Grace Example", "email": "Grace@Example.ORG", "phone": "+44 20 7946 0000"}}')) r \gset
SELECT :status AS status, :'name' AS name;
COMMIT;
BEGIN READ ONLY;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'email' AS email, r.body ->> 'phone' AS phone
  FROM aegis_app.get_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'customer')))) r;
SELECT jsonb_path_query_array(r.body, '$.customers[*].email') AS found
  FROM aegis_app.list_customers(jsonb_populate_record(NULL::aegis.request, '{"query": {"email": " grace@EXAMPLE.org "}}')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'name' AS name, r.body ->> 'email' AS email, r.body -> 'version' AS version
  FROM aegis_app.change_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object(
    'params', jsonb_build_object('id', :'customer'), 'body', '{"name": "Grace Renamed", "version": 1}'::jsonb))) r;
SELECT r.status, r.body ->> 'type' AS problem
  FROM aegis_app.change_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object(
    'params', jsonb_build_object('id', :'customer'), 'body', '{"name": "Late", "version": 1}'::jsonb))) r;
SELECT r.status, r.body ->> 'type' AS problem
  FROM aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Twin", "email": "grace@example.org"}}')) r;
COMMIT;

-- allows: a team lead sees the team's customers
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT (aegis_app.get_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'customer'))))).status;
COMMIT;

-- refuses: a colleague of another team and another tenant get the same answer as for no customer at all
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT (aegis_app.get_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'customer'))))).status;
SELECT (aegis_app.list_customers(jsonb_populate_record(NULL::aegis.request, '{"query": {"email": "grace@example.org"}}'))).body;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT aegis_app.get_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'customer'))))
     = aegis_app.get_customer(jsonb_populate_record(NULL::aegis.request, '{"params": {"id": "00000000-0000-4000-8000-000000000000"}}')) AS same_as_missing;
SELECT count(*) FROM aegis_app.customer;
COMMIT;

-- refuses: bad e-mail, no name, a card number; columns that come from the context
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "X", "notes": "card 4242 4242 4242 4242"}}'));
ROLLBACK TO s;
SELECT aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "X", "email": "nowhere"}}'));
ROLLBACK TO s;
SELECT aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"email": "x@example.org"}}'));
ROLLBACK TO s;
INSERT INTO aegis_app.customer (tenant_id, name) VALUES ('00000000-0000-4000-8000-000000000000', 'forged');
ROLLBACK TO s;
UPDATE aegis_app.customer SET created_by = '00000000-0000-4000-8000-000000000000';
ROLLBACK;

-- allows: the search by e-mail through its index, under row security
\c - regress_app_operator
SELECT id AS one FROM aegis.tenants() WHERE slug = 'regress-one' \gset
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'look at a plan', 'TEST-2') \g /dev/null
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM aegis_app.customer WHERE tenant_id = aegis.tenant_id() AND email = 'grace@example.org';
COMMIT;

-- survives: what a superuser reads is armor
\c - :administrator
SELECT bool_and(name::text LIKE 'A1.%' AND email::text LIKE 'A1.%') AS only_ciphertext FROM aegis_app.customer;

-- survives: every write is in the ledger, with its actor, session and outcome; names and addresses are not
SELECT l.event, count(*) > 0 AS entries, bool_and(l.user_id IS NOT NULL AND l.session_id IS NOT NULL AND l."session_user" = 'regress_app') AS actor,
       bool_and(l.target_kind = 'customer') AS target, bool_and(l.outcome = 'success') AS success
  FROM aegis.audit_log l WHERE l.event ~ '^customer[.]' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS in_clear FROM aegis.entry WHERE position('Grace'::bytea IN body) > 0 OR position('192.0.2.1'::bytea IN body) > 0;
