-- What is dangerous in the application wants a session that was confirmed a short while ago, over HTTP and in SQL alike.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE FUNCTION public.regress_asked(body jsonb, id text DEFAULT '00000000-0000-4000-8000-000000000000') RETURNS aegis.request LANGUAGE sql STABLE
  RETURN ROW('POST', '/', jsonb_build_object('id', id), '{}'::jsonb, '{}'::jsonb, body, NULL::bytea)::aegis.request;
-- The gateway's login may call nothing but the gateway's functions: another one may in this test.
CREATE ROLE regress_step_up_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_step_up_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_step_up_caller;
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
\c - :administrator
UPDATE aegis.session s SET confirmed_at = now() - interval '1 hour' FROM aegis.tenant t WHERE t.id = s.tenant_id AND t.slug = 'regress-one' AND s.ended_at IS NULL;

-- refuses: each of these routes, before it looks at what it was sent
SELECT method, path FROM aegis.route WHERE step_up IS NOT NULL AND handler_schema = 'aegis_app' ORDER BY path, method;
SELECT string_agg(format('(%L, %L)', method, regexp_replace(path, '[{][a-z]+[}]', '00000000-0000-4000-8000-000000000000', 'g')), ', ' ORDER BY path, method) AS routes
  FROM aegis.route WHERE step_up IS NOT NULL AND handler_schema = 'aegis_app' \gset
\c - regress_step_up_caller
\set ECHO none
SELECT format('SELECT %L AS route, status, body::text LIKE %L AS step_up FROM aegis.handle(%L, %L, %L, ''{}'', ''192.0.2.1'', ''t'')', r.method || ' ' || r.path,
  '%' || encode('step-up-required', 'hex') || '%', r.method, r.path, ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json'])
  FROM (VALUES :routes) r (method, path) ORDER BY r.path, r.method \gexec
\set ECHO all
-- refuses: the functions behind them, to whoever comes by SQL
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.connect_account('stripe', 'acct_9', 'GBP', false, 'regress-stripe', 'https://pay.example/back', '{"key": "k"}');
ROLLBACK TO s;
SELECT aegis_app.change_account('00000000-0000-4000-8000-000000000000', '{"key": "k"}', false);
ROLLBACK TO s;
SELECT aegis_app.change_account('00000000-0000-4000-8000-000000000000', NULL, true);
ROLLBACK TO s;
SELECT * FROM aegis_app.request_refund('00000000-0000-4000-8000-000000000000', 1, 'x', 'x');
ROLLBACK TO s;
SELECT aegis_app.export_kyc_subject(public.regress_asked('{}'));
ROLLBACK TO s;
INSERT INTO aegis_app.reporting_officer (user_id) SELECT u.id FROM aegis.users() u WHERE u.name = 'Mia Manager';
ROLLBACK TO s;
SELECT aegis_app.change_user(public.regress_asked('{"rank": 2}', (SELECT u.id::text FROM aegis.users() u WHERE u.rank = 1 LIMIT 1)));
ROLLBACK TO s;
SELECT aegis_app.create_user(public.regress_asked('{"email": "new@one.example", "name": "New", "rank": 4, "password": "violet-harbour-paints-19"}'));
ROLLBACK TO s;
SELECT aegis_app.invite_user(public.regress_asked('{"email": "new@one.example", "name": "New", "rank": 4}'));
ROLLBACK TO s;
-- allows: what is not dangerous
SELECT (aegis_app.list_accounts(NULL)).status;
ROLLBACK;

-- allows: all of it after a confirmation
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT outcome FROM aegis.step_up(NULL, 'violet-harbour-paints-11');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis_app.change_account('00000000-0000-4000-8000-000000000000', NULL, true) AS changed;
COMMIT;
\c - regress_step_up_caller
SELECT status FROM aegis.handle('DELETE', '/api/payment-accounts/00000000-0000-4000-8000-000000000000',
  ARRAY['authorization', 'Bearer ' || :'ada'], NULL, '192.0.2.1', 't');
\c - :administrator
SET client_min_messages = warning;
DROP FUNCTION public.regress_asked;
DROP OWNED BY regress_step_up_caller;
DROP ROLE regress_step_up_caller;
