-- The application installs on top of aegis, and an organisation's people see themselves by rank.
-- Later tests of the application use the tenants and users made here.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION aegis_app;
CREATE ROLE regress_app_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_app LOGIN IN ROLE aegis_member;

-- allows: an operator makes two tenants with teams and users of every rank
\c - regress_app_operator
SELECT aegis.create_tenant('regress-one', 'One Ltd') AS one \gset
SELECT aegis.create_tenant('regress-two', 'Two Ltd') AS two \gset
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'set up the test', 'TEST-1', read_only => false) \g /dev/null
SELECT aegis.create_team('North') AS north \gset
SELECT aegis.create_team('North A', :'north'::uuid) AS north_a \gset
SELECT aegis.create_team('South') AS south \gset
SELECT aegis.create_user('ada@one.example', 'Ada Admin', 4::smallint, NULL, 'violet-harbour-paints-11') \g /dev/null
SELECT aegis.create_user('mia@one.example', 'Mia Manager', 3::smallint, :'north'::uuid, 'violet-harbour-paints-12') \g /dev/null
SELECT aegis.create_user('leo@one.example', 'Leo Lead', 2::smallint, :'north_a'::uuid, 'violet-harbour-paints-13') \g /dev/null
SELECT aegis.create_user('uma@one.example', 'Uma User', 1::smallint, :'north_a'::uuid, 'violet-harbour-paints-14') \g /dev/null
SELECT aegis.create_user('sid@one.example', 'Sid South', 1::smallint, :'south'::uuid, 'violet-harbour-paints-15') \g /dev/null
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'two'::uuid, 'set up the test', 'TEST-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@two.example', 'Ada Other', 4::smallint, NULL, 'violet-harbour-paints-21') \g /dev/null
COMMIT;

-- allows: the organisation, its teams and its users by HTTP's own functions
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.status, r.body - 'id' AS body FROM aegis_app.get_organisation(NULL) r;
SELECT r.status, jsonb_path_query_array(r.body, '$.teams[*].name') AS teams FROM aegis_app.list_teams(NULL) r;
SELECT r.status, jsonb_path_query_array(r.body, '$.users[*].name') AS users FROM aegis_app.list_users(NULL) r;
SELECT r.status FROM aegis_app.create_team(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "West"}}')) r;
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, jsonb_path_query_array(r.body, '$.users[*].name') AS users FROM aegis_app.list_users(NULL) r;
ROLLBACK;

-- refuses: fields that are missing, too long or of another type; people of too low a rank
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.create_team(jsonb_populate_record(NULL::aegis.request, '{"body": {}}'));
ROLLBACK TO s;
SELECT aegis_app.create_team(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": 7}}'));
ROLLBACK TO s;
SELECT aegis_app.create_team(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('name', repeat('x', 101)))));
ROLLBACK TO s;
SELECT (aegis_app.change_user(jsonb_populate_record(NULL::aegis.request, '{"params": {"id": "nobody"}, "body": {"rank": 1}}'))).status;
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT aegis_app.create_team(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Mine"}}'));
ROLLBACK;
